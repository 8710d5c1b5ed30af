//! What the controller knows of the cluster: our objects as text, everything else as names and versions.
//!
//! Watches feed [`World::apply`], which says who must be woken; passes read from it. It is synchronous and
//! asks nobody: objects go in, wakes come out. No value of a Secret is ever in it.

mod cluster_sync;
mod key;
mod state;
mod store;
mod sync;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use penstock_domain::engine::Seen;
use penstock_domain::names::{NamespaceName, ObjectName, SyncId, TargetName};
use penstock_domain::stores::{StoreCatalog, StoreObject};
use penstock_domain::sync::StoreReference;

pub(crate) use self::cluster_sync::TrackedClusterSync;
pub(crate) use self::key::{ObjectKey, ObjectKind, StoreKey, Subject, SyncKey};
use self::state::State;
pub(crate) use self::state::{Change, Feed, FeedKind, Listing, SyncNote, Version, Wake};
pub(crate) use self::store::TrackedStore;
pub(crate) use self::sync::{References, TrackedSync, UnreadableSpec, targets};
use crate::stamping::Namespaces;

/// What the controller knows of the cluster. Shared by watches, passes, scrapes and adapters.
#[derive(Debug)]
pub struct World {
    operator_namespace: NamespaceName,
    state: Mutex<State>,
}

impl World {
    /// A world of which nothing is known yet.
    pub fn new(operator_namespace: NamespaceName) -> Self {
        Self {
            operator_namespace,
            state: Mutex::default(),
        }
    }

    /// Takes in what a watch brought; says who must be woken for it.
    pub(crate) fn apply(&self, change: Change) -> Vec<Wake> {
        self.state().apply(change)
    }

    /// Forgets everything: the next leader's watches begin anew.
    pub(crate) fn forget(&self) {
        *self.state() = State::default();
    }

    /// The namespace whose Secrets ClusterSecretStores log in with.
    pub(crate) fn operator_namespace(&self) -> &NamespaceName {
        &self.operator_namespace
    }

    /// A SecretSync as it stands.
    pub(crate) fn sync(&self, key: &SyncKey) -> Option<Arc<TrackedSync>> {
        self.state().syncs.get(key).cloned()
    }

    /// A store as it stands.
    pub(crate) fn store(&self, key: &StoreKey) -> Option<Arc<TrackedStore>> {
        self.state().stores.get(key).cloned()
    }

    /// A ClusterSecretSync as it stands.
    pub(crate) fn cluster_sync(&self, name: &ObjectName) -> Option<Arc<TrackedClusterSync>> {
        self.state().cluster_syncs.get(name).cloned()
    }

    /// All namespaces and their labels, in the order of their names.
    pub(crate) fn namespaces(&self) -> Namespaces {
        let state = self.state();
        state
            .namespaces
            .iter()
            .map(|(name, labels)| (name.clone(), Arc::clone(labels)))
            .collect()
    }

    /// All syncs that the ClusterSecretSync `name` stamps, or that are called `called`.
    pub(crate) fn stamped(&self, name: &ObjectName, called: &ObjectName) -> Vec<Arc<TrackedSync>> {
        let state = self.state();
        let concerned = state
            .syncs
            .values()
            .filter(|sync| sync.id.name == *called || sync.stamped_by() == Some(name.as_str()));
        concerned.cloned().collect()
    }

    /// Takes in what an object reads and writes, so that changes there wake it. Says whether other objects
    /// than before are read by name.
    pub(crate) fn refer(&self, subject: Subject, references: References) -> bool {
        self.state().refer(subject, references)
    }

    /// The target objects of a sync as the watch saw them last. What the watch does not show is missing
    /// here: it may be absent, or not carry our label.
    pub(crate) fn seen(
        &self,
        targets: &BTreeMap<TargetName, ObjectKey>,
    ) -> BTreeMap<TargetName, Seen> {
        let state = self.state();
        let seen = |(name, key): (&TargetName, &ObjectKey)| {
            let version = state.targets.get(key)?;
            let object = Seen::Object {
                uid: version.uid.to_string(),
                resource_version: version.resource_version.to_string(),
            };
            Some((name.clone(), object))
        };
        targets.iter().filter_map(seen).collect()
    }

    /// Everybody that depends on a store.
    pub(crate) fn dependants(&self, store: &StoreKey) -> Vec<Subject> {
        self.state().dependants(store)
    }

    /// Secrets and ConfigMaps that are to be watched by name.
    pub(crate) fn referenced_objects(&self) -> BTreeSet<ObjectKey> {
        self.state().referenced_objects()
    }

    /// Notes how a pass over a sync ended, for scrapes.
    pub(crate) fn note(&self, id: &SyncId, reason: &'static str, last_read: Option<Timestamp>) {
        self.state().note(id, SyncNote { reason, last_read });
    }

    /// How the last passes ended.
    pub(crate) fn notes(&self) -> Vec<SyncNote> {
        self.state().notes.values().copied().collect()
    }

    /// Whether every one of `feeds` has been listed once.
    pub(crate) fn is_complete(&self, feeds: &[Feed]) -> bool {
        let state = self.state();
        feeds.iter().all(|feed| state.is_listed(feed))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers from the watches.
impl StoreCatalog for World {
    fn find(
        &self,
        namespace: &NamespaceName,
        reference: &StoreReference,
    ) -> Option<Arc<StoreObject>> {
        let key = StoreKey::meant_by(namespace, reference);
        self.store(&key)?.object.clone().ok()
    }

    fn namespace_labels(&self, namespace: &NamespaceName) -> Option<Arc<BTreeMap<String, String>>> {
        self.state().namespaces.get(namespace).cloned()
    }
}
