//! What is read, byte for byte, and by which requests.

use std::collections::BTreeSet;
use std::time::Duration;

use penstock_domain::bundle::SourceVersion;
use penstock_domain::stores::Capability;
use penstock_fakes::infisical::Import;

use super::*;

#[tokio::test]
async fn every_flag_is_sent_in_both_spellings() {
    let fake = infisical().await;
    let store = open(&fake, universal()).await;
    let plain = StoreQuery {
        recursive: true,
        options: SourceOptions::Infisical {
            imports: Some(false),
            references: Some(false),
        },
        ..query("app")
    };
    store.read("store", &plain).await.unwrap();
    let seen = fake.server().seen();
    let list = seen
        .iter()
        .find(|seen| seen.path == "/api/v4/secrets")
        .unwrap();
    for (name, value) in [
        ("projectId", PROJECT),
        ("environment", "prod"),
        ("secretPath", "/app"),
        ("viewSecretValue", "true"),
        ("expandSecretReferences", "false"),
        ("recursive", "true"),
        ("includeImports", "false"),
        ("include_imports", "false"),
        ("includePersonalOverrides", "false"),
    ] {
        assert_eq!(list.parameter(name), Some(value), "{name}");
    }
    fake.model().behaviour.v4 = false;
    read(&store, "app").await.unwrap();
    let seen = fake.server().seen();
    let list = seen.last().unwrap();
    assert_eq!(list.path, "/api/v3/secrets/raw");
    for (name, value) in [
        ("workspaceId", PROJECT),
        ("expandSecretReferences", "true"),
        ("include_imports", "true"),
        ("recursive", "false"),
    ] {
        assert_eq!(list.parameter(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn an_address_may_end_as_infisicals_own_tools_have_it() {
    let fake = infisical().await;
    put(&fake, "/app", "K", "1");
    for end in ["/api", "/api/", "/"] {
        let mut provider = provider(&fake, universal());
        provider.address.push_str(end);
        let store = open_store(&store_object(provider)).await.unwrap();
        read(&store, "app").await.unwrap();
    }
}

#[tokio::test]
async fn folders_below_are_read_by_one_request() {
    let fake = infisical().await;
    put(&fake, "/app", "A", "1");
    put(&fake, "/app/sub", "A", "2");
    put(&fake, "/app/sub/deep", "B", "3");
    put(&fake, "/application", "C", "4");
    let store = open(&fake, universal()).await;
    assert_eq!(lines(&read(&store, "app").await.unwrap()), ["app A=1"]);
    let recursive = StoreQuery {
        recursive: true,
        ..query("app")
    };
    let before = lists(&fake);
    let snapshot = store.read("store", &recursive).await.unwrap();
    assert_eq!(
        lines(&snapshot),
        ["app A=1", "app/sub A=2", "app/sub/deep B=3"]
    );
    assert_eq!(lists(&fake), before + 1);
    let everything = StoreQuery {
        recursive: true,
        ..query("")
    };
    let snapshot = store.read("store", &everything).await.unwrap();
    assert_eq!(snapshot.entries.len(), 4);
}

#[tokio::test]
async fn tags_versions_and_folders_come_with_each_entry() {
    let fake = infisical().await;
    put(&fake, "/app", "K", "old");
    put(&fake, "/app", "K", "new");
    {
        let mut model = fake.model();
        let folder = model.folder(PROJECT, "prod", "/app");
        let secret = folder.secrets.get_mut("K").unwrap();
        secret.tags = ["api".to_owned(), "worker".to_owned()].into();
    }
    let store = open(&fake, universal()).await;
    let snapshot = read(&store, "app").await.unwrap();
    let entry = &snapshot.entries[0];
    assert_eq!(entry.path, "app");
    assert_eq!(entry.version.as_deref(), Some("2"));
    assert_eq!(
        entry.tags,
        BTreeSet::from(["api".to_owned(), "worker".to_owned()])
    );
    assert_eq!(snapshot.version, None, "a folder has none");
}

#[tokio::test]
async fn imports_and_references_are_followed_where_asked() {
    let fake = infisical().await;
    put(&fake, "/app", "URL", "${HOST}/${dev.shared.PATH}/${GONE}");
    put(&fake, "/app", "HOST", "db");
    {
        let mut model = fake.model();
        model.put((PROJECT, "dev", "/shared"), "PATH", "p");
        model.put((PROJECT, "prod", "/shared"), "HOST", "shadowed");
        model.put((PROJECT, "prod", "/shared"), "PORT", "5432");
        let import = Import {
            environment: "prod".to_owned(),
            path: "/shared".to_owned(),
        };
        model.folder(PROJECT, "prod", "/app").imports.push(import);
    }
    for v4 in [true, false] {
        fake.model().behaviour.v4 = v4;
        let store = open(&fake, universal()).await;
        let snapshot = read(&store, "app").await.unwrap();
        assert_eq!(
            lines(&snapshot),
            ["shared PORT=5432", "app HOST=db", "app URL=db/p/${GONE}"]
        );
        let plain = StoreQuery {
            options: SourceOptions::None,
            ..query("app")
        };
        let snapshot = store.read("store", &plain).await.unwrap();
        assert_eq!(
            lines(&snapshot),
            ["app HOST=db", "app URL=${HOST}/${dev.shared.PATH}/${GONE}"],
            "what nobody settled is off"
        );
    }
}

#[tokio::test]
async fn one_secret_is_read_by_its_name_and_pinned_by_its_version() {
    let fake = infisical().await;
    put(&fake, "/app", "KEY 1", "one");
    put(&fake, "/app", "KEY 1", "two");
    for v4 in [true, false] {
        fake.model().behaviour.v4 = v4;
        let store = open(&fake, universal()).await;
        let named = |name: &str, version: Option<&str>| StoreQuery {
            field: Some(name.to_owned()),
            version: version.map(str::to_owned),
            ..query("app")
        };
        let read = async |query: StoreQuery| store.read("store", &query).await;
        let snapshot = read(named("KEY 1", None)).await.unwrap();
        assert_eq!(lines(&snapshot), ["app KEY 1=two"]);
        assert_eq!(snapshot.version, Some(SourceVersion::Counter(2)));
        let snapshot = read(named("KEY 1", Some("1"))).await.unwrap();
        assert_eq!(lines(&snapshot), ["app KEY 1=one"]);
        assert_eq!(snapshot.version, Some(SourceVersion::Counter(1)));
        for query in [named("KEY 1", Some("9")), named("NEVER", None)] {
            let failure = read(query).await.unwrap_err();
            assert_eq!(failure.fault.class, FaultClass::NotFound);
        }
        for query in [
            named("KEY 1", Some("0")),
            named("KEY 1", Some("latest")),
            StoreQuery {
                version: Some("1".to_owned()),
                ..query("app")
            },
            StoreQuery {
                recursive: true,
                ..named("KEY 1", None)
            },
        ] {
            let failure = read(query).await.unwrap_err();
            assert_eq!(failure.fault.class, FaultClass::Invalid);
        }
    }
}

#[tokio::test]
async fn a_server_without_version_four_is_asked_for_it_once() {
    let fake = infisical().await;
    put(&fake, "/app", "K", "1");
    fake.model().behaviour.v4 = false;
    let store = open(&fake, universal()).await;
    for _ in 0..3 {
        read(&store, "app").await.unwrap();
    }
    assert_eq!(fake.server().count("GET", "/api/v4/"), 1);
    // It has been upgraded, and lost what it had.
    {
        let mut model = fake.model();
        (model.behaviour.v4, model.behaviour.v3_gone) = (true, true);
    }
    read(&store, "app").await.unwrap();
    assert_eq!(class(&store, "never").await, FaultClass::NotFound);
    {
        let mut model = fake.model();
        (model.behaviour.v4, model.behaviour.v3) = (false, false);
    }
    assert_eq!(class(&store, "app").await, FaultClass::Unavailable);
}

#[tokio::test]
async fn a_slug_is_looked_up_once_and_not_at_all_where_it_need_not_be() {
    let fake = infisical().await;
    put(&fake, "/app", "K", "1");
    let mut provider = provider(&fake, universal());
    provider.project_id = None;
    provider.project_slug = Some("panbot".to_owned());
    let store = open_store(&store_object(provider.clone())).await.unwrap();
    let answers = futures::future::join_all((0..20).map(|_| read(&store, "app"))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(
        fake.server().count("GET", "/api/v1/projects/slug/panbot"),
        1
    );
    fake.model().behaviour.v4 = false;
    let store = open_store(&store_object(provider.clone())).await.unwrap();
    read(&store, "app").await.unwrap();
    assert!(store.probe("store").await.is_ok(), "by its older name");
    provider.project_slug = Some("another".to_owned());
    fake.model().behaviour.v4 = true;
    let store = open_store(&store_object(provider.clone())).await.unwrap();
    assert_eq!(class(&store, "app").await, FaultClass::NotFound);
    provider.auth = service_token();
    let failure = open_store(&store_object(provider)).await.err().unwrap();
    assert_eq!(failure.fault.class, FaultClass::Invalid);
}

#[tokio::test]
async fn an_unchanged_folder_costs_an_empty_answer() {
    let fake = infisical().await;
    put(&fake, "/app", "K", "1");
    let store = open(&fake, universal()).await;
    let refresh = async || lines(&store.refresh("store", &query("app")).await.unwrap());
    assert_eq!(refresh().await, ["app K=1"]);
    let conditional = || {
        let seen = fake.server().seen();
        let with_tag = seen
            .iter()
            .filter(|seen| seen.header("if-none-match").is_some());
        with_tag.count()
    };
    assert_eq!(conditional(), 0);
    assert_eq!(refresh().await, ["app K=1"]);
    assert_eq!(conditional(), 1);
    put(&fake, "/app", "K", "2");
    assert_eq!(refresh().await, ["app K=2"], "a change is seen at once");
    assert_eq!(conditional(), 2);
    read(&store, "app").await.unwrap();
    assert_eq!(conditional(), 2, "who insists asks without a tag");
    let other = StoreQuery {
        recursive: true,
        ..query("app")
    };
    store.refresh("store", &other).await.unwrap();
    assert_eq!(conditional(), 2, "another question has another tag");
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(16)).await;
    tokio::time::resume();
    refresh().await;
    assert_eq!(conditional(), 2, "no answer is repeated for ever");
    fake.model().behaviour.etag = false;
    put(&fake, "/app", "K", "3");
    refresh().await;
    refresh().await;
    assert_eq!(conditional(), 3, "a server without tags is asked as it is");
}

#[tokio::test]
async fn ten_thousand_secrets_are_one_request_and_one_more_is_too_many() {
    let fake = infisical().await;
    {
        let mut model = fake.model();
        for number in 0..10_000 {
            model.put((PROJECT, "prod", "/many"), &format!("K{number}"), "v");
        }
    }
    let store = open(&fake, universal()).await;
    let snapshot = read(&store, "many").await.unwrap();
    assert_eq!(snapshot.entries.len(), 10_000);
    assert_eq!(lists(&fake), 1);
    put(&fake, "/many", "ONE_MORE", "v");
    let failure = read(&store, "many").await.unwrap_err();
    assert_eq!(
        failure.fault.reason,
        penstock_domain::conditions::Reason::TooLarge
    );
}

#[tokio::test]
async fn a_check_logs_in_and_looks_every_time() {
    let fake = infisical().await;
    let store = open(&fake, universal()).await;
    for looks in 1..=2 {
        let capabilities = store.probe("store").await.unwrap();
        for capability in [
            Capability::List,
            Capability::Versions,
            Capability::Tags,
            Capability::Probe,
        ] {
            assert!(capabilities.contains(&capability));
        }
        assert_eq!(fake.server().count("GET", "/api/v1/projects/"), looks);
    }
    assert_eq!(lists(&fake), 0, "no value is read");
    let mut provider = provider(&fake, universal());
    provider.environment = Some("Production".to_owned());
    let store = open_store(&store_object(provider.clone())).await.unwrap();
    let failure = store.probe("store").await.unwrap_err();
    assert_eq!(failure.fault.class, FaultClass::NotFound);
    assert!(failure.fault.subject.ends_with("environment"));
    provider.auth = service_token();
    provider.project_id = Some("another".to_owned());
    let store = open_store(&store_object(provider)).await.unwrap();
    let failure = store.probe("store").await.unwrap_err();
    assert_eq!(failure.fault.class, FaultClass::Invalid);
}

#[tokio::test]
async fn a_service_token_of_one_scope_answers_for_nothing_else() {
    let fake = infisical().await;
    put(&fake, "/app", "K", "1");
    put(&fake, "/other", "K", "2");
    let store = open(&fake, service_token()).await;
    assert_eq!(lines(&read(&store, "app").await.unwrap()), ["app K=1"]);
    let failure = read(&store, "other").await.unwrap_err();
    assert_eq!(
        failure.fault.class,
        FaultClass::Invalid,
        "{}",
        failure.fault
    );
    assert!(failure.fault.hint.unwrap().contains("scope"));
}
