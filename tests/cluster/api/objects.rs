//! Small objects to change one thing about.

use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

/// What one document of YAML says.
#[expect(clippy::panic, reason = "the documents are constants of the tests")]
pub(super) fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// An object of one of our kinds.
pub(super) fn object(kind: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": "try"},
        "spec": spec,
    })
}

/// The smallest SecretSync, with members of its spec replaced.
pub(super) fn sync(changes: &str) -> Value {
    let smallest = "{sources: [{name: vault, store: {name: openbao}, path: apps/web}], targets: [{name: env, secret: {}}]}";
    changed("SecretSync", smallest, changes)
}

/// The smallest SecretSync with another source.
pub(super) fn source(members: &str) -> Value {
    sync(&format!("{{sources: [{{name: one, {members}}}]}}"))
}

/// The smallest SecretSync with another target.
pub(super) fn target(members: &str) -> Value {
    sync(&format!("{{targets: [{{name: one, {members}}}]}}"))
}

/// The smallest SecretSync with a validator.
pub(super) fn validator(members: &str) -> Value {
    sync(&format!(
        "{{validate: [{{name: one, key: KEY, {members}}}]}}"
    ))
}

/// The smallest SecretSync with a rollout.
pub(super) fn rollout(members: &str) -> Value {
    sync(&format!("{{rollout: {{{members}}}}}"))
}

/// A store of Vault, with members of the provider replaced.
pub(super) fn vault(changes: &str) -> Value {
    let smallest = "{address: 'https://vault.example.com', auth: {token: {secretRef: {name: vault, key: token}}}}";
    let provider = changed("SecretStore", smallest, changes)["spec"].clone();
    object("SecretStore", &json!({"provider": {"vault": provider}}))
}

/// A ClusterSecretStore of Vault, with other members of the spec.
pub(super) fn cluster_store(changes: &str) -> Value {
    let provider = vault("{}")["spec"]["provider"].clone();
    let mut store = changed("ClusterSecretStore", "{}", changes);
    if store["spec"]["provider"].is_null() {
        store["spec"]["provider"] = provider;
    }
    store
}

/// The smallest SecretRotation, with members of its spec replaced.
pub(super) fn rotation(changes: &str) -> Value {
    let smallest =
        "{maxAge: 720h, store: {name: openbao}, key: password, generator: {password: {}}}";
    changed("SecretRotation", smallest, changes)
}

/// An object of `kind` with the members of `smallest`, those of `changes` in their stead.
fn changed(kind: &str, smallest: &str, changes: &str) -> Value {
    let mut spec = yaml(smallest);
    if let (Some(spec), Value::Object(changes)) = (spec.as_object_mut(), yaml(changes)) {
        spec.extend(changes);
    }
    object(kind, &spec)
}

/// Where objects of this kind are.
pub(super) fn resource_of(object: &Value) -> ApiResource {
    let kind = object["kind"].as_str().unwrap_or_default();
    ApiResource::from_gvk(&GroupVersionKind::gvk("penstock.dev", "v1alpha1", kind))
}
