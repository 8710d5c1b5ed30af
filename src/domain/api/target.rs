//! `spec.targets[]`: the places that (part of) the bundle is written to.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::null::null_is_empty;
use super::one_of::one_of;
use super::schema::{
    EntryName, Filled, List, Map, ObjectNameTemplate, StatusCode, Text, WebAddress, at_most_one,
    exactly_one, only_with,
};
use super::select::{KeyCase, TargetSelect};
use super::shared::{GoDuration, StoreRef};
use super::source::{FileFormat, ObjectKind};
use super::ssh::SshTargetOptions;
use super::then::Action;

/// One place to write to. Exactly one of `secret`, `configMap`, `store`, `file` says where.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = exactly_one(Target::MEMBERS, "a target is exactly one place"),
    validation = only_with(
        "store",
        &["path", "as", "naming", "options", "cleanupGrace"],
        "path, as, naming, options and cleanupGrace describe a store: set them beside store, or remove them",
    ),
)]
pub struct Target {
    /// Name of the target, unique in the list. Status and plans use it; changing it makes a new target.
    #[schemars(with = "EntryName")]
    pub name: String,

    /// Writes a Secret of the same namespace. `{}` is a Secret named like the sync.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretTarget>,
    /// Writes a ConfigMap of the same namespace, for what is not secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapTarget>,
    /// Writes to a SecretStore or ClusterSecretStore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreRef>,
    /// Writes a file. Works in the CLI only; the operator refuses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<FileTarget>,

    /// Which keys of the bundle this target gets. Absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub select: Option<TargetSelect>,
    /// Whether keys that exist already and are not ours are taken over: never, ifEqual (only where the
    /// value is the same) or always. Absent: never; such keys are left alone and reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adopt: Option<Adopt>,
    /// none (the object is this sync's alone) or keys (several syncs own different keys of it; all of
    /// them must say so). Absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<Share>,
    /// What happens to what we wrote when the SecretSync is deleted: retain or delete. Absent: retain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_delete: Option<OnDelete>,
    /// What happens when somebody else changed what we wrote: repair (write it again) or report (a
    /// condition only). Absent: repair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tampering: Option<Tampering>,
    /// Name of the wave of `rollout.waves` at whose start this target is written. Absent: before the
    /// first wave.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<EntryName>")]
    pub wave: Option<String>,

    /// Where in the store: folder, path or prefix in the store's own words. May hold `{{ parameters }}`.
    /// Absent: the store's root.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<1024>>")]
    pub path: Option<String>,
    /// keys (one entry per key), json or dotenv (one entry, at `path`, that holds the bundle). Absent:
    /// keys.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
    /// How a key becomes the name of an entry. Two keys that give one name are an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub naming: Option<Naming>,
    /// What only one kind of store understands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<TargetOptions>,
    /// When it is written: immediately, or after the rollout (once the workloads are healthy on the
    /// revision). Absent: immediately.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<After>,
    /// What to do once after this target got a new revision, each on its own.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Action, 8>", extend("x-kubernetes-list-type" = "atomic"))]
    pub then: Vec<Action>,
    /// Asks an address, after `then`, whether what uses this target is well. If not, the rollout fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
    /// How long the deletion of the SecretSync waits for a store that cannot be reached, before it lets
    /// go and tells what was left behind. Absent: 1h. Only matters with `onDelete: delete`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleanup_grace: Option<GoDuration>,
}

one_of! {
    /// Where a target lies.
    Target => Destination {
        /// A Secret of the namespace.
        Secret(SecretTarget) = secret "secret",
        /// A ConfigMap of the namespace.
        ConfigMap(ConfigMapTarget) = config_map "configMap",
        /// A store object.
        Store(StoreRef) = store "store",
        /// A file (CLI only).
        File(FileTarget) = file "file",
    }
}

/// A Secret of the sync's namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretTarget {
    /// Name of the Secret. May hold `{{ parameters }}`. Absent: the name of the sync.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ObjectNameTemplate>")]
    pub name: Option<String>,
    /// Type of the Secret: Opaque, kubernetes.io/dockerconfigjson, kubernetes.io/tls,
    /// kubernetes.io/ssh-auth or kubernetes.io/basic-auth; its required keys are checked. Absent: Opaque.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub secret_type: Option<String>,
    /// Labels to put on the Secret.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<Text<63>, 32>")]
    pub labels: BTreeMap<String, String>,
    /// Annotations to put on the Secret.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<Text<4096>, 32>")]
    pub annotations: BTreeMap<String, String>,
    /// true: the Secret cannot be edited. It can then change only with `recreate`. Absent: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub immutable: Option<bool>,
    /// true: the Secret may be deleted and made again where an edit is impossible (another type, an
    /// immutable one). Absent: false; such a change is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recreate: Option<bool>,
}

/// A ConfigMap of the sync's namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapTarget {
    /// Name of the ConfigMap. May hold `{{ parameters }}`. Absent: the name of the sync.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ObjectNameTemplate>")]
    pub name: Option<String>,
    /// Labels to put on the ConfigMap.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<Text<63>, 32>")]
    pub labels: BTreeMap<String, String>,
    /// Annotations to put on the ConfigMap.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<Text<4096>, 32>")]
    pub annotations: BTreeMap<String, String>,
    /// true: the ConfigMap cannot be edited. It can then change only with `recreate`. Absent: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub immutable: Option<bool>,
    /// true: the ConfigMap may be deleted and made again where an edit is impossible. Absent: false; such
    /// a change is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recreate: Option<bool>,
}

/// A file (CLI only).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileTarget {
    /// Path of the file, relative to the folder of this document. May hold `{{ parameters }}`.
    #[schemars(with = "Filled<1024>")]
    pub path: String,
    /// dotenv, json, yaml, export, dockerEnv or githubEnv. Absent: by the file's name, else dotenv.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<FileFormat>,
    /// true: keys and comments that are not ours stay in the file. Absent or false: a file with keys that
    /// are not ours is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<bool>,
}

/// Whether foreign keys are taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum Adopt {
    /// Foreign keys are left alone.
    #[default]
    Never,
    /// Foreign keys that hold the same value are taken over.
    IfEqual,
    /// Foreign keys are taken over and overwritten.
    Always,
}

/// Whether an object is shared with other syncs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum Share {
    /// The object is this sync's alone.
    #[default]
    None,
    /// Several syncs own different keys.
    Keys,
}

/// What happens at the end of the sync.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum OnDelete {
    /// What was written stays.
    #[default]
    Retain,
    /// What is ours is deleted.
    Delete,
}

/// What happens when a target was changed by somebody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum Tampering {
    /// It is written again.
    #[default]
    Repair,
    /// It is reported only.
    Report,
}

/// How the bundle lies in a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum Layout {
    /// One entry per key.
    #[default]
    Keys,
    /// One entry that holds a JSON object.
    Json,
    /// One entry that holds a dotenv file.
    Dotenv,
}

/// When a target is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum After {
    /// With the Secrets.
    #[default]
    Immediately,
    /// Once the workloads are healthy on the revision.
    Rollout,
}

/// How a key becomes the name of an entry; reversible.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Naming {
    /// Stands before the key. May hold `{{ parameters }}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<253>>")]
    pub prefix: Option<String>,
    /// Stands after the key. May hold `{{ parameters }}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<253>>")]
    pub suffix: Option<String>,
    /// Case of the key: keep, upper, lower, snake, screamingSnake, kebab, camel or pascal. Absent: keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<KeyCase>,
}

/// What only one kind of store understands, when it is written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = at_most_one(&["vault", "kubernetes", "ssh"], "options belong to one store"),
)]
pub struct TargetOptions {
    /// For a store whose provider is `vault`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault: Option<VaultTargetOptions>,
    /// For a store whose provider is `kubernetes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<KubernetesTargetOptions>,
    /// For a store whose provider is `ssh`: the target is the file at `path` on the host. Works in the CLI only;
    /// the operator refuses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh: Option<SshTargetOptions>,
}

/// Options of a target in Vault or OpenBao.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultTargetOptions {
    /// Mount of the KV engine to write. Absent: the store's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub mount: Option<String>,
}

/// Options of a target in another namespace or cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesTargetOptions {
    /// Secret or ConfigMap. Absent: Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<ObjectKind>,
}

/// An address that says whether what uses the target is well.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheck {
    /// Address to ask by GET, every few seconds until it answers as expected.
    #[schemars(with = "WebAddress")]
    pub url: String,
    /// Status codes that count as well. Absent or empty: 200 to 299.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<StatusCode, 16>")]
    pub expect_status: Vec<u16>,
    /// How long it may take until the answer is as expected. Absent: 5m.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<GoDuration>,
}
