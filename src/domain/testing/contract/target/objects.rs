//! What every implementation must hold that writes objects of Kubernetes.
#![expect(clippy::unwrap_used, reason = "the contract suite is test code")]

use std::collections::BTreeMap;

use super::TargetWorld;
use super::at::{At, both, config_map, content, data, key, keys, refused, secret};
use crate::conditions::Reason;
use crate::fault::FaultClass;
use crate::names::ObjectName;
use crate::ports::Precondition;
use crate::secret::SecretValue;
use crate::sync::{ConfigMapDestination, Destination, SecretDestination, SecretType};

crate::testing::contract::cases! { dyn TargetWorld:
    marks_of_the_spec_and_of_ours_are_observed,
    another_type_is_refused_unless_recreated,
    an_immutable_object_is_refused_unless_recreated,
    recreating_never_drops_keys_of_others,
    a_key_that_kubernetes_does_not_accept_is_refused_by_name,
    content_beyond_one_mebibyte_is_refused_with_its_size,
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
