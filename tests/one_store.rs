//! A registry with one store, and Secrets for it to log in with: what cases about an adapter need of a cluster.
#![expect(
    clippy::unwrap_used,
    reason = "support of tests: what is broken here ends the test"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use penstock_adapters::http::client::HttpLayer;
use penstock_adapters::providers::Reached;
use penstock_adapters::registry::Registry;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{
    Credentials, DataKind, DataObject, DataObjects, StoreCatalog, StoreObject, TokenRequest,
};
use penstock_domain::sync::StoreReference;

/// A registry that knows `store` alone, by whatever name it is asked for.
pub(crate) fn registry(
    store: StoreObject,
    http: HttpLayer,
    credentials: Arc<dyn Credentials>,
) -> Registry {
    Registry::new(Reached {
        http: Arc::new(http),
        catalog: Arc::new(OneStore(Arc::new(store))),
        credentials,
        objects: Arc::new(NoObjects),
    })
}

struct OneStore(Arc<StoreObject>);

impl StoreCatalog for OneStore {
    fn find(&self, _: &NamespaceName, _: &StoreReference) -> Option<Arc<StoreObject>> {
        Some(Arc::clone(&self.0))
    }

    fn namespace_labels(&self, _: &NamespaceName) -> Option<Arc<BTreeMap<String, String>>> {
        None
    }
}

/// Keys that every Secret has.
#[derive(Default)]
pub(crate) struct Secrets(Mutex<BTreeMap<String, String>>);

impl Secrets {
    /// With one key.
    pub(crate) fn of(key: &str, value: &str) -> Arc<Self> {
        let secrets = Self::default();
        secrets.set(key, value);
        Arc::new(secrets)
    }

    pub(crate) fn get(&self, key: &str) -> String {
        self.0.lock().unwrap()[key].clone()
    }

    pub(crate) fn set(&self, key: &str, value: &str) {
        let mut keys = self.0.lock().unwrap();
        keys.insert(key.to_owned(), value.to_owned());
    }
}

#[async_trait]
impl Credentials for Secrets {
    async fn secret_key(
        &self,
        _: &NamespaceName,
        name: &ObjectName,
        key: &str,
    ) -> Result<SecretValue, Fault> {
        let found = self.0.lock().unwrap().get(key).cloned();
        found.map(SecretValue::new).ok_or_else(|| {
            let subject = format!("Secret {name}");
            Fault::new(FaultClass::NotFound, subject, "no such key")
        })
    }

    async fn config_map_key(
        &self,
        _: &NamespaceName,
        _: &ObjectName,
        _: &str,
    ) -> Result<String, Fault> {
        Err(Fault::new(FaultClass::NotFound, "ConfigMap", "none here"))
    }

    async fn service_account_token(&self, _: &TokenRequest) -> Result<SecretValue, Fault> {
        let subject = "ServiceAccount";
        Err(Fault::new(FaultClass::NotFound, subject, "none here"))
    }
}

struct NoObjects;

#[async_trait]
impl DataObjects for NoObjects {
    async fn get(
        &self,
        _: &NamespaceName,
        _: DataKind,
        _: &ObjectName,
    ) -> Result<Option<DataObject>, Fault> {
        Ok(None)
    }
}
