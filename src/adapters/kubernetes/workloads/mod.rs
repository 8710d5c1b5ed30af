//! Workloads: seen as the rollout needs them, and marked.
//!
//! Lists are read page by page and cut down at once; pod specs are not kept. Argo Rollouts are seen where
//! the cluster serves them and the operator may read them; one that takes its template from a Deployment
//! (`workloadRef`) is left out, because that Deployment is seen and marking it restarts the Rollout.

mod object;
mod pods;
pub(super) mod view;

use async_trait::async_trait;
use futures::future::try_join_all;
use penstock_domain::fault::Fault;
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::ports::{Marked, Workloads};
use penstock_domain::reserved::MARKER_FIELD_MANAGER;
use penstock_domain::sync::{WorkloadKind, WorkloadScope};
use penstock_domain::workload::{PodView, WorkloadId, WorkloadView};
use serde_json::json;

use super::api_server::ApiServer;
use super::failure::{Cause, Failure, Field, Refusal};
use super::listing::Listing;
use super::object::MetadataOnly;
use super::request::{Address, Call, Resource};
use super::served::Served;
use object::Workload;

/// The kinds that every cluster serves.
const BUILT_IN: [WorkloadKind; 3] = [
    WorkloadKind::Deployment,
    WorkloadKind::StatefulSet,
    WorkloadKind::DaemonSet,
];

/// Workloads in Kubernetes.
///
/// RBAC in the namespaces that are served: `get`, `list` and `patch` on `deployments.apps`,
/// `statefulsets.apps` and `daemonsets.apps`, and on `rollouts.argoproj.io` where Argo Rollouts are to be
/// restarted; `list` on `pods` and on `replicasets.apps`, through which pods belong to a Deployment.
#[derive(Clone)]
pub struct KubernetesWorkloads {
    api: ApiServer,
    argo: Served,
}

impl KubernetesWorkloads {
    /// Workloads behind this API server.
    pub fn new(api: ApiServer) -> Self {
        Self {
            argo: Served::new(api.clone(), Resource::Rollout),
            api,
        }
    }

    async fn all(
        &self,
        namespace: &NamespaceName,
        selector: &str,
    ) -> Result<Vec<WorkloadView>, Fault> {
        let kinds = BUILT_IN.map(|kind| self.of_kind(kind, namespace, selector));
        let mut views = try_join_all(kinds).await?.concat();
        if self.argo.served().await? {
            let kind = WorkloadKind::Rollout;
            views.extend(self.of_kind(kind, namespace, selector).await?);
        }
        Ok(views)
    }

    async fn of_kind(
        &self,
        kind: WorkloadKind,
        namespace: &NamespaceName,
        selector: &str,
    ) -> Result<Vec<WorkloadView>, Fault> {
        let listing = Listing {
            resource: resource(kind),
            namespace: Some(namespace),
            selector,
            fields: "",
            metadata_only: false,
        };
        let mut undecodable = None;
        let listed = self.api.list(listing, |workload: Workload| {
            let name = workload.metadata.name.clone();
            let view = workload.view(kind, namespace);
            view.unwrap_or_else(|what| {
                undecodable.get_or_insert((name, what));
                None
            })
        });
        let views = match listed.await {
            Err(failure) if kind == WorkloadKind::Rollout && is_forbidden(&failure) => Vec::new(),
            outcome => outcome
                .map_err(|failure| failure.fault(&format!("{}s of {namespace}", kind.as_str())))?,
        };
        match undecodable {
            None => Ok(views),
            Some((name, what)) => Err(view::undecodable(
                &format!("{} {name}", kind.as_str()),
                what,
            )),
        }
    }

    async fn one(
        &self,
        kind: WorkloadKind,
        namespace: &NamespaceName,
        name: &ObjectName,
    ) -> Result<Option<WorkloadView>, Fault> {
        if kind == WorkloadKind::Rollout && !self.argo.served().await? {
            return Ok(None);
        }
        let subject = format!("{} {name}", kind.as_str());
        let call = Call::get(Address {
            resource: resource(kind),
            namespace,
            name: name.as_str(),
        });
        let found = self.api.find::<Workload>(&call).await;
        let Some(workload) = found.map_err(|failure| failure.fault(&subject))? else {
            return Ok(None);
        };
        workload
            .view(kind, namespace)
            .map_err(|what| view::undecodable(&subject, what))
    }
}

#[async_trait]
impl Workloads for KubernetesWorkloads {
    async fn list(
        &self,
        namespace: &NamespaceName,
        scope: &WorkloadScope,
    ) -> Result<Vec<WorkloadView>, Fault> {
        match scope {
            WorkloadScope::Discover => self.all(namespace, "").await,
            WorkloadScope::Selector(selector) => self.all(namespace, selector).await,
            WorkloadScope::List(names) => {
                let looks = names
                    .iter()
                    .map(|(kind, name)| self.one(*kind, namespace, name));
                let views = try_join_all(looks).await?;
                Ok(views.into_iter().flatten().collect())
            }
        }
    }

    async fn pods(&self, workload: &WorkloadView) -> Result<Vec<PodView>, Fault> {
        pods::pods(&self.api, workload).await
    }

    async fn mark(
        &self,
        workload: &WorkloadId,
        annotation: &str,
        value: &str,
    ) -> Result<Marked, Fault> {
        let patch = json!({
            "metadata": {"uid": workload.uid},
            "spec": {"template": {"metadata": {"annotations": {annotation: value}}}},
        });
        let address = Address {
            resource: resource(workload.kind),
            namespace: &workload.namespace,
            name: workload.name.as_str(),
        };
        let call = Call::merge(address, MARKER_FIELD_MANAGER, &patch).metadata_only();
        match self.api.call::<MetadataOnly>(&call).await {
            Ok(_) => Ok(Marked::Set),
            Err(failure) if is_gone(&failure) => Ok(Marked::Gone),
            Err(failure) => Err(failure.fault(&workload.to_string())),
        }
    }
}

/// Whether the workload is gone, or another one has its name: a uid cannot be patched.
fn is_gone(failure: &Failure) -> bool {
    failure.is_not_found() || failure.cause == Cause::Refused(Refusal::Invalid(Field::Uid))
}

fn is_forbidden(failure: &Failure) -> bool {
    failure.cause == Cause::Refused(Refusal::Forbidden)
}

pub(super) fn resource(kind: WorkloadKind) -> Resource {
    match kind {
        WorkloadKind::Deployment => Resource::Deployment,
        WorkloadKind::StatefulSet => Resource::StatefulSet,
        WorkloadKind::DaemonSet => Resource::DaemonSet,
        WorkloadKind::Rollout => Resource::Rollout,
    }
}
