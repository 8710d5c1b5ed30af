//! A real PostgreSQL with TLS, and what tests need of it.
//!
//! It runs as an unprivileged user: the server refuses to be root, so a root's test gives it a user namespace of its
//! own, in which nobody is. Each test makes a database of its own.

mod client;
mod server;

pub use client::PostgresClient;
pub use server::{Postgres, PostgresError, shared_postgres};
