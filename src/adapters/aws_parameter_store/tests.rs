//! The client against the strict stand-in: names, paths, versions, failures.

use std::sync::Arc;

use penstock_domain::api::store::Provider;
use penstock_domain::bundle::SourceVersion;
use penstock_domain::fault::FaultClass;
use penstock_domain::items::Item;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::Capability;
use penstock_domain::stores::access::RemotePath;
use penstock_domain::sync::SourceOptions;
use penstock_fakes::FakeAws;
use penstock_fakes::aws::Outage;

use super::ParameterStore;
use crate::aws::tests::{
    access_key, lines, open, patient_of, provider, query, region, store_object, wrong_key,
};
use crate::open::{Adapter as _, ItemAddress, OpenedStore, StoreFailure, StoreQuery};
use crate::test_failures::Patient;

const LIST: &str = "AmazonSSM.GetParametersByPath";
const SECURE: &str = "SecureString";

async fn store(fake: &FakeAws) -> Arc<dyn OpenedStore> {
    let object = store_object(Provider {
        aws_parameter_store: Some(provider(fake, Some(access_key()))),
        ..Provider::default()
    });
    open(&object).await
}

async fn class(store: &dyn OpenedStore, query: &StoreQuery) -> FaultClass {
    store.read("store", query).await.unwrap_err().fault.class
}

fn folder(path: &str, recursive: bool) -> StoreQuery {
    let query = query(path);
    StoreQuery {
        path: query.path.as_folder(),
        recursive,
        ..query
    }
}

async fn parameters() -> FakeAws {
    let fake = region().await;
    {
        let mut model = fake.model();
        model.put_parameter("/app/db", SECURE, "hunter2");
        model.put_parameter("/app/list", "StringList", "a,b");
        model.put_parameter("/app/sub/deep", "String", "d");
        model.put_parameter("/app-evil/x", "String", "evil");
        model.put_parameter("/app", "String", "itself");
        model.put_parameter("plain", "String", r#"{"k":"v"}"#);
    }
    fake
}

#[tokio::test]
async fn a_parameter_is_read_by_its_name_and_decrypted() {
    let fake = parameters().await;
    let store = store(&fake).await;
    let read = |query: StoreQuery| {
        let store = store.clone();
        async move { store.read("store", &query).await.unwrap() }
    };
    for path in ["app/db", "/app/db"] {
        let snapshot = read(query(path)).await;
        assert_eq!(lines(&snapshot), ["app db=hunter2"]);
        assert_eq!(snapshot.version, Some(SourceVersion::Counter(1)));
    }
    assert_eq!(lines(&read(query("app/list")).await), ["app list=a,b"]);
    assert_eq!(lines(&read(query("app")).await), [" app=itself"]);
    let member = StoreQuery {
        field: Some("k".to_owned()),
        ..query("plain")
    };
    assert_eq!(lines(&read(member).await), ["plain k=v"]);
    assert_eq!(class(&*store, &query("never")).await, FaultClass::NotFound);
    assert_eq!(
        class(&*store, &query("app/never")).await,
        FaultClass::NotFound
    );
}

#[tokio::test]
async fn versions_are_pinned_by_number_and_by_label() {
    let fake = parameters().await;
    {
        let mut model = fake.model();
        model.put_parameter("/app/db", SECURE, "second");
        let versions = &mut model.parameters.get_mut("/app/db").unwrap().versions;
        versions[0].labels.insert("stable".to_owned());
    }
    let store = store(&fake).await;
    let pinned = |version: &str| StoreQuery {
        version: Some(version.to_owned()),
        ..query("app/db")
    };
    for (version, expected) in [("1", "hunter2"), ("2", "second"), ("stable", "hunter2")] {
        let read = store.read("store", &pinned(version)).await.unwrap();
        assert_eq!(lines(&read), [format!("app db={expected}")], "{version}");
    }
    for version in ["3", "never"] {
        assert_eq!(class(&*store, &pinned(version)).await, FaultClass::NotFound);
    }
    // By a label a folder holds what has it.
    let labelled = StoreQuery {
        version: Some("stable".to_owned()),
        ..folder("app", true)
    };
    let read = store.read("store", &labelled).await.unwrap();
    assert_eq!(lines(&read), ["app db=hunter2"]);
}

#[tokio::test]
async fn a_path_is_read_on_segment_borders() {
    let fake = parameters().await;
    let store = store(&fake).await;
    let flat = store.read("store", &folder("app", false)).await.unwrap();
    assert_eq!(lines(&flat), ["app db=hunter2", "app list=a,b"]);
    let deep = store.read("store", &folder("app", true)).await.unwrap();
    assert_eq!(
        lines(&deep),
        ["app db=hunter2", "app list=a,b", "app/sub deep=d"]
    );
    let root = store.read("store", &folder("", false)).await.unwrap();
    assert_eq!(lines(&root), [" app=itself", r#" plain={"k":"v"}"#]);
    let nothing = store.read("store", &folder("never", true)).await.unwrap();
    assert!(nothing.entries.is_empty());
}

#[tokio::test]
async fn ten_thousand_parameters_are_read_by_pages_of_which_some_are_empty() {
    let fake = region().await;
    {
        let mut model = fake.model();
        for number in 0..10_000 {
            model.put_parameter(&format!("/many/{number:05}"), SECURE, "v");
        }
        model.behaviour.empty_pages = true;
    }
    let store = store(&fake).await;
    let read = store.read("store", &folder("many", false)).await.unwrap();
    assert_eq!(read.entries.len(), 10_000);
    assert_eq!(fake.calls(LIST), 1999);
    fake.model().put_parameter("/many/one-more", SECURE, "v");
    assert_eq!(
        class(&*store, &folder("many", false)).await,
        FaultClass::Invalid
    );
}

#[tokio::test]
async fn who_may_not_decrypt_or_list_is_told_what_is_missing() {
    let fake = parameters().await;
    let store = store(&fake).await;
    fake.model().deny("kms:Decrypt", "/app/db");
    for query in [query("app/db"), folder("app", false)] {
        let fault = store.read("store", &query).await.unwrap_err().fault;
        assert_eq!(fault.class, FaultClass::Denied);
        assert!(fault.to_string().contains("kms:Decrypt"), "{fault}");
        assert!(!fault.to_string().contains("hunter2"));
    }
    fake.model().deny("ssm:GetParametersByPath", "/");
    let fault = store
        .read("store", &folder("app", true))
        .await
        .unwrap_err()
        .fault;
    assert!(
        fault.to_string().contains("ssm:GetParametersByPath"),
        "{fault}"
    );
    let capabilities = store.probe("store").await.unwrap();
    assert!(capabilities.contains(&Capability::List));
    assert!(!capabilities.contains(&Capability::Tags));
}

#[tokio::test]
async fn an_outage_of_any_kind_is_no_absence() {
    let fake = parameters().await;
    let store = store(&fake).await;
    let answers = |status, text: &str| Outage::Answers(status, text.to_owned());
    let elsewhere = r#"{"Parameters":[{"Name":"/other/x","Value":"hunter2","Version":1}]}"#;
    for outage in [
        answers(404, "{}"),
        answers(200, "{}"),
        answers(200, elsewhere),
        answers(
            200,
            r#"{"Parameter":{"Name":"/other","Value":"hunter2","Version":1}}"#,
        ),
        answers(403, "blocked"),
        answers(503, ""),
        Outage::HangsUp,
        Outage::Half,
    ] {
        fake.model().behaviour.outage = Some(outage.clone());
        for query in [query("app/db"), folder("app", false)] {
            let failure = store.read("store", &query).await.unwrap_err();
            assert_eq!(failure.fault.class, FaultClass::Unavailable, "{outage:?}");
            assert!(!format!("{failure:?}").contains("hunter2"), "{outage:?}");
        }
    }
}

#[tokio::test]
async fn values_of_every_kind_come_byte_for_byte() {
    let fake = region().await;
    let large = "x".repeat(65_536);
    let values = ["", "a\0b", "line\n", " blanks ", "Grüße 😀", large.as_str()];
    for (number, value) in values.iter().enumerate() {
        fake.model()
            .put_parameter(&format!("/kinds/{number}"), SECURE, value);
    }
    let store = store(&fake).await;
    let read = store.read("store", &folder("kinds", false)).await.unwrap();
    assert_eq!(read.entries.len(), values.len());
    for (entry, expected) in read.entries.iter().zip(values) {
        assert_eq!(entry.value, SecretValue::from(expected), "{}", entry.name);
    }
}

#[test]
fn what_contradicts_itself_is_refused_before_anything_is_asked() {
    let propose = |query: StoreQuery| {
        ParameterStore::propose(
            "store",
            &penstock_domain::api::aws::AwsProvider::default(),
            query,
        )
    };
    let version = |path: &str, version: &str| StoreQuery {
        version: Some(version.to_owned()),
        ..query(path)
    };
    for query in [
        StoreQuery {
            environment: Some("prod".to_owned()),
            ..query("a")
        },
        version("a/", "3"),
        version("a", "a:b"),
        StoreQuery {
            options: SourceOptions::Vault { mount: None },
            ..query("a")
        },
    ] {
        assert_eq!(propose(query).unwrap_err().class, FaultClass::Invalid);
    }
    assert!(propose(version("a/", "stable")).is_ok());
}

async fn item(store: &dyn OpenedStore, path: &str) -> Item {
    let path = RemotePath::parse(path).unwrap();
    let items = store.items().unwrap();
    items.read("store", at(&path)).await.unwrap()
}

fn at(path: &RemotePath) -> ItemAddress<'_> {
    ItemAddress {
        environment: None,
        options: &SourceOptions::None,
        path,
    }
}

async fn set(
    store: &dyn OpenedStore,
    path: &str,
    keys: &[(&str, &str)],
    seen: &Item,
) -> Result<(), StoreFailure> {
    let path = RemotePath::parse(path).unwrap();
    let keys = keys
        .iter()
        .map(|(name, value)| ((*name).to_owned(), SecretValue::from(*value)))
        .collect();
    let items = store.items().unwrap();
    items.set("store", at(&path), &keys, &seen.state).await
}

fn texts(item: &Item) -> Vec<(&str, &str)> {
    let keys = item.keys.iter();
    keys.map(|(name, value)| (name.as_str(), value.expose_text().unwrap()))
        .collect()
}

#[tokio::test]
async fn a_folder_is_an_item_whose_parameters_are_set_and_the_others_stay() {
    let fake = parameters().await;
    let store = store(&fake).await;
    let seen = item(&*store, "app").await;
    assert_eq!(texts(&seen), [("db", "hunter2"), ("list", "a,b")]);
    let keys = [("db", "hunter2"), ("list", "c"), ("new", "n\n")];
    set(&*store, "app", &keys, &seen).await.unwrap();
    let now = item(&*store, "app").await;
    assert_eq!(texts(&now), keys);
    {
        let model = fake.model();
        let of = |name: &str| {
            let parameter = &model.parameters[name];
            (parameter.kind.as_str(), parameter.versions.len())
        };
        assert_eq!(of("/app/db"), (SECURE, 1), "what is equal is not written");
        assert_eq!(of("/app/list"), ("StringList", 2));
        assert_eq!(of("/app/new"), (SECURE, 1));
    }
    // What was seen is no more.
    let failure = set(&*store, "app", &[("db", "x")], &seen)
        .await
        .unwrap_err();
    assert_eq!(failure.fault.class, FaultClass::Conflict);
    let absent = item(&*store, "made/deep").await;
    assert!(!absent.exists && absent.keys.is_empty());
    set(&*store, "made/deep", &[("K", "1")], &absent)
        .await
        .unwrap();
    assert_eq!(texts(&item(&*store, "made/deep").await), [("K", "1")]);
    let path = RemotePath::parse("app").unwrap();
    let names = store.items().unwrap().list("store", at(&path)).await;
    assert_eq!(names.unwrap(), ["db", "list", "new", "sub/"]);
}

#[tokio::test]
async fn a_value_that_parameter_store_does_not_hold_keeps_all_of_them_back() {
    let fake = parameters().await;
    let store = store(&fake).await;
    let seen = item(&*store, "app").await;
    for bad in [("z", ""), ("a/b", "x"), ("z", &"x".repeat(8193))] {
        let failure = set(&*store, "app", &[("a", "1"), bad], &seen)
            .await
            .unwrap_err();
        assert_eq!(failure.fault.class, FaultClass::Invalid, "{}", bad.0);
    }
    assert_eq!(item(&*store, "app").await, seen);
    fake.model().deny("ssm:PutParameter", "/app/");
    let failure = set(&*store, "app", &[("a", "1")], &seen).await.unwrap_err();
    assert_eq!(failure.fault.class, FaultClass::Denied);
    assert!(failure.fault.message.contains("ssm:PutParameter"));
}

/// See [`crate::test_failures`].
pub(crate) async fn patient(trusted: bool) -> Patient {
    let fake = parameters().await;
    let auth = if trusted { access_key() } else { wrong_key() };
    let store = store_object(Provider {
        aws_parameter_store: Some(provider(&fake, Some(auth))),
        ..Provider::default()
    });
    patient_of(fake, (store, ("app/db", "app/never")), |model| {
        model.deny("ssm:GetParameter", "/app/");
    })
}
