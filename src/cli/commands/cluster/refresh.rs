//! `penstock refresh` and `penstock retry`: ask the operator to read the sources now, or to try again what was
//! rejected.

use jiff::Timestamp;
use penstock_domain::conditions::{ConditionType, Reason};
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::SyncId;
use penstock_domain::people::{SyncChange, SyncObject, SyncObjects};
use penstock_domain::reserved::{BY_ANNOTATION, REFRESH_ANNOTATION, RETRY_ANNOTATION};

use super::waiting::{subject, wait_until};
use super::{ActError, NOT_READY, say};
use crate::arguments::WaitArguments;
use crate::exit::Ending;
use crate::output::Streams;
use crate::overview::state_line;

/// What is asked of the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A read.
    Read,
    /// A read, and another look at what validators have rejected.
    Retry,
}

/// Asks for a read of each of `syncs`; with `--wait`, stays until each was read.
pub async fn refresh(
    objects: &dyn SyncObjects,
    (asked_for, syncs): (Asked, &[SyncId]),
    wait: WaitArguments,
    streams: &mut Streams,
) -> Result<Ending, ActError> {
    // Nothing is asked for unless all that was named is there.
    let mut asked = Vec::new();
    for id in syncs {
        let sync = objects.get(id).await?;
        if sync.suspended {
            return Err(suspended(id).into());
        }
        asked.push(sync);
    }
    // No two requests have the same time, so that each is a new one.
    let nonce = Timestamp::now().to_string();
    let mut change = SyncChange {
        annotations: [(REFRESH_ANNOTATION, nonce.clone())].into(),
        ..SyncChange::default()
    };
    if asked_for == Asked::Retry {
        change.annotations.insert(RETRY_ANNOTATION, nonce.clone());
        // An admission policy of the chart asks who lifts a rejection.
        change
            .annotations
            .insert(BY_ANNOTATION, objects.user().await?);
    }
    let what = match asked_for {
        Asked::Read => "a read is asked for",
        Asked::Retry => "another try is asked for",
    };
    for sync in &mut asked {
        *sync = objects.change(sync, &change).await?;
        if !wait.wait {
            let id = &sync.id;
            say(streams, &format!("{}/{}: {what}", id.namespace, id.name))?;
        }
    }
    if !wait.wait {
        return Ok(Ending::Done);
    }
    let mut ending = Ending::Done;
    for sync in &asked {
        let now = wait_until(objects, sync, wait.timeout, |now| is_read(now, &nonce)).await?;
        let line = state_line(&now, streams.style);
        say(streams, &line)?;
        if !now.is_ready() {
            ending = NOT_READY;
        }
    }
    Ok(ending)
}

/// Whether the operator honoured the request, or a spec that it cannot work with forbids it.
fn is_read(sync: &SyncObject, nonce: &str) -> bool {
    let refused = sync.condition(ConditionType::Ready).is_some_and(|ready| {
        [Reason::InvalidSpec, Reason::NotSupported]
            .map(Reason::as_str)
            .contains(&&*ready.reason)
    });
    sync.status.refresh.as_deref() == Some(nonce) || sync.is_observed() && refused
}

fn suspended(sync: &SyncId) -> Fault {
    let message = "it is suspended: nothing is read";
    let hint = format!("`penstock resume {} -n {}`", sync.name, sync.namespace);
    Fault::new(FaultClass::Denied, subject(sync), message)
        .because(Reason::Suspended)
        .hint(hint)
}
