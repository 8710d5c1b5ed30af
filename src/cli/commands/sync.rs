//! `penstock sync`: the plan, carried out.
//!
//! Plan → ask → carry out, one sync after the other, so that a failure of one leaves the others alone. What is under
//! way when a person interrupts is dropped: every write is one step, so each target holds the old or the new.

mod carry;
mod change;
mod watch;

use std::time::Duration;

use penstock_domain::names::SyncId;
use penstock_domain::sync::ValidatedTarget;

use self::carry::{Carried, carry_out};
use super::plan::print;
use crate::arguments::{Form, SyncArguments};
use crate::exit::{CommandError, Ending};
use crate::local::{LiveSync, Looked, Session};
use crate::output::{Streams, Tone};
use crate::report::{PlanReport, SyncState};

/// Carries the plan out, and goes on if that is asked.
pub async fn sync(
    session: &Session,
    arguments: &SyncArguments,
    streams: &mut Streams,
) -> Result<Ending, CommandError> {
    if arguments.dry_run {
        return super::plan::plan(session, Form::Text, streams).await;
    }
    session.invocation.check_commands()?;
    let work = async {
        if arguments.watch {
            Box::pin(watch::watch(session, arguments, streams)).await
        } else {
            Box::pin(round(session, arguments, streams)).await
        }
    };
    let interrupted = tokio::select! {
        biased;
        signal = tokio::signal::ctrl_c() => signal.map_err(CommandError::ListenForSignals),
        ending = work => return ending,
    };
    interrupted?;
    streams.tell("interrupted: every target holds either its old or its new content");
    Ok(Ending::Interrupted)
}

/// One round over all syncs.
async fn round(
    session: &Session,
    arguments: &SyncArguments,
    streams: &mut Streams,
) -> Result<Ending, CommandError> {
    let looked = session.look_at_all(&arguments.approvals).await;
    let report = session.report(&looked).await;
    if !arguments.watch || report.changes() || report.failed() {
        print(&report, Form::Text, streams)?;
    }
    let mut round = Round::default();
    for (mut looked, report) in looked.into_iter().zip(&report.syncs) {
        round.stale |= !report.stale.is_empty();
        // Targets that hold what they should do not make up for what could not be read.
        round.failed |= report.state == SyncState::Failed;
        session.remember(&mut looked).await;
        match decide(&looked, report.state, arguments, streams).await? {
            Decision::Nothing => {}
            Decision::Leave => round.failed = true,
            Decision::CarryOut if is_live(session, &looked, streams).await => round.failed = true,
            Decision::CarryOut => {
                let carried = carry_out(session, looked, streams).await;
                round.take(carried);
            }
        }
    }
    warn_of_stale(&report, streams);
    if let Some(command) = arguments.on_change.as_ref().filter(|_| round.changed) {
        round.failed |= !change::run(command, streams);
    }
    Ok(round.ending(arguments.strict))
}

/// Whether an operator owns the targets of a sync, which is then left alone. What cannot be known counts as owned.
async fn is_live(session: &Session, looked: &Looked<'_>, streams: &mut Streams) -> bool {
    let id = &looked.chosen.sync.id;
    let in_cluster = |target: &ValidatedTarget| target.destination.is_object();
    if !looked.chosen.targets().any(in_cluster) {
        return false;
    }
    match session.live.state(id).await {
        Ok(LiveSync::Absent | LiveSync::Suspended) => false,
        Ok(LiveSync::Active) => {
            streams.tell(format!(
                "{id}: left alone: this SecretSync lives in the cluster, and its operator owns the targets; suspend it \
                 first (`spec.suspend: true`)"
            ));
            true
        }
        Err(fault) => {
            streams.tell(format!(
                "{id}: left alone: cannot see whether an operator owns the targets: {fault}"
            ));
            true
        }
    }
}

/// What a round came to.
#[derive(Debug, Default)]
struct Round {
    failed: bool,
    changed: bool,
    stale: bool,
}

impl Round {
    fn take(&mut self, carried: Carried) {
        self.failed |= carried.failed;
        self.changed |= carried.changed;
    }

    fn ending(&self, strict: bool) -> Ending {
        if self.failed {
            Ending::Failed
        } else if self.stale && strict {
            Ending::Stale
        } else {
            Ending::Done
        }
    }
}

/// Whether one sync is carried out.
enum Decision {
    /// There is nothing to do.
    Nothing,
    /// It must not be, and that is a failure.
    Leave,
    /// It is.
    CarryOut,
}

async fn decide(
    looked: &Looked<'_>,
    state: SyncState,
    arguments: &SyncArguments,
    streams: &mut Streams,
) -> Result<Decision, CommandError> {
    let id = &looked.chosen.sync.id;
    match state {
        SyncState::Unchanged | SyncState::Suspended => return Ok(Decision::Nothing),
        SyncState::Held => {
            streams.tell(format!(
                "{id}: left alone: it waits for approval (see the plan above)"
            ));
            return Ok(Decision::Leave);
        }
        // What is not blocked is written, and the rest fails in its own words.
        SyncState::Failed | SyncState::Changes => {}
    }
    let Some(plan) = looked.prepared.plan() else {
        return Ok(Decision::Leave);
    };
    let deletions: usize = plan.deletions().values().map(Vec::len).sum();
    if deletions == 0 || arguments.yes {
        return Ok(Decision::CarryOut);
    }
    ask(id, deletions, streams).await
}

async fn ask(
    id: &SyncId,
    deletions: usize,
    streams: &mut Streams,
) -> Result<Decision, CommandError> {
    let keys = if deletions == 1 { "key" } else { "keys" };
    if !streams.person {
        streams.tell(format!(
            "{id}: left alone: it would delete {deletions} {keys}, and nobody is here to ask; say --yes"
        ));
        return Ok(Decision::Leave);
    }
    let question = format!("{id}: delete {deletions} {keys}?");
    let agreed = streams.confirm_or_leave(&question).await;
    if agreed.map_err(CommandError::Ask)? {
        return Ok(Decision::CarryOut);
    }
    streams.tell(format!("{id}: left alone"));
    Ok(Decision::Leave)
}

/// One warning for each sync whose sources fell back.
fn warn_of_stale(report: &PlanReport, streams: &mut Streams) {
    for sync in report.syncs.iter().filter(|sync| !sync.stale.is_empty()) {
        let sources: Vec<&str> = sync.stale.iter().map(|one| one.subject.as_str()).collect();
        let words = format!(
            "warning: {}/{}: {} did not answer; what it gave before stays in use",
            sync.namespace,
            sync.name,
            sources.join(", ")
        );
        let words = streams.error_style.paint(Tone::Change, &words);
        streams.tell(words);
    }
}

/// The shortest pause of `--watch` after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(10);
