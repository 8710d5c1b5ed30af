//! Sources, workloads, clock, fence and audit trail in memory.

use async_trait::async_trait;
use futures::channel::oneshot;
use futures::future::pending;
use jiff::Timestamp;

use super::state::{Call, Waiting, World};
use crate::audit::AuditEntry;
use crate::bundle::Snapshot;
use crate::canary::{CanaryCheck, CanaryView, CheckVerdict, Trial};
use crate::fault::{Fault, FaultClass};
use crate::names::{Key, NamespaceName, ObjectName, SyncId};
use crate::ports::{
    Audit, Canaries, Clock, Fence, Freshness, Marked, Offload, Sources, Validators, Work, Workloads,
};
use crate::secret::SecretValue;
use crate::sync::{ValidatedSource, WorkloadScope};
use crate::validate::{RemoteCheck, Validator, Verdict};
use crate::workload::{PodView, WorkloadId, WorkloadView};

#[async_trait]
impl Sources for World {
    async fn read(
        &self,
        _: &SyncId,
        source: &ValidatedSource,
        _: Freshness,
    ) -> Result<Snapshot, Fault> {
        let mut state = self.state();
        state.calls.push(Call::Read(source.name.to_string()));
        let absent = || Some(Err(Fault::new(FaultClass::NotFound, "", "is not there")));
        let answer = state
            .answers
            .get(source.name.as_str())
            .cloned()
            .unwrap_or_else(absent);
        answer.unwrap_or_else(|| Ok(Snapshot::default()))
    }

    async fn template(&self, _: &SyncId, _: &ObjectName, _: &Key) -> Result<String, Fault> {
        Err(Fault::new(FaultClass::NotFound, "", "is not there"))
    }
}

#[async_trait]
impl Validators for World {
    async fn ask(
        &self,
        _: &SyncId,
        (validator, _): (&Validator, &RemoteCheck),
        _: &SecretValue,
    ) -> Verdict {
        let mut state = self.state();
        state.calls.push(Call::Ask(validator.name.clone()));
        let said = state.verdicts.get(&validator.name).cloned();
        said.unwrap_or(Verdict::Passed)
    }
}

#[async_trait]
impl Canaries for World {
    async fn start(&self, _: &SyncId, trial: &Trial) -> Result<(), Fault> {
        if let Some(fault) = &self.state().refuse_canaries {
            return Err(fault.clone());
        }
        let known = |(tried, _): &(Trial, CanaryView)| tried.revision == trial.revision;
        if self.state().canary.as_ref().is_some_and(known) {
            return Ok(());
        }
        let (before, after) = self.count(Call::Try(trial.revision.to_string()));
        if before {
            pending::<()>().await;
        }
        {
            let mut state = self.state();
            let view = CanaryView {
                exists: true,
                ..state.canaries_are.clone()
            };
            state.canary = Some((trial.clone(), view));
        }
        if after {
            pending::<()>().await;
        }
        Ok(())
    }

    async fn look(&self, _: &SyncId, trial: &Trial) -> Result<CanaryView, Fault> {
        let state = self.state();
        let mine = |(tried, _): &&(Trial, CanaryView)| tried.revision == trial.revision;
        let found = state.canary.as_ref().filter(mine);
        Ok(found.map(|(_, view)| view.clone()).unwrap_or_default())
    }

    async fn check(
        &self,
        _: &SyncId,
        _: &Trial,
        check: &CanaryCheck,
    ) -> Result<CheckVerdict, Fault> {
        let mut state = self.state();
        state.calls.push(Call::Ask(check.name.clone()));
        let said = state.checks.get(&check.name).cloned();
        Ok(said.unwrap_or(CheckVerdict::Passed))
    }

    async fn stop(&self, _: &SyncId) -> Result<(), Fault> {
        if let Some(fault) = &self.state().refuse_stops {
            return Err(fault.clone());
        }
        if self.state().canary.is_none() {
            return Ok(());
        }
        let (before, after) = self.count(Call::StopTrying);
        if before {
            pending::<()>().await;
        }
        self.state().canary = None;
        if after {
            pending::<()>().await;
        }
        Ok(())
    }
}

#[async_trait]
impl Offload for World {
    async fn run(&self, work: Work) {
        let (done, ended) = oneshot::channel();
        let at_once = {
            let mut state = self.state();
            if state.idle {
                state.waiting.push(Waiting { work, done });
                None
            } else {
                Some(work)
            }
        };
        match at_once {
            Some(work) => work(),
            None => drop(ended.await),
        }
    }
}

#[async_trait]
impl Workloads for World {
    async fn list(&self, _: &NamespaceName, _: &WorkloadScope) -> Result<Vec<WorkloadView>, Fault> {
        let mut state = self.state();
        state.calls.push(Call::List);
        if let Some(fault) = &state.refuse_lists {
            return Err(fault.clone());
        }
        Ok(state.workloads.clone())
    }

    async fn pods(&self, workload: &WorkloadView) -> Result<Vec<PodView>, Fault> {
        let mut state = self.state();
        state.calls.push(Call::Pods(workload.id.to_string()));
        Ok(state
            .pods
            .get(&workload.id.uid)
            .cloned()
            .unwrap_or_default())
    }

    async fn mark(
        &self,
        workload: &WorkloadId,
        annotation: &str,
        value: &str,
    ) -> Result<Marked, Fault> {
        let (before, after) = self.count(Call::Mark(workload.to_string()));
        if before {
            pending::<()>().await;
        }
        let marked = {
            let mut state = self.state();
            let found = state.workloads.iter_mut().find(|view| view.id == *workload);
            found.map_or(Marked::Gone, |view| {
                view.template_annotations
                    .insert(annotation.to_owned(), value.to_owned());
                view.generation += 1;
                Marked::Set
            })
        };
        if after {
            pending::<()>().await;
        }
        Ok(marked)
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.state().now).unwrap_or_default()
    }
}

impl Fence for World {
    fn may_write(&self) -> bool {
        !self.state().fenced
    }
}

impl Audit for World {
    fn record(&self, entry: AuditEntry) {
        self.state().audit.push(entry);
    }
}
