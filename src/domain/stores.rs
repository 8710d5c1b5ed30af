//! Stores as adapters see them: what a store object says, who reaches its credentials, and what it can do.
//!
//! [`access`] decides who may reach what in it.

pub mod access;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::api::defaults;
use crate::api::shared::GoDuration;
use crate::api::store::{
    Allow, ClusterSecretStore, Identity, Limits, Provider, SecretStore as NamespacedStore,
};
use crate::fault::{Fault, FaultClass};
use crate::names::{NamespaceName, ObjectName};
use crate::secret::SecretValue;
use crate::sync::{StoreKind, StoreReference};

/// One SecretStore or ClusterSecretStore, as it stands in the cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreObject {
    /// Its kind and name.
    pub reference: StoreReference,
    /// Where the Secrets, ConfigMaps and ServiceAccounts lie that it names: its own namespace, or the
    /// operator's for a ClusterSecretStore.
    pub home: NamespaceName,
    /// Its uid: another store of the same name is another.
    pub uid: String,
    /// Its generation.
    pub generation: i64,
    /// The outside system.
    pub provider: Provider,
    /// How hard it may be pressed.
    pub limits: StoreLimits,
    /// Whose identity it uses.
    pub identity: Identity,
    /// What namespaces may do with it; empty and without meaning for a SecretStore.
    pub allow: Vec<Allow>,
}

impl StoreObject {
    /// Takes a SecretStore. Fails when its metadata are not those of an object in a namespace.
    pub fn of_namespace(store: &NamespacedStore) -> Result<Self, Fault> {
        let home = store.metadata.namespace.clone().unwrap_or_default();
        let home = NamespaceName::new(home).map_err(|_| unusable("the namespace"))?;
        let (reference, uid, generation) = identify(StoreKind::Namespaced, &store.metadata)?;
        Ok(Self {
            reference,
            home,
            uid,
            generation,
            provider: store.spec.provider.clone(),
            limits: StoreLimits::of(store.spec.limits.as_ref())?,
            identity: Identity::Credentials,
            allow: Vec::new(),
        })
    }

    /// Takes a ClusterSecretStore, whose credentials lie in `operator_namespace`.
    pub fn of_cluster(
        store: &ClusterSecretStore,
        operator_namespace: NamespaceName,
    ) -> Result<Self, Fault> {
        let (reference, uid, generation) = identify(StoreKind::Cluster, &store.metadata)?;
        Ok(Self {
            reference,
            home: operator_namespace,
            uid,
            generation,
            provider: store.spec.provider.clone(),
            limits: StoreLimits::of(store.spec.limits.as_ref())?,
            identity: store.spec.identity.unwrap_or_default(),
            allow: store.spec.allow.clone(),
        })
    }

    /// Whether it is cluster-wide.
    pub fn is_cluster(&self) -> bool {
        self.reference.kind == StoreKind::Cluster
    }
}

/// `SecretStore openbao`
impl fmt::Display for StoreReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            StoreKind::Namespaced => "SecretStore",
            StoreKind::Cluster => "ClusterSecretStore",
        };
        write!(formatter, "{kind} {}", self.name)
    }
}

fn identify(
    kind: StoreKind,
    metadata: &kube::core::ObjectMeta,
) -> Result<(StoreReference, String, i64), Fault> {
    let name = metadata.name.clone().unwrap_or_default();
    let name = ObjectName::new(name).map_err(|_| unusable("the name"))?;
    let uid = metadata.uid.clone().ok_or_else(|| unusable("the uid"))?;
    let generation = metadata.generation.unwrap_or_default();
    Ok((StoreReference { kind, name }, uid, generation))
}

fn unusable(what: &str) -> Fault {
    Fault::new(
        FaultClass::Invalid,
        "metadata",
        format!("{what} of the store is missing or malformed"),
    )
}

/// How hard a store may be pressed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StoreLimits {
    /// Requests per second, evenly spaced; `None` is no limit of ours.
    pub requests_per_second: Option<NonZeroU32>,
    /// Requests under way at once.
    pub concurrency: NonZeroU32,
    /// How long one request may take, its answer included.
    pub timeout: Duration,
}

impl StoreLimits {
    /// What `spec.limits` says, absent fields at their defaults.
    pub fn of(limits: Option<&Limits>) -> Result<Self, Fault> {
        let usual = Self::default();
        let Some(limits) = limits else {
            return Ok(usual);
        };
        let number = |value: Option<u32>, field: &str| match value {
            None => Ok(None),
            Some(value) => NonZeroU32::new(value)
                .map(Some)
                .ok_or_else(|| wrong(field, "must be at least 1")),
        };
        let timeout = limits.timeout.as_ref().map(GoDuration::to_duration);
        Ok(Self {
            requests_per_second: number(limits.requests_per_second, "requestsPerSecond")?
                .or(usual.requests_per_second),
            concurrency: number(limits.concurrency, "concurrency")?.unwrap_or(usual.concurrency),
            timeout: match timeout {
                None => usual.timeout,
                Some(Ok(timeout)) if !timeout.is_zero() => timeout,
                Some(_) => return Err(wrong("timeout", "must be a duration such as 30s")),
            },
        })
    }
}

fn wrong(field: &str, message: &str) -> Fault {
    Fault::new(FaultClass::Invalid, format!("spec.limits.{field}"), message)
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            requests_per_second: None,
            concurrency: NonZeroU32::new(defaults::STORE_CONCURRENCY).unwrap_or(NonZeroU32::MIN),
            timeout: defaults::STORE_TIMEOUT,
        }
    }
}

/// Finds stores without asking anybody: the controller answers from its watch, the CLI from its documents.
pub trait StoreCatalog: Send + Sync {
    /// The store that an object of `namespace` means by `reference`.
    fn find(
        &self,
        namespace: &NamespaceName,
        reference: &StoreReference,
    ) -> Option<Arc<StoreObject>>;

    /// The labels of a namespace; `None` where they are not known (no right to read namespaces). Selectors
    /// then match nothing.
    fn namespace_labels(&self, namespace: &NamespaceName) -> Option<Arc<BTreeMap<String, String>>>;
}

/// Asks for a token of a ServiceAccount that serves one store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// The namespace of the ServiceAccount: the store's home.
    pub namespace: NamespaceName,
    /// The ServiceAccount.
    pub service_account: ObjectName,
    /// Who may accept the token; never empty, never the API server.
    pub audiences: Vec<String>,
    /// The name of the store, which the ServiceAccount's `accept-from` annotation must list.
    pub store: ObjectName,
    /// How long it should live, in seconds; at least 600, as the API server has it.
    pub lifetime_seconds: i64,
}

/// Fetches what stores log in with. One `get` by name each; nothing is listed, watched or cached.
///
/// Contract: `NotFound` when the object or the key is not there; objects of ours (records, candidates, the
/// installation key) are `Denied`; a token is given only for a ServiceAccount whose annotation consents.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// One key of a Secret.
    async fn secret_key(
        &self,
        namespace: &NamespaceName,
        name: &ObjectName,
        key: &str,
    ) -> Result<SecretValue, Fault>;

    /// One key of a ConfigMap.
    async fn config_map_key(
        &self,
        namespace: &NamespaceName,
        name: &ObjectName,
        key: &str,
    ) -> Result<String, Fault>;

    /// A fresh token of a ServiceAccount.
    async fn service_account_token(&self, request: &TokenRequest) -> Result<SecretValue, Fault>;
}

/// Which kind of object holds data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DataKind {
    /// Secret
    Secret,
    /// ConfigMap
    ConfigMap,
}

/// What one Secret or ConfigMap holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataObject {
    /// Its resourceVersion.
    pub resource_version: String,
    /// Its annotation `penstock.dev/accept-from`.
    pub accept_from: Option<String>,
    /// Its keys and values.
    pub data: BTreeMap<String, SecretValue>,
}

/// Reads Secrets and ConfigMaps of this cluster as sources.
///
/// Contract: as [`Credentials`]; `Ok(None)` only when the API server says that there is no such object.
#[async_trait]
pub trait DataObjects: Send + Sync {
    /// The object, if there is one.
    async fn get(
        &self,
        namespace: &NamespaceName,
        kind: DataKind,
        name: &ObjectName,
    ) -> Result<Option<DataObject>, Fault>;
}

/// One thing that a store can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Values can be read.
    Read,
    /// Values can be written.
    Write,
    /// Folders can be read as a whole.
    List,
    /// Entries have versions that can be pinned.
    Versions,
    /// Entries have tags.
    Tags,
    /// It tells cheaply whether something changed.
    Probe,
    /// It tells by itself, at once, that something changed.
    Notify,
}

impl Capability {
    /// The word in `status.capabilities`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::List => "list",
            Self::Versions => "versions",
            Self::Tags => "tags",
            Self::Probe => "probe",
            Self::Notify => "notify",
        }
    }
}

/// What a store said last about how much more it may be asked, in the window that it counts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Requests in a window.
    pub limit: u64,
    /// Requests that are left in this one.
    pub remaining: u64,
}

/// What a store can do.
pub type Capabilities = BTreeSet<Capability>;

/// Is told by open stores that something in them may have changed, because the system says so by itself (a
/// notification, an event stream). What it says is a hint: what changed is read.
///
/// Contract: a call costs next to nothing, waits for nobody, and may come as often as it likes; who takes it in
/// bounds what it causes.
pub trait StoreNotices: Send + Sync {
    /// Something in this store may have changed. `home` is where its credentials lie.
    fn changed(&self, home: &NamespaceName, store: &StoreReference);
}

/// Checks stores for the store controller.
#[async_trait]
pub trait StoreProbe: Send + Sync {
    /// Logs in and makes one cheap read. Success says that the store is usable, not that any particular
    /// path may be read.
    async fn check(&self, store: &StoreObject) -> Result<Capabilities, Fault>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::store::{ClusterSecretStoreSpec, SecretStoreSpec};

    #[test]
    fn limits_fall_back_field_by_field() {
        let limits = StoreLimits::of(Some(&Limits {
            requests_per_second: Some(1000),
            ..Limits::default()
        }))
        .unwrap();
        assert_eq!(limits.requests_per_second, NonZeroU32::new(1000));
        assert_eq!(limits.timeout, defaults::STORE_TIMEOUT);
        assert_eq!(limits.concurrency.get(), defaults::STORE_CONCURRENCY);
    }

    #[test]
    fn senseless_limits_are_named() {
        let fault = |limits: Limits| StoreLimits::of(Some(&limits)).unwrap_err().subject;
        let zero = Limits {
            requests_per_second: Some(0),
            ..Limits::default()
        };
        assert_eq!(fault(zero), "spec.limits.requestsPerSecond");
        for text in ["soon", "0s", "-1s"] {
            let timeout = Some(GoDuration::from(text));
            let limits = Limits {
                timeout,
                ..Limits::default()
            };
            assert_eq!(fault(limits), "spec.limits.timeout", "{text}");
        }
    }

    #[test]
    fn credentials_of_a_cluster_store_lie_in_the_operators_namespace() {
        let operator = NamespaceName::new("penstock-system").unwrap();
        let mut cluster = ClusterSecretStore::new("shared", ClusterSecretStoreSpec::default());
        cluster.metadata.uid = Some("u-1".to_owned());
        // A cluster-wide object has no namespace; one that claims to must not choose where we look.
        cluster.metadata.namespace = Some("kube-system".to_owned());
        let object = StoreObject::of_cluster(&cluster, operator.clone()).unwrap();
        assert_eq!(object.home, operator);
        assert_eq!(object.reference.to_string(), "ClusterSecretStore shared");

        let mut store = NamespacedStore::new("own", SecretStoreSpec::default());
        assert!(StoreObject::of_namespace(&store).is_err());
        store.metadata.namespace = Some("prod".to_owned());
        store.metadata.uid = Some("u-2".to_owned());
        let object = StoreObject::of_namespace(&store).unwrap();
        assert_eq!(object.home.as_str(), "prod");
    }
}
