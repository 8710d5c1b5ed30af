//! Secrets and ConfigMaps as sources: of the sync's namespace, of a neighbour that consents, of another
//! cluster.
#![expect(clippy::unwrap_used, reason = "support of tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::DeleteParams;
use penstock_adapters::http::client::HttpLayer;
use penstock_adapters::kubernetes::KubernetesReaders;
use penstock_adapters::providers::Reached;
use penstock_adapters::registry::Registry;
use penstock_domain::api::kubernetes::{KubernetesProvider, KubernetesServer};
use penstock_domain::api::shared::SecretKeyRef;
use penstock_domain::api::store::{Allow, Identity, Provider};
use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::{NamespaceName, ObjectName, SyncId};
use penstock_domain::ports::{Freshness, Sources};
use penstock_domain::stores::{StoreCatalog, StoreLimits, StoreObject, StoreProbe};
use penstock_domain::sync::{Origin, StoreKind, StoreReference, ValidatedSource};
use penstock_domain::testing::contract::source::{CASES, Content, SourceWorld};
use penstock_domain::testing::{source, sync_id};
use penstock_testbed::ServiceAccountName;
use serde_json::json;

use super::{Cases, Corner, Outcome, testbed};

/// A catalog of at most one store.
struct Catalog(Option<Arc<StoreObject>>);

impl StoreCatalog for Catalog {
    fn find(&self, _: &NamespaceName, _: &StoreReference) -> Option<Arc<StoreObject>> {
        self.0.clone()
    }

    fn namespace_labels(&self, _: &NamespaceName) -> Option<Arc<BTreeMap<String, String>>> {
        None
    }
}

fn registry(corner: &Corner, store: Option<StoreObject>) -> Registry {
    let readers = Arc::new(KubernetesReaders::new(corner.api.clone()));
    let allowed: Vec<_> = "127.0.0.0/8".parse().into_iter().collect();
    Registry::new(Reached {
        http: Arc::new(HttpLayer::new(allowed)),
        catalog: Arc::new(Catalog(store.map(Arc::new))),
        credentials: Arc::clone(&readers) as _,
        objects: readers,
    })
}

struct World {
    corner: Corner,
    registry: Registry,
    config_maps: bool,
}

#[async_trait]
impl SourceWorld for World {
    fn sources(&self) -> &dyn Sources {
        &self.registry
    }

    fn sync(&self) -> SyncId {
        sync_id(self.corner.name.as_str(), "panbot")
    }

    fn source(&self, place: &str) -> ValidatedSource {
        let (name, optional) = (ObjectName::new(place).unwrap(), false);
        let origin = if self.config_maps {
            Origin::ConfigMap { name, optional }
        } else {
            Origin::Secret { name, optional }
        };
        ValidatedSource {
            origin,
            ..source("objects")
        }
    }

    async fn put(&self, place: &str, content: &Content) {
        let encoded = |(key, value): (&String, &String)| (key.clone(), STANDARD.encode(value));
        let (kind, data) = if self.config_maps {
            ("ConfigMap", content.clone())
        } else {
            ("Secret", content.iter().map(encoded).collect())
        };
        let object = json!({
            "apiVersion": "v1", "kind": kind, "metadata": {"name": place}, "data": data,
        });
        let applied = self.corner.namespace.apply(&object.to_string()).await;
        applied.unwrap();
    }

    async fn remove(&self, place: &str) {
        let namespace = &self.corner.namespace;
        let at_once = DeleteParams::default();
        if self.config_maps {
            let api = namespace.api::<ConfigMap>();
            api.delete(place, &at_once).await.unwrap();
        } else {
            let api = namespace.api::<Secret>();
            api.delete(place, &at_once).await.unwrap();
        }
    }
}

async fn the_contract_holds(config_maps: bool) -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let mut cases = Cases::default();
    for case in CASES {
        let corner = Corner::new(testbed, "source").await?;
        let world = World {
            registry: registry(&corner, None),
            corner,
            config_maps,
        };
        cases.spawn(case.name, async move { (case.run)(&world).await });
    }
    cases.join().await
}

#[tokio::test]
async fn secrets_keep_the_contract_of_sources() -> Outcome {
    the_contract_holds(false).await
}

#[tokio::test]
async fn config_maps_keep_the_contract_of_sources() -> Outcome {
    the_contract_holds(true).await
}

/// A store of `namespace`, there or in another cluster.
fn store(identity: Identity, provider: KubernetesProvider, home: &NamespaceName) -> StoreObject {
    let kind = match identity {
        Identity::Operator => StoreKind::Cluster,
        Identity::Credentials => StoreKind::Namespaced,
    };
    StoreObject {
        reference: StoreReference {
            kind,
            name: ObjectName::new("shared").unwrap(),
        },
        home: home.clone(),
        uid: "u".to_owned(),
        generation: 1,
        provider: Provider {
            kubernetes: Some(provider),
            ..Provider::default()
        },
        limits: StoreLimits::default(),
        identity,
        allow: vec![Allow {
            namespaces: Some(vec!["prod".to_owned()]),
            key_prefixes: vec!["database".to_owned()],
            read: Some(true),
            ..Allow::default()
        }],
    }
}

async fn read(
    registry: &Registry,
    store: &StoreObject,
    asking: &str,
    object: &str,
) -> Result<usize, Fault> {
    let source = ValidatedSource {
        origin: Origin::Store(store.reference.clone()),
        path: object.to_owned(),
        ..source("objects")
    };
    let sync = sync_id(asking, "panbot");
    let snapshot = registry.read(&sync, &source, Freshness::Now).await?;
    Ok(snapshot.entries.len())
}

const NEIGHBOURS: &str = "
apiVersion: v1
kind: Secret
metadata: {name: database, annotations: {penstock.dev/accept-from: shared/prod}}
data: {user: YXBw, password: aHVudGVyMg==}
---
apiVersion: v1
kind: Secret
metadata: {name: other, annotations: {penstock.dev/accept-from: shared/prod}}
data: {user: YXBw}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader}
";

#[tokio::test]
async fn a_neighbour_is_read_where_both_sides_allow() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let corner = Corner::new(testbed, "neighbour").await?;
    corner.namespace.apply(NEIGHBOURS).await?;
    let provider = KubernetesProvider {
        namespace: corner.name.to_string(),
        ..KubernetesProvider::default()
    };
    let store = store(Identity::Operator, provider, &corner.name);
    let registry = registry(&corner, Some(store.clone()));
    registry.check(&store).await?;
    assert_eq!(read(&registry, &store, "prod", "database").await?, 2);
    let reason = async |asking, object| {
        let outcome = read(&registry, &store, asking, object).await;
        outcome.unwrap_err().reason
    };
    // Not in `allow`: the namespace, then the name.
    assert_eq!(reason("dev", "database").await, Reason::NotAllowed);
    assert_eq!(reason("prod", "other").await, Reason::NotAllowed);
    let silent = NEIGHBOURS.replace("annotations: {penstock.dev/accept-from: shared/prod}", "");
    corner.namespace.apply(&silent).await?;
    assert_eq!(reason("prod", "database").await, Reason::NotAllowed);
    Ok(())
}

#[tokio::test]
async fn another_cluster_is_read_with_a_token() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let corner = Corner::new(testbed, "elsewhere").await?;
    corner.namespace.apply(NEIGHBOURS).await?;
    let endpoint = testbed.control_plane.endpoint();
    let reference = |key: &str| SecretKeyRef {
        name: "east".to_owned(),
        key: key.to_owned(),
    };
    let provider = KubernetesProvider {
        namespace: corner.name.to_string(),
        server: Some(KubernetesServer {
            address: endpoint.address.clone(),
            ca_bundle: endpoint.certificate_authority.clone(),
            token_ref: reference("token"),
            ..KubernetesServer::default()
        }),
        ..KubernetesProvider::default()
    };
    let store = store(Identity::Credentials, provider, &corner.name);
    let registry = registry(&corner, Some(store.clone()));
    let asking = corner.name.as_str();
    // No such Secret yet; then an account without rights; then one with them.
    let fault = read(&registry, &store, asking, "database")
        .await
        .unwrap_err();
    assert_eq!(fault.class, FaultClass::NotFound);
    let client = corner.namespace.client();
    for (account, expected) in [("reader", Err(FaultClass::Denied)), ("operator", Ok(2))] {
        let token = ServiceAccountName::new(asking, account)
            .token(client, &[])
            .await?;
        let object = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "east"},
            "data": {"token": STANDARD.encode(token)},
        });
        corner.namespace.apply(&object.to_string()).await?;
        registry.invalidate(&store.home, &store.reference);
        let outcome = read(&registry, &store, asking, "database").await;
        assert_eq!(outcome.map_err(|fault| fault.class), expected, "{account}");
    }
    let fault = read(&registry, &store, asking, "absent").await.unwrap_err();
    assert_eq!(fault.class, FaultClass::NotFound);
    Ok(())
}
