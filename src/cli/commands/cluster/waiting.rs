//! Staying until the operator has done something.

use std::time::Duration;

use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::SyncId;
use penstock_domain::people::{SyncObject, SyncObjects};
use tokio::time::{Instant, sleep};

/// How often the API server is asked. A watch would be more than a person notices.
const PAUSE: Duration = Duration::from_millis(500);

/// Asks again and again until `is_done`. An API server that does not answer is asked again, too.
pub(super) async fn wait_until(
    objects: &dyn SyncObjects,
    sync: &SyncObject,
    timeout: Duration,
    is_done: impl Fn(&SyncObject) -> bool,
) -> Result<SyncObject, Fault> {
    let until = Instant::now() + timeout;
    loop {
        match objects.get(&sync.id).await {
            Ok(now) if now.uid != sync.uid => return Err(replaced(&sync.id)),
            Ok(now) if is_done(&now) => return Ok(now),
            Err(fault) if !fault.class.is_transient() => return Err(fault),
            Ok(_) | Err(_) => {}
        }
        if Instant::now() >= until {
            return Err(too_late(&sync.id));
        }
        sleep(PAUSE).await;
    }
}

fn replaced(sync: &SyncId) -> Fault {
    Fault::new(
        FaultClass::Conflict,
        subject(sync),
        "somebody deleted it and made another of its name",
    )
}

fn too_late(sync: &SyncId) -> Fault {
    let hint = format!(
        "It still may: see `penstock explain {} -n {}`, and whether the operator runs",
        sync.name, sync.namespace
    );
    Fault::new(
        FaultClass::Unavailable,
        subject(sync),
        "the operator has not done it in time",
    )
    .hint(hint)
}

/// `SecretSync prod/shop`
pub(super) fn subject(sync: &SyncId) -> String {
    format!("SecretSync {}/{}", sync.namespace, sync.name)
}
