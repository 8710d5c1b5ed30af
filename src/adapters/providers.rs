//! The one file that names every adapter: from the spec of a store to an opened store.
//!
//! A provider whose feature is off answers `NotSupported`.

use std::sync::Arc;

use penstock_domain::api::kubernetes::KubernetesProvider;
use penstock_domain::api::source::ObjectKind;
use penstock_domain::api::store::System;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::stores::{Credentials, DataObjects, StoreCatalog, StoreObject};
use penstock_domain::sync::SourceOptions;

use crate::http::client::HttpLayer;
#[cfg(feature = "infisical")]
use crate::infisical::InfisicalStore;
use crate::open::{OpenedStore, Proposal, StoreFailure, StoreQuery};
#[cfg(feature = "kubernetes")]
use crate::remote_objects::{OtherCluster, OtherNamespace};
#[cfg(feature = "vault")]
use crate::vault::VaultStore;

/// What stores and sources are reached through.
#[derive(Clone)]
pub struct Reached {
    /// Outgoing HTTP.
    pub http: Arc<HttpLayer>,
    /// Store objects.
    pub catalog: Arc<dyn StoreCatalog>,
    /// Secrets, ConfigMaps and ServiceAccounts that stores name.
    pub credentials: Arc<dyn Credentials>,
    /// Secrets and ConfigMaps that are sources.
    pub objects: Arc<dyn DataObjects>,
}

fn system(store: &StoreObject) -> Result<System<'_>, Fault> {
    store.provider.variant().map_err(|error| {
        Fault::new(
            FaultClass::Invalid,
            format!("{} spec.provider", store.reference),
            error.to_string(),
        )
    })
}

/// What a query may mean, in order of preference; the caller gets the first that it may ask. Decided from the
/// spec alone.
pub(crate) fn propose(store: &StoreObject, query: StoreQuery) -> Result<Vec<Proposal>, Fault> {
    match system(store)? {
        #[cfg(feature = "vault")]
        System::Vault(provider) => VaultStore::propose(provider, query)
            .map(|proposal| vec![proposal])
            .map_err(|error| error.fault(&store.reference.to_string())),
        #[cfg(feature = "infisical")]
        System::Infisical(provider) => InfisicalStore::propose(provider, query)
            .map_err(|error| error.fault(&store.reference.to_string())),
        System::Kubernetes(_) => {
            let mut proposal = Proposal::of(query);
            if let SourceOptions::Kubernetes { config_map: true } = proposal.query.options {
                proposal.kind = Some(ObjectKind::ConfigMap);
            }
            Ok(vec![proposal])
        }
        #[cfg(not(all(feature = "vault", feature = "infisical")))]
        _ => Ok(vec![Proposal::of(query)]),
    }
}

/// Opens a store: its credentials are fetched, nobody logs in yet.
#[cfg_attr(
    not(any(feature = "vault", feature = "kubernetes", feature = "infisical")),
    expect(
        unused_variables,
        clippy::unused_async,
        reason = "nothing is left to be reached"
    )
)]
pub(crate) async fn open(
    store: &StoreObject,
    reached: &Reached,
) -> Result<Arc<dyn OpenedStore>, StoreFailure> {
    match system(store)? {
        #[cfg(feature = "vault")]
        System::Vault(provider) => {
            let opened = VaultStore::open(store, provider, &reached.http, &reached.credentials)
                .await
                .map_err(|error| StoreFailure::from(error.fault(&store.reference.to_string())))?;
            Ok(Arc::new(opened))
        }
        #[cfg(not(feature = "vault"))]
        System::Vault(_) => Err(not_built(store, "vault").into()),
        #[cfg(feature = "infisical")]
        System::Infisical(provider) => {
            let opened = InfisicalStore::open(store, provider, &reached.http, &reached.credentials)
                .await
                .map_err(|error| StoreFailure::from(error.fault(&store.reference.to_string())))?;
            Ok(Arc::new(opened))
        }
        #[cfg(not(feature = "infisical"))]
        System::Infisical(_) => Err(not_built(store, "infisical").into()),
        #[cfg(feature = "kubernetes")]
        System::Kubernetes(provider) => open_kubernetes(store, provider, reached).await,
        #[cfg(not(feature = "kubernetes"))]
        System::Kubernetes(_) => Err(not_built(store, "kubernetes").into()),
    }
}

#[cfg(feature = "kubernetes")]
async fn open_kubernetes(
    store: &StoreObject,
    provider: &KubernetesProvider,
    reached: &Reached,
) -> Result<Arc<dyn OpenedStore>, StoreFailure> {
    if is_neighbour(provider) {
        let opened = OtherNamespace::open(store, provider, &reached.objects)?;
        return Ok(Arc::new(opened));
    }
    let opened = OtherCluster::open(store, provider, &reached.http, &reached.credentials).await?;
    Ok(Arc::new(opened))
}

/// Whether the answers of a store depend on who asks, because the other side must consent.
pub(crate) fn needs_consent(store: &StoreObject) -> Result<bool, Fault> {
    Ok(match system(store)? {
        System::Vault(_) | System::Infisical(_) => false,
        System::Kubernetes(provider) => is_neighbour(provider),
    })
}

/// Whether another namespace of this cluster is meant, and not another cluster.
fn is_neighbour(provider: &KubernetesProvider) -> bool {
    provider.kubeconfig_ref.is_none() && provider.server.is_none()
}

#[cfg(not(all(feature = "vault", feature = "kubernetes", feature = "infisical")))]
fn not_built(store: &StoreObject, provider: &str) -> Fault {
    Fault::new(
        FaultClass::NotSupported,
        format!("{} spec.provider.{provider}", store.reference),
        "this build has no such provider",
    )
}
