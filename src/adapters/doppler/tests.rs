//! The client against the strict stand-in.

use std::collections::BTreeMap;

use async_trait::async_trait;
use penstock_domain::api::doppler::{DopplerAuth, DopplerProvider};
use penstock_domain::api::store::{AllowAt, Identity, Provider};
use penstock_domain::conditions::Reason;
use penstock_domain::fault::FaultClass;
use penstock_domain::names::SyncId;
use penstock_domain::ports::Sources;
use penstock_domain::stores::{Capability, StoreProbe};
use penstock_domain::sync::{SourceOptions, ValidatedSource};
use penstock_domain::testing::contract::source::{Content, SourceWorld};
use penstock_domain::testing::sync_id;
use penstock_fakes::doppler::Token;
use penstock_fakes::outage::Outage;
use penstock_fakes::{FakeDoppler, Listen};

use crate::test_failures::{Illness, Patient};
use crate::test_stores::{
    OneStore, cluster_store, contract_holds, lines, secret_ref, store, values,
};

const SECRETS: &[(&str, &str)] = &[
    ("service", "dp.st.prd.hunter2\n"),
    ("account", "dp.sa.hunter2"),
];

async fn doppler() -> FakeDoppler {
    let fake = FakeDoppler::start(Listen::Http).await.unwrap();
    {
        let mut model = fake.model();
        model.put(("shop", "prd"), "DB_URL", "postgres://");
        model.put(("shop", "prd"), "API_KEY", "k\n");
        model.put(("shop", "dev"), "DB_URL", "sqlite://");
        let service = Token::Service {
            project: "shop".to_owned(),
            config: "prd".to_owned(),
        };
        model.tokens.insert("dp.st.prd.hunter2".to_owned(), service);
        let account = Token::Account(["shop".to_owned()].into());
        model.tokens.insert("dp.sa.hunter2".to_owned(), account);
    }
    fake
}

fn provider(fake: &FakeDoppler, key: &str) -> DopplerProvider {
    DopplerProvider {
        address: Some(fake.server().address()),
        ca_bundle: fake.server().certificate().map(str::to_owned),
        auth: DopplerAuth {
            token_ref: secret_ref(key),
        },
        ..DopplerProvider::default()
    }
}

fn of(provider: DopplerProvider) -> Provider {
    Provider {
        doppler: Some(provider),
        ..Provider::default()
    }
}

/// A store of project `shop`, config `prd`.
fn shop(fake: &FakeDoppler, key: &str) -> OneStore {
    let provider = DopplerProvider {
        project: Some("shop".to_owned()),
        config: Some("prd".to_owned()),
        ..provider(fake, key)
    };
    OneStore::new(store(of(provider)), SECRETS)
}

fn at(store: &OneStore, path: &str, environment: &str) -> ValidatedSource {
    ValidatedSource {
        environment: Some(environment.to_owned()),
        ..store.source(path)
    }
}

fn downloads(fake: &FakeDoppler) -> usize {
    fake.server()
        .count("GET", "/v3/configs/config/secrets/download")
}

struct World {
    fake: FakeDoppler,
    store: OneStore,
}

#[async_trait]
impl SourceWorld for World {
    fn sources(&self) -> &dyn Sources {
        &self.store.registry
    }

    fn sync(&self) -> SyncId {
        sync_id("prod", "shop")
    }

    fn source(&self, place: &str) -> ValidatedSource {
        at(&self.store, "shop", place)
    }

    async fn put(&self, place: &str, content: &Content) {
        let mut model = self.fake.model();
        let own = |(name, value): (&String, &String)| (name.clone(), Some(value.clone()));
        let secrets: BTreeMap<_, _> = content.iter().map(own).collect();
        *model.config("shop", place) = secrets;
    }

    async fn remove(&self, place: &str) {
        let place = ("shop".to_owned(), place.to_owned());
        self.fake.model().configs.remove(&place);
    }
}

#[tokio::test]
async fn the_contract_holds() {
    contract_holds(async || {
        let fake = doppler().await;
        let store = shop(&fake, "account");
        World { fake, store }
    })
    .await;
}

#[tokio::test]
async fn a_config_is_read_whole_or_one_secret_of_it() {
    let fake = doppler().await;
    let store = shop(&fake, "account");
    let snapshot = store.read(&store.source("")).await.unwrap();
    assert_eq!(
        lines(&snapshot),
        ["shop API_KEY=k\n", "shop DB_URL=postgres://"]
    );
    let field = |name: &str| ValidatedSource {
        field: Some(name.to_owned()),
        ..store.source("")
    };
    let one = store.read(&field("DB_URL")).await.unwrap();
    assert_eq!(lines(&one), ["shop DB_URL=postgres://"]);
    let fault = store.read(&field("DOPPLER_CONFIG")).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::NotFound);
    let dev = store.read(&at(&store, "shop", "dev")).await.unwrap();
    assert_eq!(values(&dev)["DB_URL"], "sqlite://");
    // Reading makes no lease.
    for request in fake.server().seen() {
        assert_eq!(request.parameter("include_dynamic_secrets"), Some("false"));
    }
}

#[tokio::test]
async fn a_service_token_needs_no_names_and_is_not_believed_under_others() {
    let fake = doppler().await;
    let bare = OneStore::new(store(of(provider(&fake, "service"))), SECRETS);
    let snapshot = bare.read(&bare.source("")).await.unwrap();
    assert_eq!(values(&snapshot)["DB_URL"], "postgres://");
    let named = shop(&fake, "service");
    assert!(named.read(&named.source("")).await.is_ok());
    // It is answered for its own config, whatever is asked.
    let fault = named.read(&at(&named, "shop", "dev")).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Invalid);
    assert!(fault.hint.unwrap_or_default().contains("service token"));
}

#[tokio::test]
async fn an_unchanged_config_is_an_answer_without_a_body() {
    let fake = doppler().await;
    let store = shop(&fake, "account");
    let source = store.source("");
    let first = store.refresh(&source).await.unwrap();
    assert!(store.refresh(&source).await.unwrap() == first);
    let tags = |fake: &FakeDoppler| {
        let seen = fake.server().seen();
        let with = |request: &&penstock_fakes::Request| request.header("if-none-match").is_some();
        seen.iter().filter(with).count()
    };
    assert_eq!((downloads(&fake), tags(&fake)), (2, 1));
    fake.model().put(("shop", "prd"), "DB_URL", "mysql://");
    let changed = store.refresh(&source).await.unwrap();
    assert_eq!(values(&changed)["DB_URL"], "mysql://");
    // Who insists sends no tag.
    store.read(&source).await.unwrap();
    assert_eq!((downloads(&fake), tags(&fake)), (4, 2));
}

#[tokio::test]
async fn a_withheld_value_is_an_error_and_no_blank() {
    let fake = doppler().await;
    fake.model()
        .config("shop", "prd")
        .insert("SECRET".to_owned(), None);
    let store = shop(&fake, "account");
    let fault = store.fault("").await;
    assert_eq!(fault.class, FaultClass::Denied);
    assert!(fault.message.contains("SECRET"), "{fault}");
}

#[tokio::test]
async fn every_absence_and_refusal_has_its_class() {
    let fake = doppler().await;
    let store = shop(&fake, "account");
    for (path, environment, class) in [
        ("shop", "never", FaultClass::NotFound),
        ("other", "prd", FaultClass::NotFound),
        ("shop/folder", "prd", FaultClass::Invalid),
        ("sh op", "prd", FaultClass::Invalid),
    ] {
        let fault = store.read(&at(&store, path, environment)).await;
        assert_eq!(fault.unwrap_err().class, class, "{path} {environment}");
    }
    let pinned = ValidatedSource {
        version: Some("1".to_owned()),
        ..store.source("")
    };
    let foreign = ValidatedSource {
        options: SourceOptions::Vault { mount: None },
        ..store.source("")
    };
    for source in [pinned, foreign] {
        let fault = store.read(&source).await.unwrap_err();
        assert_eq!(fault.class, FaultClass::Invalid);
    }
    fake.model().tokens.clear();
    let fault = store.fault("").await;
    assert_eq!(fault.reason, Reason::CredentialsRefused);
    assert!(!format!("{fault} {fault:?}").contains("hunter2"));
    let half = OneStore::new(
        crate::test_stores::store(of(DopplerProvider {
            project: Some("shop".to_owned()),
            ..provider(&fake, "account")
        })),
        SECRETS,
    );
    assert_eq!(half.fault("").await.class, FaultClass::Invalid);
}

#[tokio::test]
async fn an_outage_of_any_kind_is_no_absence() {
    let fake = doppler().await;
    let store = shop(&fake, "account");
    store.read(&store.source("")).await.unwrap();
    for outage in [
        Outage::Stumbles(500),
        Outage::Proxy(404, "<html>not found</html>".to_owned()),
        Outage::Proxy(404, "{}".to_owned()),
        Outage::Proxy(200, "<html>log in</html>".to_owned()),
        Outage::Proxy(200, r#"{"A":"1""#.to_owned()),
        Outage::Proxy(200, String::new()),
        Outage::Proxy(204, String::new()),
        Outage::Proxy(304, String::new()),
        Outage::Proxy(401, "<html>".to_owned()),
        Outage::Proxy(403, "blocked".to_owned()),
        Outage::HangsUp,
        Outage::Half,
    ] {
        fake.model().outage = Some(outage.clone());
        let fault = store.fault("").await;
        assert_eq!(fault.class, FaultClass::Unavailable, "{outage:?}");
        assert!(
            store.registry.check(&store.store).await.is_err(),
            "{outage:?}"
        );
    }
    fake.model().outage = None;
    store.read(&store.source("")).await.unwrap();
}

#[tokio::test]
async fn a_throttling_server_is_left_alone() {
    for (seconds, at_least, at_most) in [(12, 12, 12), (0, 60, 70)] {
        let fake = doppler().await;
        let store = shop(&fake, "account");
        fake.model().throttle = Some(seconds);
        let fault = store.fault("").await;
        let wait = fault.retry_after().unwrap().as_secs();
        assert!((at_least..=at_most).contains(&wait), "{wait}");
        fake.model().throttle = None;
        let asked = fake.server().seen().len();
        assert_eq!(store.fault("").await.reason, Reason::Throttled);
        assert_eq!(fake.server().seen().len(), asked, "nobody knocks meanwhile");
    }
}

#[tokio::test]
async fn ten_thousand_secrets_are_read_and_one_more_is_not() {
    let fake = doppler().await;
    {
        let mut model = fake.model();
        let config = model.config("shop", "prd");
        config.clear();
        for number in 0..10_000 {
            config.insert(format!("KEY_{number}"), Some(String::new()));
        }
    }
    let store = shop(&fake, "account");
    let snapshot = store.read(&store.source("")).await.unwrap();
    assert_eq!(snapshot.entries.len(), 10_000);
    fake.model().put(("shop", "prd"), "ONE_MORE", "");
    assert_eq!(store.fault("").await.reason, Reason::TooLarge);
}

#[tokio::test]
async fn a_tenant_reaches_no_address_of_the_inside_and_nobody_uses_the_operators_identity() {
    let fake = doppler().await;
    let inside = OneStore::allowing(store(of(provider(&fake, "service"))), SECRETS, &[]);
    assert_eq!(inside.fault("").await.reason, Reason::EgressDenied);
    assert!(fake.server().seen().is_empty());
    let mut operator = cluster_store(of(provider(&fake, "service")), &["/"]);
    operator.identity = Identity::Operator;
    let operator = OneStore::new(operator, SECRETS);
    let fault = operator.fault("").await;
    assert_eq!(fault.class, FaultClass::Invalid);
    assert!(fake.server().seen().is_empty());
}

#[tokio::test]
async fn a_namespace_reads_what_an_entry_names_and_nothing_else() {
    let fake = doppler().await;
    let shop = DopplerProvider {
        project: Some("shop".to_owned()),
        config: Some("prd".to_owned()),
        ..provider(&fake, "account")
    };
    let mut cluster = cluster_store(of(shop), &["shop"]);
    let store = OneStore::new(cluster.clone(), SECRETS);
    assert!(store.read(&store.source("")).await.is_ok());
    for source in [at(&store, "other", "prd"), at(&store, "shop", "dev")] {
        let fault = store.read(&source).await.unwrap_err();
        assert_eq!(fault.reason, Reason::NotAllowed);
    }
    cluster.allow[0].at = Some(AllowAt {
        environment: vec!["dev".to_owned()],
        ..AllowAt::default()
    });
    let store = OneStore::new(cluster, SECRETS);
    assert!(store.read(&at(&store, "shop", "dev")).await.is_ok());
}

#[tokio::test]
async fn the_check_asks_who_the_token_is() {
    let fake = doppler().await;
    let store = shop(&fake, "account");
    let capabilities = store.registry.check(&store.store).await.unwrap();
    assert!(capabilities.contains(&Capability::Probe));
    assert_eq!(fake.server().count("GET", "/v3/me"), 1);
    assert_eq!(downloads(&fake), 0);
    fake.model().tokens.clear();
    let fault = store.registry.check(&store.store).await.unwrap_err();
    assert_eq!(fault.reason, Reason::CredentialsRefused);
}

/// See [`crate::test_failures`].
pub(crate) async fn patient(trusted: bool) -> Patient {
    let fake = doppler().await;
    if !trusted {
        fake.model().tokens.clear();
    }
    let store = shop(&fake, "account");
    Patient::new(store, ("shop", "never"), move |illness| {
        let mut model = fake.model();
        match illness {
            Illness::Denied => return false,
            Illness::Throttled => model.throttle = Some(12),
            illness => model.outage = illness.outage(),
        }
        true
    })
}
