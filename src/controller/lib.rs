//! Kubernetes as the place where the engine runs.
//!
//! [`connect()`] finds the cluster, [`run()`] is the life of the process: it checks the cluster, takes part in the
//! [`leadership`], and while it leads, watches feed the [`World`], the world wakes objects, a queue decides whose
//! turn it is, and a turn gathers what the engine needs, runs it, and writes one status if something is new.
//! [`hooks`] lets outside systems say that something has changed; [`StoreHints`] takes that in, from there and from
//! open stores that tell by themselves.

mod clock;
mod connect;
mod dispatch;
mod events;
mod finalizer;
mod hints;
pub mod hooks;
pub mod leadership;
pub mod live;
mod objects;
mod pass;
mod patch;
mod pauses;
mod preflight;
mod problem;
mod queue;
mod references;
mod run;
pub mod settings;
mod stamping;
mod watches;
mod world;

pub use self::clock::SystemClock;
pub use self::connect::{ClusterSettings, ConnectError, Connection, connect};
pub use self::hints::StoreHints;
pub use self::preflight::PreflightError;
pub use self::run::{Adapters, InstallationKeys, OpenStores, Process, RunError, run};
pub use self::world::World;
