//! A store of Postgres from end to end, against a real server: a notification, and what a pooler cannot do.

use std::time::Instant;

use penstock_testbed::{Failure, Postgres, PostgresClient, eventually, shared_postgres};
use serde_json::{Value, json};

use super::super::stage::{Setup, Stage, Usage, on_stage};
use super::super::{Outcome, SOON};

const SPEC: &str = "
sources: [{name: db, store: {name: db}, rename: {case: screamingSnake}}]
targets: [{name: env, secret: {}}]
";

/// The server, unless it is not built: the case is skipped then.
async fn server() -> Result<Option<&'static Postgres>, Failure> {
    match shared_postgres().await {
        Ok(server) => Ok(Some(server)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(Failure::because(error.to_string())),
    }
}

/// A database with one table, named like the stage's namespace.
async fn database(server: &Postgres, stage: &Stage) -> Result<(PostgresClient, Value), Failure> {
    let name = stage.namespace().name().replace('-', "_");
    let superuser = server.client("postgres").await?;
    superuser.run(&format!("CREATE DATABASE {name}")).await?;
    superuser
        .run(&format!(
            "CREATE ROLE {name} LOGIN PASSWORD 't0psecret-role'"
        ))
        .await?;
    let admin = server.client(&name).await?;
    let sql = format!(
        "CREATE TABLE settings (key text PRIMARY KEY, value text); GRANT SELECT ON settings TO {name};
        INSERT INTO settings VALUES ('llm_api_key', 't0psecret-1');
        CREATE FUNCTION changed() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_notify('settings', ''); RETURN NULL; END $$;
        CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON settings
            FOR EACH STATEMENT EXECUTE FUNCTION changed()"
    );
    admin.run(&sql).await?;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"},
        "stringData": {"password": "t0psecret-role"},
    });
    stage.apply(&secret.to_string()).await?;
    let store = json!({
        "apiVersion": "penstock.dev/v1alpha1", "kind": "SecretStore", "metadata": {"name": "db"},
        "spec": {"provider": {"postgres": {
            "host": "127.0.0.1", "port": server.port(), "database": name, "user": name,
            "passwordRef": {"name": "db", "key": "password"},
            "caBundle": server.certificate_authority(),
            "tables": [{"name": "settings", "table": "settings", "version": "xmin",
                "keyValue": {"key": "key", "value": "value"}}],
            "notify": {"channel": "settings"},
        }}},
    });
    Ok((admin, store))
}

#[tokio::test]
async fn a_notification_brings_a_change_at_once() -> Outcome {
    let Some(server) = server().await? else {
        return Ok(());
    };
    on_stage(Setup::new(), async |stage| {
        let (admin, store) = database(server, stage).await?;
        stage.apply(&store.to_string()).await?;
        stage.store_is_ready("db").await?;
        // Nothing else would read within the test: the interval is ten minutes.
        stage.sync("shop", SPEC).await?;
        stage
            .await_secret("shop", &[("LLM_API_KEY", "t0psecret-1")])
            .await?;
        stage.is_synced("shop").await?;
        stage.deploy("web", &[Usage::EnvFrom("shop")]).await?;
        let name = stage.namespace().name().replace('-', "_");
        let listens = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = '{name}' AND query LIKE 'LISTEN%'"
        );
        eventually("it listens", SOON, || async {
            let count = admin.text(&listens).await;
            match count.map_err(|error| error.to_string())?.as_deref() {
                Some("1") => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await?;
        let begun = Instant::now();
        admin
            .run("UPDATE settings SET value = 't0psecret-2' WHERE key = 'llm_api_key'")
            .await?;
        stage
            .await_secret("shop", &[("LLM_API_KEY", "t0psecret-2")])
            .await?;
        let took = begun.elapsed();
        assert!(took < SOON, "{took:?}");
        stage.await_restarts("web", 1).await?;
        // For whoever wants to know: `cargo test -- --nocapture`.
        drop(std::io::Write::write_all(
            &mut std::io::stderr(),
            format!("a notification reached the Secret in {took:?}\n").as_bytes(),
        ));
        Ok(())
    })
    .await
}
