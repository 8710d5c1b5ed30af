//! Files on hosts as destinations.

use std::path::PathBuf;
use std::time::Duration;

use super::{FileDestination, FileFormat, FilePlace, StoreKind, StoreReference};
use crate::names::ObjectName;

/// A file to write on the host that a store reaches (CLI only).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFileDestination {
    /// The store, whose provider is `ssh`.
    pub store: StoreReference,
    /// The file; its path starts in the store's folder, and `folder` means nothing.
    pub file: FileDestination,
    /// What runs on the host once the file has changed.
    pub command: Option<HostCommand>,
    name: String,
}

/// A command on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCommand {
    /// As the user's shell reads it.
    pub run: String,
    /// How long it may take.
    pub timeout: Duration,
}

/// What stands before the name of a ClusterSecretStore in the name of a file on a host.
const CLUSTER_PREFIX: &str = "cluster/";

impl HostFileDestination {
    /// The file at `path` of a host, with no command.
    pub fn new(store: StoreReference, (path, format): (&str, FileFormat), merge: bool) -> Self {
        let prefix = match store.kind {
            StoreKind::Namespaced => "",
            StoreKind::Cluster => CLUSTER_PREFIX,
        };
        Self {
            // No name of an object holds a colon or a slash.
            name: format!("{prefix}{}:{path}", store.name),
            store,
            file: FileDestination {
                place: FilePlace {
                    folder: PathBuf::new(),
                    path: path.to_owned(),
                    format,
                },
                merge,
            },
            command: None,
        }
    }

    /// The file that was named like this before.
    pub fn of_name(
        name: &str,
        format: impl FnOnce(&str) -> FileFormat,
        merge: bool,
    ) -> Option<Self> {
        let (store, path) = name.split_once(':')?;
        let (kind, store) = match store.strip_prefix(CLUSTER_PREFIX) {
            Some(store) => (StoreKind::Cluster, store),
            None => (StoreKind::Namespaced, store),
        };
        let name = ObjectName::new(store).ok()?;
        let store = StoreReference { kind, name };
        Some(Self::new(store, (path, format(path)), merge))
    }

    /// `vps:deploy/.env`, as copying over SSH writes it; `cluster/vps:deploy/.env` in a ClusterSecretStore.
    pub fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_back_to_the_file() {
        for kind in [StoreKind::Namespaced, StoreKind::Cluster] {
            let name = ObjectName::new("vps.eu-1").unwrap();
            let store = StoreReference { kind, name };
            let file = HostFileDestination::new(store, ("a:b/c.json", FileFormat::Json), true);
            let back = HostFileDestination::of_name(file.name(), |_| FileFormat::Json, true);
            assert_eq!(back.as_ref(), Some(&file), "{}", file.name());
        }
        let none = |name: &str| HostFileDestination::of_name(name, |_| FileFormat::Json, true);
        assert!(none("deploy/.env").is_none() && none("Up:x").is_none());
    }
}
