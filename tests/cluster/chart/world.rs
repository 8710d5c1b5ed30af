//! An operator under the chart's account, and a life for it in which it does everything that it can do.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Client, ResourceExt};
use penstock_domain::api::cluster_sync::ClusterSecretSync;
use penstock_domain::api::secret_sync::SecretSync;
use penstock_domain::api::store::SecretStore;
use penstock_testbed::{
    ApiProxy, ControlPlane, ControlPlaneOptions, Failure, Installed, Namespace, Operator,
    OperatorOptions, Testbed, eventually, free_port, install_definitions,
};
use serde_json::{Value, json};

use super::rendering::rights;
use super::{ROLLOUTS, chart, release};
use crate::cluster::{Outcome, SOON};

const KINDS: [(&str, &str); 4] = [
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("argoproj.io/v1alpha1", "Rollout"),
];

/// One that finds the workloads, and cleans up after itself; one that names them.
const SYNCS: [&str; 2] = ["shop", "listing"];

/// How much of the cluster an installation serves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Breadth {
    /// One namespace.
    Listed,
    /// Every namespace, ClusterSecretSyncs as well.
    Cluster,
}

/// A cluster with Argo Rollouts, the chart, and an operator whose requests are written down.
pub(super) struct World {
    testbed: &'static Testbed,
    plane: ControlPlane,
    pub(super) proxy: ApiProxy,
    own: Namespace,
    shared: Namespace,
    tenant: Namespace,
    breadth: Breadth,
    pub(super) rights: Vec<String>,
    pub(super) metrics: String,
    _operator: Operator,
}

impl World {
    pub(super) async fn make(testbed: &'static Testbed, breadth: Breadth) -> Result<Self, Failure> {
        let options = ControlPlaneOptions::default();
        let plane = ControlPlane::start(&testbed.keeper, &testbed.tools, &options).await?;
        let admin = plane.client().await?;
        install_definitions(&admin, ROLLOUTS).await?;
        let own = Namespace::create(&admin, "operator").await?;
        let shared = Namespace::create(&admin, "shared").await?;
        let tenant = Namespace::create(&admin, "tenant").await?;
        let mut values = json!({
            "clusterStores": {"readable": [
                {"namespace": shared.name(), "secrets": ["registry"], "configMaps": ["ca"]},
            ]},
            "serviceAccountTokens": [{"namespace": tenant.name(), "names": ["login"]}],
            // The vault of the tests listens on loopback.
            "egressAllow": ["127.0.0.0/8"],
        });
        match breadth {
            Breadth::Listed => values["namespaces"] = json!([tenant.name()]),
            Breadth::Cluster => {
                values["clusterWide"] = json!(true);
                values["clusterSyncs"] = json!({"enabled": true});
            }
        }
        let release = release(own.name(), values);
        let chart = chart(testbed);
        let rights = rights(&chart.render(&release).await?);
        let installed = chart.install(&admin, &release).await?;
        let proxy = ApiProxy::start(plane.endpoint()).await?;
        let (operator, metrics) = start(testbed, &admin, &proxy, &installed).await?;
        Ok(Self {
            testbed,
            plane,
            proxy,
            own,
            shared,
            tenant,
            breadth,
            rights,
            metrics,
            _operator: operator,
        })
    }

    /// Two syncs come, their value changes, one goes.
    pub(super) async fn live(&self) -> Outcome {
        self.put("one").await?;
        let mount = self.open_vault().await?;
        self.stores(&mount).await?;
        self.greedy(&mount).await?;
        self.neighbour().await?;
        self.stamp().await?;
        self.syncs().await?;
        self.await_ready().await?;
        self.workloads().await?;
        self.change().await?;
        self.delete().await
    }

    fn path(&self) -> String {
        format!("rights/{}", self.tenant.name())
    }

    async fn put(&self, value: &str) -> Outcome {
        let vault = self.testbed.openbao.client()?;
        vault.put("secret", &self.path(), &[("KEY", value)]).await?;
        Ok(())
    }

    /// A login for the tenant's ServiceAccount; gives back the mount.
    async fn open_vault(&self) -> Result<String, Failure> {
        let vault = &self.testbed.openbao;
        let name = format!("rights-{}", self.tenant.name());
        let (key, issuer) = (self.plane.token_key(), self.plane.token_issuer());
        vault.enable_jwt_login(&name, key, issuer).await?;
        let client = vault.client()?;
        client
            .put_read_policy(&name, &[&format!("secret/data/{}", self.path())])
            .await?;
        let role = json!({
            "role_type": "jwt",
            "user_claim": "sub",
            "bound_audiences": ["vault"],
            "bound_subject": format!("system:serviceaccount:{}:login", self.tenant.name()),
            "token_policies": [name],
        });
        client.post(&format!("auth/{name}/role/app"), role).await?;
        Ok(name)
    }

    async fn stores(&self, mount: &str) -> Outcome {
        let vault = &self.testbed.openbao;
        let (address, authority) = (vault.address(), vault.certificate_authority());
        for object in [
            json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "central"},
                "stringData": {"token": vault.root_token()},
            }),
            json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "central"},
                "data": {"ca.crt": authority},
            }),
            json!({
                "apiVersion": "penstock.dev/v1alpha1", "kind": "ClusterSecretStore",
                "metadata": {"name": "central"},
                "spec": {
                    "provider": {"vault": {
                        "address": address,
                        "caConfigMapRef": {"name": "central", "key": "ca.crt"},
                        "auth": {"token": {"secretRef": {"name": "central", "key": "token"}}},
                    }},
                    "allow": [
                        {"namespaces": [self.tenant.name()], "keyPrefixes": ["/"], "read": true},
                    ],
                },
            }),
        ] {
            self.own.apply(&object.to_string()).await?;
        }
        for object in [
            json!({
                "apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": {"name": "login", "annotations": {"penstock.dev/accept-from": "vault,greedy"}},
            }),
            json!({
                "apiVersion": "penstock.dev/v1alpha1", "kind": "SecretStore",
                "metadata": {"name": "vault"},
                "spec": {"provider": {"vault": {
                    "address": address,
                    "caBundle": authority,
                    "auth": {"kubernetes": {
                        "mount": mount, "role": "app",
                        "serviceAccount": {"name": "login", "audiences": ["vault"]},
                    }},
                }}},
            }),
            json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "local"},
                "data": {"LOCAL": "1"},
            }),
            json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "local"},
                "stringData": {"QUIET": "1"},
            }),
        ] {
            self.tenant.apply(&object.to_string()).await?;
        }
        Ok(())
    }

    /// A store that wants a token with which its vault could talk to the API server: it gets none, though the
    /// account consents and the operator may make it.
    async fn greedy(&self, mount: &str) -> Outcome {
        let vault = &self.testbed.openbao;
        let store = json!({
            "apiVersion": "penstock.dev/v1alpha1", "kind": "SecretStore",
            "metadata": {"name": "greedy"},
            "spec": {"provider": {"vault": {
                "address": vault.address(),
                "caBundle": vault.certificate_authority(),
                "auth": {"kubernetes": {
                    "mount": mount, "role": "app",
                    "serviceAccount": {"name": "login", "audiences": [self.plane.own_audience()]},
                }},
            }}},
        });
        self.tenant.apply(&store.to_string()).await?;
        let stores = self.tenant.api::<SecretStore>();
        eventually("the store gets no token", SOON, || async {
            let store = stores
                .get("greedy")
                .await
                .map_err(|error| error.to_string())?;
            let conditions = store.status.unwrap_or_default().conditions;
            let refused = conditions.iter().any(|condition| {
                condition.condition_type == "Ready"
                    && condition.reason == "NotAllowed"
                    && condition.message.contains("would open the cluster")
            });
            refused
                .then_some(())
                .ok_or_else(|| format!("{conditions:?}"))
        })
        .await?;
        Ok(())
    }

    /// A store that reads another namespace as the operator, and what it reads there.
    async fn neighbour(&self) -> Outcome {
        let accept =
            json!({"penstock.dev/accept-from": format!("neighbour/{}", self.tenant.name())});
        for object in [
            json!({
                "apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": "registry", "annotations": accept},
                "stringData": {"REGISTRY": "1"},
            }),
            json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "ca", "annotations": accept},
                "data": {"CA": "1"},
            }),
            json!({
                "apiVersion": "penstock.dev/v1alpha1", "kind": "ClusterSecretStore",
                "metadata": {"name": "neighbour"},
                "spec": {
                    "identity": "operator",
                    "provider": {"kubernetes": {"namespace": self.shared.name()}},
                    "allow": [{
                        "namespaces": [self.tenant.name()], "keyPrefixes": ["/"], "read": true,
                        "at": {"kind": ["Secret", "ConfigMap"]},
                    }],
                },
            }),
        ] {
            self.shared.apply(&object.to_string()).await?;
        }
        Ok(())
    }

    /// A ClusterSecretSync for the tenant: stamped, or told that nobody does.
    async fn stamp(&self) -> Outcome {
        let stamp = json!({
            "apiVersion": "penstock.dev/v1alpha1", "kind": "ClusterSecretSync",
            "metadata": {"name": "stamped"},
            "spec": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.tenant.name()}},
                "template": {"spec": {
                    "sources": [{"name": "literal", "literal": {"A": "1"}}],
                    "targets": [{"name": "env", "secret": {}}],
                }},
            },
        });
        self.tenant.apply(&stamp.to_string()).await?;
        let (reason, words) = match self.breadth {
            Breadth::Listed => ("NotSupported", "clusterSyncs.enabled: true"),
            Breadth::Cluster => ("Synced", "1 of 1 namespaces"),
        };
        let api: Api<ClusterSecretSync> = Api::all(self.tenant.client().clone());
        eventually(format!("it says {words}"), SOON, || async {
            let sync = api
                .get("stamped")
                .await
                .map_err(|error| error.to_string())?;
            let conditions = sync.status.unwrap_or_default().conditions;
            let told = conditions
                .iter()
                .any(|condition| condition.reason == reason && condition.message.contains(words));
            told.then_some(()).ok_or_else(|| format!("{conditions:?}"))
        })
        .await?;
        Ok(())
    }

    async fn syncs(&self) -> Outcome {
        let neighbour = json!({"name": "neighbour", "kind": "ClusterSecretStore"});
        let sync = json!({
            "apiVersion": "penstock.dev/v1alpha1", "kind": "SecretSync",
            "metadata": {"name": "shop"},
            "spec": {
                "sources": [
                    {"name": "vault", "store": {"name": "vault"}, "path": self.path()},
                    {
                        "name": "central", "path": self.path(), "rename": {"prefix": "CENTRAL_"},
                        "store": {"name": "central", "kind": "ClusterSecretStore"},
                    },
                    {"name": "registry", "store": neighbour, "path": "registry"},
                    {
                        "name": "ca", "store": neighbour, "path": "ca",
                        "options": {"kubernetes": {"kind": "ConfigMap"}},
                    },
                    {"name": "map", "configMap": {"name": "local"}},
                    {"name": "secret", "secret": {"name": "local"}},
                ],
                "targets": [
                    {"name": "env", "secret": {}, "onDelete": "delete"},
                    {
                        "name": "files", "configMap": {"name": "shop-files"},
                        "select": {"sources": ["map"]}, "onDelete": "delete",
                    },
                ],
            },
        });
        self.tenant.apply(&sync.to_string()).await?;
        let listed: Vec<_> = KINDS
            .map(|(_, kind)| json!({"kind": kind, "name": kind.to_lowercase()}))
            .into();
        let listing = json!({
            "apiVersion": "penstock.dev/v1alpha1", "kind": "SecretSync",
            "metadata": {"name": "listing"},
            "spec": {
                "sources": [{"name": "vault", "store": {"name": "vault"}, "path": self.path()}],
                "targets": [{"name": "env", "secret": {}}],
                "rollout": {"workloads": {"list": listed}},
            },
        });
        self.tenant.apply(&listing.to_string()).await?;
        Ok(())
    }

    /// One workload of each kind, each with pods: the Rollout by a ReplicaSet that it owns, as Argo makes one.
    async fn workloads(&self) -> Outcome {
        for (version, kind) in KINDS {
            let object = workload(version, kind, &kind.to_lowercase());
            self.tenant.apply(&object.to_string()).await?;
        }
        let rollout = self
            .workload("argoproj.io/v1alpha1", "Rollout")
            .get("rollout")
            .await?;
        let mut owned = workload("apps/v1", "ReplicaSet", "rollout");
        owned["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "rollout",
            "uid": rollout.uid(), "controller": true,
        }]);
        self.tenant.apply(&owned.to_string()).await?;
        let pods = self.tenant.api::<k8s_openapi::api::core::v1::Pod>();
        eventually("every workload has a running pod", SOON, || async {
            let pods = pods.list(&kube::api::ListParams::default()).await;
            let pods = pods.map_err(|error| error.to_string())?;
            let running: BTreeSet<_> = pods
                .iter()
                .filter(|pod| {
                    let status = pod.status.as_ref();
                    status.is_some_and(|status| status.phase.as_deref() == Some("Running"))
                })
                .filter_map(|pod| pod.labels().get("app").cloned())
                .collect();
            if running.len() == KINDS.len() {
                Ok(())
            } else {
                Err(format!("{running:?} run"))
            }
        })
        .await?;
        Ok(())
    }

    fn workload(&self, version: &str, kind: &str) -> Api<DynamicObject> {
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let kind = GroupVersionKind::gvk(group, version, kind);
        let client = self.tenant.client().clone();
        Api::namespaced_with(client, self.tenant.name(), &ApiResource::from_gvk(&kind))
    }

    async fn await_ready(&self) -> Outcome {
        let syncs = self.tenant.api::<SecretSync>();
        for name in SYNCS {
            eventually(format!("{name} is ready"), SOON, || async {
                let sync = syncs.get(name).await.map_err(|error| error.to_string())?;
                let status = serde_json::to_value(&sync.status).unwrap_or_default();
                let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
                let is_ready = |condition: &Value| {
                    condition["type"] == "Ready" && condition["status"] == "True"
                };
                let ready = conditions.iter().any(is_ready);
                ready.then_some(()).ok_or_else(|| status.to_string())
            })
            .await?;
        }
        Ok(())
    }

    /// A new value, read at once: every workload gets its marker.
    async fn change(&self) -> Outcome {
        self.put("two").await?;
        let nonce = json!({"metadata": {"annotations": {"penstock.dev/refresh": "1"}}});
        let syncs = self.tenant.api::<SecretSync>();
        for name in SYNCS {
            let parameters = PatchParams::default();
            syncs
                .patch(name, &parameters, &Patch::Merge(&nonce))
                .await?;
        }
        for (version, kind) in KINDS {
            let api = self.workload(version, kind);
            eventually(format!("the {kind} is marked"), SOON, || async {
                let found = api
                    .get(&kind.to_lowercase())
                    .await
                    .map_err(|error| error.to_string())?;
                let annotations = found.data["spec"]["template"]["metadata"]["annotations"].clone();
                let annotations = annotations.as_object().cloned().unwrap_or_default();
                let marked = annotations
                    .keys()
                    .any(|name| name.starts_with("penstock.dev/content"));
                marked
                    .then_some(())
                    .ok_or_else(|| format!("{annotations:?}"))
            })
            .await?;
        }
        Ok(())
    }

    async fn delete(&self) -> Outcome {
        let syncs = self.tenant.api::<SecretSync>();
        syncs.delete("shop", &DeleteParams::default()).await?;
        eventually(
            "the sync is gone, and its targets with it",
            SOON,
            || async {
                let sync = syncs
                    .get_opt("shop")
                    .await
                    .map_err(|error| error.to_string())?;
                sync.map_or(Ok(()), |sync| {
                    Err(format!("{:?}", sync.metadata.finalizers))
                })
            },
        )
        .await?;
        Ok(())
    }
}

fn workload(version: &str, kind: &str, name: &str) -> Value {
    json!({
        "apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [
                    {"name": "app", "image": "any", "envFrom": [{"secretRef": {"name": "shop"}}]},
                ]},
            },
        },
    })
}

/// The operator, as the chart would run it, and where its metrics are read.
async fn start(
    testbed: &Testbed,
    admin: &Client,
    proxy: &ApiProxy,
    installed: &Installed,
) -> Result<(Operator, String), Failure> {
    let address = format!("127.0.0.1:{}", free_port()?);
    let account = &installed.service_account;
    let token = account.token(admin, &[]).await?;
    let file = format!("{}.kubeconfig", account.namespace);
    let kubeconfig = testbed.keeper.directory().join(file);
    proxy
        .endpoint()
        .kubeconfig(&token, None)
        .write(&kubeconfig)?;
    let mut environment = installed.environment.clone();
    environment.insert("PENSTOCK_LISTEN".to_owned(), address.clone());
    let options = OperatorOptions {
        name: "rights".to_owned(),
        binary: PathBuf::from(env!("CARGO_BIN_EXE_penstock")),
        kubeconfig,
        arguments: installed.arguments.clone(),
        environment,
        ready: format!("http://{address}/readyz"),
    };
    let operator = Operator::start(&Arc::clone(&testbed.keeper), options).await?;
    operator.await_ready(SOON).await?;
    Ok((operator, format!("http://{address}/metrics")))
}
