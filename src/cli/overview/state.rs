//! How a SecretSync is, in a word and in a line.

use std::fmt::Write as _;

use penstock_domain::api::status::{PendingPlan, RolloutPhase};
use penstock_domain::conditions::ConditionType;
use penstock_domain::people::SyncObject;

use crate::output::{Style, Tone, plain};

/// How a SecretSync is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// All is as the spec has it.
    Ready,
    /// Work is under way, or the operator has not seen the spec yet.
    Working,
    /// Something is in the way.
    NotReady,
    /// Somebody suspended it.
    Suspended,
    /// It is being deleted.
    Deleting,
}

impl State {
    pub(super) fn of(sync: &SyncObject) -> Self {
        if sync.deleting {
            Self::Deleting
        } else if sync.suspended {
            Self::Suspended
        } else if sync.is_ready() {
            Self::Ready
        } else if !sync.is_observed() || sync.holds(ConditionType::Reconciling) {
            Self::Working
        } else {
            Self::NotReady
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Working => "working",
            Self::NotReady => "not ready",
            Self::Suspended => "suspended",
            Self::Deleting => "deleting",
        }
    }

    pub(super) fn tone(self) -> Tone {
        match self {
            Self::Ready => Tone::Good,
            Self::Working => Tone::Change,
            Self::NotReady => Tone::Bad,
            Self::Suspended | Self::Deleting => Tone::Faint,
        }
    }
}

/// The reason of Ready, or what stands for it before there is one.
pub(super) fn reason(sync: &SyncObject) -> &str {
    let ready = sync.condition(ConditionType::Ready);
    ready.map_or("Unseen", |ready| ready.reason.as_str())
}

/// What has to happen next, and by whom; none when nothing waits.
pub(super) fn waits_for(sync: &SyncObject) -> Option<String> {
    if sync.deleting {
        return Some("the clean-up of its targets".to_owned());
    }
    if sync.suspended {
        return Some("a person to resume it".to_owned());
    }
    if !sync.is_observed() {
        return Some("the operator to see the spec".to_owned());
    }
    if let Some(pending) = sync.pending_plan() {
        return Some(format!("a person to approve plan {}", plain(&pending.hash)));
    }
    if sync.holds(ConditionType::Stalled) {
        return Some("a person to change something".to_owned());
    }
    workloads(sync).or_else(|| {
        let tries = sync.holds(ConditionType::Reconciling);
        tries.then(|| "the operator, which tries on".to_owned())
    })
}

fn workloads(sync: &SyncObject) -> Option<String> {
    let rollout = sync.status.rollout.as_ref()?;
    let counts = rollout.counts.unwrap_or_default();
    match rollout.phase? {
        RolloutPhase::Complete | RolloutPhase::RolledBack => None,
        RolloutPhase::Stuck | RolloutPhase::Held => {
            let first = rollout.attention.first();
            let first = first.map_or_else(
                || "workloads".to_owned(),
                |one| format!("{} {}", plain(&one.kind), plain(&one.name)),
            );
            Some(format!("{first}, which does not become healthy"))
        }
        _ => Some(format!(
            "workloads: {} of {} run on it",
            counts.updated, counts.total
        )),
    }
}

/// `prod/shop: ready (Synced), 2/2 targets`
pub fn state_line(sync: &SyncObject, style: Style) -> String {
    let state = State::of(sync);
    let word = style.paint(state.tone(), state.word());
    let mut line = format!(
        "{}/{}: {word} ({})",
        sync.id.namespace,
        sync.id.name,
        plain(reason(sync))
    );
    if let Some(summary) = &sync.status.summary {
        // Writing to a String cannot fail.
        let _ = write!(line, ", {} targets", plain(summary));
    }
    if let Some(waits) = waits_for(sync) {
        let _ = write!(line, "; waits for {waits}");
    }
    line
}

/// The plan that waits, as it must be seen before it is approved.
pub fn pending_lines(pending: &PendingPlan, style: Style) -> Vec<String> {
    let mut lines = vec![format!(
        "Plan {} of generation {} waits ({}): {}",
        style.paint(Tone::Strong, &plain(&pending.hash)),
        pending.generation,
        plain(&pending.reason),
        counts(pending)
    )];
    for target in &pending.targets {
        let names: Vec<String> = target.deletes.iter().map(|name| plain(name)).collect();
        let line = format!(
            "  target {} would lose {}",
            plain(&target.name),
            names.join(", ")
        );
        lines.push(style.paint(Tone::Bad, &line));
    }
    lines
}

fn counts(pending: &PendingPlan) -> String {
    let told: Vec<String> = [
        (pending.creates, "create"),
        (pending.updates, "update"),
        (pending.deletes, "delete"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{what} {count} {}", if count == 1 { "key" } else { "keys" }))
    .collect();
    if told.is_empty() {
        "no key changes".to_owned()
    } else {
        format!("it would {}", told.join(", "))
    }
}
