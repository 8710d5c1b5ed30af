//! `penstock plan`.

use insta::assert_snapshot;

use super::stage::{Stage, literals, marker};

fn one() -> String {
    marker("one")
}

#[test]
fn a_first_plan_lists_what_would_be_made_and_writes_nothing() {
    let stage = Stage::new();
    stage.file(
        "app.yaml",
        &literals(&[("A", &one()), ("B", &marker("two"))], ""),
    );
    let before = stage.files();
    assert_snapshot!(stage.penstock("plan -f app.yaml").ended(2));
    assert_eq!(stage.files(), before);
}

#[test]
fn after_a_sync_there_is_nothing_to_do() {
    let stage = Stage::new();
    stage.file("app.yaml", &literals(&[("A", &one())], ""));
    stage.penstock("sync -f app.yaml").ended(0);
    assert_snapshot!(stage.penstock("plan -f app.yaml").ended(0));
}

#[test]
fn changes_deletions_and_foreign_keys_are_told_apart() {
    let stage = Stage::new();
    let merged = "  transform: {}\n".to_owned();
    let sync = |values: &[(&str, &str)]| {
        literals(values, &merged).replace("path: app.env", "path: app.env, merge: true")
    };
    stage.file(
        "app.env",
        &format!("# by hand\nFOREIGN={}\n", marker("foreign")),
    );
    let many = ["A", "B", "C", "D", "E"].map(|key| (key, "v"));
    stage.file(
        "app.yaml",
        &sync(&many).replace("\"v\"", &format!("\"{}\"", one())),
    );
    stage.penstock("sync -f app.yaml").ended(0);
    let changed = [
        ("A", one()),
        ("B", one()),
        ("C", marker("new")),
        ("F", one()),
    ];
    let changed = changed
        .each_ref()
        .map(|(key, value)| (*key, value.as_str()));
    stage.file("app.yaml", &sync(&changed));
    for form in ["text", "json", "markdown"] {
        let run = stage
            .penstock(&format!("plan -f app.yaml -q --output {form}"))
            .ended(2);
        assert_snapshot!(format!("changes_{form}"), run);
    }
}

#[test]
fn a_plan_that_a_guard_holds_shows_the_hash_that_approves_it() {
    let stage = Stage::new();
    stage.file("app.yaml", &literals(&[("A", &one())], ""));
    stage.penstock("sync -f app.yaml").ended(0);
    let other = literals(&[("B", &one())], "")
        .replace("{name: env, file", "{name: env, select: {keys: [A]}, file");
    stage.file("app.yaml", &other);
    assert_snapshot!(stage.penstock("plan -f app.yaml -q").ended(2));
}

#[test]
fn a_file_that_is_not_ours_blocks_its_target() {
    let stage = Stage::new();
    stage.file("app.env", "A=theirs\n");
    stage.file("app.yaml", &literals(&[("A", &one())], ""));
    assert_snapshot!(stage.penstock("plan -f app.yaml -q").ended(1));
    assert_eq!(stage.read("app.env").as_deref(), Some("A=theirs\n"));
}

#[test]
fn without_an_installation_key_no_hash_is_shown() {
    let stage = Stage::new().without("PENSTOCK_KEY");
    stage.file("app.yaml", &literals(&[("A", &one())], ""));
    let run = stage.penstock("plan -f app.yaml -q --output json").ended(2);
    assert!(
        !run.stdout.contains("hash") && !run.stdout.contains("\"content\""),
        "{run}"
    );
}

#[test]
fn offline_lists_what_would_be_touched_and_stops() {
    let stage = Stage::new();
    stage.file(
        "app.yaml",
        "apiVersion: penstock.dev/v1alpha1
kind: SecretSync
metadata: {name: app}
spec:
  sources:
  - {name: vault, store: {name: vault}, path: app}
  - {name: file, file: {path: base.env}}
  - {name: vars, processEnvironment: {}, select: {matching: ^APP_, keys: [EXTRA]}}
  targets:
  - {name: env, file: {path: out/app.env}}
  - {name: secret, secret: {}}
---
apiVersion: penstock.dev/v1alpha1
kind: SecretStore
metadata: {name: vault}
spec: {provider: {vault: {address: 'https://vault.example.com:8200', auth: {token: {secretRef: {name: vault, key: token}}}}}}
---
apiVersion: v1
kind: Secret
metadata: {name: vault, annotations: {penstock.dev/from.token: 'store:bitwarden/infra/vault#token'}}
---
apiVersion: penstock.dev/v1alpha1
kind: SecretStore
metadata: {name: bitwarden}
spec: {provider: {vault: {address: 'https://bw.example.com', auth: {token: {secretRef: {name: bitwarden, key: token}}}}}}
",
    );
    let run =
        stage.penstock("plan -f app.yaml --offline --credential bitwarden/token=env:BW_TOKEN");
    assert_snapshot!(run.ended(0));
}

#[test]
fn standard_input_is_a_document_and_parameters_are_set() {
    let stage = Stage::new();
    let sync = literals(&[("A", &one())], "  parameters: {tenant: {default: dev}}\n")
        .replace("app.env", "{{ tenant }}.env")
        .replace("path: {{ tenant }}.env", "path: '{{ tenant }}.env'");
    let run = stage
        .penstock_reading("plan -f - --set tenant=prod", &sync)
        .ended(2);
    assert!(run.stderr.contains("prod.env"), "{run}");
    let run = stage
        .penstock_reading("plan -f - --set tennant=prod", &sync)
        .ended(1);
    assert_snapshot!(run);
}
