//! Workloads as the rollout sees them, and what their pod templates use.

mod uses;
mod view;

pub use uses::uses;
pub use view::{OWN_TROUBLE, PodView, Use, UsedKeys, UsedObject, WorkloadId, WorkloadView};
