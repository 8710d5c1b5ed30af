//! What a store holds, path by path, as people look at it and change it. Syncs read stores through
//! [`crate::ports::Sources`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use async_trait::async_trait;

use crate::fault::Fault;
use crate::names::NamespaceName;
use crate::secret::SecretValue;
use crate::stores::access::RemotePath;
use crate::sync::{SourceOptions, StoreReference};

/// Where something lies in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemPlace {
    /// The namespace in whose name the store is asked.
    pub namespace: NamespaceName,
    /// The store.
    pub store: StoreReference,
    /// The environment, where the store has the notion.
    pub environment: Option<String>,
    /// What else only one kind of store understands.
    pub options: SourceOptions,
    /// The path in the store's own words.
    pub path: RemotePath,
}

/// `apps/shop of SecretStore openbao`. Whoever shows it to people escapes it: the path comes from outside.
impl fmt::Display for ItemPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(environment) = &self.environment {
            write!(formatter, "{environment}:")?;
        }
        if let SourceOptions::Vault { mount: Some(mount) } = &self.options {
            write!(formatter, "{}/", mount.trim_matches('/'))?;
        }
        let path = self.path.to_text();
        let path = if path.is_empty() { "/" } else { &path };
        write!(formatter, "{path} of {}", self.store)
    }
}

/// What lies at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Whether there is anything. An item that does not exist has no keys, and can be made.
    pub exists: bool,
    /// Its keys and values.
    pub keys: BTreeMap<String, SecretValue>,
    /// Its version, where the store counts them.
    pub version: Option<String>,
    /// Its tags.
    pub tags: BTreeSet<String>,
    /// Its state, for the next write.
    pub state: ItemState,
}

/// The state of an item that a write relies on: opaque, and good for the same path only.
#[derive(Clone, PartialEq, Eq)]
pub struct ItemState(String);

impl ItemState {
    /// Only adapters make states and read them.
    pub fn new(state: impl Into<String>) -> Self {
        Self(state.into())
    }

    /// The state as its maker wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows nothing: a store without versions is told apart by digests of its content.
impl fmt::Debug for ItemState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ItemState(***)")
    }
}

/// Looks at items of stores and changes them.
///
/// Contract: authorised before anything is opened; an item that does not exist is an answer, and only where the
/// store says so in its own error shape; `set` changes the named keys, keeps every other as it is, byte for byte,
/// and fails with `Conflict` when the item is not in the state that was seen. A store that can only be read answers
/// `NotSupported` to the rest.
#[async_trait]
pub trait StoreItems: Send + Sync {
    /// What lies at a path.
    async fn read(&self, place: &ItemPlace) -> Result<Item, Fault>;

    /// The names in a folder, in order; those of folders end in a slash.
    async fn list(&self, place: &ItemPlace) -> Result<Vec<String>, Fault>;

    /// Sets keys of an item, which is made where it does not exist.
    async fn set(
        &self,
        place: &ItemPlace,
        keys: &BTreeMap<String, SecretValue>,
        seen: &ItemState,
    ) -> Result<(), Fault>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_shows_nothing() {
        assert_eq!(format!("{:?}", ItemState::new("1:00ff")), "ItemState(***)");
    }
}
