//! I/O that only looks: the record and the targets, and the plan that follows from them. Nothing is written.

use std::collections::BTreeMap;

use super::apply::Work;
use super::gate::Errand;
use super::intent::next_record;
use super::observe::Desired;
use super::{Engine, Loaded, Memory, OnHold, PassRequest};
use crate::api::status::SourceStatus;
use crate::bundle::Bundle;
use crate::content::{self, Content, Gathered, Known, Notes};
use crate::fault::Fault;
use crate::names::{Key, TargetName};
use crate::plan::{Plan, PlanInput};
use crate::record::{RecordState, Rejection};
use crate::report::Findings;
use crate::secret::SecretValue;
use crate::workload::WorkloadId;

/// What a pass would do, and all that doing it needs. A value: it can be shown, carried out once, or dropped.
pub struct Prepared {
    /// None when the record cannot be used.
    pub(super) loaded: Option<Loaded>,
    pub(super) content: Content,
    pub(super) desired: BTreeMap<TargetName, Desired>,
    /// None when there is nothing good to write.
    pub(super) plan: Option<Plan>,
    pub(super) findings: Findings,
    /// A candidate that was rejected in this pass.
    pub(super) rejection: Option<Rejection>,
    /// What is to be done about a canary.
    pub(super) errand: Errand,
}

impl Prepared {
    /// Whether there is a record that another installation key sealed. What only it says is then not known: which
    /// keys are ours that nobody wants any more, and what workloads started on.
    pub fn is_sealed_elsewhere(&self) -> bool {
        let loaded = self.loaded.as_ref();
        loaded.is_some_and(|loaded| {
            loaded.version.is_some() && loaded.state == RecordState::default()
        })
    }

    /// What the record says; none when it cannot be used. Where there is no record yet, it says nothing.
    pub fn record(&self) -> Option<&RecordState> {
        self.loaded.as_ref().map(|loaded| &loaded.state)
    }

    /// Whether there is a record that can be used.
    pub fn is_recorded(&self) -> bool {
        let loaded = self.loaded.as_ref();
        loaded.is_some_and(|loaded| loaded.version.is_some()) && !self.is_sealed_elsewhere()
    }

    /// The plan; none when there is no content, or the record cannot be used.
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// Why it ended before there was a plan.
    pub fn stopped(&self) -> Option<&Fault> {
        self.findings.stopped.as_ref()
    }

    /// What the reading of sources left to tell.
    pub fn notes(&self) -> &Notes {
        &self.findings.notes
    }

    /// How each source was found.
    pub fn sources(&self) -> &[SourceStatus] {
        &self.findings.sources
    }

    /// Rejects a change: it is told now, and with every pass until something else is read.
    pub(super) fn reject(&mut self, rejection: Rejection, memory: &mut Memory) {
        self.findings.notes.blocked = rejection.faults();
        memory.notes = self.findings.notes.clone();
        self.rejection = Some(rejection);
    }

    /// Whether a candidate was rejected that the record does not know of yet.
    pub fn rejects(&self) -> bool {
        self.rejection.is_some()
    }

    /// That rejection.
    pub fn rejection(&self) -> Option<&Rejection> {
        self.rejection.as_ref()
    }

    /// Targets that could not be looked at.
    pub fn failed_looks(&self) -> &BTreeMap<TargetName, Fault> {
        &self.findings.failed_looks
    }

    /// The content.
    pub fn bundle(&self) -> Option<&Bundle> {
        self.content.bundle.as_ref()
    }

    /// What a target is to hold.
    pub fn data(&self, target: &TargetName) -> Option<&BTreeMap<Key, SecretValue>> {
        self.desired.get(target).map(|desired| &desired.data)
    }
}

impl Engine {
    /// Loads the record, chooses the content of what [`Engine::read`] gathered, looks at the targets and makes the
    /// plan. [`Engine::carry_out`] does what it says.
    pub async fn prepare(
        &self,
        request: PassRequest<'_>,
        gathered: Gathered,
        memory: &mut Memory,
    ) -> Prepared {
        let mut prepared = self.choose(request, gathered, memory).await; // I/O: the record
        if request.on_hold == OnHold::Change {
            self.hold_back(request, &mut prepared, memory).await; // I/O: windows, canary, approval
        }
        if let (Some(loaded), Some(bundle)) = (&prepared.loaded, &prepared.content.bundle) {
            let observed = self.observe(request, &loaded.state, bundle).await; // I/O: targets
            let mut plan = self.plan(request, memory, (&prepared, loaded), observed.diffs); // pure
            if request.on_hold == OnHold::Plan {
                self.hold_plan(request, &prepared, &mut plan); // pure but for the clock
            }
            prepared.plan = Some(plan);
            prepared.desired = observed.desired;
            prepared.findings.failed_looks = observed.faults;
        }
        prepared
    }

    /// Loads the record, asks the validators and chooses the content, without a look at any target.
    pub async fn choose(
        &self,
        request: PassRequest<'_>,
        gathered: Gathered,
        memory: &mut Memory,
    ) -> Prepared {
        let mut prepared = Prepared {
            loaded: None,
            content: Content::default(),
            desired: BTreeMap::new(),
            plan: None,
            findings: Findings::new(memory.sources_or(&request.status.sources)),
            rejection: None,
            errand: Errand::default(),
        };
        let loaded = match self.load_record(request).await {
            Ok(loaded) => loaded,
            Err(fault) => {
                memory.see(&gathered);
                prepared.findings.stopped = Some(fault);
                return prepared;
            }
        };
        let pinned = self.pinned(request, &gathered, &loaded.state, memory).await; // I/O: validators
        let content = if let Some(pinned) = pinned {
            pinned
        } else {
            let state = &loaded.state;
            let flown = self.preflight(request, gathered, state, memory).await; // I/O: validators
            prepared.rejection = flown.rejection;
            let keys = state.known_keys();
            let known = Known {
                bundle: state.current_bundle(),
                keys: &keys,
            };
            let chosen = content::choose(flown.gathered, known, &memory.absent, &memory.notes);
            memory.waiting_for(chosen, request.sync)
        };
        memory.remember(&content, request.sync, self.ports.clock.now());
        let findings = &mut prepared.findings;
        findings.take_notes(&content.notes);
        findings.record_counter = Some(loaded.state.counter);
        findings.no_news = !content.fresh;
        if content.bundle.is_none() {
            findings.keep_revision(&loaded.state);
        }
        prepared.content = content;
        prepared.loaded = Some(loaded);
        prepared
    }

    fn plan(
        &self,
        request: PassRequest<'_>,
        memory: &Memory,
        (prepared, loaded): (&Prepared, &Loaded),
        differences: Vec<crate::diff::TargetDiff>,
    ) -> Plan {
        let went_back = if prepared.content.fresh {
            memory.went_back(request.sync, &loaded.state)
        } else {
            None
        };
        let input = PlanInput {
            sync: request.sync,
            record: &loaded.state,
            approval: request
                .approval
                .filter(|approval| approval.generation == request.sync.generation)
                .map(|approval| approval.hash.as_str()),
            went_back: went_back.as_ref(),
            now: self.ports.clock.now(),
        };
        let values = prepared.content.bundle.iter().flat_map(Bundle::values);
        let revision = self.key.revision(&request.sync.id, values);
        Plan::make(input, revision, differences, &self.key)
    }

    /// The workloads that carrying `prepared` out would restart, as far as they may be looked at.
    pub async fn foresee_restarts(
        &self,
        request: PassRequest<'_>,
        prepared: &Prepared,
        memory: &Memory,
    ) -> Result<Vec<WorkloadId>, Fault> {
        let (Some(loaded), Some(plan)) = (&prepared.loaded, &prepared.plan) else {
            return Ok(Vec::new());
        };
        let work = Work {
            request,
            loaded,
            content: &prepared.content,
            desired: prepared.desired.clone(),
            plan,
            unhindered: false,
            holds_back: prepared.findings.held_back.is_some(),
        };
        let now = self.ports.clock.now();
        let (mut next, _) = next_record(&work, memory, now);
        let looked = self.intend_restarts(&work, &mut next, now).await?;
        if let Some(refused) = looked.refused {
            return Err(refused);
        }
        let is_new = |uid: &str, marker: &str| {
            let former = loaded.state.restarts.get(uid);
            former.is_none_or(|former| former.marker != marker)
        };
        Ok(next
            .restarts
            .iter()
            .filter(|(uid, restart)| is_new(uid, &restart.marker))
            .map(|(_, restart)| restart.workload.clone())
            .collect())
    }
}
