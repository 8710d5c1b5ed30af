//! What the identity may, and what an `allow` entry lets a namespace have of it.

use penstock_domain::api::infisical::Follow;
use penstock_domain::api::store::{Allow, AllowAt};
use penstock_domain::conditions::Reason;
use penstock_domain::fault::Fault;
use penstock_domain::ports::{Freshness, Sources as _};
use penstock_domain::stores::StoreCatalog;
use penstock_domain::sync::{Origin, ValidatedSource};
use penstock_domain::testing::{self, sync_id};
use penstock_fakes::infisical::Import;

use super::*;
use crate::providers::Reached;
use crate::registry::Registry;
use crate::test_ports::{FakeCatalog, FakeObjects};

/// Everything that an identity may do in the project.
fn grant(fake: &FakeInfisical, grants: Vec<Grant>) {
    let mut model = fake.model();
    model.identities.get_mut(IDENTITY).unwrap().grants = grants;
}

#[tokio::test]
async fn a_stranger_to_the_project_is_denied() {
    let fake = infisical().await;
    put(&fake, "/app", "K", "1");
    grant(&fake, Vec::new());
    let store = open(&fake, universal()).await;
    let failure = read(&store, "app").await.unwrap_err();
    assert_eq!(failure.fault.reason, Reason::Denied);
    assert!(!failure.blames_credentials);
    assert!(store.probe("store").await.is_err());
    assert_eq!(fake.logins(), 1, "it is no matter of the token");
}

#[tokio::test]
async fn who_may_see_and_not_read_gets_nothing_to_write() {
    let fake = infisical().await;
    put(&fake, "/app", "K", "1");
    grant(
        &fake,
        vec![Grant {
            read_value: false,
            ..Grant::reader(PROJECT)
        }],
    );
    let store = open(&fake, universal()).await;
    let named = StoreQuery {
        field: Some("K".to_owned()),
        ..query("app")
    };
    for query in [query("app"), named] {
        let failure = store.read("store", &query).await.unwrap_err();
        assert_eq!(failure.fault.class, FaultClass::Denied);
        assert!(failure.fault.message.contains('K'), "{}", failure.fault);
        assert!(failure.fault.hint.unwrap().contains("Read Value"));
    }
}

#[tokio::test]
async fn a_reference_or_import_into_the_forbidden_denies_the_whole() {
    let fake = infisical().await;
    put(&fake, "/app", "URL", "${prod.secret.HOST}");
    put(&fake, "/secret", "HOST", "hunter2");
    grant(
        &fake,
        vec![Grant {
            path: "/app".to_owned(),
            ..Grant::reader(PROJECT)
        }],
    );
    let store = open(&fake, universal()).await;
    assert_eq!(class(&store, "app").await, FaultClass::Denied);
    let plain = StoreQuery {
        options: SourceOptions::None,
        ..query("app")
    };
    assert!(store.read("store", &plain).await.is_ok());
    let import = Import {
        environment: "prod".to_owned(),
        path: "/secret".to_owned(),
    };
    put(&fake, "/app", "URL", "x");
    fake.model()
        .folder(PROJECT, "prod", "/app")
        .imports
        .push(import);
    assert_eq!(class(&store, "app").await, FaultClass::Denied);
}

/// A ClusterSecretStore with these entries, read by namespace `prod`.
struct Tenant {
    registry: Registry,
    reference: StoreReference,
}

impl Tenant {
    fn new(fake: &FakeInfisical, allow: Vec<Allow>) -> Self {
        let mut object = store_object(provider(fake, universal()));
        object.reference.kind = StoreKind::Cluster;
        object.home = NamespaceName::new("penstock-system").unwrap();
        object.allow = allow;
        let reference = object.reference.clone();
        let catalog = FakeCatalog::default();
        catalog.put(object);
        let registry = Registry::new(Reached {
            http: Arc::new(layer()),
            catalog: Arc::new(catalog) as Arc<dyn StoreCatalog>,
            credentials: credentials(),
            objects: Arc::new(FakeObjects),
        });
        Self {
            registry,
            reference,
        }
    }

    fn source(&self, path: &str) -> ValidatedSource {
        ValidatedSource {
            origin: Origin::Store(self.reference.clone()),
            path: path.to_owned(),
            ..testing::source("infisical")
        }
    }

    async fn read(&self, source: &ValidatedSource) -> Result<Snapshot, Fault> {
        let sync = sync_id("prod", "panbot");
        self.registry.read(&sync, source, Freshness::Now).await
    }
}

fn entry(prefix: &str, at: AllowAt) -> Allow {
    Allow {
        namespaces: Some(vec!["prod".to_owned()]),
        key_prefixes: vec![prefix.to_owned()],
        read: Some(true),
        at: Some(at),
        ..Allow::default()
    }
}

fn follow(follow: &[Follow]) -> AllowAt {
    AllowAt {
        follow: follow.to_vec(),
        ..AllowAt::default()
    }
}

#[tokio::test]
async fn a_restricted_namespace_gets_its_prefix_and_environment_and_no_more() {
    let fake = infisical().await;
    put(&fake, "/app", "K", "1");
    put(&fake, "/app/sub", "K", "2");
    put(&fake, "/other", "K", "3");
    fake.model().put((PROJECT, "dev", "/app"), "K", "4");
    let tenant = Tenant::new(&fake, vec![entry("app", AllowAt::default())]);
    for (path, value) in [("app", "1"), ("app/sub/", "2")] {
        let snapshot = tenant.read(&tenant.source(path)).await.unwrap();
        assert_eq!(snapshot.entries[0].value.expose_text(), Some(value));
    }
    let logins = fake.logins();
    let seen = fake.server().seen().len();
    let mut refused = vec![
        tenant.source("other"),
        tenant.source(""),
        tenant.source("application"),
    ];
    refused.push(ValidatedSource {
        environment: Some("dev".to_owned()),
        ..tenant.source("app")
    });
    for source in &refused {
        let fault = tenant.read(source).await.unwrap_err();
        assert_eq!(fault.reason, Reason::NotAllowed, "{}", source.path);
    }
    assert_eq!(fake.server().seen().len(), seen, "nobody is asked first");
    assert_eq!(fake.logins(), logins);
    let own = ValidatedSource {
        environment: Some("prod".to_owned()),
        ..tenant.source("app")
    };
    tenant.read(&own).await.unwrap();
    let dev = AllowAt {
        environment: vec!["dev".to_owned()],
        ..AllowAt::default()
    };
    let tenant = Tenant::new(&fake, vec![entry("app", dev)]);
    let snapshot = tenant.read(&refused[3]).await.unwrap();
    assert_eq!(snapshot.entries[0].value.expose_text(), Some("4"));
}

#[tokio::test]
async fn an_entry_may_name_single_secrets() {
    let fake = infisical().await;
    put(&fake, "/app", "K", "1");
    put(&fake, "/app", "L", "2");
    let tenant = Tenant::new(&fake, vec![entry("app/K", AllowAt::default())]);
    let named = |name: &str| ValidatedSource {
        field: Some(name.to_owned()),
        ..tenant.source("app")
    };
    tenant.read(&named("K")).await.unwrap();
    for source in [named("L"), tenant.source("app")] {
        let fault = tenant.read(&source).await.unwrap_err();
        assert_eq!(fault.reason, Reason::NotAllowed);
    }
    for name in ["K/../L", "../app/L", "a/b", "a:b", "%4B"] {
        let fault = tenant.read(&named(name)).await.unwrap_err();
        assert_eq!(fault.class, FaultClass::Invalid, "{name}");
    }
}

#[tokio::test]
async fn imports_and_references_are_off_where_an_entry_does_not_name_them() {
    let fake = infisical().await;
    put(&fake, "/app", "URL", "${HOST}");
    put(&fake, "/app", "HOST", "db");
    put(&fake, "/shared", "PORT", "5432");
    let import = Import {
        environment: "prod".to_owned(),
        path: "/shared".to_owned(),
    };
    fake.model()
        .folder(PROJECT, "prod", "/app")
        .imports
        .push(import);
    let (literal, expanded) = ("app URL=${HOST}", "app URL=db");
    let (host, port) = ("app HOST=db", "shared PORT=5432");
    for (ways, expected) in [
        (vec![], vec![host, literal]),
        (vec![Follow::References], vec![host, expanded]),
        (vec![Follow::Imports], vec![port, host, literal]),
        (
            vec![Follow::References, Follow::Imports],
            vec![port, host, expanded],
        ),
    ] {
        let tenant = Tenant::new(&fake, vec![entry("app", follow(&ways))]);
        let snapshot = tenant.read(&tenant.source("app")).await.unwrap();
        assert_eq!(lines(&snapshot), expected, "{ways:?}");
        for (imports, references) in [(Some(true), None), (None, Some(true))] {
            let source = ValidatedSource {
                options: SourceOptions::Infisical {
                    imports,
                    references,
                },
                ..tenant.source("app")
            };
            let way = if imports.is_some() {
                Follow::Imports
            } else {
                Follow::References
            };
            let outcome = tenant.read(&source).await;
            if ways.contains(&way) {
                assert!(outcome.is_ok(), "{ways:?} {way:?}");
            } else {
                assert_eq!(outcome.unwrap_err().reason, Reason::NotAllowed);
            }
        }
    }
}

#[tokio::test]
async fn what_infisical_has_no_notion_of_is_refused() {
    let fake = infisical().await;
    let mut provider = provider(&fake, universal());
    for options in [
        SourceOptions::Vault { mount: None },
        SourceOptions::Kubernetes { config_map: false },
    ] {
        let query = StoreQuery {
            options,
            ..query("app")
        };
        assert!(InfisicalStore::propose(&provider, query).is_err());
    }
    provider.environment = None;
    let nowhere = StoreQuery {
        environment: None,
        ..query("app")
    };
    assert!(InfisicalStore::propose(&provider, nowhere).is_err());
}
