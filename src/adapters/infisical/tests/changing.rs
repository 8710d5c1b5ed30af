//! Folders for people: what they hold, and how their secrets are set.

use std::collections::BTreeMap;

use penstock_domain::items::Item;
use penstock_domain::secret::SecretValue;
use penstock_fakes::infisical::Import;

use super::*;
use crate::open::{ItemAddress, OpenedItems};

/// A project whose identity may write.
async fn writable() -> (FakeInfisical, InfisicalStore) {
    let fake = infisical().await;
    fake.model().identities.get_mut(IDENTITY).unwrap().grants[0].write = true;
    put(&fake, "/app", "A", "one");
    put(&fake, "/app", "B", "${A}");
    let store = open(&fake, universal()).await;
    (fake, store)
}

fn at(path: &RemotePath) -> ItemAddress<'_> {
    ItemAddress {
        environment: None,
        options: &SourceOptions::None,
        path,
    }
}

async fn look(store: &InfisicalStore, path: &str) -> Item {
    let path = RemotePath::parse(path).unwrap();
    OpenedItems::read(store, "store", at(&path)).await.unwrap()
}

async fn set(
    store: &InfisicalStore,
    path: &str,
    keys: &[(&str, &str)],
    seen: &Item,
) -> Result<(), StoreFailure> {
    let path = RemotePath::parse(path).unwrap();
    let keys: BTreeMap<String, SecretValue> = keys
        .iter()
        .map(|(name, value)| ((*name).to_owned(), SecretValue::from(*value)))
        .collect();
    store.set("store", at(&path), &keys, &seen.state).await
}

fn texts(item: &Item) -> Vec<(&str, &str)> {
    let keys = item.keys.iter();
    keys.map(|(name, value)| (name.as_str(), value.expose_text().unwrap()))
        .collect()
}

#[tokio::test]
async fn an_item_is_what_stands_in_a_folder_and_nothing_from_elsewhere() {
    let (fake, store) = writable().await;
    put(&fake, "/app/deep", "DEEP", "x");
    put(&fake, "/shared", "SHARED", "x");
    let import = Import {
        environment: "prod".to_owned(),
        path: "/shared".to_owned(),
    };
    fake.model().folder(PROJECT, "prod", "/app").imports = vec![import];
    let item = look(&store, "/app").await;
    assert!(item.exists);
    assert_eq!(texts(&item), [("A", "one"), ("B", "${A}")]);
    let names = |path: &str| {
        let path = RemotePath::parse(path).unwrap();
        let store = &store;
        async move { store.list("store", at(&path)).await.unwrap() }
    };
    assert_eq!(names("/").await, ["app/", "shared/"]);
    assert_eq!(names("/app/").await, ["deep/"]);
    assert!(!look(&store, "/nowhere").await.exists);
}

#[tokio::test]
async fn secrets_are_set_in_one_step_and_the_others_stay() {
    let (fake, store) = writable().await;
    let seen = look(&store, "/app").await;
    let keys = [("A", "two"), ("C", "\"quoted\"\nline\n")];
    set(&store, "/app", &keys, &seen).await.unwrap();
    let now = look(&store, "/app").await;
    assert_eq!(
        texts(&now),
        [("A", "two"), ("B", "${A}"), ("C", "\"quoted\"\nline\n")]
    );
    assert_eq!(fake.server().count("PATCH", "/api/v4/secrets/batch"), 1);
    // What was seen is no more.
    let failure = set(&store, "/app", &keys, &seen).await.unwrap_err();
    assert_eq!(failure.fault.class, FaultClass::Conflict);
}

#[tokio::test]
async fn a_server_without_version_4_sets_them_one_by_one() {
    let (fake, store) = writable().await;
    fake.model().behaviour.v4 = false;
    let seen = look(&store, "/app").await;
    set(&store, "/app", &[("A", "two"), ("C", "three")], &seen)
        .await
        .unwrap();
    let now = look(&store, "/app").await;
    assert_eq!(texts(&now), [("A", "two"), ("B", "${A}"), ("C", "three")]);
    for (method, name) in [("PATCH", "A"), ("POST", "C")] {
        let path = format!("/api/v3/secrets/raw/{name}");
        assert_eq!(fake.server().count(method, &path), 1, "{method} {name}");
    }
}

#[tokio::test]
async fn folders_that_are_missing_are_made() {
    let (fake, store) = writable().await;
    let seen = look(&store, "/new/deep").await;
    assert!(!seen.exists && seen.keys.is_empty());
    set(&store, "/new/deep", &[("A", "x")], &seen)
        .await
        .unwrap();
    assert_eq!(texts(&look(&store, "/new/deep").await), [("A", "x")]);
    assert!(look(&store, "/new").await.exists);
    assert_eq!(fake.server().count("POST", "/api/v2/folders"), 2);
}

#[tokio::test]
async fn a_policy_that_guards_the_folder_is_no_success() {
    let (fake, store) = writable().await;
    fake.model().behaviour.approval = true;
    let seen = look(&store, "/app").await;
    for v4 in [true, false] {
        fake.model().behaviour.v4 = v4;
        let failure = set(&store, "/app", &[("A", "two")], &seen).await;
        let fault = failure.unwrap_err().fault;
        assert_eq!(fault.class, FaultClass::Denied);
        assert!(fault.message.contains("approval"), "{fault}");
    }
    assert_eq!(texts(&look(&store, "/app").await), texts(&seen));
}

#[tokio::test]
async fn whoever_may_not_write_is_told_so_and_nothing_is_changed() {
    let (fake, store) = writable().await;
    fake.model().identities.get_mut(IDENTITY).unwrap().grants = vec![Grant::reader(PROJECT)];
    let seen = look(&store, "/app").await;
    let fault = set(&store, "/app", &[("A", "hunter2")], &seen).await;
    let fault = fault.unwrap_err().fault;
    assert_eq!(fault.class, FaultClass::Denied);
    assert!(fault.message.contains("may not write"), "{fault}");
    assert!(!fault.to_string().contains("hunter2"), "{fault}");
    assert_eq!(texts(&look(&store, "/app").await), texts(&seen));
}

#[tokio::test]
async fn a_token_that_died_is_replaced_before_a_change() {
    let (fake, store) = writable().await;
    let seen = look(&store, "/app").await;
    fake.model().revoke_all();
    // The look before the change finds out.
    set(&store, "/app", &[("A", "two")], &seen).await.unwrap();
    assert_eq!(
        look(&store, "/app").await.keys["A"],
        SecretValue::from("two")
    );
    assert_eq!(fake.logins(), 2);
}
