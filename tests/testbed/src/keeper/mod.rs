//! The keeper: the one process that owns every server, and outlives nobody.
//!
//! A test binary, the demo or `make cluster` starts `penstock-testbed keeper` and speaks to it in
//! lines of JSON over its standard input and output. The keeper makes one temporary directory,
//! starts programs in process groups of their own, and when its input ends — because its client
//! said so, ended, panicked or was killed with SIGKILL — or when a signal tells it to stop, it
//! kills every group and removes the directory. It knows nothing about what it runs.
//!
//! The client half ([`Keeper`], [`Process`]) runs on plain threads, so that a process that was
//! started in one test's runtime can be used from another's.

mod client;
mod process;
mod protocol;
mod serve;
mod service;

pub use client::{Keeper, KeeperError};
pub use process::Process;
pub(crate) use process::{log_tail, read_log};
pub use protocol::{Exit, Launch, Signal};
pub use serve::{ServeError, serve};
pub use service::Service;
