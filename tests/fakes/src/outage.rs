//! How a stand-in misbehaves as a whole.

use crate::server::Reply;

/// What stands in the place of every answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outage {
    /// The server stumbles with this status, in its own shape.
    Stumbles(u16),
    /// Something before the server answers with this status and body.
    Proxy(u16, String),
    /// The connection breaks before there is an answer.
    HangsUp,
    /// The connection breaks in the middle of the answer.
    Half,
}

impl Outage {
    /// What is answered in the place of `usual`.
    pub(crate) fn reply(&self, usual: impl FnOnce() -> Reply, stumbled: fn(u16) -> Reply) -> Reply {
        match self {
            Self::Stumbles(status) => stumbled(*status),
            Self::Proxy(status, body) => {
                Reply::new(*status, body.as_bytes()).header("content-type", "text/html")
            }
            Self::HangsUp => Reply::hang_up(),
            Self::Half => usual().first_half(),
        }
    }
}
