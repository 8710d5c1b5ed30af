//! The in-memory ports keep the contracts that the real ones keep.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

use async_trait::async_trait;
use futures::FutureExt as _;

use super::World;
use crate::names::{Key, NamespaceName};
use crate::ports::{ObservedObject, Records, Targets};
use crate::secret::SecretValue;
use crate::sync::Destination;
use crate::testing::contract::Case;
use crate::testing::contract::record::{self, RecordWorld};
use crate::testing::contract::target::{self, TargetWorld};

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
}

#[test]
fn the_contract_of_records_holds() {
    all_hold::<dyn RecordWorld>(record::CASES, |world| world);
}
