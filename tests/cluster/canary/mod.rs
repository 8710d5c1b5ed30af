//! Canaries on the real API server, with pods that live by the values that they are given.

mod checks;
mod jobs;
mod pods;
mod refusals;

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams, ObjectList};
use penstock_adapters::http::client::HttpLayer;
use penstock_adapters::kubernetes::{
    ApiServer, ApiServerLimits, KubernetesCanaries, KubernetesReaders,
};
use penstock_domain::api::canary::CanaryLabels;
use penstock_domain::api::secret_sync::SecretSync;
use penstock_domain::canary::{Canary, CanaryView, Candidate, CandidateKind, PodTrouble, Trial};
use penstock_domain::fault::Fault;
use penstock_domain::keys::Revision;
use penstock_domain::names::{Key, NamespaceName, ObjectName, SyncId};
use penstock_domain::ports::Canaries as _;
use penstock_domain::secret::SecretValue;
use penstock_domain::sync::WorkloadKind;
use penstock_domain::workload::WorkloadId;
use penstock_testbed::{
    ControlPlane, ControlPlaneOptions, Failure, FakeKubelet, Namespace, ServiceAccountName,
    Testbed, eventually,
};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::api::define;
use super::{Outcome, SOON, testbed};

/// What canaries may do, and no more: every case proves that it is enough.
const RIGHTS: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: operator}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: operator}
rules:
- {apiGroups: [''], resources: [secrets, configmaps], verbs: [get, list, create, delete]}
- {apiGroups: [penstock.dev], resources: [secretsyncs], verbs: [list]}
- {apiGroups: [apps], resources: [deployments], verbs: [get, list, create, delete]}
- {apiGroups: [apps], resources: [statefulsets, daemonsets], verbs: [get]}
- {apiGroups: [apps], resources: [replicasets], verbs: [list]}
- {apiGroups: [batch], resources: [cronjobs], verbs: [get]}
- {apiGroups: [batch], resources: [jobs], verbs: [get, list, create, delete]}
- {apiGroups: [''], resources: [pods], verbs: [list]}
- {apiGroups: [''], resources: [persistentvolumeclaims], verbs: [get]}
- {apiGroups: [flagger.app], resources: [canaries], verbs: [list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: operator}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: operator}
subjects: [{kind: ServiceAccount, name: operator}]
";

/// What a sync has written, who uses it, and what finds its pods.
const WORLD: &str = "
apiVersion: penstock.dev/v1alpha1
kind: SecretSync
metadata: {name: shop}
spec:
  sources: [{name: a, secret: {name: source}}]
  targets: [{name: t, secret: {name: env}}]
---
apiVersion: v1
kind: Secret
metadata: {name: env}
stringData: {KEY: good}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, labels: {app.kubernetes.io/managed-by: Helm}, annotations: {meta.helm.sh/release-name: shop}}
spec:
  replicas: 1
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      containers: [{name: app, image: any, envFrom: [{secretRef: {name: env}}]}]
---
apiVersion: v1
kind: Service
metadata: {name: api}
spec: {selector: {app: api}, ports: [{port: 80}]}
";

/// The label of what trials make.
const LABEL: &str = "penstock.dev/canary";

/// A control plane whose pods live by their values.
struct Ground {
    plane: ControlPlane,
    _kubelet: FakeKubelet,
}

/// All cases share one.
async fn ground(testbed: &Testbed) -> Result<&'static Ground, Failure> {
    static GROUND: OnceCell<Result<Ground, String>> = OnceCell::const_new();
    let prepare = async || -> Result<Ground, Failure> {
        let options = ControlPlaneOptions { nodes: 0 };
        let plane = ControlPlane::start(&testbed.keeper, &testbed.tools, &options).await?;
        define(&plane.client().await?).await?;
        let kubelet = FakeKubelet::start(&plane).await?;
        Ok(Ground {
            plane,
            _kubelet: kubelet,
        })
    };
    let prepared =
        GROUND.get_or_init(|| async { prepare().await.map_err(|error| error.to_string()) });
    let prepared = prepared.await;
    prepared
        .as_ref()
        .map_err(|error| Failure::because(error.clone()))
}

/// A namespace with a sync, a workload that uses its target, and canaries with the rights that they are to have.
struct Corner {
    namespace: Namespace,
    sync: SyncId,
    canaries: KubernetesCanaries,
}

impl Corner {
    /// None where this machine has no servers.
    async fn new() -> Result<Option<Self>, Failure> {
        let Some(testbed) = testbed().await? else {
            return Ok(None);
        };
        let ground = Box::pin(ground(testbed)).await?;
        let direct = ground.plane.client().await?;
        let namespace = Namespace::create(&direct, "canary").await?;
        namespace.apply(RIGHTS).await?;
        namespace.apply(WORLD).await?;
        let operator = ServiceAccountName::new(namespace.name(), "operator");
        let token = operator.token(&direct, &[]).await?;
        let through = ground.plane.endpoint().client(&token).await?;
        let secrets = Api::<Secret>::namespaced(through.clone(), namespace.name());
        eventually("the rights are in force", SOON, || secrets.get_opt("any")).await?;
        let api = ApiServer::new(through, ApiServerLimits::default());
        let loopback = "127.0.0.0/8".parse::<ipnet::IpNet>()?;
        let http = Arc::new(HttpLayer::new(vec![loopback]));
        let readers = Arc::new(KubernetesReaders::new(api.clone()));
        let corner = Self {
            sync: SyncId {
                namespace: NamespaceName::new(namespace.name())?,
                name: ObjectName::new("shop")?,
            },
            canaries: KubernetesCanaries::new(api, http, readers),
            namespace,
        };
        corner.pods_of("app=api", 1).await?;
        Ok(Some(corner))
    }

    /// A trial of `value` on a pod of the Deployment `api`.
    async fn trial(&self, value: &str) -> Result<Trial, Failure> {
        self.trial_of(WorkloadKind::Deployment, "api", value).await
    }

    async fn trial_of(
        &self,
        kind: WorkloadKind,
        name: &str,
        value: &str,
    ) -> Result<Trial, Failure> {
        let uid = self.uid(kind, name).await?;
        let workload = WorkloadId {
            kind,
            namespace: self.sync.namespace.clone(),
            name: ObjectName::new(name)?,
            uid,
        };
        trial(Canary::Pod(workload, CanaryLabels::Strip), value)
    }

    async fn uid(&self, kind: WorkloadKind, name: &str) -> Result<String, Failure> {
        let kind = kind.as_str();
        let resource = kube::api::ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk(
            "apps", "v1", kind,
        ));
        let api: Api<kube::api::DynamicObject> = Api::namespaced_with(
            self.namespace.client().clone(),
            self.namespace.name(),
            &resource,
        );
        let found = api.get(name).await?;
        found.uid().ok_or_else(|| Failure::because("has no uid"))
    }

    async fn start(&self, trial: &Trial) -> Result<(), Fault> {
        self.canaries.start(&self.sync, trial).await
    }

    async fn look(&self, trial: &Trial) -> Result<CanaryView, Fault> {
        self.canaries.look(&self.sync, trial).await
    }

    /// Looks until what is seen is as it should be.
    async fn sees(
        &self,
        trial: &Trial,
        what: &str,
        holds: impl Fn(&CanaryView) -> bool,
    ) -> Result<CanaryView, Failure> {
        let seen = eventually(what, SOON, || async {
            let view = self.look(trial).await.map_err(|fault| fault.to_string())?;
            if holds(&view) {
                Ok(view)
            } else {
                Err(format!("{view:?}"))
            }
        });
        Ok(seen.await?)
    }

    /// Waits for that many pods.
    async fn pods_of(&self, selector: &str, count: usize) -> Result<Vec<Pod>, Failure> {
        let api = self.namespace.api::<Pod>();
        let pods = eventually(format!("{count} pods of {selector}"), SOON, || async {
            let list = api.list(&ListParams::default().labels(selector)).await;
            let pods = list.map_err(|error| error.to_string())?.items;
            let there = pods
                .iter()
                .filter(|pod| pod.metadata.deletion_timestamp.is_none())
                .count();
            if pods.len() == count && there == count {
                Ok(pods)
            } else {
                Err(format!("{} pods, {there} to stay", pods.len()))
            }
        });
        Ok(pods.await?)
    }

    /// What trials have made, of one kind.
    async fn made<K>(&self) -> Result<ObjectList<K>, Failure>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
        K: Clone + serde::de::DeserializeOwned + std::fmt::Debug,
    {
        Ok(self
            .namespace
            .api::<K>()
            .list(&ListParams::default().labels(LABEL))
            .await?)
    }

    /// Waits until nothing of any trial is left.
    async fn is_clean(&self) -> Outcome {
        use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
        use k8s_openapi::api::batch::v1::Job;
        use k8s_openapi::api::core::v1::ConfigMap;

        let clean = eventually("nothing is left of the trial", SOON, || async {
            let counts = [
                self.made::<Deployment>().await.map(|list| list.items.len()),
                self.made::<ReplicaSet>().await.map(|list| list.items.len()),
                self.made::<Job>().await.map(|list| list.items.len()),
                self.made::<Pod>().await.map(|list| list.items.len()),
                self.made::<Secret>().await.map(|list| list.items.len()),
                self.made::<ConfigMap>().await.map(|list| list.items.len()),
            ];
            let counts = counts.into_iter().collect::<Result<Vec<_>, _>>();
            let counts = counts.map_err(|error| error.to_string())?;
            if counts.iter().all(|count| *count == 0) {
                Ok(())
            } else {
                Err(format!("{counts:?}"))
            }
        });
        clean.await?;
        Ok(())
    }
}

fn trial(canary: Canary, value: &str) -> Result<Trial, Failure> {
    Ok(Trial {
        revision: Revision::from_text("0011aabb-0123456789abcdef"),
        canary,
        candidates: vec![candidate(&[("KEY", value)])?],
        begun: Timestamp::now(),
    })
}

fn candidate(data: &[(&str, &str)]) -> Result<Candidate, Failure> {
    let data: BTreeMap<_, _> = data
        .iter()
        .filter_map(|(key, value)| {
            Some((Key::new(*key).ok()?, SecretValue::new((*value).to_owned())))
        })
        .collect();
    Ok(Candidate {
        kind: CandidateKind::Secret,
        stable: ObjectName::new("env")?,
        secret_type: None,
        // The revision drops one.
        ours: data.keys().cloned().chain(Key::new("OTHER")).collect(),
        data,
    })
}

/// What is wrong with the only pod, by its cause.
fn trouble(view: &CanaryView) -> String {
    let [pod] = view.pods.as_slice() else {
        return format!("{} pods", view.pods.len());
    };
    match &pod.trouble {
        None => "none".to_owned(),
        Some(PodTrouble::Own(why)) => format!("own: {why}"),
        Some(PodTrouble::Cluster(why)) => format!("cluster: {why}"),
    }
}

/// An object but for what the API server and controllers write of their own accord.
fn of_people<K: serde::Serialize>(object: &K) -> Result<Value, Failure> {
    let mut object = serde_json::to_value(object)?;
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
        metadata.remove("resourceVersion");
    }
    Ok(object)
}

/// The sync itself, for garbage collection.
async fn delete_sync(corner: &Corner) -> Outcome {
    let api = corner.namespace.api::<SecretSync>();
    api.delete("shop", &kube::api::DeleteParams::default())
        .await?;
    Ok(())
}
