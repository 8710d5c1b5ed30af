//! The ports that adapters reach the cluster through, for tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{
    Credentials, DataKind, DataObject, DataObjects, StoreCatalog, StoreObject, TokenRequest,
};
use penstock_domain::sync::StoreReference;

/// Secrets of the cluster, by `namespace/name/key`.
#[derive(Default)]
pub(crate) struct FakeCredentials {
    secrets: Mutex<BTreeMap<String, String>>,
    fetched: Mutex<Vec<String>>,
}

impl FakeCredentials {
    pub(crate) fn new(secrets: &[(&str, &str)]) -> Arc<Self> {
        let fake = Self::default();
        for (place, value) in secrets {
            fake.set(place, value);
        }
        Arc::new(fake)
    }

    pub(crate) fn set(&self, place: &str, value: &str) {
        let mut secrets = self.secrets.lock().unwrap();
        secrets.insert(place.to_owned(), value.to_owned());
    }

    /// What has been fetched so far.
    pub(crate) fn fetched(&self) -> Vec<String> {
        self.fetched.lock().unwrap().clone()
    }

    fn find(&self, place: String) -> Result<String, Fault> {
        let found = self.secrets.lock().unwrap().get(&place).cloned();
        self.fetched.lock().unwrap().push(place.clone());
        found.ok_or_else(|| Fault::new(FaultClass::NotFound, place, "it does not exist"))
    }
}

#[async_trait]
impl Credentials for FakeCredentials {
    async fn secret_key(
        &self,
        namespace: &NamespaceName,
        name: &ObjectName,
        key: &str,
    ) -> Result<SecretValue, Fault> {
        self.find(format!("{namespace}/{name}/{key}"))
            .map(SecretValue::new)
    }

    async fn config_map_key(
        &self,
        namespace: &NamespaceName,
        name: &ObjectName,
        key: &str,
    ) -> Result<String, Fault> {
        self.find(format!("{namespace}/{name}/{key}"))
    }

    async fn service_account_token(&self, request: &TokenRequest) -> Result<SecretValue, Fault> {
        let place = format!("{}/{}", request.namespace, request.service_account);
        self.fetched.lock().unwrap().push(place);
        let jwt = format!("jwt for {}", request.audiences.join(" "));
        Ok(SecretValue::new(jwt))
    }
}

/// Stores by namespace.
#[derive(Default)]
pub(crate) struct FakeCatalog {
    stores: Mutex<Vec<(NamespaceName, Arc<StoreObject>)>>,
    pub(crate) labels: BTreeMap<String, String>,
}

impl FakeCatalog {
    pub(crate) fn put(&self, store: StoreObject) {
        let mut stores = self.stores.lock().unwrap();
        stores.retain(|(_, held)| held.reference != store.reference);
        stores.push((store.home.clone(), Arc::new(store)));
    }
}

impl StoreCatalog for FakeCatalog {
    fn find(
        &self,
        namespace: &NamespaceName,
        reference: &StoreReference,
    ) -> Option<Arc<StoreObject>> {
        let stores = self.stores.lock().unwrap();
        let found = stores.iter().find(|(home, store)| {
            store.reference == *reference && (store.is_cluster() || home == namespace)
        });
        found.map(|(_, store)| Arc::clone(store))
    }

    fn namespace_labels(&self, _: &NamespaceName) -> Option<Arc<BTreeMap<String, String>>> {
        Some(Arc::new(self.labels.clone()))
    }
}

/// One Secret and one ConfigMap, both `settings`, in every namespace.
pub(crate) struct FakeObjects;

#[async_trait]
impl DataObjects for FakeObjects {
    async fn get(
        &self,
        namespace: &NamespaceName,
        kind: DataKind,
        name: &ObjectName,
    ) -> Result<Option<DataObject>, Fault> {
        let value = format!("{namespace} {kind:?}");
        let data = BTreeMap::from([
            ("key".to_owned(), SecretValue::new(value)),
            ("bytes".to_owned(), SecretValue::new(vec![0xff])),
        ]);
        Ok((name.as_str() == "settings").then(|| DataObject {
            resource_version: "7".to_owned(),
            accept_from: None,
            data,
        }))
    }
}
