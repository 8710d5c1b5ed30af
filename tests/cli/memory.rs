//! What runs leave for later runs, where every run is on a fresh machine: the record in a store.
#![expect(
    clippy::unwrap_used,
    reason = "support of tests: what is broken here ends the test"
)]

use std::process::Stdio;

use penstock_testbed::{Failure, Testbed, shared};

use super::stage::{Stage, literals, marker};

type Outcome = Result<(), Failure>;

/// A store in which the record of syncs is kept, and a token that may do that and nothing else.
struct Memory {
    token: String,
    store: String,
    path: String,
}

impl Memory {
    async fn new(testbed: &Testbed, case: &str) -> Result<Self, Failure> {
        let vault = testbed.openbao.client()?;
        let path = format!("ci-{case}/records");
        let rule = |path: &str| {
            format!("path \"{path}\" {{ capabilities = [\"create\", \"read\", \"update\"] }}\n")
        };
        let policy = rule(&format!("secret/data/ci-{case}/*"))
            + &rule(&format!("secret/metadata/ci-{case}/*"));
        let name = format!("ci-{case}");
        vault
            .post(
                &format!("sys/policies/acl/{name}"),
                serde_json::json!({"policy": policy}),
            )
            .await?;
        let lines = testbed
            .openbao
            .certificate_authority()
            .trim_end()
            .replace('\n', "\n        ");
        let store = format!(
            "apiVersion: penstock.dev/v1alpha1
kind: SecretStore
metadata: {{name: vault}}
spec:
  provider:
    vault:
      address: '{}'
      caBundle: |
        {lines}
      auth: {{token: {{secretRef: {{name: vault, key: token}}}}}}
",
            testbed.openbao.address()
        );
        Ok(Self {
            token: vault.create_token(&[&name], "1h", true).await?,
            store,
            path,
        })
    }

    /// A machine that has never run anything, with the repository checked out.
    fn machine(&self, values: &[(&str, &str)]) -> Stage {
        let stage = Stage::new().with("VAULT_TOKEN", &self.token);
        stage.file("store.yaml", &self.store);
        stage.file("app.yaml", &literals(values, ""));
        stage
    }

    fn words(&self, verb: &str) -> String {
        format!(
            "{verb} -q -f app.yaml -f store.yaml --credential vault/token=env:VAULT_TOKEN --record store:vault/{}",
            self.path
        )
    }
}

async fn testbed() -> Result<Option<&'static Testbed>, Failure> {
    match shared().await {
        Ok(testbed) => Ok(Some(testbed)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn five(version: &str) -> Vec<(&'static str, String)> {
    ["A", "B", "C", "D", "E"]
        .map(|key| (key, marker(&format!("{key}-{version}"))))
        .into()
}

fn pairs<'a>(values: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    values
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect()
}

/// The target travels with the machine's disk (an artefact, a server's folder); the record lies in the store.
fn carry(from: &Stage, to: &Stage) {
    use std::os::unix::fs::PermissionsExt as _;
    to.file("app.env", &from.read("app.env").unwrap());
    let own = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(to.path("app.env"), own).unwrap();
}

#[tokio::test]
async fn a_fresh_machine_knows_what_is_unchanged_and_deletes_only_what_is_ours() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let memory = Memory::new(testbed, "fresh").await?;
    let all = five("1");
    let merge = |stage: &Stage| {
        let text = stage.read("app.yaml").unwrap();
        stage.file(
            "app.yaml",
            &text.replace("path: app.env", "path: app.env, merge: true"),
        );
    };
    let first = memory.machine(&pairs(&all));
    merge(&first);
    first.file("app.env", &format!("THEIRS={}\n", marker("theirs")));
    first.penstock(&memory.words("sync")).ended(0);
    assert!(
        !first.files().keys().any(|name| name.contains(".record")),
        "nothing beside the document"
    );

    let second = memory.machine(&pairs(&all));
    merge(&second);
    carry(&first, &second);
    let plan = second.penstock(&memory.words("plan")).ended(0);
    assert!(plan.stdout.contains("nothing to do"), "{plan}");
    // Without the record, the same content is nobody's.
    second
        .penstock("plan -q -f app.yaml --record none")
        .ended(1);

    let third = memory.machine(&pairs(&all[1..]));
    merge(&third);
    carry(&first, &third);
    third.penstock(&memory.words("sync --yes")).ended(0);
    let written = third.read("app.env").unwrap();
    assert!(
        !written.contains("A=") && written.contains("B=") && written.contains("THEIRS="),
        "{written}"
    );
    third.penstock(&memory.words("plan")).ended(0);
    Ok(())
}

#[tokio::test]
async fn two_processes_with_one_record_overwrite_nothing() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let memory = Memory::new(testbed, "two").await?;
    for round in 0..3 {
        let values = five(&round.to_string());
        let stage = memory.machine(&pairs(&values));
        let run = || {
            stage
                .command(&memory.words("sync --yes"))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        };
        let outcomes: Vec<_> = [run(), run(), run()]
            .into_iter()
            .map(|child| child.wait_with_output().unwrap())
            .collect();
        let well = outcomes.iter().filter(|one| one.status.success()).count();
        assert!(well >= 1, "{outcomes:?}");
        for outcome in outcomes.iter().filter(|one| !one.status.success()) {
            let said = String::from_utf8_lossy(&outcome.stderr);
            assert!(
                ["in the meantime", "changed"]
                    .iter()
                    .any(|word| said.contains(word)),
                "why it did not write: {said}"
            );
            assert!(
                said.contains("somebody else was faster") && said.contains("sync again"),
                "and what to do: {said}"
            );
        }
        for (key, value) in &values {
            assert!(stage.read("app.env").unwrap().contains(value), "{key}");
        }
        stage.penstock(&memory.words("sync")).ended(0);
        stage.penstock(&memory.words("plan")).ended(0);
    }
    Ok(())
}

#[tokio::test]
async fn the_key_may_lie_in_a_store_but_not_with_the_record() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let memory = Memory::new(testbed, "key").await?;
    let stage = memory.machine(&[("A", &marker("a"))]);
    // A key is made on a machine that has a home, and put into the store from there.
    let maker = Stage::new().without("PENSTOCK_KEY");
    maker.file("app.yaml", &literals(&[("A", "x")], ""));
    maker.penstock("sync -q -f app.yaml").ended(0);
    let key = maker
        .read("home/.local/state/penstock/installation-key")
        .unwrap();
    stage
        .penstock_reading(
            "set vault ci-key/login KEY -q -f store.yaml --credential vault/token=env:VAULT_TOKEN",
            &key,
        )
        .ended(0);
    let stage = stage.without("PENSTOCK_KEY");
    let words = memory.words("sync") + " --key store:vault/ci-key/login#KEY";
    let run = stage.penstock(&words).ended(0);
    assert!(
        !run.to_string()
            .contains(key.split(' ').nth(2).unwrap().trim()),
        "{run}"
    );
    let other = memory
        .machine(&[("A", &marker("a"))])
        .without("PENSTOCK_KEY");
    carry(&stage, &other);
    let words = words.replace("sync", "plan");
    let plan = other.penstock(&words).ended(0);
    assert!(plan.stdout.contains("nothing to do"), "{plan}");
    let beside = words.replace("ci-key/login#KEY", "ci-key/records/key#KEY");
    let refused = other.penstock(&beside).ended(1);
    assert!(refused.stderr.contains("beside the records"), "{refused}");
    Ok(())
}

#[test]
fn what_a_record_in_a_store_needs_is_told_before_anything_is_touched() {
    let stage = Stage::new();
    let sync = literals(&[("A", "x")], "").replace(
        "  targets:",
        "  - {name: v, store: {name: vault}, path: ci/records/default_app}\n  targets:",
    );
    let store = "---
apiVersion: penstock.dev/v1alpha1
kind: SecretStore
metadata: {name: vault}
spec: {provider: {vault: {address: 'https://vault.example.com', auth: {token: {secretRef: {name: vault, key: token}}}}}}
";
    stage.file("app.yaml", &(literals(&[("A", "x")], "") + store));
    let offline = "plan -f app.yaml --offline --credential vault/token=env:VAULT_TOKEN --record";
    insta::assert_snapshot!(
        "record_in_a_store",
        stage
            .penstock(&format!("{offline} store:vault/ci/records"))
            .ended(0)
    );
    insta::assert_snapshot!(
        "record_in_no_store",
        stage
            .penstock(&format!("{offline} store:valt/ci/records"))
            .ended(1)
    );
    stage.file("app.yaml", &(sync + store));
    insta::assert_snapshot!(
        "record_as_source",
        stage
            .penstock(&format!("{offline} store:vault/ci/records"))
            .ended(1)
    );
    stage.penstock(&format!("{offline} store:vault/")).ended(64);
    stage
        .penstock(&format!("{offline} store:vault/ci#KEY"))
        .ended(64);
}

#[test]
fn without_a_record_targets_are_made_and_never_changed() {
    let stage = Stage::new();
    stage.file("app.yaml", &literals(&[("A", &marker("one"))], ""));
    stage.penstock("sync -q -f app.yaml --record none").ended(0);
    let made = stage.read("app.env").unwrap();
    assert!(made.contains(&marker("one")));
    stage.file("app.yaml", &literals(&[("A", &marker("two"))], ""));
    let run = stage
        .penstock("sync -q -f app.yaml --record none --yes")
        .ended(1);
    assert_eq!(stage.read("app.env"), Some(made), "{run}");
    assert_eq!(
        stage.files().len(),
        2,
        "nothing else is left: {:?}",
        stage.files().keys()
    );
}
