//! A store of Infisical from end to end, against the stand-in: its failures and its webhooks.

use std::time::Instant;

use penstock_domain::api::store::SecretStore;
use penstock_fakes::infisical::{Grant, Identity, Outage, webhook};
use penstock_fakes::{FakeInfisical, Listen};
use penstock_testbed::{Failure, eventually, free_port};
use serde_json::json;

use super::super::stage::{Setup, Stage, Usage, on_stage};
use super::super::{Outcome, SOON};

const PROJECT: &str = "0b6c1a2e-0000-4000-8000-000000000001";
const PLACE: (&str, &str, &str) = (PROJECT, "prod", "/shop");
const SPEC: &str = "
sources: [{name: infisical, store: {name: infisical}, path: /shop}]
targets: [{name: env, secret: {}}]
";

fn identity(client_secret: &str) -> Identity {
    Identity {
        client_id: "client-1".to_owned(),
        client_secrets: [client_secret.to_owned()].into(),
        ttl: 7200,
        max_ttl: 43_200,
        grants: vec![Grant::reader(PROJECT)],
        ..Identity::default()
    }
}

/// A server with one secret, and a store of the stage that reads it.
async fn infisical(stage: &Stage) -> Result<FakeInfisical, Failure> {
    let fake = FakeInfisical::start(Listen::Https).await?;
    {
        let mut model = fake.model();
        let identities = &mut model.identities;
        identities.insert("i-1".to_owned(), identity("t0psecret-client"));
        model.put(PLACE, "A", "t0psecret-1");
    }
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "infisical"},
        "stringData": {"clientSecret": "t0psecret-client", "webhook": "t0psecret-hook"},
    });
    let store = json!({
        "apiVersion": "penstock.dev/v1alpha1", "kind": "SecretStore", "metadata": {"name": "infisical"},
        "spec": {
            "provider": {"infisical": {
                "address": fake.server().address(),
                "projectId": PROJECT,
                "environment": "prod",
                "caBundle": fake.server().certificate(),
                "auth": {"universal": {
                    "clientId": "client-1",
                    "clientSecretRef": {"name": "infisical", "key": "clientSecret"},
                }},
            }},
            "webhook": {"secret": {"name": "infisical", "key": "webhook"}, "signature": "infisical"},
        },
    });
    stage.apply(&secret.to_string()).await?;
    stage.apply(&store.to_string()).await?;
    Ok(fake)
}

/// Waits until some condition of the store and of the sync tells each of these words.
async fn both_tell(stage: &Stage, words: &[&str]) -> Result<(), Failure> {
    let told = eventually(format!("both tell {words:?}"), SOON, || async {
        let stores = stage.namespace().api::<SecretStore>();
        let store = stores.get("infisical").await;
        let store = store.map_err(|error| error.to_string())?;
        let sync = stage.status("shop").await;
        let sync = sync.map_err(|error| error.to_string())?;
        let text = |conditions| format!("{conditions:?}");
        let status = store.status.unwrap_or_default();
        let told = [text(status.conditions), text(sync.conditions)];
        if told
            .iter()
            .all(|told| words.iter().all(|word| told.contains(word)))
        {
            Ok(())
        } else {
            Err(told.join("\n"))
        }
    });
    Ok(told.await?)
}

#[tokio::test]
async fn every_failure_shows_where_and_what_to_do_and_loses_nothing() -> Outcome {
    let setup = Setup::new().argument("--store-check-interval=1s");
    on_stage(setup, async |stage| {
        let fake = infisical(stage).await?;
        stage.store_is_ready("infisical").await?;
        let spec = format!("{SPEC}interval: 10s\n");
        stage.sync("shop", &spec).await?;
        stage.await_secret("shop", &[("A", "t0psecret-1")]).await?;
        stage.is_synced("shop").await?;

        for (outage, words) in [
            (Outage::Stumbles(500), ["the server stumbles", "500"]),
            (
                Outage::Proxy(404, "<html>not here</html>".to_owned()),
                ["not that of an Infisical", "leads to the server"],
            ),
            (Outage::HangsUp, ["broke before the answer", "Unavailable"]),
        ] {
            fake.model().behaviour.outage = Some(outage);
            both_tell(stage, &words).await?;
            fake.model().behaviour.outage = None;
            stage.store_is_ready("infisical").await?;
        }
        fake.model().behaviour.throttle = Some(2);
        both_tell(stage, &["patience", "Throttled"]).await?;
        fake.model().behaviour.throttle = None;
        stage.store_is_ready("infisical").await?;

        let grants = std::mem::take(&mut machine(&fake).grants);
        both_tell(stage, &["may not read", "Add it to the project"]).await?;
        machine(&fake).grants = grants;
        stage.store_is_ready("infisical").await?;

        machine(&fake).client_secrets = ["another".to_owned()].into();
        fake.model().revoke_all();
        both_tell(stage, &["the login is refused", "Check client id"]).await?;
        stage.await_secret("shop", &[("A", "t0psecret-1")]).await?;
        Ok(())
    })
    .await
}

fn machine(fake: &FakeInfisical) -> impl std::ops::DerefMut<Target = Identity> {
    struct Locked<'a>(std::sync::MutexGuard<'a, penstock_fakes::infisical::Model>);
    impl std::ops::Deref for Locked<'_> {
        type Target = Identity;
        fn deref(&self) -> &Identity {
            &self.0.identities["i-1"]
        }
    }
    impl std::ops::DerefMut for Locked<'_> {
        fn deref_mut(&mut self) -> &mut Identity {
            self.0.identities.entry("i-1".to_owned()).or_default()
        }
    }
    Locked(fake.model())
}

#[tokio::test]
async fn a_masked_value_reaches_no_secret() -> Outcome {
    on_stage(Setup::new(), async |stage| {
        let fake = infisical(stage).await?;
        stage.sync("shop", SPEC).await?;
        stage.await_secret("shop", &[("A", "t0psecret-1")]).await?;
        machine(&fake).grants = vec![Grant {
            read_value: false,
            ..Grant::reader(PROJECT)
        }];
        stage.refresh("shop").await?;
        let condition = stage.condition("shop", "Stale").await?;
        assert!(condition.message.contains("Read Value"), "{condition:?}");
        stage.await_secret("shop", &[("A", "t0psecret-1")]).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_signed_webhook_brings_a_change_at_once() -> Outcome {
    let port = free_port()?;
    let setup = Setup::new().argument(&format!("--hooks-listen=127.0.0.1:{port}"));
    on_stage(setup, async |stage| {
        let fake = infisical(stage).await?;
        // Nothing else would read within the test: the interval is ten minutes.
        stage.sync("shop", SPEC).await?;
        stage.await_secret("shop", &[("A", "t0psecret-1")]).await?;
        stage.is_synced("shop").await?;
        stage.deploy("web", &[Usage::EnvFrom("shop")]).await?;
        let url = |path: &str| format!("http://127.0.0.1:{port}/hooks/namespaces/{path}/infisical");
        let own = url(stage.namespace().name());

        let client = reqwest::Client::new();
        let send = async |url: &str, key: &str| {
            let hook = webhook::modified(key, PROJECT, ("prod", "/shop"), milliseconds());
            let request = client.post(url).header(webhook::HEADER, hook.signature);
            let answer = request.body(hook.body).send().await?;
            let status = answer.status().as_u16();
            Ok::<_, Failure>((status, answer.text().await?))
        };
        let wrong = send(&own, "another key").await?;
        assert_eq!(wrong.0, 404);
        assert_eq!(send(&url("elsewhere"), "t0psecret-hook").await?, wrong);

        fake.model().put(PLACE, "A", "t0psecret-2");
        let begun = Instant::now();
        assert_eq!(send(&own, "t0psecret-hook").await?.0, 202);
        stage.await_secret("shop", &[("A", "t0psecret-2")]).await?;
        let took = begun.elapsed();
        assert!(took < SOON, "{took:?}");
        stage.await_restarts("web", 1).await?;
        let reads = fake.server().count("GET", "/api/v4/secrets");
        for _ in 0..5 {
            assert_eq!(send(&own, "t0psecret-hook").await?.0, 202);
        }
        eventually("the hints are gathered", SOON, || async {
            match fake.server().count("GET", "/api/v4/secrets") - reads {
                0 => Err("nothing was read yet"),
                reads => {
                    assert_eq!(reads, 1, "five hints, one more read");
                    Ok(())
                }
            }
        })
        .await?;
        // For whoever wants to know: `cargo test -- --nocapture`.
        drop(std::io::Write::write_all(
            &mut std::io::stderr(),
            format!("a webhook reached the Secret in {took:?}\n").as_bytes(),
        ));
        Ok(())
    })
    .await
}

fn milliseconds() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since
        .ok()
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}
