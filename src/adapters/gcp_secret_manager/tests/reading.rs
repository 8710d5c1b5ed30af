//! Names, folders, versions, labels, and values of every kind.

use penstock_domain::bundle::SourceVersion;
use penstock_domain::stores::Capability;
use penstock_fakes::gcp::VersionState;

use super::*;

#[tokio::test]
async fn a_secret_is_read_by_its_name_in_every_spelling() {
    let fake = gcp().await;
    put(&fake, "shop--db--URL", "1");
    let store = open(&fake, with_json("key")).await;
    for path in ["shop--db--URL", "shop/db/URL", "/shop--db/URL"] {
        let snapshot = read(&store, path).await.unwrap();
        assert_eq!(lines(&snapshot), ["shop/db URL=1"], "{path}");
        assert_eq!(snapshot.version, Some(SourceVersion::Counter(1)));
        let proposal = propose(query(path)).unwrap();
        assert_eq!(
            proposal.path.to_text(),
            "shop/db/URL",
            "what is allowed is decided by that"
        );
    }
}

#[tokio::test]
async fn a_folder_is_what_begins_with_its_name() {
    let fake = gcp().await;
    for id in [
        "TOP",
        "shop--A",
        "shop--B",
        "shop--db--C",
        "shop-evil--D",
        "Shop--E",
    ] {
        put(&fake, id, id);
    }
    let store = open(&fake, with_json("key")).await;
    let all = |path: &'static str, recursive| {
        let query = StoreQuery {
            recursive,
            ..query(path)
        };
        async { lines(&ask(&store, query).await.unwrap()) }
    };
    assert_eq!(all("/", false).await, [" TOP=TOP"]);
    assert_eq!(
        all("shop/", false).await,
        ["shop A=shop--A", "shop B=shop--B"]
    );
    assert_eq!(
        all("shop", true).await,
        ["shop A=shop--A", "shop B=shop--B", "shop/db C=shop--db--C"]
    );
    assert_eq!(all("/", true).await.len(), 6);
    assert_eq!(all("never/", true).await, [""; 0]);
}

#[tokio::test]
async fn labels_choose_before_values_are_read() {
    let fake = gcp().await;
    for (id, component) in [("A", "api"), ("B", "worker"), ("C", "api")] {
        put(&fake, id, "x");
        let label = ("component".to_owned(), component.to_owned());
        fake.model().secret(&place(), id).labels = [label].into();
    }
    let store = open(&fake, with_json("key")).await;
    let query = StoreQuery {
        options: labelled(&[("component", "api")], false),
        ..query("/")
    };
    let snapshot = ask(&store, query).await.unwrap();
    assert_eq!(lines(&snapshot), [" A=x", " C=x"]);
    let tags = ["component", "component=api"].map(str::to_owned).into();
    assert_eq!(snapshot.entries[0].tags, tags);
    assert_eq!(fake.accesses(), 2);
}

#[tokio::test]
async fn versions_are_pinned_by_number_and_alias() {
    let fake = gcp().await;
    for value in ["one", "two", "three"] {
        put(&fake, "A", value);
    }
    fake.model().secret(&place(), "A").aliases = [("prod".to_owned(), 2)].into();
    let store = open(&fake, with_json("key")).await;
    let at = |version: &'static str| {
        let query = StoreQuery {
            version: Some(version.to_owned()),
            ..query("A")
        };
        ask(&store, query)
    };
    for (version, value, number) in [("1", "one", 1), ("prod", "two", 2), ("latest", "three", 3)] {
        let snapshot = at(version).await.unwrap();
        assert_eq!(lines(&snapshot), [format!(" A={value}")], "{version}");
        assert_eq!(snapshot.version, Some(SourceVersion::Counter(number)));
    }
    assert_eq!(at("4").await.unwrap_err().fault.class, FaultClass::NotFound);
    assert_eq!(
        at("staging").await.unwrap_err().fault.class,
        FaultClass::NotFound
    );
    for version in ["0", "-1", "+1", "a b", "", "1:destroy"] {
        let fault = at(version).await.unwrap_err().fault;
        assert_eq!(fault.class, FaultClass::Invalid, "{version}");
    }
}

#[tokio::test]
async fn a_property_is_taken_out_of_a_json_secret() {
    let fake = gcp().await;
    put(&fake, "db", r#"{"user": "app", "port": 5432}"#);
    put(&fake, "plain", "x");
    let store = open(&fake, with_json("key")).await;
    let field = |path: &'static str, field: &'static str| {
        let query = StoreQuery {
            field: Some(field.to_owned()),
            ..query(path)
        };
        ask(&store, query)
    };
    assert_eq!(lines(&field("db", "user").await.unwrap()), [" user=app"]);
    assert_eq!(lines(&field("db", "port").await.unwrap()), [" port=5432"]);
    let class = |failure: StoreFailure| failure.fault.class;
    assert_eq!(
        class(field("db", "password").await.unwrap_err()),
        FaultClass::NotFound
    );
    assert_eq!(
        class(field("plain", "x").await.unwrap_err()),
        FaultClass::Invalid
    );
    assert_eq!(
        class(field("/", "x").await.unwrap_err()),
        FaultClass::Invalid
    );
}

#[tokio::test]
async fn regional_secrets_are_others() {
    let fake = gcp().await;
    put(&fake, "A", "global");
    let regional = Place::regional("shop", "europe-west3");
    fake.model().put(&regional, "A", "regional");
    let mut provider = provider(&fake, with_json("key"));
    provider.location = Some("europe-west3".to_owned());
    let store = open_store(&store_object(provider)).await.unwrap();
    assert_eq!(lines(&read(&store, "A").await.unwrap()), [" A=regional"]);
    assert_eq!(lines(&read(&store, "/").await.unwrap()), [" A=regional"]);
}

#[tokio::test]
async fn values_keep_every_byte() {
    let fake = gcp().await;
    let large = vec![b'x'; 65_536];
    let values: [&[u8]; 6] = [
        b"",
        b"\0",
        b"a\0b\n",
        b"-----BEGIN-----\n",
        &[0xff, 0xfe, 0x80],
        &large,
    ];
    for (index, value) in values.iter().enumerate() {
        put(&fake, &format!("K{index}"), value);
    }
    let store = open(&fake, with_json("key")).await;
    let snapshot = read(&store, "/").await.unwrap();
    for (entry, value) in snapshot.entries.iter().zip(values) {
        assert!(entry.value.expose() == value, "{}", entry.name);
    }
    assert_eq!(snapshot.entries.len(), values.len());
    put(&fake, "K9", vec![b'x'; 65_537]);
    assert_eq!(
        class(&store, "K9").await,
        FaultClass::Unavailable,
        "Google never gives more"
    );
}

#[tokio::test]
async fn a_disabled_version_never_looks_like_a_deletion() {
    let fake = gcp().await;
    put(&fake, "A", "1");
    put(&fake, "B", "1");
    let store = open(&fake, with_json("key")).await;
    for state in [VersionState::Disabled, VersionState::Destroyed] {
        fake.model().secret(&place(), "B").versions[0].state = state;
        for path in ["/", "B"] {
            let fault = read(&store, path).await.unwrap_err().fault;
            assert_eq!(fault.class, FaultClass::Denied, "{path}");
            assert!(fault.to_string().contains("secret B"), "{fault}");
        }
        let query = StoreQuery {
            options: labelled(&[], true),
            ..query("/")
        };
        assert_eq!(lines(&ask(&store, query).await.unwrap()), [" A=1"]);
    }
}

#[tokio::test]
async fn a_secret_that_never_had_a_version_has_no_value() {
    let fake = gcp().await;
    put(&fake, "A", "1");
    put(&fake, "B", "1");
    fake.model().secret(&place(), "B").versions.clear();
    let store = open(&fake, with_json("key")).await;
    assert_eq!(lines(&read(&store, "/").await.unwrap()), [" A=1"]);
    assert_eq!(class(&store, "B").await, FaultClass::NotFound);
}

#[tokio::test]
async fn ten_thousand_secrets_are_read_as_a_whole_and_one_more_is_too_many() {
    let fake = gcp().await;
    for number in 0..10_000 {
        put(&fake, &format!("K{number:05}"), number.to_string());
    }
    let store = open(&fake, with_json("key")).await;
    let snapshot = read(&store, "/").await.unwrap();
    assert_eq!(snapshot.entries.len(), 10_000);
    assert_eq!(snapshot.entries[9_999].name, "K09999");
    assert_eq!(fake.server().count("GET", "/v1/projects/shop/secrets?"), 0);
    let lists = fake.server().seen();
    let lists = lists
        .iter()
        .filter(|seen| seen.path == "/v1/projects/shop/secrets");
    assert_eq!(lists.count(), 10, "pages of a thousand");
    put(&fake, "ONE_MORE", "x");
    let fault = read(&store, "/").await.unwrap_err().fault;
    assert_eq!(fault.class, FaultClass::Invalid);
}

#[tokio::test]
async fn capabilities_tell_whether_folders_can_be_read() {
    let fake = gcp().await;
    let store = open(&fake, with_json("key")).await;
    let full = store.probe("store").await.unwrap();
    assert!(full.contains(&Capability::List) && full.contains(&Capability::Tags));
    let grant = Grant {
        access: ["A".to_owned()].into(),
        ..Grant::default()
    };
    fake.model().grants.insert(READER.to_owned(), grant);
    let least = store.probe("store").await.unwrap();
    assert_eq!(least, [Capability::Read, Capability::Versions].into());
    put(&fake, "A", "1");
    read(&store, "A").await.unwrap();
    assert_eq!(class(&store, "/").await, FaultClass::Denied);
    fake.model().behaviour.api_disabled = true;
    let fault = store.probe("store").await.unwrap_err().fault;
    assert!(
        fault.to_string().contains("Enable secretmanager"),
        "{fault}"
    );
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_asked() {
    let version = Some("1".to_owned());
    for (case, query) in [
        (
            "environment",
            StoreQuery {
                environment: Some("prod".to_owned()),
                ..query("A")
            },
        ),
        ("a letter", query("a.b")),
        ("an empty part", query("a----b")),
        (
            "a folder's version",
            StoreQuery {
                version,
                ..query("a/")
            },
        ),
        (
            "another store's options",
            StoreQuery {
                options: SourceOptions::Vault { mount: None },
                ..query("A")
            },
        ),
        (
            "labels of one secret",
            StoreQuery {
                options: labelled(&[("a", "b")], false),
                ..query("A")
            },
        ),
        (
            "a filter in a label",
            StoreQuery {
                options: labelled(&[("a", "b OR labels.c=d")], false),
                ..query("/")
            },
        ),
    ] {
        let fault = propose(query).unwrap_err().fault;
        assert_eq!(fault.class, FaultClass::Invalid, "{case}");
    }
}
