//! How a SecretSync of documents is: what a look at its sources and targets found, and what its record remembers.

mod words;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use penstock_domain::api::status::{SourceState, SourceStatus};
use penstock_domain::conditions::Reason;
use penstock_domain::engine::Prepared;
use penstock_domain::names::{Key, TargetName};
use penstock_domain::record::{RecordState, Rejection, StoredRevision, TargetRecord};
use serde::Serialize;

pub use self::words::{documents_table, explained};
use crate::output::Tone;
use crate::report::{SyncReport, SyncState, TargetReport, Trouble};

/// A SecretSync of documents.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DocumentSync {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    state: State,
    /// Whether every target holds what it should.
    pub ready: bool,
    reason: &'static str,
    message: String,
    #[serde(flatten)]
    remembered: Remembered,
    targets: String,
    sources: Vec<SourceLine>,
    target_states: Vec<TargetLine>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    troubles: Vec<Trouble>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown: Vec<String>,
    to_do: Vec<String>,
}

/// How it is, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum State {
    #[serde(rename = "ready")]
    Ready,
    /// There is something to write.
    #[serde(rename = "changes pending")]
    Pending,
    /// A person is asked.
    #[serde(rename = "waits for approval")]
    Held,
    #[serde(rename = "not ready")]
    NotReady,
    #[serde(rename = "suspended")]
    Suspended,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Pending => "changes pending",
            Self::Held => "waits for approval",
            Self::NotReady => "not ready",
            Self::Suspended => "suspended",
        }
    }

    fn tone(self) -> Tone {
        match self {
            Self::Ready => Tone::Good,
            Self::Pending | Self::Held => Tone::Change,
            Self::NotReady => Tone::Bad,
            Self::Suspended => Tone::Faint,
        }
    }
}

/// What the record says.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Remembered {
    recorded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<Timestamp>,
    /// Keys that are followed: one that leaves the sources leaves the targets, too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keys: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    older: Vec<Older>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rejected: Vec<Rejected>,
}

/// An older revision whose values are kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Older {
    revision: String,
    accepted: Timestamp,
}

/// A revision that validators have rejected.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Rejected {
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    at: Timestamp,
    objections: Vec<String>,
}

/// One source.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct SourceLine {
    name: String,
    state: SourceState,
    /// What it gave is not in this look; what it gave before is in use, or that of the others.
    fell_back: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_version: Option<String>,
}

/// One target.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct TargetLine {
    name: String,
    object: String,
    state: TargetWord,
    /// Keys there that are ours, as the record has it.
    keys: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// How a target is, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum TargetWord {
    Synced,
    Pending,
    Drifted,
    Blocked,
    /// It was not looked at.
    Unknown,
}

impl DocumentSync {
    /// What `report` and the record in `prepared` say. `named` are the documents as they are named to another verb;
    /// names of contents are told only where the installation key is kept.
    pub fn new(
        prepared: &Prepared,
        report: SyncReport,
        (named, key_is_kept): (&str, bool),
    ) -> Self {
        let empty = RecordState::default();
        let record = prepared.record().unwrap_or(&empty);
        let remembered = Remembered::of(prepared, record, key_is_kept);
        let seen = report.targets.iter();
        let mut lines: Vec<TargetLine> = seen
            .map(|target| TargetLine::new(target, record, key_is_kept))
            .collect();
        let known: BTreeSet<String> = lines.iter().map(|line| line.name.clone()).collect();
        let unseen = record.targets.iter();
        let unseen = unseen.filter(|(name, _)| !known.contains(name.as_str()));
        lines.extend(unseen.map(|(name, owned)| TargetLine::unseen(name, owned, key_is_kept)));
        let synced = lines.iter().filter(|line| line.state == TargetWord::Synced);
        let targets = format!("{}/{}", synced.count(), lines.len());
        let (state, reason, message) = verdict(&report, &remembered);
        let fell_back = !report.stale.is_empty();
        let sources = prepared.sources().iter();
        let to_do = steps(&report, (state, &remembered), named);
        let mut troubles = report.problems;
        troubles.extend(report.stale);
        Self {
            namespace: report.namespace,
            name: report.name,
            state,
            // What waits for a person, and what somebody suspended, is not as the documents have it.
            ready: state == State::Ready,
            reason,
            message,
            remembered,
            targets,
            sources: sources
                .map(|source| SourceLine::new(source, record, fell_back))
                .collect(),
            target_states: lines,
            troubles,
            unknown: report.unknown,
            to_do,
        }
    }
}

impl Remembered {
    fn of(prepared: &Prepared, record: &RecordState, key_is_kept: bool) -> Self {
        let named = |revision: &StoredRevision| Older {
            revision: revision.revision.to_string(),
            accepted: revision.at,
        };
        let current = record.current.as_ref();
        let rejections = prepared.rejection().into_iter().chain(&record.rejected);
        Self {
            recorded: prepared.is_recorded(),
            revision: current
                .filter(|_| key_is_kept)
                .map(|current| current.revision.to_string()),
            accepted: current.map(|current| current.at),
            keys: record.known_keys().iter().map(Key::to_string).collect(),
            older: record
                .older
                .iter()
                .filter(|_| key_is_kept)
                .map(named)
                .collect(),
            rejected: rejections
                .map(|rejection| Rejected::new(rejection, key_is_kept))
                .collect(),
        }
    }
}

impl Rejected {
    fn new(rejection: &Rejection, key_is_kept: bool) -> Self {
        let objections = rejection.objections.iter().map(|objection| {
            format!(
                "validator {}: key {} {}",
                objection.validator, objection.key, objection.why
            )
        });
        Self {
            revision: key_is_kept.then(|| rejection.revision.to_string()),
            at: rejection.at,
            objections: objections.collect(),
        }
    }
}

impl SourceLine {
    fn new(source: &SourceStatus, record: &RecordState, fell_back: bool) -> Self {
        let named = |name: &str| {
            let mut versions = record.sources.iter();
            versions.find(|(known, _)| known.as_str() == name)
        };
        let answered = matches!(source.state, SourceState::Ready | SourceState::Skipped);
        Self {
            name: source.name.clone(),
            state: source.state,
            fell_back: fell_back && !answered,
            accepted_version: named(&source.name).map(|(_, version)| version.to_string()),
        }
    }
}

impl TargetLine {
    fn new(target: &TargetReport, record: &RecordState, key_is_kept: bool) -> Self {
        let mut targets = record.targets.iter();
        let owned = targets.find(|(name, _)| name.as_str() == target.name);
        let owned = owned.map(|(_, owned)| owned);
        let counts = target.counts;
        let changes = counts.create + counts.update + counts.delete + counts.adopt;
        let state = if target.blocked.is_some() {
            TargetWord::Blocked
        } else if target.tampered {
            TargetWord::Drifted
        } else if changes > 0 || target.metadata_only {
            TargetWord::Pending
        } else {
            TargetWord::Synced
        };
        let blocked = target.blocked.as_ref();
        Self {
            name: target.name.clone(),
            object: format!("{} {}", target.kind, target.object),
            state,
            keys: owned.map_or(0, |owned| owned.keys.len()),
            revision: owned
                .filter(|_| key_is_kept)
                .map(|owned| owned.revision.to_string()),
            message: blocked
                .map(|trouble| trouble.message.clone())
                .or_else(|| (changes > 0).then(|| counts.words())),
        }
    }
}

impl TargetLine {
    /// One that was not looked at, as the record has it.
    fn unseen(name: &TargetName, owned: &TargetRecord, key_is_kept: bool) -> Self {
        Self {
            name: name.to_string(),
            object: owned.label(),
            state: TargetWord::Unknown,
            keys: owned.keys.len(),
            revision: key_is_kept.then(|| owned.revision.to_string()),
            message: None,
        }
    }
}

/// The state, its reason and a sentence.
fn verdict(report: &SyncReport, remembered: &Remembered) -> (State, &'static str, String) {
    let blocked = || report.targets.iter().find_map(|one| one.blocked.as_ref());
    let told = |trouble: &Trouble| format!("{}: {}", trouble.subject, trouble.message);
    match report.state {
        SyncState::Unchanged if report.stale.is_empty() => (
            State::Ready,
            Reason::Synced.as_str(),
            "Every target holds what the sources give.".to_owned(),
        ),
        SyncState::Unchanged => (
            State::Ready,
            Reason::Synced.as_str(),
            "Every target holds the content in use; not every source answered whether there is a newer one."
                .to_owned(),
        ),
        SyncState::Changes => (
            State::Pending,
            Reason::Pending.as_str(),
            if remembered.accepted.is_some() {
                "The sources, the documents or the targets have changed since the last sync."
            } else {
                "Nothing of it has been written yet, or no record remembers."
            }
            .to_owned(),
        ),
        SyncState::Held => {
            let held = report.held.as_ref();
            (
                State::Held,
                held.map_or(Reason::ApprovalRequired.as_str(), |held| held.reason),
                held.map_or_else(String::new, told),
            )
        }
        SyncState::Failed => {
            let first = report.problems.first().or_else(blocked);
            (
                State::NotReady,
                first.map_or(Reason::Pending.as_str(), |first| first.reason),
                first.map_or_else(String::new, told),
            )
        }
        SyncState::Suspended => (
            State::Suspended,
            Reason::Suspended.as_str(),
            "Nothing is read or written for it.".to_owned(),
        ),
    }
}

/// What a person does next.
fn steps(
    report: &SyncReport,
    (state, remembered): (State, &Remembered),
    named: &str,
) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    let mut add = |step: String| {
        if !steps.contains(&step) {
            steps.push(step);
        }
    };
    let blocked = report.targets.iter().filter_map(|one| one.blocked.as_ref());
    let troubles = report.problems.iter().chain(blocked).chain(&report.held);
    for trouble in troubles.clone() {
        if let Some(hint) = &trouble.hint {
            add(format!("{}.", hint.trim_end_matches('.')));
        }
    }
    let rejects = [
        Reason::ValidationFailed.as_str(),
        Reason::RevisionRejected.as_str(),
    ];
    if troubles
        .clone()
        .any(|trouble| rejects.contains(&trouble.reason))
    {
        add(format!(
            "Put a value that works into the source. To have this very one tried again: `penstock sync {named} --retry`."
        ));
    }
    if state == State::Pending {
        add(format!(
            "`penstock plan {named}` shows every key; `penstock sync {named}` writes them."
        ));
    }
    if !report.stale.is_empty() {
        add(format!(
            "What is in use stays until the source answers again. `penstock doctor {named}` tries its store."
        ));
    }
    if state == State::Suspended {
        add("Take `spec.suspend` out of its document when it shall go on.".to_owned());
    }
    if state == State::NotReady && steps.is_empty() {
        steps.push(format!(
            "`penstock doctor {named}` tries every store and source."
        ));
    }
    if !remembered.recorded && state == State::Ready {
        steps.push(
            "No record remembers what is ours: let runs keep one (`--record`), or nothing can be changed later."
                .to_owned(),
        );
    }
    steps
}

/// `{"syncs": […]}`, in the order given.
pub fn documents_as_json(syncs: &[DocumentSync]) -> Result<String, serde_json::Error> {
    let syncs = BTreeMap::from([("syncs", syncs)]);
    serde_json::to_string_pretty(&syncs)
}
