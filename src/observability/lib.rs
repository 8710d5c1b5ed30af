//! What Penstock tells about itself, and what it keeps to itself.
//!
//! - [`telemetry`]: one struct per happening; it owns its log line and its metric, so that both say the same.
//!   The macros of `tracing` are forbidden in every other room.
//! - [`logging`]: where log lines go, in which form and from which level on; [`redaction`] is the last net
//!   under them.
//! - [`metrics`]: every metric with its name and labels; [`instrument`] counts what passes the domain's ports,
//!   [`requests`] what goes to the API server.
//! - [`audit`]: the audit trail (rule 10 of the design).
//! - [`health`] and [`admin`]: `/healthz`, `/readyz` and `/metrics` on a port of their own.
//! - [`hardening`] and [`panics`]: no core dumps, no payload of a panic.

pub mod admin;
pub mod audit;
pub mod hardening;
pub mod health;
pub mod instrument;
pub mod logging;
pub mod metrics;
pub mod panics;
pub mod port;
mod process;
pub mod redaction;
pub mod requests;
pub mod telemetry;
