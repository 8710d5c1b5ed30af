//! The stage on which cases about the running operator play.
//!
//! | part | what it is |
//! |---|---|
//! | [`setup`] | what a case wants, and the way in: [`on_stage`], [`on_shared_stage`] |
//! | [`place`] | a namespace, the chart in it, a vault path, a store, an operator under the chart's account |
//! | [`operator`] | killing it, starting it again, a second replica, its log |
//! | [`vault`] | what the vault holds, and the door before it |
//! | [`objects`] | applying, reading and editing objects |
//! | [`syncs`] | status, conditions, events, a refresh on demand |
//! | [`workloads`] | Deployments that use Secrets, and how often they were rolled out |
//! | [`leaks`] | no value of a test may stand in a log, a status, an event or an annotation |
//! | [`picture`] | what a case that failed shows |
//!
//! Every value that a case puts into a vault holds the word [`MARKER`](leaks::MARKER): whatever shows it is a leak, and
//! every case looks for it at its end. In the YAML of a case `$apps` stands for its path in the vault and
//! `$operator` for the operator's namespace.

mod leaks;
mod objects;
mod operator;
mod picture;
mod place;
mod setup;
mod syncs;
mod vault;
mod workloads;

pub(super) use place::Stage;
pub(super) use setup::{Setup, on_shared_stage, on_stage};
pub(super) use workloads::Usage;
