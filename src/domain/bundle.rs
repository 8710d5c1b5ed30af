//! What sources answer and what they are merged into.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::{Key, SourceName};
use crate::secret::SecretValue;

/// The most keys that one bundle may have.
pub const MAX_KEYS: usize = 10_000;
/// The most bytes, keys and values together, that one bundle may have.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;
/// The most bytes that the answers of all sources of one sync may have together, before selection leaves some out.
pub const MAX_ANSWERED_BYTES: usize = 2 * MAX_BYTES;

/// One value as a source returned it, before selection and renaming.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceEntry {
    /// Its name at the source: the key, field or entry name in the store's own words.
    pub name: String,
    /// The folder, path or object it lies in, without leading or trailing slash; empty at the root.
    pub path: String,
    /// The tags the source has on it.
    pub tags: BTreeSet<String>,
    /// Its version, where entries have one.
    pub version: Option<String>,
    /// The value.
    pub value: SecretValue,
}

/// One complete answer of a source. An incomplete read is an error of the adapter, never a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// The entries, in the order in which a later one wins over an earlier one of the same name.
    pub entries: Vec<SourceEntry>,
    /// The version of the whole answer, where the source has one.
    pub version: Option<SourceVersion>,
}

/// The version of what was read. Only numbers have an order; anything else is only equal or not.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SourceVersion {
    /// A counter that only grows, unless somebody puts an old state back.
    Counter(u64),
    /// An opaque tag.
    Tag(String),
}

impl std::fmt::Display for SourceVersion {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Counter(number) => write!(formatter, "{number}"),
            Self::Tag(tag) => formatter.write_str(tag),
        }
    }
}

/// Where a key of a bundle came from.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// The source that it came from. What `transform` made has what all of its inputs share: their one
    /// source, their common folder and tags; none where they differ or where it has no inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceName>,
    /// The path within the source.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The tags at the source.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// The version at the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// One key's value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleEntry {
    /// The value.
    pub value: SecretValue,
    /// Where it came from.
    pub provenance: Provenance,
}

/// The merged, transformed map of key to value that a sync produces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bundle(pub BTreeMap<Key, BundleEntry>);

impl Snapshot {
    /// Bytes of names and values.
    pub fn bytes(&self) -> usize {
        let entries = self.entries.iter();
        entries
            .map(|entry| entry.name.len() + entry.path.len() + entry.value.len())
            .sum()
    }
}

impl Bundle {
    /// Keys and values in the order of keys.
    pub fn values(&self) -> impl Iterator<Item = (&Key, &SecretValue)> {
        self.0.iter().map(|(key, entry)| (key, &entry.value))
    }

    /// Bytes of keys and values together.
    pub fn bytes(&self) -> usize {
        self.values()
            .map(|(key, value)| key.as_str().len() + value.len())
            .sum()
    }
}
