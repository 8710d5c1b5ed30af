//! A ClusterSecretSync as the controller keeps it, and when it must be woken.

use std::sync::Arc;

use kube::Resource as _;
use penstock_domain::api::cluster_sync::{
    ClusterSecretSync, ClusterSecretSyncSpec, ClusterSecretSyncStatus,
};
use penstock_domain::names::ObjectName;
use serde::Deserialize;
use serde_json::Value;

use super::key::{Subject, SyncKey};
use super::state::{State, Wake, is_older, routine, urgent};
use super::sync::{TrackedSync, UnreadableSpec, decode};
use crate::objects::Lean;
use crate::patch::object_or_empty;
use crate::queue::Causes;

/// What of a spec says how its SecretSyncs are called.
#[derive(Deserialize)]
struct Naming {
    name: Option<String>,
}

/// A ClusterSecretSync, with spec and status as text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TrackedClusterSync {
    /// Its name.
    pub(crate) name: ObjectName,
    /// Its uid.
    pub(crate) uid: Box<str>,
    /// Its version.
    pub(crate) resource_version: Box<str>,
    /// The generation of its spec.
    pub(crate) generation: i64,
    /// Whether it is being deleted.
    pub(crate) deleting: bool,
    /// What its SecretSyncs are called.
    stamps: Option<ObjectName>,
    spec: Box<str>,
    status: Box<str>,
}

impl TrackedClusterSync {
    /// Takes what a watch brought.
    pub(crate) fn from_watch(lean: Lean<ClusterSecretSync>) -> Option<Self> {
        let meta = lean.meta();
        let name = ObjectName::new(meta.name.clone()?).ok()?;
        let stamps = match decode::<Naming>(&lean.spec, "clustersecretsync") {
            Ok(Naming { name: Some(name) }) => ObjectName::new(name).ok(),
            _ => Some(name.clone()),
        };
        Some(Self {
            name,
            stamps,
            uid: meta.uid.clone()?.into_boxed_str(),
            resource_version: meta.resource_version.clone()?.into_boxed_str(),
            generation: meta.generation.unwrap_or_default(),
            deleting: meta.deletion_timestamp.is_some(),
            spec: lean.spec,
            status: lean.status,
        })
    }

    /// The spec, decoded.
    pub(crate) fn decode(&self) -> Result<ClusterSecretSyncSpec, UnreadableSpec> {
        decode(&self.spec, "clustersecretsync")
    }

    /// The status as it was found.
    pub(crate) fn status(&self) -> ClusterSecretSyncStatus {
        serde_json::from_str(&self.status).unwrap_or_default()
    }

    /// The status as it stands, to compare with.
    pub(crate) fn status_value(&self) -> Value {
        object_or_empty(&self.status)
    }
}

impl State {
    /// Takes in a ClusterSecretSync, or its absence.
    pub(super) fn cluster_sync(
        &mut self,
        name: Arc<ObjectName>,
        sync: Option<Arc<TrackedClusterSync>>,
    ) -> Vec<Wake> {
        let subject = Subject::ClusterSync(name.clone());
        let Some(sync) = sync else {
            let former = self.cluster_syncs.remove(&name);
            let wake = former.map(|_| urgent(subject, Causes::DELETION));
            return wake.into_iter().collect();
        };
        let former = self.cluster_syncs.get(&name);
        if former.is_some_and(|former| is_older(&sync.resource_version, &former.resource_version)) {
            return Vec::new();
        }
        let unchanged = former.is_some_and(|former| {
            former.uid == sync.uid
                && former.generation == sync.generation
                && former.deleting == sync.deleting
        });
        self.cluster_syncs.insert(name, sync);
        let wake = (!unchanged).then(|| urgent(subject, Causes::EDIT));
        wake.into_iter().collect()
    }

    /// Every ClusterSecretSync, because a namespace came, went, or has other labels.
    pub(super) fn stampers(&self) -> impl Iterator<Item = Wake> {
        let all = self.cluster_syncs.keys();
        all.map(|name| routine(Subject::ClusterSync(name.clone()), Causes::SOURCE))
    }

    /// Whoever stamps this SecretSync, or would if its name were free, must know that it is new, is gone, or
    /// stands otherwise.
    pub(super) fn stampers_of(&self, key: &SyncKey, sync: Option<&TrackedSync>) -> Vec<Wake> {
        let former = self.syncs.get(key).map(AsRef::as_ref);
        let same = former.zip(sync).is_some_and(|(former, sync)| {
            former.uid == sync.uid
                && former.generation == sync.generation
                && former.annotations == sync.annotations
                && former.has_conditions_of(sync)
        });
        if self.cluster_syncs.is_empty() || same {
            return Vec::new();
        }
        let by = [sync, former].map(|sync| sync.and_then(TrackedSync::stamped_by));
        let concerned = self.cluster_syncs.values().filter(|stamper| {
            by.contains(&Some(stamper.name.as_str())) || stamper.stamps.as_ref() == Some(&key.name)
        });
        concerned
            .map(|stamper| {
                let subject = Subject::ClusterSync(Arc::new(stamper.name.clone()));
                routine(subject, Causes::SOURCE)
            })
            .collect()
    }
}
