//! Verbs that act on the SecretSyncs of a cluster, in the name and with the rights of whoever calls them.

mod approve;
mod explain;
mod history;
mod refresh;
mod revisions;
mod status;
mod suspend;
mod waiting;

#[cfg(test)]
mod tests;

use std::io;

use penstock_domain::fault::Fault;

pub use self::approve::approve;
pub use self::explain::explain;
pub use self::history::history;
pub use self::refresh::{Asked, refresh};
pub use self::revisions::{approve_rollout, forget, revoke, rollback, unpin};
pub use self::status::{Wanted, status};
pub use self::suspend::suspend;
use crate::exit::Ending;
use crate::output::Streams;

/// Why a verb could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// The cluster refused, did not answer, or is not as it must be.
    #[error("{0}")]
    Act(Fault),
    /// Standard output does not take it.
    #[error("cannot write to standard output")]
    Print(#[source] io::Error),
    /// A person cannot be asked.
    #[error("cannot ask")]
    Ask(#[source] io::Error),
    /// An overview does not become JSON.
    #[error("cannot write the overview as JSON")]
    WriteJson(#[source] serde_json::Error),
}

impl From<Fault> for ActError {
    fn from(fault: Fault) -> Self {
        Self::Act(fault)
    }
}

/// What was looked at is not as it should be, and that has been told.
const NOT_READY: Ending = Ending::Status(2);

/// Lines to standard output.
fn say(streams: &mut Streams, lines: &str) -> Result<(), ActError> {
    writeln!(streams.out, "{lines}")
        .and_then(|()| streams.out.flush())
        .map_err(ActError::Print)
}
