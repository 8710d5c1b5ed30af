//! Kubernetes: targets, records, sources, workloads and the installation key.
//!
//! Everything goes through one [`ApiServer`], whose limits all clones share, and which decodes answers
//! itself. What it decodes is cut down to what is looked at, and values only ever stand in `SecretValue`.
//! Failures become faults in one place, by status and reason, never by text.

mod api_server;
mod audience;
mod canaries;
mod facts;
mod failure;
pub mod installation_key;
mod listing;
mod object;
mod readers;
mod records;
mod request;
mod served;
mod sync_objects;
mod targets;
mod workloads;

pub use api_server::{ApiServer, ApiServerLimits, Permit};
pub use canaries::KubernetesCanaries;
pub use facts::KubernetesFacts;
pub use readers::KubernetesReaders;
pub use records::{KubernetesRecords, MAX_INLINE_BYTES};
pub use sync_objects::KubernetesSyncObjects;
pub use targets::KubernetesTargets;
pub use workloads::KubernetesWorkloads;
