//! The contents that a record knows of, as status lists them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::status::{RevisionOutcome, RevisionStatus};
use crate::bundle::Bundle;
use crate::names::Key;
use crate::record::{RecordState, Rejection, StoredRevision};
use crate::text::{SHOWN_KEYS, shorten};

/// The most contents that status lists.
const MOST: usize = 24;
/// The longest reason of a rejection.
const MAX_MESSAGE: usize = 1000;

/// Newest first.
pub(super) fn history(record: &RecordState) -> Vec<RevisionStatus> {
    let kept: Vec<&StoredRevision> = record.current.iter().chain(&record.older).collect();
    let mut list: Vec<RevisionStatus> = kept
        .iter()
        .enumerate()
        .map(|(at, stored)| {
            let before = kept.get(at + 1).and_then(|before| before.bundle.as_ref());
            accepted(record, stored, before, at == 0 && record.current.is_some())
        })
        .collect();
    list.extend(record.rejected.iter().map(rejected));
    list.sort_by_key(|one| std::cmp::Reverse(one.at.0));
    // What is in use stands first, also where an older content came back.
    list.sort_by_key(|one| one.outcome != RevisionOutcome::InUse);
    list.truncate(MOST);
    list
}

fn accepted(
    record: &RecordState,
    stored: &StoredRevision,
    before: Option<&Bundle>,
    in_use: bool,
) -> RevisionStatus {
    let changed = match (&stored.bundle, before) {
        (Some(bundle), Some(before)) => names(&differing(bundle, before)),
        _ => Vec::new(),
    };
    let versions = stored.versions.iter();
    RevisionStatus {
        revision: stored.revision.to_string(),
        at: seconds(stored.at),
        outcome: match &stored.bundle {
            _ if record.is_revoked(&stored.revision) => RevisionOutcome::Revoked,
            _ if in_use => RevisionOutcome::InUse,
            Some(_) => RevisionOutcome::Kept,
            None => RevisionOutcome::Named,
        },
        changed,
        versions: versions
            .map(|(source, version)| shorten(&format!("{source} {version}"), 250))
            .take(32)
            .collect(),
        message: None,
    }
}

fn rejected(rejection: &Rejection) -> RevisionStatus {
    let objections = rejection.objections.iter();
    let why: Vec<String> = objections
        .map(|one| format!("validator {}: {one}", one.validator))
        .chain(rejection.cause.clone())
        .collect();
    RevisionStatus {
        revision: rejection.revision.to_string(),
        at: seconds(rejection.at),
        outcome: RevisionOutcome::Rejected,
        changed: Vec::new(),
        versions: Vec::new(),
        message: Some(shorten(&why.join("; "), MAX_MESSAGE)),
    }
}

fn differing(bundle: &Bundle, before: &Bundle) -> BTreeSet<Key> {
    let all = bundle.0.keys().chain(before.0.keys());
    let value = |bundle: &Bundle, key: &Key| bundle.0.get(key).map(|entry| entry.value.clone());
    all.filter(|key| value(bundle, key) != value(before, key))
        .cloned()
        .collect()
}

fn names(keys: &BTreeSet<Key>) -> Vec<String> {
    let mut names: Vec<String> = keys.iter().take(SHOWN_KEYS).map(Key::to_string).collect();
    if keys.len() > SHOWN_KEYS {
        names.push(format!("+{}", keys.len() - SHOWN_KEYS));
    }
    names
}

/// Times of Kubernetes are whole seconds.
fn seconds(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}
