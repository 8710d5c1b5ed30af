//! I/O that only looks: how a canary of a change does.

use futures::future::join_all;

use super::gate::{HeldBack, in_a_hurry};
use super::{Engine, Loaded, Memory, PassRequest};
use crate::api::status::RolloutPhase;
use crate::audit::{AuditAction, AuditEntry};
use crate::bundle::Bundle;
use crate::canary::{
    Canary, CanaryCheck, CanaryMode, CanaryPlan, CanaryStep, CanaryView, Candidate, CandidateKind,
    CheckQuestion, CheckTally, CheckVerdict, Trial, judge,
};
use crate::conditions::Reason;
use crate::fault::{Fault, FaultClass};
use crate::keys::Revision;
use crate::record::RecordState;
use crate::render;
use crate::restart;
use crate::sync::{Destination, ValidatedSync, WorkloadKind};
use crate::workload::{WorkloadId, WorkloadView};

/// A trial that this process follows.
#[derive(Debug, Clone)]
pub(super) struct Followed {
    trial: Trial,
    tally: CheckTally,
    /// It has passed: nothing is asked any more while it waits for a window or a person.
    passed: bool,
}

/// What a trial has come to.
pub(super) enum TrialStep {
    /// The change may go on.
    Passed,
    /// The change is rejected.
    Failed(String),
    /// Not yet; and what is to be made for it.
    Waits(HeldBack, Option<Trial>),
}

impl Engine {
    /// Looks at the canary of a change, asks its checks, and judges. Where a person is in a hurry, it must become
    /// ready and need not soak.
    pub(super) async fn try_out(
        &self,
        request: PassRequest<'_>,
        plan: &CanaryPlan,
        (loaded, bundle, revision): (&Loaded, &Bundle, &Revision),
        memory: &mut Memory,
    ) -> TrialStep {
        let known = memory.trial.take();
        let known = known.filter(|followed| followed.trial.revision == *revision);
        let mut followed = match known {
            Some(followed) => followed,
            None => match self.trial(request, plan, (loaded, bundle, revision)).await {
                Ok(Some(trial)) => Followed {
                    trial,
                    tally: CheckTally::default(),
                    passed: false,
                },
                // Nobody runs on what changes: there is nobody to harm, and nothing to try it on.
                Ok(None) => return TrialStep::Passed,
                Err(fault) => return TrialStep::Waits(HeldBack::by(&fault, revision), None),
            },
        };
        if followed.passed {
            memory.trial = Some(followed);
            return TrialStep::Passed;
        }
        let looked = self.ports.canaries.look(&request.sync.id, &followed.trial);
        let view = match looked.await {
            Ok(view) => view,
            Err(fault) => {
                memory.trial = Some(followed);
                return TrialStep::Waits(HeldBack::by(&fault, revision), None);
            }
        };
        self.ask_checks(request.sync, plan, &view, &mut followed)
            .await;
        let times = (followed.trial.begun, self.ports.clock.now());
        let step = judge(plan, &view, &followed.tally, times);
        followed.passed = step == CanaryStep::Passed
            || (in_a_hurry(request, revision) && matches!(step, CanaryStep::Soaking { .. }));
        let told = step_told(&step, &followed, revision, &view);
        memory.trial = Some(followed);
        told
    }

    /// The checks whose time has come, once the canary is there to be asked about.
    async fn ask_checks(
        &self,
        sync: &ValidatedSync,
        plan: &CanaryPlan,
        view: &CanaryView,
        followed: &mut Followed,
    ) {
        let now = self.ports.clock.now();
        let up = view.pods.iter().any(|pod| pod.ready_since.is_some()) || view.job.is_some();
        let due = |check: &&CanaryCheck| followed.tally.is_due(&check.name, check.every, now);
        let due: Vec<&CanaryCheck> = plan.checks.iter().filter(due).filter(|_| up).collect();
        let asked = due
            .iter()
            .map(|check| self.ports.canaries.check(&sync.id, &followed.trial, check));
        let answers = join_all(asked).await;
        for (check, answer) in due.iter().zip(answers) {
            let verdict =
                answer.unwrap_or_else(|fault| CheckVerdict::Inconclusive(fault.to_string()));
            self.audit_check(sync, check, &verdict);
            let once = matches!(check.asks, CheckQuestion::CronJob(_));
            followed.tally.hear(&check.name, once, verdict, now);
        }
    }

    fn audit_check(&self, sync: &ValidatedSync, check: &CanaryCheck, verdict: &CheckVerdict) {
        self.ports.audit.record(AuditEntry {
            sync: Some(sync.id.clone()),
            by: None,
            action: AuditAction::Validate,
            object: format!("canary check {}", check.name),
            keys: Vec::new(),
            revision: None,
            failure: match verdict {
                CheckVerdict::Passed | CheckVerdict::Running => None,
                CheckVerdict::Failed(_) => Some(Reason::CanaryFailed),
                CheckVerdict::Inconclusive(_) => Some(Reason::CanaryHindered),
            },
        });
    }

    /// What a trial of `revision` is made of; none where no workload uses a target.
    async fn trial(
        &self,
        request: PassRequest<'_>,
        plan: &CanaryPlan,
        (loaded, bundle, revision): (&Loaded, &Bundle, &Revision),
    ) -> Result<Option<Trial>, Fault> {
        let sync = request.sync;
        let canary = match &plan.mode {
            CanaryMode::Job { cron_job } => Some(Canary::Job(cron_job.clone())),
            CanaryMode::Pod { workload, labels } => {
                let found = self.cloned(sync, loaded, workload.as_ref()).await?;
                found.map(|workload| Canary::Pod(workload, *labels))
            }
            CanaryMode::Workload { .. } => None,
        };
        let Some(canary) = canary else {
            return Ok(None);
        };
        Ok(Some(Trial {
            revision: revision.clone(),
            canary,
            candidates: candidates(sync, &loaded.state, bundle)?,
            begun: self.ports.clock.now(),
        }))
    }

    /// The workload that is cloned: the one that is named, else the first that uses a target.
    async fn cloned(
        &self,
        sync: &ValidatedSync,
        loaded: &Loaded,
        named: Option<&(WorkloadKind, crate::names::ObjectName)>,
    ) -> Result<Option<WorkloadId>, Fault> {
        let scope = &sync.rollout.workloads;
        let workloads = &self.ports.workloads;
        let listed = workloads.list(&sync.id.namespace, scope).await?;
        let uses = |workload: &&WorkloadView| {
            let mut targets = loaded.state.targets.values();
            targets.any(|target| {
                let keys = target.keys.keys().cloned().collect();
                restart::uses(workload, target, &keys)
            })
        };
        let is_named = |workload: &&WorkloadView| {
            named.is_none_or(|(kind, name)| workload.id.kind == *kind && workload.id.name == *name)
        };
        let mut found = listed.iter().filter(is_named).filter(uses);
        let first = found
            .by_ref()
            .min_by_key(|workload| (workload.id.kind, workload.id.name.clone()));
        match (first, named) {
            (Some(first), _) => Ok(Some(first.id.clone())),
            (None, None) => Ok(None),
            (None, Some((kind, name))) => {
                let subject = format!("{} {name}", kind.as_str());
                let message =
                    "is to be the canary, and is not there or uses no target of this sync";
                Err(Fault::new(FaultClass::NotFound, subject, message))
            }
        }
    }

    /// Does what the gate left to do: makes the canary of a change, or removes what one left.
    pub(super) async fn run_errand(
        &self,
        request: PassRequest<'_>,
        errand: super::gate::Errand,
    ) -> Result<(), Fault> {
        let id = &request.sync.id;
        if errand.stop {
            self.fenced()?;
            self.ports.canaries.stop(id).await?;
        }
        let Some(trial) = errand.start else {
            return Ok(());
        };
        self.fenced()?;
        let started = self.ports.canaries.start(id, &trial).await;
        self.ports.audit.record(AuditEntry {
            sync: Some(id.clone()),
            by: None,
            action: AuditAction::Canary,
            object: trial.canary.to_string(),
            keys: Vec::new(),
            revision: Some(trial.revision.to_string()),
            failure: started.as_ref().err().map(|fault| fault.reason),
        });
        started
    }
}

fn step_told(
    step: &CanaryStep,
    followed: &Followed,
    revision: &Revision,
    view: &CanaryView,
) -> TrialStep {
    if followed.passed {
        return TrialStep::Passed;
    }
    let canary = &followed.trial.canary;
    match step {
        CanaryStep::Passed => TrialStep::Passed,
        CanaryStep::Failed(why) => TrialStep::Failed(format!("{canary} did not survive it: {why}")),
        CanaryStep::Starting => {
            let start = (!view.exists).then(|| followed.trial.clone());
            let message = format!("{canary} tries the change; nothing else has it");
            TrialStep::Waits(
                HeldBack::trying(revision, RolloutPhase::Canary, message),
                start,
            )
        }
        CanaryStep::Soaking { until } => {
            let message = format!("{canary} runs well on the change, and is watched until {until}");
            TrialStep::Waits(
                HeldBack::trying(revision, RolloutPhase::Soaking, message),
                None,
            )
        }
        CanaryStep::Hindered(why) => TrialStep::Waits(HeldBack::hindered(revision, why), None),
    }
}

/// What stands in for each target that a pod can use.
fn candidates(
    sync: &ValidatedSync,
    record: &RecordState,
    bundle: &Bundle,
) -> Result<Vec<Candidate>, Fault> {
    let mut candidates = Vec::new();
    for target in &sync.targets {
        let (kind, stable, secret_type) = match &target.destination {
            Destination::Secret(secret) => (
                CandidateKind::Secret,
                secret.name.clone(),
                Some(secret.secret_type.as_str().to_owned()),
            ),
            Destination::ConfigMap(config_map) => {
                (CandidateKind::ConfigMap, config_map.name.clone(), None)
            }
            Destination::File(_) | Destination::HostFile(_) => continue,
        };
        let data = render::target_data(bundle, target).map_err(super::observe::first)?;
        let owned = record.targets.get(&target.name);
        candidates.push(Candidate {
            kind,
            stable,
            secret_type,
            data,
            ours: owned
                .map(|owned| owned.keys.keys().cloned().collect())
                .unwrap_or_default(),
        });
    }
    Ok(candidates)
}
