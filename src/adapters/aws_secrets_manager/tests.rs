//! The client against the strict stand-in: names, folders, versions, batches, failures.

use std::collections::{BTreeMap, BTreeSet};

use penstock_domain::bundle::SourceVersion;
use penstock_domain::fault::FaultClass;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::Capability;
use penstock_domain::sync::SourceOptions;
use penstock_fakes::FakeAws;
use penstock_fakes::aws::Outage;

use super::SecretsManagerStore;
use crate::aws::tests::{
    access_key, lines, open, patient_of, provider, query, region, secrets_manager, wrong_key,
};
use crate::open::{Adapter as _, OpenedStore, StoreQuery};
use crate::test_failures::Patient;

const LIST: &str = "secretsmanager.ListSecrets";
const GET: &str = "secretsmanager.GetSecretValue";
const BATCH: &str = "secretsmanager.BatchGetSecretValue";

async fn store(fake: &FakeAws) -> std::sync::Arc<dyn OpenedStore> {
    open(&secrets_manager(provider(fake, Some(access_key())))).await
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

#[tokio::test]
async fn a_secret_is_one_entry_or_a_member_of_its_object() {
    let fake = region().await;
    fake.model().put("apps/json", r#"{"user":"u","port":5432}"#);
    fake.model().put("/prod/rooted", "r");
    fake.model().put_binary("apps/bytes", "AP8ACg==");
    let store = store(&fake).await;
    let read = |query: StoreQuery| {
        let store = store.clone();
        async move { store.read("store", &query).await.unwrap() }
    };
    let whole = read(query("apps/db")).await;
    assert_eq!(lines(&whole), ["apps db=postgres://db"]);
    let Some(SourceVersion::Tag(id)) = &whole.version else {
        panic!("a version")
    };
    assert_eq!(whole.entries[0].version.as_ref(), Some(id));
    let member = StoreQuery {
        field: Some("port".to_owned()),
        ..query("apps/json")
    };
    assert_eq!(lines(&read(member).await), ["apps/json port=5432"]);
    assert_eq!(lines(&read(query("prod/rooted")).await), ["prod rooted=r"]);
    let bytes = read(query("apps/bytes")).await;
    assert_eq!(
        bytes.entries[0].value,
        SecretValue::new(vec![0, 0xff, 0, b'\n'])
    );
    for (path, field) in [("apps/db", "user"), ("apps/json", "none")] {
        let query = StoreQuery {
            field: Some(field.to_owned()),
            ..query(path)
        };
        let failure = store.read("store", &query).await.unwrap_err();
        assert!(
            !format!("{failure:?}").contains("postgres"),
            "no value in it"
        );
    }
}

#[tokio::test]
async fn versions_are_pinned_by_id_and_by_label() {
    let fake = region().await;
    let store = store(&fake).await;
    let first = store.read("store", &query("apps/db")).await.unwrap();
    let id = first.entries[0].version.clone().unwrap();
    fake.model().put("apps/db", "second");
    let pinned = |version: &str| StoreQuery {
        version: Some(version.to_owned()),
        ..query("apps/db")
    };
    for (version, expected) in [
        (id.as_str(), "postgres://db"),
        ("AWSPREVIOUS", "postgres://db"),
        ("AWSCURRENT", "second"),
    ] {
        let read = store.read("store", &pinned(version)).await.unwrap();
        assert_eq!(lines(&read), [format!("apps db={expected}")], "{version}");
    }
    let never = "00000000-0000-4000-8000-ffffffffffff";
    for version in [never, "AWSPENDING"] {
        assert_eq!(class(&*store, &pinned(version)).await, FaultClass::NotFound);
    }
}

#[tokio::test]
async fn a_folder_is_read_on_segment_borders_with_its_tags() {
    let fake = region().await;
    {
        let mut model = fake.model();
        for (name, value) in [
            ("apps/b/c", "deep"),
            ("/apps/slashed", "s"),
            ("apps-evil/x", "evil"),
            ("apps", "itself"),
            ("Apps/x", "case"),
        ] {
            model.put(name, value);
        }
        let tags =
            [("env", "prod"), ("pii", "")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        model.secrets.get_mut("apps/db").unwrap().tags = tags.into();
        model.put("apps/gone", "x");
        model.secrets.get_mut("apps/gone").unwrap().deleted = true;
        model.put("apps/empty", "x");
        model
            .secrets
            .get_mut("apps/empty")
            .unwrap()
            .versions
            .clear();
    }
    let store = store(&fake).await;
    let flat = store.read("store", &folder("apps", false)).await.unwrap();
    assert_eq!(lines(&flat), ["apps db=postgres://db", "apps slashed=s"]);
    let tags: BTreeSet<String> = ["env=prod".to_owned(), "pii".to_owned()].into();
    assert_eq!(flat.entries[0].tags, tags);
    let deep = store.read("store", &folder("apps", true)).await.unwrap();
    assert_eq!(
        lines(&deep),
        ["apps/b c=deep", "apps db=postgres://db", "apps slashed=s"]
    );
    let root = store.read("store", &folder("", false)).await.unwrap();
    assert_eq!(lines(&root), [" apps=itself"]);
    let nothing = store.read("store", &folder("never", true)).await.unwrap();
    assert!(nothing.entries.is_empty());
}

#[tokio::test]
async fn tags_of_the_options_keep_others_from_being_asked_for() {
    let fake = region().await;
    {
        let mut model = fake.model();
        for (name, tags) in [
            ("apps/mine", vec![("team", "a"), ("env", "prod")]),
            ("apps/theirs", vec![("team", "b"), ("env", "a")]),
            ("apps/longer", vec![("team", "ab"), ("env", "prod")]),
        ] {
            model.put(name, "x");
            let tags = tags
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned()));
            model.secrets.get_mut(name).unwrap().tags = tags.collect();
        }
        // The identity may read what is its own.
        for other in ["apps/db", "apps/theirs", "apps/longer"] {
            model.deny("secretsmanager:GetSecretValue", other);
        }
    }
    let store = store(&fake).await;
    let tags =
        [("team", "a"), ("env", "prod")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    let query = StoreQuery {
        options: SourceOptions::AwsSecretsManager { tags: tags.into() },
        ..folder("apps", false)
    };
    let read = store.read("store", &query).await.unwrap();
    assert_eq!(lines(&read), ["apps mine=x"]);
    // Without them one that is denied denies the whole.
    assert_eq!(
        class(&*store, &folder("apps", false)).await,
        FaultClass::Denied
    );
}

#[tokio::test]
async fn ten_thousand_secrets_are_read_by_pages_and_batches() {
    let fake = region().await;
    {
        let mut model = fake.model();
        for number in 0..10_000 {
            model.put(&format!("many/{number:05}"), "v");
        }
        model.behaviour.empty_pages = true;
    }
    let store = store(&fake).await;
    let read = store.read("store", &folder("many", false)).await.unwrap();
    assert_eq!(read.entries.len(), 10_000);
    assert_eq!((fake.calls(LIST), fake.calls(BATCH)), (199, 500));
    fake.model().put("many/one-more", "v");
    assert_eq!(
        class(&*store, &folder("many", false)).await,
        FaultClass::Invalid
    );
}

#[tokio::test]
async fn a_refresh_asks_for_new_versions_only() {
    let fake = region().await;
    for number in 0..30 {
        fake.model().put(&format!("apps/{number}"), "v");
    }
    let store = store(&fake).await;
    let first = store
        .refresh("store", &folder("apps", false))
        .await
        .unwrap();
    assert_eq!(fake.calls(BATCH), 2);
    let second = store
        .refresh("store", &folder("apps", false))
        .await
        .unwrap();
    assert!(first == second);
    assert_eq!(fake.calls(BATCH), 2, "nothing has changed");
    fake.model().put("apps/7", "new");
    let third = store
        .refresh("store", &folder("apps", false))
        .await
        .unwrap();
    assert!(lines(&third).contains(&"apps 7=new".to_owned()));
    assert_eq!(fake.calls(BATCH), 3);
    // Who insists reads everything; a secret that is made anew has new versions.
    store.read("store", &folder("apps", false)).await.unwrap();
    assert_eq!(fake.calls(BATCH), 5);
}

#[tokio::test]
async fn half_a_batch_is_no_answer() {
    let fake = region().await;
    fake.model().put("apps/other", "hunter2");
    let store = store(&fake).await;
    let query = folder("apps", false);
    for (code, expected) in [
        ("AccessDeniedException", FaultClass::Denied),
        ("DecryptionFailure", FaultClass::Denied),
        ("InternalServiceError", FaultClass::Unavailable),
        ("ResourceNotFoundException", FaultClass::Unavailable),
        (
            "ThrottlingException",
            FaultClass::Throttled { retry_after: None },
        ),
    ] {
        let errors = BTreeMap::from([("apps/other".to_owned(), code.to_owned())]);
        fake.model().behaviour.batch_errors = errors;
        let failure = store.read("store", &query).await.unwrap_err();
        assert_eq!(failure.fault.class, expected, "{code}");
        assert!(!format!("{failure:?}").contains("hunter2"));
    }
    fake.model().behaviour.batch_errors.clear();
    fake.model().behaviour.batch_gaps = ["apps/other".to_owned()].into();
    assert_eq!(class(&*store, &query).await, FaultClass::Unavailable);
    fake.model().behaviour.batch_gaps.clear();
    // An answer that holds a part is asked on.
    fake.model().behaviour.batch = Some(1);
    let read = store.read("store", &query).await.unwrap();
    assert_eq!(read.entries.len(), 2);
}

#[tokio::test]
async fn every_absence_has_its_class() {
    let fake = region().await;
    let store = store(&fake).await;
    assert_eq!(class(&*store, &query("never")).await, FaultClass::NotFound);
    fake.model().secrets.get_mut("apps/db").unwrap().deleted = true;
    let failure = store.read("store", &query("apps/db")).await.unwrap_err();
    assert_eq!(failure.fault.class, FaultClass::NotFound);
    assert!(
        failure.fault.to_string().contains("deleted"),
        "{}",
        failure.fault
    );
    fake.model().deny("secretsmanager:GetSecretValue", "");
    let failure = store.read("store", &query("apps/db")).await.unwrap_err();
    assert_eq!(failure.fault.class, FaultClass::Denied);
    let said = failure.fault.to_string();
    assert!(
        said.contains("Allow secretsmanager:GetSecretValue"),
        "{said}"
    );
    assert!(!said.contains("The message of the service"), "{said}");
}

#[tokio::test]
async fn patience_is_had_within_a_read_and_told_after_it() {
    let fake = region().await;
    let store = store(&fake).await;
    fake.model().behaviour.throttle = 2;
    store.read("store", &query("apps/db")).await.unwrap();
    assert_eq!(fake.calls(GET), 3);
    fake.model().behaviour.throttle = 100;
    let failure = store.read("store", &query("apps/db")).await.unwrap_err();
    assert!(matches!(failure.fault.class, FaultClass::Throttled { .. }));
    // Nobody runs into the same wall for a while.
    let calls = fake.calls(GET);
    let failure = store.read("store", &query("apps/db")).await.unwrap_err();
    assert!(matches!(failure.fault.class, FaultClass::Throttled { .. }));
    assert_eq!(fake.calls(GET), calls);
}

#[tokio::test]
async fn an_outage_of_any_kind_is_no_absence() {
    let fake = region().await;
    fake.model().put("apps/db", "hunter2");
    let store = store(&fake).await;
    let answers = |status, text: &str| Outage::Answers(status, text.to_owned());
    for outage in [
        answers(404, "<html>not found</html>"),
        answers(404, "{}"),
        answers(200, "<html>log in</html>"),
        answers(200, "{}"),
        answers(200, r#"{"SecretList":[{"ARN":"a"}"#),
        answers(403, "blocked"),
        answers(503, ""),
        answers(500, r#"{"__type":"InternalServiceError"}"#),
        Outage::HangsUp,
        Outage::Half,
    ] {
        fake.model().behaviour.outage = Some(outage.clone());
        for query in [query("apps/db"), folder("apps", false)] {
            let failure = store.read("store", &query).await.unwrap_err();
            assert_eq!(failure.fault.class, FaultClass::Unavailable, "{outage:?}");
            assert!(!failure.blames_credentials, "{outage:?}");
            assert!(!format!("{failure:?}").contains("hunter2"), "{outage:?}");
        }
    }
    fake.model().behaviour.outage = None;
    store.read("store", &query("apps/db")).await.unwrap();
}

#[tokio::test]
async fn values_of_every_kind_come_byte_for_byte() {
    let fake = region().await;
    let large = "x".repeat(65_536);
    let values = ["", "a\0b", "line\n", " blanks ", "Grüße 😀", large.as_str()];
    for (number, value) in values.iter().enumerate() {
        fake.model().put(&format!("kinds/{number}"), value);
    }
    let store = store(&fake).await;
    let read = store.read("store", &folder("kinds", false)).await.unwrap();
    for (entry, expected) in read.entries.iter().zip(values) {
        assert_eq!(entry.value, SecretValue::from(expected), "{}", entry.name);
        let single = store
            .read("store", &query(&format!("kinds/{}", entry.name)))
            .await;
        assert_eq!(
            single.unwrap().entries[0].value,
            SecretValue::from(expected)
        );
    }
}

#[tokio::test]
async fn a_store_is_ready_where_the_keys_are_good_though_lists_are_denied() {
    let fake = region().await;
    let store = store(&fake).await;
    fake.model().deny("secretsmanager:ListSecrets", "");
    let capabilities = store.probe("store").await.unwrap();
    assert!(capabilities.contains(&Capability::Probe));
    assert_eq!(fake.calls(LIST), 1);
    let fault = store
        .read("store", &folder("apps", false))
        .await
        .unwrap_err()
        .fault;
    assert!(
        fault.to_string().contains("secretsmanager:ListSecrets"),
        "{fault}"
    );
}

#[test]
fn what_contradicts_itself_is_refused_before_anything_is_asked() {
    let propose = |query: StoreQuery| {
        SecretsManagerStore::propose(
            "store",
            &penstock_domain::api::aws::AwsProvider::default(),
            query,
        )
    };
    let tags = SourceOptions::AwsSecretsManager {
        tags: [("a".to_owned(), "b".to_owned())].into(),
    };
    for query in [
        StoreQuery {
            environment: Some("prod".to_owned()),
            ..query("a")
        },
        StoreQuery {
            version: Some("AWSPREVIOUS".to_owned()),
            ..query("a/")
        },
        StoreQuery {
            options: tags.clone(),
            ..query("a")
        },
        StoreQuery {
            options: SourceOptions::Vault { mount: None },
            ..query("a")
        },
    ] {
        assert_eq!(propose(query).unwrap_err().class, FaultClass::Invalid);
    }
    // No tags are no options, and the name is what authorisation is about.
    let none = SourceOptions::AwsSecretsManager {
        tags: BTreeMap::new(),
    };
    let [proposal] = &propose(StoreQuery {
        options: none,
        ..query("/a/b")
    })
    .unwrap()[..] else {
        panic!("one meaning")
    };
    assert_eq!(proposal.query, query("a/b"));
    assert_eq!(proposal.reach().path.to_text(), "a/b");
}

/// See [`crate::test_failures`].
pub(crate) async fn patient(trusted: bool) -> Patient {
    let fake = region().await;
    let auth = if trusted { access_key() } else { wrong_key() };
    let store = secrets_manager(provider(&fake, Some(auth)));
    patient_of(fake, (store, ("apps/db", "apps/never")), |model| {
        model.deny("secretsmanager:GetSecretValue", "apps/");
    })
}
