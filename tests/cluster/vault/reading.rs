//! What is read, byte for byte, and what each absence is called.

use std::collections::BTreeSet;

use penstock_domain::bundle::SourceVersion;
use penstock_domain::fault::FaultClass;
use penstock_domain::sync::{SourceOptions, ValidatedSource};
use serde_json::json;

use super::{Case, Outcome, source, testbed, values};

#[tokio::test]
async fn values_arrive_byte_for_byte() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let case = Case::new(&testbed.openbao, "adapter/bytes").await?;
    let large = "x".repeat(64 * 1024);
    let data = json!({
        "empty": "",
        "large": large,
        "newline": "-----BEGIN-----\nabc\n-----END-----\n",
        "unicode": "Grüße, 世界 😀",
        "html": "<a href='x'>&</a>",
        "number": 1_234_567_890,
        "fraction": 0.1,
        "yes": true,
        "nothing": null,
        "nested": {"list": [1, "<b>"], "deep": {"a": ""}},
    });
    case.vault.put_json("secret", "adapter/bytes", data).await?;
    let snapshot = case.read("adapter/bytes").await?;
    let found = values(&snapshot);
    for (name, value) in [
        ("empty", ""),
        ("large", large.as_str()),
        ("newline", "-----BEGIN-----\nabc\n-----END-----\n"),
        ("unicode", "Grüße, 世界 😀"),
        ("html", "<a href='x'>&</a>"),
        ("number", "1234567890"),
        ("fraction", "0.1"),
        ("yes", "true"),
        ("nothing", "null"),
        ("nested", r#"{"deep":{"a":""},"list":[1,"<b>"]}"#),
    ] {
        assert_eq!(found[name], value, "{name}");
    }
    assert_eq!(found.len(), 10);
    assert_eq!(snapshot.version, Some(SourceVersion::Counter(1)));
    Ok(())
}

#[tokio::test]
async fn a_new_version_is_seen_and_an_old_one_can_be_pinned() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let case = Case::new(&testbed.openbao, "adapter/versions").await?;
    for value in ["one", "two", "three"] {
        let data = [("K", value)];
        case.vault.put("secret", "adapter/versions", &data).await?;
    }
    let snapshot = case.read("adapter/versions").await?;
    assert_eq!(values(&snapshot)["K"], "three");
    assert_eq!(snapshot.version, Some(SourceVersion::Counter(3)));
    let pinned = |version: &str| ValidatedSource {
        version: Some(version.to_owned()),
        ..source("adapter/versions")
    };
    let snapshot = case.read_source(&pinned("2")).await?;
    assert_eq!(values(&snapshot)["K"], "two");
    assert_eq!(snapshot.entries[0].version.as_deref(), Some("2"));
    assert_eq!(
        case.fault_of(&pinned("9")).await.class,
        FaultClass::NotFound
    );
    Ok(())
}

#[tokio::test]
async fn every_absence_has_its_name() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let case = Case::new(&testbed.openbao, "adapter/absent").await?;
    let vault = &case.vault;
    for name in ["deleted", "destroyed", "purged", "empty"] {
        let path = format!("adapter/absent/{name}");
        vault.put_json("secret", &path, json!({})).await?;
    }
    vault.delete("secret", "adapter/absent/deleted").await?;
    let versions = json!({"versions": [1]});
    vault
        .post("secret/destroy/adapter/absent/destroyed", versions)
        .await?;
    vault.purge("secret", "adapter/absent/purged").await?;
    for (name, word) in [
        ("deleted", "was deleted"),
        ("destroyed", "was destroyed"),
        ("purged", "nothing at"),
        ("never", "nothing at"),
        ("never/", "nothing at"),
    ] {
        let fault = case.fault(&format!("adapter/absent/{name}")).await;
        assert_eq!(fault.class, FaultClass::NotFound, "{name}: {fault}");
        assert!(fault.message.contains(word), "{name}: {fault}");
    }
    let empty = case.read("adapter/absent/empty").await?;
    assert!(
        empty.entries.is_empty(),
        "an empty secret is a complete answer"
    );
    let field = ValidatedSource {
        field: Some("K".to_owned()),
        ..source("adapter/absent/empty")
    };
    assert_eq!(case.fault_of(&field).await.class, FaultClass::NotFound);
    Ok(())
}

#[tokio::test]
async fn a_folder_of_two_hundred_is_read_as_a_whole() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let case = Case::new(&testbed.openbao, "adapter/folder").await?;
    for batch in 0..10 {
        let writes = (0..20).map(|number| {
            let name = batch * 20 + number;
            let vault = &case.vault;
            async move {
                let path = format!("adapter/folder/app-{name:03}");
                let (key, value) = (format!("K{name:03}"), name.to_string());
                vault.put("secret", &path, &[(&key, &value)]).await
            }
        });
        futures::future::try_join_all(writes).await?;
    }
    case.vault
        .put("secret", "adapter/folder/sub/app", &[("SUB", "1")])
        .await?;
    case.vault
        .put("secret", "adapter/folder/gone", &[("GONE", "1")])
        .await?;
    case.vault.delete("secret", "adapter/folder/gone").await?;
    let only_metadata = json!({"custom_metadata": {"a": "b"}});
    case.vault
        .post("secret/metadata/adapter/folder/unwritten", only_metadata)
        .await?;

    let snapshot = case.read("adapter/folder/").await?;
    assert_eq!(snapshot.entries.len(), 200);
    assert_eq!(values(&snapshot)["K199"], "199");
    assert_eq!(snapshot.entries[0].path, "adapter/folder/app-000");
    let mut recursive = source("adapter/folder");
    recursive.select.recursive = true;
    let snapshot = case.read_source(&recursive).await?;
    assert_eq!(snapshot.entries.len(), 201);
    assert_eq!(values(&snapshot)["SUB"], "1");
    Ok(())
}

#[tokio::test]
async fn a_folder_with_a_denied_secret_is_no_folder() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let case = Case::new(&testbed.openbao, "adapter/half").await?;
    for name in ["a", "b", "closed"] {
        let path = format!("adapter/half/{name}");
        case.vault.put("secret", &path, &[(name, "1")]).await?;
    }
    assert_eq!(case.read("adapter/half/").await?.entries.len(), 3);
    let rules = "path \"secret/metadata/adapter/half/*\" { capabilities = [\"list\", \"read\"] }
                 path \"secret/data/adapter/half/*\" { capabilities = [\"read\"] }
                 path \"secret/data/adapter/half/closed\" { capabilities = [\"deny\"] }";
    case.vault.put_policy("adapter-half", rules).await?;
    let fault = case.fault("adapter/half/").await;
    assert_eq!(fault.class, FaultClass::Denied, "{fault}");
    assert!(
        fault.message.contains("secret/adapter/half/closed"),
        "{fault}"
    );
    Ok(())
}

#[tokio::test]
async fn custom_metadata_are_tags() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let case = Case::new(&testbed.openbao, "adapter/tags").await?;
    case.vault
        .put("secret", "adapter/tags", &[("K", "1")])
        .await?;
    let tags = json!({"custom_metadata": {"component": "api", "team": "a b"}});
    case.vault
        .post("secret/metadata/adapter/tags", tags)
        .await?;
    let snapshot = case.read("adapter/tags").await?;
    let expected = ["component", "component=api", "team", "team=a b"].map(str::to_owned);
    assert_eq!(snapshot.entries[0].tags, BTreeSet::from(expected));
    Ok(())
}

#[tokio::test]
async fn names_with_unusual_letters_are_addressed_as_they_are() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let case = Case::new(&testbed.openbao, "adapter/odd").await?;
    // The letters of the URL's own language, and others.
    for (written, read) in [
        ("a%20b", "a b"),
        ("q%3Fa=b", "q?a=b"),
        ("h%23f", "h#f"),
        ("%C3%BC", "ü"),
        ("100%25", "100%"),
        ("plus+", "plus+"),
    ] {
        let path = format!("adapter/odd/{written}");
        case.vault.put("secret", &path, &[("K", read)]).await?;
        let snapshot = case.read(&format!("adapter/odd/{read}")).await?;
        assert_eq!(values(&snapshot)["K"], read);
    }
    assert_eq!(case.read("adapter/odd/").await?.entries.len(), 6);
    Ok(())
}

#[tokio::test]
async fn version_one_of_the_engine_is_found_out() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let case = Case::with(&testbed.openbao, |provider| {
        provider.mount = Some("adapter-kv1/".to_owned());
    })?;
    case.secrets.set("token", testbed.openbao.root_token());
    case.vault.enable_kv("adapter-kv1", 1).await?;
    case.vault
        .put_v1("adapter-kv1", "app/one", &[("K", "1")])
        .await?;
    case.vault
        .put_v1("adapter-kv1", "app/sub/two", &[("L", "2")])
        .await?;
    let snapshot = case.read("app/one").await?;
    assert_eq!(values(&snapshot)["K"], "1");
    assert_eq!(snapshot.version, None);
    assert_eq!(case.read("app/").await?.entries.len(), 1);
    let mut recursive = source("");
    recursive.select.recursive = true;
    assert_eq!(case.read_source(&recursive).await?.entries.len(), 2);
    assert_eq!(case.fault("app/never").await.class, FaultClass::NotFound);
    let pinned = ValidatedSource {
        version: Some("1".to_owned()),
        ..source("app/one")
    };
    assert_eq!(case.fault_of(&pinned).await.class, FaultClass::Invalid);
    Ok(())
}

#[tokio::test]
async fn a_wrong_mount_or_version_is_not_a_missing_secret() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let root = testbed.openbao.root_token();
    let case = Case::with(&testbed.openbao, |_| {})?;
    case.secrets.set("token", root);
    let mut mounted = source("app");
    mounted.options = SourceOptions::Vault {
        mount: Some("adapter-nowhere".to_owned()),
    };
    let fault = case.fault_of(&mounted).await;
    assert_eq!(
        fault.class,
        FaultClass::Denied,
        "the server does not tell: {fault}"
    );
    assert!(
        fault.message.contains("no mount adapter-nowhere"),
        "{fault}"
    );
    for (version, mount) in [
        (2, "adapter-nowhere"),
        (1, "adapter-nowhere"),
        (1, "secret"),
    ] {
        let case = Case::with(&testbed.openbao, |provider| {
            provider.kv_version = Some(version);
            provider.mount = Some(mount.to_owned());
        })?;
        case.secrets.set("token", root);
        let fault = case.fault("app").await;
        assert_eq!(
            fault.class,
            FaultClass::Invalid,
            "{version} {mount}: {fault}"
        );
    }
    for mount in ["sys", "cubbyhole", "auth/token"] {
        mounted.options = SourceOptions::Vault {
            mount: Some(mount.to_owned()),
        };
        let fault = case.fault_of(&mounted).await;
        assert!(!fault.class.is_transient(), "{mount}: {fault}");
    }
    Ok(())
}

#[tokio::test]
async fn a_namespace_of_the_server_is_a_world_of_its_own() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let case = Case::with(&testbed.openbao, |provider| {
        provider.namespace = Some("adapter-team".to_owned());
        provider.mount = Some("kv".to_owned());
    })?;
    case.vault.create_namespace("adapter-team").await?;
    let inside = case.vault.in_namespace("adapter-team");
    inside.enable_kv("kv", 2).await?;
    inside.put("kv", "app", &[("K", "inside")]).await?;
    inside
        .put_read_policy("reader", &["kv/data", "kv/metadata"])
        .await?;
    let token = inside.create_token(&["reader"], "1h", true).await?;
    case.secrets.set("token", &token);
    assert_eq!(values(&case.read("app").await?)["K"], "inside");
    let outside = case.changed(|provider| provider.namespace = None);
    assert_eq!(outside.fault("app").await.class, FaultClass::Denied);
    Ok(())
}
