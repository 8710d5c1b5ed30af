//! I/O: makes workloads use the new content, and watches that they survive it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::apply::{Applied, Work};
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
                match restart::left_alone(workload) {
                    Some(restart::LeftAlone::OptedOut | restart::LeftAlone::NoPods) => {}
                    Some(restart::LeftAlone::Attention(_)) | None => {
                        restart::intend(next, workload, sync, (since, now), &self.key);
                    }
                }
            }
        }
        Ok(Looked {
            workloads: Some(workloads),
            refused: None,
        })
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
        let revision = applied
            .state
            .current
            .as_ref()
            .map(|current| current.revision.to_string());
        let told =
            request.status.record.map(|record| record.counter) == Some(applied.loaded_counter);
        let complete = request
            .status
            .rollout
            .as_ref()
            .is_some_and(|rollout| rollout.phase == Some(RolloutPhase::Complete));
        let settled = told && complete && applied.looked.workloads.is_none();
        if !request.sync.rollout.restart {
            return;
        }
        let mut status = RolloutStatus {
            phase: Some(RolloutPhase::Complete),
            revision,
            ..RolloutStatus::default()
        };
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
            findings.rollout = Some(status);
            return;
        }
        if applied.whole {
            self.drive(request, memory, &mut applied, (&mut status, findings))
                .await;
        } else {
            status.phase = Some(RolloutPhase::Waiting);
        }
        findings.rollout = Some(status);
    }

    async fn drive(
        &self,
        request: PassRequest<'_>,
        memory: &mut Memory,
        applied: &mut Applied,
        (status, findings): (&mut RolloutStatus, &mut Findings),
    ) {
        let sync = request.sync;
        let listed = if let Some(workloads) = applied.looked.workloads.take() {
            Ok(workloads)
        } else {
            let ports = &self.ports.workloads;
            ports
                .list(&sync.id.namespace, &sync.rollout.workloads)
                .await
        };
        let workloads = match listed {
            Ok(workloads) => workloads,
            Err(fault) => {
                status.phase = Some(RolloutPhase::Waiting);
                findings.rollout_fault = Some(fault);
                return;
            }
        };
        let mut progress = Progress::default();
        for workload in &workloads {
            if applied.state.restarts.contains_key(&workload.id.uid) {
                let verdict = self
                    .drive_one(request, memory, (applied, findings), workload)
                    .await;
                progress.note(workload, &verdict);
            }
        }
        progress.finish(status);
    }

    /// Takes one workload a step further; what the step changes in the record is saved before it is done.
    async fn drive_one(
        &self,
        request: PassRequest<'_>,
        memory: &mut Memory,
        (applied, findings): (&mut Applied, &mut Findings),
        workload: &WorkloadView,
    ) -> Result<Step, Fault> {
        let now = self.ports.clock.now();
        let Some(former) = applied.state.restarts.get(&workload.id.uid).cloned() else {
            return Ok(Step::Settled);
        };
        let mut intended = former.clone();
        let step = self
            .advance(request, memory, (workload, &mut intended), now)
            .await?;
        if intended != former {
            applied
                .state
                .restarts
                .insert(workload.id.uid.clone(), intended.clone());
            let version = applied.version.clone();
            let saved = self.save(
                &request.sync.id,
                &mut applied.state,
                version.as_ref(),
                findings,
            );
            applied.version = Some(saved.await?);
        }
        match step {
            Step::Mark | Step::MarkAgain => {
                self.mark(request, memory, workload, (&intended, findings))
                    .await
            }
            other => Ok(other),
        }
    }

    /// The next step for one workload, after a look at its pods where a marker is missing.
    async fn advance(
        &self,
        request: PassRequest<'_>,
        memory: &Memory,
        (workload, intended): (&WorkloadView, &mut RestartRecord),
        now: Timestamp,
    ) -> Result<Step, Fault> {
        let set_here = memory.marked.get(&workload.id.uid) == Some(&intended.marker);
        let step = restart::step(workload, intended, request.sync, set_here, now);
        let budget = matches!(step, Step::Attention(Reason::RestartBudgetExhausted, _));
        if !budget && !matches!(step, Step::Mark | Step::MarkAgain) {
            return Ok(step);
        }
        let pods = self.ports.workloads.pods(workload).await?;
        if restart::all_started_after(&pods, intended.since) {
            return Ok(Step::Settled);
        }
        if (budget || step == Step::MarkAgain)
            && !restart::spend(intended, &request.sync.rollout, now)
        {
            return Ok(Step::Attention(
                Reason::RestartBudgetExhausted,
                restart::budget_text(&request.sync.rollout),
            ));
        }
        Ok(if budget { Step::Mark } else { step })
    }

    async fn mark(
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

/// What a look at the workloads of a namespace came to, if there was one.
#[derive(Default)]
pub(super) struct Looked {
    workloads: Option<Vec<WorkloadView>>,
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
struct Progress {
    counts: crate::api::status::RolloutCounts,
    attention: Vec<WorkloadAttention>,
    stuck: bool,
    refused: bool,
}

impl Progress {
    fn note(&mut self, workload: &WorkloadView, verdict: &Result<Step, Fault>) {
        self.counts.total += 1;
        match verdict {
            Ok(Step::Settled) => self.counts.updated += 1,
            Ok(Step::Progressing) => self.counts.restarting += 1,
            Ok(Step::Mark | Step::MarkAgain) => self.counts.waiting += 1,
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

    fn finish(self, status: &mut RolloutStatus) {
        let counts = self.counts;
        status.phase = Some(if self.stuck {
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
