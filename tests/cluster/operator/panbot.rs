//! `examples/panbot/cluster.yaml` as it stands, but for the places that a reader fills in: a Secret for each
//! component, by tags.

use penstock_fakes::infisical::{Grant, Identity};
use penstock_fakes::{FakeInfisical, Listen};
use penstock_testbed::Failure;
use serde_json::{Value, json};

use super::super::Outcome;
use super::super::stage::{Setup, Usage, on_stage};

const EXAMPLE: &str = include_str!("../../../examples/panbot/cluster.yaml");
const PROJECT: &str = "00000000-0000-4000-8000-000000000000";

/// Folder, name and tags of what the project holds.
const HELD: [(&str, &str, &[&str]); 4] = [
    ("/database", "DB_URL", &["api", "worker"]),
    ("/ai", "LLM_API_KEY", &["agent"]),
    ("/messaging", "SMTP_PASSWORD", &["worker"]),
    ("/cloud", "GHCR_TOKEN", &["ci-cd"]),
];

async fn infisical() -> Result<FakeInfisical, Failure> {
    let fake = FakeInfisical::start(Listen::Https).await?;
    {
        let mut model = fake.model();
        let identity = Identity {
            client_id: "t0psecret-client-id".to_owned(),
            client_secrets: ["t0psecret-client".to_owned()].into(),
            ttl: 7200,
            max_ttl: 43_200,
            grants: vec![Grant::reader(PROJECT)],
            ..Identity::default()
        };
        model.identities.insert("i-1".to_owned(), identity);
        for (path, name, tags) in HELD {
            let place = (PROJECT, "prod", path);
            model.put(place, name, &format!("t0psecret-{name}"));
            let folder = model.folder(PROJECT, "prod", path);
            let secret = folder.secrets.entry(name.to_owned()).or_default();
            secret.tags = tags.iter().map(ToString::to_string).collect();
        }
    }
    Ok(fake)
}

#[tokio::test]
async fn each_component_has_the_secret_of_its_tags_and_restarts_for_its_own_keys_only() -> Outcome {
    on_stage(Setup::new(), async |stage| {
        let fake = infisical().await?;
        let credentials = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "infisical"},
            "stringData": {"clientId": "t0psecret-client-id", "clientSecret": "t0psecret-client"},
        });
        stage.apply(&credentials.to_string()).await?;
        for document in EXAMPLE.split("\n---\n") {
            let mut object: Value = serde_saphyr::from_str(document)?;
            if let Some(infisical) = object.pointer_mut("/spec/provider/infisical") {
                infisical["address"] = json!(fake.server().address());
                infisical["caBundle"] = json!(fake.server().certificate());
            }
            stage.apply(&object.to_string()).await?;
        }
        stage.is_synced("panbot").await?;
        for (name, keys) in [
            ("panbot-api", &["DB_URL"][..]),
            ("panbot-agent", &["LLM_API_KEY"]),
            ("panbot-worker", &["DB_URL", "SMTP_PASSWORD"]),
        ] {
            let values: Vec<(&str, String)> = keys
                .iter()
                .map(|key| (*key, format!("t0psecret-{key}")))
                .collect();
            let values: Vec<(&str, &str)> = values
                .iter()
                .map(|(key, value)| (*key, value.as_str()))
                .collect();
            stage.await_secret(name, &values).await?;
        }
        let pull = stage.secret_object("ghcr").await?;
        assert_eq!(
            pull.type_.as_deref(),
            Some("kubernetes.io/dockerconfigjson")
        );
        let pull = stage.secret("ghcr").await?;
        let login: Value = serde_json::from_str(&pull[".dockerconfigjson"])?;
        assert_eq!(
            login["auths"]["ghcr.io"]["password"],
            "t0psecret-GHCR_TOKEN"
        );

        stage.deploy("api", &[Usage::EnvFrom("panbot-api")]).await?;
        stage
            .deploy("agent", &[Usage::EnvFrom("panbot-agent")])
            .await?;
        fake.model()
            .put((PROJECT, "prod", "/ai"), "LLM_API_KEY", "t0psecret-new");
        stage.refresh("panbot").await?;
        stage
            .await_secret("panbot-agent", &[("LLM_API_KEY", "t0psecret-new")])
            .await?;
        stage.await_restarts("agent", 1).await?;
        stage.await_restarts("api", 0).await?;
        Ok(())
    })
    .await
}
