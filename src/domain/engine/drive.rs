//! I/O: takes workloads onto the content, wave by wave, and watches that they survive it.

use std::time::Duration;

use jiff::Timestamp;

use super::apply::Applied;
use super::roll::Progress;
use super::{Engine, Memory, PassRequest};
use crate::api::rollout::WindowHold;
use crate::api::status::{RolloutPhase, RolloutStatus};
use crate::conditions::Reason;
use crate::fault::Fault;
use crate::record::{RecordState, RestartRecord, saturating_sub};
use crate::report::{Findings, Opening};
use crate::restart::{self, Step};
use crate::rollout::{Openness, WaveOf, Waves, openness};
use crate::sync::{Previous, Rollout, WavePlan};
use crate::workload::WorkloadView;

/// How long a restart is under way before its pods are looked at: most are over by then.
const LOOK_AFTER: Duration = Duration::from_secs(10);
/// Workloads whose pods are looked at in one pass. Those that fail stay under way, so each gets its turn.
const LOOKS: usize = 32;

/// A workload that does not survive the content.
#[derive(Debug, Clone)]
pub(super) struct Casualty {
    pub(super) workload: String,
    pub(super) why: String,
}

/// How a drive through the waves goes.
struct Drive {
    progress: Progress,
    casualty: Option<Casualty>,
    looks: usize,
}

impl Engine {
    /// Sets the markers whose turn it is, and looks how far everybody is.
    pub(super) async fn drive(
        &self,
        request: PassRequest<'_>,
        memory: &mut Memory,
        applied: &mut Applied,
        (status, findings): (&mut RolloutStatus, &mut Findings),
    ) -> Option<Casualty> {
        let workloads = match self.workloads(request, applied).await {
            Ok(workloads) => workloads,
            Err(fault) => {
                status.phase = Some(RolloutPhase::Waiting);
                findings.rollout_fault = Some(fault);
                return None;
            }
        };
        let now = self.ports.clock.now();
        let mut drive = Drive {
            progress: Progress::default(),
            casualty: None,
            looks: LOOKS,
        };
        let waves = Waves::new(plans(&request.sync.rollout, &applied.state));
        let mut begun = may_restart(request, &applied.state, (status, findings), now);
        for wave in waves.in_order() {
            let members = members(&waves, wave, &workloads, &applied.state);
            if members.is_empty() {
                continue;
            }
            if begun && status.wave.is_none() {
                status.wave = waves.plan(wave).map(|plan| plan.name.clone());
            }
            let room = if begun { waves.max_parallel(wave) } else { 0 };
            let healthy = self
                .drive_wave(
                    request,
                    memory,
                    (applied, findings),
                    (&members, room, &mut drive),
                )
                .await;
            if begun && healthy && drive.casualty.is_none() {
                status.wave = None;
                begun = self
                    .pause(request, (applied, findings), (&waves, wave), now)
                    .await;
            } else {
                begun = false;
            }
        }
        drive.progress.finish(status);
        drive.casualty
    }

    /// The workloads of the sync: as this pass has seen them already, or as they are now.
    async fn workloads(
        &self,
        request: PassRequest<'_>,
        applied: &mut Applied,
    ) -> Result<Vec<WorkloadView>, Fault> {
        if let Some(workloads) = applied.looked.workloads.take() {
            return Ok(workloads);
        }
        let sync = request.sync;
        let ports = &self.ports.workloads;
        ports
            .list(&sync.id.namespace, &sync.rollout.workloads)
            .await
    }

    /// One wave: first those that are under way, then as many more as there is room for. Whether all are well.
    async fn drive_wave(
        &self,
        request: PassRequest<'_>,
        memory: &mut Memory,
        (applied, findings): (&mut Applied, &mut Findings),
        (members, room, drive): (&[&WorkloadView], usize, &mut Drive),
    ) -> bool {
        let annotation = restart::marker_annotation(&request.sync.id);
        let is_marked = |workload: &WorkloadView| {
            let restart = applied.state.restarts.get(&workload.id.uid);
            let carried = workload.template_annotations.get(&annotation);
            restart.is_some_and(|restart| carried == Some(&restart.marker))
        };
        let (marked, open): (Vec<_>, Vec<_>) =
            members.iter().copied().partition(|one| is_marked(one));
        let mut healthy = true;
        let mut under_way = 0;
        for workload in marked.into_iter().chain(open) {
            let turn = under_way < room && drive.casualty.is_none();
            let verdict = self
                .drive_one(
                    request,
                    memory,
                    (applied, findings),
                    (workload, turn, drive),
                )
                .await;
            let settled = is_settled(&verdict);
            if !settled && !matches!(verdict, Ok(Step::Waits)) {
                under_way += 1;
            }
            healthy &= settled;
            if let Ok(Step::Failed(why)) = &verdict {
                drive.casualty.get_or_insert_with(|| Casualty {
                    workload: workload.id.to_string(),
                    why: why.clone(),
                });
            }
            drive.progress.note(workload, &verdict);
        }
        healthy
    }

    /// After a healthy wave: whether the next one may begin.
    async fn pause(
        &self,
        request: PassRequest<'_>,
        (applied, findings): (&mut Applied, &mut Findings),
        (waves, wave): (&Waves<'_>, WaveOf),
        now: Timestamp,
    ) -> bool {
        let Some(plan) = waves.plan(wave).filter(|plan| plan.pause > Duration::ZERO) else {
            return true;
        };
        let Some(rollout) = &mut applied.state.rollout else {
            return true;
        };
        let begins = waves.next_begins(wave, &rollout.healthy, now);
        if begins <= now {
            return true;
        }
        findings.wave_pause = Some((plan.name.clone(), begins));
        if rollout.healthy.contains_key(&plan.name) {
            return false;
        }
        rollout.healthy.insert(plan.name.clone(), now);
        let version = applied.version.clone();
        let saved = self.save(
            &request.sync.id,
            &mut applied.state,
            version.as_ref(),
            findings,
        );
        match saved.await {
            Ok(version) => applied.version = Some(version),
            Err(fault) => findings.rollout_fault = Some(fault),
        }
        false
    }

    /// Takes one workload a step further; what the step changes in the record is saved before it is done.
    async fn drive_one(
        &self,
        request: PassRequest<'_>,
        memory: &mut Memory,
        (applied, findings): (&mut Applied, &mut Findings),
        (workload, turn, drive): (&WorkloadView, bool, &mut Drive),
    ) -> Result<Step, Fault> {
        let now = self.ports.clock.now();
        let Some(former) = applied.state.restarts.get(&workload.id.uid).cloned() else {
            return Ok(Step::Settled);
        };
        let mut intended = former.clone();
        let step = self
            .advance(request, memory, (workload, &mut intended, turn), now)
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
            Step::Progressing | Step::Attention(Reason::RolloutStuck, _) => {
                self.look_closer(workload, &intended, step, (now, drive))
                    .await
            }
            other => Ok(other),
        }
    }

    /// What the pods of a restart that takes its time say.
    async fn look_closer(
        &self,
        workload: &WorkloadView,
        restart: &RestartRecord,
        step: Step,
        (now, drive): (Timestamp, &mut Drive),
    ) -> Result<Step, Fault> {
        let caused = restart.caused.last().copied().unwrap_or(restart.since);
        let late = matches!(step, Step::Attention(..));
        if (!late && caused > saturating_sub(now, LOOK_AFTER)) || drive.looks == 0 {
            return Ok(step);
        }
        drive.looks -= 1;
        let pods = self.ports.workloads.pods(workload).await?;
        Ok(match restart::diagnose(restart, &pods, late) {
            Some(why) => Step::Failed(why),
            None => step,
        })
    }

    /// The next step for one workload, after a look at its pods where a marker is missing.
    async fn advance(
        &self,
        request: PassRequest<'_>,
        memory: &Memory,
        (workload, intended, turn): (&WorkloadView, &mut RestartRecord, bool),
        now: Timestamp,
    ) -> Result<Step, Fault> {
        let set_here = memory.marked.get(&workload.id.uid) == Some(&intended.marker);
        let step = restart::step(workload, intended, request.sync, set_here, now);
        let budget = matches!(step, Step::Attention(Reason::RestartBudgetExhausted, _));
        if !budget && !matches!(step, Step::Mark | Step::MarkAgain) {
            return Ok(step);
        }
        if !turn {
            return Ok(Step::Waits);
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
}

/// Whether markers may be set at all now. What is taken back waits for nobody.
fn may_restart(
    request: PassRequest<'_>,
    record: &RecordState,
    (status, findings): (&mut RolloutStatus, &mut Findings),
    now: Timestamp,
) -> bool {
    let rollout = &request.sync.rollout;
    let current = record
        .current
        .as_ref()
        .map(|current| current.revision.as_str());
    let hurry = request.wishes.now.is_some() && request.wishes.now == current;
    if hurry || takes_back(record) || rollout.previous == Previous::Invalid {
        return true;
    }
    let Openness::ClosedUntil(until) = openness(&rollout.windows, WindowHold::Restart, now) else {
        return true;
    };
    status.phase = Some(RolloutPhase::Waiting);
    findings.restart_window = Some(Opening(until));
    false
}

/// The waves that hold: none for what is taken back, or where the old values are dead.
fn plans<'a>(rollout: &'a Rollout, record: &RecordState) -> &'a [WavePlan] {
    if takes_back(record) || rollout.previous == Previous::Invalid {
        &[]
    } else {
        &rollout.waves
    }
}

pub(super) fn takes_back(record: &RecordState) -> bool {
    let rollout = record.rollout.as_ref();
    rollout.is_some_and(|rollout| rollout.takes_back.is_some())
}

/// The workloads of one wave that must restart.
fn members<'a>(
    waves: &Waves<'_>,
    wave: WaveOf,
    workloads: &'a [WorkloadView],
    record: &RecordState,
) -> Vec<&'a WorkloadView> {
    let owes = |workload: &&WorkloadView| record.restarts.contains_key(&workload.id.uid);
    let is_member = |workload: &&WorkloadView| waves.of(workload) == wave;
    workloads.iter().filter(owes).filter(is_member).collect()
}

/// Whether a later wave need not wait for it. Who is left alone, or is somebody else's to restart, holds nobody up.
fn is_settled(verdict: &Result<Step, Fault>) -> bool {
    matches!(
        verdict,
        Ok(Step::Settled | Step::Attention(Reason::RestartRefused, _))
    )
}
