//! Projects, secrets by name and id, and how little a refresh costs.

use std::collections::BTreeSet;
use std::time::Duration;

use penstock_domain::bundle::SourceVersion;
use penstock_domain::conditions::Reason;

use super::*;

#[tokio::test]
async fn a_project_is_read_by_name_and_by_id() {
    let lab = Lab::new().await;
    let id = lab.project("shop", &[("B", "2\n"), ("A", "")]);
    lab.project("shop/deep", &[("C", "\0")]);
    lab.project("shop-other", &[("A", "other")]);
    lab.project("empty", &[]);
    let store = lab.open().await;
    for path in ["shop", "shop/", id.as_str()] {
        let snapshot = read(&store, path).await.unwrap();
        assert_eq!(lines(&snapshot), ["shop A=", "shop B=2\n"]);
        assert_eq!(
            snapshot.entries[0].tags,
            BTreeSet::from(["shop".to_owned()])
        );
        assert!(snapshot.entries[0].version.is_some());
    }
    let deep = StoreQuery {
        recursive: true,
        ..query("shop/")
    };
    let snapshot = store.read("store", &deep).await.unwrap();
    assert_eq!(
        lines(&snapshot),
        ["shop A=", "shop B=2\n", "shop/deep C=\0"]
    );
    assert!(read(&store, "empty").await.unwrap().entries.is_empty());
    assert!(
        read(&store, "").await.unwrap().entries.is_empty(),
        "none is without project"
    );
    for path in ["sho", "shop/A/", "never", "shop/never"] {
        assert_eq!(class(&store, path).await, FaultClass::NotFound, "{path}");
    }
}

#[tokio::test]
async fn one_secret_is_read_by_name_and_by_id() {
    let lab = Lab::new().await;
    let project = lab.project("shop", &[("K", "1")]);
    let id = lab.edit(|model, organization| {
        let texts = ("DB", "value", "the note");
        let id = organization.secret(model, Some(&project), texts).unwrap();
        let secret = model.secrets.get_mut(&id).unwrap();
        secret.revised = "2026-01-02T03:04:05.6789012Z".to_owned();
        id
    });
    let store = lab.open().await;
    for path in [
        "shop/DB".to_owned(),
        format!("{project}/DB"),
        format!("shop/{id}"),
        id.clone(),
    ] {
        let snapshot = read(&store, &path).await.unwrap();
        assert_eq!(lines(&snapshot), ["shop DB=value"], "{path}");
        assert_eq!(
            snapshot.version,
            Some(SourceVersion::Counter(1_767_323_045_678))
        );
        let note = StoreQuery {
            field: Some("note".to_owned()),
            ..query(&path)
        };
        let snapshot = store.read("store", &note).await.unwrap();
        assert_eq!(lines(&snapshot), ["shop DB=the note"]);
    }
}

#[tokio::test]
async fn a_name_that_means_two_things_is_refused() {
    let lab = Lab::new().await;
    lab.project("shop", &[("K", "1"), ("K", "2"), ("L", "1")]);
    lab.project("twin", &[("K", "1")]);
    lab.project("twin", &[("K", "2")]);
    let store = lab.open().await;
    assert_eq!(
        lines(&read(&store, "shop").await.unwrap()),
        ["shop K=1", "shop K=2", "shop L=1"],
        "the newer comes later"
    );
    for path in ["shop/K", "twin"] {
        let failure = read(&store, path).await.unwrap_err();
        assert_eq!(failure.fault.class, FaultClass::Invalid, "{path}");
    }
}

#[tokio::test]
async fn an_unchanged_organisation_costs_an_empty_answer() {
    let lab = Lab::new().await;
    let project = lab.project("shop", &[("K", "1")]);
    // The date that is asked with is a little early, so a change just now is a change.
    for machine in lab.fake.model().machines.values_mut() {
        machine.revision = 0;
    }
    let store = lab.open().await;
    let refresh = async || lines(&store.refresh("store", &query("shop")).await.unwrap());
    for _ in 0..3 {
        assert_eq!(refresh().await, ["shop K=1"]);
    }
    assert_eq!(lab.syncs(), (1, 2));
    lab.edit(|model, organization| {
        organization
            .secret(model, Some(&project), ("L", "2", ""))
            .unwrap();
    });
    assert_eq!(
        refresh().await,
        ["shop K=1", "shop L=2"],
        "a change is seen at once"
    );
    lab.edit(|model, _| {
        model
            .secrets
            .retain(|_, secret| !secret.versions.is_empty());
        model.changed(Some(&project));
    });
    assert!(
        refresh().await.is_empty(),
        "and so is a removal: the project is still there"
    );
    let before = lab.syncs();
    read(&store, "shop").await.unwrap();
    assert_eq!(lab.syncs().0, before.0 + 1, "who insists gets what is now");
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(61)).await;
    tokio::time::resume();
    // The token has ended, too.
    refresh().await;
    assert_eq!(
        lab.syncs().0,
        before.0 + 2,
        "no answer is repeated for ever"
    );
}

#[tokio::test]
async fn a_hundred_readers_of_ten_projects_share_one_login_and_few_reads() {
    let lab = Lab::new().await;
    for number in 0..10 {
        lab.project(&format!("p{number}"), &[("K", "1")]);
    }
    let store = lab.open().await;
    let paths: Vec<_> = (0..100).map(|number| format!("p{}", number % 10)).collect();
    let answers = futures::future::join_all(paths.iter().map(|path| read(&store, path))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(lab.fake.logins(), 1);
    assert!(lab.syncs().0 <= 2, "{:?}", lab.syncs());
}

#[tokio::test]
async fn what_a_machine_account_may_not_see_is_not_there() {
    let lab = Lab::new().await;
    lab.project("shop", &[("K", "1")]);
    lab.edit(|model, organization| {
        let other = organization.project(model, "other").unwrap();
        organization
            .secret(model, Some(&other), ("K", "hunter2", ""))
            .unwrap();
    });
    let store = lab.open().await;
    let failure = read(&store, "other").await.unwrap_err();
    assert_eq!(failure.fault.class, FaultClass::NotFound);
    assert!(failure.fault.hint.unwrap().contains("access"));
}

#[tokio::test]
async fn what_was_changed_on_the_way_is_not_believed() {
    let lab = Lab::new().await;
    let project = lab.project("shop", &[("K", "hunter2")]);
    for (value, expected) in [
        (
            "2.EBESExQVFhcYGRobHB0eHw==|J708mGl4Hmd9Ji/43lVKJg==|XUkFJHNPNCWafgQg7hdR1rCaq+h+vF+9aY+RvRZwC6c=",
            FaultClass::Unavailable,
        ),
        ("hunter2", FaultClass::Unavailable),
        ("7.g1hLpQEDA3g=", FaultClass::Invalid),
        ("9.AAAA", FaultClass::Invalid),
    ] {
        for secret in lab.fake.model().secrets.values_mut() {
            value.clone_into(&mut secret.value);
        }
        let store = lab.open().await;
        let failure = read(&store, &project).await.unwrap_err();
        assert_eq!(failure.fault.class, expected, "{}", failure.fault);
        assert!(!format!("{failure:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn ten_thousand_secrets_are_one_request_and_one_more_is_too_many() {
    let lab = Lab::new().await;
    let project = lab.project("many", &[]);
    let add = |numbers: std::ops::Range<usize>| {
        lab.edit(|model, organization| {
            for number in numbers {
                let key = format!("K{number}");
                let texts = (key.as_str(), "v", "");
                organization.secret(model, Some(&project), texts).unwrap();
            }
        });
    };
    add(0..10_000);
    let store = lab.open().await;
    let count = read(&store, "many").await.unwrap().entries.len();
    assert_eq!((count, lab.syncs()), (10_000, (1, 0)));
    add(10_000..10_001);
    let failure = read(&store, "many").await.map(|_| ()).unwrap_err();
    assert_eq!(failure.fault.reason, Reason::TooLarge);
}

#[tokio::test]
async fn what_secrets_manager_does_not_have_is_refused_before_it_is_asked() {
    let lab = Lab::new().await;
    let provider = lab.provider();
    for query in [
        StoreQuery {
            environment: Some("prod".to_owned()),
            ..query("shop")
        },
        StoreQuery {
            version: Some("1".to_owned()),
            ..query("shop")
        },
        StoreQuery {
            field: Some("username".to_owned()),
            ..query("shop")
        },
    ] {
        let fault = <BitwardenSmStore as crate::open::Adapter>::propose("s", &provider, query);
        assert_eq!(fault.unwrap_err().class, FaultClass::Invalid);
    }
    let store = lab.open().await;
    let capabilities = store.probe("store").await.unwrap();
    assert!(capabilities.contains(&penstock_domain::stores::Capability::Probe));
    assert_eq!(lab.syncs(), (0, 0), "no value is read");
}
