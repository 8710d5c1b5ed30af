//! The Vault adapter on a real OpenBao, through the registry: store object in, snapshot or fault out.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "support of tests: what is broken here ends the test"
)]

mod coalescing;
mod contract;
mod logging_in;
mod methods;
mod outages;
mod probing;
mod reading;
mod records;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use penstock_adapters::http::client::HttpLayer;
use penstock_adapters::registry::Registry;
use penstock_domain::api::shared::SecretKeyRef;
use penstock_domain::api::store::{Identity, Provider};
use penstock_domain::api::vault::{VaultAuth, VaultProvider, VaultTokenAuth};
use penstock_domain::bundle::Snapshot;
use penstock_domain::fault::Fault;
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::ports::{Freshness, Sources};
use penstock_domain::stores::{Credentials, StoreLimits, StoreObject};
use penstock_domain::sync::{StoreKind, StoreReference, ValidatedSource};
use penstock_domain::testing::{self, sync_id};
use penstock_testbed::{OpenBao, VaultClient};

use super::{Outcome, SOON, testbed};
use crate::one_store::{self, Secrets};

/// One SecretStore `vault` of namespace `prod`, with its registry.
struct Case {
    vault: VaultClient,
    secrets: Arc<Secrets>,
    provider: VaultProvider,
    registry: Registry,
}

impl Case {
    /// A store that logs in with a token that may read everything below `path` of `secret/`.
    async fn new(openbao: &OpenBao, path: &str) -> Result<Self, penstock_testbed::Failure> {
        let vault = openbao.client()?;
        let policy = path.replace('/', "-");
        let paths = ["data", "metadata"].map(|verb| format!("secret/{verb}/{path}"));
        let paths = paths.each_ref().map(String::as_str);
        vault.put_read_policy(&policy, &paths).await?;
        let token = vault.create_token(&[&policy], "1h", true).await?;
        let case = Self::with(openbao, |_| {})?;
        case.secrets.set("token", &token);
        Ok(case)
    }

    /// A store like that, with changes and without a token.
    fn with(
        openbao: &OpenBao,
        change: impl FnOnce(&mut VaultProvider),
    ) -> Result<Self, penstock_testbed::Failure> {
        let mut provider = VaultProvider {
            address: openbao.address(),
            ca_bundle: Some(openbao.certificate_authority().to_owned()),
            auth: VaultAuth {
                token: Some(VaultTokenAuth {
                    secret_ref: secret_ref("token"),
                }),
                ..VaultAuth::default()
            },
            ..VaultProvider::default()
        };
        change(&mut provider);
        let secrets = Arc::new(Secrets::default());
        let credentials: Arc<dyn Credentials> = Arc::clone(&secrets) as _;
        Ok(Self {
            vault: openbao.client()?,
            registry: registry(&provider, credentials, &["127.0.0.0/8"]),
            secrets,
            provider,
        })
    }

    /// The same, with changes to the store.
    fn changed(self, change: impl FnOnce(&mut VaultProvider)) -> Self {
        let mut provider = self.provider;
        change(&mut provider);
        let credentials: Arc<dyn Credentials> = Arc::clone(&self.secrets) as _;
        Self {
            registry: registry(&provider, credentials, &["127.0.0.0/8"]),
            provider,
            ..self
        }
    }

    /// The store.
    fn store(&self) -> StoreObject {
        store_object(NamespaceName::new("prod").unwrap(), &self.provider)
    }

    async fn read(&self, path: &str) -> Result<Snapshot, Fault> {
        self.read_source(&source(path)).await
    }

    async fn read_source(&self, source: &ValidatedSource) -> Result<Snapshot, Fault> {
        let sync = sync_id("prod", "panbot");
        self.registry.read(&sync, source, Freshness::Now).await
    }

    /// What a read of `path` fails with.
    async fn fault(&self, path: &str) -> Fault {
        self.fault_of(&source(path)).await
    }

    async fn fault_of(&self, source: &ValidatedSource) -> Fault {
        match self.read_source(source).await {
            Ok(_) => panic!("{} can be read", source.path),
            Err(fault) => fault,
        }
    }
}

fn registry(
    provider: &VaultProvider,
    credentials: Arc<dyn Credentials>,
    allowed: &[&str],
) -> Registry {
    let home = NamespaceName::new("prod").unwrap();
    registry_at(home, provider, credentials, allowed)
}

fn registry_at(
    home: NamespaceName,
    provider: &VaultProvider,
    credentials: Arc<dyn Credentials>,
    allowed: &[&str],
) -> Registry {
    let store = store_object(home, provider);
    let allowed: Vec<_> = allowed.iter().map(|range| range.parse().unwrap()).collect();
    one_store::registry(store, HttpLayer::new(allowed), credentials)
}

fn store_object(home: NamespaceName, provider: &VaultProvider) -> StoreObject {
    StoreObject {
        reference: reference(),
        home,
        uid: "u".to_owned(),
        generation: 1,
        provider: Provider {
            vault: Some(provider.clone()),
            ..Provider::default()
        },
        limits: StoreLimits {
            timeout: Duration::from_secs(10),
            ..StoreLimits::default()
        },
        identity: Identity::Credentials,
        allow: Vec::new(),
    }
}

fn reference() -> StoreReference {
    StoreReference {
        kind: StoreKind::Namespaced,
        name: ObjectName::new("vault").unwrap(),
    }
}

fn secret_ref(key: &str) -> SecretKeyRef {
    SecretKeyRef {
        name: "vault".to_owned(),
        key: key.to_owned(),
    }
}

fn source(path: &str) -> ValidatedSource {
    ValidatedSource {
        path: path.to_owned(),
        ..testing::source("vault")
    }
}

/// Values by name, of a snapshot in which each name stands once.
fn values(snapshot: &Snapshot) -> BTreeMap<&str, &str> {
    let entries = snapshot.entries.iter();
    entries
        .map(|entry| (entry.name.as_str(), entry.value.expose_text().unwrap()))
        .collect()
}
