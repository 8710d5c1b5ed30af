//! What there is in the world, and what tests do to it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::oneshot;
use jiff::Timestamp;

use crate::audit::AuditEntry;
use crate::bundle::{Snapshot, SourceEntry};
use crate::canary::{CanaryView, CheckVerdict, Trial};
use crate::engine::Seen;
use crate::fault::{Fault, FaultClass};
use crate::names::{Key, SyncId, TargetName};
use crate::ports::{ObservedObject, Ports, Work};
use crate::secret::SecretValue;
use crate::sync::{ValidatedSync, ValidatedTarget};
use crate::validate::Verdict;
use crate::workload::{PodView, WorkloadView};

/// What was asked of the world, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// A source was read.
    Read(String),
    /// A target was looked at.
    Observe(String),
    /// A target was written.
    Write(String),
    /// Keys were removed from a target.
    Remove(String),
    /// The record was loaded.
    Load,
    /// The record was saved.
    Save,
    /// The record was deleted.
    Forget,
    /// Workloads were listed.
    List,
    /// Pods were listed.
    Pods(String),
    /// A marker was set.
    Mark(String),
    /// A validator asked another system.
    Ask(String),
    /// A canary was made, for this revision.
    Try(String),
    /// A canary was removed.
    StopTrying,
}

impl Call {
    /// Whether this call changes something outside.
    pub fn is_write(&self) -> bool {
        matches!(
            self,
            Self::Write(_)
                | Self::Remove(_)
                | Self::Save
                | Self::Forget
                | Self::Mark(_)
                | Self::Try(_)
                | Self::StopTrying
        )
    }
}

/// At which write the process dies, and whether the write still happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// Just before the write with this number (from 0).
    Before(usize),
    /// Just after it.
    After(usize),
}

/// The state of the world. Tests reach into it at will.
#[derive(Debug, Default)]
pub struct State {
    /// Seconds since 1970.
    pub now: i64,
    /// What each source answers.
    pub answers: BTreeMap<String, Option<Result<Snapshot, Fault>>>,
    /// Objects by `Kind name`.
    pub objects: BTreeMap<String, ObservedObject>,
    /// Records and their versions.
    pub records: BTreeMap<SyncId, (Vec<u8>, u64)>,
    /// Workloads.
    pub workloads: Vec<WorkloadView>,
    /// Pods by workload uid.
    pub pods: BTreeMap<String, Vec<PodView>>,
    /// What other systems say about the values of validators, by the validator's name; nothing said is a yes.
    pub verdicts: BTreeMap<String, Verdict>,
    /// The canary that there is, and the revision that it tries.
    pub canary: Option<(Trial, CanaryView)>,
    /// How the next canaries are as soon as they are made.
    pub canaries_are: CanaryView,
    /// What the checks of canaries say, by name; nothing said is a yes.
    pub checks: BTreeMap<String, CheckVerdict>,
    /// Removing canaries fails with this.
    pub refuse_stops: Option<Fault>,
    /// Canaries are refused with this.
    pub refuse_canaries: Option<Fault>,
    /// What was asked, in order.
    pub calls: Vec<Call>,
    /// Audit entries.
    pub audit: Vec<AuditEntry>,
    /// Writes to targets fail with this.
    pub refuse_writes: Option<Fault>,
    /// Listing workloads fails with this.
    pub refuse_lists: Option<Fault>,
    /// Loading a record fails with this.
    pub refuse_loads: Option<Fault>,
    /// Looks at targets fail with this.
    pub refuse_looks: Option<Fault>,
    /// Removals from targets fail with this.
    pub refuse_removals: Option<Fault>,
    /// Work for another thread waits here until [`World::work`], instead of being done at once.
    pub idle: bool,
    /// Work that waits.
    pub(super) waiting: Vec<Waiting>,
    /// Another replica has taken over.
    pub fenced: bool,
    /// When to die.
    pub death: Option<Death>,
    /// Labels and annotations that the spec set, by object.
    pub(super) marks: BTreeMap<String, Marks>,
    writes: usize,
    version: u64,
}

/// Work that waits for its thread.
pub(super) struct Waiting {
    pub(super) work: Work,
    pub(super) done: oneshot::Sender<()>,
}

impl fmt::Debug for Waiting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Waiting")
    }
}

/// Labels and annotations.
pub(super) type Marks = (BTreeMap<String, String>, BTreeMap<String, String>);

impl State {
    /// The next version of anything.
    pub(super) fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }
}

/// A world that ports share.
#[derive(Debug, Clone, Default)]
pub struct World(Arc<Mutex<State>>);

impl World {
    /// The state, for tests to read and change.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ports into this world.
    pub fn ports(&self) -> Ports {
        let port = Arc::new(self.clone());
        Ports {
            sources: port.clone(),
            targets: port.clone(),
            records: port.clone(),
            workloads: port.clone(),
            validators: port.clone(),
            canaries: port.clone(),
            clock: port.clone(),
            fence: port.clone(),
            audit: port.clone(),
            offload: port,
        }
    }

    /// Sets what a source answers.
    pub fn answer(&self, source: &str, entries: &[(&str, &str)]) {
        let snapshot = Snapshot {
            entries: entries
                .iter()
                .map(|(name, value)| entry(name, value))
                .collect(),
            version: None,
        };
        self.state()
            .answers
            .insert(source.to_owned(), Some(Ok(snapshot)));
    }

    /// Lets a source fail.
    pub fn fail(&self, source: &str, fault: Fault) {
        self.state()
            .answers
            .insert(source.to_owned(), Some(Err(fault)));
    }

    /// Calls since the last look, and forgets them.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.state().calls)
    }

    /// The content of an object as text, for comparison.
    pub fn content(&self, object: &str) -> Option<BTreeMap<String, String>> {
        let state = self.state();
        let text = |value: &SecretValue| String::from_utf8_lossy(value.expose()).into_owned();
        let object = state.objects.get(object)?;
        Some(
            object
                .data
                .iter()
                .map(|(key, value)| (key.to_string(), text(value)))
                .collect(),
        )
    }

    /// The sealed bytes of the only record, if there is one.
    pub fn record(&self) -> Option<Vec<u8>> {
        let state = self.state();
        let (sealed, _) = state.records.values().next()?;
        Some(sealed.clone())
    }

    /// Somebody puts other bytes in the place of the only record.
    pub fn put_record(&self, sealed: Vec<u8>) {
        if let Some(record) = self.state().records.values_mut().next() {
            record.0 = sealed;
        }
    }

    /// Somebody else edits an object.
    pub fn edit(&self, object: &str, key: &str, value: Option<&str>) {
        let mut state = self.state();
        state.version += 1;
        let (version, now) = (state.version, Timestamp::from_second(state.now).ok());
        let (Ok(key), Some(object)) = (Key::new(key), state.objects.get_mut(object)) else {
            return;
        };
        match value {
            Some(value) => object.data.insert(key, SecretValue::from(value)),
            None => object.data.remove(&key),
        };
        object.resource_version = version.to_string();
        object.foreign_change = now;
    }

    /// What a watch would have seen of the targets of `sync`.
    pub fn seen(&self, sync: &ValidatedSync) -> BTreeMap<TargetName, Seen> {
        let state = self.state();
        let look = |target: &ValidatedTarget| {
            let seen = match state.objects.get(&label(target)) {
                None => Seen::Absent,
                Some(object) => Seen::Object {
                    uid: object.uid.clone(),
                    resource_version: object.resource_version.clone(),
                },
            };
            (target.name.clone(), seen)
        };
        sync.targets.iter().map(look).collect()
    }

    /// Counts a write; says whether the process dies before it, and whether after.
    pub(super) fn count(&self, call: Call) -> (bool, bool) {
        let mut state = self.state();
        let number = state.writes;
        state.writes += 1;
        let (before, after) = (
            state.death == Some(Death::Before(number)),
            state.death == Some(Death::After(number)),
        );
        if !before {
            state.calls.push(call);
        }
        (before, after)
    }

    /// The other thread does all the work that waits; how many pieces that were.
    pub fn work(&self) -> usize {
        let waiting = std::mem::take(&mut self.state().waiting);
        let pieces = waiting.len();
        for Waiting { work, done } in waiting {
            work();
            drop(done);
        }
        pieces
    }

    /// Starts a new life: writes are counted from 0 again, and nothing dies.
    pub fn revive(&self) {
        let mut state = self.state();
        (state.death, state.writes) = (None, 0);
    }
}

/// An entry of a source, at its root and without tags.
pub fn entry(name: &str, value: &str) -> SourceEntry {
    SourceEntry {
        name: name.to_owned(),
        path: String::new(),
        tags: std::collections::BTreeSet::new(),
        version: None,
        value: SecretValue::from(value),
    }
}

/// An object's name in this world: `Kind name`.
pub(super) fn label(target: &ValidatedTarget) -> String {
    format!(
        "{} {}",
        target.destination.kind(),
        target.destination.object_name()
    )
}

pub(super) fn conflict(what: &str) -> Fault {
    Fault::new(FaultClass::Conflict, what, "changed in the meantime")
}
