//! What is sent to the API server: the object as our field manager wants it.

use std::collections::BTreeMap;

use penstock_domain::names::Key;
use penstock_domain::ports::Precondition;
use penstock_domain::reserved::{MANAGED_LABEL, OWNER_ANNOTATION, TRUE};
use penstock_domain::secret::SecretValue;
use serde::Serialize;

use super::place::Place;
use super::stored::Stored;
use crate::kubernetes::object::{Encoded, encode};

/// A resourceVersion that no object has: versions are etcd revisions, and the first write makes 2. An apply
/// that carries it creates a missing object and conflicts with every existing one.
const NO_VERSION: &str = "1";

/// An apply configuration, or an object to create.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: DocumentMetadata<'a>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    secret_type: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    immutable: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    data: BTreeMap<&'a str, Encoded>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    binary_data: BTreeMap<&'a str, Encoded>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DocumentMetadata<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_version: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'a str, &'a str>,
}

impl<'a> Document<'a> {
    /// The object with `data` and its marks, but for a precondition.
    pub(super) fn new(
        place: &'a Place<'_>,
        owner: &'a str,
        content: &'a BTreeMap<Key, SecretValue>,
    ) -> Self {
        let (data, binary_data) = encode(place.resource, content);
        let mut labels = texts(place.labels);
        labels.insert(MANAGED_LABEL, TRUE);
        let mut annotations = texts(place.annotations);
        annotations.insert(OWNER_ANNOTATION, owner);
        Self {
            secret_type: place.secret_type,
            immutable: place.immutable,
            data,
            binary_data,
            ..Self::bare(place, labels, annotations)
        }
    }

    /// Nothing of the object but its type, which it cannot be without: applied, it gives up everything
    /// that our field manager owns alone.
    pub(super) fn release(place: &'a Place<'_>, stored: &'a Stored) -> Self {
        let mut document = Self::bare(place, BTreeMap::new(), BTreeMap::new());
        document.secret_type = stored.secret_type.as_deref();
        document.metadata.uid = Some(&stored.metadata.uid);
        document.metadata.resource_version = Some(&stored.metadata.resource_version);
        document
    }

    fn bare(
        place: &'a Place<'_>,
        labels: BTreeMap<&'a str, &'a str>,
        annotations: BTreeMap<&'a str, &'a str>,
    ) -> Self {
        Self {
            api_version: place.resource.api_version(),
            kind: place.resource.kind(),
            metadata: DocumentMetadata {
                name: place.address().name,
                uid: None,
                resource_version: None,
                labels,
                annotations,
            },
            secret_type: None,
            immutable: false,
            data: BTreeMap::new(),
            binary_data: BTreeMap::new(),
        }
    }

    /// The same document, which the API server takes only when `precondition` holds.
    pub(super) fn only_if(mut self, precondition: &'a Precondition) -> Self {
        match precondition {
            Precondition::Absent => self.metadata.resource_version = Some(NO_VERSION),
            Precondition::Unchanged {
                uid,
                resource_version,
            } => {
                self.metadata.uid = Some(uid);
                self.metadata.resource_version = Some(resource_version);
            }
        }
        self
    }
}

fn texts(map: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    map.iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}
