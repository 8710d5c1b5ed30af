//! Targets in memory: Secrets and ConfigMaps as the API server keeps them, as far as the contract goes.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::future::pending;

use super::state::{Call, Marks, State, World, conflict, label};
use crate::conditions::Reason;
use crate::fault::{Fault, FaultClass};
use crate::names::{Key, SyncId};
use crate::ports::{Observation, ObservedObject, Precondition, Removal, Targets, Write, Written};
use crate::render::MAX_OBJECT_BYTES;
use crate::secret::SecretValue;
use crate::sync::{Destination, ValidatedTarget};

#[async_trait]
impl Targets for World {
    async fn observe(&self, _: &SyncId, target: &ValidatedTarget) -> Result<Observation, Fault> {
        let mut state = self.state();
        state.calls.push(Call::Observe(label(target)));
        if let Some(fault) = &state.refuse_looks {
            return Err(fault.clone());
        }
        Ok(state
            .observe(target)
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
        if let Some(fault) = &self.state().refuse_removals {
            return Err(fault.clone());
        }
        self.state().remove(target, &removal);
        if after {
            pending::<()>().await;
        }
        Ok(())
    }
}

impl State {
    fn observe(&self, target: &ValidatedTarget) -> Option<ObservedObject> {
        let name = label(target);
        let mut object = self.objects.get(&name)?.clone();
        let set = self.marks.get(&name).cloned().unwrap_or_default();
        object.metadata_matches = set == marks(target);
        Some(object)
    }

    fn write(&mut self, target: &ValidatedTarget, write: Write) -> Result<Written, Fault> {
        if let Some(fault) = &self.refuse_writes {
            return Err(fault.clone());
        }
        let name = label(target);
        check(&name, &write.data)?;
        let standing = self.objects.get(&name);
        if !holds(&write.precondition, standing) {
            return Err(conflict(&name));
        }
        let fresh = ObservedObject {
            uid: format!("uid-{}", self.next_version()),
            ..ObservedObject::default()
        };
        let standing = self.objects.get(&name);
        let written = match standing {
            Some(object) if write.recreate => {
                made_anew(&name, object, &write).map(|()| with(fresh, target, write))?
            }
            Some(object) => {
                let written = with(object.clone(), target, write);
                unfrozen(&name, object, &written)?;
                written
            }
            None => with(fresh, target, write),
        };
        let same = standing == Some(&written) && self.marks.get(&name) == Some(&marks(target));
        Ok(self.store(&name, target, written, same))
    }

    /// Keeps `object`, in a new version unless nothing has changed.
    fn store(
        &mut self,
        name: &str,
        target: &ValidatedTarget,
        mut object: ObservedObject,
        same: bool,
    ) -> Written {
        if !same {
            object.resource_version = self.next_version().to_string();
            object.foreign_change = None;
        }
        let written = Written {
            uid: object.uid.clone(),
            resource_version: object.resource_version.clone(),
        };
        self.marks.insert(name.to_owned(), marks(target));
        self.objects.insert(name.to_owned(), object);
        written
    }

    fn remove(&mut self, target: &ValidatedTarget, removal: &Removal) {
        let name = label(target);
        let Some(mut object) = self.objects.get(&name).cloned() else {
            return;
        };
        if object.uid != removal.uid {
            return;
        }
        object.data.retain(|key, _| !removal.keys.contains(key));
        self.marks.remove(&name);
        if removal.whole && object.data.is_empty() {
            self.objects.remove(&name);
            return;
        }
        if !target.share_keys {
            (object.owner, object.labelled) = (None, false);
        }
        object.resource_version = self.next_version().to_string();
        self.objects.insert(name, object);
    }
}

/// What the spec of a target wants of labels and annotations.
fn marks(target: &ValidatedTarget) -> Marks {
    match &target.destination {
        Destination::Secret(secret) => (secret.labels.clone(), secret.annotations.clone()),
        Destination::ConfigMap(map) => (map.labels.clone(), map.annotations.clone()),
        Destination::File(_) | Destination::HostFile(_) => Marks::default(),
    }
}

fn holds(precondition: &Precondition, standing: Option<&ObservedObject>) -> bool {
    match (precondition, standing) {
        (Precondition::Absent, None) => true,
        (
            Precondition::Unchanged {
                uid,
                resource_version,
            },
            Some(object),
        ) => object.uid == *uid && object.resource_version == *resource_version,
        _ => false,
    }
}

/// `object` after the write.
fn with(mut object: ObservedObject, target: &ValidatedTarget, write: Write) -> ObservedObject {
    object.data.extend(write.data);
    object.data.retain(|key, _| !write.remove.contains(key));
    object.owner = Some(write.owner);
    object.labelled = true;
    match &target.destination {
        Destination::Secret(secret) => {
            object.secret_type = Some(secret.secret_type.as_str().to_owned());
            object.immutable |= secret.immutable;
        }
        Destination::ConfigMap(map) => object.immutable |= map.immutable,
        Destination::File(_) | Destination::HostFile(_) => {}
    }
    object
}

/// A type never changes, and nothing but marks does in an immutable object.
fn unfrozen(name: &str, before: &ObservedObject, after: &ObservedObject) -> Result<(), Fault> {
    let retyped = before.secret_type.is_some() && before.secret_type != after.secret_type;
    let frozen = before.immutable && before.data != after.data;
    if retyped || frozen {
        return Err(invalid(name, "cannot be changed", Reason::TargetImmutable));
    }
    Ok(())
}

/// Whether making `object` anew loses nothing of others.
fn made_anew(name: &str, object: &ObservedObject, write: &Write) -> Result<(), Fault> {
    let ours = |key: &Key| write.data.contains_key(key) || write.remove.contains(key);
    if object.data.keys().all(ours) {
        return Ok(());
    }
    let message = "holds keys of others";
    Err(invalid(name, message, Reason::TargetImmutable))
}

fn check(name: &str, data: &BTreeMap<Key, SecretValue>) -> Result<(), Fault> {
    if let Some(key) = data.keys().find(|key| !key.is_kubernetes()) {
        let message = format!("does not accept the key `{key}`");
        return Err(invalid(name, message, Reason::KeyNotAccepted));
    }
    let bytes: usize = data.values().map(SecretValue::len).sum();
    if bytes > MAX_OBJECT_BYTES {
        let message = format!("cannot hold {bytes} bytes");
        return Err(invalid(name, message, Reason::TooLarge));
    }
    Ok(())
}

fn invalid(name: &str, message: impl Into<String>, reason: Reason) -> Fault {
    Fault::new(FaultClass::Invalid, name, message).because(reason)
}
