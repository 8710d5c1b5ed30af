//! The in-memory ports keep the contracts that the real ones keep.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;

use async_trait::async_trait;
use futures::FutureExt as _;

use super::World;
use crate::bundle::{Snapshot, SourceEntry};
use crate::names::{Key, NamespaceName, SyncId};
use crate::ports::{ObservedObject, Records, Sources, Targets};
use crate::secret::SecretValue;
use crate::sync::{Destination, ValidatedSource};
use crate::testing::contract::Case;
use crate::testing::contract::record::{self, RecordWorld};
use crate::testing::contract::source::{self, SourceWorld};
use crate::testing::contract::target::{self, TargetWorld};
use crate::testing::{self, sync_id};

fn name(destination: &Destination) -> String {
    format!("{} {}", destination.kind(), destination.object_name())
}

impl RecordWorld for World {
    fn records(&self) -> &dyn Records {
        self
    }

    fn namespace(&self) -> NamespaceName {
        NamespaceName::new("prod").unwrap()
    }
}

#[async_trait]
impl TargetWorld for World {
    fn targets(&self) -> &dyn Targets {
        self
    }

    fn namespace(&self) -> NamespaceName {
        NamespaceName::new("prod").unwrap()
    }

    async fn plant(&self, destination: &Destination, data: &BTreeMap<Key, SecretValue>) {
        let mut state = self.state();
        let version = state.next_version();
        let secret_type =
            matches!(destination, Destination::Secret(_)).then(|| "Opaque".to_owned());
        let object = ObservedObject {
            uid: format!("uid-{version}"),
            resource_version: version.to_string(),
            secret_type,
            data: data.clone(),
            ..ObservedObject::default()
        };
        state.objects.insert(name(destination), object);
    }

    async fn edit(&self, destination: &Destination, key: &Key, value: Option<&SecretValue>) {
        let text = value.map(|value| value.expose_text().expect("people type text"));
        World::edit(self, &name(destination), key.as_str(), text);
    }

    async fn delete(&self, destination: &Destination) {
        let mut state = self.state();
        state.objects.remove(&name(destination));
        state.marks.remove(&name(destination));
    }
}

#[async_trait]
impl SourceWorld for World {
    fn sources(&self) -> &dyn Sources {
        self
    }

    fn sync(&self) -> SyncId {
        sync_id("prod", "panbot")
    }

    fn source(&self, place: &str) -> ValidatedSource {
        testing::source(place)
    }

    async fn put(&self, place: &str, content: &source::Content) {
        let entry = |(key, value): (&String, &String)| SourceEntry {
            name: key.clone(),
            path: String::new(),
            tags: BTreeSet::new(),
            version: None,
            value: SecretValue::from(value.as_str()),
        };
        let snapshot = Snapshot {
            entries: content.iter().map(entry).collect(),
            version: None,
        };
        let mut state = self.state();
        state.answers.insert(place.to_owned(), Some(Ok(snapshot)));
    }

    async fn remove(&self, place: &str) {
        self.state().answers.remove(place);
    }
}

/// Runs every case in a world of its own, and names those that do not hold.
fn all_hold<Port: ?Sized>(cases: &[Case<Port>], port: fn(&World) -> &Port) {
    let holds = |case: &&Case<Port>| {
        let world = World::default();
        let run = AssertUnwindSafe((case.run)(port(&world))).catch_unwind();
        run.now_or_never().is_some_and(|outcome| outcome.is_ok())
    };
    let broken: Vec<_> = cases.iter().filter(|case| !holds(case)).collect();
    let names: Vec<_> = broken.iter().map(|case| case.name).collect();
    assert!(names.is_empty(), "broken: {names:?}; see above why");
}

#[test]
fn the_contract_of_targets_holds() {
    all_hold::<dyn TargetWorld>(target::CASES, |world| world);
    all_hold::<dyn TargetWorld>(target::OBJECT_CASES, |world| world);
}

#[test]
fn the_contract_of_sources_holds() {
    all_hold::<dyn SourceWorld>(source::CASES, |world| world);
}

#[test]
fn the_contract_of_records_holds() {
    all_hold::<dyn RecordWorld>(record::CASES, |world| world);
}
