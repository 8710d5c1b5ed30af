//! Writing a target: check, apply, take leftovers away, read back.

use std::collections::{BTreeMap, BTreeSet};

use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::Key;
use penstock_domain::ports::{Precondition, Write, Written};
use penstock_domain::render::MAX_OBJECT_BYTES;
use penstock_domain::secret::SecretValue;

use super::KubernetesTargets;
use super::document::Document;
use super::place::Place;
use super::stored::{LAST_APPLIED, Stored};
use crate::kubernetes::failure::{Cause, Failure, Field, Refusal};
use crate::kubernetes::request::{Call, DeletePreconditions, PatchOperation, Resource, pointer};

impl KubernetesTargets {
    pub(super) async fn write_object(
        &self,
        place: &Place<'_>,
        mut write: Write,
    ) -> Result<Written, Fault> {
        check(place, &write.data)?;
        if write.recreate {
            self.make_room(place, &write).await?;
            write.precondition = Precondition::Absent;
        }
        let stored = self.apply(place, &write).await?;
        let mut paths = leftovers(&stored, &write.remove);
        if stored.metadata.annotations.contains_key(LAST_APPLIED) {
            paths.push(pointer("/metadata/annotations", LAST_APPLIED));
        }
        let stored = self.take_away(place, stored, paths).await?;
        read_back(place, &stored, &write)?;
        Ok(stored.written())
    }

    async fn apply(&self, place: &Place<'_>, write: &Write) -> Result<Stored, Fault> {
        let document = Document::new(place, &write.owner, &write.data);
        let call = |document: &Document<'_>| Call::apply(place.address(), &place.manager, document);
        let outcome = self
            .exchange(place, &call(&document.only_if(&write.precondition)))
            .await;
        match (outcome, &write.precondition) {
            (Err(failure), Precondition::Absent) if failure.is_conflict() => {
                self.create(place, write).await
            }
            (Err(failure), Precondition::Unchanged { .. }) if misplaced(place, &failure) => {
                self.move_keys(place, write, &failure).await
            }
            (outcome, _) => outcome.map_err(|failure| failure.fault(&place.subject)),
        }
    }

    /// Makes the object by a plain create, which cannot touch one that exists. An apply alone would do on
    /// every API server that was tried; that it conflicts only with existing objects is not documented.
    async fn create(&self, place: &Place<'_>, write: &Write) -> Result<Stored, Fault> {
        let document = Document::new(place, &write.owner, &write.data);
        let call = Call::create(place.resource, place.namespace(), &place.manager, &document);
        self.exchange(place, &call)
            .await
            .map_err(|failure| failure.fault(&place.subject))
    }

    /// Moves keys of a ConfigMap between `data` and `binaryData`, and applies again. A key that somebody
    /// else co-owns stays where it is when an apply puts it elsewhere, and nothing may stand in both.
    async fn move_keys(
        &self,
        place: &Place<'_>,
        write: &Write,
        failure: &Failure,
    ) -> Result<Stored, Fault> {
        let stored = self.find(place).await?.ok_or_else(|| changed(place))?;
        if !stored.matches(&write.precondition) {
            return Err(changed(place));
        }
        let operations = stored.moves(&write.data);
        if operations.is_empty() {
            return Err(failure.fault(&place.subject));
        }
        let moved = self.patch(place, &stored, operations).await?;
        let precondition = Precondition::Unchanged {
            uid: moved.metadata.uid,
            resource_version: moved.metadata.resource_version,
        };
        let document = Document::new(place, &write.owner, &write.data).only_if(&precondition);
        let call = Call::apply(place.address(), &place.manager, &document);
        self.exchange(place, &call)
            .await
            .map_err(|failure| failure.fault(&place.subject))
    }

    /// Deletes the very object of the precondition, so that a new one can take its name. Refuses when it
    /// holds keys that would be lost.
    async fn make_room(&self, place: &Place<'_>, write: &Write) -> Result<(), Fault> {
        let Precondition::Unchanged {
            uid,
            resource_version,
        } = &write.precondition
        else {
            return Ok(());
        };
        let Some(stored) = self.find(place).await? else {
            return Ok(());
        };
        if !stored.matches(&write.precondition) {
            return Err(changed(place));
        }
        let ours = |key: &Key| write.data.contains_key(key) || write.remove.contains(key);
        if !stored.data.keys().all(ours) {
            return Err(Fault::new(
                FaultClass::Invalid,
                &place.subject,
                "it holds keys that are not this sync's and would be lost if it were made anew",
            )
            .because(Reason::TargetImmutable)
            .hint("Move those keys elsewhere, or delete the object"));
        }
        let preconditions = DeletePreconditions {
            uid,
            resource_version: Some(resource_version),
        };
        self.delete(place, preconditions).await
    }

    /// Deletes the object. Absence is success.
    pub(super) async fn delete(
        &self,
        place: &Place<'_>,
        preconditions: DeletePreconditions<'_>,
    ) -> Result<(), Fault> {
        let call = Call::delete(place.address(), preconditions);
        self.api
            .find::<serde::de::IgnoredAny>(&call)
            .await
            .map(drop)
            .map_err(|failure| failure.fault(&place.subject))
    }

    /// Removes what an apply cannot: fields that somebody else co-owns or owns. The patch tests that the
    /// object is still the one that was just read.
    pub(super) async fn take_away(
        &self,
        place: &Place<'_>,
        stored: Stored,
        paths: Vec<String>,
    ) -> Result<Stored, Fault> {
        if paths.is_empty() {
            return Ok(stored);
        }
        let removals = paths
            .into_iter()
            .map(|path| PatchOperation::Remove { path });
        self.patch(place, &stored, removals.collect()).await
    }

    /// Sends a JSON patch for exactly the object in the version that was just read.
    async fn patch(
        &self,
        place: &Place<'_>,
        stored: &Stored,
        operations: Vec<PatchOperation<'_>>,
    ) -> Result<Stored, Fault> {
        let metadata = &stored.metadata;
        let tests = [
            ("/metadata/uid", metadata.uid.as_str()),
            (
                "/metadata/resourceVersion",
                metadata.resource_version.as_str(),
            ),
        ];
        let tests = tests.map(|(path, value)| PatchOperation::Test {
            path: path.to_owned(),
            value,
        });
        let patch: Vec<_> = tests.into_iter().chain(operations).collect();
        let call = Call::json_patch(place.address(), &place.manager, &patch);
        self.exchange(place, &call)
            .await
            .map_err(|failure| failure.fault(&place.subject))
    }
}

/// Whether the API server may have refused because a key would stand in `data` and in `binaryData`.
fn misplaced(place: &Place<'_>, failure: &Failure) -> bool {
    place.resource == Resource::ConfigMap
        && failure.cause == Cause::Refused(Refusal::Invalid(Field::Data))
}

/// JSON pointers to those of `keys` that are still there.
pub(super) fn leftovers(stored: &Stored, keys: &BTreeSet<Key>) -> Vec<String> {
    keys.iter()
        .filter(|key| stored.data.contains_key(*key))
        .map(|key| stored.pointer_to(key))
        .collect()
}

/// What Kubernetes would refuse, refused here with the key or the size in the message.
fn check(place: &Place<'_>, data: &BTreeMap<Key, SecretValue>) -> Result<(), Fault> {
    if let Some(key) = data.keys().find(|key| !key.is_kubernetes()) {
        return Err(Fault::new(
            FaultClass::Invalid,
            &place.subject,
            format!("the key `{key}` is not one that Kubernetes accepts"),
        )
        .because(Reason::KeyNotAccepted)
        .hint("Rename it: letters, digits, `-`, `_` and `.` are accepted, at most 253 of them"));
    }
    let bytes: usize = data.values().map(SecretValue::len).sum();
    if bytes > MAX_OBJECT_BYTES {
        return Err(Fault::new(
            FaultClass::Invalid,
            &place.subject,
            format!("its content has {bytes} bytes, Kubernetes stores at most {MAX_OBJECT_BYTES}"),
        )
        .because(Reason::TooLarge)
        .hint("Split the content over several targets with `select`"));
    }
    Ok(())
}

/// The object must hold what was written, and nothing that was to go: an admission webhook may think
/// otherwise, and would be taken for tampering later.
fn read_back(place: &Place<'_>, stored: &Stored, write: &Write) -> Result<(), Fault> {
    let kept = write
        .data
        .iter()
        .all(|(key, value)| stored.data.get(key) == Some(value));
    let gone = write
        .remove
        .iter()
        .all(|key| !stored.data.contains_key(key));
    if kept && gone {
        return Ok(());
    }
    Err(Fault::new(
        FaultClass::Invalid,
        &place.subject,
        "the API server stored other content than was written",
    )
    .hint("Look for an admission webhook that changes Secrets or ConfigMaps"))
}

fn changed(place: &Place<'_>) -> Fault {
    Fault::new(
        FaultClass::Conflict,
        &place.subject,
        "it was changed or replaced by somebody else in the meantime",
    )
}
