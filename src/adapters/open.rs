//! What every kind of store looks like once it has been opened.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use jiff::SignedDuration;
use penstock_domain::api::infisical::Follow;
use penstock_domain::api::source::ObjectKind;
use penstock_domain::bundle::Snapshot;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::items::{Item, ItemState};
use penstock_domain::names::NamespaceName;
use penstock_domain::ports::{Observation, Removal, Write, Written};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::{Reach, RemotePath};
use penstock_domain::stores::{Capabilities, Quota, StoreNotices, StoreObject};
use penstock_domain::sync::{HostFileDestination, SourceOptions, StoreReference, ValidatedSource};

use crate::providers::Reached;

/// Everything that decides what a read returns, and nothing else: what selects and renames later is not
/// part of it, so that syncs which differ only there share one read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StoreQuery {
    /// The environment.
    pub environment: Option<String>,
    /// The path.
    pub path: RemotePath,
    /// Folders below it, too.
    pub recursive: bool,
    /// The field.
    pub field: Option<String>,
    /// The pinned version.
    pub version: Option<String>,
    /// What only one kind of store understands.
    pub options: SourceOptions,
    /// The asking namespace, where the answer depends on it because the other side must consent.
    pub on_behalf_of: Option<NamespaceName>,
}

impl StoreQuery {
    /// What `source` asks of its store.
    pub fn of(source: &ValidatedSource) -> Result<Self, Fault> {
        let path = RemotePath::parse(&source.path).map_err(|problem| {
            Fault::new(FaultClass::Invalid, "path", format!("the path {problem}"))
        })?;
        Ok(Self {
            environment: source.environment.clone(),
            path: if source.select.recursive {
                path.as_folder()
            } else {
                path
            },
            recursive: source.select.recursive,
            field: source.field.clone(),
            version: source.version.clone(),
            options: source.options.clone(),
            on_behalf_of: None,
        })
    }
}

/// A query as it would be asked, and what of it an `allow` entry must name: what authorisation is about. Made
/// from the specs of store and source alone, because authorisation comes before anything is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The query, every coordinate in its one spelling: equal reads are shared.
    pub query: StoreQuery,
    /// The remote name; a folder stands for everything below it.
    pub path: RemotePath,
    /// The environment, when it is not the store's own.
    pub environment: Option<String>,
    /// The mount, when it is not the store's own.
    pub mount: Option<String>,
    /// The table or query, when the store has several.
    pub table: Option<String>,
    /// The kind of object, when it is not the usual.
    pub kind: Option<ObjectKind>,
    /// What leads elsewhere from what is read.
    pub follow: Vec<Follow>,
}

impl Proposal {
    /// What `query` says, with everything else as the store has it.
    pub fn of(query: StoreQuery) -> Self {
        Self {
            path: query.path.clone(),
            environment: query.environment.clone(),
            mount: None,
            table: None,
            kind: None,
            follow: Vec::new(),
            query,
        }
    }

    /// What is to be reached.
    pub fn reach(&self) -> Reach<'_> {
        Reach {
            environment: self.environment.as_deref(),
            mount: self.mount.as_deref(),
            table: self.table.as_deref(),
            kind: self.kind,
            follow: &self.follow,
            ..Reach::reading(&self.path)
        }
    }
}

/// Why a store gives no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreFailure {
    /// The fault, about the store.
    pub fault: Fault,
    /// Whether what was fetched when the store was opened may be out of date.
    pub blames_credentials: bool,
}

impl From<Fault> for StoreFailure {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            blames_credentials: false,
        }
    }
}

/// What each outside system gives to [`crate::providers`]: how the spec of a store becomes an opened store.
#[async_trait]
pub trait Adapter {
    /// The system's member of `spec.provider`.
    type Provider: Sync;

    /// What a query may mean, in order of preference; the caller gets the first that it may ask. Decided from the
    /// spec alone. `subject` names the store in faults.
    fn propose(
        subject: &str,
        provider: &Self::Provider,
        query: StoreQuery,
    ) -> Result<Vec<Proposal>, Fault>;

    /// Opens a store: its credentials are fetched, nobody logs in yet.
    async fn open(
        store: &StoreObject,
        provider: &Self::Provider,
        reached: &Reached,
    ) -> Result<Arc<dyn OpenedStore>, StoreFailure>;

    /// Whether answers depend on who asks, because the other side must consent.
    fn needs_consent(_provider: &Self::Provider) -> bool {
        false
    }
}

/// Where one open store says that something in it may have changed.
#[derive(Clone)]
pub struct Notices {
    to: Arc<dyn StoreNotices>,
    home: NamespaceName,
    store: StoreReference,
}

impl Notices {
    /// The notices of `store`, for whoever listens.
    pub fn of(store: &StoreObject, to: Arc<dyn StoreNotices>) -> Self {
        Self {
            to,
            home: store.home.clone(),
            store: store.reference.clone(),
        }
    }

    /// Something may have changed.
    pub fn changed(&self) {
        self.to.changed(&self.home, &self.store);
    }
}

/// The entries of one name.
pub(crate) fn named(answer: &Snapshot, name: &str) -> Snapshot {
    let entries = answer.entries.iter().filter(|entry| entry.name == name);
    Snapshot {
        entries: entries.cloned().collect(),
        version: answer.version.clone(),
    }
}

/// A store that has been opened: its credentials have been fetched, and it may keep a login.
#[async_trait]
pub trait OpenedStore: Send + Sync {
    /// Names the credentials without telling them.
    fn credential_hash(&self) -> [u8; 32];

    /// Answers one query, completely or not at all. `subject` names the store in faults.
    async fn read(&self, subject: &str, query: &StoreQuery) -> Result<Snapshot, StoreFailure>;

    /// As [`Self::read`], for those who do not insist: where the system says that nothing has changed since an
    /// earlier read, that may be the answer.
    async fn refresh(&self, subject: &str, query: &StoreQuery) -> Result<Snapshot, StoreFailure> {
        self.read(subject, query).await
    }

    /// The query whose answer holds that of `query`: who wants different parts of one thing shares its read.
    fn whole(&self, query: &StoreQuery) -> StoreQuery {
        query.clone()
    }

    /// What `query` asks for of `answer`, which is that of its [`Self::whole`].
    fn part(
        &self,
        _subject: &str,
        _query: &StoreQuery,
        answer: Arc<Snapshot>,
    ) -> Result<Snapshot, StoreFailure> {
        Ok(Arc::unwrap_or_clone(answer))
    }

    /// Logs in and makes one cheap read.
    async fn probe(&self, subject: &str) -> Result<Capabilities, StoreFailure>;

    /// How far the system's clock is ahead of ours, where an answer of it told the time.
    fn clock_ahead(&self) -> Option<SignedDuration> {
        None
    }

    /// How much more the system may be asked, where an answer of it told.
    fn quota(&self) -> Option<Quota> {
        None
    }

    /// Follows what the system tells by itself, where the store is set up for that: goes on until it is dropped,
    /// connects again on its own, and after each gap says that something may have changed, because nobody keeps
    /// what was told meanwhile. Called once, where somebody listens.
    fn follow(self: Arc<Self>, _notices: Notices) -> Option<BoxFuture<'static, ()>> {
        None
    }

    /// Its items one by one, where people may look at them and change them.
    fn items(&self) -> Option<&dyn OpenedItems> {
        None
    }

    /// Files on the host that it reaches, where it reaches one.
    fn host_files(&self) -> Option<&dyn OpenedHostFiles> {
        None
    }

    /// Gives back what the login gave. Errors are nobody's concern any more.
    async fn close(&self);
}

/// What whoever runs the process allows on hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostAccess {
    /// Commands that documents name may run there (`--allow-commands`).
    pub allow_commands: bool,
    /// This process writes: it takes away what a dead run left beside a file.
    pub writes: bool,
}

/// Files on the host of a store that has been opened; see [`penstock_domain::ports::Targets`] for what each must do.
/// `subject` names the file in faults.
#[async_trait]
pub trait OpenedHostFiles: Send + Sync {
    /// What stands there.
    async fn observe(
        &self,
        subject: &str,
        file: &HostFileDestination,
    ) -> Result<Observation, Fault>;

    /// Writes, and runs the file's command if there was a change, or is one due.
    async fn write(
        &self,
        subject: &str,
        file: &HostFileDestination,
        write: &Write,
    ) -> Result<Written, Fault>;

    /// Removes our keys.
    async fn remove(
        &self,
        subject: &str,
        file: &HostFileDestination,
        removal: &Removal,
    ) -> Result<(), Fault>;
}

/// The items of a store that has been opened; see [`penstock_domain::items::StoreItems`] for what each must do.
/// `subject` names the store in faults.
#[async_trait]
pub trait OpenedItems: Send + Sync {
    /// What lies at a path.
    async fn read(&self, subject: &str, at: ItemAddress<'_>) -> Result<Item, StoreFailure>;

    /// The names in a folder.
    async fn list(&self, subject: &str, at: ItemAddress<'_>) -> Result<Vec<String>, StoreFailure>;

    /// Sets keys.
    async fn set(
        &self,
        subject: &str,
        at: ItemAddress<'_>,
        keys: &BTreeMap<String, SecretValue>,
        seen: &ItemState,
    ) -> Result<(), StoreFailure>;
}

/// Where an item lies in a store.
#[derive(Debug, Clone, Copy)]
pub struct ItemAddress<'a> {
    /// The environment, the store's own where none was named and it has one.
    pub environment: Option<&'a str>,
    /// What else only this kind of store understands.
    pub options: &'a SourceOptions,
    /// The path.
    pub path: &'a RemotePath,
}
