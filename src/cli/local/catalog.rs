//! Stores among the documents.

use std::collections::BTreeMap;
use std::sync::Arc;

use penstock_domain::names::NamespaceName;
use penstock_domain::stores::{StoreCatalog, StoreObject};
use penstock_domain::sync::{StoreKind, StoreReference};

use crate::documents::Documents;

/// The label that every namespace carries (`kubernetes.io/metadata.name`, Kubernetes 1.22 and later).
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Finds stores among the documents.
#[derive(Debug, Clone)]
pub struct DocumentCatalog {
    stores: BTreeMap<(NamespaceName, StoreReference), Arc<StoreObject>>,
    operator: NamespaceName,
}

impl DocumentCatalog {
    /// The stores of `documents`; ClusterSecretStores are at home in `operator`.
    pub fn new(documents: &Documents, operator: NamespaceName) -> Self {
        let stores = documents
            .stores
            .iter()
            .map(|(key, document)| (key.clone(), Arc::clone(&document.object)));
        Self {
            stores: stores.collect(),
            operator,
        }
    }
}

impl StoreCatalog for DocumentCatalog {
    fn find(
        &self,
        namespace: &NamespaceName,
        reference: &StoreReference,
    ) -> Option<Arc<StoreObject>> {
        let home = match reference.kind {
            StoreKind::Namespaced => namespace,
            StoreKind::Cluster => &self.operator,
        };
        self.stores.get(&(home.clone(), reference.clone())).cloned()
    }

    /// No document tells the labels of a namespace but the one that all have.
    fn namespace_labels(&self, namespace: &NamespaceName) -> Option<Arc<BTreeMap<String, String>>> {
        let label = (NAME_LABEL.to_owned(), namespace.to_string());
        Some(Arc::new(BTreeMap::from([label])))
    }
}
