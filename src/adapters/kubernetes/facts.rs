//! Facts about a cluster, for a check-up in a person's name.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use penstock_domain::checkup::{
    Action, Belonging, ClusterFacts, DefinitionState, OperatorDeployment, OperatorLease,
};
use penstock_domain::fault::Fault;
use penstock_domain::names::NamespaceName;
use penstock_domain::reserved::{MANAGED_LABEL, OWNER_ANNOTATION, RECORD_LABEL, TRUE};
use serde::Deserialize;
use serde_json::json;

use super::api_server::ApiServer;
use super::listing::Listing;
use super::object::Metadata;
use super::request::{Call, Resource};
use super::sync_objects::to_a_person;

/// What the chart puts on everything of the operator.
const OPERATOR_SELECTOR: &str = "app.kubernetes.io/name=penstock";
/// Where it says its version.
const VERSION_LABEL: &str = "app.kubernetes.io/version";

/// Facts behind an API server.
///
/// RBAC: `get` on `customresourcedefinitions`, `list` on `deployments` and `leases` of the operator's namespace, `list`
/// on `secretsyncs`, `secrets` and `configmaps` of the namespace of SecretSyncs.
#[derive(Clone)]
pub struct KubernetesFacts {
    api: ApiServer,
}

impl KubernetesFacts {
    /// Facts behind this API server.
    pub fn new(api: ApiServer) -> Self {
        Self { api }
    }
}

#[derive(Deserialize)]
struct AccessReview {
    status: AccessReviewStatus,
}

#[derive(Deserialize)]
struct AccessReviewStatus {
    #[serde(default)]
    allowed: bool,
}

#[derive(Deserialize)]
struct Named {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Deployment {
    metadata: Metadata,
    #[serde(default)]
    spec: DeploymentSpec,
    #[serde(default)]
    status: DeploymentStatus,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct DeploymentSpec {
    replicas: Option<i32>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct DeploymentStatus {
    available_replicas: i32,
}

#[derive(Deserialize)]
struct Lease {
    metadata: Metadata,
    #[serde(default)]
    spec: LeaseSpec,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct LeaseSpec {
    holder_identity: Option<String>,
    renew_time: Option<Timestamp>,
    lease_duration_seconds: Option<i32>,
}

#[async_trait]
impl ClusterFacts for KubernetesFacts {
    async fn definition(&self, ours: &CustomResourceDefinition) -> Result<DefinitionState, Fault> {
        let name = ours.metadata.name.clone().unwrap_or_default();
        let call = Call::get_of_cluster(Resource::Definition, &name);
        let found = self.api.find::<CustomResourceDefinition>(&call).await;
        let found =
            found.map_err(|failure| to_a_person(&failure, &format!("definition {name}")))?;
        Ok(match found {
            None => DefinitionState::Missing,
            Some(theirs) if schemas(&theirs) == schemas(ours) => DefinitionState::Current,
            Some(_) => DefinitionState::Other,
        })
    }

    async fn may(&self, action: Action<'_>, namespace: &NamespaceName) -> Result<bool, Fault> {
        let resource = Resource::AccessReview;
        let body = json!({
            "apiVersion": resource.api_version(),
            "kind": resource.kind(),
            "spec": {"resourceAttributes": {
                "namespace": namespace,
                "verb": action.verb,
                "group": action.group,
                "resource": action.resource,
            }},
        });
        let review = self
            .api
            .call::<AccessReview>(&Call::review(resource, &body))
            .await;
        let review = review.map_err(|failure| to_a_person(&failure, "your rights"))?;
        Ok(review.status.allowed)
    }

    async fn deployments(
        &self,
        namespace: &NamespaceName,
    ) -> Result<Vec<OperatorDeployment>, Fault> {
        let listing = Listing {
            resource: Resource::Deployment,
            namespace: Some(namespace),
            selector: OPERATOR_SELECTOR,
            fields: "",
            metadata_only: false,
        };
        let listed = self.api.list(listing, |mut found: Deployment| {
            Some(OperatorDeployment {
                version: found.metadata.labels.remove(VERSION_LABEL),
                name: found.metadata.name,
                // The default of Kubernetes.
                wanted: found.spec.replicas.unwrap_or(1),
                available: found.status.available_replicas,
            })
        });
        let subject = format!("Deployments of namespace {namespace}");
        listed
            .await
            .map_err(|failure| to_a_person(&failure, &subject))
    }

    async fn syncs(&self, namespace: &NamespaceName) -> Result<BTreeSet<String>, Fault> {
        let listing = Listing {
            resource: Resource::SecretSync,
            namespace: Some(namespace),
            selector: "",
            fields: "",
            metadata_only: true,
        };
        let listed = self
            .api
            .list(listing, |found: Named| Some(found.metadata.name));
        let subject = format!("SecretSyncs of namespace {namespace}");
        let names = listed.await;
        names
            .map(|names| names.into_iter().collect())
            .map_err(|failure| to_a_person(&failure, &subject))
    }

    async fn belongings(&self, namespace: &NamespaceName) -> Result<Vec<Belonging>, Fault> {
        let mut found = Vec::new();
        for (resource, label) in [
            (Resource::Secret, RECORD_LABEL),
            (Resource::Secret, MANAGED_LABEL),
            (Resource::ConfigMap, MANAGED_LABEL),
        ] {
            let selector = format!("{label}={TRUE}");
            let listing = Listing {
                resource,
                namespace: Some(namespace),
                selector: &selector,
                fields: "",
                metadata_only: true,
            };
            let listed = self.api.list(listing, |mut object: Named| {
                Some(Belonging {
                    kind: resource.kind(),
                    record: label == RECORD_LABEL,
                    owner: object.metadata.annotations.remove(OWNER_ANNOTATION),
                    name: object.metadata.name,
                })
            });
            let subject = format!("{}s of namespace {namespace}", resource.kind());
            let listed = listed.await;
            found.extend(listed.map_err(|failure| to_a_person(&failure, &subject))?);
        }
        Ok(found)
    }

    async fn leases(&self, namespace: &NamespaceName) -> Result<Vec<OperatorLease>, Fault> {
        let listing = Listing {
            resource: Resource::Lease,
            namespace: Some(namespace),
            selector: "",
            fields: "",
            metadata_only: false,
        };
        let listed = self.api.list(listing, |found: Lease| {
            Some(OperatorLease {
                name: found.metadata.name,
                holder: found
                    .spec
                    .holder_identity
                    .filter(|holder| !holder.is_empty()),
                renewed: found.spec.renew_time,
                seconds: found.spec.lease_duration_seconds.unwrap_or_default(),
            })
        });
        let subject = format!("Leases of namespace {namespace}");
        listed
            .await
            .map_err(|failure| to_a_person(&failure, &subject))
    }
}

/// What decides how objects are read: versions with their schemas.
fn schemas(definition: &CustomResourceDefinition) -> Vec<serde_json::Value> {
    let versions = definition.spec.versions.iter();
    versions
        .map(|version| json!({"name": version.name, "served": version.served, "schema": version.schema}))
        .collect()
}
