//! `--watch`: round after round, each sync at its interval.

use std::time::Duration;

use super::{AFTER_FAILURE, round};
use crate::arguments::SyncArguments;
use crate::exit::{CommandError, Ending};
use crate::local::Session;
use crate::output::Streams;

/// The shortest pause between two rounds.
const LEAST_PAUSE: Duration = Duration::from_secs(10);

/// Goes on until somebody interrupts. A round that fails is told and followed by the next.
pub(super) async fn watch(
    session: &Session,
    arguments: &SyncArguments,
    streams: &mut Streams,
) -> Result<Ending, CommandError> {
    let intervals = session.invocation.syncs.iter().map(|one| one.sync.interval);
    let pause = intervals.min().unwrap_or(LEAST_PAUSE).max(LEAST_PAUSE);
    loop {
        let ending = Box::pin(round(session, arguments, streams)).await?;
        let pause = if ending == Ending::Failed {
            AFTER_FAILURE
        } else {
            pause
        };
        tokio::time::sleep(pause).await;
    }
}
