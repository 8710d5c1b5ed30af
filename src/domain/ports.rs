//! The ports: what the engine asks of the outside, in plain words of the domain.
//!
//! Each trait states its contract; `testing::contract` checks it against any implementation.
//! All calls are cancel-safe: a dropped future leaves either the old or the new state outside.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::audit::AuditEntry;
use crate::bundle::Snapshot;
use crate::canary::{CanaryCheck, CanaryView, CheckVerdict, Trial};
use crate::fault::Fault;
use crate::names::{Key, NamespaceName, ObjectName, SyncId};
use crate::record::MAX_SEALED_BYTES;
use crate::secret::SecretValue;
use crate::sync::{ValidatedSource, ValidatedTarget, WorkloadScope};
use crate::validate::{RemoteCheck, Validator, Verdict};
use crate::workload::{PodView, WorkloadId, WorkloadView};

/// How old an answer may be that another sync has just caused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It must have been read after this call began.
    Now,
    /// It may have been read up to this long ago.
    Within(Duration),
}

/// Reads sources.
///
/// Contract: a snapshot is complete or there is none; `NotFound` only when the system says so in its
/// own error shape; selection by path, recursion, environment, field and version is done here, selection
/// by name, tag and pattern in `render` (an adapter may narrow early, never wrongly); bounded by
/// [`crate::bundle::MAX_KEYS`] and [`crate::bundle::MAX_BYTES`]; authorised for the sync's namespace
/// before any cache.
#[async_trait]
pub trait Sources: Send + Sync {
    /// Reads one source on behalf of `sync`.
    async fn read(
        &self,
        sync: &SyncId,
        source: &ValidatedSource,
        freshness: Freshness,
    ) -> Result<Snapshot, Fault>;

    /// Reads one key of a ConfigMap of the sync's namespace: a template document, not a secret.
    async fn template(
        &self,
        sync: &SyncId,
        config_map: &ObjectName,
        key: &Key,
    ) -> Result<String, Fault>;
}

/// What stands at a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// There is no such object.
    Absent,
    /// There is one.
    Present(ObservedObject),
}

/// An object at a target as it is now.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent facts about one object"
)]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObservedObject {
    /// Its uid.
    pub uid: String,
    /// Its resourceVersion.
    pub resource_version: String,
    /// The owner tag on it: whose it says it is.
    pub owner: Option<String>,
    /// The type of a Secret.
    pub secret_type: Option<String>,
    /// Whether it can no longer be changed.
    pub immutable: bool,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// Whether labels and annotations of the spec are on it as wanted.
    pub metadata_matches: bool,
    /// The label that leads the operator's watch to it is there.
    pub labelled: bool,
    /// When somebody other than us last changed it, as far as the system remembers.
    pub foreign_change: Option<Timestamp>,
    /// Its content.
    pub data: BTreeMap<Key, SecretValue>,
}

/// What must still be true when a write happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// There is no such object yet.
    Absent,
    /// It is this object in this version.
    Unchanged {
        /// Its uid.
        uid: String,
        /// Its resourceVersion.
        resource_version: String,
    },
}

/// One write to a target.
#[derive(Debug, Clone)]
pub struct Write {
    /// All keys that are ours, with their values.
    pub data: BTreeMap<Key, SecretValue>,
    /// Keys that are ours no longer and must be gone afterwards, whoever co-owns them.
    pub remove: BTreeSet<Key>,
    /// The owner tag: `<installation id>/<namespace>/<name>`, or `shared` where syncs share the object.
    pub owner: String,
    /// What must still be true.
    pub precondition: Precondition,
    /// Delete the object and make it anew, because it cannot be changed.
    pub recreate: bool,
}

/// What a write left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The object's uid.
    pub uid: String,
    /// The object's resourceVersion after the write.
    pub resource_version: String,
}

/// Observes and writes targets.
///
/// Contract: `observe` writes nothing; `write` is one step that leaves old or new content (except with
/// `recreate`), touches only the keys of the request, keeps everything else byte for byte, reads back what
/// it wrote and fails with `Conflict` when the precondition does not hold.
#[async_trait]
pub trait Targets: Send + Sync {
    /// What stands there.
    async fn observe(&self, sync: &SyncId, target: &ValidatedTarget) -> Result<Observation, Fault>;

    /// Writes.
    async fn write(
        &self,
        sync: &SyncId,
        target: &ValidatedTarget,
        write: Write,
    ) -> Result<Written, Fault>;

    /// Removes `keys`, which are ours; the object too when nothing else is left in it and `whole` allows.
    /// Absence is success.
    async fn remove(
        &self,
        sync: &SyncId,
        target: &ValidatedTarget,
        removal: Removal,
    ) -> Result<(), Fault>;
}

/// One removal from a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The object's uid as last seen; another object of the same name stays untouched.
    pub uid: String,
    /// Our keys.
    pub keys: BTreeSet<Key>,
    /// Whether the object itself goes when no other key is left.
    pub whole: bool,
}

/// A sealed record with the version that the next save must name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// The sealed bytes, as saved.
    pub sealed: Vec<u8>,
    /// The version at the store.
    pub version: RecordVersion,
}

/// The version of a stored record, opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordVersion(pub String);

/// Keeps records.
///
/// Contract: `save` replaces the whole in one visible step and fails with `Conflict` unless the stored
/// version is `expected` (`None`: there is none yet); a reader never sees half a record.
#[async_trait]
pub trait Records: Send + Sync {
    /// The largest sealed record that is kept; beyond it, older revisions are left out.
    fn max_bytes(&self, _sync: &SyncId) -> usize {
        MAX_SEALED_BYTES
    }

    /// The record of `sync`, if there is one.
    async fn load(&self, sync: &SyncId) -> Result<Option<StoredRecord>, Fault>;

    /// Replaces the record.
    async fn save(
        &self,
        sync: &SyncId,
        sealed: Vec<u8>,
        expected: Option<&RecordVersion>,
    ) -> Result<RecordVersion, Fault>;

    /// Forgets the record. Absence is success.
    async fn delete(&self, sync: &SyncId) -> Result<(), Fault>;
}

/// What became of a marker that was to be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marked {
    /// It is set.
    Set,
    /// The workload is gone or was replaced by another of its name.
    Gone,
}

/// Sees and marks workloads.
///
/// Contract: `list` pages, and returns nothing that it could not decode (it fails instead); `mark` changes
/// one annotation of the pod template and nothing else, of exactly the workload with that uid.
#[async_trait]
pub trait Workloads: Send + Sync {
    /// The workloads of a namespace within `scope`.
    async fn list(
        &self,
        namespace: &NamespaceName,
        scope: &WorkloadScope,
    ) -> Result<Vec<WorkloadView>, Fault>;

    /// The pods of one workload that are not finished.
    async fn pods(&self, workload: &WorkloadView) -> Result<Vec<PodView>, Fault>;

    /// Sets `annotation` on the pod template.
    async fn mark(
        &self,
        workload: &WorkloadId,
        annotation: &str,
        value: &str,
    ) -> Result<Marked, Fault>;
}

/// Asks other systems whether a value works.
///
/// Contract: `Failed` only where the other system has judged the value and refuses it; whatever else happens (no
/// answer, no address, too many requests, a failure of its own) is `Inconclusive`, never a verdict. It asks once,
/// within the validator's time, follows no redirect, and goes to no address that the egress policy refuses.
#[async_trait]
pub trait Validators: Send + Sync {
    /// Asks about `value` on behalf of `sync`. `check` is what `validator` asks.
    async fn ask(
        &self,
        sync: &SyncId,
        (validator, check): (&Validator, &RemoteCheck),
        value: &SecretValue,
    ) -> Verdict;
}

/// Tries a revision on a canary.
///
/// Contract: everything is named and labelled by sync and revision, so that doing a step twice is doing it once, and
/// whoever takes over finds what is there. `start` changes no object of the user's. What exists for another revision
/// of the same sync is never taken for this trial's.
#[async_trait]
pub trait Canaries: Send + Sync {
    /// Makes what the trial lacks: first the candidates, immutable, then the canary. `Invalid` where a canary of this
    /// workload could do harm, with the reason; `Denied` where the administrator has not switched canaries on.
    async fn start(&self, sync: &SyncId, trial: &Trial) -> Result<(), Fault>;

    /// How the canary is.
    async fn look(&self, sync: &SyncId, trial: &Trial) -> Result<CanaryView, Fault>;

    /// Asks one check once, within its time. Only a verdict about the revision is `Failed`.
    async fn check(
        &self,
        sync: &SyncId,
        trial: &Trial,
        check: &CanaryCheck,
    ) -> Result<CheckVerdict, Fault>;

    /// Removes whatever trials of this sync have left, candidates last. Absence is success.
    async fn stop(&self, sync: &SyncId) -> Result<(), Fault>;
}

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Says whether this process may still write (it holds the lease, with time to spare).
pub trait Fence: Send + Sync {
    /// Whether a write may start now.
    fn may_write(&self) -> bool;
}

/// Keeps the audit trail.
pub trait Audit: Send + Sync {
    /// Records one entry. Never blocks, never fails towards the engine.
    fn record(&self, entry: AuditEntry);
}

/// Work that takes processor time and leaves its result where its maker looks for it.
pub type Work = Box<dyn FnOnce() + Send>;

/// Does work that would hold up everybody else on the thread that asks: hashing of passwords takes seconds.
///
/// Contract: the work runs on a thread where nobody waits for anything else, one piece at a time in the whole
/// process, and is done when the call ends. A call that is dropped leaves work that has begun to its end.
/// Work that will never run, because the process stops, is dropped.
#[async_trait]
pub trait Offload: Send + Sync {
    /// Does `work`.
    async fn run(&self, work: Work);
}

/// Everything the engine reaches.
#[derive(Clone)]
pub struct Ports {
    /// Sources.
    pub sources: Arc<dyn Sources>,
    /// Targets.
    pub targets: Arc<dyn Targets>,
    /// Records.
    pub records: Arc<dyn Records>,
    /// Workloads.
    pub workloads: Arc<dyn Workloads>,
    /// Validators.
    pub validators: Arc<dyn Validators>,
    /// Canaries.
    pub canaries: Arc<dyn Canaries>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
    /// Fence.
    pub fence: Arc<dyn Fence>,
    /// Audit trail.
    pub audit: Arc<dyn Audit>,
    /// Work that takes processor time.
    pub offload: Arc<dyn Offload>,
}
