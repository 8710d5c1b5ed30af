//! A real OpenBao with TLS, and what tests need of its API.
//!
//! It stores on disk (in the keeper's directory), so that it can be killed and started again with
//! all its data, and it writes an audit log of every request, so that reads can be counted.

mod audit;
mod client;
mod server;

pub use audit::AuditedRequest;
pub use client::{AppRole, VaultClient, VaultError};
pub use server::{KubernetesLogin, OpenBao, OpenBaoError};
