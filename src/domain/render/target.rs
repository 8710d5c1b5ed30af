//! What one target takes of the bundle, and whether it can hold it.

use std::collections::BTreeMap;

use super::faults::{Faults, invalid, member_path, shown};
use super::refused::is_refused_key;
use super::select::takes_key;
use super::typed::check_type;
use crate::bundle::Bundle;
use crate::conditions::Reason;
use crate::fault::Fault;
use crate::formats;
use crate::names::Key;
use crate::secret::SecretValue;
use crate::sync::{Destination, ValidatedTarget};

/// The most bytes that the values of one Secret or ConfigMap may have together: `MaxSecretSize` in
/// Kubernetes (pkg/apis/core), 1 MiB for both kinds; names of keys do not count.
pub const MAX_OBJECT_BYTES: usize = 1024 * 1024;

/// What `target` is to hold.
///
/// Values are bytes: a ConfigMap's adapter puts those that are UTF-8 into `data` and the rest into
/// `binaryData`. Every problem is reported: names that Kubernetes does not accept or that rule 7 refuses
/// (`KeyNotAccepted`), keys that the Secret's type needs (`RequiredKeyMissing`, `RenderFailed`), and size
/// (`TooLarge`). Faults name the target as `spec.targets[<name>]`.
pub fn target_data(
    bundle: &Bundle,
    target: &ValidatedTarget,
) -> Result<BTreeMap<Key, SecretValue>, Vec<Fault>> {
    let mut faults = Faults::default();
    let path = format!("spec.targets[{}]", target.name);
    let data: BTreeMap<Key, SecretValue> = bundle
        .0
        .iter()
        .filter(|(key, entry)| takes_key(&target.select, key, entry))
        .map(|(key, entry)| (key.clone(), entry.value.clone()))
        .collect();
    for (key, value) in &data {
        let fault = refusal(key, target, &path).or_else(|| unheld(key, value, target, &path));
        if let Some(fault) = fault {
            faults.push(fault);
        }
    }
    if let Destination::Secret(secret) = &target.destination {
        check_type(&secret.secret_type, &data, &path, &mut faults);
    }
    check_size(&data, target, &path, &mut faults);
    faults.or(data)
}

fn refusal(key: &Key, target: &ValidatedTarget, path: &str) -> Option<Fault> {
    let subject = member_path(path, key.as_str());
    let name = shown(key.as_str());
    if target.destination.file().is_none() && !key.is_kubernetes() {
        let message = format!("Kubernetes does not accept the key {name}");
        return Some(invalid(subject, message, Reason::KeyNotAccepted).hint(
            "Keys are up to 253 of A-Z, a-z, 0-9, `-`, `_` and `.`: change it with `rename` at the source, \
             or leave it out with `select`",
        ));
    }
    if is_refused_key(key.as_str()) && !target.select.keys.contains(key) {
        let message =
            format!("{name} would steer the programs that get it, not only tell them something");
        return Some(invalid(subject, message, Reason::KeyNotAccepted).hint(
            "If that is wanted, spell the target's keys out in `select.keys`; otherwise leave it out at the source",
        ));
    }
    None
}

/// A key or a value that the format of the file cannot hold.
fn unheld(key: &Key, value: &SecretValue, target: &ValidatedTarget, path: &str) -> Option<Fault> {
    let file = target.destination.file()?;
    let problem = formats::check(file.place.format, key, value).err()?;
    let subject = member_path(path, key.as_str());
    let fault = invalid(subject, problem.to_string(), Reason::KeyNotAccepted);
    Some(fault.hint(problem.hint()))
}

fn check_size(
    data: &BTreeMap<Key, SecretValue>,
    target: &ValidatedTarget,
    path: &str,
    faults: &mut Faults,
) {
    if !target.destination.is_object() {
        return;
    }
    let bytes: usize = data.values().map(SecretValue::len).sum();
    if bytes <= MAX_OBJECT_BYTES {
        return;
    }
    let kind = target.destination.kind();
    let largest = data.iter().max_by_key(|(_, value)| value.len());
    let largest = largest.map_or_else(String::new, |(key, _)| {
        format!("; the largest is {}", shown(key.as_str()))
    });
    let message = format!(
        "the values are larger than the {MAX_OBJECT_BYTES} bytes that a {kind} holds{largest}"
    );
    faults.push(
        invalid(path, message, Reason::TooLarge)
            .hint("Split the keys over several targets with `select`"),
    );
}
