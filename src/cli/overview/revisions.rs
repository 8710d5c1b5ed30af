//! Which revisions are known of a SecretSync. Their contents lie sealed in its record.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use penstock_domain::api::status::SecretSyncStatus;
use penstock_domain::people::SyncObject;
use penstock_domain::reserved::record_object_name;

use crate::output::{Style, Tone, plain};

/// Every revision that the status names, with what is known of it.
pub fn revisions(sync: &SyncObject, style: Style) -> String {
    let status = &sync.status;
    let mut known: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (revision, what) in named(status) {
        known.entry(revision).or_default().push(what);
    }
    let mut page = format!(
        "{}\n",
        style.paint(
            Tone::Strong,
            &format!("SecretSync {}/{}", sync.id.namespace, sync.id.name)
        )
    );
    let current = status.revision.as_deref();
    // Writing to a String cannot fail.
    let (now, before): (Vec<_>, Vec<_>) =
        known.iter().partition(|(name, _)| Some(**name) == current);
    for (revision, notes) in now.into_iter().chain(before) {
        let _ = writeln!(page, "  {}  {}", plain(revision), notes.join(", "));
    }
    if known.is_empty() {
        page.push_str("  no revision yet: nothing has been written\n");
    }
    let record = record_object_name(&sync.id.name, 0);
    if let Some(kept) = &status.record {
        let _ = writeln!(
            page,
            "Older revisions lie sealed in Secret {record}, which was saved {} times; only the operator's key opens it.",
            kept.counter
        );
    }
    page
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
