//! A store that is killed in the middle of a run: each target holds the old or the new, and the next run heals.
#![expect(
    clippy::unwrap_used,
    reason = "support of tests: what is broken here ends the test"
)]

use std::collections::BTreeSet;
use std::process::{ExitStatus, Stdio};

use penstock_fakes::infisical::{Grant, Identity, Outage};
use penstock_fakes::{FakeInfisical, Listen};
use penstock_testbed::{Failure, OpenBao, shared};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::stage::{Stage, literals, shows_value};

type Outcome = Result<(), Failure>;

/// Keys of the source, and of the target.
const KEYS: usize = 20;

/// A sync of everything that lies under one path of `STORE`.
fn documents(store: &str) -> String {
    let sync = literals(&[], "").replace(
        "{name: base, literal: {}}",
        "{name: vault, store: {name: store}, path: killed/app}",
    );
    format!("{sync}---\n{store}")
}

/// A run that has begun.
struct Run {
    child: Child,
    out: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
    err: tokio::io::Lines<BufReader<tokio::process::ChildStderr>>,
}

impl Run {
    fn begin(stage: &Stage, words: &str) -> Self {
        let mut child = Command::from(stage.command(words))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            out: BufReader::new(child.stdout.take().unwrap()).lines(),
            err: BufReader::new(child.stderr.take().unwrap()).lines(),
            child,
        }
    }

    /// Waits until the plan has been printed, which is right before the record is saved.
    async fn planned(&mut self) {
        while let Some(line) = self.out.next_line().await.unwrap() {
            if line.starts_with("Plan:") {
                return;
            }
        }
    }

    /// Waits until it says that it waits for the source.
    async fn reading(&mut self) {
        while let Some(line) = self.err.next_line().await.unwrap() {
            if line.contains("reading source vault") {
                return;
            }
        }
    }

    async fn end(mut self) -> ExitStatus {
        let (mut out, mut err) = (String::new(), String::new());
        self.out
            .into_inner()
            .read_to_string(&mut out)
            .await
            .unwrap();
        self.err
            .into_inner()
            .read_to_string(&mut err)
            .await
            .unwrap();
        assert!(!shows_value(&out) && !shows_value(&err), "{out}{err}");
        self.child.wait().await.unwrap()
    }
}

/// Values of one version.
fn values(version: usize) -> Vec<(String, String)> {
    (0..KEYS)
        .map(|key| {
            (
                format!("K{key}"),
                super::stage::marker(&format!("{key}-{version}")),
            )
        })
        .collect()
}

/// The versions of the values in `app.env`.
fn versions(stage: &Stage) -> BTreeSet<String> {
    let text = stage.read("app.env").unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| line.contains('=')).collect();
    assert!(
        lines.is_empty() || lines.len() == KEYS,
        "no half of a file: {text}"
    );
    lines
        .iter()
        .map(|line| line.rsplit('-').next().unwrap().to_owned())
        .collect()
}

fn only(version: usize) -> BTreeSet<String> {
    BTreeSet::from([version.to_string()])
}

async fn write(openbao: &OpenBao, version: usize) -> Outcome {
    let fields: serde_json::Map<String, serde_json::Value> = values(version)
        .into_iter()
        .map(|(key, value)| (key, value.into()))
        .collect();
    openbao
        .client()?
        .put_json("secret", "killed/app", fields.into())
        .await?;
    Ok(())
}

/// The vault of this case is its own: it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_that_is_killed_in_the_middle_leaves_the_old_or_the_new() -> Outcome {
    let testbed = match shared().await {
        Ok(testbed) => testbed,
        Err(error) if error.is_missing() => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let openbao = OpenBao::start(&testbed.keeper, &testbed.tools).await?;
    let lines = openbao
        .certificate_authority()
        .trim_end()
        .replace('\n', "\n        ");
    let store = format!(
        "apiVersion: penstock.dev/v1alpha1
kind: SecretStore
metadata: {{name: store}}
spec:
  limits: {{timeout: 10s}}
  provider:
    vault:
      address: '{}'
      caBundle: |
        {lines}
      auth: {{token: {{secretRef: {{name: login, key: token}}}}}}
",
        openbao.address()
    );
    let stage = Stage::new().with("VAULT_TOKEN", openbao.root_token());
    stage.file("app.yaml", &documents(&store));
    let reach = "-q -f app.yaml --credential login/token=env:VAULT_TOKEN --record store:store/killed/records";
    let sync = format!("sync {reach}");
    write(&openbao, 0).await?;
    assert!(Run::begin(&stage, &sync).end().await.success());
    assert_eq!(versions(&stage), only(0));

    // Killed while it is read.
    write(&openbao, 1).await?;
    openbao.pause().await?;
    let mut run = Run::begin(&stage, &sync);
    run.reading().await;
    openbao.stop().await?;
    assert!(!run.end().await.success() || versions(&stage) == only(0));
    assert_eq!(versions(&stage), only(0), "the old");
    openbao.start_again().await?;
    openbao.unseal().await?;
    assert!(Run::begin(&stage, &sync).end().await.success());
    assert_eq!(versions(&stage), only(1));

    // Killed when the writing begins, which starts with the record in the same vault.
    for version in 2..5 {
        write(&openbao, version).await?;
        let mut run = Run::begin(&stage, &sync);
        run.planned().await;
        openbao.stop().await?;
        let ended = run.end().await;
        let found = versions(&stage);
        assert!(
            found == only(version - 1) || found == only(version),
            "{ended}: {found:?}"
        );
        openbao.start_again().await?;
        openbao.unseal().await?;
        assert!(Run::begin(&stage, &sync).end().await.success());
        assert_eq!(versions(&stage), only(version));
        assert!(
            Run::begin(&stage, &format!("plan {reach}"))
                .end()
                .await
                .success()
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_infisical_that_is_killed_in_the_middle_leaves_the_old_or_the_new() {
    let fake = FakeInfisical::start(Listen::Http).await.unwrap();
    let identity = Identity {
        client_id: "client-1".to_owned(),
        client_secrets: ["login".to_owned()].into(),
        ttl: 7200,
        max_ttl: 7200,
        grants: vec![Grant {
            write: true,
            ..Grant::reader("p-1")
        }],
        ..Identity::default()
    };
    fake.model().identities.insert("i-1".to_owned(), identity);
    let store = format!(
        "apiVersion: penstock.dev/v1alpha1
kind: SecretStore
metadata: {{name: store}}
spec:
  limits: {{timeout: 5s}}
  provider:
    infisical:
      address: '{}'
      projectId: p-1
      environment: prod
      auth: {{universal: {{clientId: client-1, clientSecretRef: {{name: login, key: secret}}}}}}
",
        fake.server().address()
    );
    let stage = Stage::new().with("LOGIN", "login");
    stage.file("app.yaml", &documents(&store));
    let reach =
        "-q -f app.yaml --credential login/secret=env:LOGIN --record store:store/killed/records";
    let sync = format!("sync {reach}");
    for version in 0..6 {
        for (key, value) in values(version) {
            fake.model()
                .put(("p-1", "prod", "/killed/app"), &key, &value);
        }
        let mut run = Run::begin(&stage, &sync);
        // In every other round it is left alone.
        if version % 2 == 1 {
            run.planned().await;
            let outage = if version == 3 {
                Outage::Half
            } else {
                Outage::HangsUp
            };
            fake.model().behaviour.outage = Some(outage);
        }
        let ended = run.end().await;
        let found = versions(&stage);
        if version % 2 == 1 {
            assert!(
                found == only(version - 1) || found == only(version),
                "{ended}: {found:?}"
            );
            fake.model().behaviour.outage = None;
            assert!(Run::begin(&stage, &sync).end().await.success());
        } else {
            assert!(ended.success());
        }
        assert_eq!(versions(&stage), only(version));
        assert!(
            Run::begin(&stage, &format!("plan {reach}"))
                .end()
                .await
                .success()
        );
    }
}
