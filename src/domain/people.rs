//! What people see of the SecretSyncs of a cluster, and what they may ask of them.
//!
//! People act through the same API server as everybody else, with their own rights: they change annotations and
//! `spec.suspend`, and the operator does the rest.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::api::status::{Condition, ConditionStatus, PendingPlan, SecretSyncStatus};
use crate::conditions::ConditionType;
use crate::fault::Fault;
use crate::names::{NamespaceName, SyncId};

/// A SecretSync as it stands in the cluster. Its spec stays with the engine.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncObject {
    /// Its namespace and name.
    pub id: SyncId,
    /// Its uid.
    pub uid: String,
    /// `metadata.generation`: how often its spec was changed.
    pub generation: i64,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// `spec.suspend`
    pub suspended: bool,
    /// What the operator says of it.
    pub status: SecretSyncStatus,
}

impl SyncObject {
    /// One of its conditions.
    pub fn condition(&self, kind: ConditionType) -> Option<&Condition> {
        let mut conditions = self.status.conditions.iter();
        conditions.find(|condition| condition.condition_type == kind.as_str())
    }

    /// Whether a condition holds.
    pub fn holds(&self, kind: ConditionType) -> bool {
        self.condition(kind)
            .is_some_and(|condition| condition.status == ConditionStatus::True)
    }

    /// Whether the operator has seen the spec as it is now.
    pub fn is_observed(&self) -> bool {
        self.status.observed_generation == Some(self.generation)
    }

    /// Whether everything is as the spec has it now.
    pub fn is_ready(&self) -> bool {
        self.is_observed() && self.holds(ConditionType::Ready)
    }

    /// The plan that waits for a person, unless the spec has changed since it was made.
    pub fn pending_plan(&self) -> Option<&PendingPlan> {
        let pending = self.status.pending_plan.as_ref();
        pending.filter(|pending| pending.generation == self.generation)
    }
}

/// Something that was told about a SecretSync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncEvent {
    /// When it was told last.
    pub at: Option<Timestamp>,
    /// Whether it is a warning.
    pub warning: bool,
    /// One word.
    pub reason: String,
    /// What happened.
    pub note: String,
}

/// What a person changes of a SecretSync; nothing else of it is touched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncChange {
    /// Annotations by their full names.
    pub annotations: BTreeMap<&'static str, String>,
    /// Annotations that are taken away.
    pub remove: BTreeSet<&'static str>,
    /// A new `spec.suspend`.
    pub suspend: Option<bool>,
}

/// Reads and changes SecretSyncs in a person's name.
///
/// Contract: `NotFound` only when the API server says that there is no such object; `change` changes exactly the
/// object with the uid that was seen, or fails with `Conflict`.
#[async_trait]
pub trait SyncObjects: Send + Sync {
    /// One SecretSync.
    async fn get(&self, sync: &SyncId) -> Result<SyncObject, Fault>;

    /// Those of a namespace, or of all, by namespace and name.
    async fn list(&self, namespace: Option<&NamespaceName>) -> Result<Vec<SyncObject>, Fault>;

    /// What was told about one, oldest first.
    async fn events(&self, sync: &SyncObject) -> Result<Vec<SyncEvent>, Fault>;

    /// Changes one, and returns it as it is then.
    async fn change(&self, sync: &SyncObject, change: &SyncChange) -> Result<SyncObject, Fault>;

    /// The name that the API server knows the person by.
    async fn user(&self) -> Result<String, Fault>;
}
