//! Secrets and ConfigMaps of another namespace or cluster as a store (`spec.provider.kubernetes`).
//!
//! - [`namespace`]: another namespace of this cluster. Only a ClusterSecretStore reaches one, with the
//!   operator's own identity, and each object must name the store and the asking namespace in its annotation
//!   `penstock.dev/accept-from`.
//! - [`cluster`]: another cluster, by address and token or by a kubeconfig, over the common HTTP layer.
//!   [`kubeconfig`] takes an allow-list of inline fields out of such a file and refuses the rest.
//!
//! One source is one object; its keys are the entries. Kubernetes keeps no versions.

mod cluster;
mod kubeconfig;
mod namespace;
mod query;

pub use cluster::OtherCluster;
pub use namespace::OtherNamespace;

#[cfg(test)]
mod tests;
