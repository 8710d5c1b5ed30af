//! Every port in memory: a small world that behaves as the contracts say, can be told to fail, and can
//! "die" at any write, so that what a killed process leaves behind is tested write by write.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::future::pending;
use jiff::Timestamp;

use crate::audit::AuditEntry;
use crate::bundle::{Snapshot, SourceEntry};
use crate::engine::Seen;
use crate::fault::{Fault, FaultClass};
use crate::names::{Key, NamespaceName, ObjectName, SyncId, TargetName};
use crate::ports::{
    Audit, Clock, Fence, Freshness, Marked, Observation, ObservedObject, Ports, Precondition,
    RecordVersion, Records, Removal, Sources, StoredRecord, Targets, Workloads, Write, Written,
};
use crate::secret::SecretValue;
use crate::sync::{Destination, ValidatedSource, ValidatedSync, ValidatedTarget, WorkloadScope};
use crate::workload::{PodView, WorkloadId, WorkloadView};

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
}

impl Call {
    /// Whether this call changes something outside.
    pub fn is_write(&self) -> bool {
        matches!(
            self,
            Self::Write(_) | Self::Remove(_) | Self::Save | Self::Forget | Self::Mark(_)
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
    /// The record and its version.
    pub record: Option<(Vec<u8>, u64)>,
    /// Workloads.
    pub workloads: Vec<WorkloadView>,
    /// Pods by workload uid.
    pub pods: BTreeMap<String, Vec<PodView>>,
    /// What was asked, in order.
    pub calls: Vec<Call>,
    /// Audit entries.
    pub audit: Vec<AuditEntry>,
    /// Writes to targets fail with this.
    pub refuse_writes: Option<Fault>,
    /// Another replica has taken over.
    pub fenced: bool,
    /// When to die.
    pub death: Option<Death>,
    writes: usize,
    version: u64,
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
            clock: port.clone(),
            fence: port.clone(),
            audit: port,
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
    fn count(&self, call: Call) -> (bool, bool) {
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

fn label(target: &ValidatedTarget) -> String {
    format!(
        "{} {}",
        target.destination.kind(),
        target.destination.object_name()
    )
}

fn conflict(what: &str) -> Fault {
    Fault::new(FaultClass::Conflict, what, "changed in the meantime")
}

#[async_trait]
impl Sources for World {
    async fn read(
        &self,
        _: &SyncId,
        source: &ValidatedSource,
        _: Freshness,
    ) -> Result<Snapshot, Fault> {
        let mut state = self.state();
        state.calls.push(Call::Read(source.name.to_string()));
        let absent = || Some(Err(Fault::new(FaultClass::NotFound, "", "is not there")));
        let answer = state
            .answers
            .get(source.name.as_str())
            .cloned()
            .unwrap_or_else(absent);
        answer.unwrap_or_else(|| Ok(Snapshot::default()))
    }

    async fn template(&self, _: &SyncId, _: &ObjectName, _: &Key) -> Result<String, Fault> {
        Err(Fault::new(FaultClass::NotFound, "", "is not there"))
    }
}

#[async_trait]
impl Targets for World {
    async fn observe(&self, _: &SyncId, target: &ValidatedTarget) -> Result<Observation, Fault> {
        let mut state = self.state();
        state.calls.push(Call::Observe(label(target)));
        Ok(state
            .objects
            .get(&label(target))
            .cloned()
            .map_or(Observation::Absent, Observation::Present))
    }

    async fn write(
        &self,
        _: &SyncId,
        target: &ValidatedTarget,
        write: Write,
    ) -> Result<Written, Fault> {
        let (before, after) = self.count(Call::Write(label(target)));
        if before {
            pending::<()>().await;
        }
        let written = self.state().write(target, write);
        if after {
            pending::<()>().await;
        }
        written
    }

    async fn remove(
        &self,
        _: &SyncId,
        target: &ValidatedTarget,
        removal: Removal,
    ) -> Result<(), Fault> {
        let (before, after) = self.count(Call::Remove(label(target)));
        if before {
            pending::<()>().await;
        }
        self.state().remove(target, &removal);
        if after {
            pending::<()>().await;
        }
        Ok(())
    }
}

impl State {
    fn write(&mut self, target: &ValidatedTarget, write: Write) -> Result<Written, Fault> {
        if let Some(fault) = &self.refuse_writes {
            return Err(fault.clone());
        }
        let name = label(target);
        let standing = self.objects.get(&name);
        let holds = match (&write.precondition, standing) {
            (Precondition::Absent, None) => true,
            (
                Precondition::Unchanged {
                    uid,
                    resource_version,
                },
                Some(object),
            ) => object.uid == *uid && object.resource_version == *resource_version,
            _ => false,
        };
        if !holds {
            return Err(conflict(&name));
        }
        self.version += 1;
        let version = self.version.to_string();
        let fresh = ObservedObject {
            uid: format!("uid-{version}"),
            ..ObservedObject::default()
        };
        let mut object = standing
            .cloned()
            .filter(|_| !write.recreate)
            .unwrap_or(fresh);
        object.data.extend(write.data);
        object.data.retain(|key, _| !write.remove.contains(key));
        object.owner = Some(write.owner);
        (object.labelled, object.metadata_matches) = (true, true);
        if let Destination::Secret(secret) = &target.destination {
            object.secret_type = Some(secret.secret_type.as_str().to_owned());
            object.immutable = secret.immutable;
        }
        object.resource_version.clone_from(&version);
        object.foreign_change = None;
        let written = Written {
            uid: object.uid.clone(),
            resource_version: version,
        };
        self.objects.insert(name, object);
        Ok(written)
    }

    fn remove(&mut self, target: &ValidatedTarget, removal: &Removal) {
        let name = label(target);
        let Some(object) = self
            .objects
            .get_mut(&name)
            .filter(|object| object.uid == removal.uid)
        else {
            return;
        };
        object.data.retain(|key, _| !removal.keys.contains(key));
        if removal.whole && object.data.is_empty() {
            self.objects.remove(&name);
        }
    }
}

#[async_trait]
impl Records for World {
    async fn load(&self, _: &SyncId) -> Result<Option<StoredRecord>, Fault> {
        let mut state = self.state();
        state.calls.push(Call::Load);
        let stored = state.record.clone();
        Ok(stored.map(|(sealed, version)| StoredRecord {
            sealed,
            version: RecordVersion(version.to_string()),
        }))
    }

    async fn save(
        &self,
        _: &SyncId,
        sealed: Vec<u8>,
        expected: Option<&RecordVersion>,
    ) -> Result<RecordVersion, Fault> {
        let (before, after) = self.count(Call::Save);
        if before {
            pending::<()>().await;
        }
        let saved = {
            let mut state = self.state();
            let standing = state
                .record
                .as_ref()
                .map(|(_, version)| version.to_string());
            if standing.as_deref() != expected.map(|version| version.0.as_str()) {
                return Err(conflict("record"));
            }
            state.version += 1;
            let version = state.version;
            state.record = Some((sealed, version));
            RecordVersion(version.to_string())
        };
        if after {
            pending::<()>().await;
        }
        Ok(saved)
    }

    async fn delete(&self, _: &SyncId) -> Result<(), Fault> {
        self.count(Call::Forget);
        self.state().record = None;
        Ok(())
    }
}

#[async_trait]
impl Workloads for World {
    async fn list(&self, _: &NamespaceName, _: &WorkloadScope) -> Result<Vec<WorkloadView>, Fault> {
        let mut state = self.state();
        state.calls.push(Call::List);
        Ok(state.workloads.clone())
    }

    async fn pods(&self, workload: &WorkloadView) -> Result<Vec<PodView>, Fault> {
        let mut state = self.state();
        state.calls.push(Call::Pods(workload.id.to_string()));
        Ok(state
            .pods
            .get(&workload.id.uid)
            .cloned()
            .unwrap_or_default())
    }

    async fn mark(
        &self,
        workload: &WorkloadId,
        annotation: &str,
        value: &str,
    ) -> Result<Marked, Fault> {
        let (before, after) = self.count(Call::Mark(workload.to_string()));
        if before {
            pending::<()>().await;
        }
        let marked = {
            let mut state = self.state();
            let found = state.workloads.iter_mut().find(|view| view.id == *workload);
            found.map_or(Marked::Gone, |view| {
                view.template_annotations
                    .insert(annotation.to_owned(), value.to_owned());
                view.generation += 1;
                Marked::Set
            })
        };
        if after {
            pending::<()>().await;
        }
        Ok(marked)
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.state().now).unwrap_or_default()
    }
}

impl Fence for World {
    fn may_write(&self) -> bool {
        !self.state().fenced
    }
}

impl Audit for World {
    fn record(&self, entry: AuditEntry) {
        self.state().audit.push(entry);
    }
}
