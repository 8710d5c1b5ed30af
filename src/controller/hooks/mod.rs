//! Webhooks: an outside system says that something has changed, and whoever reads from there reads at once.
//!
//! - [`listener`] speaks HTTP on a port of its own; [`receiver`] decides whether a request is believed;
//!   [`addresses`] bounds what one address may ask; [`gathering`] makes of many hints a few reads, for
//!   [`crate::hints`], where the events of open stores come in as well.
//! - A request is a hint: its body chooses nothing. What it costs is bounded before anything is looked up, and
//!   every refusal is the same answer, after the same while: nobody learns which stores there are.

mod addresses;
pub(crate) mod gathering;
mod listener;
mod receiver;

pub use self::listener::HookServer;
pub use self::receiver::HookReceiver;
