//! What every implementation must hold.

use std::collections::BTreeMap;

use super::TargetWorld;
use super::at::{At, data, key, refused};
use crate::conditions::Reason;
use crate::fault::{Fault, FaultClass};
use crate::ports::Written;
use crate::reserved::SHARED_OWNER;
use crate::secret::SecretValue;

crate::testing::contract::cases! { dyn TargetWorld:
    an_absent_object_is_absent,
    what_was_written_is_observed_byte_for_byte,
    a_first_write_fails_on_an_object_that_appeared_meanwhile,
    a_write_fails_on_another_version,
    a_write_fails_on_another_object_of_that_name,
    a_write_fails_on_an_object_that_is_gone,
    the_same_write_again_changes_nothing,
    a_dropped_key_is_gone,
    a_dropped_key_that_somebody_edited_is_gone,
    keys_of_others_stay_byte_for_byte,
    two_syncs_share_an_object_key_by_key,
    removal_takes_the_object_when_nothing_else_is_in_it,
    removal_leaves_keys_of_others_and_takes_our_marks,
    removal_keeps_an_empty_object_that_was_not_ours,
    removal_of_nothing_and_of_another_object_is_success,
}

fn conflict(outcome: Result<Written, Fault>) {
    refused(outcome, &FaultClass::Conflict, Reason::Conflict);
}

async fn an_absent_object_is_absent(world: &dyn TargetWorld) {
    for destination in world.destinations() {
        assert_eq!(At::new(world, &destination).observe().await, None);
    }
}

async fn what_was_written_is_observed_byte_for_byte(world: &dyn TargetWorld) {
    for destination in world.destinations() {
        let at = At::new(world, &destination);
        let other: &[u8] = if world.holds_bytes() {
            b"\xff"
        } else {
            b"other"
        };
        for content in [at.content(), data(&[("TEXT", other), ("BYTES", b"text")])] {
            let remove = if content.len() == 2 {
                &["EMPTY"][..]
            } else {
                &[]
            };
            let written = at.replace(&content, remove).await;
            let object = at.must_hold(&content).await;
            assert_eq!(
                (written.uid, written.resource_version),
                (object.uid, object.resource_version)
            );
            assert!(!object.immutable && !object.terminating);
        }
    }
}

async fn a_first_write_fails_on_an_object_that_appeared_meanwhile(world: &dyn TargetWorld) {
    for destination in world.destinations() {
        let at = At::new(world, &destination);
        let write = at.request(&at.content(), at.unchanged().await);
        let foreign = data(&[("THEIRS", b"1")]);
        world.plant(&destination, &foreign).await;
        conflict(at.send(write).await);
        assert_eq!(at.must_hold(&foreign).await.owner, None);
    }
}

async fn a_write_fails_on_another_version(world: &dyn TargetWorld) {
    for destination in world.destinations() {
        let at = At::new(world, &destination);
        at.write(&at.content()).await;
        let write = at.request(&data(&[("TEXT", b"new")]), at.unchanged().await);
        let by_hand = SecretValue::from("by hand");
        world.edit(&destination, &key("TEXT"), Some(&by_hand)).await;
        conflict(at.send(write).await);
        let mut expected = at.content();
        expected.insert(key("TEXT"), by_hand);
        at.must_hold(&expected).await;
    }
}

async fn a_write_fails_on_another_object_of_that_name(world: &dyn TargetWorld) {
    for destination in world.destinations() {
        let at = At::new(world, &destination);
        at.write(&at.content()).await;
        let write = at.request(&at.content(), at.unchanged().await);
        world.delete(&destination).await;
        let foreign = data(&[("THEIRS", b"1")]);
        world.plant(&destination, &foreign).await;
        conflict(at.send(write).await);
        at.must_hold(&foreign).await;
    }
}

async fn a_write_fails_on_an_object_that_is_gone(world: &dyn TargetWorld) {
    for destination in world.destinations() {
        let at = At::new(world, &destination);
        at.write(&at.content()).await;
        let write = at.request(&at.content(), at.unchanged().await);
        world.delete(&destination).await;
        conflict(at.send(write).await);
        assert_eq!(at.observe().await, None);
    }
}

async fn the_same_write_again_changes_nothing(world: &dyn TargetWorld) {
    for destination in world.destinations() {
        let at = At::new(world, &destination);
        let first = at.write(&at.content()).await;
        assert_eq!(at.write(&at.content()).await, first);
        assert_eq!(at.replace(&at.content(), &["GONE"]).await, first);
    }
}

async fn a_dropped_key_is_gone(world: &dyn TargetWorld) {
    for destination in world.destinations() {
        let at = At::new(world, &destination);
        at.write(&at.content()).await;
        let rest = data(&[("TEXT", b"rest")]);
        at.replace(&rest, &["BYTES", "EMPTY"]).await;
        at.must_hold(&rest).await;
    }
}

async fn a_dropped_key_that_somebody_edited_is_gone(world: &dyn TargetWorld) {
    for destination in world.destinations() {
        let at = At::new(world, &destination);
        at.write(&at.content()).await;
        for name in ["TEXT", "BYTES"] {
            let by_hand = SecretValue::from("by hand");
            world.edit(&destination, &key(name), Some(&by_hand)).await;
        }
        let rest = data(&[("EMPTY", b"")]);
        at.replace(&rest, &["TEXT", "BYTES"]).await;
        at.must_hold(&rest).await;
    }
}

async fn keys_of_others_stay_byte_for_byte(world: &dyn TargetWorld) {
    for destination in world.destinations() {
        let at = At::new(world, &destination);
        let foreign = data(&[("THEIRS", b"\x01 theirs"), ("TEXT", b"theirs too")]);
        world.plant(&destination, &foreign).await;
        at.replace(&data(&[("TEXT", b"ours"), ("MORE", b"1")]), &[])
            .await;
        at.must_hold(&data(&[
            ("THEIRS", b"\x01 theirs"),
            ("TEXT", b"ours"),
            ("MORE", b"1"),
        ]))
        .await;
        at.replace(&data(&[("TEXT", b"ours")]), &["MORE"]).await;
        at.must_hold(&data(&[("THEIRS", b"\x01 theirs"), ("TEXT", b"ours")]))
            .await;
    }
}

async fn two_syncs_share_an_object_key_by_key(world: &dyn TargetWorld) {
    for destination in world.destinations() {
        let shared = |name| {
            let mut at = At::by(name, world, &destination);
            at.target.share_keys = true;
            SHARED_OWNER.clone_into(&mut at.owner);
            at
        };
        let (one, other) = (shared("one"), shared("other"));
        one.write(&data(&[("A", b"1"), ("B", b"1")])).await;
        other.write(&data(&[("C", b"2"), ("D", b"2")])).await;
        one.replace(&data(&[("A", b"3")]), &["B"]).await;
        let object = other
            .must_hold(&data(&[("A", b"3"), ("C", b"2"), ("D", b"2")]))
            .await;
        let marked =
            |owner: Option<&str>| !destination.carries_marks() || owner == Some(SHARED_OWNER);
        assert!(marked(object.owner.as_deref()));
        one.remove(&object.uid, &["A"], true).await;
        let object = other.must_hold(&data(&[("C", b"2"), ("D", b"2")])).await;
        assert!(object.labelled, "the other sync's mark stays");
        assert!(marked(object.owner.as_deref()));
    }
}

async fn removal_takes_the_object_when_nothing_else_is_in_it(world: &dyn TargetWorld) {
    for destination in world.destinations() {
        let at = At::new(world, &destination);
        let written = at.write(&at.content()).await;
        at.remove(&written.uid, &["TEXT", "BYTES", "EMPTY"], true)
            .await;
        assert_eq!(at.observe().await, None);
    }
}

async fn removal_leaves_keys_of_others_and_takes_our_marks(world: &dyn TargetWorld) {
    for destination in world.destinations() {
        let at = At::new(world, &destination);
        let foreign = data(&[("THEIRS", b"1")]);
        world.plant(&destination, &foreign).await;
        let written = at.write(&at.content()).await;
        let by_hand = SecretValue::from("by hand");
        world.edit(&destination, &key("TEXT"), Some(&by_hand)).await;
        at.remove(&written.uid, &["TEXT", "BYTES", "EMPTY"], true)
            .await;
        let object = at.must_hold(&foreign).await;
        assert_eq!(object.owner, None);
        assert!(!object.labelled || !destination.carries_marks());
    }
}

async fn removal_keeps_an_empty_object_that_was_not_ours(world: &dyn TargetWorld) {
    for destination in world.destinations() {
        let at = At::new(world, &destination);
        let written = at.write(&at.content()).await;
        at.remove(&written.uid, &["TEXT", "BYTES", "EMPTY"], false)
            .await;
        let left = at.must_hold(&BTreeMap::new()).await;
        assert!(left.uid == written.uid || !world.keeps_identity());
    }
}

async fn removal_of_nothing_and_of_another_object_is_success(world: &dyn TargetWorld) {
    for destination in world.destinations() {
        let at = At::new(world, &destination);
        at.remove("11111111-2222-3333-4444-555555555555", &["TEXT"], true)
            .await;
        let written = at.write(&at.content()).await;
        world.delete(&destination).await;
        at.remove(&written.uid, &["TEXT"], true).await;
        let foreign = data(&[("TEXT", b"theirs")]);
        world.plant(&destination, &foreign).await;
        at.remove(&written.uid, &["TEXT"], true).await;
        at.must_hold(&foreign).await;
    }
}
