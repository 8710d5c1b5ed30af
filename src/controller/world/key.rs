//! Names of what the controller knows.

use std::fmt;
use std::sync::Arc;

use penstock_domain::names::{NamespaceName, ObjectName, SyncId};
use penstock_domain::sync::{StoreKind, StoreReference};

use crate::queue::OfParty;

/// A SecretSync. Cheap to clone: it stands in several maps.
pub(crate) type SyncKey = Arc<SyncId>;

/// A store. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StoreKey(Arc<StoreId>);

/// Which store: a SecretStore of a namespace or a ClusterSecretStore.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct StoreId {
    /// None for a ClusterSecretStore.
    namespace: Option<NamespaceName>,
    name: ObjectName,
}

impl StoreKey {
    /// The store `name` of `namespace`; of the cluster when there is none.
    pub(crate) fn new(namespace: Option<NamespaceName>, name: ObjectName) -> Self {
        Self(Arc::new(StoreId { namespace, name }))
    }

    /// The store that an object of `namespace` means by `reference`.
    pub(crate) fn meant_by(namespace: &NamespaceName, reference: &StoreReference) -> Self {
        let namespace = match reference.kind {
            StoreKind::Namespaced => Some(namespace.clone()),
            StoreKind::Cluster => None,
        };
        Self::new(namespace, reference.name.clone())
    }

    /// Its namespace; none for a ClusterSecretStore.
    pub(crate) fn namespace(&self) -> Option<&NamespaceName> {
        self.0.namespace.as_ref()
    }

    /// Its name.
    pub(crate) fn name(&self) -> &ObjectName {
        &self.0.name
    }

    /// Its kind, as Kubernetes writes it.
    pub(crate) fn kind(&self) -> &'static str {
        match self.0.namespace {
            Some(_) => "SecretStore",
            None => "ClusterSecretStore",
        }
    }
}

/// `prod/openbao`, or `openbao` for a ClusterSecretStore.
impl fmt::Display for StoreKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = self.namespace() {
            write!(formatter, "{namespace}/")?;
        }
        write!(formatter, "{}", self.name())
    }
}

/// Something that is worked on. The order is that among equally urgent ones: stores before what needs them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Subject {
    /// A store to be checked.
    Store(StoreKey),
    /// A sync to be run.
    Sync(SyncKey),
    /// A ClusterSecretSync to be stamped.
    ClusterSync(Arc<ObjectName>),
}

/// Namespaces are the parties that share the workers; what has none is the administrator's.
impl OfParty for Subject {
    type Party = Option<NamespaceName>;

    fn party(&self) -> Self::Party {
        match self {
            Self::Store(key) => key.namespace().cloned(),
            Self::Sync(key) => Some(key.namespace.clone()),
            Self::ClusterSync(_) => None,
        }
    }
}

/// Secret or ConfigMap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ObjectKind {
    /// Secret
    Secret,
    /// ConfigMap
    ConfigMap,
}

impl ObjectKind {
    /// The kind as Kubernetes writes it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
        }
    }
}

/// A Secret or ConfigMap.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ObjectKey {
    /// Which of the two.
    pub(crate) kind: ObjectKind,
    /// Its namespace.
    pub(crate) namespace: NamespaceName,
    /// Its name.
    pub(crate) name: ObjectName,
}

/// `Secret prod/panbot-env`
impl fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {}/{}",
            self.kind.as_str(),
            self.namespace,
            self.name
        )
    }
}
