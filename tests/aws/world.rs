//! A registry with one store, and what it asks.

use penstock_adapters::http::client::HttpLayer;
use penstock_adapters::registry::Registry;
use penstock_domain::api::aws::{AwsAccessKey, AwsAuth, AwsProvider};
use penstock_domain::api::shared::SecretKeyRef;
use penstock_domain::api::store::{Identity, Provider};
use penstock_domain::bundle::Snapshot;
use penstock_domain::fault::Fault;
use penstock_domain::items::ItemPlace;
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::ports::{Freshness, Sources as _};
use penstock_domain::stores::access::RemotePath;
use penstock_domain::stores::{StoreLimits, StoreObject};
use penstock_domain::sync::{Origin, SourceOptions, StoreKind, StoreReference, ValidatedSource};
use penstock_domain::testing::{self, sync_id};

use super::server::Moto;
use crate::one_store::{self, Secrets};

/// Which of the two stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    SecretsManager,
    ParameterStore,
}

pub(super) fn registry(moto: &Moto, kind: Kind) -> Registry {
    let auth = AwsAuth {
        access_key: Some(AwsAccessKey {
            id: Some("AKIAMOTO".to_owned().into()),
            secret_ref: SecretKeyRef {
                name: "aws".to_owned(),
                key: "secret".to_owned(),
            },
            ..AwsAccessKey::default()
        }),
        ..AwsAuth::default()
    };
    let provider = AwsProvider {
        region: "eu-central-1".to_owned(),
        endpoint: Some(moto.address().to_owned()),
        sts_endpoint: Some(moto.address().to_owned()),
        auth: Some(auth),
        ..AwsProvider::default()
    };
    let provider = match kind {
        Kind::SecretsManager => Provider {
            aws_secrets_manager: Some(provider),
            ..Provider::default()
        },
        Kind::ParameterStore => Provider {
            aws_parameter_store: Some(provider),
            ..Provider::default()
        },
    };
    let store = StoreObject {
        reference: reference(),
        home: NamespaceName::new("prod").unwrap(),
        uid: "u".to_owned(),
        generation: 1,
        provider,
        limits: StoreLimits::default(),
        identity: Identity::Credentials,
        allow: Vec::new(),
    };
    let loopback = vec!["127.0.0.0/8".parse().unwrap()];
    let secrets = Secrets::of("secret", "moto-takes-any");
    one_store::registry(store, HttpLayer::new(loopback), secrets)
}

fn reference() -> StoreReference {
    StoreReference {
        kind: StoreKind::Namespaced,
        name: ObjectName::new("aws").unwrap(),
    }
}

pub(super) fn source(path: &str) -> ValidatedSource {
    ValidatedSource {
        origin: Origin::Store(reference()),
        path: path.to_owned(),
        ..testing::source("aws")
    }
}

/// Where people look.
pub(super) fn item_place(path: &str) -> ItemPlace {
    ItemPlace {
        namespace: NamespaceName::new("prod").unwrap(),
        store: reference(),
        environment: None,
        options: SourceOptions::None,
        path: RemotePath::parse(path).unwrap(),
    }
}

pub(super) async fn read(registry: &Registry, source: &ValidatedSource) -> Result<Snapshot, Fault> {
    let sync = sync_id("prod", "panbot");
    registry.read(&sync, source, Freshness::Now).await
}

/// `path name=value`, for each entry.
pub(super) fn lines(snapshot: &Snapshot) -> Vec<String> {
    let line = |entry: &penstock_domain::bundle::SourceEntry| {
        let value = entry.value.expose_text().unwrap();
        format!("{} {}={value}", entry.path, entry.name)
    };
    snapshot.entries.iter().map(line).collect()
}
