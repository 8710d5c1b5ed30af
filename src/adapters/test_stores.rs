//! What the tests of stores have in common: one store with its registry, and the contract of sources.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use ipnet::IpNet;
use penstock_domain::api::shared::SecretKeyRef;
use penstock_domain::api::store::{Allow, Identity, Provider};
use penstock_domain::bundle::{Snapshot, SourceEntry};
use penstock_domain::fault::Fault;
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::ports::{Freshness, Sources};
use penstock_domain::stores::{StoreCatalog, StoreLimits, StoreObject};
use penstock_domain::sync::{Origin, StoreKind, StoreReference, ValidatedSource};
use penstock_domain::testing::contract::source::{CASES, SourceWorld};
use penstock_domain::testing::{self, sync_id};

use crate::http::client::HttpLayer;
use crate::providers::Reached;
use crate::registry::Registry;
use crate::test_ports::{FakeCatalog, FakeCredentials, FakeObjects};

/// SecretStore `store` of namespace `prod`.
pub(crate) fn store(provider: Provider) -> StoreObject {
    StoreObject {
        reference: StoreReference {
            kind: StoreKind::Namespaced,
            name: ObjectName::new("store").unwrap(),
        },
        home: NamespaceName::new("prod").unwrap(),
        uid: "u-1".to_owned(),
        generation: 1,
        provider,
        limits: StoreLimits::default(),
        identity: Identity::Credentials,
        allow: Vec::new(),
    }
}

/// ClusterSecretStore `store` that lets namespace `prod` read what lies below these prefixes.
pub(crate) fn cluster_store(provider: Provider, prefixes: &[&str]) -> StoreObject {
    StoreObject {
        reference: StoreReference {
            kind: StoreKind::Cluster,
            name: ObjectName::new("store").unwrap(),
        },
        allow: vec![Allow {
            namespaces: Some(vec!["prod".to_owned()]),
            key_prefixes: prefixes.iter().map(|text| (*text).to_owned()).collect(),
            read: Some(true),
            ..Allow::default()
        }],
        ..store(provider)
    }
}

/// Key `key` of Secret `credentials`.
pub(crate) fn secret_ref(key: &str) -> SecretKeyRef {
    SecretKeyRef {
        name: "credentials".to_owned(),
        key: key.to_owned(),
    }
}

/// A registry that knows one store.
pub(crate) struct OneStore {
    pub(crate) registry: Registry,
    pub(crate) store: StoreObject,
}

impl OneStore {
    /// `secrets` are keys of Secret `credentials` of the store's home.
    pub(crate) fn new(store: StoreObject, secrets: &[(&str, &str)]) -> Self {
        Self::allowing(store, secrets, &["127.0.0.0/8"])
    }

    /// With another list of the administrator.
    pub(crate) fn allowing(store: StoreObject, secrets: &[(&str, &str)], allowed: &[&str]) -> Self {
        let credentials = FakeCredentials::new(&[]);
        for (key, value) in secrets {
            credentials.set(&format!("{}/credentials/{key}", store.home), value);
        }
        Self::with(store, credentials, allowed)
    }

    /// With the credentials that a test has.
    pub(crate) fn with(
        store: StoreObject,
        credentials: Arc<FakeCredentials>,
        allowed: &[&str],
    ) -> Self {
        let catalog = FakeCatalog::default();
        catalog.put(store.clone());
        let allowed: Vec<IpNet> = allowed.iter().map(|range| range.parse().unwrap()).collect();
        let registry = Registry::new(Reached {
            http: Arc::new(HttpLayer::new(allowed)),
            catalog: Arc::new(catalog) as Arc<dyn StoreCatalog>,
            credentials,
            objects: Arc::new(FakeObjects),
        });
        Self { registry, store }
    }

    /// A source of the store at `path`.
    pub(crate) fn source(&self, path: &str) -> ValidatedSource {
        ValidatedSource {
            origin: Origin::Store(self.store.reference.clone()),
            path: path.to_owned(),
            ..testing::source("source")
        }
    }

    /// Reads past every cache.
    pub(crate) async fn read(&self, source: &ValidatedSource) -> Result<Snapshot, Fault> {
        self.read_as(source, Freshness::Now).await
    }

    /// Reads on schedule.
    pub(crate) async fn refresh(&self, source: &ValidatedSource) -> Result<Snapshot, Fault> {
        let freshness = Freshness::Within(std::time::Duration::ZERO);
        self.read_as(source, freshness).await
    }

    async fn read_as(
        &self,
        source: &ValidatedSource,
        freshness: Freshness,
    ) -> Result<Snapshot, Fault> {
        let sync = sync_id("prod", "shop");
        self.registry.read(&sync, source, freshness).await
    }

    /// What a read of `path` fails with.
    pub(crate) async fn fault(&self, path: &str) -> Fault {
        self.read(&self.source(path)).await.map(|_| ()).unwrap_err()
    }
}

/// `path name=value`, for each entry.
pub(crate) fn lines(snapshot: &Snapshot) -> Vec<String> {
    let line = |entry: &SourceEntry| {
        let value = entry.value.expose_text().unwrap();
        format!("{} {}={value}", entry.path, entry.name)
    };
    snapshot.entries.iter().map(line).collect()
}

/// Values by name.
pub(crate) fn values(snapshot: &Snapshot) -> BTreeMap<&str, &str> {
    let entries = snapshot.entries.iter();
    entries
        .map(|entry| (entry.name.as_str(), entry.value.expose_text().unwrap()))
        .collect()
}

/// Runs the contract of sources, each case in a world of its own.
pub(crate) async fn contract_holds<W: SourceWorld + 'static>(world: impl AsyncFn() -> W) {
    let mut broken = Vec::new();
    for case in CASES {
        let world = world().await;
        let run = AssertUnwindSafe((case.run)(&world)).catch_unwind();
        if run.await.is_err() {
            broken.push(case.name);
        }
    }
    assert!(broken.is_empty(), "broken: {broken:?}; see above why");
}
