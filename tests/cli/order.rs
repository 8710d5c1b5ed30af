//! Several files where the first wins, and a vault over a file: load order and fallback as PanBot and Compose have them.
#![expect(
    clippy::unwrap_used,
    reason = "support of tests: what is broken here ends the test"
)]

use penstock_fakes::infisical::{Grant, Identity, Outage};
use penstock_fakes::{FakeInfisical, Listen};

use super::stage::{Run, Stage, marker};

/// Env files in their order, the tenant's own first; each file may be missing.
const PANBOT: &str = "apiVersion: penstock.dev/v1alpha1
kind: SecretSync
metadata: {name: panbot}
spec:
  parameters: {tenant: {default: dev}}
  conflicts: firstWins
  sources:
  - {name: tenant, file: {path: '{{ tenant }}.env', optional: true}, skipWhen: {variablesSet: [APP_NAME, ENVIRONMENT]}}
  - {name: usual, file: {path: .env, optional: true}, skipWhen: {variablesSet: [APP_NAME, ENVIRONMENT]}}
  - {name: legacy, file: {path: 'legacy/{{ tenant }}.env', optional: true}, skipWhen: {variablesSet: [APP_NAME, ENVIRONMENT]}}
  targets:
  - {name: env, file: {path: out/app.env}}
";

fn panbot() -> Stage {
    let stage = Stage::new();
    stage.file("app.yaml", PANBOT);
    stage.file("out/keep", "");
    stage.file("prod.env", &format!("DB={}\n", marker("prod")));
    stage.file("dev.env", &format!("DB={}\n", marker("dev")));
    stage.file(".env", &format!("DB={0}\nLOG={0}\n", marker("usual")));
    stage.file(
        "legacy/prod.env",
        &format!("DB={0}\nLOG={0}\nOLD={0}\n", marker("legacy")),
    );
    stage
}

fn lines(stage: &Stage) -> Vec<String> {
    let written = stage.read("out/app.env").unwrap();
    let lines = written.lines().filter(|line| line.contains('='));
    lines.map(str::to_owned).collect()
}

#[test]
fn the_first_file_that_has_a_key_wins() {
    let stage = panbot();
    stage
        .penstock("sync -f app.yaml -q --set tenant=prod")
        .ended(0);
    let expected = [("DB", "prod"), ("LOG", "usual"), ("OLD", "legacy")];
    let expected = expected.map(|(key, file)| format!("{key}={}", marker(file)));
    assert_eq!(lines(&stage), expected);
}

#[test]
fn a_parameter_has_its_declared_default_and_files_may_be_missing() {
    let stage = panbot();
    stage.penstock("sync -f app.yaml -q").ended(0);
    let expected = [("DB", "dev"), ("LOG", "usual")];
    let expected = expected.map(|(key, file)| format!("{key}={}", marker(file)));
    assert_eq!(lines(&stage), expected);
    let run = stage.penstock("plan -f app.yaml -q --set tenant=../other");
    assert_ne!(run.status, 0, "a parameter leads nowhere else: {run}");
}

#[test]
fn a_process_that_has_its_variables_already_keeps_them() {
    let show = "exec -f app.yaml -q -- sh -c 'printf %s \"$DB\" > seen'";
    let stage = panbot().with("DB", "of the process").with("APP_NAME", "x");
    stage.penstock(show).ended(0);
    assert_eq!(stage.read("seen"), Some(marker("dev")), "one is not enough");
    let stage = stage.with("ENVIRONMENT", "y");
    stage.penstock(show).ended(0);
    assert_eq!(stage.read("seen").as_deref(), Some("of the process"));
}

/// Infisical over `.env`: what the vault has wins; without it the file stands alone.
fn compose(address: &str, more: &str) -> String {
    format!(
        "apiVersion: penstock.dev/v1alpha1
kind: SecretSync
metadata: {{name: compose}}
spec:
  sources:
  - {{name: file, file: {{path: .env}}}}
  - {{name: infisical, store: {{name: infisical}}, path: /, onUnavailable: {more}}}
  targets:
  - {{name: env, file: {{path: .env.infisical}}}}
---
apiVersion: penstock.dev/v1alpha1
kind: SecretStore
metadata: {{name: infisical}}
spec:
  limits: {{timeout: 5s}}
  provider:
    infisical:
      address: '{address}'
      projectId: p-1
      environment: prod
      auth: {{universal: {{clientId: client-1, clientSecretRef: {{name: infisical, key: secret}}}}}}
"
    )
}

/// An Infisical with one key that the file has, too, and one of its own.
async fn infisical() -> FakeInfisical {
    let fake = FakeInfisical::start(Listen::Http).await.unwrap();
    let mut model = fake.model();
    let identity = Identity {
        client_id: "client-1".to_owned(),
        client_secrets: ["login".to_owned()].into(),
        ttl: 7200,
        max_ttl: 7200,
        grants: vec![Grant::reader("p-1")],
        ..Identity::default()
    };
    model.identities.insert("i-1".to_owned(), identity);
    model.put(("p-1", "prod", "/"), "DB", &marker("vault"));
    model.put(("p-1", "prod", "/"), "TOKEN", &marker("token"));
    drop(model);
    fake
}

fn hybrid(address: &str, more: &str) -> Stage {
    let stage = Stage::new().with("INFISICAL_SECRET", "login");
    stage.file("app.yaml", &compose(address, more));
    stage.file(".env", &format!("DB={0}\nPORT={0}\n", marker("file")));
    stage
}

const LOGIN: &str = "-q --credential infisical/secret=env:INFISICAL_SECRET";

fn run(stage: &Stage, words: &str) -> Run {
    // The stand-in answers on the threads of the test's own runtime.
    tokio::task::block_in_place(|| stage.penstock(&format!("{words} {LOGIN}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_vault_wins_over_the_file_and_the_file_stands_alone_when_it_is_down() {
    let fake = infisical().await;
    let stage = hybrid(&fake.server().address(), "useOthers");
    let written = |stage: &Stage| stage.read(".env.infisical").unwrap();

    run(&stage, "sync -f app.yaml").ended(0);
    for value in ["vault", "token", "file"] {
        assert!(written(&stage).contains(&marker(value)), "{value}");
    }
    assert!(written(&stage).contains(&format!("PORT={}", marker("file"))));

    // Down, with what it gave before at hand: nothing of it goes, and nothing of it is blanked.
    let before = written(&stage);
    for outage in [Outage::Stumbles(503), Outage::HangsUp, Outage::Half] {
        fake.model().behaviour.outage = Some(outage);
        let down = run(&stage, "sync -f app.yaml").ended(0);
        assert_eq!(down.stderr.matches("warning:").count(), 1, "{down}");
        run(&stage, "sync -f app.yaml --strict").ended(3);
        assert!(written(&stage).contains(&marker("token")));
    }
    // The file's own news come all the same.
    stage.file(
        ".env",
        &format!("DB={0}\nPORT={1}\n", marker("file"), marker("port")),
    );
    run(&stage, "sync -f app.yaml").ended(0);
    assert!(written(&stage).contains(&marker("port")));

    fake.model().behaviour.outage = None;
    stage.file(".env", &format!("DB={0}\nPORT={0}\n", marker("file")));
    run(&stage, "sync -f app.yaml").ended(0);
    assert_eq!(written(&stage), before);

    // A vault that was never there: the services start with the file.
    fake.model().behaviour.outage = Some(Outage::HangsUp);
    let stage = hybrid(&fake.server().address(), "useOthers");
    let first = run(&stage, "sync -f app.yaml").ended(0);
    assert_eq!(first.stderr.matches("warning:").count(), 1, "{first}");
    let alone = written(&stage);
    assert!(
        alone.contains(&format!("DB={}", marker("file"))),
        "the file's own"
    );
    assert!(!alone.contains("TOKEN"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_that_is_left_out_by_hand_is_not_asked() {
    let fake = infisical().await;
    let stage = hybrid(&fake.server().address(), "fail");
    run(&stage, "sync -f app.yaml --skip infisical").ended(0);
    assert_eq!(fake.server().seen().len(), 0);
    let written = stage.read(".env.infisical").unwrap();
    assert!(written.contains(&format!("DB={}", marker("file"))));

    // And one that may not be missing, when it is.
    fake.model().behaviour.outage = Some(Outage::Stumbles(500));
    let run = run(&stage, "sync -f app.yaml").ended(1);
    assert!(run.stdout.contains("SourceUnavailable"), "{run}");
    assert_eq!(stage.read(".env.infisical"), Some(written));
}
