//! What a check-up asks of a cluster: facts, without a judgement.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use crate::fault::Fault;
use crate::names::NamespaceName;

/// How a definition of ours stands in a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefinitionState {
    /// It is not there.
    Missing,
    /// It is there with other schemas than this version's.
    Other,
    /// It is there as this version has it.
    Current,
}

/// Something that somebody may do, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action<'a> {
    /// The verb of RBAC.
    pub verb: &'a str,
    /// The API group; empty for the core.
    pub group: &'a str,
    /// The resource.
    pub resource: &'a str,
}

/// A Deployment of the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorDeployment {
    /// Its name.
    pub name: String,
    /// Replicas that are wanted.
    pub wanted: i32,
    /// Replicas that are available.
    pub available: i32,
    /// The version that it says it has.
    pub version: Option<String>,
}

/// A Lease in the operator's namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorLease {
    /// Its name.
    pub name: String,
    /// Who holds it; none when nobody does.
    pub holder: Option<String>,
    /// When it was renewed last.
    pub renewed: Option<Timestamp>,
    /// How long it lasts, in seconds.
    pub seconds: i32,
}

/// An object that carries a label of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Belonging {
    /// `Secret` or `ConfigMap`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Whether it is a record; else it is a target.
    pub record: bool,
    /// Whose it says it is.
    pub owner: Option<String>,
}

/// Looks at a cluster. Changes nothing.
#[async_trait]
pub trait ClusterFacts: Send + Sync {
    /// How the cluster's definition compares with `ours`.
    async fn definition(&self, ours: &CustomResourceDefinition) -> Result<DefinitionState, Fault>;

    /// Whether whoever asks may do `action` in `namespace`.
    async fn may(&self, action: Action<'_>, namespace: &NamespaceName) -> Result<bool, Fault>;

    /// The operator's Deployments in its namespace.
    async fn deployments(
        &self,
        namespace: &NamespaceName,
    ) -> Result<Vec<OperatorDeployment>, Fault>;

    /// The names of the SecretSyncs of a namespace.
    async fn syncs(&self, namespace: &NamespaceName) -> Result<BTreeSet<String>, Fault>;

    /// Objects of a namespace that carry a label of ours. Only their metadata are read.
    async fn belongings(&self, namespace: &NamespaceName) -> Result<Vec<Belonging>, Fault>;

    /// The Leases in its namespace.
    async fn leases(&self, namespace: &NamespaceName) -> Result<Vec<OperatorLease>, Fault>;
}
