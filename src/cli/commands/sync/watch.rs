//! `--watch`: round after round, at the shortest interval of the syncs, and at once when a store says that something
//! has changed.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{AFTER_FAILURE, round};
use crate::arguments::SyncArguments;
use crate::exit::{CommandError, Ending};
use crate::local::Session;
use crate::output::Streams;

/// The shortest pause between two rounds.
const LEAST_PAUSE: Duration = Duration::from_secs(10);
/// What stores tell within so long after a round began is gathered into one more.
const GATHER: Duration = Duration::from_secs(5);

/// Goes on until somebody interrupts. A round that fails is told and followed by the next.
pub(super) async fn watch(
    session: &Session,
    arguments: &SyncArguments,
    streams: &mut Streams,
) -> Result<Ending, CommandError> {
    let intervals = session.invocation.syncs.iter().map(|one| one.sync.interval);
    let pause = intervals.min().unwrap_or(LEAST_PAUSE).max(LEAST_PAUSE);
    session.news.begin();
    let mut told = None;
    loop {
        let ending = Box::pin(round(session, arguments, streams)).await?;
        let pause = if ending == Ending::Failed {
            AFTER_FAILURE
        } else {
            pause
        };
        let next = Instant::now() + pause;
        told = tokio::select! {
            () = sleep_until(next) => told,
            at = news(session, told) => Some(at),
        };
    }
}

/// Waits for news. The first are taken at once; those soon after a round that news began wait for one more.
async fn news(session: &Session, told: Option<Instant>) -> Instant {
    session.news.next().await;
    if let Some(told) = told {
        sleep_until(told + GATHER).await;
    }
    Instant::now()
}
