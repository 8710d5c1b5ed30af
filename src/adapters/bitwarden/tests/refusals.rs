//! What a store is refused before anything is sent, and what it may name.

use std::sync::Arc;

use penstock_domain::api::store::Allow;
use penstock_domain::conditions::Reason;
use penstock_domain::ports::{Freshness, Sources as _};
use penstock_domain::stores::StoreCatalog;
use penstock_domain::sync::{Origin, ValidatedSource};
use penstock_domain::testing::{self, sync_id};

use super::*;
use crate::open::Adapter as _;
use crate::providers::Reached;
use crate::registry::Registry;
use crate::test_ports::{FakeCatalog, FakeObjects};

#[tokio::test]
async fn the_key_of_an_organisation_is_refused_before_anything_is_sent() {
    let lab = Lab::new().await;
    let mut provider = lab.provider();
    let key = provider.auth.api_key.as_mut().unwrap();
    key.client_id = None;
    key.client_id_ref = Some(secret_ref("organization"));
    let failure = open_store(&store_object(provider)).await.err().unwrap();
    assert_eq!(failure.fault.class, FaultClass::Invalid);
    assert!(
        failure.fault.message.contains("personal API key"),
        "{}",
        failure.fault
    );
    assert!(lab.fake.server().seen().is_empty());
}

#[tokio::test]
async fn the_operators_own_identity_opens_no_vault() {
    let lab = Lab::new().await;
    let mut object = store_object(lab.provider());
    object.reference.kind = StoreKind::Cluster;
    object.identity = Identity::Operator;
    let failure = open_store(&object).await.err().unwrap();
    assert_eq!(failure.fault.class, FaultClass::Invalid);
}

#[tokio::test]
async fn an_address_within_the_cluster_is_refused_without_the_administrators_word() {
    let lab = Lab::new().await;
    let object = store_object(lab.provider());
    let credentials: Arc<dyn Credentials> = credentials();
    let layer = HttpLayer::new(Vec::<IpNet>::new());
    let provider = object.provider.bitwarden.as_ref().unwrap();
    let error = BitwardenStore::open(&object, provider, &layer, &credentials)
        .await
        .err()
        .unwrap();
    assert_eq!(error.fault("store").reason, Reason::EgressDenied);
    assert!(lab.fake.server().seen().is_empty());
}

#[tokio::test]
async fn only_what_the_spec_names_is_fetched_and_only_at_home() {
    let lab = Lab::new().await;
    let object = store_object(lab.provider());
    let fetched = credentials();
    let provider = object.provider.bitwarden.as_ref().unwrap();
    let credentials: Arc<dyn Credentials> = Arc::clone(&fetched) as _;
    BitwardenStore::open(&object, provider, &layer(), &credentials)
        .await
        .unwrap();
    assert_eq!(
        fetched.fetched(),
        ["prod/bitwarden/password", "prod/bitwarden/clientSecret"]
    );
}

#[test]
fn what_bitwarden_does_not_have_is_refused_before_it_is_asked() {
    let provider = BitwardenProvider::default();
    for query in [
        StoreQuery {
            environment: Some("prod".to_owned()),
            ..query("app")
        },
        StoreQuery {
            version: Some("1".to_owned()),
            ..query("app")
        },
        StoreQuery {
            options: SourceOptions::Vault { mount: None },
            ..query("app")
        },
    ] {
        let fault = <BitwardenStore as crate::open::Adapter>::propose("s", &provider, query);
        assert_eq!(fault.unwrap_err().class, FaultClass::Invalid);
    }
    let proposals =
        <BitwardenStore as crate::open::Adapter>::propose("s", &provider, query("app")).unwrap();
    let folders: Vec<_> = proposals.iter().map(|it| it.path.is_folder()).collect();
    assert_eq!(folders, [false, true], "an item first, if the caller may");
    assert!(!BitwardenStore::needs_consent(&provider));
}

#[tokio::test]
async fn an_entry_for_a_folder_opens_no_item_of_its_name() {
    let lab = Lab::new().await;
    lab.folder("app", &[("K", "1")]);
    lab.edit(|model, owner| {
        owner
            .put(model, None, "other", Plain::Note("hunter2"))
            .unwrap();
    });
    let mut object = store_object(lab.provider());
    object.reference.kind = StoreKind::Cluster;
    object.allow = ["app/", "other/"]
        .map(|prefix| Allow {
            namespaces: Some(vec!["shop".to_owned()]),
            key_prefixes: vec![prefix.to_owned()],
            read: Some(true),
            ..Allow::default()
        })
        .into();
    let reference = object.reference.clone();
    let catalog = FakeCatalog::default();
    catalog.put(object);
    let registry = Registry::new(Reached {
        http: Arc::new(layer()),
        catalog: Arc::new(catalog) as Arc<dyn StoreCatalog>,
        credentials: credentials(),
        objects: Arc::new(FakeObjects),
    });
    let read = async |namespace: &str, path: &str| {
        let source = ValidatedSource {
            origin: Origin::Store(reference.clone()),
            path: path.to_owned(),
            ..testing::source("s")
        };
        registry
            .read(&sync_id(namespace, "s"), &source, Freshness::Now)
            .await
    };
    assert_eq!(lines(&read("shop", "app").await.unwrap()), ["app K=1"]);
    assert_eq!(lines(&read("shop", "app/K").await.unwrap()).len(), 2);
    let fault = read("shop", "other").await.unwrap_err();
    assert_eq!(fault.class, FaultClass::NotFound, "there is no such folder");
    let asked = lab.fake.server().seen().len();
    for (namespace, path) in [("shop", "appx"), ("shop", ""), ("evil", "app")] {
        let fault = read(namespace, path).await.unwrap_err();
        assert_eq!(fault.reason, Reason::NotAllowed, "{namespace} {path}");
    }
    assert_eq!(
        lab.fake.server().seen().len(),
        asked,
        "nobody asks the server"
    );
}
