//! Stores that are missing, mistaken or out of reach, and paths that are not there.

use penstock_testbed::Failure;
use serde_json::{Value, json};

use super::super::super::Outcome;
use super::super::super::stage::{Setup, Stage, on_shared_stage, on_stage};
use super::{Bad, GOOD, GOOD_CONTENT, play_all};

#[tokio::test]
async fn places_that_are_not_there() -> Outcome {
    play_all(vec![
        Bad::spec(
            "no-store",
            "StoreNotFound",
            &["source vault", "nowhere"],
            "
            sources: [{name: vault, store: {name: nowhere}, path: x}]
            targets: [{name: env, secret: {}}]
            ",
        )
        .keeps_last(),
        Bad::spec(
            "no-path",
            "SourceNotFound",
            &["source vault", "no-path-at-all", "trailing slash"],
            "
            sources: [{name: vault, store: {name: vault}, path: $apps/no-path-at-all}]
            targets: [{name: env, secret: {}}]
            ",
        )
        .keeps_last(),
        Bad::spec(
            "no-field",
            "SourceNotFound",
            &["source vault", "NOPE"],
            "
            sources: [{name: vault, store: {name: vault}, path: $apps/$case, field: NOPE}]
            targets: [{name: env, secret: {}}]
            ",
        )
        .keeps_last(),
        Bad::spec(
            "no-version",
            "SourceNotFound",
            &["source vault"],
            "
            sources: [{name: vault, store: {name: vault}, path: $apps/$case, version: '99'}]
            targets: [{name: env, secret: {}}]
            ",
        )
        .keeps_last(),
        Bad::spec(
            "no-secret",
            "SourceNotFound",
            &["source theirs", "no-such-secret"],
            "
            sources: [{name: theirs, secret: {name: no-such-secret}}]
            targets: [{name: env, secret: {}}]
            ",
        )
        .keeps_last(),
        Bad::spec(
            "no-template",
            "NotFound",
            &["no-such-map", "app.yaml"],
            "
            sources: [{name: vault, store: {name: vault}, path: $apps/$case}]
            transform: {data: {T: {templateFrom: {configMap: {name: no-such-map, key: app.yaml}}}}}
            targets: [{name: env, secret: {}}]
            ",
        )
        .keeps_last(),
    ])
    .await
}

#[tokio::test]
async fn places_that_the_token_may_not_see() -> Outcome {
    play_all(vec![
        Bad::spec(
            "denied",
            "Denied",
            &["source vault", "apps/somebody-else", "Grant `read`"],
            "
            sources: [{name: vault, store: {name: vault}, path: apps/somebody-else/app}]
            targets: [{name: env, secret: {}}]
            ",
        )
        .keeps_last(),
        Bad::spec(
            "no-mount",
            "Denied",
            &["source vault", "nothing-here", "Check the mount"],
            "
            sources: [{name: vault, store: {name: vault}, path: x, options: {vault: {mount: nothing-here}}}]
            targets: [{name: env, secret: {}}]
            ",
        )
        .keeps_last(),
    ])
    .await
}

/// One way to get a store wrong.
struct BadStore {
    name: &'static str,
    /// What stands in its `provider.vault` instead.
    change: Value,
    /// What the store says.
    reason: &'static str,
    words: &'static [&'static str],
}

impl BadStore {
    async fn play(&self) -> Outcome {
        on_shared_stage(async |stage| {
            self.set_up(stage).await?;
            stage
                .await_store_condition(self.name, ("Ready", "False"), self.reason)
                .await?;
            stage
                .await_event(self.name, self.reason, self.words)
                .await?;
            let spec = "
                sources: [{name: vault, store: {name: STORE}, path: $apps/x}]
                targets: [{name: env, secret: {}}]
                ";
            stage
                .sync(self.name, &spec.replace("STORE", self.name))
                .await?;
            let reason = self.reason_of_sync();
            let condition = stage
                .await_condition(self.name, ("Ready", "False"), reason)
                .await?;
            let missing = self
                .words
                .iter()
                .find(|word| !condition.message.contains(*word));
            if let Some(word) = missing {
                let message = format!("the condition does not say {word:?}: {}", condition.message);
                return Err(Failure::because(message));
            }
            stage
                .await_event(self.name, reason, &["source vault"])
                .await?;
            assert!(stage.find_secret(self.name).await?.is_none());
            Ok(())
        })
        .await
    }

    /// A source's `Unavailable` is `SourceUnavailable`, its `NotFound` is `SourceNotFound`.
    fn reason_of_sync(&self) -> &'static str {
        match self.reason {
            "Unavailable" => "SourceUnavailable",
            "NotFound" => "SourceNotFound",
            other => other,
        }
    }

    async fn set_up(&self, stage: &Stage) -> Outcome {
        let openbao = &stage.testbed().openbao;
        let mut provider = json!({
            "address": openbao.address(),
            "caBundle": openbao.certificate_authority(),
            "auth": {"token": {"secretRef": {"name": "vault-token", "key": "token"}}},
        });
        if let (Some(provider), Some(change)) = (provider.as_object_mut(), self.change.as_object())
        {
            provider.extend(change.clone());
            provider.retain(|_, value| !value.is_null());
        }
        let store = json!({
            "apiVersion": "penstock.dev/v1alpha1",
            "kind": "SecretStore",
            "metadata": {"name": self.name},
            "spec": {"provider": {"vault": provider}},
        });
        stage.apply(&store.to_string()).await.map(drop)
    }
}

fn token_in(secret: &str, key: &str) -> Value {
    json!({"auth": {"token": {"secretRef": {"name": secret, "key": key}}}})
}

#[tokio::test]
async fn a_store_with_a_wrong_token() -> Outcome {
    on_shared_stage(async |stage| {
        stage
            .apply("{apiVersion: v1, kind: Secret, metadata: {name: wrong-token}, stringData: {token: s.t0psecret-wrong}}")
            .await?;
        Ok(())
    })
    .await?;
    let name = "store-token";
    BadStore {
        name,
        change: token_in("wrong-token", "token"),
        reason: "CredentialsRefused",
        words: &["login", "token"],
    }
    .play()
    .await?;
    // The right token in its place wakes the store, and the store whoever waits for it.
    on_shared_stage(async |stage| {
        stage.put("x", &[("A", "t0psecret-1")]).await?;
        let token = json!({"stringData": {"token": stage.vault_token()}});
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "wrong-token"},
            "stringData": token["stringData"],
        });
        stage.apply(&secret.to_string()).await?;
        stage.store_is_ready(name).await?;
        stage.await_secret(name, &[("A", "t0psecret-1")]).await?;
        stage.is_synced(name).await
    })
    .await
}

#[tokio::test]
async fn a_store_whose_credentials_are_missing() -> Outcome {
    BadStore {
        name: "store-no-secret",
        change: token_in("no-such-token", "token"),
        reason: "NotFound",
        words: &["no-such-token"],
    }
    .play()
    .await?;
    BadStore {
        name: "store-no-key",
        change: token_in("vault-token", "nope"),
        reason: "NotFound",
        words: &["vault-token", "nope"],
    }
    .play()
    .await
}

#[tokio::test]
async fn a_store_that_nobody_answers_for() -> Outcome {
    let port = penstock_testbed::free_port()?;
    BadStore {
        name: "store-down",
        change: json!({"address": format!("https://127.0.0.1:{port}")}),
        reason: "Unavailable",
        words: &["127.0.0.1"],
    }
    .play()
    .await
}

#[tokio::test]
async fn a_store_with_another_authority() -> Outcome {
    BadStore {
        name: "store-authority",
        change: json!({"caBundle": null}),
        reason: "Unavailable",
        words: &["certificate"],
    }
    .play()
    .await?;
    BadStore {
        name: "store-no-pem",
        change: json!({"caBundle": "no certificate"}),
        reason: "Invalid",
        words: &["caBundle"],
    }
    .play()
    .await
}

/// The good content stays in use, and a new token in its place mends everything.
#[tokio::test]
async fn a_token_that_is_revoked() -> Outcome {
    let setup = Setup::new().argument("--store-check-interval=2s");
    on_stage(setup, async |stage| {
        stage.put("web", GOOD_CONTENT).await?;
        stage.sync("web", &GOOD.replace("$case", "web")).await?;
        stage.is_synced("web").await?;
        let (vault, policy) = (stage.vault(), stage.namespace().name());
        vault.revoke_token(stage.vault_token()).await?;
        stage
            .await_store_condition("vault", ("Ready", "False"), "CredentialsRefused")
            .await?;
        stage
            .await_event("vault", "CredentialsRefused", &["token"])
            .await?;
        stage.refresh("web").await?;
        stage
            .await_condition("web", ("Stale", "True"), "CredentialsRefused")
            .await?;
        assert_eq!(stage.secret("web").await?.len(), GOOD_CONTENT.len());

        let token = vault.create_token(&[policy], "1h", true).await?;
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "vault-token"},
            "stringData": {"token": token},
        });
        stage
            .put("web", &[("A", "t0psecret-3"), ("B", "t0psecret-2")])
            .await?;
        stage.apply(&secret.to_string()).await?;
        stage
            .await_secret("web", &[("A", "t0psecret-3"), ("B", "t0psecret-2")])
            .await?;
        stage
            .await_condition("web", ("Stale", "False"), "Synced")
            .await?;
        stage.store_is_ready("vault").await
    })
    .await
}

/// Cloud metadata and private ranges are not for namespaced stores.
#[tokio::test]
async fn a_store_at_an_address_that_is_refused() -> Outcome {
    const FIELD: &str = "spec.provider.vault.address";
    let cases: [(_, _, &[_]); 3] = [
        (
            "store-metadata",
            "https://169.254.169.254",
            &[FIELD, "metadata"],
        ),
        (
            "store-private",
            "https://10.1.2.3:8200",
            &[FIELD, "--egress-allow"],
        ),
        (
            "store-plain",
            "http://192.0.2.1:8200",
            &[FIELD, "plain http"],
        ),
    ];
    for (name, address, words) in cases {
        let bad = BadStore {
            name,
            change: json!({"address": address}),
            reason: "EgressDenied",
            words,
        };
        bad.play().await?;
    }
    Ok(())
}
