//! The Kubernetes adapters against the real API server: the contracts of their ports, and what only this
//! server can prove.

mod installation_key;
mod readers;
mod records;
mod sources;
mod targets;
mod workloads;
mod world;

use std::future::Future;

use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;
use penstock_adapters::kubernetes::{ApiServer, ApiServerLimits};
use penstock_domain::names::{NamespaceName, ObjectName, SyncId};
use penstock_testbed::{ApiProxy, Failure, Namespace, ServiceAccountName, Testbed, eventually};
use tokio::task::JoinHandle;

use super::{Outcome, SOON, testbed};

/// What the adapters may do, and no more: every case proves that it is enough.
const RIGHTS: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: operator}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: operator}
rules:
- {apiGroups: [''], resources: [secrets], verbs: [get, list, create, patch, delete]}
- {apiGroups: [''], resources: [configmaps], verbs: [get, create, patch, delete]}
- {apiGroups: [''], resources: [serviceaccounts], resourceNames: [open, closed, nope], verbs: [get]}
- {apiGroups: [''], resources: [serviceaccounts/token], resourceNames: [open], verbs: [create]}
- {apiGroups: [''], resources: [pods], verbs: [list]}
- {apiGroups: [apps], resources: [replicasets], verbs: [list]}
- {apiGroups: [apps], resources: [deployments, statefulsets, daemonsets], verbs: [get, list, patch]}
- {apiGroups: [argoproj.io], resources: [rollouts], verbs: [get, list, patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: operator}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: operator}
subjects: [{kind: ServiceAccount, name: operator}]
";

/// A namespace, the adapters' connection to it as a ServiceAccount with the documented rights, through a
/// proxy that counts, and a client for what other people do.
struct Corner {
    namespace: Namespace,
    name: NamespaceName,
    proxy: ApiProxy,
    api: ApiServer,
}

impl Corner {
    async fn new(testbed: &Testbed, prefix: &str) -> Result<Self, Failure> {
        let direct = testbed.control_plane.client().await?;
        let namespace = Namespace::create(&direct, prefix).await?;
        namespace.apply(RIGHTS).await?;
        let operator = ServiceAccountName::new(namespace.name(), "operator");
        let token = operator.token(&direct, &[]).await?;
        let proxy = ApiProxy::start(testbed.control_plane.endpoint()).await?;
        let through = proxy.endpoint().client(&token).await?;
        // The authorizer sees a new binding a moment later.
        let secrets = Api::<Secret>::namespaced(through.clone(), namespace.name());
        eventually("the rights are in force", SOON, || secrets.get_opt("any")).await?;
        proxy.reset();
        Ok(Self {
            name: NamespaceName::new(namespace.name())?,
            namespace,
            proxy,
            api: ApiServer::new(through, ApiServerLimits::default()),
        })
    }

    fn sync(&self, name: &str) -> Result<SyncId, Failure> {
        Ok(SyncId {
            namespace: self.name.clone(),
            name: ObjectName::new(name)?,
        })
    }
}

/// Cases of a contract that run at the same time.
#[derive(Default)]
pub(super) struct Cases(Vec<(&'static str, JoinHandle<()>)>);

impl Cases {
    pub(super) fn spawn(
        &mut self,
        name: &'static str,
        case: impl Future<Output = ()> + Send + 'static,
    ) {
        self.0.push((name, tokio::spawn(case)));
    }

    /// Waits for all of them, and names those that did not hold.
    pub(super) async fn join(self) -> Outcome {
        let mut broken = Vec::new();
        for (name, case) in self.0 {
            if case.await.is_err() {
                broken.push(name);
            }
        }
        assert!(broken.is_empty(), "broken: {broken:?}; see above why");
        Ok(())
    }
}
