//! ClusterSecretSync: one SecretSync stamped into every namespace that matches.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::null::null_is_empty;
use super::schema::{List, Map, ObjectName, Text};
use super::secret_sync::SecretSyncSpec;
use super::shared::LabelSelector;
use super::status::{Condition, PendingPlan};

/// What a ClusterSecretSync does.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "penstock.dev",
    version = "v1alpha1",
    kind = "ClusterSecretSync",
    plural = "clustersecretsyncs",
    shortname = "pcsync",
    category = "penstock",
    status = "ClusterSecretSyncStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "Stamps a SecretSync into every namespace that matches. A namespace that no longer matches keeps its Secrets.",
    annotation("helm.sh/resource-policy", "keep"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Namespaces", type_ = "string", json_path = ".status.summary"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSecretSyncSpec {
    /// Namespaces, by their labels. `{}` selects all.
    pub namespace_selector: LabelSelector,
    /// Name of the SecretSync in each namespace. Absent: the name of this object.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ObjectName>")]
    pub name: Option<String>,
    /// The SecretSync to stamp.
    pub template: SecretSyncTemplate,
}

/// A SecretSync to stamp.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretSyncTemplate {
    /// Labels and annotations of the SecretSync.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<TemplateMetadata>,
    /// Spec of the SecretSync.
    pub spec: SecretSyncSpec,
}

/// Labels and annotations of what is stamped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateMetadata {
    /// Labels of the SecretSync.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<Text<63>, 32>")]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the SecretSync. Those under `penstock.dev/` are refused.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<Text<4096>, 32>")]
    pub annotations: BTreeMap<String, String>,
}

/// What is known about a ClusterSecretSync.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSecretSyncStatus {
    /// Generation of the spec that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Reconciling and Stalled.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(
        with = "List<Condition, 16>",
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Vec<Condition>,
    /// Namespaces that are as they should be, of all that match: `12/12`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<32>>")]
    pub summary: Option<String>,
    /// How many namespaces are how far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<NamespaceCounts>,
    /// Namespaces that failed, at most 50.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(
        with = "List<FailedNamespace, 50>",
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["namespace"])
    )]
    pub failed: Vec<FailedNamespace>,
    /// The plan that waits for a person, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending_plan: Option<PendingPlan>,
}

/// How many namespaces are how far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceCounts {
    /// Namespaces that match.
    pub matching: u32,
    /// SecretSyncs that are ready.
    pub ready: u32,
    /// SecretSyncs that failed, or could not be stamped.
    pub failed: u32,
    /// SecretSyncs left in namespaces that no longer match.
    pub orphaned: u32,
}

/// A namespace that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailedNamespace {
    /// Name of the namespace.
    #[schemars(with = "Text<63>")]
    pub namespace: String,
    /// One word: why.
    #[schemars(with = "Text<64>")]
    pub reason: String,
    /// What is the matter and what to do about it.
    #[schemars(with = "Text<1024>")]
    pub message: String,
}
