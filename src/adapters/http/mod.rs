//! The one HTTP layer of every hand-written client.
//!
//! What it promises, so that no client has to remember it:
//!
//! - **Addresses** pass the [`egress`] policy: https, no address inside the cluster or the host but by the
//!   administrator's list. A name is resolved for each connection, every address is judged, and the
//!   connection goes to a judged address and to no other. Proxies of the environment are not used.
//! - **Redirects** are followed on the same origin only, so that a token never travels to another host.
//! - **Bounds**: bodies are cut off at [`MAX_BODY_BYTES`] while they stream, all bodies in flight share one
//!   [`budget`], JSON has a depth, waits have a ceiling. Compression is neither asked for nor accepted.
//! - **Patience**: requests that change nothing are tried again after faults that pass by themselves;
//!   `Retry-After` holds back the whole store; each store has its concurrency and its pace.
//! - **The operator's own identity** is behind [`ambient`]: a closed list of credential services, whose
//!   addresses come from constants and the process's own environment, for those stores alone that may use it.
//! - **Silence**: credentials travel in headers that are marked sensitive and in bodies, never in URLs;
//!   errors hold a status, the host and our own sentence, never the text of an answer.

pub mod ambient;
pub mod budget;
pub mod client;
#[cfg(feature = "postgres")]
pub(crate) mod dial;
pub mod egress;
pub mod endpoint;
pub mod error;
pub mod json;
pub mod limits;
pub mod resolve;
pub mod retry;
pub mod tls;

#[cfg(test)]
pub(crate) mod test_server;

/// The most bytes that the body of one answer may have, after decompression (of which there is none).
pub const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;
