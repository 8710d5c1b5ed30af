//! What was found in the documents, by kind, namespace and name, each once.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use penstock_domain::api::secret_sync::SecretSync;
use penstock_domain::fault::Fault;
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::StoreObject;
use penstock_domain::sync::StoreReference;

use super::problem::{Pointer, Problem};
use super::tree::Node;

/// Namespace and name of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Its namespace.
    pub namespace: NamespaceName,
    /// Its name.
    pub name: ObjectName,
}

impl fmt::Display for ObjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

/// Where a document stands, and who vouches for it.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The file.
    pub(super) file: Arc<str>,
    /// The folder that paths in it start from.
    pub folder: PathBuf,
    /// It lies in the folder of `--trusted-stores`.
    pub trusted: bool,
    /// Its tree, to point into.
    pub(super) node: Arc<Node>,
}

impl Origin {
    /// Where the field at `path` stands, or the deepest part of the path that is there.
    pub fn find(&self, path: &str) -> Pointer {
        self.node.find(&self.file, path)
    }

    /// Where the entry `name` of the mapping at `path` stands; the name may hold dots.
    pub(super) fn find_entry(&self, path: &str, name: &str) -> Pointer {
        let entries = self.node.get(path).map(Node::entries).unwrap_or_default();
        let Some(entry) = entries.iter().find(|entry| entry.key == name) else {
            return self.find(path);
        };
        Pointer {
            file: Arc::clone(&self.file),
            line: entry.line,
            column: entry.column,
            field: Some(entry.key.clone()),
        }
    }

    /// Where the document begins, and the file.
    pub fn start(&self) -> Pointer {
        self.find("")
    }

    /// A fault whose subject is a field of this document, as a problem that points at it.
    pub fn problem(&self, fault: &Fault) -> Problem {
        let problem = Problem::new(
            Some(self.find(&fault.subject)),
            &*fault.subject,
            &*fault.message,
        );
        match &fault.hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}

/// A SecretSync.
#[derive(Debug, Clone)]
pub struct SyncDocument {
    /// The object, its namespace filled in.
    pub object: SecretSync,
    /// Where it stands.
    pub origin: Origin,
}

/// A SecretStore or ClusterSecretStore.
#[derive(Debug, Clone)]
pub struct StoreDocument {
    /// The store, as adapters take it.
    pub object: Arc<StoreObject>,
    /// Where it stands.
    pub origin: Origin,
}

/// A Secret.
#[derive(Debug, Clone)]
pub struct SecretDocument {
    /// Its values: `data`, decoded, under `stringData`.
    pub data: BTreeMap<String, SecretValue>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Where it stands.
    pub origin: Origin,
}

/// A ConfigMap.
#[derive(Debug, Clone)]
pub struct ConfigMapDocument {
    /// Its values, those of `binaryData` decoded.
    pub data: BTreeMap<String, SecretValue>,
    /// Where it stands.
    pub origin: Origin,
}

/// All documents.
#[derive(Debug, Clone, Default)]
pub struct Documents {
    /// SecretSyncs.
    pub syncs: BTreeMap<ObjectId, SyncDocument>,
    /// Stores, by where their credentials lie, kind and name.
    pub stores: BTreeMap<(NamespaceName, StoreReference), StoreDocument>,
    /// Secrets.
    pub secrets: BTreeMap<ObjectId, SecretDocument>,
    /// ConfigMaps.
    pub config_maps: BTreeMap<ObjectId, ConfigMapDocument>,
}
