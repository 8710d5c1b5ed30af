//! Workloads as the rollout sees them, and what their pod templates use.

mod uses;
mod view;

pub use uses::uses;
pub use view::{PodView, Use, UsedKeys, UsedObject, WorkloadId, WorkloadView};
