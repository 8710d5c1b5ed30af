//! What goes wrong, and what it is called.

use std::time::Duration;

use penstock_domain::conditions::Reason;
use penstock_domain::fault::FaultClass;
use penstock_domain::stores::StoreProbe;
use penstock_domain::sync::ValidatedSource;
use penstock_testbed::{Failure, eventually};
use serde_json::json;

use super::{Case, Outcome, SOON, lines, query, server, settings, table};

#[tokio::test]
async fn a_wrong_password_says_what_to_check() -> Outcome {
    let Some(server) = server().await? else {
        return Ok(());
    };
    let case = Case::new(server, settings()).await?;
    case.secrets.set("password", "hunter2-wrong");
    let fault = case.fault(&case.source()).await;
    assert_eq!(
        (fault.class.clone(), fault.reason),
        (FaultClass::Denied, Reason::CredentialsRefused)
    );
    assert!(fault.to_string().contains("28P01"), "{fault}");
    assert!(!format!("{fault:?}").contains("hunter2"));
    assert_eq!(case.registry.check(&case.store).await.unwrap_err(), fault);
    let case = case.changed(json!({"database": "nowhere"}));
    case.secrets.set("password", super::PASSWORD);
    let fault = case.fault(&case.source()).await;
    assert!(fault.message.contains("no such database"), "{fault}");
    Ok(())
}

#[tokio::test]
async fn what_is_not_granted_is_named() -> Outcome {
    let Some(server) = server().await? else {
        return Ok(());
    };
    let case = Case::new(server, settings()).await?;
    let fault = case.fault(&case.source()).await;
    assert_eq!(fault.class, FaultClass::NotFound, "no table: {fault}");
    case.settings(&[("A", "1")]).await?;
    case.run("REVOKE ALL ON settings FROM {role}; GRANT SELECT (key) ON settings TO {role}")
        .await?;
    let fault = case.fault(&case.source()).await;
    assert_eq!(fault.class, FaultClass::Denied);
    let hint = fault.hint.clone().unwrap_or_default();
    assert!(hint.contains("GRANT SELECT ON public.settings"), "{hint}");
    assert_eq!(case.registry.check(&case.store).await.unwrap_err(), fault);
    case.run("GRANT SELECT (value) ON settings TO {role}")
        .await?;
    assert_eq!(case.lines().await?, ["/A=1"]);
    case.run("ALTER TABLE settings DROP COLUMN value").await?;
    let fault = case.fault(&case.source()).await;
    assert!(fault.message.contains("lacks a column"), "{fault}");
    Ok(())
}

#[tokio::test]
async fn rows_that_security_hides_are_no_empty_table() -> Outcome {
    let Some(server) = server().await? else {
        return Ok(());
    };
    let case = Case::new(server, settings()).await?;
    case.settings(&[("A", "1")]).await?;
    case.run("ALTER TABLE settings ENABLE ROW LEVEL SECURITY")
        .await?;
    let fault = case.fault(&case.source()).await;
    assert_eq!(fault.class, FaultClass::Denied);
    assert!(fault.to_string().contains("CREATE POLICY"), "{fault}");
    case.run("CREATE POLICY readers ON settings FOR SELECT TO {role} USING (true)")
        .await?;
    assert_eq!(case.lines().await?, ["/A=1"]);
    Ok(())
}

/// Sources that have `text` in each place that a source can set, else as `good`.
fn everywhere(text: &str, good: &dyn Fn() -> ValidatedSource) -> Vec<ValidatedSource> {
    let in_columns = penstock_domain::sync::SourceOptions::Postgres {
        table: Some("settings".to_owned()),
        query: None,
        parameters: std::collections::BTreeMap::new(),
        columns: vec![text.to_owned()],
    };
    vec![
        ValidatedSource {
            path: text.to_owned(),
            ..good()
        },
        ValidatedSource {
            field: Some(text.to_owned()),
            ..good()
        },
        ValidatedSource {
            options: table(text),
            ..good()
        },
        ValidatedSource {
            options: in_columns,
            ..good()
        },
        ValidatedSource {
            options: query(text, &[]),
            path: String::new(),
            ..good()
        },
        ValidatedSource {
            options: query("q", &[("tenant", text)]),
            path: String::new(),
            ..good()
        },
        ValidatedSource {
            options: query("q", &[(text, "a")]),
            path: String::new(),
            ..good()
        },
        ValidatedSource {
            environment: Some(text.to_owned()),
            ..good()
        },
        ValidatedSource {
            version: Some(text.to_owned()),
            ..good()
        },
    ]
}

#[tokio::test]
async fn sources_cannot_bring_sql() -> Outcome {
    let Some(server) = server().await? else {
        return Ok(());
    };
    let evil = [
        "'; DROP TABLE settings; --",
        "\"; DROP TABLE settings; --",
        "x' OR '1'='1",
        "$1",
        "settings\" UNION SELECT 'k', current_user::bytea --",
        "settings; SELECT 1",
    ];
    let lists = json!({
        "tables": [{
            "name": "settings", "table": "settings", "folder": "tenant",
            "keyValue": {"key": "key", "value": "value"},
        }],
        "queries": [{
            "name": "q", "sql": "SELECT key, value FROM settings WHERE tenant = $1", "parameters": ["tenant"],
            "keyValue": {"key": "key", "value": "value"},
        }],
    });
    let case = Case::new(server, lists).await?;
    case.run(
        "CREATE TABLE settings (tenant text, key text, value text); GRANT ALL ON settings TO {role};
        INSERT INTO settings VALUES ('a', 'K', '1')",
    )
    .await?;
    let good = || ValidatedSource {
        path: "a".to_owned(),
        options: table("settings"),
        ..case.source()
    };
    for text in evil {
        for source in everywhere(text, &good) {
            let fault = case.fault(&source).await;
            let expected = [FaultClass::NotFound, FaultClass::Invalid];
            assert!(expected.contains(&fault.class), "{text}: {fault}");
            assert!(
                !fault.message.contains("SQLSTATE"),
                "it came to no error: {fault}"
            );
        }
        assert_eq!(lines(&case.read(&good()).await?), ["a/K=1"]);
    }
    Ok(())
}

#[tokio::test]
async fn a_query_of_the_store_cannot_write() -> Outcome {
    let Some(server) = server().await? else {
        return Ok(());
    };
    let rows = json!({"key": "key", "value": "value"});
    let lists = json!({"queries": [
        {"name": "writes", "keyValue": rows, "sql": "SELECT key, value FROM change()"},
        {"name": "two", "keyValue": rows, "sql": "SELECT key, value FROM settings; DELETE FROM settings"},
        {"name": "with", "keyValue": rows, "sql": "WITH d AS (DELETE FROM settings RETURNING *) SELECT key, value FROM d"},
        {"name": "out", "keyValue": rows, "sql": "SELECT key, value FROM settings) AS s; DELETE FROM settings; --"},
    ]});
    let case = Case::new(server, lists).await?;
    case.settings(&[("A", "1")]).await?;
    case.run(
        "GRANT ALL ON settings TO {role}; CREATE FUNCTION change() RETURNS SETOF settings LANGUAGE sql AS
        $$ DELETE FROM settings RETURNING * $$",
    )
    .await?;
    for name in ["writes", "two", "with", "out"] {
        let source = ValidatedSource {
            options: query(name, &[]),
            ..case.source()
        };
        let fault = case.fault(&source).await;
        assert_eq!(fault.class, FaultClass::Invalid, "{name}: {fault}");
    }
    let left = case.admin.text("SELECT count(*) FROM settings").await?;
    assert_eq!(left.as_deref(), Some("1"));
    Ok(())
}

/// A store with a query that sleeps.
async fn sleeper(seconds: u32) -> Result<Option<Case>, Failure> {
    let Some(server) = server().await? else {
        return Ok(None);
    };
    let sql = format!("SELECT 'k' AS key, 'v' AS value FROM pg_sleep({seconds})");
    let lists = json!({"queries": [
        {"name": "sleep", "sql": sql, "keyValue": {"key": "key", "value": "value"}},
    ]});
    Ok(Some(Case::new(server, lists).await?))
}

/// How many statements of the case's role run.
async fn running(case: &Case) -> Result<String, Failure> {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = '{}' AND state = 'active'",
        case.role
    );
    Ok(case.admin.text(&sql).await?.unwrap_or_default())
}

async fn until_running(case: &Case, count: &str) -> Outcome {
    let waiting = eventually(format!("{count} statements run"), SOON, || async {
        let now = running(case).await.map_err(|error| error.to_string())?;
        if now == count { Ok(()) } else { Err(now) }
    });
    Ok(waiting.await?)
}

#[tokio::test]
async fn a_statement_that_takes_too_long_ends_at_the_server() -> Outcome {
    let Some(case) = sleeper(600).await? else {
        return Ok(());
    };
    let case = case.with_timeout(Duration::from_secs(10));
    let fault = case.fault(&case.source()).await;
    assert_eq!(fault.class, FaultClass::Unavailable, "{fault}");
    assert!(fault.to_string().contains("limits.timeout"), "{fault}");
    until_running(&case, "0").await
}

#[tokio::test]
async fn a_read_that_nobody_waits_for_ends_at_the_server() -> Outcome {
    let Some(case) = sleeper(600).await? else {
        return Ok(());
    };
    let case = case.with_timeout(Duration::from_mins(5));
    {
        let source = case.source();
        let read = case.read(&source);
        tokio::select! {
            _ = read => return Err(Failure::because("it cannot end")),
            seen = until_running(&case, "1") => seen?,
        }
    }
    until_running(&case, "0").await
}

#[tokio::test]
async fn a_session_that_is_ended_mid_read_is_unavailable_and_the_next_read_works() -> Outcome {
    let Some(case) = sleeper(600).await? else {
        return Ok(());
    };
    let end = async {
        until_running(&case, "1").await?;
        let sql = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{}'",
            case.role
        );
        case.run(&sql).await
    };
    let source = case.source();
    let (fault, ended) = tokio::join!(case.fault(&source), end);
    ended?;
    assert_eq!(fault.class, FaultClass::Unavailable, "{fault}");

    // One that was kept and has been ended meanwhile is replaced without a word.
    let Some(server) = server().await? else {
        return Ok(());
    };
    let case = Case::new(server, settings()).await?;
    case.settings(&[("A", "1")]).await?;
    assert_eq!(case.lines().await?, ["/A=1"]);
    let sql = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{}'",
        case.role
    );
    case.run(&sql).await?;
    assert_eq!(case.lines().await?, ["/A=1"]);
    Ok(())
}

#[tokio::test]
async fn reads_reuse_a_connection_and_keep_to_the_limit() -> Outcome {
    let Some(server) = server().await? else {
        return Ok(());
    };
    let mut case = Case::new(server, settings()).await?;
    case.settings(&[("A", "1")]).await?;
    // Two at a time, and room for some that the server has not seen end yet.
    case.run("ALTER ROLE {role} CONNECTION LIMIT 5").await?;
    case.store.limits.concurrency = 2.try_into()?;
    let case = case.changed_limits();
    for _ in 0..5 {
        assert_eq!(case.lines().await?, ["/A=1"]);
    }
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = '{}'",
        case.role
    );
    assert_eq!(case.admin.text(&sql).await?.as_deref(), Some("1"));
    let sources: Vec<_> = (0..8)
        .map(|number| ValidatedSource {
            field: Some(if number == 0 {
                "A".to_owned()
            } else {
                format!("N{number}")
            }),
            ..case.source()
        })
        .collect();
    let reads = futures::future::join_all(sources.iter().map(|source| case.read(source))).await;
    let faults = reads.into_iter().filter_map(Result::err);
    for fault in faults {
        assert_eq!(
            fault.class,
            FaultClass::NotFound,
            "none was one too many: {fault}"
        );
    }
    Ok(())
}
