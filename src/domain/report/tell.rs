//! What to tell: one event for each thing that happened, in keys, never values.

use std::collections::BTreeMap;

use super::{Findings, event, judge, warning};
use crate::api::status::SecretSyncStatus;
use crate::conditions::Reason;
use crate::diff::{KeyChange, TargetDiff};
use crate::engine::{EventNote, PassRequest};
use crate::names::{Key, TargetName};
use crate::text::{key_list, shorten};

/// Everything that a pass has to tell, in no certain order.
pub(super) fn events(
    request: PassRequest<'_>,
    findings: Findings,
    status: &SecretSyncStatus,
) -> Vec<EventNote> {
    let mut events = findings.events;
    let differences: BTreeMap<&TargetName, &TargetDiff> = findings
        .plan
        .iter()
        .flat_map(|plan| &plan.targets)
        .map(|difference| (&difference.target, difference))
        .collect();
    for (name, written) in &findings.written {
        if let (Some(difference), Ok(_)) = (differences.get(name), written) {
            events.push(written_event(request, name, difference));
        }
    }
    for (label, removed) in &findings.orphans {
        let what = if *removed {
            "removed what was ours from"
        } else {
            "left"
        };
        events.push(event(
            Reason::Orphaned,
            format!("{what} {label}, which the spec no longer names"),
        ));
    }
    if let Some(reason) = findings.rebased {
        events.push(warning(reason, "the record is made anew: contents were compared, nothing restarts, older revisions are gone".to_owned()));
    }
    if findings.truncated {
        events.push(warning(
            Reason::RecordTruncated,
            "the content is too large for the record to keep older revisions".to_owned(),
        ));
    }
    events.extend(judge::turns(&request.status.conditions, &status.conditions));
    events
}

fn written_event(
    request: PassRequest<'_>,
    name: &TargetName,
    difference: &TargetDiff,
) -> EventNote {
    let target = request
        .sync
        .targets
        .iter()
        .find(|target| target.name == *name);
    let label = target.map_or_else(
        || format!("target {name}"),
        |target| {
            format!(
                "{} {}",
                target.destination.kind(),
                target.destination.object_name()
            )
        },
    );
    let mut parts = Vec::new();
    for (change, verb) in [
        (KeyChange::Create, "created"),
        (KeyChange::Update, "updated"),
        (KeyChange::Delete, "deleted"),
        (KeyChange::Adopt, "adopted"),
    ] {
        let keys: Vec<&Key> = difference.with(change).collect();
        if !keys.is_empty() {
            parts.push(format!("{verb} {}", key_list(&keys)));
        }
    }
    let what = if parts.is_empty() {
        "labels and annotations".to_owned()
    } else {
        parts.join("; ")
    };
    let reason = if difference.tampering.is_some() {
        Reason::Repaired
    } else {
        Reason::TargetWritten
    };
    let lead = if difference.tampering.is_some() {
        "was changed by somebody else and is repaired"
    } else {
        "written"
    };
    event(reason, shorten(&format!("{label} {lead}: {what}"), 1000))
}
