//! Keeps stores open, and serves the ports of sources and of store checks.
//!
//! The order of a read is fixed: find the store, authorise the caller, open, share, read. Nothing is
//! fetched, looked up in a cache or sent before the caller may have it.

mod host_files;
mod items;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use penstock_domain::bundle::{Snapshot, SourceEntry};
use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::{Key, NamespaceName, ObjectName, SyncId};
use penstock_domain::ports::{Freshness, Sources};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::{AskingNamespace, authorise};
use penstock_domain::stores::{
    Capabilities, DataKind, Quota, StoreNotices, StoreObject, StoreProbe,
};
use penstock_domain::sync::{Origin, StoreKind, StoreReference, ValidatedSource};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::open::{Notices, OpenedStore, StoreFailure, StoreQuery};
use crate::providers::{self, Reached};
use crate::shared_reads::{ReadKey, SharedReads};

/// Credentials that turn out to be wrong are fetched anew at most this often.
const REFETCH: Duration = Duration::from_mins(1);
/// A store that could not be opened is not tried again before this.
const OPEN_AGAIN: Duration = Duration::from_secs(5);

/// Opens stores, keeps them open, and serves the ports of sources and store checks.
pub struct Registry {
    reached: Reached,
    opened: Mutex<HashMap<(NamespaceName, StoreReference), Arc<Place>>>,
    shared: Arc<SharedReads>,
    notices: OnceLock<Arc<dyn StoreNotices>>,
}

/// Where one store is kept open.
struct Place {
    uid: String,
    generation: i64,
    /// How long a read that is under way may take.
    patience: Duration,
    held: tokio::sync::Mutex<Held>,
    /// What the store tells by itself is followed here, as long as it is open.
    following: Mutex<Option<Following>>,
}

/// A task that ends with this.
struct Following(AbortHandle);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Default)]
struct Held {
    store: Option<Arc<dyn OpenedStore>>,
    fetched: Option<Instant>,
    failure: Option<StoreFailure>,
}

impl Registry {
    /// A registry with nothing open.
    pub fn new(reached: Reached) -> Self {
        Self {
            reached,
            opened: Mutex::default(),
            shared: Arc::default(),
            notices: OnceLock::new(),
        }
    }

    /// From now on, stores that are opened follow what their systems tell by themselves, and `notices` hears of
    /// it. The first call counts.
    pub fn tell(&self, notices: Arc<dyn StoreNotices>) {
        // A second listener would get half of what the first gets.
        drop(self.notices.set(notices));
    }

    /// Closes a store and forgets what was read from it, so that the next read fetches its credentials anew:
    /// to be called when an object that the store names has changed, or when the store is gone. `home` is
    /// where its credentials lie.
    pub fn invalidate(&self, home: &NamespaceName, store: &StoreReference) {
        self.shared.forget(home, store);
        let place = self.places().remove(&(home.clone(), store.clone()));
        if let Some(place) = place {
            close_later(place);
        }
    }

    /// Closes all stores, giving back their logins. To be awaited when the process ends.
    pub async fn close(&self) {
        let places: Vec<_> = self.places().drain().map(|(_, place)| place).collect();
        futures::future::join_all(places.iter().map(|place| async {
            place.follow(None);
            if let Some(store) = place.held.lock().await.store.take() {
                store.close().await;
            }
        }))
        .await;
    }

    /// How far the clock of an open store is ahead of ours, where an answer of it told the time.
    pub async fn clock_ahead(&self, store: &StoreObject) -> Option<SignedDuration> {
        let place = self.place(store);
        let held = place.held.lock().await;
        held.store.as_ref()?.clock_ahead()
    }

    /// How much more an open store may be asked, where an answer of it told.
    pub async fn quota(&self, store: &StoreObject) -> Option<Quota> {
        let place = self.place(store);
        let held = place.held.lock().await;
        held.store.as_ref()?.quota()
    }

    fn places(&self) -> MutexGuard<'_, HashMap<(NamespaceName, StoreReference), Arc<Place>>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place of exactly this store in this generation; whoever was there before is closed.
    fn place(&self, store: &StoreObject) -> Arc<Place> {
        let key = (store.home.clone(), store.reference.clone());
        let mut places = self.places();
        if let Some(place) = places.get(&key)
            && place.uid == store.uid
            && place.generation == store.generation
        {
            return Arc::clone(place);
        }
        let place = Arc::new(Place {
            uid: store.uid.clone(),
            generation: store.generation,
            patience: store.limits.timeout,
            held: tokio::sync::Mutex::default(),
            following: Mutex::default(),
        });
        if let Some(earlier) = places.insert(key, Arc::clone(&place)) {
            close_later(earlier);
        }
        place
    }

    async fn open(
        &self,
        store: &StoreObject,
        place: &Place,
    ) -> Result<Arc<dyn OpenedStore>, StoreFailure> {
        let mut held = place.held.lock().await;
        if let Some(store) = &held.store {
            return Ok(Arc::clone(store));
        }
        if let (Some(failure), Some(fetched)) = (&held.failure, held.fetched)
            && fetched.elapsed() < OPEN_AGAIN
        {
            return Err(failure.clone());
        }
        held.fetched = Some(Instant::now());
        match providers::open(store, &self.reached).await {
            Ok(opened) => {
                held.failure = None;
                held.store = Some(Arc::clone(&opened));
                place.follow(self.following(store, &opened));
                Ok(opened)
            }
            Err(failure) => {
                held.failure = Some(failure.clone());
                Err(failure)
            }
        }
    }

    /// After a refused login: fetches the credentials anew, once a minute at most. Gives a store to try
    /// again with when they have changed.
    async fn refetch(
        &self,
        store: &StoreObject,
        place: &Place,
        used: &Arc<dyn OpenedStore>,
    ) -> Option<Arc<dyn OpenedStore>> {
        let mut held = place.held.lock().await;
        let current = held.store.clone()?;
        if !Arc::ptr_eq(&current, used) {
            return Some(current);
        }
        if held
            .fetched
            .is_some_and(|fetched| fetched.elapsed() < REFETCH)
        {
            return None;
        }
        held.fetched = Some(Instant::now());
        let fresh = providers::open(store, &self.reached).await.ok()?;
        if fresh.credential_hash() == current.credential_hash() {
            return None;
        }
        held.store = Some(Arc::clone(&fresh));
        place.follow(self.following(store, &fresh));
        Some(fresh)
    }

    fn following(&self, store: &StoreObject, opened: &Arc<dyn OpenedStore>) -> Option<Following> {
        let notices = Notices::of(store, Arc::clone(self.notices.get()?));
        let following = Arc::clone(opened).follow(notices)?;
        Some(Following(tokio::spawn(following).abort_handle()))
    }

    async fn read_store(
        &self,
        sync: &SyncId,
        reference: &StoreReference,
        source: &ValidatedSource,
        freshness: Freshness,
    ) -> Result<Snapshot, Fault> {
        let store = self
            .reached
            .catalog
            .find(&sync.namespace, reference)
            .ok_or_else(|| not_found(reference))?;
        let mut query = StoreQuery::of(source)?;
        if providers::needs_consent(&store)? {
            query.on_behalf_of = Some(sync.namespace.clone());
        }
        let query = self.authorise(sync, &store, query)?;
        let place = self.place(&store);
        let opened = self
            .open(&store, &place)
            .await
            .map_err(|failure| failure.fault)?;
        let outcome = self
            .shared_read(sync, &store, &opened, (&query, freshness))
            .await;
        let failure = match outcome {
            Ok(snapshot) => return Ok(snapshot),
            Err(failure) => failure,
        };
        if failure.blames_credentials
            && let Some(opened) = self.refetch(&store, &place, &opened).await
        {
            return self
                .shared_read(sync, &store, &opened, (&query, freshness))
                .await
                .map_err(|failure| failure.fault);
        }
        Err(failure.fault)
    }

    /// The query as `sync` may ask it: of what could be meant, the first that is allowed.
    fn authorise(
        &self,
        sync: &SyncId,
        store: &StoreObject,
        query: StoreQuery,
    ) -> Result<StoreQuery, Fault> {
        let labels = self.reached.catalog.namespace_labels(&sync.namespace);
        let caller = AskingNamespace {
            name: &sync.namespace,
            labels: labels.as_deref(),
        };
        let mut refused = None;
        for proposal in providers::propose(store, query)? {
            match authorise(store, caller, &proposal.reach()) {
                Ok(()) => return Ok(proposal.query),
                Err(fault) => refused = refused.or(Some(fault)),
            }
        }
        Err(refused.unwrap_or_else(|| not_found(&store.reference)))
    }

    async fn shared_read(
        &self,
        sync: &SyncId,
        store: &StoreObject,
        opened: &Arc<dyn OpenedStore>,
        (query, freshness): (&StoreQuery, Freshness),
    ) -> Result<Snapshot, StoreFailure> {
        let whole = opened.whole(query);
        let subject = store.reference.to_string();
        let key = ReadKey {
            store: store.reference.clone(),
            home: store.home.clone(),
            uid: store.uid.clone(),
            generation: store.generation,
            credential_hash: opened.credential_hash(),
            query: whole.clone(),
        };
        let read = || {
            let (opened, query, subject) = (Arc::clone(opened), whole, subject.clone());
            async move {
                match freshness {
                    Freshness::Now => opened.read(&subject, &query).await,
                    Freshness::Within(_) => opened.refresh(&subject, &query).await,
                }
            }
        };
        let answer = self.shared.get(key, sync, freshness, read).await?;
        opened.part(&subject, query, answer)
    }

    async fn read_object(
        &self,
        sync: &SyncId,
        kind: DataKind,
        name: &ObjectName,
        optional: bool,
    ) -> Result<Snapshot, Fault> {
        let object = self
            .reached
            .objects
            .get(&sync.namespace, kind, name)
            .await?;
        let Some(object) = object else {
            return if optional {
                Ok(Snapshot::default())
            } else {
                Err(missing(kind, name))
            };
        };
        Ok(Snapshot {
            entries: object
                .data
                .into_iter()
                .map(|(key, value)| entry(key, name.to_string(), value))
                .collect(),
            // A resourceVersion changes with every label; content is compared by content.
            version: None,
        })
    }
}

impl Place {
    /// Whoever was followed before is so no longer.
    fn follow(&self, following: Option<Following>) {
        *self
            .following
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = following;
    }
}

fn entry(name: String, path: String, value: SecretValue) -> SourceEntry {
    SourceEntry {
        name,
        path,
        tags: std::collections::BTreeSet::new(),
        version: None,
        value,
    }
}

fn missing(kind: DataKind, name: &ObjectName) -> Fault {
    let kind = match kind {
        DataKind::Secret => "Secret",
        DataKind::ConfigMap => "ConfigMap",
    };
    Fault::new(
        FaultClass::NotFound,
        format!("{kind} {name}"),
        "it does not exist in this namespace",
    )
}

fn not_found(reference: &StoreReference) -> Fault {
    let place = match reference.kind {
        StoreKind::Namespaced => "it does not exist in this namespace",
        StoreKind::Cluster => "it does not exist",
    };
    Fault::new(FaultClass::NotFound, reference.to_string(), place)
        .because(Reason::StoreNotFound)
        .hint("Create it, or correct the name")
}

/// Reads that are under way may end; then the login is given back.
fn close_later(place: Arc<Place>) {
    place.follow(None);
    tokio::spawn(async move {
        tokio::time::sleep(place.patience).await;
        if let Some(store) = place.held.lock().await.store.take() {
            store.close().await;
        }
    });
}

#[async_trait]
impl Sources for Registry {
    async fn read(
        &self,
        sync: &SyncId,
        source: &ValidatedSource,
        freshness: Freshness,
    ) -> Result<Snapshot, Fault> {
        match &source.origin {
            Origin::Store(reference) => {
                let read = self.read_store(sync, reference, source, freshness).await;
                read.map_err(Fault::with_way_out)
            }
            Origin::Secret { name, optional } => {
                self.read_object(sync, DataKind::Secret, name, *optional)
                    .await
            }
            Origin::ConfigMap { name, optional } => {
                self.read_object(sync, DataKind::ConfigMap, name, *optional)
                    .await
            }
            Origin::Literal(values) => Ok(literal(values)),
            Origin::File { .. } | Origin::ProcessEnvironment => {
                let message = "files and variables are read by the command line only";
                let subject = format!("source {}", source.name);
                Err(Fault::new(FaultClass::NotSupported, subject, message))
            }
        }
    }

    async fn template(
        &self,
        sync: &SyncId,
        config_map: &ObjectName,
        key: &Key,
    ) -> Result<String, Fault> {
        let object = self
            .reached
            .objects
            .get(&sync.namespace, DataKind::ConfigMap, config_map)
            .await?
            .ok_or_else(|| missing(DataKind::ConfigMap, config_map))?;
        let subject = format!("ConfigMap {config_map}");
        let value = object.data.get(key.as_str()).ok_or_else(|| {
            Fault::new(
                FaultClass::NotFound,
                &subject,
                format!("it has no key {key}"),
            )
        })?;
        value.expose_text().map(str::to_owned).ok_or_else(|| {
            Fault::new(
                FaultClass::Invalid,
                &subject,
                format!("its key {key} is no text"),
            )
        })
    }
}

fn literal(values: &BTreeMap<Key, SecretValue>) -> Snapshot {
    Snapshot {
        entries: values
            .iter()
            .map(|(key, value)| entry(key.to_string(), String::new(), value.clone()))
            .collect(),
        version: None,
    }
}

#[async_trait]
impl StoreProbe for Registry {
    async fn check(&self, store: &StoreObject) -> Result<Capabilities, Fault> {
        self.check_store(store).await.map_err(Fault::with_way_out)
    }
}

impl Registry {
    async fn check_store(&self, store: &StoreObject) -> Result<Capabilities, Fault> {
        let subject = store.reference.to_string();
        let place = self.place(store);
        let opened = self
            .open(store, &place)
            .await
            .map_err(|failure| failure.fault)?;
        let failure = match opened.probe(&subject).await {
            Ok(capabilities) => return Ok(capabilities),
            Err(failure) => failure,
        };
        if failure.blames_credentials
            && let Some(opened) = self.refetch(store, &place, &opened).await
        {
            return opened
                .probe(&subject)
                .await
                .map_err(|failure| failure.fault);
        }
        Err(failure.fault)
    }
}

#[cfg(test)]
mod tests;
