//! The reconcile function.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use penstock_domain::admit::admit;
use penstock_domain::api::secret_sync::SecretSync;
use penstock_domain::api::status::{ConditionStatus, SecretSyncStatus};
use penstock_domain::conditions::{ConditionType, Reason};
use penstock_domain::content::Gathered;
use penstock_domain::engine::{Approval, OnHold, Outcome, PassRequest, Reading, Wishes};
use penstock_domain::report;
use penstock_domain::reserved::{
    APPROVE_ANNOTATION, APPROVE_ROLLOUT_ANNOTATION, BY_ANNOTATION, FORGET_ANNOTATION,
    NOW_ANNOTATION, PIN_ANNOTATION, REFRESH_ANNOTATION, RETRY_ANNOTATION, REVOKE_ANNOTATION,
};
use penstock_domain::schedule::Next;
use penstock_domain::sync::ValidatedSync;
use penstock_observability::metrics::Stopwatch;
use penstock_observability::telemetry::{PassEnded, PassResult};
use tokio::time::sleep;

use super::status::{Holder, Write, write_status};
use super::{AFTER_CONFLICT, NextTurn, SyncMemory, TurnCall, TurnEnd, Worker};
use crate::events::Regarding;
use crate::finalizer::{CleanUpState, FinalizerStep, finalizer_step};
use crate::objects::Lean;
use crate::queue::Causes;
use crate::world::{Change, References, Subject, SyncKey, TrackedSync, Wake, targets};

/// The kind, as Kubernetes writes it.
pub(super) const KIND: &str = "SecretSync";

/// The API version of all our kinds.
pub(super) const API_VERSION: &str = "penstock.dev/v1alpha1";

/// The longest pause after a failed write of ours.
pub(super) const LONGEST_RETRY: Duration = Duration::from_mins(1);

/// How long a read is left in peace before it gives way to a repair.
const READ_IN_PEACE: Duration = Duration::from_secs(1);
/// How soon a read that gave way is begun again.
const READ_AGAIN: Duration = Duration::from_secs(1);

impl Worker {
    /// One turn of one SecretSync.
    pub(crate) async fn reconcile(
        &self,
        key: &SyncKey,
        call: TurnCall<'_>,
        memory: &mut SyncMemory,
    ) -> TurnEnd {
        let watch = Stopwatch::start();
        let Some(sync) = self.world.sync(key) else {
            return TurnEnd::gone();
        };
        memory.belong_to(&sync.uid);
        let admitted = admitted(&sync); // pure: every problem at once
        let sync = match finalizer_step(clean_up_state(&sync, admitted.as_ref().ok())) {
            FinalizerStep::GoOn => sync,
            FinalizerStep::Leave => return TurnEnd::default(),
            FinalizerStep::CleanUp => return self.clean_up(&sync, memory).await, // I/O
            step => match self.set_finalizer(&sync, step).await {
                Ok(sync) => sync,
                Err(error) => return self.finalizer_failed(&sync, &error, memory),
            },
        };
        let references_changed = self.refer(key, admitted.as_ref().ok());
        let outcome = match &admitted {
            Ok(spec) => {
                let read = self.read(&sync, spec, call, memory).await; // I/O: sources, when it is time
                self.pass(&sync, spec, read, memory).await // I/O: record, targets, workloads
            }
            Err(problems) => refused(&sync, problems, self.clock().now()), // pure
        };
        self.tell(&regarding(&sync), &outcome.events, &mut memory.repetition);
        self.ended(&sync, &outcome, memory, &watch);
        let write = self.write(&sync, &outcome.status).await; // I/O: one status write, if there is news
        TurnEnd {
            next: self.next(&write, &outcome, memory),
            rests: matches!(write, Write::Done(_)),
            references_changed,
            wakes: self.take_back(write),
        }
    }

    /// Reads the sources when it is time. A repair needs none, and a read that takes long gives way to one.
    async fn read(
        &self,
        sync: &TrackedSync,
        spec: &ValidatedSync,
        call: TurnCall<'_>,
        memory: &mut SyncMemory,
    ) -> Read {
        let status = sync.status();
        let asked_for = refresh(sync) != status.refresh.as_deref() || is_approved(sync, &status);
        let repair_only = call.causes == Causes::TARGET && memory.engine.read_due().is_some();
        if repair_only && !asked_for {
            return Read::Done(Gathered::NotDue);
        }
        let reading = if asked_for || call.causes.contain(Causes::SOURCE) {
            Reading::Now
        } else {
            Reading::WhenDue
        };
        let repair = async { tokio::join!(call.repair.notified(), sleep(READ_IN_PEACE)) };
        tokio::select! {
            biased;
            gathered = self.engine.read(spec, reading, &mut memory.engine) => Read::Done(gathered),
            _ = repair => Read::GaveWay,
        }
    }

    async fn pass(
        &self,
        sync: &TrackedSync,
        spec: &ValidatedSync,
        read: Read,
        memory: &mut SyncMemory,
    ) -> Outcome {
        let status = sync.status();
        let approval = approval(sync);
        let gave_way = matches!(read, Read::GaveWay);
        let request = PassRequest {
            sync: spec,
            status: &status,
            seen: &self.world.seen(&targets(spec)),
            approval: approval.as_ref(),
            // What was not read is not recorded as honoured.
            refresh: if gave_way {
                status.refresh.as_deref()
            } else {
                refresh(sync)
            },
            wishes: wishes(sync),
            on_hold: OnHold::Change,
            only: None,
        };
        let gathered = match read {
            Read::Done(gathered) => gathered,
            Read::GaveWay => Gathered::NotDue,
        };
        let mut outcome = self
            .engine
            .pass(request, gathered, &mut memory.engine)
            .await;
        if gave_way {
            outcome.next = Next::After(READ_AGAIN);
        }
        outcome
    }

    /// Lets what the sync reads and writes wake it.
    fn refer(&self, key: &SyncKey, spec: Option<&ValidatedSync>) -> bool {
        let references = spec.map(References::of).unwrap_or_default();
        self.world.refer(Subject::Sync(key.clone()), references)
    }

    async fn write(&self, sync: &TrackedSync, status: &SecretSyncStatus) -> Write<SecretSync> {
        if !self.may_write() {
            return Write::Overtaken;
        }
        let holder = Holder {
            kind: KIND,
            namespace: Some(sync.id.namespace.as_str()),
            name: sync.id.name.as_str(),
            uid: &sync.uid,
            resource_version: &sync.resource_version,
        };
        let (client, metrics) = (&self.client, &self.metrics);
        write_status(client, metrics, &holder, &sync.status_value(), status).await
    }

    fn next(
        &self,
        write: &Write<SecretSync>,
        outcome: &Outcome,
        memory: &mut SyncMemory,
    ) -> NextTurn {
        let next = match write {
            Write::Nothing | Write::Done(_) => outcome.next,
            Write::Overtaken => Next::After(AFTER_CONFLICT),
            Write::Failed => Next::Retry {
                at_least: AFTER_CONFLICT,
                at_most: LONGEST_RETRY,
            },
        };
        let failed = outcome.failed || matches!(next, Next::Retry { .. });
        let pause = memory.pause(next, failed, self.clock().now());
        pause.map_or(NextTurn::WhenWoken, NextTurn::After)
    }

    /// Takes in what a status write left behind; says who else must know.
    fn take_back(&self, write: Write<SecretSync>) -> Vec<Wake> {
        match write {
            Write::Done(object) => self
                .learn(*object)
                .map_or_else(Vec::new, |(_, wakes)| wakes),
            Write::Nothing | Write::Overtaken | Write::Failed => Vec::new(),
        }
    }

    /// What a write left behind is known before the watch brings it; the watch's echo then wakes nobody. Says
    /// who must be woken for it.
    pub(super) fn learn(&self, object: Lean<SecretSync>) -> Option<(Arc<TrackedSync>, Vec<Wake>)> {
        let sync = Arc::new(TrackedSync::from_watch(object)?);
        let key = Arc::new(sync.id.clone());
        let wakes = self.world.apply(Change::Sync(key, Some(Arc::clone(&sync))));
        Some((sync, wakes))
    }

    /// Tells how the pass ended.
    fn ended(&self, sync: &TrackedSync, outcome: &Outcome, memory: &SyncMemory, watch: &Stopwatch) {
        let ready = outcome
            .status
            .conditions
            .iter()
            .find(|condition| condition.condition_type == ConditionType::Ready.as_str());
        let holds = ready.is_some_and(|ready| ready.status == ConditionStatus::True);
        let reason = ready.and_then(|ready| reason_of(&ready.reason));
        let reason = reason.unwrap_or(Reason::Pending).as_str();
        self.world.note(&sync.id, reason, memory.engine.last_read());
        PassEnded {
            kind: KIND,
            object: &sync.id.to_string(),
            result: match (outcome.failed, holds) {
                (true, _) => PassResult::Failed,
                (false, true) => PassResult::Ok,
                (false, false) => PassResult::Waiting,
            },
            reason,
            message: ready.map_or("", |ready| ready.message.as_str()),
            news: sync.status() != outcome.status,
            took: watch.elapsed(),
        }
        .emit(&self.metrics);
    }
}

/// What a read came to.
enum Read {
    /// What it gathered.
    Done(Gathered),
    /// It was given up for a repair.
    GaveWay,
}

fn refresh(sync: &TrackedSync) -> Option<&str> {
    sync.annotations.get(REFRESH_ANNOTATION).map(String::as_str)
}

/// What people ask for by annotations.
fn wishes(sync: &TrackedSync) -> Wishes<'_> {
    let wish = |annotation: &str| sync.annotations.get(annotation).map(String::as_str);
    Wishes {
        retry: wish(RETRY_ANNOTATION),
        pin: wish(PIN_ANNOTATION),
        revoke: wish(REVOKE_ANNOTATION),
        forget: wish(FORGET_ANNOTATION),
        now: wish(NOW_ANNOTATION),
        approve_rollout: wish(APPROVE_ROLLOUT_ANNOTATION),
        by: wish(BY_ANNOTATION),
    }
}

fn refused(sync: &TrackedSync, problems: &(Reason, String), now: Timestamp) -> Outcome {
    let about = (problems.0, problems.1.as_str());
    report::refused(&sync.status(), sync.generation, about, now)
}

/// Decodes and admits; what is wrong comes as one message that lists every problem.
fn admitted(sync: &TrackedSync) -> Result<ValidatedSync, (Reason, String)> {
    let object = sync
        .decode()
        .map_err(|unreadable| (Reason::InvalidSpec, unreadable.to_string()))?;
    admit(&object).map_err(|problems| (problems.reason(), problems.to_string()))
}

fn clean_up_state(sync: &TrackedSync, spec: Option<&ValidatedSync>) -> CleanUpState {
    CleanUpState {
        held: sync.is_held(),
        wanted: spec.map(|spec| spec.targets.iter().any(|target| target.delete_with_sync)),
        deleting: sync.deleting,
    }
}

pub(super) fn regarding(sync: &TrackedSync) -> Regarding {
    Regarding {
        api_version: API_VERSION,
        kind: KIND,
        namespace: Some(sync.id.namespace.to_string()),
        name: sync.id.name.to_string(),
        uid: sync.uid.to_string(),
    }
}

/// `<hash>.<generation>` and whoever it is by.
fn approval(sync: &TrackedSync) -> Option<Approval> {
    let text = sync.annotations.get(APPROVE_ANNOTATION)?;
    let (hash, generation) = text.rsplit_once('.')?;
    Some(Approval {
        hash: hash.to_owned(),
        generation: generation.parse().ok()?,
        by: sync.annotations.get(BY_ANNOTATION).cloned(),
    })
}

/// Whether the plan that waits was approved: it is carried out at once, if the sources still say the same.
fn is_approved(sync: &TrackedSync, status: &SecretSyncStatus) -> bool {
    let pending = status.pending_plan.as_ref();
    let approval = approval(sync);
    pending.zip(approval).is_some_and(|(pending, approval)| {
        approval.hash == pending.hash && approval.generation == pending.generation
    })
}

fn reason_of(text: &str) -> Option<Reason> {
    Reason::ALL
        .iter()
        .copied()
        .find(|reason| reason.as_str() == text)
}
