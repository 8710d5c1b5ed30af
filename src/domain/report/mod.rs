//! From what a pass found to status and events. Pure; nothing here changes while nothing happened.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::api::status::{
    PendingPlan, PendingTarget, RecordStatus, RevisionStatus, RolloutStatus, SecretSyncStatus,
    SourceStatus, TargetState, TargetStatus,
};
use crate::conditions::Reason;
use crate::content::Notes;
use crate::diff::{KeyChange, TargetDiff};
use crate::engine::{EventNote, HeldBack, Memory, Outcome, PassRequest};
use crate::fault::Fault;
use crate::names::{Key, TargetName};
use crate::plan::Plan;
use crate::ports::Written;
use crate::record::RecordState;
use crate::schedule::Next;
use crate::text::{SHOWN_KEYS, key_list, shorten};
use crate::validate::Objection;

pub mod cluster_sync;
mod history;
mod judge;
mod next;
pub mod store;
mod tell;

/// The longest message of a target.
const MAX_MESSAGE: usize = 4096;

/// When a window opens; none where it never does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Opening(pub(crate) Option<Timestamp>);

/// What a pass found, collected step by step.
#[derive(Debug, Default)]
pub struct Findings {
    /// How each source was found.
    pub sources: Vec<SourceStatus>,
    /// What the last read left to tell.
    pub notes: Notes,
    /// Why the pass ended before its end.
    pub stopped: Option<Fault>,
    /// The record was made anew, and why.
    pub rebased: Option<Reason>,
    /// The record could not hold older revisions.
    pub truncated: bool,
    /// The record's counter.
    pub record_counter: Option<u64>,
    /// The revision in use according to the record.
    pub revision: Option<String>,
    /// The revision that each target's last recorded write carried.
    pub target_revisions: BTreeMap<TargetName, String>,
    /// The contents that the record knows of; none where it was not taken over.
    pub history: Option<Vec<RevisionStatus>>,
    /// The plan.
    pub plan: Option<Plan>,
    /// There was no news from the sources: what waited for a person waits still.
    pub no_news: bool,
    /// Targets that were written, or failed to be.
    pub written: BTreeMap<TargetName, Result<Written, Fault>>,
    /// Targets that could not be looked at.
    pub failed_looks: BTreeMap<TargetName, Fault>,
    /// Objects that the spec no longer names: their label, and whether they were removed.
    pub orphans: Vec<(String, bool)>,
    /// A change that is not written yet.
    pub(crate) held_back: Option<HeldBack>,
    /// Why a canary could not be removed: status goes on to tell of it, so that somebody tries again.
    pub(crate) canary_left: Option<Fault>,
    /// The pass has left more to do at once.
    pub(crate) go_on: bool,
    /// Restarts wait for a window.
    pub(crate) restart_window: Option<Opening>,
    /// The wave that is healthy, and when the next one begins.
    pub(crate) wave_pause: Option<(String, Timestamp)>,
    /// The rollout.
    pub rollout: Option<RolloutStatus>,
    /// Why the rollout could not be looked at.
    pub rollout_fault: Option<Fault>,
    /// What validators say of the values in use; none before they have said anything.
    pub health: Option<Vec<Objection>>,
    /// Events that steps have collected.
    pub events: Vec<EventNote>,
}

impl Findings {
    /// Nothing found yet but how the sources were.
    pub fn new(sources: Vec<SourceStatus>) -> Self {
        Self {
            sources,
            no_news: true,
            ..Self::default()
        }
    }

    /// Takes over what the last read left to tell.
    pub fn take_notes(&mut self, notes: &Notes) {
        self.notes = notes.clone();
    }

    /// Takes over what the record now says.
    pub fn take_record(&mut self, state: &RecordState) {
        self.keep_revision(state);
        self.record_counter = Some(state.counter);
        self.history = Some(history::history(state));
        self.target_revisions = state
            .targets
            .iter()
            .map(|(name, owned)| (name.clone(), owned.revision.to_string()))
            .collect();
    }

    /// A canary could not be made, or removed.
    pub(crate) fn hinder(&mut self, fault: Option<Fault>) {
        match (fault, &mut self.held_back) {
            (Some(fault), Some(held)) => *held = HeldBack::by(&fault, &held.revision),
            (Some(fault), None) => self.canary_left = Some(fault),
            (None, _) => {}
        }
    }

    /// The revision in use stays what the record says.
    pub fn keep_revision(&mut self, state: &RecordState) {
        self.revision = state
            .current
            .as_ref()
            .map(|current| current.revision.to_string());
    }
}

/// Good news.
pub fn event(reason: Reason, message: String) -> EventNote {
    EventNote {
        warning: false,
        reason,
        message,
    }
}

/// Bad news.
pub fn warning(reason: Reason, message: String) -> EventNote {
    EventNote {
        warning: true,
        reason,
        message,
    }
}

/// Nothing happened.
pub fn unchanged(request: PassRequest<'_>, memory: &Memory) -> Outcome {
    let interval = request.sync.interval;
    let next = if memory.awaits_confirmation() {
        Next::confirm(interval)
    } else {
        Next::Interval(interval)
    };
    Outcome {
        status: request.status.clone(),
        events: Vec::new(),
        next,
        failed: false,
    }
}

/// The sync is suspended: status says so, all else stays as it was.
pub fn suspended(request: PassRequest<'_>, now: Timestamp) -> Outcome {
    let mut status = request.status.clone();
    status.observed_generation = Some(request.sync.generation);
    judge::suspended(&mut status, request.sync.generation, now);
    let events = if status.conditions == request.status.conditions {
        Vec::new()
    } else {
        vec![event(
            Reason::Suspended,
            "suspended: nothing is read or written".to_owned(),
        )]
    };
    Outcome {
        status,
        events,
        next: Next::Never,
        failed: false,
    }
}

/// The spec cannot be worked with: Stalled, with every problem in the message, until it changes. Targets stay
/// as they are.
pub fn refused(
    former: &SecretSyncStatus,
    generation: i64,
    (reason, message): (Reason, &str),
    now: Timestamp,
) -> Outcome {
    let mut status = former.clone();
    status.observed_generation = Some(generation);
    let about = (reason, message);
    judge::refused(&mut status.conditions, true, about, (generation, now));
    let events = if status.conditions == former.conditions {
        Vec::new()
    } else {
        vec![warning(reason, message.to_owned())]
    };
    Outcome {
        status,
        events,
        next: Next::Never,
        failed: true,
    }
}

/// Makes the outcome of a pass.
pub fn conclude(request: PassRequest<'_>, findings: Findings, now: Timestamp) -> Outcome {
    let former = request.status;
    let mut status = SecretSyncStatus {
        observed_generation: Some(request.sync.generation),
        conditions: former.conditions.clone(),
        revision: findings
            .revision
            .clone()
            .or_else(|| former.revision.clone()),
        summary: None,
        sources: findings.sources.clone(),
        targets: targets(request, &findings),
        rollout: rollout(request, &findings),
        pending_plan: pending(request, &findings),
        record: findings
            .record_counter
            .filter(|counter| *counter > 0)
            .map(|counter| RecordStatus { counter })
            .or(former.record),
        refresh: request.refresh.map(ToOwned::to_owned),
        history: findings
            .history
            .clone()
            .unwrap_or_else(|| former.history.clone()),
        pinned: request
            .wishes
            .pin
            .map(ToOwned::to_owned)
            .filter(|_| findings.notes.blocked.is_empty()),
        wishes: request.wishes.digest(),
    };
    let synced = status
        .targets
        .iter()
        .filter(|target| target.state == TargetState::Synced)
        .count();
    status.summary = Some(format!("{synced}/{}", request.sync.targets.len()));
    judge::conditions(&mut status, request, &findings, now);
    let failed = findings.stopped.is_some()
        || !findings.notes.stale.is_empty()
        || !findings.notes.blocked.is_empty()
        || findings.written.values().any(Result::is_err)
        || !findings.failed_looks.is_empty();
    let next = next::next(request, &findings, &status, now);
    let events = tell::events(request, findings, &status);
    Outcome {
        status,
        events,
        next,
        failed,
    }
}

/// How far the rollout is. Where restarts are switched off there is none, whatever was under way before.
fn rollout(request: PassRequest<'_>, findings: &Findings) -> Option<RolloutStatus> {
    let former = request.status.rollout.as_ref();
    if let Some(held) = &findings.held_back {
        return Some(held.status());
    }
    if findings.canary_left.is_some() {
        return former.cloned();
    }
    let known = findings.rollout.as_ref().or(former);
    known.filter(|_| request.sync.rollout.restart).cloned()
}

fn targets(request: PassRequest<'_>, findings: &Findings) -> Vec<TargetStatus> {
    let differences = findings.plan.iter().flat_map(|plan| &plan.targets);
    let differences: BTreeMap<&TargetName, &TargetDiff> = differences
        .map(|difference| (&difference.target, difference))
        .collect();
    request
        .sync
        .targets
        .iter()
        .map(|target| {
            let former = request
                .status
                .targets
                .iter()
                .find(|former| former.name == target.name.as_str());
            match differences.get(&target.name) {
                Some(difference) => one_target(request, findings, difference, former),
                None => unseen(&target.name, findings, former),
            }
        })
        .collect()
}

fn unseen(name: &TargetName, findings: &Findings, former: Option<&TargetStatus>) -> TargetStatus {
    let fault = findings.failed_looks.get(name);
    let base = former
        .cloned()
        .unwrap_or_else(|| empty_target(name, TargetState::Pending));
    match fault {
        Some(fault) => hindered(base, TargetState::Pending, &fault.to_string()),
        None => base,
    }
}

/// A target that is not as it should be. When a failed write came before, nobody knows which revision it holds.
fn hindered(former: TargetStatus, state: TargetState, message: &str) -> TargetStatus {
    let unsure = former.state == TargetState::Failed && state != TargetState::Failed;
    TargetStatus {
        state,
        message: Some(shorten(message, MAX_MESSAGE)),
        revision: former.revision.filter(|_| !unsure),
        ..former
    }
}

fn empty_target(name: &TargetName, state: TargetState) -> TargetStatus {
    TargetStatus {
        name: name.to_string(),
        state,
        key_count: None,
        revision: None,
        uid: None,
        resource_version: None,
        message: None,
    }
}

fn one_target(
    request: PassRequest<'_>,
    findings: &Findings,
    difference: &TargetDiff,
    former: Option<&TargetStatus>,
) -> TargetStatus {
    let empty = || empty_target(&difference.target, TargetState::Pending);
    let base = former.cloned().unwrap_or_else(empty);
    if let Some((state, message)) = hindrance(findings, difference) {
        return hindered(base, state, &message);
    }
    let (uid, resource_version) = match findings.written.get(&difference.target) {
        Some(Ok(written)) => (
            Some(written.uid.clone()),
            Some(written.resource_version.clone()),
        ),
        _ => as_seen(request, difference).unwrap_or((base.uid, base.resource_version)),
    };
    let revision = findings.target_revisions.get(&difference.target).cloned();
    let waits = former.filter(|former| {
        former.state == TargetState::Pending && still_pending(request, findings).is_some()
    });
    TargetStatus {
        name: difference.target.to_string(),
        state: waits.map_or(TargetState::Synced, |former| former.state),
        key_count: u32::try_from(difference.wanted.len()).ok(),
        revision: revision.or(base.revision),
        uid,
        resource_version,
        message: waits.map_or_else(|| foreign_note(difference), |former| former.message.clone()),
    }
}

/// Why a target does not hold what it should, if it does not.
fn hindrance(findings: &Findings, difference: &TargetDiff) -> Option<(TargetState, String)> {
    let held = findings
        .plan
        .as_ref()
        .is_some_and(|plan| plan.held.is_some());
    if let Some(fault) = &difference.blocked {
        return Some((TargetState::Blocked, fault.to_string()));
    }
    if let Some(tampering) = difference
        .tampering
        .as_ref()
        .filter(|_| difference.reported)
    {
        let keys: Vec<&Key> = tampering.keys.iter().collect();
        let message = format!("changed by somebody else and left so: {}", key_list(&keys));
        return Some((TargetState::Drifted, message));
    }
    if !difference.is_change() {
        return None;
    }
    if held {
        let message = "waits for approval, see status.pendingPlan".to_owned();
        return Some((TargetState::Pending, message));
    }
    match findings.written.get(&difference.target) {
        Some(Ok(_)) => None,
        Some(Err(fault)) => Some((TargetState::Failed, fault.to_string())),
        None => Some((TargetState::Pending, unwritten(findings))),
    }
}

/// Why nothing was written here, where it could have been.
fn unwritten(findings: &Findings) -> String {
    match &findings.stopped {
        Some(fault) => format!("was not written in this pass: {fault}"),
        None => "was not written in this pass".to_owned(),
    }
}

/// The version in which the object was found to be right.
fn as_seen(
    request: PassRequest<'_>,
    difference: &TargetDiff,
) -> Option<(Option<String>, Option<String>)> {
    if let Some((uid, version)) = &difference.found {
        return Some((Some(uid.clone()), Some(version.clone())));
    }
    match request.seen.get(&difference.target)? {
        crate::engine::Seen::Object {
            uid,
            resource_version,
        } => Some((Some(uid.clone()), Some(resource_version.clone()))),
        crate::engine::Seen::Absent => None,
    }
}

fn foreign_note(difference: &TargetDiff) -> Option<String> {
    let keys: Vec<&Key> = difference.with(KeyChange::Foreign).collect();
    (!keys.is_empty()).then(|| {
        shorten(
            &format!("also holds keys that are not ours: {}", key_list(&keys)),
            MAX_MESSAGE,
        )
    })
}

/// The plan that waited for a person before this pass, and still does: nothing has been read since.
fn still_pending<'a>(request: PassRequest<'a>, findings: &Findings) -> Option<&'a PendingPlan> {
    let pending = request.status.pending_plan.as_ref()?;
    (findings.no_news && pending.generation == request.sync.generation).then_some(pending)
}

fn pending(request: PassRequest<'_>, findings: &Findings) -> Option<PendingPlan> {
    if let Some(pending) = still_pending(request, findings) {
        return Some(pending.clone());
    }
    let plan = findings.plan.as_ref()?;
    let held = plan.held.as_ref()?;
    let total = |change| {
        let count: usize = plan.targets.iter().map(|target| target.count(change)).sum();
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    let targets = plan.deletions().into_iter().map(|(name, keys)| {
        let mut deletes: Vec<String> = keys
            .iter()
            .take(SHOWN_KEYS)
            .map(ToString::to_string)
            .collect();
        if keys.len() > SHOWN_KEYS {
            deletes.push(format!("+{}", keys.len() - SHOWN_KEYS));
        }
        PendingTarget {
            name: name.to_string(),
            deletes,
        }
    });
    Some(PendingPlan {
        hash: plan.hash.clone(),
        generation: request.sync.generation,
        reason: held.reason.to_string(),
        creates: total(KeyChange::Create),
        updates: total(KeyChange::Update),
        deletes: total(KeyChange::Delete),
        targets: targets.collect(),
    })
}
