//! What is known, and who must be woken when it changes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use jiff::Timestamp;
use penstock_domain::names::{NamespaceName, ObjectName, SyncId};

use super::cluster_sync::TrackedClusterSync;
use super::key::{ObjectKey, ObjectKind, StoreKey, Subject, SyncKey};
use super::store::TrackedStore;
use super::sync::{References, TrackedSync};
use crate::queue::{Causes, Urgency};

/// What is watched, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Feed {
    /// What.
    pub(crate) kind: FeedKind,
    /// In which namespace, or which namespace; none for all of the cluster.
    pub(crate) namespace: Option<NamespaceName>,
}

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum FeedKind {
    /// SecretSyncs
    Syncs,
    /// SecretStores
    Stores,
    /// ClusterSecretStores
    ClusterStores,
    /// Secrets or ConfigMaps that carry our label
    Targets(ObjectKind),
    /// ClusterSecretSyncs
    ClusterSyncs,
    /// Namespaces
    Namespaces,
}

impl FeedKind {
    /// What is watched, in words.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Syncs => "SecretSync",
            Self::Stores => "SecretStore",
            Self::ClusterStores => "ClusterSecretStore",
            Self::Targets(kind) => kind.as_str(),
            Self::ClusterSyncs => "ClusterSecretSync",
            Self::Namespaces => "Namespace",
        }
    }
}

/// Which version of an object there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    /// Its uid.
    pub(crate) uid: Box<str>,
    /// Its resourceVersion.
    pub(crate) resource_version: Box<str>,
}

/// One thing that a watch brought. `None` is the object's absence.
#[derive(Debug)]
pub(crate) enum Change {
    /// A SecretSync.
    Sync(SyncKey, Option<Arc<TrackedSync>>),
    /// A store.
    Store(StoreKey, Option<Arc<TrackedStore>>),
    /// A ClusterSecretSync.
    ClusterSync(Arc<ObjectName>, Option<Arc<TrackedClusterSync>>),
    /// A target object.
    Target(ObjectKey, Option<Version>),
    /// An object that somebody reads has changed.
    Reference(ObjectKey),
    /// An object that somebody reads is watched from now on, in this version.
    ReferenceListed(ObjectKey, Version),
    /// An outside system says that something in this store has changed.
    Hook(StoreKey),
    /// A namespace and its labels.
    Namespace(NamespaceName, Option<BTreeMap<String, String>>),
    /// A feed has been listed from the beginning, and nothing else is there.
    Listed(Feed, Listing),
}

impl Change {
    /// The version of the object that it brought.
    fn version(&self) -> Option<&str> {
        match self {
            Self::Sync(_, sync) => sync.as_deref().map(|sync| &*sync.resource_version),
            Self::Store(_, store) => store.as_deref().map(|store| &*store.resource_version),
            Self::ClusterSync(_, sync) => sync.as_deref().map(|sync| &*sync.resource_version),
            Self::Target(_, version) => version.as_ref().map(|version| &*version.resource_version),
            // References are told only after they were read.
            Self::Reference(_)
            | Self::ReferenceListed(..)
            | Self::Hook(..)
            | Self::Namespace(..)
            | Self::Listed(..) => None,
        }
    }
}

/// The names that a list brought.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Syncs.
    pub(crate) syncs: HashSet<SyncKey>,
    /// Stores.
    pub(crate) stores: HashSet<StoreKey>,
    /// ClusterSecretSyncs.
    pub(crate) cluster_syncs: HashSet<Arc<ObjectName>>,
    /// Target objects.
    pub(crate) targets: HashSet<ObjectKey>,
    /// Namespaces.
    pub(crate) namespaces: HashSet<NamespaceName>,
}

impl Listing {
    /// Notes the name of what `change` brought.
    pub(crate) fn note(&mut self, change: &Change) {
        match change {
            Change::Sync(key, _) => {
                self.syncs.insert(key.clone());
            }
            Change::Store(key, _) => {
                self.stores.insert(key.clone());
            }
            Change::ClusterSync(name, _) => {
                self.cluster_syncs.insert(name.clone());
            }
            Change::Target(key, _) => {
                self.targets.insert(key.clone());
            }
            Change::Namespace(name, _) => {
                self.namespaces.insert(name.clone());
            }
            Change::Reference(_)
            | Change::ReferenceListed(..)
            | Change::Hook(_)
            | Change::Listed(..) => {}
        }
    }
}

/// Somebody who must be worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wake {
    /// Who.
    pub(crate) subject: Subject,
    /// How urgently.
    pub(crate) urgency: Urgency,
    /// Why.
    pub(crate) causes: Causes,
}

pub(super) fn urgent(subject: Subject, causes: Causes) -> Wake {
    Wake {
        subject,
        urgency: Urgency::Urgent,
        causes,
    }
}

pub(super) fn routine(subject: Subject, causes: Causes) -> Wake {
    Wake {
        subject,
        urgency: Urgency::Routine,
        causes,
    }
}

/// How the last pass over a sync ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SyncNote {
    /// The reason of its Ready condition.
    pub(crate) reason: &'static str,
    /// When its sources were last read with success.
    pub(crate) last_read: Option<Timestamp>,
}

/// All that is known.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) syncs: HashMap<SyncKey, Arc<TrackedSync>>,
    pub(super) stores: HashMap<StoreKey, Arc<TrackedStore>>,
    pub(super) cluster_syncs: HashMap<Arc<ObjectName>, Arc<TrackedClusterSync>>,
    pub(super) targets: HashMap<ObjectKey, Version>,
    pub(super) namespaces: HashMap<NamespaceName, Arc<BTreeMap<String, String>>>,
    pub(super) notes: HashMap<SyncKey, SyncNote>,
    references: HashMap<Subject, References>,
    /// The newest version of anything so far: what is older was there before whoever reads now.
    newest: u64,
    /// Objects that are read by name, and what was the newest version before the first of their readers read.
    read_since: HashMap<ObjectKey, u64>,
    store_users: Index<StoreKey>,
    readers: Index<ObjectKey>,
    writers: Index<ObjectKey>,
    /// Feeds that have been listed once: before, everything is new and nobody needs to be told.
    listed: HashSet<Feed>,
}

impl State {
    /// Takes in one change; says who must be woken for it.
    pub(super) fn apply(&mut self, change: Change) -> Vec<Wake> {
        let version = change.version().and_then(number);
        self.newest = self.newest.max(version.unwrap_or_default());
        match change {
            Change::Sync(key, sync) => {
                let mut wakes = self.stampers_of(&key, sync.as_deref());
                wakes.extend(self.sync(key, sync));
                wakes
            }
            Change::Store(key, store) => self.store(key, store),
            Change::ClusterSync(name, sync) => self.cluster_sync(name, sync),
            Change::Target(key, version) => self.target(key, version),
            Change::Reference(key) => self.readers.wake(&key, Urgency::Urgent, Causes::SOURCE),
            Change::ReferenceListed(key, version) => self.reference_listed(&key, &version),
            Change::Hook(store) => self
                .store_users
                .wake(&store, Urgency::Urgent, Causes::SOURCE),
            Change::Namespace(name, labels) => self.namespace(name, labels),
            Change::Listed(feed, listing) => self.listed(feed, &listing),
        }
    }

    fn sync(&mut self, key: SyncKey, sync: Option<Arc<TrackedSync>>) -> Option<Wake> {
        let subject = Subject::Sync(key.clone());
        let Some(sync) = sync else {
            self.refer(subject.clone(), References::default());
            self.notes.remove(&key);
            return self
                .syncs
                .remove(&key)
                .map(|_| urgent(subject, Causes::DELETION));
        };
        let former = self.syncs.get(&key);
        if former.is_some_and(|former| is_older(&sync.resource_version, &former.resource_version)) {
            return None;
        }
        let wake = match former {
            Some(former) if former.uid == sync.uid => sync
                .asks_for_more_than(former)
                .then(|| urgent(subject, Causes::EDIT)),
            // After a start: what is as it was can wait for what is not.
            None if sync.is_settled() && !sync.deleting => Some(routine(subject, Causes::SCHEDULE)),
            _ => Some(urgent(subject, Causes::EDIT)),
        };
        self.syncs.insert(key, sync);
        wake
    }

    fn store(&mut self, key: StoreKey, store: Option<Arc<TrackedStore>>) -> Vec<Wake> {
        let subject = Subject::Store(key.clone());
        let Some(store) = store else {
            self.refer(subject.clone(), References::default());
            let mut wakes = self
                .store_users
                .wake(&key, Urgency::Routine, Causes::SOURCE);
            if self.stores.remove(&key).is_some() {
                wakes.push(urgent(subject, Causes::DELETION));
            }
            return wakes;
        };
        let former = self.stores.get(&key);
        if former.is_some_and(|former| is_older(&store.resource_version, &former.resource_version))
        {
            return Vec::new();
        }
        let unchanged = former
            .is_some_and(|former| former.uid == store.uid && former.generation == store.generation);
        let mut wakes = Vec::new();
        if !unchanged {
            // Whoever found no such store, or read through the former one.
            wakes = self
                .store_users
                .wake(&key, Urgency::Routine, Causes::SOURCE);
            wakes.push(urgent(subject, Causes::EDIT));
        }
        self.stores.insert(key, store);
        wakes
    }

    fn target(&mut self, key: ObjectKey, version: Option<Version>) -> Vec<Wake> {
        let known = match &version {
            Some(version) => self.targets.get(&key) == Some(version),
            None => !self.targets.contains_key(&key),
        };
        if known {
            return Vec::new();
        }
        let wakes = self.writers.wake(&key, Urgency::Urgent, Causes::TARGET);
        match version {
            Some(version) => self.targets.insert(key, version),
            None => self.targets.remove(&key),
        };
        wakes
    }

    /// Between the first read of an object and its watch it may have changed.
    fn reference_listed(&mut self, key: &ObjectKey, version: &Version) -> Vec<Wake> {
        let since = self.read_since.get(key).copied().unwrap_or_default();
        match number(&version.resource_version) {
            Some(version) if version <= since => Vec::new(),
            _ => self.readers.wake(key, Urgency::Urgent, Causes::SOURCE),
        }
    }

    /// Labels decide who may use a store of the cluster.
    fn namespace(
        &mut self,
        name: NamespaceName,
        labels: Option<BTreeMap<String, String>>,
    ) -> Vec<Wake> {
        if self.namespaces.get(&name).map(AsRef::as_ref) == labels.as_ref() {
            return Vec::new();
        }
        let users = self
            .references
            .iter()
            .filter(|(_, references)| {
                references
                    .stores()
                    .iter()
                    .any(|key| key.namespace().is_none())
            })
            .filter(|(subject, _)| matches!(subject, Subject::Sync(key) if key.namespace == name))
            .map(|(subject, _)| routine(subject.clone(), Causes::SOURCE));
        let wakes = users.chain(self.stampers()).collect();
        match labels {
            Some(labels) => self.namespaces.insert(name, Arc::new(labels)),
            None => self.namespaces.remove(&name),
        };
        wakes
    }

    /// After a list from the beginning: what it did not bring is gone.
    fn listed(&mut self, feed: Feed, listing: &Listing) -> Vec<Wake> {
        let here = |namespace: Option<&NamespaceName>| {
            feed.namespace.is_none() || feed.namespace.as_ref() == namespace
        };
        let gone: Vec<Change> = match feed.kind {
            FeedKind::Syncs => self
                .syncs
                .keys()
                .filter(|key| here(Some(&key.namespace)) && !listing.syncs.contains(*key))
                .map(|key| Change::Sync(key.clone(), None))
                .collect(),
            FeedKind::Stores | FeedKind::ClusterStores => self
                .stores
                .keys()
                .filter(|key| key.namespace().is_none() == (feed.kind == FeedKind::ClusterStores))
                .filter(|key| here(key.namespace()) && !listing.stores.contains(*key))
                .map(|key| Change::Store(key.clone(), None))
                .collect(),
            FeedKind::Targets(kind) => self
                .targets
                .keys()
                .filter(|key| key.kind == kind && here(Some(&key.namespace)))
                .filter(|key| !listing.targets.contains(*key))
                .map(|key| Change::Target(key.clone(), None))
                .collect(),
            FeedKind::ClusterSyncs => self
                .cluster_syncs
                .keys()
                .filter(|name| !listing.cluster_syncs.contains(*name))
                .map(|name| Change::ClusterSync(name.clone(), None))
                .collect(),
            FeedKind::Namespaces => self
                .namespaces
                .keys()
                .filter(|name| here(Some(*name)) && !listing.namespaces.contains(*name))
                .map(|name| Change::Namespace(name.clone(), None))
                .collect(),
        };
        self.listed.insert(feed);
        gone.into_iter()
            .flat_map(|change| self.apply(change))
            .collect()
    }

    /// Notes how a pass over a sync ended, if there still is one.
    pub(super) fn note(&mut self, id: &SyncId, note: SyncNote) {
        if let Some((key, _)) = self.syncs.get_key_value(id) {
            self.notes.insert(key.clone(), note);
        }
    }

    /// Whether `feed` has been listed once.
    pub(super) fn is_listed(&self, feed: &Feed) -> bool {
        self.listed.contains(feed)
    }

    /// Replaces what `subject` refers to; says whether anything else is read by name now.
    pub(super) fn refer(&mut self, subject: Subject, references: References) -> bool {
        let former = self.references.remove(&subject).unwrap_or_default();
        let other_reads = former.reads() != references.reads();
        if former != references {
            self.store_users
                .replace(&subject, former.stores(), references.stores());
            self.readers
                .replace(&subject, former.reads(), references.reads());
            for key in former.reads() {
                if self.readers.of(key).next().is_none() {
                    self.read_since.remove(key);
                }
            }
            for key in references.reads() {
                self.read_since.entry(key.clone()).or_insert(self.newest);
            }
            self.writers
                .replace(&subject, former.writes(), references.writes());
        }
        if references != References::default() {
            self.references.insert(subject, references);
        }
        other_reads
    }

    /// Everybody that depends on a store.
    pub(super) fn dependants(&self, store: &StoreKey) -> Vec<Subject> {
        self.store_users.of(store).cloned().collect()
    }

    /// Secrets and ConfigMaps that somebody reads.
    pub(super) fn referenced_objects(&self) -> BTreeSet<ObjectKey> {
        self.readers.0.keys().cloned().collect()
    }
}

/// Who refers to what.
#[derive(Debug)]
struct Index<K>(HashMap<K, Referrers>);

/// Most things have one that refers to them; a store may have ten thousand.
type Referrers = BTreeSet<Subject>;

impl<K> Default for Index<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Clone + Eq + Hash> Index<K> {
    fn of(&self, key: &K) -> impl Iterator<Item = &Subject> {
        self.0.get(key).into_iter().flatten()
    }

    fn wake(&self, key: &K, urgency: Urgency, causes: Causes) -> Vec<Wake> {
        let wake = |subject: &Subject| Wake {
            subject: subject.clone(),
            urgency,
            causes,
        };
        self.of(key).map(wake).collect()
    }

    fn replace(&mut self, subject: &Subject, former: &[K], now: &[K]) {
        for key in former {
            if let Some(subjects) = self.0.get_mut(key) {
                subjects.remove(subject);
                if subjects.is_empty() {
                    self.0.remove(key);
                }
            }
        }
        for key in now {
            self.0
                .entry(key.clone())
                .or_default()
                .insert(subject.clone());
        }
    }
}

/// Whether version `this` is older than `that`. API servers number versions upwards (Kubernetes 1.35 promises
/// it); anything else counts as news.
pub(super) fn is_older(this: &str, that: &str) -> bool {
    match (number(this), number(that)) {
        (Some(this), Some(that)) => this < that,
        _ => false,
    }
}

fn number(resource_version: &str) -> Option<u64> {
    resource_version.parse().ok()
}
