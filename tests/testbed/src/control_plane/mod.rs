//! A real Kubernetes control plane on this machine: etcd, API server, controller manager,
//! scheduler, and kwok in the place of kubelets.

mod layout;
mod plane;

pub use layout::{ControlPlaneOptions, Part};
pub use plane::{ControlPlane, ControlPlaneError};
