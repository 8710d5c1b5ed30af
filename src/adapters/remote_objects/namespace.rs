//! Another namespace of this cluster.

use std::sync::Arc;

use async_trait::async_trait;
use penstock_domain::api::kubernetes::KubernetesProvider;
use penstock_domain::api::store::Identity;
use penstock_domain::bundle::Snapshot;
use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::reserved::ACCEPT_FROM_ANNOTATION;
use penstock_domain::stores::{Capabilities, Capability, DataObjects, StoreObject};

use super::query::ObjectQuery;
use crate::open::{OpenedStore, StoreFailure, StoreQuery};

/// A store that reads another namespace of this cluster.
pub struct OtherNamespace {
    objects: Arc<dyn DataObjects>,
    namespace: NamespaceName,
    store: ObjectName,
}

impl OtherNamespace {
    /// Opens a store. Only a ClusterSecretStore that says `identity: operator` may be one.
    pub fn open(
        store: &StoreObject,
        provider: &KubernetesProvider,
        objects: &Arc<dyn DataObjects>,
    ) -> Result<Self, Fault> {
        let subject = store.reference.to_string();
        if !store.is_cluster() || store.identity != Identity::Operator {
            return Err(Fault::new(
                FaultClass::Invalid,
                subject,
                "another namespace of this cluster is reached by a ClusterSecretStore with `identity: operator`",
            ));
        }
        let namespace = NamespaceName::new(provider.namespace.as_str()).map_err(|error| {
            Fault::new(
                FaultClass::Invalid,
                format!("{subject} spec.provider.kubernetes.namespace"),
                error.to_string(),
            )
        })?;
        Ok(Self {
            objects: Arc::clone(objects),
            namespace,
            store: store.reference.name.clone(),
        })
    }

    async fn answer(&self, subject: &str, query: &StoreQuery) -> Result<Snapshot, Fault> {
        let wanted = ObjectQuery::of(subject, query)?;
        let object = wanted.object(&self.namespace);
        let found = self
            .objects
            .get(&self.namespace, wanted.kind, &wanted.name)
            .await?
            .ok_or_else(|| Fault::new(FaultClass::NotFound, &object, "it does not exist"))?;
        let asking = query.on_behalf_of.as_ref();
        if !asking.is_some_and(|asking| self.is_accepted(found.accept_from.as_deref(), asking)) {
            let asking = asking.map_or("", NamespaceName::as_str);
            return Err(Fault::new(
                FaultClass::Denied,
                object,
                format!("it does not consent to being read by namespace {asking}"),
            )
            .because(Reason::NotAllowed)
            .hint(format!(
                "Annotate it with `{ACCEPT_FROM_ANNOTATION}: {}/{asking}`",
                self.store
            )));
        }
        wanted.snapshot(subject, found.data)
    }

    /// Whether a comma-separated list of `<store>/<namespace>` names this store and `asking`.
    fn is_accepted(&self, list: Option<&str>, asking: &NamespaceName) -> bool {
        list.into_iter()
            .flat_map(|list| list.split(','))
            .filter_map(|pair| pair.trim().split_once('/'))
            .any(|(store, namespace)| store == self.store.as_str() && namespace == asking.as_str())
    }
}

#[async_trait]
impl OpenedStore for OtherNamespace {
    fn credential_hash(&self) -> [u8; 32] {
        // The operator's own identity, which is one.
        [0; 32]
    }

    async fn read(&self, subject: &str, query: &StoreQuery) -> Result<Snapshot, StoreFailure> {
        self.answer(subject, query).await.map_err(Into::into)
    }

    async fn probe(&self, subject: &str) -> Result<Capabilities, StoreFailure> {
        let wanted = ObjectQuery::probe(subject)?;
        self.objects
            .get(&self.namespace, wanted.kind, &wanted.name)
            .await?;
        Ok(Capabilities::from([Capability::Read]))
    }

    async fn close(&self) {}
}
