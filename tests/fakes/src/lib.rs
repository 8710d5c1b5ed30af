//! Strict stand-ins for systems of which no registry offers a server.
//!
//! Each is written from the protocol of the system, answers as it does in the unhappy cases too, and refuses
//! what it refuses. [`Server`] is what they have in common; [`infisical`] is the first of them.

pub mod infisical;
mod server;

pub use infisical::FakeInfisical;
pub use server::{Handler, Listen, Reply, Request, Server, StartServer};
