//! A process that runs passes and writes their status, as the operator does.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt as _;

use crate::api::status::{ConditionStatus, SecretSyncStatus, TargetState};
use crate::conditions::{ConditionType, Reason};
use crate::engine::{
    Approval, Engine, Memory, OnHold, Outcome, PassRequest, Reading, Seen, Wishes,
};
use crate::fault::{Fault, FaultClass};
use crate::names::TargetName;
use crate::sync::ValidatedSync;
use crate::testing::world::{Call, World};
use crate::testing::{installation_key, sync};

/// What people ask for in a test.
#[derive(Default)]
pub(super) struct LabWishes {
    pub(super) retry: Option<String>,
    pub(super) pin: Option<String>,
    pub(super) revoke: Option<String>,
    pub(super) forget: Option<String>,
    pub(super) now: Option<String>,
    pub(super) approve_rollout: Option<String>,
}

impl LabWishes {
    fn borrow(&self) -> Wishes<'_> {
        Wishes {
            retry: self.retry.as_deref(),
            pin: self.pin.as_deref(),
            revoke: self.revoke.as_deref(),
            forget: self.forget.as_deref(),
            now: self.now.as_deref(),
            approve_rollout: self.approve_rollout.as_deref(),
            by: Some("ada"),
        }
    }
}

pub(super) struct Lab {
    pub(super) world: World,
    pub(super) engine: Engine,
    pub(super) sync: ValidatedSync,
    pub(super) status: SecretSyncStatus,
    pub(super) memory: Memory,
    pub(super) approval: Option<Approval>,
    pub(super) refresh: Option<String>,
    pub(super) wishes: LabWishes,
}

impl Lab {
    /// A fresh installation whose vault holds `A=1` and `B=1`.
    pub(super) fn new() -> Self {
        Self::with(sync())
    }

    pub(super) fn with(sync: ValidatedSync) -> Self {
        let world = World::default();
        world.state().now = 1_000_000;
        world.answer("vault", &[("A", "1"), ("B", "1")]);
        let engine = Engine {
            ports: world.ports(),
            key: Arc::new(installation_key(1)),
        };
        Self {
            world,
            engine,
            sync,
            status: SecretSyncStatus::default(),
            memory: Memory::default(),
            approval: None,
            refresh: None,
            wishes: LabWishes::default(),
        }
    }

    fn request<'a>(&'a self, seen: &'a BTreeMap<TargetName, Seen>) -> PassRequest<'a> {
        PassRequest {
            sync: &self.sync,
            status: &self.status,
            seen,
            approval: self.approval.as_ref(),
            refresh: self.refresh.as_deref(),
            wishes: self.wishes.borrow(),
            on_hold: OnHold::Change,
            only: None,
        }
    }

    /// Runs one pass; none when the process died in it. Status is written only when the pass ended.
    pub(super) fn try_run(&mut self, read_now: bool) -> Option<Outcome> {
        self.world.state().now += 1;
        let seen = self.world.seen(&self.sync);
        let mut memory = std::mem::take(&mut self.memory);
        let reading = if read_now {
            Reading::Now
        } else {
            Reading::WhenDue
        };
        let pass = async {
            let gathered = self.engine.read(&self.sync, reading, &mut memory).await;
            let request = self.request(&seen);
            self.engine.pass(request, gathered, &mut memory).await
        };
        let outcome = pass.now_or_never();
        self.memory = memory;
        let outcome = outcome?;
        self.status = outcome.status.clone();
        Some(outcome)
    }

    /// A pass that reads the sources.
    pub(super) fn refresh(&mut self) -> Outcome {
        self.try_run(true).expect("nothing dies here")
    }

    /// A pass that something else has caused: a target changed, say.
    pub(super) fn look(&mut self) -> Outcome {
        self.try_run(false).expect("nothing dies here")
    }

    /// Passes until one changes nothing outside and in status; how many it took.
    pub(super) fn settle(&mut self) -> usize {
        for passes in 1..20 {
            self.world.take_calls();
            let before = self.status.clone();
            self.refresh();
            if self.status == before && !self.world.take_calls().iter().any(Call::is_write) {
                return passes;
            }
        }
        panic!("does not settle: {:#?}", self.status)
    }

    /// The process is killed and starts anew: memory is gone, status and world stay.
    pub(super) fn restart(&mut self) {
        self.memory = Memory::default();
        self.world.revive();
    }

    pub(super) fn content(&self) -> Vec<(String, String)> {
        self.world
            .content("Secret panbot")
            .unwrap_or_default()
            .into_iter()
            .collect()
    }

    pub(super) fn condition(&self, condition_type: ConditionType) -> (bool, String) {
        let found = self
            .status
            .conditions
            .iter()
            .find(|one| one.condition_type == condition_type.as_str());
        let found =
            found.unwrap_or_else(|| panic!("no condition {condition_type}: {:#?}", self.status));
        (found.status == ConditionStatus::True, found.reason.clone())
    }

    pub(super) fn assert_ready(&self) {
        assert_eq!(
            self.condition(ConditionType::Ready),
            (true, "Synced".to_owned()),
            "{:#?}",
            self.status
        );
    }

    pub(super) fn assert_not_ready(&self, reason: Reason) {
        assert_eq!(
            self.condition(ConditionType::Ready),
            (false, reason.to_string()),
            "{:#?}",
            self.status
        );
    }

    pub(super) fn target_state(&self) -> TargetState {
        self.status.targets.first().expect("a target").state
    }

    pub(super) fn approve_pending(&mut self) {
        let pending = self.status.pending_plan.as_ref().expect("a plan waits");
        self.approval = Some(Approval {
            hash: pending.hash.clone(),
            generation: pending.generation,
            by: Some("ada".to_owned()),
        });
    }
}

pub(super) fn unavailable() -> Fault {
    Fault::new(FaultClass::Unavailable, "", "does not answer")
}

pub(super) fn pairs(entries: &[(&str, &str)]) -> Vec<(String, String)> {
    entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}
