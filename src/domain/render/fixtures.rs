//! Syncs, answers and keys for the tests of rendering.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{SourceAnswer, TemplateTexts, render};
use crate::bundle::{Bundle, Snapshot, SourceEntry};
use crate::fault::Fault;
use crate::names::{Key, ObjectName, SourceName, SyncId, TargetName};
use crate::secret::SecretValue;
use crate::sync::{
    Adopt, Conflicts, Destination, EntrySelection, History, Making, OnUnavailable, Origin, Rename,
    Rollout, SecretDestination, SecretType, SourceOptions, TargetSelection, Transform,
    ValidatedSource, ValidatedSync, ValidatedTarget, WorkloadScope,
};
use crate::testing;
pub(super) use crate::testing::installation_key;

pub(super) fn sync_id() -> SyncId {
    testing::sync_id("prod", "panbot")
}

pub(super) fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

pub(super) fn source(name: &str) -> ValidatedSource {
    ValidatedSource {
        name: SourceName::new(name).unwrap(),
        origin: Origin::Literal(BTreeMap::new()),
        environment: None,
        path: String::new(),
        field: None,
        extract: None,
        decode: None,
        version: None,
        options: SourceOptions::None,
        select: EntrySelection::default(),
        rename: Rename::default(),
        require: Vec::new(),
        on_unavailable: OnUnavailable::KeepLast,
        skipped: false,
    }
}

pub(super) fn target(name: &str) -> ValidatedTarget {
    ValidatedTarget {
        name: TargetName::new(name).unwrap(),
        destination: Destination::Secret(SecretDestination {
            name: ObjectName::new(name).unwrap(),
            secret_type: SecretType::Opaque,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            immutable: false,
            recreate: false,
        }),
        select: TargetSelection::default(),
        adopt: Adopt::Never,
        share_keys: false,
        delete_with_sync: false,
        repair: true,
    }
}

pub(super) fn sync(sources: Vec<ValidatedSource>) -> ValidatedSync {
    ValidatedSync {
        folder: std::path::PathBuf::new(),
        id: sync_id(),
        generation: 1,
        interval: Duration::from_mins(10),
        suspend: false,
        conflicts: Conflicts::LaterWins,
        sources,
        transform: Transform::default(),
        targets: vec![target("app")],
        validators: Vec::new(),
        rules: crate::sync::RulesDigest::default(),
        rollout: Rollout {
            restart: true,
            workloads: WorkloadScope::Discover,
            deadline: Duration::from_mins(10),
            after_tampering: true,
            max_restarts: 3,
            restart_window: Duration::from_hours(1),
            canary: None,
            waves: Vec::new(),
            on_failure: crate::api::rollout::OnFailure::Hold,
            previous: crate::sync::Previous::Unknown,
            windows: Vec::new(),
            approval: false,
        },
        max_deletes: None,
        history: History {
            older: 2,
            max_age: Duration::from_hours(720),
            keep_values: true,
        },
    }
}

/// An entry from `folder/name`, or from the root when there is no slash.
pub(super) fn entry(place: &str, value: impl Into<Vec<u8>>) -> SourceEntry {
    let (path, name) = place.rsplit_once('/').unwrap_or(("", place));
    SourceEntry {
        name: name.to_owned(),
        path: path.to_owned(),
        tags: BTreeSet::new(),
        version: None,
        value: SecretValue::new(value),
    }
}

pub(super) fn tagged(place: &str, value: &str, tags: &[&str]) -> SourceEntry {
    SourceEntry {
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        ..entry(place, value)
    }
}

pub(super) fn snapshot(entries: Vec<SourceEntry>) -> Snapshot {
    Snapshot {
        entries,
        version: None,
    }
}

pub(super) fn texts(pairs: &[(&str, &str)]) -> Snapshot {
    snapshot(
        pairs
            .iter()
            .map(|(place, value)| entry(place, *value))
            .collect(),
    )
}

/// Renders with one answer per source, in the order of the spec.
pub(super) fn rendered(sync: &ValidatedSync, answers: &[Snapshot]) -> Result<Bundle, Vec<Fault>> {
    let answers: Vec<SourceAnswer<'_>> = sync
        .sources
        .iter()
        .zip(answers)
        .map(|(source, snapshot)| SourceAnswer {
            source: &source.name,
            snapshot,
        })
        .collect();
    render(
        sync,
        &answers,
        &TemplateTexts::default(),
        &installation_key(1),
    )
}

/// Keys and values as text, for comparing.
pub(super) fn content(bundle: &Bundle) -> Vec<(String, String)> {
    bundle
        .values()
        .map(|(key, value)| {
            let text = String::from_utf8_lossy(value.expose()).into_owned();
            (key.as_str().to_owned(), text)
        })
        .collect()
}

pub(super) fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// A sync of one source whose transform makes `OUT` by a template.
pub(super) fn template_sync(template: &str) -> ValidatedSync {
    let mut sync = sync(vec![source("vault")]);
    sync.transform
        .data
        .insert(key("OUT"), Making::Template(template.into()));
    sync.transform.keep_only_declared = true;
    sync
}

/// `reason subject: message` of each fault.
pub(super) fn sentences(faults: &[Fault]) -> Vec<String> {
    faults
        .iter()
        .map(|fault| format!("{} {}: {}", fault.reason, fault.subject, fault.message))
        .collect()
}
