//! What is read: types, shapes, folders, queries, versions.

use std::collections::BTreeMap;
use std::time::Duration;

use penstock_domain::conditions::Reason;
use penstock_domain::fault::FaultClass;
use penstock_domain::ports::{Freshness, Sources};
use penstock_domain::stores::{Capability, StoreProbe};
use penstock_domain::sync::{EntrySelection, SourceOptions, ValidatedSource};
use penstock_domain::testing::sync_id;
use serde_json::json;

use super::{Case, Outcome, lines, query, server, settings, table};

#[tokio::test]
async fn values_of_every_type_are_what_they_stand_for() -> Outcome {
    let Some(server) = server().await? else {
        return Ok(());
    };
    let columns = [
        "t", "v", "c", "j", "js", "jb", "jbs", "n", "b", "i", "u", "e", "f", "ts", "nothing",
    ];
    let lists = json!({"tables": [{"name": "all", "table": "All \"types\"", "columns": columns}]});
    let case = Case::new(server, lists).await?;
    case.run(
        r#"CREATE TYPE mood AS ENUM ('so so');
        CREATE TABLE "All ""types""" (t text, v varchar(20), c char(6), j json, js json, jb jsonb, jbs jsonb,
            n numeric, b boolean, i bigint, u uuid, e mood, f float8, ts timestamptz, nothing text);
        INSERT INTO "All ""types""" VALUES (E'tab\t end\n', 'ü', 'x', '{"b": 1,  "a":[ ]}', '"q\"x"',
            '{"b":1}', '"plain\n"', 0012.3400, true, -9223372036854775808,
            '6f2c3a10-0000-4000-8000-00000000000a', 'so so', 0.1, '2026-01-02 03:04:05+02', NULL);
        GRANT SELECT ON "All ""types""" TO {role}; ALTER ROLE {role} SET bytea_output = 'escape';
        ALTER ROLE {role} SET timezone = 'Asia/Tokyo'; ALTER ROLE {role} SET datestyle = 'German'"#,
    )
    .await?;
    let read = case.lines().await?;
    let expected = [
        "/b=true",
        "/c=x",
        "/e=so so",
        "/f=0.1",
        "/i=-9223372036854775808",
        "/j={\"b\": 1,  \"a\":[ ]}",
        "/jb={\"b\": 1}",
        "/jbs=plain\n",
        "/js=q\"x",
        "/n=12.3400",
        "/t=tab\t end\n",
        "/ts=2026-01-02 01:04:05+00",
        "/u=6f2c3a10-0000-4000-8000-00000000000a",
        "/v=ü",
    ];
    assert_eq!(read, expected);
    Ok(())
}

#[tokio::test]
async fn bytes_are_bytes_with_nul_and_of_any_size() -> Outcome {
    let Some(server) = server().await? else {
        return Ok(());
    };
    let case = Case::new(server, settings()).await?;
    case.run(
        "CREATE TABLE settings (key text, value bytea); GRANT SELECT ON settings TO {role};
         INSERT INTO settings VALUES ('empty', ''), ('nul', '\\x00ff00'), ('newline', 'a\n'),
         ('large', decode(repeat('00fe', 32768), 'hex')), ('none', NULL);
         ALTER ROLE {role} SET bytea_output = 'escape'",
    )
    .await?;
    let snapshot = case.read(&case.source()).await?;
    let values: BTreeMap<_, _> = snapshot
        .entries
        .iter()
        .map(|entry| (entry.name.as_str(), entry.value.expose()))
        .collect();
    assert_eq!(values["empty"], b"");
    assert_eq!(values["nul"], b"\x00\xff\x00");
    assert_eq!(values["newline"], b"a\n");
    assert_eq!(values["large"].len(), 64 * 1024);
    assert_eq!(values.len(), 4, "NULL is absent");
    Ok(())
}

#[tokio::test]
async fn ten_thousand_keys_are_one_answer_and_one_more_is_none() -> Outcome {
    let Some(server) = server().await? else {
        return Ok(());
    };
    let case = Case::new(server, settings()).await?;
    case.settings(&[]).await?;
    case.run(
        "INSERT INTO settings SELECT 'K' || n, repeat('x', 100) FROM generate_series(1, 10000) n",
    )
    .await?;
    assert_eq!(case.read(&case.source()).await?.entries.len(), 10_000);
    case.run("INSERT INTO settings VALUES ('one more', '')")
        .await?;
    let fault = case.fault(&case.source()).await;
    assert_eq!(
        (fault.class, fault.reason),
        (FaultClass::Invalid, Reason::TooLarge)
    );
    case.run("TRUNCATE settings; INSERT INTO settings SELECT n, repeat('x', 1000000) FROM generate_series(1, 9) n")
        .await?;
    let fault = case.fault(&case.source()).await;
    assert_eq!(fault.reason, Reason::TooLarge, "more bytes than a bundle");
    case.run("TRUNCATE settings; INSERT INTO settings SELECT n, repeat('x', 100000000) FROM generate_series(1, 2) n")
        .await?;
    let fault = case.fault(&case.source()).await;
    assert_eq!(fault.reason, Reason::TooLarge, "more bytes than are read");
    case.run("TRUNCATE settings; INSERT INTO settings VALUES ('A', '1')")
        .await?;
    assert_eq!(case.lines().await?, ["/A=1"], "the next answer is whole");
    Ok(())
}

fn providers() -> serde_json::Value {
    json!({"tables": [{
        "name": "providers", "table": "global_settings", "folder": "provider",
        "columns": ["api_key", "base_url"], "where": {"enabled": "true"}, "version": "updated_at",
    }]})
}

const PROVIDERS: &str = "CREATE TABLE global_settings (provider text, api_key text, base_url text, internal text,
        enabled boolean DEFAULT true, updated_at timestamptz DEFAULT '2026-01-01 00:00:00+00');
    INSERT INTO global_settings VALUES ('openai', 'sk-1', NULL, 'x'), ('mistral', 'mk-1', 'https://m', 'x'),
        ('team/a', 'tk-1', 'https://t', 'x'), ('old', 'ok-1', NULL, 'x');
    UPDATE global_settings SET enabled = false WHERE provider = 'old';
    GRANT SELECT (provider, api_key, base_url, enabled, updated_at) ON global_settings TO {role}";

#[tokio::test]
async fn a_row_for_each_provider_is_a_folder_of_chosen_columns() -> Outcome {
    let Some(server) = server().await? else {
        return Ok(());
    };
    let case = Case::new(server, providers()).await?;
    case.run(PROVIDERS).await?;
    let at = |path: &str| ValidatedSource {
        path: path.to_owned(),
        ..case.source()
    };
    let mistral = case.read(&at("mistral")).await?;
    assert_eq!(
        lines(&mistral),
        ["mistral/api_key=mk-1", "mistral/base_url=https://m"]
    );
    let version = mistral.entries[0].version.as_deref();
    assert_eq!(version, Some("2026-01-01 00:00:00+00"));
    let all = ValidatedSource {
        select: EntrySelection {
            recursive: true,
            ..EntrySelection::default()
        },
        ..case.source()
    };
    let read = lines(&case.read(&all).await?);
    assert_eq!(
        read,
        [
            "mistral/api_key=mk-1",
            "mistral/base_url=https://m",
            "openai/api_key=sk-1",
            "team/a/api_key=tk-1",
            "team/a/base_url=https://t",
        ]
    );
    let below = ValidatedSource {
        path: "team".to_owned(),
        ..all
    };
    assert_eq!(case.read(&below).await?.entries.len(), 2);
    let field = ValidatedSource {
        field: Some("api_key".to_owned()),
        ..at("openai")
    };
    assert_eq!(lines(&case.read(&field).await?), ["openai/api_key=sk-1"]);
    let columns = ValidatedSource {
        options: SourceOptions::Postgres {
            table: None,
            query: None,
            parameters: BTreeMap::new(),
            columns: vec!["base_url".to_owned()],
        },
        ..at("mistral")
    };
    assert_eq!(
        lines(&case.read(&columns).await?),
        ["mistral/base_url=https://m"]
    );
    for (path, class) in [
        ("old", FaultClass::NotFound),
        ("nobody", FaultClass::NotFound),
        ("", FaultClass::Invalid),
    ] {
        assert_eq!(case.fault(&at(path)).await.class, class, "{path}");
    }
    case.run("INSERT INTO global_settings VALUES ('openai', 'sk-2', NULL, 'x')")
        .await?;
    let fault = case.fault(&at("openai")).await;
    assert!(fault.message.contains("several rows"), "{fault}");
    Ok(())
}

#[tokio::test]
async fn a_json_object_is_as_many_keys_as_it_has_members() -> Outcome {
    let Some(server) = server().await? else {
        return Ok(());
    };
    let lists = json!({"tables": [{"name": "env", "table": "env", "json": "data"}]});
    let case = Case::new(server, lists).await?;
    case.run(
        r#"CREATE TABLE env (data jsonb); GRANT SELECT ON env TO {role};
        INSERT INTO env VALUES ('{"A": "x", "B": {"c": 1}, "N": null}')"#,
    )
    .await?;
    assert_eq!(case.lines().await?, ["/A=x", "/B={\"c\": 1}"]);
    case.run("UPDATE env SET data = '[1]'").await?;
    let fault = case.fault(&case.source()).await;
    assert!(fault.message.contains("no JSON object"), "{fault}");
    case.run("DELETE FROM env").await?;
    let fault = case.fault(&case.source()).await;
    assert_eq!(fault.class, FaultClass::NotFound);
    Ok(())
}

#[tokio::test]
async fn supabase_vault_is_its_decrypted_view() -> Outcome {
    let Some(server) = server().await? else {
        return Ok(());
    };
    let lists = json!({"tables": [{"name": "vault", "supabaseVault": {}}]});
    let case = Case::new(server, lists).await?;
    case.run(
        "CREATE SCHEMA vault; GRANT USAGE ON SCHEMA vault TO {role};
        CREATE TABLE vault.secrets (id uuid DEFAULT gen_random_uuid(), name text UNIQUE, description text,
            secret text, key_id uuid, nonce bytea, created_at timestamptz, updated_at timestamptz DEFAULT now());
        CREATE VIEW vault.decrypted_secrets AS SELECT id, name, description, secret,
            reverse(secret) AS decrypted_secret, key_id, nonce, created_at, updated_at FROM vault.secrets;
        INSERT INTO vault.secrets (name, secret) VALUES ('llm', '1-ks'), (NULL, 'nameless');
        GRANT SELECT (name, decrypted_secret, updated_at) ON vault.decrypted_secrets TO {role}",
    )
    .await?;
    assert_eq!(case.lines().await?, ["/llm=sk-1"]);
    Ok(())
}

#[tokio::test]
async fn a_query_of_the_store_takes_values_from_the_source() -> Outcome {
    let Some(server) = server().await? else {
        return Ok(());
    };
    let lists = json!({"queries": [
        {"name": "keys", "parameters": ["tenant", "least"],
         "sql": "SELECT key, value FROM settings WHERE tenant = $1 AND level >= $2::int -- all of them;",
         "keyValue": {"key": "key", "value": "value"}},
        {"name": "one", "sql": "SELECT max(value) AS top, min(value) AS low FROM settings;", "columns": ["top", "low"]},
    ]});
    let case = Case::new(server, lists).await?;
    case.run(
        "CREATE TABLE settings (tenant text, level int, key text, value text); GRANT SELECT ON settings TO {role};
        INSERT INTO settings VALUES ('a', 1, 'K', 'a1'), ('a', 3, 'L', 'a3'), ('b', 3, 'K', 'b3')",
    )
    .await?;
    let ask = |options| ValidatedSource {
        options,
        ..case.source()
    };
    let keys = ask(query("keys", &[("tenant", "a"), ("least", "2")]));
    assert_eq!(lines(&case.read(&keys).await?), ["/L=a3"]);
    let one = ask(query("one", &[]));
    assert_eq!(lines(&case.read(&one).await?), ["/low=a1", "/top=b3"]);
    for (options, class) in [
        (query("keys", &[("tenant", "a")]), FaultClass::Invalid),
        (
            query("keys", &[("tenant", "a"), ("least", "2"), ("x", "y")]),
            FaultClass::Invalid,
        ),
        (
            query("keys", &[("tenant", "a"), ("least", "many")]),
            FaultClass::Invalid,
        ),
        (
            query("keys", &[("tenant", "nobody"), ("least", "2")]),
            FaultClass::NotFound,
        ),
        (query("other", &[]), FaultClass::NotFound),
        (table("keys"), FaultClass::NotFound),
        (SourceOptions::None, FaultClass::Invalid),
    ] {
        let fault = case.fault(&ask(options)).await;
        assert_eq!(fault.class, class, "{fault}");
    }
    Ok(())
}

#[tokio::test]
async fn a_refresh_reads_only_when_a_version_is_new() -> Outcome {
    let Some(server) = server().await? else {
        return Ok(());
    };
    for (version, notices_all) in [("updated_at", false), ("xmin", true)] {
        let mut lists = settings();
        lists["tables"][0]["version"] = json!(version);
        let case = Case::new(server, lists).await?;
        case.settings(&[("A", "1"), ("B", "1")]).await?;
        let sync = sync_id("prod", "shop");
        let refresh = async || {
            let within = Freshness::Within(Duration::ZERO);
            let read = case.registry.read(&sync, &case.source(), within).await;
            read.map(|read| lines(&read))
        };
        assert_eq!(refresh().await?, ["/A=1", "/B=1"]);
        case.run("UPDATE settings SET value = '2' WHERE key = 'A'")
            .await?;
        // A time stamp that nobody moved: whoever insists sees it all the same.
        let seen = if notices_all { "/A=2" } else { "/A=1" };
        assert_eq!(refresh().await?, [seen, "/B=1"], "{version}");
        assert_eq!(case.lines().await?, ["/A=2", "/B=1"]);
        case.run(
            "UPDATE settings SET value = '3', updated_at = now() + interval '1 s' WHERE key = 'B'",
        )
        .await?;
        assert_eq!(refresh().await?, ["/A=2", "/B=3"], "{version}");
        case.run("DELETE FROM settings WHERE key = 'A'").await?;
        assert_eq!(refresh().await?, ["/B=3"], "{version}");
        let can = case.registry.check(&case.store).await?;
        assert!(can.contains(&Capability::Probe) && !can.contains(&Capability::Notify));
    }
    Ok(())
}
