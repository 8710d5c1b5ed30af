//! A SecretSync as the controller keeps it.

use std::collections::{BTreeMap, BTreeSet};

use kube::api::ObjectMeta;
use kube::{Resource as _, ResourceExt as _};
use penstock_domain::api::secret_sync::{SecretSync, SecretSyncSpec};
use penstock_domain::api::status::SecretSyncStatus;
use penstock_domain::names::{NamespaceName, ObjectName, SyncId, TargetName};
use penstock_domain::reserved::{CLEANUP_FINALIZER, STAMPED_BY_ANNOTATION};
use penstock_domain::sync::{Destination, Making, Origin, ValidatedSync};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::key::{ObjectKey, ObjectKind, StoreKey};
use super::store::TrackedStore;
use crate::objects::Lean;
use crate::patch::{field_path, object_or_empty};

/// A SecretSync, with spec and status as text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TrackedSync {
    /// Which one.
    pub(crate) id: SyncId,
    /// Its uid.
    pub(crate) uid: Box<str>,
    /// Its version.
    pub(crate) resource_version: Box<str>,
    /// The generation of its spec.
    pub(crate) generation: i64,
    /// Whether it is being deleted.
    pub(crate) deleting: bool,
    /// All finalizers on it.
    pub(crate) finalizers: Vec<String>,
    /// Its annotations under our prefix.
    pub(crate) annotations: BTreeMap<String, String>,
    /// Its spec, as compact JSON.
    spec: Box<str>,
    /// Its status, as compact JSON.
    status: Box<str>,
}

/// Why a spec cannot be read: it is not what this version's types say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{path}: is not what this version of Penstock expects there; see `kubectl explain {explain}`, or upgrade the operator"
)]
pub(crate) struct UnreadableSpec {
    /// Where, as a field path: `spec.sources[0].path`.
    path: String,
    /// What `kubectl explain` takes.
    explain: String,
}

/// Decodes a spec. The way a value is wrong is not told: a literal may be what somebody took for a good place
/// of a secret.
pub(super) fn decode<T: DeserializeOwned>(spec: &str, kind: &str) -> Result<T, UnreadableSpec> {
    let mut reader = serde_json::Deserializer::from_str(spec);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = field_path(&error.path().to_string());
        let members = path
            .split('.')
            .map(|member| member.split('[').next().unwrap_or_default());
        let explain = members.fold(kind.to_owned(), |so_far, member| so_far + "." + member);
        UnreadableSpec { path, explain }
    })
}

impl TrackedSync {
    /// Takes what a watch brought; none when the API server's own rules about names do not hold.
    pub(crate) fn from_watch(lean: Lean<SecretSync>) -> Option<Self> {
        let meta = lean.meta();
        let id = SyncId {
            namespace: NamespaceName::new(meta.namespace.clone()?).ok()?,
            name: ObjectName::new(meta.name.clone()?).ok()?,
        };
        Some(Self {
            id,
            uid: meta.uid.clone()?.into_boxed_str(),
            resource_version: meta.resource_version.clone()?.into_boxed_str(),
            generation: meta.generation.unwrap_or_default(),
            deleting: meta.deletion_timestamp.is_some(),
            finalizers: lean.finalizers().to_vec(),
            annotations: lean.annotations().clone(),
            spec: lean.spec,
            status: lean.status,
        })
    }

    /// Whether our finalizer is on it.
    pub(crate) fn is_held(&self) -> bool {
        self.finalizers
            .iter()
            .any(|finalizer| finalizer == CLEANUP_FINALIZER)
    }

    /// The object, decoded, without its status.
    pub(crate) fn decode(&self) -> Result<SecretSync, UnreadableSpec> {
        let spec: SecretSyncSpec = decode(&self.spec, "secretsync")?;
        let mut sync = SecretSync::new(self.id.name.as_str(), spec);
        sync.metadata = ObjectMeta {
            name: Some(self.id.name.to_string()),
            namespace: Some(self.id.namespace.to_string()),
            uid: Some(self.uid.to_string()),
            resource_version: Some(self.resource_version.to_string()),
            generation: Some(self.generation),
            annotations: Some(self.annotations.clone()),
            ..ObjectMeta::default()
        };
        Ok(sync)
    }

    /// The spec as it stands, to compare with.
    pub(crate) fn spec_value(&self) -> Value {
        object_or_empty(&self.spec)
    }

    /// The status as it was last written, or as it was found. One that cannot be read counts as none: it is
    /// rebuilt from the record.
    pub(crate) fn status(&self) -> SecretSyncStatus {
        serde_json::from_str(&self.status).unwrap_or_default()
    }

    /// The status as it stands, to compare with.
    pub(crate) fn status_value(&self) -> Value {
        object_or_empty(&self.status)
    }

    /// Whether its status is about the spec as it stands.
    pub(crate) fn is_settled(&self) -> bool {
        self.status().observed_generation == Some(self.generation)
    }

    /// The ClusterSecretSync that stamps it, if one does.
    pub(crate) fn stamped_by(&self) -> Option<&str> {
        self.annotations
            .get(STAMPED_BY_ANNOTATION)
            .map(String::as_str)
    }

    /// Whether both tell the same of how they stand.
    pub(super) fn has_conditions_of(&self, other: &Self) -> bool {
        self.status == other.status || self.status().conditions == other.status().conditions
    }

    /// Whether it differs from `former` in anything that a pass must know: not status, not the metadata of
    /// others.
    pub(crate) fn asks_for_more_than(&self, former: &Self) -> bool {
        self.generation != former.generation
            || self.annotations != former.annotations
            || self.deleting != former.deleting
    }
}

/// What an object reads and writes. Slices, not sets: there is one of these per sync.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct References {
    /// The stores it reads.
    stores: Box<[StoreKey]>,
    /// The Secrets and ConfigMaps it reads.
    reads: Box<[ObjectKey]>,
    /// The Secrets and ConfigMaps it writes.
    writes: Box<[ObjectKey]>,
}

impl References {
    /// What `sync` reads and writes.
    pub(crate) fn of(sync: &ValidatedSync) -> Self {
        let namespace = &sync.id.namespace;
        let object = |kind, name: &ObjectName| ObjectKey {
            kind,
            namespace: namespace.clone(),
            name: name.clone(),
        };
        let mut stores = BTreeSet::new();
        let mut reads = BTreeSet::new();
        for source in &sync.sources {
            match &source.origin {
                Origin::Store(store) => {
                    stores.insert(StoreKey::meant_by(namespace, store));
                }
                Origin::Secret { name, .. } => {
                    reads.insert(object(ObjectKind::Secret, name));
                }
                Origin::ConfigMap { name, .. } => {
                    reads.insert(object(ObjectKind::ConfigMap, name));
                }
                Origin::Literal(_) | Origin::File { .. } | Origin::ProcessEnvironment => {}
            }
        }
        for making in sync.transform.data.values() {
            if let Making::TemplateFrom { config_map, .. } = making {
                reads.insert(object(ObjectKind::ConfigMap, config_map));
            }
        }
        let writes: BTreeSet<_> = targets(sync).into_values().collect();
        Self {
            stores: stores.into_iter().collect(),
            reads: reads.into_iter().collect(),
            writes: writes.into_iter().collect(),
        }
    }

    /// What a store reads to log in.
    pub(crate) fn of_store(store: &TrackedStore) -> Self {
        Self {
            reads: store.credentials.iter().cloned().collect(),
            ..Self::default()
        }
    }

    /// The stores it reads, each once.
    pub(super) fn stores(&self) -> &[StoreKey] {
        &self.stores
    }

    /// The Secrets and ConfigMaps it reads, each once.
    pub(super) fn reads(&self) -> &[ObjectKey] {
        &self.reads
    }

    /// The Secrets and ConfigMaps it writes, each once.
    pub(super) fn writes(&self) -> &[ObjectKey] {
        &self.writes
    }
}

/// The objects that a sync writes, by target.
pub(crate) fn targets(sync: &ValidatedSync) -> BTreeMap<TargetName, ObjectKey> {
    let object = |destination: &Destination| {
        let (kind, name) = match destination {
            Destination::Secret(secret) => (ObjectKind::Secret, &secret.name),
            Destination::ConfigMap(map) => (ObjectKind::ConfigMap, &map.name),
            // The operator admits none.
            Destination::File(_) | Destination::HostFile(_) => return None,
        };
        Some(ObjectKey {
            kind,
            namespace: sync.id.namespace.clone(),
            name: name.clone(),
        })
    };
    sync.targets
        .iter()
        .filter_map(|target| Some((target.name.clone(), object(&target.destination)?)))
        .collect()
}
