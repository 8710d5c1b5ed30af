//! Names, folders, versions, tags, time, and values of every kind.

use penstock_domain::api::azure_key_vault::AzureNames;
use penstock_domain::bundle::SourceVersion;
use penstock_domain::stores::Capability;

use super::*;

#[tokio::test]
async fn a_secret_is_read_by_its_name_in_every_spelling() {
    let fake = azure().await;
    put(&fake, "shop--DB-URL", "1");
    let store = open(&fake, client_secret("secret")).await;
    for path in ["shop/DB_URL", "shop--DB-URL", "shop/DB-URL", "shop--DB_URL"] {
        let snapshot = read(&store, path).await.unwrap();
        assert_eq!(lines(&snapshot), ["shop DB_URL=1"], "{path}");
        let proposal = propose(query(path)).unwrap();
        assert_eq!(
            proposal.path.to_text(),
            "shop/DB-URL",
            "what is allowed is decided by that"
        );
    }
    let other_case = read(&store, "SHOP/db_url").await.unwrap();
    assert_eq!(
        lines(&other_case),
        ["shop DB_URL=1"],
        "names do not differ by case"
    );
}

#[tokio::test]
async fn names_may_be_taken_as_they_are() {
    let fake = azure().await;
    put(&fake, "DB-URL", "1");
    let mut verbatim = provider(&fake, client_secret("secret"));
    verbatim.names = Some(AzureNames::Verbatim);
    let object = store_object(verbatim.clone());
    let store = open_store(&object).await.unwrap();
    let query = |path: &str| AzureStore::propose(&verbatim, query(path));
    let name = query("DB-URL").unwrap().query;
    let folder = query("/").unwrap().query;
    for query in [name, folder] {
        let snapshot = store.read("store", &query).await.unwrap();
        assert_eq!(lines(&snapshot), [" DB-URL=1"]);
    }
    assert!(query("DB_URL").is_err());
}

#[tokio::test]
async fn a_folder_is_what_begins_with_its_name_in_any_case() {
    let fake = azure().await;
    for name in ["TOP", "shop--A", "Shop--B", "shop--db--C", "shop-evil--D"] {
        put(&fake, name, name);
    }
    let store = open(&fake, client_secret("secret")).await;
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
        ["shop A=shop--A", "shop B=Shop--B"]
    );
    assert_eq!(
        all("shop", true).await,
        ["shop A=shop--A", "shop B=Shop--B", "shop/db C=shop--db--C"]
    );
    assert_eq!(all("/", true).await.len(), 5);
    assert_eq!(all("never/", true).await, [""; 0]);
}

#[tokio::test]
async fn tags_choose_before_values_are_read() {
    let fake = azure().await;
    for (name, component) in [("A", "api"), ("B", "worker")] {
        let mut model = fake.model();
        let version = model.put(name, "x");
        version.tags = [("component".to_owned(), component.to_owned())].into();
        version.content_type = Some("text/plain".to_owned());
    }
    let store = open(&fake, client_secret("secret")).await;
    let query = StoreQuery {
        options: tagged(&[("component", "api")], false),
        ..query("/")
    };
    let snapshot = ask(&store, query).await.unwrap();
    assert_eq!(lines(&snapshot), [" A=x"]);
    let tags = ["component", "component=api", "contentType=text/plain"];
    assert_eq!(snapshot.entries[0].tags, tags.map(str::to_owned).into());
    assert_eq!(fake.reads(), 1);
    let single = read(&store, "A").await.unwrap();
    assert_eq!(single.entries[0].tags, tags.map(str::to_owned).into());
}

#[tokio::test]
async fn versions_are_pinned() {
    let fake = azure().await;
    put(&fake, "A", "one");
    put(&fake, "A", "two");
    let ids: Vec<String> = {
        let model = fake.model();
        let versions = &model.secrets["a"].versions;
        versions.iter().map(|version| version.id.clone()).collect()
    };
    let store = open(&fake, client_secret("secret")).await;
    let newest = read(&store, "A").await.unwrap();
    assert_eq!(lines(&newest), [" A=two"]);
    assert_eq!(newest.version, Some(SourceVersion::Tag(ids[1].clone())));
    let at = |version: String| {
        let query = StoreQuery {
            version: Some(version),
            ..query("A")
        };
        ask(&store, query)
    };
    assert_eq!(lines(&at(ids[0].clone()).await.unwrap()), [" A=one"]);
    let class = |failure: StoreFailure| failure.fault.class;
    assert_eq!(
        class(at("f".repeat(32)).await.unwrap_err()),
        FaultClass::NotFound
    );
    for version in ["1", "latest", "../x", "versions"] {
        assert_eq!(
            class(at(version.to_owned()).await.unwrap_err()),
            FaultClass::Invalid
        );
    }
}

#[tokio::test]
async fn a_property_is_taken_out_of_a_json_secret() {
    let fake = azure().await;
    put(&fake, "db", r#"{"user": "app"}"#);
    let store = open(&fake, client_secret("secret")).await;
    let field = |field: &'static str| {
        let query = StoreQuery {
            field: Some(field.to_owned()),
            ..query("db")
        };
        ask(&store, query)
    };
    assert_eq!(lines(&field("user").await.unwrap()), [" user=app"]);
    let fault = field("password").await.unwrap_err().fault;
    assert_eq!(fault.class, FaultClass::NotFound);
}

#[tokio::test]
async fn values_keep_every_character() {
    let fake = azure().await;
    let large = "x".repeat(25 * 1024);
    let values = [
        "",
        "\0",
        "a\0b\n",
        "-----BEGIN-----\n",
        "Grüße, 世界 😀\r\n\t",
        &large,
    ];
    for (index, value) in values.iter().enumerate() {
        put(&fake, &format!("K{index}"), value);
    }
    let store = open(&fake, client_secret("secret")).await;
    let snapshot = read(&store, "/").await.unwrap();
    assert_eq!(snapshot.entries.len(), values.len());
    for (entry, value) in snapshot.entries.iter().zip(values) {
        assert!(entry.value.expose() == value.as_bytes(), "{}", entry.name);
    }
}

#[tokio::test]
async fn what_may_not_be_used_never_looks_like_a_deletion() {
    let (past, future) = (1_000_000_000, 100_000_000_000);
    for (word, enabled, not_before, expires) in [
        ("is disabled", false, None, None),
        ("has expired", true, None, Some(past)),
        ("is not valid yet", true, Some(future), None),
    ] {
        let fake = azure().await;
        put(&fake, "A", "1");
        put(&fake, "B", "1");
        {
            let mut model = fake.model();
            let version = model.newest("B");
            (version.enabled, version.not_before, version.expires) = (enabled, not_before, expires);
        }
        let store = open(&fake, client_secret("secret")).await;
        for path in ["/", "B"] {
            let fault = read(&store, path).await.unwrap_err().fault;
            assert_eq!(fault.class, FaultClass::Denied, "{path}");
            let text = fault.to_string();
            assert!(text.contains(&format!("secret B {word}")), "{text}");
        }
        let query = StoreQuery {
            options: tagged(&[], true),
            ..query("/")
        };
        assert_eq!(
            lines(&ask(&store, query).await.unwrap()),
            [" A=1"],
            "{word}"
        );
    }
}

#[tokio::test]
async fn what_the_vault_keeps_for_certificates_is_read_by_name_only() {
    let fake = azure().await;
    put(&fake, "A", "1");
    put(&fake, "cert", "MIIK");
    fake.model().secrets.get_mut("cert").unwrap().managed = true;
    let store = open(&fake, client_secret("secret")).await;
    assert_eq!(lines(&read(&store, "/").await.unwrap()), [" A=1"]);
    assert_eq!(lines(&read(&store, "cert").await.unwrap()), [" cert=MIIK"]);
}

#[tokio::test]
async fn ten_thousand_secrets_are_read_and_refreshed_by_their_list() {
    let fake = azure().await;
    for number in 0..10_000 {
        put(&fake, &format!("K{number:05}"), &number.to_string());
    }
    let store = open(&fake, client_secret("secret")).await;
    let all = propose(query("/")).unwrap().query;
    let first = store.read("store", &all).await.unwrap();
    assert_eq!(first.entries.len(), 10_000);
    assert_eq!(fake.reads(), 10_000);
    let again = store.refresh("store", &all).await.unwrap();
    assert!(again == first);
    assert_eq!(
        fake.reads(),
        10_000,
        "the list tells that nothing has changed"
    );
    put(&fake, "ONE-MORE", "x");
    let fault = store.read("store", &all).await.unwrap_err().fault;
    assert_eq!(fault.class, FaultClass::Invalid);
}

#[tokio::test]
async fn a_refresh_sees_every_change() {
    let fake = azure().await;
    for name in ["A", "B", "C"] {
        put(&fake, name, "1");
    }
    let store = open(&fake, client_secret("secret")).await;
    let all = propose(query("/")).unwrap().query;
    let refresh = async || lines(&store.refresh("store", &all).await.unwrap());
    assert_eq!(refresh().await, [" A=1", " B=1", " C=1"]);
    {
        let mut model = fake.model();
        model.put("A", "2").updated += 10;
        model.secrets.remove("b");
        model.put("D", "1");
    }
    let before = fake.reads();
    assert_eq!(refresh().await, [" A=2", " C=1", " D=1"]);
    assert_eq!(fake.reads(), before + 2, "A and D");
    fake.model().newest("C").enabled = false;
    assert!(store.refresh("store", &all).await.is_err());
    assert_eq!(
        lines(
            &store
                .read("store", &propose(query("A")).unwrap().query)
                .await
                .unwrap()
        ),
        [" A=2"]
    );
}

#[tokio::test]
async fn capabilities_tell_whether_folders_can_be_read() {
    let fake = azure().await;
    put(&fake, "A", "1");
    let store = open(&fake, client_secret("secret")).await;
    let full = store.probe("store").await.unwrap();
    assert!(full.contains(&Capability::List) && full.contains(&Capability::Probe));
    let least = Rights {
        list: false,
        ..Rights::reader()
    };
    fake.model().rights.insert(CLIENT.to_owned(), least);
    assert!(
        !store
            .probe("store")
            .await
            .unwrap()
            .contains(&Capability::List)
    );
    read(&store, "A").await.unwrap();
    assert_eq!(class(&store, "/").await, FaultClass::Denied);
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_asked() {
    let version = Some("0".repeat(32));
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
        ("a double underscore", query("a____b")),
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
            "tags of one secret",
            StoreQuery {
                options: tagged(&[("a", "b")], false),
                ..query("A")
            },
        ),
    ] {
        let fault = propose(query).unwrap_err().fault;
        assert_eq!(fault.class, FaultClass::Invalid, "{case}");
    }
}
