//! SecretSync: sources, transformed, into targets, and rolled out.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::null::null_is_empty;
use super::rollout::Rollout;
use super::schema::{EntryName, Filled, Identifier, List, Map, at_least};
use super::shared::{GoDuration, Notice, Parameter};
use super::source::Source;
use super::status::SecretSyncStatus;
use super::target::Target;
use super::transform::Transform;
use super::validate::Validator;

/// What a SecretSync does.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "penstock.dev",
    version = "v1alpha1",
    kind = "SecretSync",
    plural = "secretsyncs",
    shortname = "psync",
    category = "penstock",
    namespaced,
    status = "SecretSyncStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "Brings the content of sources (vaults, Secrets and more) into targets (Secrets, ConfigMaps, stores), keeps them equal, and restarts the workloads that use them, once per change. Whoever may create one can read and write the Secrets of its namespace.",
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
    printcolumn(name = "Revision", type_ = "string", json_path = ".status.revision"),
    printcolumn(name = "Targets", type_ = "string", json_path = ".status.summary"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct SecretSyncSpec {
    /// Parameters of this document, set by the CLI's `--set NAME=VALUE`. `{{ NAME }}` is replaced in names,
    /// paths, environments, prefixes and patterns, never in values.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<Parameter, 32>")]
    pub parameters: BTreeMap<String, Parameter>,
    /// How often the sources are read again, give or take 10 %. At least 10s. Events and webhooks make a
    /// change arrive at once, whatever the interval. Absent: 10m.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = at_least("10s", "for faster changes use a webhook of the store"))]
    pub interval: Option<GoDuration>,
    /// true: nothing is read and nothing is written until it is false again. Absent: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// When two sources (or two folders of one) have the same key: laterWins, firstWins or error. Absent:
    /// laterWins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conflicts: Option<Conflicts>,
    /// Where to read, in the order of precedence.
    #[schemars(with = "List<Source, 32>", length(min = 1), extend("x-kubernetes-list-type" = "atomic"))]
    pub sources: Vec<Source>,
    /// Makes one bundle for each row of a source, instead of one. What a row made is removed, under the
    /// guards, when the row goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_each: Option<ForEach>,
    /// New keys made of the merged ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transform: Option<Transform>,
    /// Where to write.
    #[schemars(
        with = "List<Target, 64>",
        length(min = 1),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub targets: Vec<Target>,
    /// What the values must pass before anything is written, in this order.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Validator, 32>", extend("x-kubernetes-list-type" = "atomic"))]
    pub validate: Vec<Validator>,
    /// How workloads get a new revision. Absent: every workload of the namespace that uses a target is
    /// restarted, once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// What must not happen without a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guards: Option<Guards>,
    /// Revisions kept for repair and rollback, sealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
    /// Whom to tell, and when.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Notice, 16>", extend("x-kubernetes-list-type" = "atomic"))]
    pub notify: Vec<Notice>,
}

/// Which of two equal keys counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum Conflicts {
    /// That of the later source.
    #[default]
    LaterWins,
    /// That of the earlier source.
    FirstWins,
    /// None: the sync reports an error.
    Error,
}

/// One bundle per row of a source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForEach {
    /// Name of the source whose rows are taken.
    #[schemars(with = "EntryName")]
    pub source: String,
    /// What a row is called in templates and names: with `user`, its column `id` is `{{ user.id }}`.
    #[serde(rename = "as")]
    #[schemars(with = "Identifier")]
    pub alias: String,
    /// Columns that names and `info` may use. They must tell the rows apart.
    #[schemars(with = "List<Filled<63>, 8>", length(min = 1), extend("x-kubernetes-list-type" = "atomic"))]
    pub name_from: Vec<String>,
    /// Most rows; more of them block the sync. Absent: 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_items: Option<u32>,
}

/// What must not happen without a person.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Guards {
    /// Most keys that may be deleted within 24 hours. A plan over it waits until a person approves it.
    /// Absent: 10. A plan that empties a target, or deletes more than half of its keys and more than three,
    /// always waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 10_000))]
    pub max_deletes: Option<u32>,
}

/// Revisions kept for repair and rollback.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.keep) || self.keep != 'none' || (!has(self.older) && !has(self.maxAge))").message("keep: none keeps no revision: remove older and maxAge"))]
pub struct History {
    /// Revisions kept besides the current one. Absent: 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 20))]
    pub older: Option<u32>,
    /// Age at which an older revision is purged. Absent: 720h.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<GoDuration>,
    /// revisions, or none: no value is kept at all, and repair and rollback then need the vault. Absent:
    /// revisions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<HistoryKeep>,
}

/// Whether values are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum HistoryKeep {
    /// The current revision and older ones.
    #[default]
    Revisions,
    /// Nothing: repair and rollback need the vault.
    None,
}
