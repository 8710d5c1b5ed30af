//! The engine: one pass over one sync, the same for the operator and the command line.
//!
//! gather → pre-flight → choose the content → observe → plan → apply → roll out → report. Each step is a module; those
//! marked I/O reach outside through [`Ports`] only, all others are pure.

mod apply;
mod cleanup;
mod confirm;
mod drive;
mod gate;
mod gather;
mod intent;
mod memory;
mod observe;
mod pin;
mod preflight;
mod prepare;
mod quiet;
mod roll;
mod rollback;
mod trial;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) use self::gate::HeldBack;
pub use self::gather::Reading;
pub use self::memory::Memory;
pub use self::prepare::Prepared;
use crate::api::status::SecretSyncStatus;
use crate::conditions::Reason;
use crate::content::Gathered;
use crate::fault::{Fault, FaultClass};
use crate::keys::InstallationKey;
use crate::names::TargetName;
use crate::ports::{Ports, RecordVersion};
use crate::record::{self, DecodeRecord, RecordState};
use crate::report;
use crate::schedule::{Next, after as later};
use crate::sync::ValidatedSync;

/// Runs passes.
#[derive(Clone)]
pub struct Engine {
    /// The outside.
    pub ports: Ports,
    /// The installation key.
    pub key: Arc<InstallationKey>,
}

/// What is asked of one pass.
#[derive(Debug, Clone, Copy)]
pub struct PassRequest<'a> {
    /// The spec.
    pub sync: &'a ValidatedSync,
    /// The status as it was last written.
    pub status: &'a SecretSyncStatus,
    /// Target objects as a watch saw them last; an absent entry means that nobody looked.
    pub seen: &'a BTreeMap<TargetName, Seen>,
    /// The plan that a person approved.
    pub approval: Option<&'a Approval>,
    /// The value of the refresh annotation.
    pub refresh: Option<&'a str>,
    /// What people ask for beyond the spec.
    pub wishes: Wishes<'a>,
    /// What waits while a change may not be written yet.
    pub on_hold: OnHold,
    /// The targets that are meant; none for all. The others are neither looked at nor written, and stay ours.
    pub only: Option<&'a BTreeSet<TargetName>>,
}

/// What waits while a change may not be written yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnHold {
    /// The change: what is in use goes on, and is repaired.
    #[default]
    Change,
    /// The plan as a whole, which shows the change and says what it waits for.
    Plan,
}

/// What people ask for beyond the spec, by annotations of the SecretSync. All but `forget` are states, not commands:
/// they hold for as long as they stand there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wishes<'a> {
    /// Rejections that were given under another value of this are lifted.
    pub retry: Option<&'a str>,
    /// The revision that stays in use, whatever the sources bring.
    pub pin: Option<&'a str>,
    /// Revisions that leaked, separated by commas: they are purged, and never come back.
    pub revoke: Option<&'a str>,
    /// Older revisions and rejections are dropped, once for each value.
    pub forget: Option<&'a str>,
    /// The revision that skips soak and windows.
    pub now: Option<&'a str>,
    /// The revision that a person approves, where the rollout asks for it.
    pub approve_rollout: Option<&'a str>,
    /// Who asks, as the `by` annotation says.
    pub by: Option<&'a str>,
}

impl<'a> Wishes<'a> {
    /// The revisions that are revoked.
    pub fn revoked(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let list = self.revoke.unwrap_or_default().split(',');
        list.map(str::trim).filter(|one| !one.is_empty())
    }

    /// Names what is asked for, so that a status can say that it has seen it; none where nothing is.
    pub fn digest(&self) -> Option<String> {
        let all = [
            self.retry,
            self.pin,
            self.revoke,
            self.forget,
            self.now,
            self.approve_rollout,
        ];
        all.iter()
            .any(Option::is_some)
            .then(|| crate::keys::public_digest(&format!("{all:?}")))
    }
}

/// A target object as a watch saw it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// There is none.
    Absent,
    /// This one, in this version.
    Object {
        /// Its uid.
        uid: String,
        /// Its resourceVersion.
        resource_version: String,
    },
}

/// A person's approval of one plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The plan's hash.
    pub hash: String,
    /// The generation that it was given for.
    pub generation: i64,
    /// Who gave it, as the `by` annotation says.
    pub by: Option<String>,
}

/// What a pass came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The whole new status; equal to the old one when nothing happened.
    pub status: SecretSyncStatus,
    /// What to tell.
    pub events: Vec<EventNote>,
    /// When to run again.
    pub next: Next,
    /// Whether the pass counts as a failure for growing pauses.
    pub failed: bool,
}

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventNote {
    /// Whether it is bad news.
    pub warning: bool,
    /// The reason.
    pub reason: Reason,
    /// Our own sentence; key names, never values.
    pub message: String,
}

/// A record as it was loaded.
struct Loaded {
    state: RecordState,
    version: Option<RecordVersion>,
    /// The former record is gone or was sealed under a former key: contents are compared, nothing restarts.
    rebased: Option<Reason>,
}

impl Engine {
    /// One pass over what [`Engine::read`] gathered; `NotDue` when nothing was to be read. Every failure is in
    /// the outcome.
    ///
    /// Reading is a step of its own, because it may take as long as a vault's patience: whoever calls drops it
    /// when a target must be repaired, looks at the targets anew, and goes on without it.
    pub async fn pass(
        &self,
        request: PassRequest<'_>,
        gathered: Gathered,
        memory: &mut Memory,
    ) -> Outcome {
        let now = self.ports.clock.now();
        if request.sync.suspend {
            return report::suspended(request, now);
        }
        let turned = self.examine(request, memory).await; // I/O: asks about the values in use
        let busy = turned || memory.is_unswept(request.sync);
        let outcome = if !busy && quiet::nothing_to_do(request, &gathered, &self.key) {
            memory.see_whole(&gathered);
            report::unchanged(request, memory)
        } else {
            let prepared = self.prepare(request, gathered, memory).await; // I/O that only looks
            self.carry_out(request, prepared, memory).await // I/O that writes
        };
        Outcome {
            next: outcome.next.no_later_than(memory.next_examination(now)),
            ..outcome
        }
    }

    /// Does what [`Engine::prepare`] has planned: writes, and rolls out. `request` is the one that it was planned for.
    pub async fn carry_out(
        &self,
        request: PassRequest<'_>,
        mut prepared: Prepared,
        memory: &mut Memory,
    ) -> Outcome {
        let now = self.ports.clock.now();
        self.remember(request, &mut prepared).await; // I/O: the record, where a candidate was rejected
        let errand = std::mem::take(&mut prepared.errand);
        let hindered = Box::pin(self.run_errand(request, errand)).await.err(); // I/O: canaries
        let is_of_another =
            |fault: &Fault| matches!(fault.class, FaultClass::Conflict | FaultClass::NotFound);
        if hindered.as_ref().is_some_and(is_of_another) {
            // What it was to be made of has changed: the next pass looks anew.
            memory.trial = None;
        }
        let mut findings = prepared.findings;
        findings.hinder(hindered);
        findings.health = memory.health.told();
        if let (Some(loaded), Some(plan)) = (prepared.loaded, prepared.plan) {
            let work = apply::Work {
                request,
                loaded: &loaded,
                content: &prepared.content,
                desired: prepared.desired,
                plan: &plan,
                unhindered: findings.failed_looks.is_empty()
                    && !plan.is_blocked()
                    && request.only.is_none(),
                holds_back: findings.held_back.is_some(),
            };
            let applied = self.apply(work, memory, &mut findings).await; // I/O: record, then targets
            if let Some(applied) = applied {
                memory.promoted(request.sync, &applied.state, now);
                findings.health = memory.health.told();
                self.roll(request, memory, applied, &mut findings).await; // I/O: workloads
            }
            findings.plan = Some(plan);
        }
        report::conclude(request, findings, now)
    }

    async fn load_record(&self, request: PassRequest<'_>) -> Result<Loaded, Fault> {
        let id = &request.sync.id;
        let remembered = request.status.record.map_or(0, |record| record.counter);
        let afresh = |version, reason| Loaded {
            state: RecordState {
                counter: remembered,
                ..RecordState::default()
            },
            version,
            rebased: (remembered > 0).then_some(reason),
        };
        let Some(stored) = self.ports.records.load(id).await? else {
            return Ok(afresh(None, Reason::RecordMissing));
        };
        match record::decode(&stored.sealed, id, &self.key) {
            Ok(state) if state.counter < remembered => Err(rolled_back(state.counter, remembered)),
            Ok(state) => Ok(Loaded {
                state,
                version: Some(stored.version),
                rebased: None,
            }),
            Err(DecodeRecord::OtherKey) => {
                Ok(afresh(Some(stored.version), Reason::RecordUnreadable))
            }
            Err(error) => Err(unreadable(error)),
        }
    }

    /// Refuses to write when this process may no longer: another one has taken over.
    fn fenced(&self) -> Result<(), Fault> {
        if self.ports.fence.may_write() {
            return Ok(());
        }
        let message = "this replica no longer leads; the leader goes on";
        Err(Fault::new(FaultClass::Conflict, "lease", message))
    }
}

fn rolled_back(found: u64, remembered: u64) -> Fault {
    let message = format!(
        "was put back from an older state (counter {found}, status remembers {remembered})"
    );
    Fault::new(FaultClass::Invalid, "record", message)
        .because(Reason::RecordRolledBack)
        .hint("Nothing is written. If it was meant, remove `status.record` of this SecretSync; if not, find out who restored it")
}

fn unreadable(error: DecodeRecord) -> Fault {
    Fault::new(FaultClass::Invalid, "record", error.to_string())
        .because(Reason::RecordUnreadable)
        .hint("Nothing is written. Restore it, or delete it: it is then made anew from what the targets hold")
}
