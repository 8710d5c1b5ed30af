//! I/O that only looks: whether a change may be written now. Windows, a canary and a person may hold it back; what is
//! in use goes on meanwhile, and is repaired.

use std::time::Duration;

use jiff::Timestamp;

use super::preflight::revoked;
use super::trial::TrialStep;
use super::{Engine, Loaded, Memory, PassRequest, Prepared};
use crate::api::rollout::WindowHold;
use crate::api::status::{RolloutPhase, RolloutStatus};
use crate::bundle::Bundle;
use crate::canary::Trial;
use crate::conditions::Reason;
use crate::content::Content;
use crate::fault::{Fault, FaultClass};
use crate::keys::Revision;
use crate::plan::Plan;
use crate::record::Rejection;
use crate::rollout::windows::look_again;
use crate::rollout::{Openness, openness};
use crate::schedule::OBSERVE_EVERY;
use crate::sync::Previous;

/// The longest pause before a closed window or a hindered canary is looked at again.
const LOOK_AGAIN: Duration = Duration::from_mins(5);

/// A change that is not written yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HeldBack {
    /// Which one.
    pub(crate) revision: Revision,
    /// What it waits for.
    pub(crate) phase: RolloutPhase,
    /// In one word.
    pub(crate) reason: Reason,
    /// In a sentence.
    pub(crate) message: String,
    /// When to look again.
    pub(crate) pause: Duration,
}

/// What the gate leaves to be done by those who write.
#[derive(Debug, Default)]
pub(super) struct Errand {
    /// A canary that is to be made.
    pub(super) start: Option<Trial>,
    /// Whatever a canary left is to be removed.
    pub(super) stop: bool,
}

/// What the gate says of a change.
pub(super) enum Gate {
    /// It may be written.
    Open,
    /// Not now.
    Held(HeldBack, Option<Trial>),
    /// Never: a canary did not survive it.
    Rejected(String),
}

impl Engine {
    /// Takes a change that may not be written yet out of what is prepared, and keeps it for the next pass.
    pub(super) async fn hold_back(
        &self,
        request: PassRequest<'_>,
        prepared: &mut Prepared,
        memory: &mut Memory,
    ) {
        if prepared.loaded.is_none() {
            return;
        }
        self.hold_back_change(request, prepared, memory).await;
        let told = request.status.rollout.as_ref();
        let held = prepared.findings.held_back.as_ref();
        let trying = held.filter(|held| held.phase.is_trying());
        let is_told = |held: &HeldBack| {
            told.and_then(|told| told.revision.as_deref()) == Some(held.revision.as_str())
        };
        prepared.errand.stop = if is_trying(told) {
            !trying.is_some_and(is_told)
        } else {
            // Whoever died between a canary and its status has left one that no status tells of.
            trying.is_none() && memory.is_unswept(request.sync)
        };
        memory.swept = true;
    }

    async fn hold_back_change(
        &self,
        request: PassRequest<'_>,
        prepared: &mut Prepared,
        memory: &mut Memory,
    ) {
        memory.waiting = None;
        let Some((loaded, bundle, revision)) = self.change(request, prepared) else {
            memory.trial = None;
            return;
        };
        if let Some(fault) = revoked(request, &loaded.state, &revision) {
            keep_what_is(request, prepared, memory);
            memory.waiting = None;
            memory.trial = None;
            memory.notes.blocked = vec![fault];
            prepared.findings.take_notes(&memory.notes);
            return;
        }
        // On the heap: a change is rare, and every pass of every sync would carry its room.
        let gate = Box::pin(self.gate(request, (loaded, bundle, &revision), memory)).await;
        match gate {
            Gate::Open => {}
            Gate::Held(held, start) => {
                prepared.errand.start = start;
                keep_what_is(request, prepared, memory);
                prepared.findings.held_back = Some(held);
            }
            Gate::Rejected(cause) => {
                let rejection = Rejection {
                    revision,
                    rules: request.sync.rules.clone(),
                    retry: request.wishes.retry.map(ToOwned::to_owned),
                    at: self.ports.clock.now(),
                    objections: Vec::new(),
                    cause: Some(cause),
                };
                keep_what_is(request, prepared, memory);
                memory.waiting = None;
                memory.trial = None;
                prepared.reject(rejection, memory);
            }
        }
    }

    /// Lets a plan that holds a change wait for what the change waits for.
    pub(super) fn hold_plan(&self, request: PassRequest<'_>, prepared: &Prepared, plan: &mut Plan) {
        let Some((loaded, _, revision)) = self.change(request, prepared) else {
            return;
        };
        if plan.held.is_some() || plan.is_empty() {
            return;
        }
        let waits = waits(request, loaded);
        let window = window(request, &revision, self.ports.clock.now()).filter(|_| waits);
        let canary = request.sync.rollout.shield().filter(|_| waits);
        let approved = request
            .approval
            .is_some_and(|approval| approval.hash == plan.hash);
        let fault = |reason, message: &str| {
            Fault::new(FaultClass::Denied, "rollout", message).because(reason)
        };
        plan.held = if let Some(held) = window {
            Some(fault(held.reason, &format!("the change {}", held.message)))
        } else if canary.is_some() {
            let message = "the change is tried on a canary first, which the operator alone can do";
            Some(fault(Reason::CanaryRunning, message))
        } else if request.sync.rollout.approval && !approved {
            let message = "the change waits for a person (`rollout.approval`)";
            let hint = "Approve this plan by its hash";
            Some(fault(Reason::RolloutApprovalRequired, message).hint(hint))
        } else {
            None
        };
    }

    /// What is news to those who use it: a change of what is in use. A first content has no users yet.
    fn change<'a>(
        &self,
        request: PassRequest<'_>,
        prepared: &'a Prepared,
    ) -> Option<(&'a Loaded, &'a Bundle, Revision)> {
        let loaded = prepared.loaded.as_ref()?;
        let content = Some(&prepared.content).filter(|content| content.fresh)?;
        let bundle = content.bundle.as_ref()?;
        let revision = self.key.revision(&request.sync.id, bundle.values());
        let current = loaded.state.current.as_ref();
        let is_first = current.is_none() && !request.sync.rollout.approval;
        let is_known = current.is_some_and(|current| current.revision == revision);
        // Under a new key everything looks new, and nothing is.
        (!is_first && !is_known && loaded.rebased.is_none()).then_some((loaded, bundle, revision))
    }

    async fn gate(
        &self,
        request: PassRequest<'_>,
        (loaded, bundle, revision): (&Loaded, &Bundle, &Revision),
        memory: &mut Memory,
    ) -> Gate {
        let waits = waits(request, loaded);
        if waits && let Some(held) = window(request, revision, self.ports.clock.now()) {
            return Gate::Held(held, None);
        }
        if let Some(plan) = request.sync.rollout.shield().filter(|_| waits) {
            let change = (loaded, bundle, revision);
            match self.try_out(request, plan, change, memory).await {
                TrialStep::Passed => {}
                TrialStep::Failed(why) => return Gate::Rejected(why),
                TrialStep::Waits(held, start) => return Gate::Held(held, start),
            }
        }
        match approval(request, revision) {
            Some(held) => Gate::Held(held, None),
            None => Gate::Open,
        }
    }
}

/// Whether a change has a time to wait: a first content harms nobody, and an old value that is dead leaves none.
fn waits(request: PassRequest<'_>, loaded: &Loaded) -> bool {
    loaded.state.current.is_some() && request.sync.rollout.previous != Previous::Invalid
}

/// A change window that is closed.
fn window(request: PassRequest<'_>, revision: &Revision, now: Timestamp) -> Option<HeldBack> {
    if in_a_hurry(request, revision) {
        return None;
    }
    let windows = &request.sync.rollout.windows;
    let Openness::ClosedUntil(until) = openness(windows, WindowHold::Write, now) else {
        return None;
    };
    Some(HeldBack {
        revision: revision.clone(),
        phase: RolloutPhase::Waiting,
        reason: Reason::WaitingForWindow,
        message: window_message(until),
        pause: look_again(until, now, LOOK_AGAIN),
    })
}

/// An approval that nobody has given.
fn approval(request: PassRequest<'_>, revision: &Revision) -> Option<HeldBack> {
    let given = request.wishes.approve_rollout == Some(revision.as_str());
    (request.sync.rollout.approval && !given).then(|| HeldBack {
        revision: revision.clone(),
        phase: RolloutPhase::Waiting,
        reason: Reason::RolloutApprovalRequired,
        message: format!(
            "revision {revision} waits for a person: `penstock approve {} --rollout`",
            request.sync.id.name
        ),
        pause: LOOK_AGAIN,
    })
}

/// Whether a person wants this very change to skip soak and windows.
pub(super) fn in_a_hurry(request: PassRequest<'_>, revision: &Revision) -> bool {
    request.wishes.now == Some(revision.as_str())
}

/// Goes on with what is in use, and keeps the change for the next pass.
fn keep_what_is(request: PassRequest<'_>, prepared: &mut Prepared, memory: &mut Memory) {
    let kept = prepared.loaded.as_ref();
    let bundle = kept.and_then(|loaded| loaded.state.current_bundle().cloned());
    let notes = prepared.content.notes.clone();
    let waiting = std::mem::replace(
        &mut prepared.content,
        Content {
            bundle,
            fresh: false,
            absent: None,
            notes,
        },
    );
    memory.waiting = Some((request.sync.generation, waiting));
    if let Some(loaded) = &prepared.loaded {
        prepared.findings.keep_revision(&loaded.state);
    }
}

/// Whether status says that a canary is there.
fn is_trying(rollout: Option<&RolloutStatus>) -> bool {
    let phase = rollout.and_then(|rollout| rollout.phase);
    phase.is_some_and(RolloutPhase::is_trying)
}

fn window_message(until: Option<Timestamp>) -> String {
    match until {
        Some(until) => format!("waits for a change window, which opens at {until}"),
        None => {
            "waits for a change window, and none ever opens: change `rollout.windows`".to_owned()
        }
    }
}

impl HeldBack {
    /// A fault that keeps a canary from being tried.
    pub(crate) fn by(fault: &Fault, revision: &Revision) -> Self {
        Self {
            revision: revision.clone(),
            phase: RolloutPhase::Canary,
            reason: Reason::CanaryHindered,
            message: format!("the change waits: {fault}"),
            pause: fault.retry_after().unwrap_or_default().max(LOOK_AGAIN / 10),
        }
    }

    /// A canary that is on its way.
    pub(super) fn trying(revision: &Revision, phase: RolloutPhase, message: String) -> Self {
        Self {
            revision: revision.clone(),
            phase,
            reason: Reason::CanaryRunning,
            message,
            pause: OBSERVE_EVERY,
        }
    }

    /// A canary that the cluster keeps from going on.
    pub(super) fn hindered(revision: &Revision, why: &str) -> Self {
        Self {
            revision: revision.clone(),
            phase: RolloutPhase::Canary,
            reason: Reason::CanaryHindered,
            message: format!("the canary waits: {why}. This says nothing about the change"),
            pause: LOOK_AGAIN / 10,
        }
    }

    /// What status says.
    pub(crate) fn status(&self) -> RolloutStatus {
        RolloutStatus {
            phase: Some(self.phase),
            revision: Some(self.revision.to_string()),
            ..RolloutStatus::default()
        }
    }
}
