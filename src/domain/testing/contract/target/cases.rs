//! What every implementation must hold.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the contract suite is test code"
)]

use std::collections::BTreeMap;

use super::TargetWorld;
use super::at::{At, both, config_map, content, data, key, keys, secret};
use crate::conditions::Reason;
use crate::fault::{Fault, FaultClass};
use crate::names::ObjectName;
use crate::ports::{Precondition, Written};
use crate::reserved::SHARED_OWNER;
use crate::secret::SecretValue;
use crate::sync::{ConfigMapDestination, Destination, SecretDestination, SecretType};

crate::testing::contract::cases! { dyn TargetWorld:
    an_absent_object_is_absent,
    what_was_written_is_observed_byte_for_byte,
    marks_of_the_spec_and_of_ours_are_observed,
    a_first_write_fails_on_an_object_that_appeared_meanwhile,
    a_write_fails_on_another_version,
    a_write_fails_on_another_object_of_that_name,
    a_write_fails_on_an_object_that_is_gone,
    the_same_write_again_changes_nothing,
    a_dropped_key_is_gone,
    a_dropped_key_that_somebody_edited_is_gone,
    keys_of_others_stay_byte_for_byte,
    two_syncs_share_an_object_key_by_key,
    another_type_is_refused_unless_recreated,
    an_immutable_object_is_refused_unless_recreated,
    recreating_never_drops_keys_of_others,
    a_key_that_kubernetes_does_not_accept_is_refused_by_name,
    content_beyond_one_mebibyte_is_refused_with_its_size,
    removal_takes_the_object_when_nothing_else_is_in_it,
    removal_leaves_keys_of_others_and_takes_our_marks,
    removal_keeps_an_empty_object_that_was_not_ours,
    removal_of_nothing_and_of_another_object_is_success,
}

fn refused(outcome: Result<Written, Fault>, class: &FaultClass, reason: Reason) -> Fault {
    let fault = outcome.expect_err("the write is refused");
    assert_eq!((&fault.class, fault.reason), (class, reason), "{fault}");
    fault
}

fn conflict(outcome: Result<Written, Fault>) {
    refused(outcome, &FaultClass::Conflict, Reason::Conflict);
}

async fn an_absent_object_is_absent(world: &dyn TargetWorld) {
    for destination in both() {
        assert_eq!(At::new(world, &destination).observe().await, None);
    }
}

async fn what_was_written_is_observed_byte_for_byte(world: &dyn TargetWorld) {
    for destination in both() {
        let at = At::new(world, &destination);
        for content in [content(), data(&[("TEXT", b"\xff"), ("BYTES", b"text")])] {
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

async fn marks_of_the_spec_and_of_ours_are_observed(world: &dyn TargetWorld) {
    let mark = |value: &str| BTreeMap::from([("example.com/team".to_owned(), value.to_owned())]);
    let with = |labels, annotations| match secret("a") {
        Destination::Secret(secret) => Destination::Secret(SecretDestination {
            labels,
            annotations,
            ..secret
        }),
        other => other,
    };
    let at = At::new(world, &with(mark("a"), mark("b")));
    at.write(&content()).await;
    let object = at.observe().await.unwrap();
    assert!(object.metadata_matches && object.labelled);
    assert_eq!(object.owner.as_deref(), Some(at.owner.as_str()));
    assert_eq!(object.secret_type.as_deref(), Some("Opaque"));

    for changed in [
        with(mark("x"), mark("b")),
        with(mark("a"), mark("x")),
        with(mark("a"), BTreeMap::new()),
    ] {
        let at = At::new(world, &changed);
        assert!(!at.observe().await.unwrap().metadata_matches);
        at.write(&content()).await;
        assert!(at.observe().await.unwrap().metadata_matches);
        At::new(world, &with(mark("a"), mark("b")))
            .write(&content())
            .await;
    }
}

async fn a_first_write_fails_on_an_object_that_appeared_meanwhile(world: &dyn TargetWorld) {
    for destination in both() {
        let at = At::new(world, &destination);
        let write = at.request(&content(), at.unchanged().await);
        let foreign = data(&[("THEIRS", b"1")]);
        world.plant(&destination, &foreign).await;
        conflict(at.send(write).await);
        assert_eq!(at.must_hold(&foreign).await.owner, None);
    }
}

async fn a_write_fails_on_another_version(world: &dyn TargetWorld) {
    for destination in both() {
        let at = At::new(world, &destination);
        at.write(&content()).await;
        let write = at.request(&data(&[("TEXT", b"new")]), at.unchanged().await);
        let by_hand = SecretValue::from("by hand");
        world.edit(&destination, &key("TEXT"), Some(&by_hand)).await;
        conflict(at.send(write).await);
        let mut expected = content();
        expected.insert(key("TEXT"), by_hand);
        at.must_hold(&expected).await;
    }
}

async fn a_write_fails_on_another_object_of_that_name(world: &dyn TargetWorld) {
    for destination in both() {
        let at = At::new(world, &destination);
        at.write(&content()).await;
        let write = at.request(&content(), at.unchanged().await);
        world.delete(&destination).await;
        let foreign = data(&[("THEIRS", b"1")]);
        world.plant(&destination, &foreign).await;
        conflict(at.send(write).await);
        at.must_hold(&foreign).await;
    }
}

async fn a_write_fails_on_an_object_that_is_gone(world: &dyn TargetWorld) {
    for destination in both() {
        let at = At::new(world, &destination);
        at.write(&content()).await;
        let write = at.request(&content(), at.unchanged().await);
        world.delete(&destination).await;
        conflict(at.send(write).await);
        assert_eq!(at.observe().await, None);
    }
}

async fn the_same_write_again_changes_nothing(world: &dyn TargetWorld) {
    for destination in both() {
        let at = At::new(world, &destination);
        let first = at.write(&content()).await;
        assert_eq!(at.write(&content()).await, first);
        assert_eq!(at.replace(&content(), &["GONE"]).await, first);
    }
}

async fn a_dropped_key_is_gone(world: &dyn TargetWorld) {
    for destination in both() {
        let at = At::new(world, &destination);
        at.write(&content()).await;
        let rest = data(&[("TEXT", b"rest")]);
        at.replace(&rest, &["BYTES", "EMPTY"]).await;
        at.must_hold(&rest).await;
    }
}

async fn a_dropped_key_that_somebody_edited_is_gone(world: &dyn TargetWorld) {
    for destination in both() {
        let at = At::new(world, &destination);
        at.write(&content()).await;
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
    for destination in both() {
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
    for destination in both() {
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
        assert_eq!(object.owner.as_deref(), Some(SHARED_OWNER));
        one.remove(&object.uid, &["A"], true).await;
        let object = other.must_hold(&data(&[("C", b"2"), ("D", b"2")])).await;
        assert!(object.labelled, "the other sync's mark stays");
        assert_eq!(object.owner.as_deref(), Some(SHARED_OWNER));
    }
}

async fn another_type_is_refused_unless_recreated(world: &dyn TargetWorld) {
    let at = At::new(world, &secret("a"));
    let before = at.write(&content()).await;
    let login = Destination::Secret(SecretDestination {
        name: ObjectName::new("a").unwrap(),
        secret_type: SecretType::BasicAuth,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        immutable: false,
        recreate: true,
    });
    let at = At::new(world, &login);
    let content = data(&[("username", b"u"), ("password", b"p")]);
    let mut write = at.request(&content, at.unchanged().await);
    write.remove = keys(&["TEXT", "BYTES", "EMPTY"]);
    let outcome = at.send(write.clone()).await;
    refused(outcome, &FaultClass::Invalid, Reason::TargetImmutable);

    write.recreate = true;
    let after = at.send(write).await.unwrap();
    assert_ne!(before.uid, after.uid);
    let object = at.must_hold(&content).await;
    assert_eq!(
        object.secret_type.as_deref(),
        Some("kubernetes.io/basic-auth")
    );
}

async fn an_immutable_object_is_refused_unless_recreated(world: &dyn TargetWorld) {
    let immutable = [
        match secret("a") {
            Destination::Secret(secret) => Destination::Secret(SecretDestination {
                immutable: true,
                ..secret
            }),
            other => other,
        },
        match config_map("a") {
            Destination::ConfigMap(map) => Destination::ConfigMap(ConfigMapDestination {
                immutable: true,
                ..map
            }),
            other => other,
        },
    ];
    for destination in immutable {
        let at = At::new(world, &destination);
        let before = at.write(&content()).await;
        assert!(at.observe().await.unwrap().immutable);
        assert_eq!(
            at.write(&content()).await,
            before,
            "equal content is no edit"
        );
        let mut changed = content();
        changed.insert(key("TEXT"), SecretValue::from("new"));
        let write = at.request(&changed, at.unchanged().await);
        let outcome = at.send(write).await;
        refused(outcome, &FaultClass::Invalid, Reason::TargetImmutable);
        at.must_hold(&content()).await;
        let after = at.recreate(&changed).await.unwrap();
        assert_ne!(before.uid, after.uid);
        assert!(at.must_hold(&changed).await.immutable);
    }
}

async fn recreating_never_drops_keys_of_others(world: &dyn TargetWorld) {
    for destination in both() {
        let at = At::new(world, &destination);
        at.write(&content()).await;
        let theirs = SecretValue::from("theirs");
        world
            .edit(&destination, &key("THEIRS"), Some(&theirs))
            .await;
        let outcome = at.recreate(&content()).await;
        refused(outcome, &FaultClass::Invalid, Reason::TargetImmutable);
        let mut expected = content();
        expected.insert(key("THEIRS"), theirs);
        at.must_hold(&expected).await;
    }
}

async fn a_key_that_kubernetes_does_not_accept_is_refused_by_name(world: &dyn TargetWorld) {
    for destination in both() {
        let at = At::new(world, &destination);
        let write = at.request(&data(&[("no/path", b"hunter2")]), Precondition::Absent);
        let fault = refused(
            at.send(write).await,
            &FaultClass::Invalid,
            Reason::KeyNotAccepted,
        );
        let told = format!("{fault} {fault:?}");
        assert!(
            told.contains("no/path") && !told.contains("hunter2"),
            "{told}"
        );
        assert_eq!(at.observe().await, None);
    }
}

async fn content_beyond_one_mebibyte_is_refused_with_its_size(world: &dyn TargetWorld) {
    for destination in both() {
        let at = At::new(world, &destination);
        let half = vec![b'x'; 512 * 1024];
        let fits = data(&[("A", &half), ("B", &half)]);
        at.write(&fits).await;
        let mut larger = fits.clone();
        larger.insert(key("C"), SecretValue::from("x"));
        let write = at.request(&larger, at.unchanged().await);
        let fault = refused(at.send(write).await, &FaultClass::Invalid, Reason::TooLarge);
        assert!(fault.to_string().contains("1048577"), "{fault}");
        at.must_hold(&fits).await;
    }
}

async fn removal_takes_the_object_when_nothing_else_is_in_it(world: &dyn TargetWorld) {
    for destination in both() {
        let at = At::new(world, &destination);
        let written = at.write(&content()).await;
        at.remove(&written.uid, &["TEXT", "BYTES", "EMPTY"], true)
            .await;
        assert_eq!(at.observe().await, None);
    }
}

async fn removal_leaves_keys_of_others_and_takes_our_marks(world: &dyn TargetWorld) {
    for destination in both() {
        let at = At::new(world, &destination);
        let foreign = data(&[("THEIRS", b"1")]);
        world.plant(&destination, &foreign).await;
        let written = at.write(&content()).await;
        let by_hand = SecretValue::from("by hand");
        world.edit(&destination, &key("TEXT"), Some(&by_hand)).await;
        at.remove(&written.uid, &["TEXT", "BYTES", "EMPTY"], true)
            .await;
        let object = at.must_hold(&foreign).await;
        assert_eq!(object.owner, None);
        assert!(!object.labelled);
    }
}

async fn removal_keeps_an_empty_object_that_was_not_ours(world: &dyn TargetWorld) {
    for destination in both() {
        let at = At::new(world, &destination);
        let written = at.write(&content()).await;
        at.remove(&written.uid, &["TEXT", "BYTES", "EMPTY"], false)
            .await;
        assert_eq!(at.must_hold(&BTreeMap::new()).await.uid, written.uid);
    }
}

async fn removal_of_nothing_and_of_another_object_is_success(world: &dyn TargetWorld) {
    for destination in both() {
        let at = At::new(world, &destination);
        at.remove("11111111-2222-3333-4444-555555555555", &["TEXT"], true)
            .await;
        let written = at.write(&content()).await;
        world.delete(&destination).await;
        at.remove(&written.uid, &["TEXT"], true).await;
        let foreign = data(&[("TEXT", b"theirs")]);
        world.plant(&destination, &foreign).await;
        at.remove(&written.uid, &["TEXT"], true).await;
        at.must_hold(&foreign).await;
    }
}
