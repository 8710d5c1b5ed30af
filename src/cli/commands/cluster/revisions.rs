//! `penstock rollback`, `unpin`, `revoke`, `forget` and `approve --rollout`: what a person decides about revisions.
//!
//! All but `forget` are states of the SecretSync, not commands: an annotation that stays until it is taken away.

use std::collections::BTreeSet;

use jiff::Timestamp;
use penstock_domain::api::status::{RevisionOutcome, RolloutPhase};
use penstock_domain::conditions::{ConditionType, Reason};
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::SyncId;
use penstock_domain::people::{SyncChange, SyncObject, SyncObjects};
use penstock_domain::reserved::{
    APPROVE_ROLLOUT_ANNOTATION, BY_ANNOTATION, FORGET_ANNOTATION, NOW_ANNOTATION, PIN_ANNOTATION,
    REFRESH_ANNOTATION, REVOKE_ANNOTATION,
};

use super::waiting::{subject, wait_until};
use super::{ActError, NOT_READY, say};
use crate::arguments::WaitArguments;
use crate::exit::Ending;
use crate::output::{Streams, plain};
use crate::overview::state_line;

/// Pins an older revision: the one that is named, else the newest that is kept.
pub async fn rollback(
    objects: &dyn SyncObjects,
    sync: &SyncId,
    (to, wait): (Option<&str>, WaitArguments),
    streams: &mut Streams,
) -> Result<Ending, ActError> {
    let object = objects.get(sync).await?;
    let to = chosen(&object, to)?;
    let change = in_the_name_of(objects, [(PIN_ANNOTATION, to.clone())]).await?;
    let pinned = objects.change(&object, &change).await?;
    let what = format!(
        "revision {} is pinned: it stays until `penstock unpin`",
        plain(&to)
    );
    say(streams, &line(sync, &what))?;
    let is_there = |now: &SyncObject| {
        now.status.pinned.as_deref() == Some(to.as_str())
            && now.status.revision.as_deref() == Some(to.as_str())
            && !is_rolling(now)
            || refuses_pin(now)
    };
    stay(objects, &pinned, wait, is_there, streams).await
}

/// Takes the pin away, and asks for a read.
pub async fn unpin(
    objects: &dyn SyncObjects,
    sync: &SyncId,
    wait: WaitArguments,
    streams: &mut Streams,
) -> Result<Ending, ActError> {
    let object = objects.get(sync).await?;
    if !object.annotations.contains_key(PIN_ANNOTATION) {
        say(streams, &line(sync, "is not pinned"))?;
        return Ok(Ending::Done);
    }
    let nonce = Timestamp::now().to_string();
    let change = SyncChange {
        annotations: [(REFRESH_ANNOTATION, nonce.clone())].into(),
        remove: BTreeSet::from([PIN_ANNOTATION]),
        suspend: None,
    };
    let freed = objects.change(&object, &change).await?;
    say(streams, &line(sync, "follows its sources again"))?;
    let is_read = |now: &SyncObject| now.status.refresh.as_deref() == Some(nonce.as_str());
    stay(objects, &freed, wait, is_read, streams).await
}

/// Purges revisions that leaked, for good.
pub async fn revoke(
    objects: &dyn SyncObjects,
    sync: &SyncId,
    (revisions, yes): (&[String], bool),
    streams: &mut Streams,
) -> Result<Ending, ActError> {
    let object = objects.get(sync).await?;
    let question = format!(
        "Purge {} of {}/{} for good? Nothing brings it back",
        revisions.join(", "),
        sync.namespace,
        sync.name
    );
    if !agreed(&object, yes, &question, streams)? {
        return Ok(Ending::Failed);
    }
    let former = object.annotations.get(REVOKE_ANNOTATION);
    let former = former.into_iter().flat_map(|list| list.split(','));
    let all: BTreeSet<&str> = former
        .map(str::trim)
        .filter(|one| !one.is_empty())
        .chain(revisions.iter().map(String::as_str))
        .collect();
    let all: Vec<&str> = all.into_iter().collect();
    let change = in_the_name_of(objects, [(REVOKE_ANNOTATION, all.join(","))]).await?;
    objects.change(&object, &change).await?;
    let in_use = object.status.revision.as_deref();
    let what = if in_use.is_some_and(|in_use| revisions.iter().any(|one| one == in_use)) {
        "revoked; one of them is in use until you change its values at the source"
    } else {
        "revoked"
    };
    say(streams, &line(sync, what))?;
    Ok(Ending::Done)
}

/// Drops all older revisions and rejections.
pub async fn forget(
    objects: &dyn SyncObjects,
    sync: &SyncId,
    yes: bool,
    streams: &mut Streams,
) -> Result<Ending, ActError> {
    let object = objects.get(sync).await?;
    let question = format!(
        "Drop all older revisions and rejections of {}/{}? One cannot go back to them",
        sync.namespace, sync.name
    );
    if !agreed(&object, yes, &question, streams)? {
        return Ok(Ending::Failed);
    }
    let nonce = Timestamp::now().to_string();
    let change = in_the_name_of(objects, [(FORGET_ANNOTATION, nonce)]).await?;
    objects.change(&object, &change).await?;
    say(
        streams,
        &line(sync, "older revisions and rejections are dropped"),
    )?;
    Ok(Ending::Done)
}

/// Approves the rollout of the change that waits: of `revision`, or of the one that is shown and agreed to. `now`
/// skips soak and change windows as well.
pub async fn approve_rollout(
    objects: &dyn SyncObjects,
    sync: &SyncId,
    (revision, now, wait): (Option<&str>, bool, WaitArguments),
    streams: &mut Streams,
) -> Result<Ending, ActError> {
    let object = objects.get(sync).await?;
    let waiting = waiting_change(&object, now)?;
    let user = objects.user().await?;
    match revision {
        Some(revision) if revision == waiting => {}
        Some(_) => {
            let message = format!(
                "the change that waits is another one by now: {}",
                plain(&waiting)
            );
            let fault = Fault::new(FaultClass::Conflict, subject(sync), message);
            return Err(fault
                .because(Reason::ApprovalVoid)
                .hint("Nothing was approved")
                .into());
        }
        None => {
            let question = format!("Roll out revision {} as {}?", plain(&waiting), plain(&user));
            if !agreed(&object, false, &question, streams)? {
                return Ok(Ending::Failed);
            }
        }
    }
    let mut annotations = vec![(APPROVE_ROLLOUT_ANNOTATION, waiting.clone())];
    if now {
        annotations.push((NOW_ANNOTATION, waiting.clone()));
    }
    let change = in_the_name_of(objects, annotations).await?;
    let approved = objects.change(&object, &change).await?;
    let what = format!(
        "revision {} is approved by {}",
        plain(&waiting),
        plain(&user)
    );
    say(streams, &line(sync, &what))?;
    let is_written = |now: &SyncObject| now.status.revision.as_deref() == Some(waiting.as_str());
    stay(objects, &approved, wait, is_written, streams).await
}

/// The revision to go back to.
fn chosen(sync: &SyncObject, to: Option<&str>) -> Result<String, Fault> {
    let history = &sync.status.history;
    let kept = |outcome: RevisionOutcome| outcome == RevisionOutcome::Kept;
    let refuse = |message: String| {
        let hint = format!(
            "`penstock history {} -n {}` lists what is kept",
            sync.id.name, sync.id.namespace
        );
        Err(Fault::new(FaultClass::NotFound, subject(&sync.id), message).hint(hint))
    };
    match to {
        Some(to) => match history.iter().find(|one| one.revision == to) {
            Some(one) if kept(one.outcome) || one.outcome == RevisionOutcome::InUse => {
                Ok(to.to_owned())
            }
            Some(one) => refuse(format!(
                "revision {} cannot be brought back: {:?}",
                plain(to),
                one.outcome
            )),
            None => refuse(format!("revision {} is not known", plain(to))),
        },
        None => match history.iter().find(|one| kept(one.outcome)) {
            Some(one) => Ok(one.revision.clone()),
            None => refuse("no older revision is kept".to_owned()),
        },
    }
}

/// The change that a rollout holds back.
fn waiting_change(sync: &SyncObject, now: bool) -> Result<String, Fault> {
    let rolled_out = sync.condition(ConditionType::RolledOut);
    let reason = rolled_out.map(|condition| condition.reason.as_str());
    let mut waits = vec![Reason::RolloutApprovalRequired];
    if now {
        waits.extend([
            Reason::WaitingForWindow,
            Reason::CanaryRunning,
            Reason::CanaryHindered,
        ]);
    }
    let waits = waits.iter().any(|one| reason == Some(one.as_str()));
    let revision = sync.status.rollout.as_ref();
    let revision = revision.and_then(|rollout| rollout.revision.clone());
    revision.filter(|_| waits).ok_or_else(|| {
        let message = "no change of it waits for the approval of its rollout";
        Fault::new(FaultClass::Denied, subject(&sync.id), message)
            .because(Reason::ApprovalVoid)
            .hint(format!(
                "`penstock explain {} -n {}` says how it is",
                sync.id.name, sync.id.namespace
            ))
    })
}

/// An admission policy of the chart holds the name to whoever asks.
async fn in_the_name_of(
    objects: &dyn SyncObjects,
    annotations: impl IntoIterator<Item = (&'static str, String)>,
) -> Result<SyncChange, Fault> {
    let user = objects.user().await?;
    let by = (BY_ANNOTATION, user);
    Ok(SyncChange {
        annotations: annotations.into_iter().chain([by]).collect(),
        ..SyncChange::default()
    })
}

/// Whether a person agrees; without one, `yes` must have been said.
fn agreed(
    sync: &SyncObject,
    yes: bool,
    question: &str,
    streams: &mut Streams,
) -> Result<bool, ActError> {
    if yes {
        return Ok(true);
    }
    if !streams.person {
        let fault = Fault::new(
            FaultClass::Denied,
            subject(&sync.id),
            "nobody can be asked here",
        );
        return Err(fault.hint("Say it in the arguments: see --help").into());
    }
    let agreed = streams.confirm(question).map_err(ActError::Ask)?;
    if !agreed {
        streams.tell("Nothing was changed.");
    }
    Ok(agreed)
}

fn is_rolling(sync: &SyncObject) -> bool {
    let phase = sync
        .status
        .rollout
        .as_ref()
        .and_then(|rollout| rollout.phase);
    matches!(
        phase,
        Some(RolloutPhase::Restarting | RolloutPhase::Waiting)
    )
}

fn refuses_pin(sync: &SyncObject) -> bool {
    let ready = sync.condition(ConditionType::Ready);
    ready.is_some_and(|ready| ready.reason == Reason::PinNotPossible.as_str())
}

async fn stay(
    objects: &dyn SyncObjects,
    sync: &SyncObject,
    wait: WaitArguments,
    done: impl Fn(&SyncObject) -> bool,
    streams: &mut Streams,
) -> Result<Ending, ActError> {
    if !wait.wait {
        return Ok(Ending::Done);
    }
    let now = wait_until(objects, sync, wait.timeout, done).await?;
    let told = state_line(&now, streams.style);
    say(streams, &told)?;
    Ok(if now.is_ready() {
        Ending::Done
    } else {
        NOT_READY
    })
}

fn line(sync: &SyncId, what: &str) -> String {
    format!("{}/{}: {what}", sync.namespace, sync.name)
}
