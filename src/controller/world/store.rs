//! A store as the controller keeps it.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt as _};
use penstock_domain::api::store::{
    ClusterSecretStore, ClusterSecretStoreSpec, SecretStore, SecretStoreSpec, StoreStatus, Webhook,
};

use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::stores::StoreObject;
use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::key::{ObjectKey, ObjectKind, StoreKey};
use crate::objects::Lean;
use crate::patch::field_path;

/// A SecretStore or ClusterSecretStore: decoded once, because every read of every sync asks for it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TrackedStore {
    /// Which one.
    pub(crate) key: StoreKey,
    /// Its uid.
    pub(crate) uid: Box<str>,
    /// Its version.
    pub(crate) resource_version: Box<str>,
    /// The generation of its spec.
    pub(crate) generation: i64,
    /// The store, or why it cannot be used.
    pub(crate) object: Result<Arc<StoreObject>, Fault>,
    /// The Secrets and ConfigMaps that it names.
    pub(crate) credentials: BTreeSet<ObjectKey>,
    /// How it is told of changes; none where it is not, or where that makes no sense.
    pub(crate) webhook: Option<Arc<Webhook>>,
    /// The member of `spec.provider` that is set.
    pub(crate) provider: Option<Box<str>>,
    /// Its status, as compact JSON.
    status: Box<str>,
}

impl TrackedStore {
    /// Takes a SecretStore that a watch brought.
    pub(crate) fn of_namespace(lean: Lean<SecretStore>) -> Option<Self> {
        let namespace = NamespaceName::new(lean.namespace()?).ok()?;
        let object = decode::<SecretStoreSpec>(&lean.spec).and_then(|spec| {
            let mut store = SecretStore::new("", spec);
            store.metadata = identity(&lean);
            StoreObject::of_namespace(&store)
        });
        Self::assemble(lean, Some(namespace.clone()), object, &namespace)
    }

    /// Takes a ClusterSecretStore that a watch brought; its credentials lie in `operator_namespace`.
    pub(crate) fn of_cluster(
        lean: Lean<ClusterSecretStore>,
        operator_namespace: &NamespaceName,
    ) -> Option<Self> {
        let object = decode::<ClusterSecretStoreSpec>(&lean.spec).and_then(|spec| {
            let mut store = ClusterSecretStore::new("", spec);
            store.metadata = identity(&lean);
            StoreObject::of_cluster(&store, operator_namespace.clone())
        });
        Self::assemble(lean, None, object, operator_namespace)
    }

    fn assemble<K: Resource<DynamicType = ()>>(
        lean: Lean<K>,
        namespace: Option<NamespaceName>,
        object: Result<StoreObject, Fault>,
        home: &NamespaceName,
    ) -> Option<Self> {
        let meta = lean.meta();
        let name = ObjectName::new(meta.name.clone()?).ok()?;
        let spec: Value = serde_json::from_str(&lean.spec).unwrap_or_default();
        let provider = spec.get("provider");
        let mut credentials = BTreeSet::new();
        if let Some(provider) = provider {
            collect_references(provider, home, &mut credentials);
        }
        let members = provider.and_then(Value::as_object).into_iter().flatten();
        let set = members
            .filter(|(_, value)| !value.is_null())
            .map(|(name, _)| name.as_str());
        Some(Self {
            key: StoreKey::new(namespace, name),
            uid: meta.uid.clone()?.into_boxed_str(),
            resource_version: meta.resource_version.clone()?.into_boxed_str(),
            generation: meta.generation.unwrap_or_default(),
            object: object.map(Arc::new),
            credentials,
            webhook: spec
                .get("webhook")
                .and_then(|webhook| Webhook::deserialize(webhook).ok())
                .map(Arc::new),
            provider: set.map(Box::from).next(),
            status: lean.status,
        })
    }

    /// The status as it was found.
    pub(crate) fn status(&self) -> StoreStatus {
        serde_json::from_str(&self.status).unwrap_or_default()
    }

    /// The status as it stands, to compare with.
    pub(crate) fn status_value(&self) -> Value {
        crate::patch::object_or_empty(&self.status)
    }
}

fn identity<K: Resource<DynamicType = ()>>(lean: &Lean<K>) -> ObjectMeta {
    let meta = lean.meta();
    ObjectMeta {
        name: meta.name.clone(),
        namespace: meta.namespace.clone(),
        uid: meta.uid.clone(),
        generation: meta.generation,
        ..ObjectMeta::default()
    }
}

fn decode<T: DeserializeOwned>(spec: &str) -> Result<T, Fault> {
    let mut reader = serde_json::Deserializer::from_str(spec);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        Fault::new(
            FaultClass::Invalid,
            field_path(&error.path().to_string()),
            "is not what this version of Penstock expects there",
        )
        .hint("Compare with `kubectl explain`, or upgrade the operator")
    })
}

/// Collects what members called `…Ref` name: an object with `name` and `key` is a Secret's, or a ConfigMap's
/// when the member says so. A provider that is added later needs nothing here.
fn collect_references(value: &Value, home: &NamespaceName, found: &mut BTreeSet<ObjectKey>) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                let text = |name| value.get(name).and_then(Value::as_str);
                let lower = member.to_ascii_lowercase();
                if let (true, Some(name), Some(_)) =
                    (lower.ends_with("ref"), text("name"), text("key"))
                    && let Ok(name) = ObjectName::new(name)
                {
                    let kind = if lower.contains("configmap") {
                        ObjectKind::ConfigMap
                    } else {
                        ObjectKind::Secret
                    };
                    found.insert(ObjectKey {
                        kind,
                        namespace: home.clone(),
                        name,
                    });
                } else {
                    collect_references(value, home, found);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                collect_references(item, home, found);
            }
        }
        _ => {}
    }
}
