//! I/O: makes workloads use the new content, and watches that they survive it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::apply::{Applied, Work};
use super::drive::takes_back;
use super::{Engine, Memory, PassRequest};
use crate::api::status::{RolloutPhase, RolloutStatus, WorkloadAttention};
use crate::audit::{AuditAction, AuditEntry};
use crate::conditions::Reason;
use crate::diff::TargetDiff;
use crate::fault::{Fault, FaultClass};
use crate::names::{Key, TargetName};
use crate::ports::Marked;
use crate::record::{OwedRestart, RecordState, RestartRecord, TargetRecord};
use crate::report::{Findings, event};
use crate::restart::{self, Step};
use crate::sync::ValidatedSync;
use crate::text::shorten;
use crate::workload::WorkloadView;

/// The most workloads that status names.
const MAX_ATTENTION: usize = 50;
/// The longest sentence about one of them.
const MAX_MESSAGE: usize = 1024;

impl Engine {
    /// Before anything is written: decides which workloads must restart, and notes it in the record's next
    /// state, so that the same save that allows the write also remembers the restarts.
    pub(super) async fn intend_restarts(
        &self,
        work: &Work<'_>,
        next: &mut RecordState,
        now: Timestamp,
    ) -> Result<Looked, Fault> {
        let sync = work.request.sync;
        let owed = std::mem::take(&mut next.owed);
        let (changed, tampered) = causes(work, next, owed, now);
        if !sync.rollout.restart || (changed.is_empty() && tampered.is_empty()) {
            return Ok(Looked::default());
        }
        let workloads = match self
            .ports
            .workloads
            .list(&sync.id.namespace, &sync.rollout.workloads)
            .await
        {
            Ok(workloads) => workloads,
            // Without permission to look, content still flows; the rollout says what is missing, and what is
            // owed is made good once it is there.
            Err(fault) if !fault.class.is_transient() => {
                next.owed = changed;
                return Ok(Looked {
                    workloads: None,
                    refused: Some(fault),
                });
            }
            Err(fault) => return Err(fault),
        };
        let alive: BTreeSet<&str> = workloads
            .iter()
            .map(|workload| workload.id.uid.as_str())
            .collect();
        next.restarts.retain(|uid, _| alive.contains(uid.as_str()));
        for workload in &workloads {
            let tampered = self.started_on_tampered(workload, &tampered, now).await?;
            let since = tampered
                .then_some(now)
                .max(changed_for(workload, &changed, next));
            if let Some(since) = since {
                self.intend(next, workload, sync, (since, now)).await?;
            }
        }
        Ok(Looked {
            workloads: Some(workloads),
            refused: None,
        })
    }

    async fn intend(
        &self,
        next: &mut RecordState,
        workload: &WorkloadView,
        sync: &ValidatedSync,
        times: (Timestamp, Timestamp),
    ) -> Result<(), Fault> {
        if !self.is_exposed(workload, next, sync, times.1).await? {
            next.restarts.remove(&workload.id.uid);
            return Ok(());
        }
        match restart::left_alone(workload) {
            Some(restart::LeftAlone::OptedOut | restart::LeftAlone::NoPods) => {}
            Some(restart::LeftAlone::Attention(_)) | None => {
                restart::intend(next, workload, sync, times, &self.key);
            }
        }
        Ok(())
    }

    /// Whether `workload` can have pods on what is taken back: it was restarted for it, or some of its pods happened to
    /// start while it was there. Where nothing is taken back, everybody counts.
    async fn is_exposed(
        &self,
        workload: &WorkloadView,
        record: &RecordState,
        sync: &ValidatedSync,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let Some(rollout) = record
            .rollout
            .as_ref()
            .filter(|one| one.takes_back.is_some())
        else {
            return Ok(true);
        };
        let restart = record.restarts.get(&workload.id.uid);
        let annotation = restart::marker_annotation(&sync.id);
        let carried = workload.template_annotations.get(&annotation);
        if restart.is_some_and(|restart| carried == Some(&restart.marker)) {
            return Ok(true);
        }
        let pods = self.ports.workloads.pods(workload).await?;
        Ok(restart::some_started_within(&pods, rollout.exposed, now))
    }

    async fn started_on_tampered(
        &self,
        workload: &WorkloadView,
        tampered: &[(TargetRecord, BTreeSet<Key>, Timestamp)],
        now: Timestamp,
    ) -> Result<bool, Fault> {
        for (target, keys, since) in tampered {
            if restart::uses(workload, target, keys) {
                let pods = self.ports.workloads.pods(workload).await?;
                if restart::some_started_within(&pods, *since, now) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// After the write: sets markers and looks how far workloads are.
    pub(super) async fn roll(
        &self,
        request: PassRequest<'_>,
        memory: &mut Memory,
        mut applied: Applied,
        findings: &mut Findings,
    ) {
        if !request.sync.rollout.restart {
            return;
        }
        let settled = is_settled(request, &applied);
        let mut status = begun(&applied.state);
        if let Some(fault) = applied.looked.refused.take() {
            status.phase = Some(RolloutPhase::Waiting);
            findings.rollout = Some(status);
            findings.rollout_fault = Some(fault);
            return;
        }
        if settled || applied.state.restarts.is_empty() {
            if let (true, Some(former)) = (settled, &request.status.rollout) {
                status.counts = former.counts;
            }
            status.phase = phase_of(status.phase, &applied.state);
            findings.rollout = Some(status);
            return;
        }
        if applied.whole {
            let seen = (&mut status, &mut *findings);
            let casualty = Box::pin(self.drive(request, memory, &mut applied, seen)).await;
            if let Some(casualty) = casualty {
                let back = self.take_back(
                    request,
                    (memory, &mut applied),
                    casualty,
                    (&mut status, &mut *findings),
                );
                Box::pin(back).await;
            }
        } else {
            status.phase = Some(RolloutPhase::Waiting);
        }
        status.phase = phase_of(status.phase, &applied.state);
        findings.rollout = Some(status);
    }

    pub(super) async fn mark(
        &self,
        request: PassRequest<'_>,
        memory: &mut Memory,
        workload: &WorkloadView,
        (intended, findings): (&RestartRecord, &mut Findings),
    ) -> Result<Step, Fault> {
        self.fenced()?;
        let annotation = restart::marker_annotation(&request.sync.id);
        let marked = self
            .ports
            .workloads
            .mark(&workload.id, &annotation, &intended.marker)
            .await;
        self.ports.audit.record(AuditEntry {
            sync: Some(request.sync.id.clone()),
            by: None,
            action: AuditAction::Restart,
            object: workload.id.to_string(),
            keys: Vec::new(),
            revision: Some(intended.marker.clone()),
            failure: marked.as_ref().err().map(|fault| fault.reason),
        });
        match marked? {
            Marked::Gone => Ok(Step::Settled),
            Marked::Set => {
                memory
                    .marked
                    .insert(workload.id.uid.clone(), intended.marker.clone());
                let note = if restart::has_reloader_annotation(workload) {
                    "; it carries annotations of Stakater Reloader, which may restart it a second time"
                } else {
                    ""
                };
                findings.events.push(event(
                    Reason::Restarted,
                    format!("restarted {}{note}", workload.id),
                ));
                Ok(Step::Progressing)
            }
        }
    }
}

/// Whether status has told of the end of what this pass finds unchanged.
fn is_settled(request: PassRequest<'_>, applied: &Applied) -> bool {
    let told = request.status.record.map(|record| record.counter) == Some(applied.loaded_counter);
    let complete = request
        .status
        .rollout
        .as_ref()
        .is_some_and(|rollout| rollout.phase.is_some_and(RolloutPhase::is_over));
    told && complete && applied.looked.workloads.is_none()
}

/// The status of a rollout before anybody has looked at workloads.
fn begun(record: &RecordState) -> RolloutStatus {
    let current = record.current.as_ref();
    let rejected = record.rejected.first();
    RolloutStatus {
        phase: Some(RolloutPhase::Complete),
        revision: current.map(|current| current.revision.to_string()),
        rejected_revision: rejected.map(|one| one.revision.to_string()),
        ..RolloutStatus::default()
    }
}

/// The phase in the words of a rollback, where it is one.
fn phase_of(phase: Option<RolloutPhase>, record: &RecordState) -> Option<RolloutPhase> {
    if !takes_back(record) {
        return phase;
    }
    phase.map(|phase| match phase {
        RolloutPhase::Complete => RolloutPhase::RolledBack,
        RolloutPhase::Restarting => RolloutPhase::RollingBack,
        other => other,
    })
}

/// What a look at the workloads of a namespace came to, if there was one.
#[derive(Default)]
pub(super) struct Looked {
    pub(super) workloads: Option<Vec<WorkloadView>>,
    /// Why nobody may look.
    pub(super) refused: Option<Fault>,
}

type Changed = BTreeMap<TargetName, OwedRestart>;
type Tampered = Vec<(TargetRecord, BTreeSet<Key>, Timestamp)>;

/// What makes restarts necessary: keys whose value changes, even where it stands there already because somebody
/// was faster, and keys that somebody had tampered with.
fn causes(
    work: &Work<'_>,
    next: &RecordState,
    earlier: Changed,
    now: Timestamp,
) -> (Changed, Tampered) {
    let (mut changed, mut tampered) = (earlier, Vec::new());
    changed.retain(|name, _| next.targets.contains_key(name));
    let settled = |difference: &&TargetDiff| {
        difference.blocked.is_none()
            && !difference.reported
            && (difference.is_change() || difference.found.is_some())
    };
    let free = work.plan.held.is_none();
    for difference in work.plan.targets.iter().filter(settled).filter(|_| free) {
        let Some(owned) = next.targets.get(&difference.target) else {
            continue;
        };
        let desired = work.desired.get(&difference.target);
        let former = desired.and_then(|desired| desired.former.as_ref());
        let keys = difference.changed_since(former);
        if !keys.is_empty() {
            let noted = changed.entry(difference.target.clone());
            let noted = noted.or_insert_with(|| OwedRestart {
                keys: BTreeSet::new(),
                since: now,
            });
            noted.keys.extend(keys);
            noted.since = now;
        }
        if let Some(tampering) = difference
            .tampering
            .as_ref()
            .filter(|_| difference.is_change() && work.request.sync.rollout.after_tampering)
            && let Some(since) = tampering.since
        {
            tampered.push((owned.clone(), tampering.keys.clone(), since));
        }
    }
    (changed, tampered)
}

/// When the newest of the changed keys that `workload` uses was written; none when it uses none of them.
fn changed_for(
    workload: &WorkloadView,
    changed: &Changed,
    record: &RecordState,
) -> Option<Timestamp> {
    let concerned = |(name, owed): (&TargetName, &OwedRestart)| {
        let target = record.targets.get(name)?;
        restart::uses(workload, target, &owed.keys).then_some(owed.since)
    };
    changed.iter().filter_map(concerned).max()
}

/// How far all workloads together are.
#[derive(Default)]
pub(super) struct Progress {
    counts: crate::api::status::RolloutCounts,
    attention: Vec<WorkloadAttention>,
    failed: bool,
    stuck: bool,
    refused: bool,
}

impl Progress {
    pub(super) fn note(&mut self, workload: &WorkloadView, verdict: &Result<Step, Fault>) {
        self.counts.total += 1;
        match verdict {
            Ok(Step::Settled) => self.counts.updated += 1,
            Ok(Step::Progressing) => self.counts.restarting += 1,
            Ok(Step::Mark | Step::MarkAgain | Step::Waits) => self.counts.waiting += 1,
            Ok(Step::Failed(why)) => {
                self.failed = true;
                self.counts.failed += 1;
                self.attend(workload, Reason::RolloutHeld, why);
            }
            Ok(Step::Attention(reason, message)) => {
                match reason {
                    Reason::RestartRefused => {
                        self.refused = true;
                        self.counts.skipped += 1;
                    }
                    Reason::RestartBudgetExhausted => self.counts.waiting += 1,
                    _ => {
                        self.stuck = true;
                        self.counts.failed += 1;
                    }
                }
                self.attend(workload, *reason, message);
            }
            Err(fault) => {
                self.counts.waiting += 1;
                if fault.class != FaultClass::Conflict {
                    self.attend(workload, fault.reason, &fault.to_string());
                }
            }
        }
    }

    fn attend(&mut self, workload: &WorkloadView, reason: Reason, message: &str) {
        if self.attention.len() < MAX_ATTENTION {
            self.attention.push(WorkloadAttention {
                kind: workload.id.kind.as_str().to_owned(),
                name: workload.id.name.to_string(),
                reason: reason.to_string(),
                message: shorten(message, MAX_MESSAGE),
            });
        }
    }

    pub(super) fn finish(self, status: &mut RolloutStatus) {
        let counts = self.counts;
        status.phase = Some(if self.failed {
            RolloutPhase::Held
        } else if self.stuck {
            RolloutPhase::Stuck
        } else if counts.restarting > 0 {
            RolloutPhase::Restarting
        } else if counts.waiting > 0 || self.refused {
            RolloutPhase::Waiting
        } else {
            RolloutPhase::Complete
        });
        status.counts = Some(counts);
        status.attention = self.attention;
    }
}
