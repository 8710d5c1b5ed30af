//! Objects go in, wakes come out.

use std::sync::Arc;

use penstock_domain::engine::Seen;
use penstock_domain::names::{NamespaceName, ObjectName, TargetName};
use penstock_domain::reserved::CLEANUP_FINALIZER;
use penstock_domain::stores::StoreCatalog as _;
use penstock_domain::sync::{Origin, StoreKind, StoreReference};
use penstock_domain::testing::{source, sync, target};
use serde_json::{Value, json};

use super::*;
use crate::queue::{Causes, Urgency};

fn world() -> World {
    World::new(NamespaceName::new("penstock-system").unwrap())
}

fn sync_key(name: &str) -> SyncKey {
    Arc::new(penstock_domain::testing::sync_id("prod", name))
}

fn object(name: &str, version: u32, generation: i64) -> Value {
    json!({
        "metadata": {
            "namespace": "prod", "name": name, "uid": format!("uid-of-{name}"),
            "resourceVersion": version.to_string(), "generation": generation,
        },
        "spec": {"sources": [], "targets": []},
        "status": {"observedGeneration": generation},
    })
}

fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    let parent = object.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    parent.insert(member.to_owned(), value);
    object
}

fn apply_sync(world: &World, object: Value) -> Vec<Wake> {
    let sync = TrackedSync::from_watch(serde_json::from_value(object).unwrap()).unwrap();
    world.apply(Change::Sync(
        Arc::new(sync.id.clone()),
        Some(Arc::new(sync)),
    ))
}

fn store_key(name: &str) -> StoreKey {
    let namespace = NamespaceName::new("prod").unwrap();
    StoreKey::new(Some(namespace), ObjectName::new(name).unwrap())
}

fn apply_store(
    world: &World,
    name: &str,
    version: u32,
    generation: i64,
    provider: &Value,
) -> Vec<Wake> {
    let object = with(
        object(name, version, generation),
        "/spec",
        json!({"provider": provider}),
    );
    let store = TrackedStore::of_namespace(serde_json::from_value(object).unwrap()).unwrap();
    world.apply(Change::Store(store.key.clone(), Some(Arc::new(store))))
}

fn vault() -> Value {
    json!({"vault": {
        "address": "https://vault.example.com",
        "caConfigMapRef": {"name": "ca", "key": "ca.crt"},
        "auth": {"appRole": {
            "roleIdRef": {"name": "role", "key": "id"},
            "secretIdRef": {"name": "role", "key": "secret"},
        }},
    }})
}

fn secret(name: &str) -> ObjectKey {
    ObjectKey {
        kind: ObjectKind::Secret,
        namespace: NamespaceName::new("prod").unwrap(),
        name: ObjectName::new(name).unwrap(),
    }
}

fn version(number: u32) -> Version {
    Version {
        uid: "u".into(),
        resource_version: number.to_string().into(),
    }
}

fn wake(subject: Subject, urgency: Urgency, causes: Causes) -> Vec<Wake> {
    vec![Wake {
        subject,
        urgency,
        causes,
    }]
}

#[test]
fn what_is_new_is_urgent_and_what_was_settled_before_our_start_is_routine() {
    let world = world();
    let settled = apply_sync(&world, object("a", 1, 1));
    let subject = Subject::Sync(sync_key("a"));
    assert_eq!(settled, wake(subject, Urgency::Routine, Causes::SCHEDULE));
    let new = apply_sync(&world, with(object("b", 1, 1), "/status", Value::Null));
    assert_eq!(
        new,
        wake(Subject::Sync(sync_key("b")), Urgency::Urgent, Causes::EDIT)
    );
}

#[test]
fn our_own_status_and_the_metadata_of_others_wake_nobody() {
    let world = world();
    apply_sync(&world, object("a", 1, 1));
    let status = with(object("a", 2, 1), "/status/summary", json!("1/1"));
    assert_eq!(apply_sync(&world, status), []);
    let labels = with(object("a", 3, 1), "/metadata/labels", json!({"team": "x"}));
    assert_eq!(apply_sync(&world, labels), []);
    let finalizer = with(
        object("a", 4, 1),
        "/metadata/finalizers",
        json!([CLEANUP_FINALIZER]),
    );
    assert_eq!(apply_sync(&world, finalizer), []);
    assert!(world.sync(&sync_key("a")).unwrap().is_held());
}

#[test]
fn spec_annotations_and_deletion_wake_at_once() {
    let world = world();
    apply_sync(&world, object("a", 1, 1));
    let urgent = wake(Subject::Sync(sync_key("a")), Urgency::Urgent, Causes::EDIT);
    assert_eq!(apply_sync(&world, object("a", 2, 2)), urgent);
    let annotated = with(
        object("a", 3, 2),
        "/metadata/annotations",
        json!({"penstock.dev/refresh": "1"}),
    );
    assert_eq!(apply_sync(&world, annotated), urgent);
    let going = with(
        object("a", 4, 2),
        "/metadata/deletionTimestamp",
        json!("2026-01-01T00:00:00Z"),
    );
    assert_eq!(apply_sync(&world, going), urgent);
    let gone = world.apply(Change::Sync(sync_key("a"), None));
    assert_eq!(
        gone,
        wake(
            Subject::Sync(sync_key("a")),
            Urgency::Urgent,
            Causes::DELETION
        )
    );
    assert!(world.sync(&sync_key("a")).is_none());
}

#[test]
fn an_older_version_does_not_overwrite_what_our_own_write_brought() {
    let world = world();
    apply_sync(
        &world,
        with(object("a", 12, 1), "/status/summary", json!("1/1")),
    );
    assert_eq!(apply_sync(&world, object("a", 9, 1)), []);
    let kept = world.sync(&sync_key("a")).unwrap();
    assert_eq!(kept.status().summary.as_deref(), Some("1/1"));
}

#[test]
fn an_object_of_the_same_name_is_another_one() {
    let world = world();
    apply_sync(&world, object("a", 1, 1));
    let other = with(object("a", 2, 1), "/metadata/uid", json!("another"));
    let urgent = wake(Subject::Sync(sync_key("a")), Urgency::Urgent, Causes::EDIT);
    assert_eq!(apply_sync(&world, other), urgent);
}

#[test]
fn an_object_that_cannot_be_read_is_kept_and_says_where_but_not_what() {
    let world = world();
    let bad = with(
        object("a", 1, 1),
        "/spec",
        json!({"sources": "hunter2", "targets": []}),
    );
    apply_sync(&world, bad);
    apply_sync(&world, object("b", 1, 1));
    let problem = world
        .sync(&sync_key("a"))
        .unwrap()
        .decode()
        .unwrap_err()
        .to_string();
    assert!(
        problem.contains("spec.sources") && !problem.contains("hunter2"),
        "{problem}"
    );
    assert!(world.sync(&sync_key("b")).unwrap().decode().is_ok());
}

#[test]
fn a_status_that_cannot_be_read_counts_as_none() {
    let world = world();
    apply_sync(
        &world,
        with(object("a", 1, 1), "/status", json!({"targets": 5})),
    );
    let sync = world.sync(&sync_key("a")).unwrap();
    assert_eq!(
        sync.status(),
        penstock_domain::api::status::SecretSyncStatus::default()
    );
    assert_eq!(sync.status_value(), json!({"targets": 5}));
}

#[test]
fn a_change_of_a_target_wakes_whoever_writes_it_and_the_same_version_nobody() {
    let world = world();
    let subject = Subject::Sync(sync_key("a"));
    let mut spec = sync();
    spec.targets = vec![target("app", "panbot-env")];
    world.refer(subject.clone(), References::of(&spec));

    let changed = world.apply(Change::Target(secret("panbot-env"), Some(version(7))));
    assert_eq!(
        changed,
        wake(subject.clone(), Urgency::Urgent, Causes::TARGET)
    );
    assert_eq!(
        world.apply(Change::Target(secret("panbot-env"), Some(version(7)))),
        []
    );
    assert_eq!(
        world.apply(Change::Target(secret("other"), Some(version(8)))),
        []
    );
    let seen = world.seen(&targets(&spec));
    let expected = Seen::Object {
        uid: "u".to_owned(),
        resource_version: "7".to_owned(),
    };
    assert_eq!(seen.get(&TargetName::new("app").unwrap()), Some(&expected));

    let gone = world.apply(Change::Target(secret("panbot-env"), None));
    assert_eq!(gone, wake(subject, Urgency::Urgent, Causes::TARGET));
    assert!(world.seen(&targets(&spec)).is_empty());
}

#[test]
fn what_a_new_list_no_longer_holds_is_gone() {
    let world = world();
    let subject = Subject::Sync(sync_key("a"));
    let mut spec = sync();
    spec.targets = vec![target("app", "panbot-env")];
    apply_sync(&world, object("a", 1, 1));
    apply_sync(&world, object("b", 1, 1));
    world.refer(subject.clone(), References::of(&spec));
    world.apply(Change::Target(secret("panbot-env"), Some(version(7))));

    let feed = |kind| Feed {
        kind,
        namespace: Some(NamespaceName::new("prod").unwrap()),
    };
    let targets = feed(FeedKind::Targets(ObjectKind::Secret));
    assert!(!world.is_complete(std::slice::from_ref(&targets)));
    let wakes = world.apply(Change::Listed(targets.clone(), Listing::default()));
    assert_eq!(wakes, wake(subject, Urgency::Urgent, Causes::TARGET));
    assert!(world.is_complete(&[targets]));

    let mut listing = Listing::default();
    listing.syncs.insert(sync_key("a"));
    let wakes = world.apply(Change::Listed(feed(FeedKind::Syncs), listing));
    assert_eq!(
        wakes,
        wake(
            Subject::Sync(sync_key("b")),
            Urgency::Urgent,
            Causes::DELETION
        )
    );
    let elsewhere = Feed {
        kind: FeedKind::Syncs,
        namespace: Some(NamespaceName::new("dev").unwrap()),
    };
    assert_eq!(
        world.apply(Change::Listed(elsewhere, Listing::default())),
        []
    );
    assert!(world.sync(&sync_key("a")).is_some());
}

#[test]
fn a_changed_store_wakes_its_users_and_its_own_status_does_not() {
    let world = world();
    let mut spec = sync();
    let reference = StoreReference {
        kind: StoreKind::Namespaced,
        name: ObjectName::new("openbao").unwrap(),
    };
    let mut from_store = source("vault");
    from_store.origin = Origin::Store(reference.clone());
    spec.sources = vec![from_store];
    let subject = Subject::Sync(sync_key("a"));
    world.refer(subject.clone(), References::of(&spec));
    assert_eq!(
        world.dependants(&store_key("openbao")),
        std::slice::from_ref(&subject)
    );

    let wakes = apply_store(&world, "openbao", 1, 1, &vault());
    let check = wake(
        Subject::Store(store_key("openbao")),
        Urgency::Urgent,
        Causes::EDIT,
    );
    let mut expected = wake(subject, Urgency::Routine, Causes::SOURCE);
    expected.extend(check);
    assert_eq!(wakes, expected);
    assert_eq!(apply_store(&world, "openbao", 2, 1, &vault()), []);
    assert_eq!(apply_store(&world, "openbao", 3, 2, &vault()), expected);
    let namespace = NamespaceName::new("prod").unwrap();
    assert_eq!(world.find(&namespace, &reference).unwrap().generation, 2);
    let elsewhere = NamespaceName::new("dev").unwrap();
    assert!(world.find(&elsewhere, &reference).is_none());
}

/// Its `allow` entries may name namespaces by labels.
#[test]
fn changed_labels_of_a_namespace_wake_who_reads_stores_of_the_cluster_there() {
    let world = world();
    let refer = |name: &str, kind| {
        let mut spec = sync();
        let mut from_store = source("vault");
        let name_of_store = ObjectName::new("openbao").unwrap();
        from_store.origin = Origin::Store(StoreReference {
            kind,
            name: name_of_store,
        });
        spec.sources = vec![from_store];
        let subject = Subject::Sync(sync_key(name));
        world.refer(subject.clone(), References::of(&spec));
        subject
    };
    let concerned = refer("a", StoreKind::Cluster);
    refer("b", StoreKind::Namespaced);
    let labelled = |namespace: &str, tier: Option<&str>| {
        let labels = tier.map(|tier| [("tier".to_owned(), tier.to_owned())].into());
        world.apply(Change::Namespace(
            NamespaceName::new(namespace).unwrap(),
            labels,
        ))
    };
    let woken = wake(concerned, Urgency::Routine, Causes::SOURCE);
    assert_eq!(labelled("prod", Some("prod")), woken);
    assert_eq!(labelled("prod", Some("prod")), []);
    assert_eq!(labelled("dev", Some("prod")), []);
    assert_eq!(labelled("prod", Some("dev")), woken);
    assert_eq!(labelled("prod", None), woken);
}

#[test]
fn a_store_that_cannot_be_read_is_no_store_for_anybody() {
    let world = world();
    let provider = json!({"vault": {"address": ["hunter2"]}});
    apply_store(&world, "openbao", 1, 1, &provider);
    let store = world.store(&store_key("openbao")).unwrap();
    let fault = store.object.as_ref().unwrap_err().to_string();
    assert!(
        fault.contains("spec.provider.vault.address") && !fault.contains("hunter2"),
        "{fault}"
    );
    assert_eq!(store.provider.as_deref(), Some("vault"));
}

#[test]
fn credentials_of_a_store_wake_it_when_they_change() {
    let world = world();
    apply_store(&world, "openbao", 1, 1, &vault());
    let store = world.store(&store_key("openbao")).unwrap();
    let config_map = ObjectKey {
        kind: ObjectKind::ConfigMap,
        ..secret("ca")
    };
    assert_eq!(store.credentials, [secret("role"), config_map].into());
    let subject = Subject::Store(store_key("openbao"));
    assert!(world.refer(subject.clone(), References::of_store(&store)));
    assert!(!world.refer(subject.clone(), References::of_store(&store)));
    assert_eq!(world.referenced_objects().len(), 2);
    let changed = world.apply(Change::Reference(secret("role")));
    assert_eq!(changed, wake(subject, Urgency::Urgent, Causes::SOURCE));
}

#[test]
fn what_is_gone_leaves_nothing_behind() {
    let world = world();
    apply_sync(&world, object("a", 1, 1));
    let mut spec = sync();
    spec.targets = vec![target("app", "panbot-env")];
    world.refer(Subject::Sync(sync_key("a")), References::of(&spec));
    world.note(&sync_key("a"), "Synced", None);
    world.apply(Change::Sync(sync_key("a"), None));
    world.note(&sync_key("a"), "Synced", None);
    assert!(world.notes().is_empty());
    assert_eq!(
        world.apply(Change::Target(secret("panbot-env"), Some(version(1)))),
        []
    );
}

/// The watch of an object begins a moment after its first read.
#[test]
fn an_object_that_changed_before_it_was_watched_wakes_its_readers() {
    let world = world();
    let mut spec = sync();
    let mut from_secret = source("theirs");
    from_secret.origin = Origin::Secret {
        name: ObjectName::new("role").unwrap(),
        optional: false,
    };
    spec.sources = vec![from_secret];
    apply_sync(&world, object("a", 7, 1));
    let subject = Subject::Sync(sync_key("a"));
    world.refer(subject.clone(), References::of(&spec));
    apply_sync(&world, object("a", 9, 1));
    let listed = |number| Change::ReferenceListed(secret("role"), version(number));
    assert_eq!(world.apply(listed(7)), [], "it was so when it was read");
    let woken = wake(subject, Urgency::Urgent, Causes::SOURCE);
    assert_eq!(world.apply(listed(8)), woken);
}
