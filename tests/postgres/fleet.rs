//! `examples/runtime-fleet/`, on a real database: the file follows each change.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use penstock_testbed::{Failure, eventually};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{Case, Outcome, PASSWORD, SOON, server};

/// The example's folder with its marked places filled in, for the database of `case`.
fn folder(case: &Case) -> Result<TempDir, Failure> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/runtime-fleet");
    let folder = TempDir::with_prefix("penstock-fleet-")?;
    let provider = case
        .store
        .provider
        .postgres
        .as_ref()
        .ok_or_else(|| Failure::because("a provider"))?;
    let authority = provider.ca_bundle.as_deref().unwrap_or_default();
    let authority = authority.trim_end().replace('\n', "\n        ");
    let store = fs::read_to_string(example.join("store.yaml"))?;
    let mut filled = store;
    for (from, to) in [
        (
            "host: db.example.com ".to_owned(),
            "host: 127.0.0.1 ".to_owned(),
        ),
        (
            "port: 5432".to_owned(),
            format!("port: {}", provider.port.unwrap_or_default()),
        ),
        (
            "database: fleet".to_owned(),
            format!("database: {}", case.role),
        ),
        ("user: penstock".to_owned(), format!("user: {}", case.role)),
        (
            "      tables:".to_owned(),
            format!("      caBundle: |\n        {authority}\n      tables:"),
        ),
    ] {
        assert_eq!(filled.matches(&from).count(), 1, "{from}");
        filled = filled.replace(&from, &to);
    }
    fs::write(folder.path().join("store.yaml"), filled)?;
    fs::create_dir(folder.path().join("deploy"))?;
    fs::copy(example.join("env.yaml"), folder.path().join("env.yaml"))?;
    Ok(folder)
}

/// The example's own SQL, for a role that is there already.
async fn prepare(case: &Case) -> Outcome {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/runtime-fleet");
    let sql = fs::read_to_string(example.join("database.sql"))?;
    let create = "CREATE ROLE penstock LOGIN CONNECTION LIMIT 20;";
    assert_eq!(sql.matches(create).count(), 1);
    let sql = sql.replace(create, "").replace("penstock", "{role}");
    case.run(&sql).await?;
    case.run(
        "INSERT INTO global_settings VALUES ('llm_provider', 'openai'), ('llm_api_key', 't0psecret-1'),
        ('jwt_secret', 't0psecret-seed')",
    )
    .await
}

fn penstock(folder: &TempDir, words: &str) -> Result<Child, Failure> {
    let child = Command::new(env!("CARGO_BIN_EXE_penstock"))
        .args(words.split_whitespace())
        .current_dir(folder.path())
        .env("FLEET_PASSWORD", PASSWORD)
        .env("PENSTOCK_KEY", "env:FLEET_KEY")
        .env(
            "FLEET_KEY",
            "penstock-key-1 stage-installation BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    Ok(child)
}

const WORDS: &str = "-f store.yaml -f env.yaml --credential fleet/password=env:FLEET_PASSWORD";

async fn until_file_holds(folder: &TempDir, line: &str) -> Outcome {
    let waiting = eventually(format!("the file holds {line}"), SOON, || async {
        let text = fs::read_to_string(folder.path().join("deploy/.env"));
        let text = text.map_err(|error| error.to_string())?;
        if text.lines().any(|found| found == line) {
            Ok(text)
        } else {
            Err("not yet".to_owned())
        }
    });
    let text = waiting.await?;
    assert!(text.contains("API_SERVER_KEY="), "it is derived");
    assert!(
        !text.contains("t0psecret-seed"),
        "the seed stays where it is"
    );
    assert!(!text.contains("SENTRY_DSN"), "what is absent is absent");
    Ok(())
}

#[tokio::test]
async fn a_saved_setting_reaches_the_file_at_once() -> Outcome {
    let Some(server) = server().await? else {
        return Ok(());
    };
    let case = Case::new(
        server,
        json!({"tables": [{
            "name": "unused", "table": "unused", "keyValue": {"key": "key", "value": "value"},
        }]}),
    )
    .await?;
    prepare(&case).await?;
    let folder = folder(&case)?;
    let mut watching = penstock(&folder, &format!("sync --watch -q {WORDS}"))?;
    until_file_holds(&folder, "LLM_API_KEY=t0psecret-1").await?;
    let listens = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = '{}' AND query LIKE 'LISTEN%'",
        case.role
    );
    eventually("it listens", SOON, || async {
        let count = case.admin.text(&listens).await;
        match count.map_err(|error| error.to_string())?.as_deref() {
            Some("1") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;

    // Nothing else would read within the test: the interval is ten minutes.
    let begun = Instant::now();
    case.run("UPDATE global_settings SET value = 't0psecret-2', updated_at = now() WHERE key = 'llm_api_key'")
        .await?;
    until_file_holds(&folder, "LLM_API_KEY=t0psecret-2").await?;
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}");
    // For whoever wants to know: `cargo test -- --nocapture`.
    drop(std::io::Write::write_all(
        &mut std::io::stderr(),
        format!("a saved setting reached the file in {took:?}\n").as_bytes(),
    ));
    watching.kill().await?;
    Ok(())
}

#[tokio::test]
async fn offline_names_the_host_and_connects_to_nobody() -> Outcome {
    let Some(server) = server().await? else {
        return Ok(());
    };
    let case = Case::new(server, super::settings()).await?;
    let folder = folder(&case)?;
    let child = penstock(&folder, &format!("plan --offline {WORDS}"))?;
    let output = child.wait_with_output().await?;
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let host = format!(
        "connects to 127.0.0.1:{} (SecretStore fleet)",
        server.port()
    );
    assert!(text.contains(&host), "{text}");
    Ok(())
}
