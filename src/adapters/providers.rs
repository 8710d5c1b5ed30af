//! The one file that names every adapter: from the spec of a store to an opened store.
//!
//! A provider whose feature is off answers `NotSupported`.

use std::sync::Arc;

use penstock_domain::api::store::System;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::stores::{Credentials, DataObjects, StoreCatalog, StoreObject};

use crate::http::client::HttpLayer;
#[cfg(feature = "stores")]
use crate::open::Adapter;
use crate::open::{OpenedStore, Proposal, StoreFailure, StoreQuery};

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

/// One line for each system: its feature, its member of the one-of, its adapter.
macro_rules! systems {
    ($($feature:literal $system:ident => $adapter:path,)+) => {
        /// What a query may mean, in order of preference; the caller gets the first that it may ask. Decided from
        /// the spec alone.
        #[cfg_attr(
            not(any($(feature = $feature),+)),
            expect(unused_variables, reason = "nothing is left to be asked")
        )]
        pub(crate) fn propose(
            store: &StoreObject,
            query: StoreQuery,
        ) -> Result<Vec<Proposal>, Fault> {
            match system(store)? {
                $(
                    #[cfg(feature = $feature)]
                    System::$system(provider) => {
                        <$adapter as Adapter>::propose(&store.reference.to_string(), provider, query)
                    }
                    #[cfg(not(feature = $feature))]
                    missing @ System::$system(_) => Err(not_built(store, missing)),
                )+
            }
        }

        /// Opens a store: its credentials are fetched, nobody logs in yet.
        #[cfg_attr(
            not(any($(feature = $feature),+)),
            expect(unused_variables, clippy::unused_async, reason = "nothing is left to be reached")
        )]
        pub(crate) async fn open(
            store: &StoreObject,
            reached: &Reached,
        ) -> Result<Arc<dyn OpenedStore>, StoreFailure> {
            match system(store)? {
                $(
                    #[cfg(feature = $feature)]
                    System::$system(provider) => {
                        <$adapter as Adapter>::open(store, provider, reached).await
                    }
                    #[cfg(not(feature = $feature))]
                    missing @ System::$system(_) => Err(not_built(store, missing).into()),
                )+
            }
        }

        /// Whether the answers of a store depend on who asks, because the other side must consent.
        pub(crate) fn needs_consent(store: &StoreObject) -> Result<bool, Fault> {
            Ok(match system(store)? {
                $(
                    #[cfg(feature = $feature)]
                    System::$system(provider) => <$adapter as Adapter>::needs_consent(provider),
                    #[cfg(not(feature = $feature))]
                    System::$system(_) => false,
                )+
            })
        }

        #[cfg(not(all($(feature = $feature),+)))]
        fn not_built(store: &StoreObject, missing: System<'_>) -> Fault {
            Fault::new(
                FaultClass::NotSupported,
                format!("{} spec.provider.{}", store.reference, missing.wire()),
                "this build has no such provider",
            )
        }
    };
}

systems! {
    "vault" Vault => crate::vault::VaultStore,
    "kubernetes" Kubernetes => crate::remote_objects::RemoteObjects,
    "infisical" Infisical => crate::infisical::InfisicalStore,
    "gcp-secret-manager" GcpSecretManager => crate::gcp_secret_manager::GcpStore,
    "azure-key-vault" AzureKeyVault => crate::azure_key_vault::AzureStore,
    "bitwarden" Bitwarden => crate::bitwarden::BitwardenStore,
    "bitwarden-secrets-manager" BitwardenSecretsManager => crate::bitwarden_sm::BitwardenSmStore,
    "aws-secrets-manager" AwsSecretsManager => crate::aws_secrets_manager::SecretsManagerStore,
    "aws-parameter-store" AwsParameterStore => crate::aws_parameter_store::ParameterStore,
    "ssh" Ssh => crate::ssh::SshStore,
    "postgres" Postgres => crate::postgres::PostgresStore,
    "doppler" Doppler => crate::doppler::DopplerStore,
    "onepassword" OnePassword => crate::one_password::OnePasswordStore,
    "http-service" Http => crate::http_service::HttpService,
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
