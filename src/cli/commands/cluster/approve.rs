//! `penstock approve`: lets one plan that waits be carried out, once.
//!
//! What is approved is a hash and a generation. The operator carries out that plan or none, so that nothing has to
//! hold still between the look and the approval.

use penstock_domain::api::status::PendingPlan;
use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::SyncId;
use penstock_domain::people::{SyncChange, SyncObject, SyncObjects};
use penstock_domain::reserved::{APPROVE_ANNOTATION, BY_ANNOTATION};

use super::waiting::{subject, wait_until};
use super::{ActError, say};
use crate::arguments::WaitArguments;
use crate::exit::Ending;
use crate::output::{Streams, plain};
use crate::overview::{pending_lines, state_line};

/// Shows the plan that waits, and approves it in the user's name: when it is the one of `hash`, or when a person at
/// a terminal says yes.
pub async fn approve(
    objects: &dyn SyncObjects,
    sync: &SyncId,
    (hash, wait): (Option<&str>, WaitArguments),
    streams: &mut Streams,
) -> Result<Ending, ActError> {
    let object = objects.get(sync).await?;
    let pending = waiting_plan(&object)?;
    let user = objects.user().await?;
    for line in pending_lines(pending, streams.error_style) {
        streams.tell(line);
    }
    match hash {
        Some(hash) if hash == pending.hash => {}
        Some(_) => return Err(another_plan(&object, pending).into()),
        None if !streams.person => return Err(nobody_to_ask(&object, pending).into()),
        None => {
            let question = format!("Approve this plan as {}?", plain(&user));
            if !streams.confirm(&question).map_err(ActError::Ask)? {
                streams.tell("Nothing was approved.");
                return Ok(Ending::Failed);
            }
        }
    }
    let approval = format!("{}.{}", pending.hash, pending.generation);
    let change = SyncChange {
        annotations: [
            (APPROVE_ANNOTATION, approval),
            (BY_ANNOTATION, user.clone()),
        ]
        .into(),
        ..SyncChange::default()
    };
    let approved = objects.change(&object, &change).await.map_err(policy)?;
    let (name, hash) = (format!("{}/{}", sync.namespace, sync.name), &pending.hash);
    say(
        streams,
        &format!("{name}: plan {hash} is approved by {}", plain(&user)),
    )?;
    if !wait.wait {
        return Ok(Ending::Done);
    }
    let left = |now: &SyncObject| {
        let plan = now.status.pending_plan.as_ref();
        plan.is_none_or(|plan| plan.hash != *hash)
    };
    let now = wait_until(objects, &approved, wait.timeout, left).await?;
    let line = state_line(&now, streams.style);
    say(streams, &line)?;
    Ok(if now.pending_plan().is_some() {
        Ending::Failed
    } else {
        Ending::Done
    })
}

fn waiting_plan(sync: &SyncObject) -> Result<&PendingPlan, Fault> {
    let denied = |message: &str, hint: String| {
        Fault::new(FaultClass::Denied, subject(&sync.id), message)
            .because(Reason::ApprovalVoid)
            .hint(hint)
    };
    if sync.suspended {
        let hint = format!(
            "`penstock resume {} -n {}` first",
            sync.id.name, sync.id.namespace
        );
        return Err(denied("it is suspended: no plan is carried out", hint));
    }
    match (sync.pending_plan(), &sync.status.pending_plan) {
        (Some(pending), _) => Ok(pending),
        (None, Some(_)) => Err(denied(
            "its spec has changed since the plan was made",
            "Ask again when the operator has made a new one".to_owned(),
        )),
        (None, None) => Err(denied(
            "no plan of it waits for a person",
            explain_hint(&sync.id),
        )),
    }
}

fn another_plan(sync: &SyncObject, pending: &PendingPlan) -> Fault {
    let message = format!(
        "the plan that waits is another one by now: {}",
        pending.hash
    );
    Fault::new(FaultClass::Conflict, subject(&sync.id), message)
        .because(Reason::ApprovalVoid)
        .hint("Nothing was approved. Look at the plan above, and approve that one if it is right")
}

fn nobody_to_ask(sync: &SyncObject, pending: &PendingPlan) -> Fault {
    let hint = format!(
        "Look at the plan above, then `penstock approve {} {} -n {}`",
        sync.id.name, pending.hash, sync.id.namespace
    );
    Fault::new(
        FaultClass::Denied,
        subject(&sync.id),
        "nobody can be asked here: name the plan that you approve",
    )
    .because(Reason::ApprovalRequired)
    .hint(hint)
}

fn explain_hint(sync: &SyncId) -> String {
    format!(
        "`penstock explain {} -n {}` says how it is",
        sync.name, sync.namespace
    )
}

/// What usually stands behind a refusal here is the policy on approvals.
fn policy(fault: Fault) -> Fault {
    if fault.class != FaultClass::Denied {
        return fault;
    }
    let hint = "To approve takes the verbs `patch` and `approve` on secretsyncs.penstock.dev: ask for the chart's \
                role penstock-approver";
    fault.hint(hint)
}
