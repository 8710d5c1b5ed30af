//! A host to log in to: OpenSSH's server on a port of its own, for the user who runs the tests.

mod programs;
mod server;

pub use programs::NoPrograms;
pub use server::{Sshd, SshdError};
