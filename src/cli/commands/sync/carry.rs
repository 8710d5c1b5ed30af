//! One sync carried out, and what became of it.

use penstock_domain::api::status::TargetState;
use penstock_domain::conditions::{ConditionType, Reason};
use penstock_domain::engine::Outcome;
use penstock_domain::names::TargetName;

use crate::local::{ChosenSync, Looked, Session, request};
use crate::output::{Streams, Tone, plain};

/// What became of one sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Carried {
    /// Something was not done.
    pub(super) failed: bool,
    /// A target was written.
    pub(super) changed: bool,
}

/// Carries out what was looked at, closes the record's intents, and tells what happened.
pub(super) async fn carry_out(
    session: &Session,
    looked: Looked<'_>,
    streams: &mut Streams,
) -> Carried {
    let Looked {
        chosen,
        prepared,
        mut memory,
        approval,
    } = looked;
    let request = request(chosen, approval.as_ref());
    let outcome = session
        .engine
        .carry_out(request, prepared, &mut memory)
        .await;
    let synced = synced(chosen, &outcome);
    if let Err(fault) = session.engine.confirm(&chosen.sync.id, &synced).await {
        // The targets are written; the next run takes the write for an interrupted one and does it again.
        streams.tell(format!("{}: {fault}", chosen.sync.id));
    }
    tell(chosen, &outcome, streams);
    let written = [Reason::TargetWritten, Reason::Repaired];
    Carried {
        failed: synced.len() < chosen.targets().count(),
        changed: outcome
            .events
            .iter()
            .any(|event| written.contains(&event.reason)),
    }
}

/// The meant targets that hold what they should.
fn synced(chosen: &ChosenSync, outcome: &Outcome) -> Vec<TargetName> {
    let holds = |name: &TargetName| {
        let mut targets = outcome.status.targets.iter();
        targets.any(|status| {
            status.name == name.as_str()
                && matches!(status.state, TargetState::Synced | TargetState::Drifted)
        })
    };
    let names = chosen.targets().map(|target| &target.name);
    names.filter(|name| holds(name)).cloned().collect()
}

fn tell(chosen: &ChosenSync, outcome: &Outcome, streams: &mut Streams) {
    let id = &chosen.sync.id;
    let told = [
        Reason::TargetWritten,
        Reason::Repaired,
        Reason::Restarted,
        Reason::RecordTruncated,
    ];
    for event in outcome
        .events
        .iter()
        .filter(|event| told.contains(&event.reason))
    {
        let words = format!("{id}: {}", plain(&event.message));
        let tone = if event.warning {
            Tone::Change
        } else {
            Tone::Good
        };
        let words = streams.error_style.paint(tone, &words);
        streams.tell(words);
    }
    for target in chosen.targets() {
        let mut found = outcome.status.targets.iter();
        let found = found.find(|status| status.name == target.name.as_str());
        let wrong = found
            .filter(|status| !matches!(status.state, TargetState::Synced | TargetState::Drifted));
        if let Some(status) = wrong {
            let why = status.message.clone().unwrap_or_else(|| not_ready(outcome));
            let words = format!("{id}: target {}: {}", target.name, plain(&why));
            let words = streams.error_style.paint(Tone::Bad, &words);
            streams.tell(words);
        }
    }
    if lost_a_race(outcome) {
        streams.tell(format!(
            "{id}: somebody else was faster, another run perhaps. Nothing is lost: sync again, it goes on from what they \
             left"
        ));
    }
}

/// Whether something was changed by somebody else between our look and our write.
fn lost_a_race(outcome: &Outcome) -> bool {
    let mut conditions = outcome.status.conditions.iter();
    conditions.any(|condition| condition.reason == Reason::Conflict.as_str())
}

fn not_ready(outcome: &Outcome) -> String {
    let ready = ConditionType::Ready.as_str();
    let mut conditions = outcome.status.conditions.iter();
    conditions
        .find(|condition| condition.condition_type == ready)
        .map(|condition| condition.message.clone())
        .unwrap_or_default()
}
