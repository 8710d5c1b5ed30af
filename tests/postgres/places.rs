//! Where a store may connect to, how it is encrypted, and what a caller may reach.

use penstock_domain::api::store::Allow;
use penstock_domain::conditions::Reason;
use penstock_domain::fault::FaultClass;
use penstock_domain::sync::ValidatedSource;
use penstock_testbed::Failure;
use serde_json::{Value, json};

use super::{Case, Outcome, lines, query, registry, server, settings, store, table};

async fn shop(changes: Value) -> Result<Option<Case>, Failure> {
    let Some(server) = server().await? else {
        return Ok(None);
    };
    let case = Case::new(server, settings()).await?;
    case.settings(&[("A", "1")]).await?;
    Ok(Some(case.changed(changes)))
}

#[tokio::test]
async fn every_way_to_encrypt_that_is_allowed_works() -> Outcome {
    for changes in [
        json!({}),
        json!({"channelBinding": "require"}),
        json!({"tlsServerName": "db.test"}),
        json!({"host": "localhost"}),
        json!({"tls": "require", "caBundle": null}),
        json!({"tls": "disable", "caBundle": null}),
    ] {
        let Some(case) = shop(changes.clone()).await? else {
            return Ok(());
        };
        assert_eq!(case.lines().await?, ["/A=1"], "{changes}");
    }
    Ok(())
}

#[tokio::test]
async fn a_certificate_that_does_not_fit_is_refused() -> Outcome {
    for (changes, words) in [
        (
            json!({"caBundle": null}),
            "authority that this store does not trust",
        ),
        (json!({"tlsServerName": "other.test"}), "another host name"),
    ] {
        let Some(case) = shop(changes).await? else {
            return Ok(());
        };
        let fault = case.fault(&case.source()).await;
        assert_eq!(fault.class, FaultClass::Unavailable);
        assert!(fault.message.contains(words), "{fault}");
    }
    Ok(())
}

#[tokio::test]
async fn a_tenant_reaches_nothing_inside_and_nothing_in_clear() -> Outcome {
    let Some(case) = shop(json!({})).await? else {
        return Ok(());
    };
    for (changes, allowed, words) in [
        (json!({}), &[][..], "loopback"),
        (json!({"host": "localhost"}), &[], "loopback"),
        (json!({"host": "169.254.169.254"}), &[], "metadata"),
        (
            json!({"host": "169.254.169.254"}),
            &["169.254.0.0/16"],
            "metadata",
        ),
        (json!({"host": "10.0.0.7"}), &[], "private network"),
        (json!({"host": "[::1]"}), &[], "loopback"),
        (
            json!({"tls": "disable", "caBundle": null, "host": "1.1.1.1"}),
            &[],
            "plain",
        ),
        (
            json!({"tls": "require", "caBundle": null, "host": "1.1.1.1"}),
            &[],
            "plain",
        ),
    ] {
        let mut provider = serde_json::to_value(case.store.provider.postgres.as_ref())?;
        super::merge(&mut provider, changes.clone());
        let object = store(provider);
        let case = Case {
            registry: registry(&object, &case.secrets, allowed),
            ..shop(json!({}))
                .await?
                .ok_or_else(|| Failure::because("no server"))?
        };
        let fault = case.fault(&case.source()).await;
        assert_eq!(fault.reason, Reason::EgressDenied, "{changes}: {fault}");
        assert!(fault.message.contains(words), "{changes}: {fault}");
    }
    Ok(())
}

#[tokio::test]
async fn a_url_is_a_server_and_nothing_else() -> Outcome {
    let Some(case) = shop(json!({})).await? else {
        return Ok(());
    };
    let provider = case
        .store
        .provider
        .postgres
        .clone()
        .ok_or_else(|| Failure::because("a provider"))?;
    let port = provider.port.unwrap_or_default();
    let (role, password) = (case.role.clone(), super::PASSWORD);
    let case = case.changed(json!({
        "host": null, "port": null, "database": null, "user": null, "passwordRef": null,
        "urlRef": {"name": "db", "key": "url"},
    }));
    let server = format!("postgresql://{role}:{password}@localhost:{port}/{role}");
    case.secrets
        .set("url", &format!("{server}?sslmode=require\n"));
    assert_eq!(case.lines().await?, ["/A=1"]);
    for (rest, word) in [
        ("?sslrootcert=/etc/passwd", "sslrootcert"),
        ("?host=/run/postgresql", "host"),
        ("?options=-csearch_path%3Devil", "options"),
    ] {
        case.secrets.set("url", &format!("{server}{rest}"));
        let case = Case {
            registry: registry(&case.store, &case.secrets, &["127.0.0.0/8"]),
            ..shop(json!({}))
                .await?
                .ok_or_else(|| Failure::because("no server"))?
        };
        let fault = case.fault(&case.source()).await;
        assert_eq!(fault.class, FaultClass::Invalid);
        assert!(fault.message.contains(word), "{fault}");
        assert!(!format!("{fault:?}").contains(password));
    }
    Ok(())
}

#[tokio::test]
async fn a_namespace_reads_what_an_entry_names() -> Outcome {
    let Some(server) = server().await? else {
        return Ok(());
    };
    let lists = json!({
        "tables": [
            {"name": "rows", "table": "rows", "folder": "tenant", "columns": ["secret"]},
            {"name": "other", "table": "rows", "folder": "tenant", "columns": ["secret"]},
        ],
        "queries": [{
            "name": "by-tenant", "sql": "SELECT secret FROM rows WHERE tenant = $1",
            "parameters": ["tenant"], "columns": ["secret"],
        }],
    });
    let case = Case::new(server, lists).await?;
    case.run(
        "CREATE TABLE rows (tenant text, secret text); GRANT SELECT ON rows TO {role};
        INSERT INTO rows VALUES ('prod', 'p'), ('prod-evil', 'e'), ('other', 'o')",
    )
    .await?;
    let entry = json!({
        "namespaces": ["prod"], "at": {"table": ["rows", "by-tenant"]},
        "keyPrefixes": ["{{ namespace }}"], "read": true,
    });
    let case = case.of_cluster(vec![serde_json::from_value::<Allow>(entry)?]);
    let ask = |path: &str, options| ValidatedSource {
        path: path.to_owned(),
        options,
        ..case.source()
    };
    for (path, options) in [
        ("prod", table("rows")),
        ("", query("by-tenant", &[("tenant", "prod")])),
    ] {
        let read = case.read(&ask(path, options)).await?;
        assert!(lines(&read)[0].ends_with("secret=p"));
    }
    for (path, options) in [
        ("other", table("rows")),
        ("prod-evil", table("rows")),
        ("prod", table("other")),
        ("", query("by-tenant", &[("tenant", "other")])),
        ("", query("by-tenant", &[("tenant", "prod-evil")])),
    ] {
        let fault = case.fault(&ask(path, options)).await;
        assert_eq!(fault.reason, Reason::NotAllowed, "{path}: {fault}");
    }
    for value in ["prod/../other", "prod/x", "..", "prod%2fx", "prod\\x"] {
        let options = query("by-tenant", &[("tenant", value)]);
        let fault = case.fault(&ask("", options)).await;
        assert_eq!(fault.class, FaultClass::Invalid, "{value}: {fault}");
    }
    Ok(())
}
