//! A plan as people and pipelines read it: pure, and without a value.

mod json;
mod markdown;
mod text;

use std::collections::BTreeMap;

use penstock_domain::diff::{KeyChange, TargetDiff};
use penstock_domain::engine::Prepared;
use penstock_domain::fault::Fault;
use penstock_domain::names::Key;
use penstock_domain::plan::Plan;
use penstock_domain::sync::{Destination, HostCommand, ValidatedTarget};
use penstock_domain::workload::WorkloadId;
use serde::Serialize;

pub use self::json::json;
pub use self::markdown::markdown;
pub use self::text::text;
use crate::local::ChosenSync;

/// Digits of a content's hash that are shown.
const SHOWN_DIGITS: usize = 8;

/// What the record of another installation keeps to itself.
const SEALED_ELSEWHERE: &str = "the record is sealed under another installation key: which keys would be deleted and which workloads would restart is not known here (`--key`)";

/// What one run would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanReport {
    /// One for each sync.
    pub syncs: Vec<SyncReport>,
    /// All keys together.
    pub summary: Counts,
}

/// What would happen for one sync.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncReport {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: SyncState,
    /// Names this plan, for `--approve`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// What cannot be known here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// Why the plan waits for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Trouble>,
    /// Sources that did not answer while the last good content stays in use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stale: Vec<Trouble>,
    /// What keeps it from working.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Trouble>,
    /// Its targets.
    pub targets: Vec<TargetReport>,
    /// Workloads that would restart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub restarts: Vec<String>,
}

/// How a sync stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SyncState {
    /// Nothing to do.
    Unchanged,
    /// There are changes.
    Changes,
    /// There are changes that wait for a person.
    Held,
    /// Something is wrong.
    Failed,
    /// It is suspended.
    Suspended,
}

/// What would happen at one target.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetReport {
    /// Its name.
    pub name: String,
    /// `Secret`, `ConfigMap`, `File` or `HostFile`.
    pub kind: String,
    /// The object's name, or the file's path.
    pub object: String,
    /// Every key.
    pub keys: BTreeMap<String, KeyReport>,
    /// How many of each.
    pub counts: Counts,
    /// Somebody else changed it, and it is repaired.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tampered: bool,
    /// Only labels, annotations or the owner's tag would be written; of a file, its mode, or a command is still due.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub metadata_only: bool,
    /// What runs on the host after the write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandReport>,
    /// Why nothing can be written here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Trouble>,
}

/// A command that runs on a host after a write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommandReport {
    /// The command.
    pub run: String,
    /// Whether this run may; without, nothing is written.
    pub allowed: bool,
}

/// What would happen to one key.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeyReport {
    /// The verdict.
    pub change: Change,
    /// Source and path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// A short keyed hash of the content that is wanted; none where the key is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

/// The verdict on a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// It would be created.
    Create,
    /// It would be updated.
    Update,
    /// It would be deleted.
    Delete,
    /// It is there and would become ours.
    Adopt,
    /// It is as it should be.
    Unchanged,
    /// It is not ours and is left alone.
    Foreign,
}

impl From<KeyChange> for Change {
    fn from(change: KeyChange) -> Self {
        match change {
            KeyChange::Create => Self::Create,
            KeyChange::Update => Self::Update,
            KeyChange::Delete => Self::Delete,
            KeyChange::Adopt => Self::Adopt,
            KeyChange::Unchanged => Self::Unchanged,
            KeyChange::Foreign => Self::Foreign,
        }
    }
}

/// How many keys of each verdict, and how many targets are blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// To create.
    pub create: usize,
    /// To update.
    pub update: usize,
    /// To delete.
    pub delete: usize,
    /// To adopt.
    pub adopt: usize,
    /// Unchanged.
    pub unchanged: usize,
    /// Not ours.
    pub foreign: usize,
    /// Targets that are blocked.
    pub blocked: usize,
}

impl Counts {
    fn note(&mut self, change: Change) {
        *match change {
            Change::Create => &mut self.create,
            Change::Update => &mut self.update,
            Change::Delete => &mut self.delete,
            Change::Adopt => &mut self.adopt,
            Change::Unchanged => &mut self.unchanged,
            Change::Foreign => &mut self.foreign,
        } += 1;
    }

    fn add(&mut self, other: Self) {
        self.create += other.create;
        self.update += other.update;
        self.delete += other.delete;
        self.adopt += other.adopt;
        self.unchanged += other.unchanged;
        self.foreign += other.foreign;
        self.blocked += other.blocked;
    }

    /// `2 to create, 1 to delete`, without what is none.
    pub fn words(&self) -> String {
        let parts: Vec<String> = [
            (self.create, "to create"),
            (self.update, "to update"),
            (self.delete, "to delete"),
            (self.adopt, "to adopt"),
            (self.unchanged, "unchanged"),
            (self.foreign, "not ours"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
        parts.join(", ")
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// The reason, one of the documented words.
    pub reason: &'static str,
    /// What it is about.
    pub subject: String,
    /// What is wrong.
    pub message: String,
    /// The way out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl From<&Fault> for Trouble {
    fn from(fault: &Fault) -> Self {
        Self {
            reason: fault.reason.as_str(),
            subject: fault.subject.clone(),
            message: fault.message.clone(),
            hint: fault.hint.clone(),
        }
    }
}

impl PlanReport {
    /// All syncs together.
    pub fn new(syncs: Vec<SyncReport>) -> Self {
        let mut summary = Counts::default();
        for target in syncs.iter().flat_map(|sync| &sync.targets) {
            summary.add(target.counts);
        }
        Self { syncs, summary }
    }

    /// Whether anything failed.
    pub fn failed(&self) -> bool {
        self.syncs
            .iter()
            .any(|sync| sync.state == SyncState::Failed)
    }

    /// Whether anything would change.
    pub fn changes(&self) -> bool {
        let pending = [SyncState::Changes, SyncState::Held];
        self.syncs.iter().any(|sync| pending.contains(&sync.state))
    }
}

/// What a report tells besides the plan.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// Hashes: left out where the key that made them is not kept, because nobody could compare them with anything.
    pub hashes: bool,
    /// Whether the run may let commands run on hosts.
    pub commands_allowed: bool,
}

impl SyncReport {
    /// What would happen for `chosen`.
    pub fn new(
        chosen: &ChosenSync,
        prepared: &Prepared,
        restarts: &Result<Vec<WorkloadId>, Fault>,
        told: Told,
    ) -> Self {
        let hashes = told.hashes;
        let sealed = prepared
            .is_sealed_elsewhere()
            .then(|| SEALED_ELSEWHERE.to_owned());
        let mut unknown: Vec<String> = sealed.into_iter().collect();
        let refused = restarts.as_ref().err();
        unknown.extend(
            refused.map(|fault| format!("which workloads would restart is not known: {fault}")),
        );
        let restarts = restarts.iter().flatten().map(ToString::to_string).collect();
        let plan = prepared.plan();
        let differences = plan.map(|plan| plan.targets.as_slice()).unwrap_or_default();
        let targets: Vec<TargetReport> = differences
            .iter()
            .filter_map(|difference| {
                let mut targets = chosen.sync.targets.iter();
                let target = targets.find(|target| target.name == difference.target)?;
                Some(target_report(target, difference, prepared, told))
            })
            .collect();
        let held = plan.and_then(|plan| plan.held.as_ref());
        let looks = prepared
            .failed_looks()
            .iter()
            .map(|(target, fault)| Trouble {
                subject: format!("target {target} ({})", fault.subject),
                ..Trouble::from(fault)
            });
        let mut problems: Vec<Trouble> =
            prepared.stopped().map(Trouble::from).into_iter().collect();
        problems.extend(prepared.notes().blocked.iter().map(Trouble::from));
        problems.extend(looks);
        let changes = plan.is_some_and(|plan| !plan.is_empty());
        let state = if chosen.sync.suspend {
            SyncState::Suspended
        } else if !problems.is_empty() || targets.iter().any(|target| target.blocked.is_some()) {
            SyncState::Failed
        } else if held.is_some() {
            SyncState::Held
        } else if changes {
            SyncState::Changes
        } else {
            SyncState::Unchanged
        };
        Self {
            namespace: chosen.sync.id.namespace.to_string(),
            name: chosen.sync.id.name.to_string(),
            state,
            hash: plan.filter(|_| hashes).map(|plan| plan.hash.clone()),
            unknown,
            held: held.map(|fault| Trouble {
                hint: Some(way_out(plan.filter(|_| hashes))),
                ..Trouble::from(fault)
            }),
            stale: prepared.notes().stale.iter().map(Trouble::from).collect(),
            problems,
            targets,
            restarts,
        }
    }
}

/// What a person can do about a plan that a guard holds back.
fn way_out(plan: Option<&Plan>) -> String {
    let restore = "or restore the keys at the source";
    match plan {
        Some(plan) => format!(
            "Approve this plan with `penstock sync --approve {}`, {restore}",
            plan.hash
        ),
        None => format!("Approving needs an installation key that is kept (`--key`), {restore}"),
    }
}

fn target_report(
    target: &ValidatedTarget,
    difference: &TargetDiff,
    prepared: &Prepared,
    told: Told,
) -> TargetReport {
    let mut counts = Counts {
        blocked: usize::from(difference.blocked.is_some()),
        ..Counts::default()
    };
    let mut keys = BTreeMap::new();
    for (key, change) in &difference.keys {
        let change = Change::from(*change);
        counts.note(change);
        let content = difference.wanted.get(key).filter(|_| told.hashes);
        keys.insert(
            key.to_string(),
            KeyReport {
                change,
                from: provenance(prepared, key),
                content: content
                    .and_then(|hash| hash.as_str().get(..SHOWN_DIGITS))
                    .map(str::to_owned),
            },
        );
    }
    TargetReport {
        name: target.name.to_string(),
        kind: target.destination.kind().to_owned(),
        object: target.destination.object_name().to_owned(),
        keys,
        counts,
        tampered: difference.tampering.is_some(),
        metadata_only: difference.is_change() && !difference.content_changes(),
        // What is only adopted stands there already, and no command follows.
        command: command(target)
            .filter(|_| difference.is_change())
            .filter(|_| difference.content_changes() || counts.adopt == 0)
            .map(|command| CommandReport {
                run: command.run.clone(),
                allowed: told.commands_allowed,
            }),
        blocked: difference.blocked.as_ref().map(Trouble::from),
    }
}

fn command(target: &ValidatedTarget) -> Option<&HostCommand> {
    match &target.destination {
        Destination::HostFile(host) => host.command.as_ref(),
        Destination::Secret(_) | Destination::ConfigMap(_) | Destination::File(_) => None,
    }
}

fn provenance(prepared: &Prepared, key: &Key) -> Option<String> {
    let provenance = &prepared.bundle()?.0.get(key)?.provenance;
    let source = provenance.source.as_ref()?;
    Some(if provenance.path.is_empty() {
        source.to_string()
    } else {
        format!("{source}, {}", provenance.path)
    })
}
