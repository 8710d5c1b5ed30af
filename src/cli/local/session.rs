//! One run: the engine over the ports of this machine, and what an invocation wants of it.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use futures::StreamExt as _;
use penstock_domain::api::status::SecretSyncStatus;
use penstock_domain::engine::{
    Approval, Engine, Memory, OnHold, PassRequest, Prepared, Reading, Wishes,
};
use penstock_domain::keys::InstallationKey;
use penstock_domain::names::{SyncId, TargetName};

use super::invocation::{ChosenSync, Invocation};
use super::live::{LiveSync, LiveSyncs};
use super::ports::StoreNews;
use crate::report::{PlanReport, SyncReport, Told};

/// Syncs that are looked at side by side.
const SIDE_BY_SIDE: usize = 8;

/// What the engine is told of earlier runs: nothing. Documents have no status; the record remembers.
static NO_STATUS: LazyLock<SecretSyncStatus> = LazyLock::new(SecretSyncStatus::default);
/// Nobody watches targets here.
static NOTHING_SEEN: BTreeMap<TargetName, penstock_domain::engine::Seen> = BTreeMap::new();

/// One run.
pub struct Session {
    /// The engine.
    pub engine: Engine,
    /// Keys that stand in for one that is not at hand, by sync: they name the installation that looks after its
    /// targets, so that a plan can compare contents. Nothing is ever written with one of them.
    pub standing_in: BTreeMap<SyncId, Arc<InstallationKey>>,
    /// What was asked.
    pub invocation: Invocation,
    /// What a cluster knows of these syncs.
    pub live: Arc<dyn LiveSyncs>,
    /// What stores tell by themselves.
    pub news: Arc<dyn StoreNews>,
    /// Whether the installation key is kept, so that hashes mean something to the next run.
    pub key_is_kept: bool,
}

/// A sync after a look at it.
pub struct Looked<'a> {
    /// The sync.
    pub chosen: &'a ChosenSync,
    /// What would be done.
    pub prepared: Prepared,
    /// What the run remembers of it.
    pub memory: Memory,
    /// A person's approval of this very plan.
    pub approval: Option<Approval>,
}

/// What the engine is asked about one sync.
pub fn request<'a>(chosen: &'a ChosenSync, approval: Option<&'a Approval>) -> PassRequest<'a> {
    PassRequest {
        sync: &chosen.sync,
        status: &NO_STATUS,
        seen: &NOTHING_SEEN,
        approval,
        refresh: None,
        wishes: Wishes {
            retry: chosen.retry.as_deref(),
            ..Wishes::default()
        },
        on_hold: OnHold::Plan,
        only: chosen.only.as_ref(),
    }
}

impl Session {
    /// Reads the sources and looks at the targets of every sync. Where a key is gone from the sources, they are
    /// read a second time: it leaves only when both complete reads lack it.
    pub async fn look_at_all(&self, approvals: &[String]) -> Vec<Looked<'_>> {
        let looks = self
            .invocation
            .syncs
            .iter()
            .map(|chosen| self.look(chosen, Memory::default(), approvals));
        futures::stream::iter(looks)
            .buffered(SIDE_BY_SIDE)
            .collect()
            .await
    }

    /// Notes in the record what validators have rejected, so that the next run does not ask again. An operator that
    /// looks after the sync notes it itself.
    pub async fn remember(&self, looked: &mut Looked<'_>) {
        if !looked.prepared.rejects() {
            return;
        }
        let id = &looked.chosen.sync.id;
        if matches!(
            self.live.state(id).await,
            Ok(LiveSync::Absent | LiveSync::Suspended)
        ) {
            let request = request(looked.chosen, looked.approval.as_ref());
            self.engine.remember(request, &mut looked.prepared).await;
        }
    }

    /// The same for one.
    pub async fn look<'a>(
        &self,
        chosen: &'a ChosenSync,
        mut memory: Memory,
        approvals: &[String],
    ) -> Looked<'a> {
        let mut prepared = self.look_once(chosen, &mut memory, None).await;
        if memory.awaits_confirmation() {
            prepared = self.look_once(chosen, &mut memory, None).await;
        }
        let held = prepared.plan().filter(|plan| plan.held.is_some());
        let hash = held.map(|plan| plan.hash.clone());
        let approval = hash
            .filter(|hash| approvals.contains(hash))
            .map(|hash| Approval {
                hash,
                generation: chosen.sync.generation,
                by: None,
            });
        if approval.is_some() {
            prepared = self.look_once(chosen, &mut memory, approval.as_ref()).await;
        }
        Looked {
            chosen,
            prepared,
            memory,
            approval,
        }
    }

    async fn look_once(
        &self,
        chosen: &ChosenSync,
        memory: &mut Memory,
        approval: Option<&Approval>,
    ) -> Prepared {
        let engine = self.engine_of(chosen);
        let gathered = engine.read(&chosen.sync, Reading::Now, memory).await;
        let request = request(chosen, approval);
        engine.prepare(request, gathered, memory).await
    }

    /// The engine, with the key that stands in for that of the sync.
    fn engine_of(&self, chosen: &ChosenSync) -> Engine {
        let mut engine = self.engine.clone();
        if let Some(key) = self.standing_in.get(&chosen.sync.id) {
            engine.key = Arc::clone(key);
        }
        engine
    }

    /// What would be done, for people.
    pub async fn report(&self, looked: &[Looked<'_>]) -> PlanReport {
        let mut syncs = Vec::new();
        for Looked {
            chosen,
            prepared,
            memory,
            approval,
        } in looked
        {
            let request = request(chosen, approval.as_ref());
            let restarts = self
                .engine_of(chosen)
                .foresee_restarts(request, prepared, memory)
                .await;
            let told = Told {
                hashes: self.key_is_kept && !self.standing_in.contains_key(&chosen.sync.id),
                commands_allowed: self.invocation.allow_commands,
            };
            syncs.push(SyncReport::new(chosen, prepared, &restarts, told));
        }
        PlanReport::new(syncs)
    }
}
