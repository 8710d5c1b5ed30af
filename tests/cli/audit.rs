//! What verbs that look at stores and change them leave in the audit trail: who, what, where, how it ended; no value.
#![expect(
    clippy::unwrap_used,
    reason = "support of tests: what is broken here ends the test"
)]

use serde_json::Value;

use super::infisical::{REACH, store};
use super::stage::{Stage, marker, shows_value};

/// One line of the trail: action, keys, and why it failed.
type Entry = (String, Vec<String>, Option<String>);

/// The trail since the last look. Every entry names the person and the place.
fn trail(stage: &Stage) -> Vec<Entry> {
    let text = stage.read("trail").unwrap_or_default();
    assert!(!shows_value(&text) && !text.contains("kept"), "{text}");
    stage.file("trail", "");
    let entry = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["by"].as_str().unwrap().starts_with("uid "), "{line}");
        let object = line["object"].as_str().unwrap();
        assert_eq!(
            object, "prod:app of SecretStore infisical, namespace default",
            "{line}"
        );
        let keys = line["keys"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        (
            text(&line["action"]).unwrap(),
            keys.iter().filter_map(text).collect(),
            text(&line["failure"]),
        )
    };
    text.lines().map(entry).collect()
}

fn done(action: &str, keys: &[&str]) -> Entry {
    let keys = keys.iter().map(|&key| key.to_owned()).collect();
    (action.to_owned(), keys, None)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn get_set_init_and_import_leave_one_entry_for_each_read_and_each_write() {
    let (_fake, stage) = store().await;
    let at = format!("--environment prod {REACH} --audit trail");
    tokio::task::block_in_place(|| {
        stage.penstock(&format!("get infisical app {at}")).ended(0);
        assert_eq!(trail(&stage), [done("read", &["KEPT"])]);
        stage
            .penstock_revealing(&format!("get infisical app KEPT --reveal {at}"))
            .ended(0);
        assert_eq!(trail(&stage), [done("reveal", &["KEPT"])]);

        stage
            .penstock_reading(&format!("set infisical app TOKEN {at}"), &marker("token"))
            .ended(0);
        let both = ["KEPT", "TOKEN"];
        assert_eq!(
            trail(&stage),
            [done("read", &["KEPT"]), done("write", &["TOKEN"])]
        );

        stage.file(".env", &format!("SECRET={}\nPORT=1\n", marker("moved")));
        stage
            .penstock(&format!(
                "import .env --to infisical app --secret SECRET --configuration PORT --yes {at}"
            ))
            .ended(0);
        assert_eq!(
            trail(&stage),
            [
                done("read", &both),
                done("write", &["SECRET"]),
                done("read", &["KEPT", "SECRET", "TOKEN"])
            ]
        );

        stage.file(
            "app.yaml",
            "apiVersion: penstock.dev/v1alpha1
kind: SecretSync
metadata: {name: app}
spec:
  sources: [{name: vault, store: {name: infisical}, environment: prod, path: /app, require: [KEPT, MADE]}]
  targets: [{name: env, file: {path: app.env}}]
",
        );
        stage
            .penstock(&format!(
                "init infisical -f app.yaml --generate --yes {REACH} --audit trail"
            ))
            .ended(0);
        let all = ["KEPT", "SECRET", "TOKEN"];
        assert_eq!(
            trail(&stage),
            [done("read", &all), done("write", &["MADE"])]
        );
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_is_in_the_trail_with_its_reason() {
    let (_fake, stage) = store().await;
    let stage = stage.with("INFISICAL_SECRET", "wrong");
    let at = format!("--environment prod {REACH} --audit trail");
    tokio::task::block_in_place(|| {
        stage
            .penstock_reading(&format!("set infisical app TOKEN {at}"), &marker("token"))
            .ended(1);
    });
    let refused = Some("CredentialsRefused".to_owned());
    assert_eq!(
        trail(&stage),
        [("read".to_owned(), Vec::new(), refused)],
        "and nothing was written"
    );
}
