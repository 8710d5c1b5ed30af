//! Secrets and ConfigMaps of another namespace or cluster as a store (`spec.provider.kubernetes`).
//!
//! - [`namespace`]: another namespace of this cluster. Only a ClusterSecretStore reaches one, with the
//!   operator's own identity, and each object must name the store and the asking namespace in its annotation
//!   `penstock.dev/accept-from`.
//! - [`cluster`]: another cluster, by address and token or by a kubeconfig, over the common HTTP layer.
//!   [`kubeconfig`] takes an allow-list of inline fields out of such a file and refuses the rest.
//! - [`items`]: Secrets of another cluster, as people look at them and change them.
//!
//! One source is one object; its keys are the entries. Kubernetes keeps no versions.

mod cluster;
mod items;
mod kubeconfig;
mod namespace;
mod query;

use std::sync::Arc;

use async_trait::async_trait;
use penstock_domain::api::kubernetes::KubernetesProvider;
use penstock_domain::api::source::ObjectKind;
use penstock_domain::fault::Fault;
use penstock_domain::stores::StoreObject;
use penstock_domain::sync::SourceOptions;

pub use cluster::OtherCluster;
pub use namespace::OtherNamespace;

use crate::open::{Adapter, OpenedStore, Proposal, StoreFailure, StoreQuery};
use crate::providers::Reached;

/// Objects elsewhere: in another namespace, or in another cluster.
pub enum RemoteObjects {}

#[async_trait]
impl Adapter for RemoteObjects {
    type Provider = KubernetesProvider;

    fn propose(
        _subject: &str,
        _provider: &KubernetesProvider,
        query: StoreQuery,
    ) -> Result<Vec<Proposal>, Fault> {
        let mut proposal = Proposal::of(query);
        if let SourceOptions::Kubernetes { config_map: true } = proposal.query.options {
            proposal.kind = Some(ObjectKind::ConfigMap);
        }
        Ok(vec![proposal])
    }

    async fn open(
        store: &StoreObject,
        provider: &KubernetesProvider,
        reached: &Reached,
    ) -> Result<Arc<dyn OpenedStore>, StoreFailure> {
        if Self::needs_consent(provider) {
            let opened = OtherNamespace::open(store, provider, &reached.objects)?;
            return Ok(Arc::new(opened));
        }
        let opened =
            OtherCluster::open(store, provider, &reached.http, &reached.credentials).await?;
        Ok(Arc::new(opened))
    }

    /// Another namespace of this cluster is meant, and not another cluster.
    fn needs_consent(provider: &KubernetesProvider) -> bool {
        provider.kubeconfig_ref.is_none() && provider.server.is_none()
    }
}

#[cfg(test)]
pub(crate) mod tests;
