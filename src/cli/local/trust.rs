//! What the documents of strangers may not say (`--trusted-stores`).
//!
//! YAML names variables, files and addresses: inputs are code. With a folder of trusted stores, the documents of
//! `-f` may use those stores and nothing else that leads in or out: they define no store and no credential, read
//! no file, variable or trusted Secret, and name no address that anything would be sent to.
//!
//! What a plan shows must not depend on values either. A validator, a template with a condition, a value that is
//! taken apart into keys: each would tell the stranger one bit of a value or more, by what fails, what is absent,
//! or what a key is called. So of these only what always gives something is taken.

use penstock_domain::api::secret_sync::SecretSyncSpec;
use penstock_domain::api::target::Adopt;
use penstock_domain::api::transform::KeyTransform;
use serde_json::Value;

use crate::documents::{Documents, Problem};

/// Why it is refused, in every case.
const REASON: &str =
    "is refused with --trusted-stores: only the documents in its folder may say this";

/// What stands beside it where a plan would tell about values.
const TELLS: &str = "What a plan shows would depend on values. Templates that only put keys together, such as `{{ USER }}:{{ PASSWORD | urlencode }}`, are taken";

/// Filters that have an answer for every text.
const TOTAL: [&str; 9] = [
    "b64encode",
    "b64urlencode",
    "json",
    "lower",
    "quote",
    "sha256",
    "trim",
    "upper",
    "urlencode",
];

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
        for field in telling(&sync.object.spec) {
            let at = Some(sync.origin.find(&field));
            problems.push(Problem::new(at, field, REASON).hint(TELLS));
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

/// The fields by which what a plan shows would depend on values.
fn telling(spec: &SecretSyncSpec) -> Vec<String> {
    let mut fields = Vec::new();
    for (index, source) in spec.sources.iter().enumerate() {
        if source.extract.is_some() {
            fields.push(format!("spec.sources[{index}].extract"));
        }
        if source.decode.is_some() {
            fields.push(format!("spec.sources[{index}].decode"));
        }
    }
    if spec.for_each.is_some() {
        fields.push("spec.forEach".to_owned());
    }
    let made = spec.transform.iter().flat_map(|made| &made.data);
    let unsure = made.filter(|(_, making)| !always_gives_something(making));
    fields.extend(unsure.map(|(key, _)| format!("spec.transform.data[{key}]")));
    fields.extend((0..spec.validate.len()).map(|index| format!("spec.validate[{index}]")));
    for (index, target) in spec.targets.iter().enumerate() {
        if target.adopt == Some(Adopt::IfEqual) {
            fields.push(format!("spec.targets[{index}].adopt"));
        }
    }
    fields
}

fn always_gives_something(making: &KeyTransform) -> bool {
    let template = making.template.as_ref();
    making.template_from.is_none()
        && making.ssh_public_key.is_none()
        && template.is_none_or(|template| only_puts_together(template.expose()))
}

/// Whether a template holds nothing but text, keys, and filters that have an answer for every text.
fn only_puts_together(template: &str) -> bool {
    if template.contains("{%") || template.contains("{#") {
        return false;
    }
    let mut parts = template.split("{{");
    // What stands before the first expression.
    parts.next();
    parts.all(|part| {
        let expression = part.split_once("}}").map(|(expression, _)| expression);
        expression.is_some_and(is_plain_expression)
    })
}

fn is_plain_expression(expression: &str) -> bool {
    let mut words = expression
        .trim_matches(['-', '+'])
        .split('|')
        .map(str::trim);
    words.next().is_some_and(is_name) && words.all(|filter| TOTAL.contains(&filter))
}

fn is_name(word: &str) -> bool {
    let letter = |character: char| character.is_ascii_alphanumeric() || character == '_';
    !word.is_empty() && word.chars().all(letter)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_that_only_puts_keys_together_tells_nothing() {
        for (template, plain) in [
            ("", true),
            ("text", true),
            ("postgres://{{ USER }}:{{ PASSWORD | urlencode }}@db", true),
            ("{{- A|trim|json -}}", true),
            ("{% if A %}x{% endif %}", false),
            ("{{ A if B else C }}", false),
            ("{{ A == 'x' }}", false),
            ("{{ A | b64decode }}", false),
            ("{{ A | default('x') }}", false),
            ("{{ keys['a'] }}", false),
            ("{{ A", false),
            ("{# {{ #}{{ A | pem_leaf }}", false),
            ("{{ {{ A }} }}", false),
            ("{{ A }} }} {{ B.c }}", false),
        ] {
            assert_eq!(only_puts_together(template), plain, "{template}");
        }
    }
}
