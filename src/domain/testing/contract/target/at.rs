//! One sync at one destination, in the words that cases use.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the contract suite is test code"
)]

use std::collections::{BTreeMap, BTreeSet};

use super::TargetWorld;
use crate::conditions::Reason;
use crate::fault::{Fault, FaultClass};
use crate::names::{Key, ObjectName, SyncId, TargetName};
use crate::ports::{Observation, ObservedObject, Precondition, Removal, Write, Written};
use crate::secret::SecretValue;
use crate::sync::{
    Adopt, ConfigMapDestination, Destination, SecretDestination, SecretType, TargetSelection,
    ValidatedTarget,
};

/// The contents that most cases write: text, bytes that are no text, nothing at all.
pub(super) fn content() -> BTreeMap<Key, SecretValue> {
    data(&[
        ("TEXT", b"value \xc3\xa4"),
        ("BYTES", b"\x00\xff\xfe"),
        ("EMPTY", b""),
    ])
}

pub(super) fn data(entries: &[(&str, &[u8])]) -> BTreeMap<Key, SecretValue> {
    let entry = |(name, value): &(&str, &[u8])| (key(name), SecretValue::new(*value));
    entries.iter().map(entry).collect()
}

pub(super) fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

pub(super) fn keys(names: &[&str]) -> BTreeSet<Key> {
    names.iter().map(|name| key(name)).collect()
}

pub(super) fn secret(name: &str) -> Destination {
    Destination::Secret(SecretDestination {
        name: ObjectName::new(name).unwrap(),
        secret_type: SecretType::Opaque,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        immutable: false,
        recreate: false,
    })
}

pub(super) fn config_map(name: &str) -> Destination {
    Destination::ConfigMap(ConfigMapDestination {
        name: ObjectName::new(name).unwrap(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        immutable: false,
        recreate: false,
    })
}

/// Both kinds of objects.
pub(super) fn both() -> [Destination; 2] {
    [secret("a"), config_map("a")]
}

fn target(destination: &Destination) -> ValidatedTarget {
    ValidatedTarget {
        name: TargetName::new("target").unwrap(),
        destination: destination.clone(),
        select: TargetSelection::default(),
        adopt: Adopt::Never,
        share_keys: false,
        delete_with_sync: false,
        repair: true,
    }
}

/// One sync at one destination.
pub(super) struct At<'world> {
    world: &'world dyn TargetWorld,
    sync: SyncId,
    pub(super) target: ValidatedTarget,
    pub(super) owner: String,
}

impl<'world> At<'world> {
    pub(super) fn new(world: &'world dyn TargetWorld, destination: &Destination) -> Self {
        Self::by("sync", world, destination)
    }

    pub(super) fn by(
        name: &str,
        world: &'world dyn TargetWorld,
        destination: &Destination,
    ) -> Self {
        let sync = SyncId {
            namespace: world.namespace(),
            name: ObjectName::new(name).unwrap(),
        };
        Self {
            world,
            owner: format!("test-installation/{sync}"),
            sync,
            target: target(destination),
        }
    }

    /// The contents that most cases write, as far as the destination can hold them.
    pub(super) fn content(&self) -> BTreeMap<Key, SecretValue> {
        let mut content = content();
        if !self.world.holds_bytes() {
            content.insert(key("BYTES"), SecretValue::from("#'text'\n\"$BYTES\""));
        }
        content
    }

    fn destination(&self) -> &Destination {
        &self.target.destination
    }

    pub(super) async fn observe(&self) -> Option<ObservedObject> {
        let observed = self.world.targets().observe(&self.sync, &self.target).await;
        match observed.unwrap() {
            Observation::Absent => None,
            Observation::Present(object) => Some(object),
        }
    }

    pub(super) async fn must_hold(&self, data: &BTreeMap<Key, SecretValue>) -> ObservedObject {
        let object = self.observe().await.expect("the object is there");
        assert_eq!(
            object.data.keys().collect::<Vec<_>>(),
            data.keys().collect::<Vec<_>>(),
            "keys of {:?}",
            self.destination().object_name()
        );
        assert!(object.data == *data, "a value is not what was written");
        object
    }

    /// The precondition that what is there now stays as it is.
    pub(super) async fn unchanged(&self) -> Precondition {
        match self.observe().await {
            None => Precondition::Absent,
            Some(object) => Precondition::Unchanged {
                uid: object.uid,
                resource_version: object.resource_version,
            },
        }
    }

    pub(super) fn request(
        &self,
        data: &BTreeMap<Key, SecretValue>,
        precondition: Precondition,
    ) -> Write {
        Write {
            data: data.clone(),
            remove: BTreeSet::new(),
            owner: self.owner.clone(),
            precondition,
            recreate: false,
        }
    }

    pub(super) async fn send(&self, write: Write) -> Result<Written, Fault> {
        let targets = self.world.targets();
        targets.write(&self.sync, &self.target, write).await
    }

    /// Writes `data` over what is there now.
    pub(super) async fn write(&self, data: &BTreeMap<Key, SecretValue>) -> Written {
        let write = self.request(data, self.unchanged().await);
        self.send(write).await.unwrap()
    }

    /// Writes `data` and takes `remove` away.
    pub(super) async fn replace(
        &self,
        data: &BTreeMap<Key, SecretValue>,
        remove: &[&str],
    ) -> Written {
        let mut write = self.request(data, self.unchanged().await);
        write.remove = keys(remove);
        self.send(write).await.unwrap()
    }

    pub(super) async fn recreate(
        &self,
        data: &BTreeMap<Key, SecretValue>,
    ) -> Result<Written, Fault> {
        let mut write = self.request(data, self.unchanged().await);
        write.recreate = true;
        self.send(write).await
    }

    pub(super) async fn remove(&self, uid: &str, names: &[&str], whole: bool) {
        let removal = Removal {
            uid: uid.to_owned(),
            keys: keys(names),
            whole,
        };
        let targets = self.world.targets();
        let removed = targets.remove(&self.sync, &self.target, removal).await;
        removed.unwrap();
    }
}

/// Fails unless the write is refused like this.
pub(super) fn refused(
    outcome: Result<Written, Fault>,
    class: &FaultClass,
    reason: Reason,
) -> Fault {
    let fault = outcome.expect_err("the write is refused");
    assert_eq!((&fault.class, fault.reason), (class, reason), "{fault}");
    fault
}
