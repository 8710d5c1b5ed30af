//! Conditions: one small decision each, in the meaning of kstatus.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Findings, event, warning};
use crate::api::status::{
    Condition, ConditionStatus, RolloutPhase, RolloutStatus, SecretSyncStatus, TargetState,
};
use crate::conditions::{ConditionType, Reason};
use crate::engine::{EventNote, PassRequest};
use crate::fault::Fault;
use crate::text::shorten;

/// The longest message of a condition.
const MAX_MESSAGE: usize = 4000;

/// What one condition says.
struct Verdict {
    status: ConditionStatus,
    reason: Reason,
    message: String,
}

fn verdict(holds: bool, reason: Reason, message: impl Into<String>) -> Verdict {
    let status = if holds {
        ConditionStatus::True
    } else {
        ConditionStatus::False
    };
    Verdict {
        status,
        reason,
        message: message.into(),
    }
}

/// Sets every condition of a SecretSync.
pub(super) fn conditions(
    status: &mut SecretSyncStatus,
    request: PassRequest<'_>,
    findings: &Findings,
    now: Timestamp,
) {
    let generation = request.sync.generation;
    if status.rollout.is_none() {
        let other = |one: &Condition| one.condition_type != ConditionType::RolledOut.as_str();
        status.conditions.retain(other);
    }
    if !request
        .sync
        .validators
        .iter()
        .any(|one| one.every.is_some())
    {
        let other = |one: &Condition| one.condition_type != ConditionType::ValueHealthy.as_str();
        status.conditions.retain(other);
    }
    let ready = ready(status, findings);
    let verdicts = [
        (
            ConditionType::Reconciling,
            Some(reconciling(status, findings, &ready)),
        ),
        (
            ConditionType::Stalled,
            Some(stalled(status, findings, &ready)),
        ),
        (ConditionType::Drifted, Some(drifted(status))),
        (ConditionType::Stale, Some(stale(findings))),
        (ConditionType::RolledOut, rolled_out(status, findings)),
        (ConditionType::ValueHealthy, value_healthy(findings)),
        (ConditionType::Ready, Some(ready)),
    ];
    for (condition_type, verdict) in verdicts {
        if let Some(verdict) = verdict {
            set(
                &mut status.conditions,
                condition_type,
                verdict,
                (generation, now),
            );
        }
    }
}

/// Sets Ready and Stalled of a suspended sync; what is known of its targets stays.
pub(super) fn suspended(status: &mut SecretSyncStatus, generation: i64, now: Timestamp) {
    let message = "spec.suspend is true: nothing is read or written";
    let stays = |holds| verdict(holds, Reason::Suspended, message);
    set(
        &mut status.conditions,
        ConditionType::Reconciling,
        stays(false),
        (generation, now),
    );
    set(
        &mut status.conditions,
        ConditionType::Stalled,
        stays(true),
        (generation, now),
    );
    set(
        &mut status.conditions,
        ConditionType::Ready,
        stays(false),
        (generation, now),
    );
}

/// Sets Ready, Reconciling and Stalled of something that cannot go on: Stalled when nobody but a person can
/// help.
pub(super) fn refused(
    conditions: &mut Vec<Condition>,
    stalled: bool,
    (reason, message): (Reason, &str),
    (generation, now): (i64, Timestamp),
) {
    for (condition_type, holds) in [
        (ConditionType::Ready, false),
        (ConditionType::Reconciling, false),
        (ConditionType::Stalled, stalled),
    ] {
        let verdict = verdict(holds, reason, message);
        set(conditions, condition_type, verdict, (generation, now));
    }
}

/// Sets Ready, Reconciling and Stalled of something that is well.
pub(super) fn well(
    conditions: &mut Vec<Condition>,
    (reason, message): (Reason, &str),
    (generation, now): (i64, Timestamp),
) {
    for (condition_type, holds) in [
        (ConditionType::Ready, true),
        (ConditionType::Reconciling, false),
        (ConditionType::Stalled, false),
    ] {
        let verdict = verdict(holds, reason, message);
        set(conditions, condition_type, verdict, (generation, now));
    }
}

/// Sets Ready, Reconciling and Stalled of something that is on its way.
pub(super) fn under_way(
    conditions: &mut Vec<Condition>,
    (reason, message): (Reason, &str),
    (generation, now): (i64, Timestamp),
) {
    for (condition_type, holds) in [
        (ConditionType::Ready, false),
        (ConditionType::Reconciling, true),
        (ConditionType::Stalled, false),
    ] {
        let verdict = verdict(holds, reason, message);
        set(conditions, condition_type, verdict, (generation, now));
    }
}

/// Keeps the transition time unless the status flips; always names the generation.
fn set(
    conditions: &mut Vec<Condition>,
    condition_type: ConditionType,
    Verdict {
        status,
        reason,
        message,
    }: Verdict,
    (generation, now): (i64, Timestamp),
) {
    let seconds = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let former = conditions
        .iter_mut()
        .find(|former| former.condition_type == condition_type.as_str());
    let since = former
        .as_ref()
        .filter(|former| former.status == status)
        .map_or(Time(seconds), |former| former.last_transition_time.clone());
    let condition = Condition {
        condition_type: condition_type.as_str().to_owned(),
        status,
        observed_generation: generation,
        last_transition_time: since,
        reason: reason.to_string(),
        message: shorten(&message, MAX_MESSAGE),
    };
    match former {
        Some(former) => *former = condition,
        None => conditions.push(condition),
    }
}

fn joined<'a>(faults: impl IntoIterator<Item = &'a Fault>) -> String {
    faults
        .into_iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

/// Ready, an ordered chain: the first that speaks is the reason.
fn ready(status: &SecretSyncStatus, findings: &Findings) -> Verdict {
    if let Some(fault) = &findings.stopped {
        return verdict(false, fault.reason, fault.to_string());
    }
    if let Some(first) = findings.notes.blocked.first() {
        return verdict(false, first.reason, joined(&findings.notes.blocked));
    }
    if let Some(held) = findings.plan.as_ref().and_then(|plan| plan.held.as_ref()) {
        return verdict(false, held.reason, held.to_string());
    }
    if let Some(waits) = still_waits(status, findings) {
        return waits;
    }
    if let Some(fault) = first_target_fault(findings) {
        return verdict(false, fault.reason, joined(target_faults(findings)));
    }
    let waiting = status
        .targets
        .iter()
        .find(|target| !matches!(target.state, TargetState::Synced | TargetState::Drifted));
    if let Some(target) = waiting {
        let reason = if findings.notes.stale.is_empty() {
            Reason::Pending
        } else {
            Reason::SourceUnavailable
        };
        let message = if findings.notes.stale.is_empty() {
            format!("target {} has not been written yet", target.name)
        } else {
            joined(&findings.notes.stale)
        };
        return verdict(false, reason, message);
    }
    let count = status.targets.len();
    verdict(
        true,
        Reason::Synced,
        format!("{count} of {count} targets hold the current content"),
    )
}

/// What was said of the plan that waits for a person, while nothing new has been read.
fn still_waits(status: &SecretSyncStatus, findings: &Findings) -> Option<Verdict> {
    let pending = status.pending_plan.as_ref().filter(|_| findings.no_news)?;
    let told = status.conditions.iter().find(|condition| {
        condition.condition_type == ConditionType::Ready.as_str()
            && condition.reason == pending.reason
    })?;
    let reason = Reason::ALL.iter().find(|one| one.as_str() == told.reason)?;
    Some(verdict(false, *reason, told.message.clone()))
}

fn target_faults(findings: &Findings) -> impl Iterator<Item = &Fault> {
    let blocked = findings
        .plan
        .iter()
        .flat_map(|plan| &plan.targets)
        .filter_map(|target| target.blocked.as_ref());
    let failed = findings
        .written
        .values()
        .filter_map(|written| written.as_ref().err());
    blocked.chain(failed).chain(findings.failed_looks.values())
}

fn first_target_fault(findings: &Findings) -> Option<&Fault> {
    target_faults(findings).next()
}

/// Work is under way: a transient failure is retried, keys are confirmed, workloads restart.
fn reconciling(status: &SecretSyncStatus, findings: &Findings, ready: &Verdict) -> Verdict {
    if let Some(fault) = findings.notes.confirming_fault() {
        return verdict(true, fault.reason, fault.to_string());
    }
    let phase = status.rollout.as_ref().and_then(|rollout| rollout.phase);
    if let Some(held) = findings
        .held_back
        .as_ref()
        .filter(|held| held.phase.is_trying())
    {
        return verdict(true, held.reason, held.message.clone());
    }
    match phase {
        Some(RolloutPhase::Restarting) => {
            return verdict(true, Reason::RollingOut, "workloads are being restarted");
        }
        Some(RolloutPhase::RollingBack) => {
            return verdict(
                true,
                Reason::RolledBack,
                "the former values are written back",
            );
        }
        _ => {}
    }
    if ready.status == ConditionStatus::False && !is_final(status, findings) {
        return verdict(true, ready.reason, ready.message.clone());
    }
    verdict(false, ready.reason, "nothing is under way")
}

/// Nothing goes on until a person changes something.
fn stalled(status: &SecretSyncStatus, findings: &Findings, ready: &Verdict) -> Verdict {
    if ready.status == ConditionStatus::False && is_final(status, findings) {
        return verdict(true, ready.reason, ready.message.clone());
    }
    verdict(false, ready.reason, "nothing waits for a person")
}

/// Whether everything that is wrong needs a person.
fn is_final(status: &SecretSyncStatus, findings: &Findings) -> bool {
    let held = findings.plan.as_ref().and_then(|plan| plan.held.as_ref());
    let mut faults = findings
        .stopped
        .iter()
        .chain(&findings.notes.blocked)
        .chain(held)
        .chain(target_faults(findings))
        .peekable();
    let waits = still_waits(status, findings).is_some();
    (waits || faults.peek().is_some()) && faults.all(|fault| !fault.class.is_transient())
}

/// What validators say of the values in use. Nothing restarts for it.
fn value_healthy(findings: &Findings) -> Option<Verdict> {
    let objections = findings.health.as_ref()?;
    if objections.is_empty() {
        let message = "the values in use pass every validator that is asked again";
        return Some(verdict(true, Reason::ValuesHealthy, message));
    }
    let told: Vec<String> = objections
        .iter()
        .map(|one| format!("validator {}: {one}", one.validator))
        .collect();
    Some(verdict(false, Reason::ValueUnhealthy, told.join("; ")))
}

fn drifted(status: &SecretSyncStatus) -> Verdict {
    let drifted: Vec<&str> = status
        .targets
        .iter()
        .filter(|target| target.state == TargetState::Drifted)
        .map(|target| target.name.as_str())
        .collect();
    if drifted.is_empty() {
        return verdict(
            false,
            Reason::Synced,
            "no target was changed by somebody else",
        );
    }
    verdict(
        true,
        Reason::TamperingFound,
        format!(
            "changed by somebody else and left so: {}",
            drifted.join(", ")
        ),
    )
}

fn stale(findings: &Findings) -> Verdict {
    match findings.notes.stale.first() {
        Some(first) => verdict(
            true,
            first.reason,
            format!(
                "the last good content stays in use: {}",
                joined(&findings.notes.stale)
            ),
        ),
        None => verdict(
            false,
            Reason::Synced,
            "every source that counts has answered",
        ),
    }
}

fn rolled_out(status: &SecretSyncStatus, findings: &Findings) -> Option<Verdict> {
    let rollout = status.rollout.as_ref()?;
    if let Some(fault) = findings
        .canary_left
        .as_ref()
        .or(findings.rollout_fault.as_ref())
    {
        return Some(verdict(false, fault.reason, fault.to_string()));
    }
    if let Some(held) = &findings.held_back {
        return Some(verdict(false, held.reason, held.message.clone()));
    }
    Some(match rollout.phase {
        Some(RolloutPhase::Complete) => complete(rollout),
        Some(RolloutPhase::RolledBack) => {
            let rejected = rollout.rejected_revision.as_deref();
            let rejected = rejected.unwrap_or("the last revision");
            let message =
                format!("{rejected} was rejected; every workload is back on the former values");
            verdict(false, Reason::RolledBack, message)
        }
        Some(RolloutPhase::RollingBack) => {
            let message = "the former values are written back";
            verdict(false, Reason::RolledBack, message)
        }
        Some(RolloutPhase::Waiting) => waiting(rollout, findings),
        Some(RolloutPhase::Stuck | RolloutPhase::Held) => needs_somebody(rollout),
        _ => verdict(false, Reason::RollingOut, "workloads are being restarted"),
    })
}

fn complete(rollout: &RolloutStatus) -> Verdict {
    let total = rollout.counts.map_or(0, |counts| counts.total);
    let reason = if total == 0 {
        Reason::NothingToRestart
    } else {
        Reason::RolledOut
    };
    let message = "every workload that had to restart runs on the current content";
    verdict(true, reason, message)
}

fn waiting(rollout: &RolloutStatus, findings: &Findings) -> Verdict {
    if let Some(opening) = findings.restart_window {
        let message = waits_for_window(opening.0);
        return verdict(false, Reason::WaitingForWindow, message);
    }
    if let Some((wave, begins)) = &findings.wave_pause {
        let message = format!("wave {wave} is healthy; the next one begins at {begins}");
        return verdict(false, Reason::RollingOut, message);
    }
    needs_somebody(rollout)
}

/// What the workloads say that do not go on.
fn needs_somebody(rollout: &RolloutStatus) -> Verdict {
    let Some(first) = rollout.attention.first() else {
        let message = "waits until every target is written";
        return verdict(false, Reason::Pending, message);
    };
    let known = Reason::ALL.iter();
    let mut known = known.filter(|reason| reason.as_str() == first.reason);
    let reason = known.next().copied().unwrap_or(Reason::Pending);
    let list: Vec<String> = rollout
        .attention
        .iter()
        .map(|one| format!("{} {} {}", one.kind, one.name, one.message))
        .collect();
    verdict(false, reason, list.join("; "))
}

fn waits_for_window(until: Option<Timestamp>) -> String {
    match until {
        Some(until) => {
            format!("targets are written; workloads restart in the window that opens at {until}")
        }
        None => "targets are written; no window for restarts ever opens: change `rollout.windows`"
            .to_owned(),
    }
}

/// Events for conditions that turned.
pub(super) fn turns(former: &[Condition], now: &[Condition]) -> Vec<EventNote> {
    let was = |condition: &Condition| {
        former
            .iter()
            .find(|former| former.condition_type == condition.condition_type)
            .map(|former| (former.status, former.reason.as_str()))
    };
    let told = ["Ready", "Stale", "Drifted", "RolledOut", "ValueHealthy"];
    now.iter()
        .filter(|condition| told.contains(&condition.condition_type.as_str()))
        .filter(|condition| was(condition) != Some((condition.status, condition.reason.as_str())))
        .filter_map(|condition| tell(condition, was(condition).map(|(status, _)| status)))
        .collect()
}

/// Good news is told only when it ends bad news.
fn tell(condition: &Condition, former: Option<ConditionStatus>) -> Option<EventNote> {
    let bad = match condition.condition_type.as_str() {
        "Stale" | "Drifted" => ConditionStatus::True,
        _ => ConditionStatus::False,
    };
    let reason = Reason::ALL
        .iter()
        .find(|reason| reason.as_str() == condition.reason)
        .copied()?;
    let message = shorten(
        &format!("{}: {}", condition.condition_type, condition.message),
        1000,
    );
    if condition.status == bad {
        let progress = matches!(reason, Reason::RollingOut | Reason::Pending);
        return Some(if progress {
            event(reason, message)
        } else {
            warning(reason, message)
        });
    }
    (former == Some(bad)).then(|| event(reason, message))
}
