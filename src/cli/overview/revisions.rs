//! Which revisions are known of a SecretSync. Their contents lie sealed in its record.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use penstock_domain::api::status::{RevisionOutcome, RevisionStatus, SecretSyncStatus};
use penstock_domain::people::SyncObject;
use penstock_domain::reserved::record_object_name;

use crate::output::{Style, Tone, plain};

/// Every revision that the status names, with what is known of it.
pub fn revisions(sync: &SyncObject, style: Style) -> String {
    let status = &sync.status;
    let mut page = format!(
        "{}\n",
        style.paint(
            Tone::Strong,
            &format!("SecretSync {}/{}", sync.id.namespace, sync.id.name)
        )
    );
    if status.history.is_empty() {
        places(&mut page, status);
    }
    for one in &status.history {
        told(&mut page, one, status, style);
    }
    let record = record_object_name(&sync.id.name, 0);
    if let Some(kept) = &status.record {
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "Values lie sealed in Secret {record}, which was saved {} times; only the operator's key opens it.",
            kept.counter
        );
    }
    page
}

/// What a status says that an operator wrote which told no history yet: every place that names a revision.
fn places(page: &mut String, status: &SecretSyncStatus) {
    let mut known: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (revision, what) in named(status) {
        known.entry(revision).or_default().push(what);
    }
    let current = status.revision.as_deref();
    let (now, before): (Vec<_>, Vec<_>) =
        known.iter().partition(|(name, _)| Some(**name) == current);
    for (revision, notes) in now.into_iter().chain(before) {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "  {}  {}", plain(revision), notes.join(", "));
    }
    if known.is_empty() {
        page.push_str("  no revision yet: nothing has been written\n");
    }
}

/// One revision of the history: when, what, which keys, from which versions.
fn told(page: &mut String, one: &RevisionStatus, status: &SecretSyncStatus, style: Style) {
    let (tone, word) = match one.outcome {
        RevisionOutcome::InUse => (Tone::Good, "in use"),
        RevisionOutcome::Kept => (Tone::Faint, "kept"),
        RevisionOutcome::Named => (Tone::Faint, "values not kept"),
        RevisionOutcome::Rejected => (Tone::Bad, "rejected"),
        RevisionOutcome::Revoked => (Tone::Bad, "revoked"),
    };
    let pinned = if status.pinned.as_ref() == Some(&one.revision) {
        ", pinned"
    } else {
        ""
    };
    let word = style.paint(tone, word);
    // Writing to a String cannot fail.
    let _ = writeln!(
        page,
        "  {}  {}  {word}{pinned}",
        plain(&one.revision),
        one.at.0
    );
    let list = |names: &[String]| {
        let names: Vec<String> = names.iter().map(|name| plain(name)).collect();
        names.join(", ")
    };
    if !one.changed.is_empty() {
        let _ = writeln!(page, "      changed: {}", list(&one.changed));
    }
    if !one.versions.is_empty() {
        let _ = writeln!(page, "      from: {}", list(&one.versions));
    }
    if let Some(message) = &one.message {
        let _ = writeln!(page, "      {}", plain(message));
    }
}

/// Every place of a status that names a revision.
fn named(status: &SecretSyncStatus) -> Vec<(&str, String)> {
    let mut named = Vec::new();
    named.extend(
        status
            .revision
            .iter()
            .map(|revision| (revision, "in use".to_owned())),
    );
    named.extend(status.targets.iter().filter_map(|target| {
        let what = format!("written to target {}", plain(&target.name));
        Some((target.revision.as_ref()?, what))
    }));
    if let Some(rollout) = &status.rollout {
        let rolled = rollout
            .revision
            .iter()
            .map(|revision| (revision, "rolled out".to_owned()));
        let rejected = rollout.rejected_revision.iter();
        named.extend(rolled.chain(rejected.map(|revision| (revision, "rejected".to_owned()))));
    }
    named
        .into_iter()
        .map(|(revision, what)| (revision.as_str(), what))
        .collect()
}
