//! Who may use a ClusterSecretStore.

use serde_json::{Value, json};

use super::super::super::Outcome;
use super::super::super::stage::{Setup, Stage, on_stage};

/// A cluster store for the stage's vault, whose credentials lie in the operator's namespace.
async fn cluster_store(stage: &Stage, name: &str, allow: Value) -> Outcome {
    let openbao = &stage.testbed().openbao;
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "vault-token"},
        "stringData": {"token": stage.vault_token()},
    });
    stage
        .operator_namespace()
        .apply(&secret.to_string())
        .await?;
    let store = json!({
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "ClusterSecretStore",
        "metadata": {"name": name},
        "spec": {
            "allow": allow,
            "provider": {"vault": {
                "address": openbao.address(),
                "caBundle": openbao.certificate_authority(),
                "auth": {"token": {"secretRef": {"name": "vault-token", "key": "token"}}},
            }},
        },
    });
    stage.apply(&store.to_string()).await.map(drop)
}

#[tokio::test]
async fn a_cluster_store_serves_whom_an_entry_names_and_nobody_else() -> Outcome {
    on_stage(Setup::new().cluster_stores(), async |stage| {
        stage.put("case-68", &[("A", "t0psecret-1")]).await?;
        let namespace = json!({"metadata": {"labels": {"tier": "prod"}}});
        let api: kube::Api<k8s_openapi::api::core::v1::Namespace> =
            kube::Api::all(stage.client().clone());
        let parameters = kube::api::PatchParams::default();
        let patch = kube::api::Patch::Merge(&namespace);
        api.patch(stage.namespace().name(), &parameters, &patch).await?;

        let (here, apps) = (stage.namespace().name().to_owned(), stage.apps());
        let prod = json!({"matchLabels": {"tier": "prod"}});
        let dev = json!({"matchLabels": {"tier": "dev"}});
        let open = |who: Value| {
            let mut entry = json!({"read": true, "keyPrefixes": [apps]});
            if let (Some(entry), Some(who)) = (entry.as_object_mut(), who.as_object()) {
                entry.extend(who.clone());
            }
            entry
        };
        let cases = [
            ("no-entry", json!([]), false),
            ("by-name", json!([open(json!({"namespaces": [here]}))]), true),
            ("by-label", json!([open(json!({"namespaceSelector": prod}))]), true),
            ("everybody", json!([open(json!({"namespaceSelector": {}}))]), true),
            (
                "second-entry",
                json!([open(json!({"namespaces": ["elsewhere"]})), open(json!({"namespaceSelector": prod}))]),
                true,
            ),
            ("other-label", json!([open(json!({"namespaceSelector": dev}))]), false),
            ("other-name", json!([open(json!({"namespaces": ["elsewhere"]}))]), false),
            ("no-read", json!([{"namespaces": [here], "write": true, "keyPrefixes": ["/"]}]), false),
            ("other-path", json!([{"namespaces": [here], "read": true, "keyPrefixes": ["apps/x"]}]), false),
        ];
        for (name, allow, _) in &cases {
            cluster_store(stage, name, allow.clone()).await?;
            let spec = "
                sources: [{name: vault, store: {name: STORE, kind: ClusterSecretStore}, path: $apps/case-68}]
                targets: [{name: env, secret: {}}]
                ";
            stage.sync(name, &spec.replace("STORE", name)).await?;
        }
        for (name, _, allowed) in &cases {
            if *allowed {
                stage.await_secret(name, &[("A", "t0psecret-1")]).await?;
            } else {
                stage.await_condition(name, ("Ready", "False"), "NotAllowed").await?;
                stage.await_event(name, "NotAllowed", &["source vault"]).await?;
                assert!(stage.find_secret(name).await?.is_none(), "{name}");
            }
        }
        Ok(())
    })
    .await
}
