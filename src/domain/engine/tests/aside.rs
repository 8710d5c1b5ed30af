//! Work that takes processor time holds up nobody.

use futures::FutureExt as _;

use super::lab::{Lab, pairs};
use crate::api::shared::MaskedText;
use crate::api::status::SecretSyncStatus;
use crate::engine::{Memory, Reading};
use crate::sync::Making;
use crate::testing::{key, sync};

fn lab_with(template: &str) -> Lab {
    let mut sync = sync();
    let making = Making::Template(MaskedText::from(template));
    sync.transform.data.insert(key("MADE"), making);
    Lab::with(sync)
}

#[test]
fn a_pass_that_hashes_a_password_waits_aside_while_others_run() {
    let mut hashing = lab_with("{{ A | bcrypt(cost=4) }}");
    hashing.world.state().idle = true;
    let mut memory = Memory::default();
    let mut read = Box::pin(
        hashing
            .engine
            .read(&hashing.sync, Reading::Now, &mut memory),
    );
    assert!(
        read.as_mut().now_or_never().is_none(),
        "it waits for its turn aside"
    );

    // The same ports, the same thread: a pass of another sync runs to its end.
    let mut other = Lab::new();
    other.engine.ports = hashing.world.ports();
    other.world = hashing.world.clone();
    other.refresh();
    assert_eq!(other.content(), pairs(&[("A", "1"), ("B", "1")]));

    assert_eq!(hashing.world.work(), 1);
    drop(read.now_or_never().expect("its work is done"));
    hashing.world.state().idle = false;
    hashing.status = SecretSyncStatus::default();
    let hash = |lab: &Lab| lab.content().into_iter().find(|(name, _)| name == "MADE");
    hashing.refresh();
    assert!(hash(&hashing).is_some_and(|(_, hash)| hash.starts_with("$2y$04$")));
}

#[test]
fn what_hashes_nothing_is_made_at_once() {
    let mut lab = lab_with("{{ A | upper }}");
    lab.world.state().idle = true;
    lab.refresh();
    assert_eq!(lab.world.work(), 0);
    lab.assert_ready();
}

#[test]
fn a_read_that_is_dropped_while_it_hashes_leaves_nothing_behind() {
    let mut lab = lab_with("{{ A | htpasswd(\"bob\", cost=4) }}");
    lab.world.state().idle = true;
    let mut memory = Memory::default();
    let read = lab.engine.read(&lab.sync, Reading::Now, &mut memory);
    assert!(read.now_or_never().is_none());
    assert_eq!(lab.world.work(), 1, "its result is nobody's");
    lab.world.state().idle = false;
    lab.memory = memory;
    lab.refresh();
    lab.assert_ready();
}
