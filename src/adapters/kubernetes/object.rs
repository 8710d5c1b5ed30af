//! Objects as they come from the API server, cut down to what this adapter looks at.
//!
//! Nothing here derives `Debug`: annotations of a Secret may hold its values
//! (`kubectl.kubernetes.io/last-applied-configuration` does).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use penstock_domain::names::Key;
use penstock_domain::secret::SecretValue;
use serde::de::{self, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::request::Resource;

/// The part of `ObjectMeta` that matters.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) resource_version: String,
    pub(super) generation: i64,
    pub(super) creation_timestamp: Option<Timestamp>,
    pub(super) deletion_timestamp: Option<String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) owner_references: Vec<OwnerReference>,
    pub(super) managed_fields: Vec<ManagedFields>,
}

/// The part of an owner reference that matters.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct OwnerReference {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) controller: bool,
}

/// Who last changed which fields: of the fields, only labels and annotations.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ManagedFields {
    pub(super) manager: String,
    pub(super) operation: String,
    /// `status` and the like; empty for the object itself.
    pub(super) subresource: String,
    pub(super) time: Option<Timestamp>,
    #[serde(rename = "fieldsV1")]
    pub(super) fields: OwnedFields,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct OwnedFields {
    #[serde(rename = "f:metadata")]
    pub(super) metadata: OwnedMetadata,
}

/// Names of labels and annotations.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct OwnedMetadata {
    #[serde(rename = "f:labels")]
    pub(super) labels: FieldNames,
    #[serde(rename = "f:annotations")]
    pub(super) annotations: FieldNames,
}

/// The members of a map in `fieldsV1`: each with the prefix `f:`, and `.` for the map itself.
#[derive(Default)]
pub(super) struct FieldNames(BTreeSet<String>);

impl FieldNames {
    /// The names without prefix.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|name| name.strip_prefix("f:"))
    }
}

impl<'de> Deserialize<'de> for FieldNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldNamesVisitor)
    }
}

struct FieldNamesVisitor;

impl<'de> Visitor<'de> for FieldNamesVisitor {
    type Value = FieldNames;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FieldNames, A::Error> {
        let mut names = BTreeSet::new();
        while let Some((name, IgnoredAny)) = map.next_entry()? {
            names.insert(name);
        }
        Ok(FieldNames(names))
    }
}

impl Metadata {
    /// The owner that controls the object, if any.
    pub(super) fn controller(&self) -> Option<&OwnerReference> {
        self.owner_references.iter().find(|owner| owner.controller)
    }
}

/// Any object, where only its metadata matters.
#[derive(Deserialize)]
pub(super) struct MetadataOnly {
    #[serde(default)]
    pub(super) metadata: Metadata,
}

/// A page of objects.
#[derive(Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub(super) struct List<T> {
    #[serde(default)]
    pub(super) metadata: ListMetadata,
    /// `null` in an empty list of metadata.
    pub(super) items: Option<Vec<T>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct ListMetadata {
    #[serde(rename = "continue")]
    pub(super) continue_token: String,
}

/// A Secret.
#[derive(Deserialize)]
pub(super) struct Secret {
    pub(super) metadata: Metadata,
    #[serde(rename = "type", default)]
    pub(super) type_name: String,
    #[serde(default)]
    pub(super) immutable: bool,
    #[serde(default)]
    pub(super) data: BTreeMap<Key, Binary>,
}

/// A ConfigMap.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigMap {
    pub(super) metadata: Metadata,
    #[serde(default)]
    pub(super) immutable: bool,
    #[serde(default)]
    pub(super) data: BTreeMap<Key, Text>,
    #[serde(default)]
    pub(super) binary_data: BTreeMap<Key, Binary>,
}

/// Bytes that stand as base64 on the wire.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Binary(pub(super) SecretValue);

/// Text that stands as it is on the wire.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Text(pub(super) SecretValue);

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.0.expose()))
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self
            .0
            .expose_text()
            .ok_or_else(|| serde::ser::Error::custom("text is not UTF-8"))?;
        serializer.serialize_str(text)
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(BinaryVisitor)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(SecretValue::new(text)))
    }
}

/// Decodes from the borrowed text, so that no second copy of a value is made. Errors do not quote it.
struct BinaryVisitor;

impl Visitor<'_> for BinaryVisitor {
    type Value = Binary;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("base64")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Binary, E> {
        STANDARD
            .decode(text)
            .map(|bytes| Binary(SecretValue::new(bytes)))
            .map_err(|_| E::custom("not base64"))
    }
}

/// A value on its way to the API server.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Encoded {
    Binary(Binary),
    Text(Text),
}

/// `data` and `binaryData`. A ConfigMap takes text as it is, and everything else as base64 elsewhere.
pub(super) fn encode(
    resource: Resource,
    content: &BTreeMap<Key, SecretValue>,
) -> (BTreeMap<&str, Encoded>, BTreeMap<&str, Encoded>) {
    let (mut data, mut binary_data) = (BTreeMap::new(), BTreeMap::new());
    for (key, value) in content {
        let (key, value) = (key.as_str(), value.clone());
        if resource == Resource::Secret {
            data.insert(key, Encoded::Binary(Binary(value)));
        } else if value.expose_text().is_some() {
            data.insert(key, Encoded::Text(Text(value)));
        } else {
            binary_data.insert(key, Encoded::Binary(Binary(value)));
        }
    }
    (data, binary_data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_the_server_is_cut_down_and_decoded() {
        let secret: Secret = serde_json::from_str(
            r#"{"kind":"Secret","apiVersion":"v1","type":"Opaque","data":{"a":"AP8=","b":""},
                "metadata":{"name":"x","uid":"u","resourceVersion":"7","ownerReferences":[
                  {"apiVersion":"v1","kind":"Y","name":"y","uid":"w","controller":true}],
                "managedFields":[{"manager":"m","operation":"Apply","apiVersion":"v1",
                  "time":"2026-11-22T10:00:00Z","fieldsType":"FieldsV1",
                  "fieldsV1":{"f:data":{"f:a":{}},"f:metadata":{"f:labels":{".":{},"f:l":{}}}}}]}}"#,
        )
        .unwrap();
        let value = |key: &str| secret.data.get(key).unwrap().0.expose().to_vec();
        assert_eq!(value("a"), [0, 255]);
        assert!(value("b").is_empty());
        assert_eq!(secret.metadata.controller().unwrap().kind, "Y");
        let labels = &secret.metadata.managed_fields[0].fields.metadata.labels;
        assert_eq!(labels.iter().collect::<Vec<_>>(), ["l"]);
    }

    #[test]
    fn an_undecodable_value_is_not_quoted() {
        let error = serde_json::from_str::<Binary>(r#""hunter2!""#)
            .err()
            .unwrap();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
