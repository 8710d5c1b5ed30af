//! An Infisical that may be written, and a stage that reaches it.
#![expect(
    clippy::unwrap_used,
    reason = "support of tests: what is broken here ends the test"
)]

use penstock_fakes::infisical::{Grant, Identity};
use penstock_fakes::{FakeInfisical, Listen};

use super::stage::Stage;

const STORE: &str = "apiVersion: penstock.dev/v1alpha1
kind: SecretStore
metadata: {name: infisical}
spec:
  provider:
    infisical:
      address: 'ADDRESS'
      projectId: p-1
      environment: prod
      auth: {universal: {clientId: client-1, clientSecretRef: {name: infisical, key: secret}}}
";

/// The arguments that reach it.
pub(super) const REACH: &str =
    "-q -f store.yaml --credential infisical/secret=env:INFISICAL_SECRET";

/// A store with one key, and a stage that may write into it.
pub(super) async fn store() -> (FakeInfisical, Stage) {
    let fake = FakeInfisical::start(Listen::Http).await.unwrap();
    {
        let mut model = fake.model();
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
        model.identities.insert("i-1".to_owned(), identity);
        model.put(("p-1", "prod", "/app"), "KEPT", "kept");
    }
    let stage = Stage::new().with("INFISICAL_SECRET", "login");
    stage.file(
        "store.yaml",
        &STORE.replace("ADDRESS", &fake.server().address()),
    );
    (fake, stage)
}

/// What it holds: `KEY=value`.
pub(super) fn held(fake: &FakeInfisical) -> Vec<String> {
    let model = fake.model();
    let folder = &model.projects["p-1"].environments["prod"].folders["/app"];
    let line = |(name, secret): (&String, &penstock_fakes::infisical::Secret)| {
        format!("{name}={}", secret.versions.last().unwrap().value)
    };
    folder.secrets.iter().map(line).collect()
}
