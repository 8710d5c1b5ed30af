//! An object at a target as the API server shows it, Secret or ConfigMap alike.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use penstock_domain::names::Key;
use penstock_domain::ports::{ObservedObject, Precondition, Written};
use penstock_domain::reserved::{
    FIELD_MANAGER_PREFIX, MANAGED_LABEL, OWNER_ANNOTATION, TRUE, is_reserved_metadata,
};
use penstock_domain::secret::SecretValue;
use serde_json::json;

use super::place::Place;
use crate::kubernetes::object::{Binary, ConfigMap, FieldNames, Metadata, Secret, Text};
use crate::kubernetes::request::{PatchOperation, pointer};

/// The annotation in which client-side `kubectl apply` keeps a whole object, values and all.
pub(super) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An object at a target.
pub(super) struct Stored {
    pub(super) metadata: Metadata,
    pub(super) secret_type: Option<String>,
    pub(super) immutable: bool,
    pub(super) data: BTreeMap<Key, SecretValue>,
    /// Keys that stand in `binaryData`.
    binary: BTreeSet<Key>,
}

impl From<Secret> for Stored {
    fn from(secret: Secret) -> Self {
        let values = secret.data.into_iter();
        Self {
            metadata: secret.metadata,
            secret_type: Some(secret.type_name),
            immutable: secret.immutable,
            data: values.map(|(key, value)| (key, value.0)).collect(),
            binary: BTreeSet::new(),
        }
    }
}

impl From<ConfigMap> for Stored {
    fn from(map: ConfigMap) -> Self {
        let binary = map.binary_data.keys().cloned().collect();
        let text = map.data.into_iter().map(|(key, value)| (key, value.0));
        let bytes = map.binary_data.into_iter();
        Self {
            metadata: map.metadata,
            secret_type: None,
            immutable: map.immutable,
            data: text
                .chain(bytes.map(|(key, value)| (key, value.0)))
                .collect(),
            binary,
        }
    }
}

impl Stored {
    pub(super) fn written(&self) -> Written {
        Written {
            uid: self.metadata.uid.clone(),
            resource_version: self.metadata.resource_version.clone(),
        }
    }

    /// Whether this is the object of `precondition`, unchanged.
    pub(super) fn matches(&self, precondition: &Precondition) -> bool {
        match precondition {
            Precondition::Absent => false,
            Precondition::Unchanged {
                uid,
                resource_version,
            } => self.metadata.uid == *uid && self.metadata.resource_version == *resource_version,
        }
    }

    /// What moves those keys of a ConfigMap whose new value belongs into the other map.
    pub(super) fn moves(&self, data: &BTreeMap<Key, SecretValue>) -> Vec<PatchOperation<'static>> {
        let add = |path: String, value| PatchOperation::Add { path, value };
        let mut operations = Vec::new();
        for (key, value) in data.iter().filter(|(key, _)| self.data.contains_key(*key)) {
            let binary = value.expose_text().is_none();
            if binary == self.binary.contains(key) {
                continue;
            }
            let (map, value) = if binary {
                ("/binaryData", json!(Binary(value.clone())))
            } else {
                ("/data", json!(Text(value.clone())))
            };
            operations.push(PatchOperation::Remove {
                path: self.pointer_to(key),
            });
            operations.push(add(pointer(map, key.as_str()), value));
        }
        // A map without keys is not there at all, and nothing can be added to it.
        let missing = [
            ("/binaryData", self.binary.is_empty()),
            ("/data", self.binary.len() == self.data.len()),
        ];
        let maps = missing.into_iter().filter(|(_, missing)| *missing);
        let maps = maps.map(|(map, _)| add(map.to_owned(), json!({})));
        if operations.is_empty() {
            operations
        } else {
            maps.chain(operations).collect()
        }
    }

    /// The JSON pointer to a key's value.
    pub(super) fn pointer_to(&self, key: &Key) -> String {
        let field = if self.binary.contains(key) {
            "/binaryData"
        } else {
            "/data"
        };
        pointer(field, key.as_str())
    }

    pub(super) fn observed(self, place: &Place<'_>) -> ObservedObject {
        let metadata = &self.metadata;
        ObservedObject {
            uid: metadata.uid.clone(),
            resource_version: metadata.resource_version.clone(),
            owner: metadata.annotations.get(OWNER_ANNOTATION).cloned(),
            secret_type: self.secret_type.clone(),
            immutable: self.immutable,
            terminating: metadata.deletion_timestamp.is_some(),
            metadata_matches: self.metadata_matches(place),
            labelled: metadata.labels.get(MANAGED_LABEL).map(String::as_str) == Some(TRUE),
            foreign_change: self.foreign_change(),
            data: self.data,
        }
    }

    /// Labels and annotations of the spec are there, none that an earlier spec set is left, and it is
    /// immutable if it should be.
    fn metadata_matches(&self, place: &Place<'_>) -> bool {
        let metadata = &self.metadata;
        let has = |there: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>| {
            wanted
                .iter()
                .all(|(name, value)| there.get(name) == Some(value))
        };
        let ours = metadata
            .managed_fields
            .iter()
            .filter(|entry| entry.manager == place.manager)
            .map(|entry| &entry.fields.metadata);
        (self.immutable || !place.immutable)
            && has(&metadata.labels, place.labels)
            && has(&metadata.annotations, place.annotations)
            && ours.into_iter().all(|owned| {
                wants(place.labels, &owned.labels) && wants(place.annotations, &owned.annotations)
            })
    }

    /// When a manager that is not ours last changed something.
    fn foreign_change(&self) -> Option<Timestamp> {
        self.metadata
            .managed_fields
            .iter()
            .filter(|entry| !entry.manager.starts_with(FIELD_MANAGER_PREFIX))
            .filter_map(|entry| entry.time)
            .max()
    }
}

/// Whether everything that we own is still wanted.
fn wants(wanted: &BTreeMap<String, String>, owned: &FieldNames) -> bool {
    owned
        .iter()
        .all(|name| wanted.contains_key(name) || is_reserved_metadata(name))
}
