//! The plan: what would change, per target and key, and whether a person must agree. A value, never an act.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::conditions::Reason;
use crate::diff::{KeyChange, TargetDiff};
use crate::fault::{Fault, FaultClass};
use crate::keys::{InstallationKey, Revision};
use crate::names::{Key, TargetName};
use crate::record::RecordState;
use crate::sync::ValidatedSync;
use crate::text::key_list;

/// Fewer deletions than this never ask a person because of their share.
const FREE_DELETIONS: usize = 3;

/// What would change.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The content that would be written.
    pub revision: Revision,
    /// One difference per target, in the order of the spec.
    pub targets: Vec<TargetDiff>,
    /// Names this plan: what a person approves.
    pub hash: String,
    /// Why the whole plan waits for a person.
    pub held: Option<Fault>,
}

impl Plan {
    /// Makes the plan from the differences; guards decide whether it is held.
    pub fn make(
        input: PlanInput<'_>,
        revision: Revision,
        targets: Vec<TargetDiff>,
        key: &InstallationKey,
    ) -> Self {
        let hash = plan_hash(input.sync, &targets, key);
        let approved =
            input.approval == Some(hash.as_str()) && !input.record.used_approvals.contains(&hash);
        let held = guard(&input, &targets).filter(|_| !approved);
        Self {
            revision,
            targets,
            hash,
            held,
        }
    }

    /// The differences that are to be written.
    pub fn writes(&self) -> impl Iterator<Item = &TargetDiff> {
        self.targets
            .iter()
            .filter(|target| self.held.is_none() && target.is_change())
    }

    /// Whether anything would be written if no person had to agree.
    pub fn is_empty(&self) -> bool {
        !self.targets.iter().any(TargetDiff::is_change)
    }

    /// Whether some target cannot be written at all.
    pub fn is_blocked(&self) -> bool {
        self.targets.iter().any(|target| target.blocked.is_some())
    }

    /// Keys that would be deleted, by target.
    pub fn deletions(&self) -> BTreeMap<&TargetName, Vec<&Key>> {
        let of = |target: &TargetDiff| target.with(KeyChange::Delete).count() > 0;
        self.targets
            .iter()
            .filter(|target| of(target))
            .map(|target| (&target.target, target.with(KeyChange::Delete).collect()))
            .collect()
    }

    /// Whether the approval that was given is used up by carrying this plan out.
    pub fn uses_approval(&self, input: &PlanInput<'_>) -> bool {
        self.held.is_none()
            && input.approval == Some(self.hash.as_str())
            && guard(input, &self.targets).is_some()
    }
}

/// What guards look at.
#[derive(Debug, Clone, Copy)]
pub struct PlanInput<'a> {
    /// The spec.
    pub sync: &'a ValidatedSync,
    /// The record.
    pub record: &'a RecordState,
    /// The hash that a person approved.
    pub approval: Option<&'a str>,
    /// Sources whose version went back, in words.
    pub went_back: Option<&'a Fault>,
    /// Now.
    pub now: Timestamp,
}

/// Binds generation, targets, keys, verdicts and contents: another plan has another hash.
fn plan_hash(sync: &ValidatedSync, targets: &[TargetDiff], key: &InstallationKey) -> String {
    let generation = sync.generation.to_string();
    let mut parts = vec![generation.as_str()];
    for target in targets {
        parts.push(target.target.as_str());
        for (name, change) in &target.keys {
            let verdict = match change {
                KeyChange::Create => "create",
                KeyChange::Update => "update",
                KeyChange::Delete => "delete",
                KeyChange::Adopt => "adopt",
                KeyChange::Unchanged | KeyChange::Foreign => continue,
            };
            let content = target.wanted.get(name).map_or("", |hash| hash.as_str());
            parts.extend([name.as_str(), verdict, content]);
        }
    }
    key.fingerprint("plan", &sync.id, parts, 8)
}

/// The guards of rule 1, in order; the first that speaks is the reason.
fn guard(input: &PlanInput<'_>, targets: &[TargetDiff]) -> Option<Fault> {
    input.went_back.cloned().or_else(|| {
        let counted = || targets.iter().filter(|target| target.is_change());
        counted()
            .find_map(empties)
            .or_else(|| counted().find_map(shrinks))
            .or_else(|| too_many(input, counted()))
    })
}

fn owned_before(target: &TargetDiff) -> usize {
    let kept = target.count(KeyChange::Update) + target.count(KeyChange::Unchanged);
    kept + target.new_deletions().count()
}

fn empties(target: &TargetDiff) -> Option<Fault> {
    let deleted = target.new_deletions().count();
    let left = target.wanted.len();
    (deleted > 0 && left == 0)
        .then(|| approval(target, &format!("would lose its last keys ({deleted})")))
}

fn shrinks(target: &TargetDiff) -> Option<Fault> {
    let (deleted, owned) = (target.new_deletions().count(), owned_before(target));
    (deleted > FREE_DELETIONS && deleted * 2 > owned)
        .then(|| approval(target, &format!("would lose {deleted} of its {owned} keys")))
}

fn approval(target: &TargetDiff, what: &str) -> Fault {
    let names: Vec<&str> = target.new_deletions().map(Key::as_str).collect();
    let message = format!("{what}: {}", key_list(&names));
    waits(format!("target {}", target.target), message)
}

fn too_many<'a>(
    input: &PlanInput<'_>,
    targets: impl Iterator<Item = &'a TargetDiff>,
) -> Option<Fault> {
    let limit = input.sync.max_deletes?;
    let now: usize = targets.map(|target| target.new_deletions().count()).sum();
    let before = input.record.recent_deletions(input.now);
    let total = usize::try_from(before)
        .unwrap_or(usize::MAX)
        .saturating_add(now);
    (now > 0 && total > usize::try_from(limit).unwrap_or(usize::MAX)).then(|| {
        let message = format!("would delete {now} keys after {before} within 24 h, more than `guards.maxDeletes` ({limit})");
        waits("plan".to_owned(), message)
    })
}

/// A fault that only a person's approval of this very plan resolves.
pub fn waits(subject: String, message: String) -> Fault {
    Fault::new(FaultClass::Denied, subject, message)
        .because(Reason::ApprovalRequired)
        .hint("Nothing was written. Approve this plan by the annotation `penstock.dev/approve` with `status.pendingPlan.hash`, or restore the keys at the source")
}
