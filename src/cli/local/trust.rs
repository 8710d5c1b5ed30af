//! What the documents of strangers may not say (`--trusted-stores`).
//!
//! YAML names variables, files and addresses: inputs are code. With a folder of trusted stores, the documents of
//! `-f` may use those stores and nothing else that leads in or out: they define no store and no credential, read
//! no file, variable or trusted Secret, and name no address that anything would be sent to.

use penstock_domain::api::secret_sync::SecretSyncSpec;
use penstock_domain::api::validate::Validation;
use serde_json::Value;

use crate::documents::{Documents, Problem};

/// Why it is refused, in every case.
const REASON: &str =
    "is refused with --trusted-stores: only the documents in its folder may say this";

/// Everything that untrusted documents must not say.
pub(super) fn refusals(documents: &Documents) -> Vec<Problem> {
    let mut problems = Vec::new();
    let stores = documents.stores.iter();
    for ((_, reference), store) in stores.filter(|(_, store)| !store.origin.trusted) {
        let at = Some(store.origin.find("kind"));
        problems.push(Problem::new(at, reference.to_string(), REASON));
    }
    let secrets = documents.secrets.iter();
    for (id, secret) in secrets.filter(|(_, secret)| !secret.origin.trusted) {
        let at = Some(secret.origin.find("kind"));
        problems.push(Problem::new(at, format!("Secret {id}"), REASON));
    }
    for sync in documents.syncs.values().filter(|sync| !sync.origin.trusted) {
        for field in forbidden(&sync.object.spec) {
            let at = Some(sync.origin.find(&field));
            problems.push(Problem::new(at, field, REASON));
        }
    }
    problems
}

/// The fields of a spec that lead in or out.
fn forbidden(spec: &SecretSyncSpec) -> Vec<String> {
    let mut fields = Vec::new();
    for (index, source) in spec.sources.iter().enumerate() {
        let mut add = |set: bool, name: &str| {
            if set {
                fields.push(format!("spec.sources[{index}].{name}"));
            }
        };
        add(source.file.is_some(), "file");
        add(source.process_environment.is_some(), "processEnvironment");
        add(source.secret.is_some(), "secret");
    }
    for (index, validator) in spec.validate.iter().enumerate() {
        let harmless = matches!(
            validator.variant(),
            Ok(Validation::Matching(_)
                | Validation::Length(_)
                | Validation::Entropy(_)
                | Validation::JsonSchema(_)
                | Validation::Certificate(_)
                | Validation::Jwt(_)
                | Validation::Expression(_))
        );
        if !harmless {
            fields.push(format!("spec.validate[{index}]"));
        }
    }
    for (index, target) in spec.targets.iter().enumerate() {
        if !target.then.is_empty() {
            fields.push(format!("spec.targets[{index}].then"));
        }
        if target.health_check.is_some() {
            fields.push(format!("spec.targets[{index}].healthCheck"));
        }
    }
    if !spec.notify.is_empty() {
        fields.push("spec.notify".to_owned());
    }
    let rollout = serde_json::to_value(&spec.rollout).unwrap_or_default();
    if holds_member(&rollout, "checks") {
        fields.push("spec.rollout".to_owned());
    }
    fields
}

fn holds_member(value: &Value, name: &str) -> bool {
    match value {
        Value::Object(members) => {
            members.contains_key(name) || members.values().any(|member| holds_member(member, name))
        }
        Value::Array(items) => items.iter().any(|item| holds_member(item, name)),
        _ => false,
    }
}
