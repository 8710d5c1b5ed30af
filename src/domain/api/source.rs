//! `spec.sources[]`: what to read, and how to select and rename it.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::aws::AwsSecretsManagerSourceOptions;
use super::azure_key_vault::AzureSourceOptions;
use super::gcp_secret_manager::GcpSourceOptions;
use super::http::HttpSourceOptions;
use super::infisical::InfisicalSourceOptions;
use super::null::null_is_empty;
use super::one_of::one_of;
use super::postgres::PostgresSourceOptions;
use super::schema::{
    EntryName, Filled, List, Map, ObjectNameTemplate, Text, at_most_one, exactly_one, only_with,
};
use super::select::{KeyCase, SourceSelect};
use super::shared::{MaskedText, StoreRef};

/// One source of a sync. Exactly one of `store`, `secret`, `configMap`, `literal`, `file`,
/// `processEnvironment` says where it reads from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = exactly_one(Source::MEMBERS, "a source reads from exactly one place"),
    validation = only_with(
        "store",
        &["environment", "path", "field", "version", "options"],
        "environment, path, field, version and options describe an entry of a store: set them beside store, or remove them",
    ),
)]
pub struct Source {
    /// Name of the source, unique in the list. Status, plans and `select.sources` use it.
    #[schemars(with = "EntryName")]
    pub name: String,

    /// Reads from a SecretStore or ClusterSecretStore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreRef>,
    /// Reads a Secret of the same namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<ObjectSource>,
    /// Reads a ConfigMap of the same namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ObjectSource>,
    /// Keys and values written out here, for what is not secret: everybody who may read the
    /// SecretSync sees them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Map<Text<65536>, 256>>")]
    pub literal: Option<BTreeMap<String, MaskedText>>,
    /// Reads a file. Works in the CLI only; the operator refuses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<FileSource>,
    /// Reads the variables of the process. Works in the CLI only; the operator refuses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_environment: Option<ProcessEnvironmentSource>,

    /// Environment, for stores that have the notion (`prod`, `dev`); for Doppler the config. May hold `{{ parameters }}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub environment: Option<String>,
    /// Folder, path, prefix, item folder or table, in the store's own words. For Vault the path under
    /// the mount; ending in `/` it is a folder. For the Kubernetes provider the name of the object. For
    /// Infisical the folder. For Bitwarden the folder or collection, or an item in it; for its Secrets Manager
    /// the project, or a secret in it. For Google Cloud and Azure the name of a secret; ending in `/`, or absent,
    /// a folder: what stands before the store's `separator`. For AWS the name of a secret or parameter; ending in
    /// `/`, or absent, a folder. For Postgres the folder that a table's rows lie in. For Doppler the project. For
    /// 1Password the item, after its vault where the store names none. For `http` what follows the address. May
    /// hold `{{ parameters }}`. Absent: the store's root.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<1024>>")]
    pub path: Option<String>,
    /// Field of an entry that has several (item field, JSON property). Absent: the store's own default;
    /// for Vault every field of the entry, for Infisical every secret of the folder, for Bitwarden the
    /// password of a login, the text of a note and the private key of an SSH key, for Google Cloud, Azure
    /// and AWS the whole secret, for Postgres every key, for Doppler every secret of the config, for 1Password
    /// every field of the item (one of a section as `section.field`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub field: Option<String>,
    /// Takes the source's one entry apart: its value is a JSON object or a dotenv file, whose members
    /// become the keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extract: Option<Extract>,
    /// Decodes every value: base64, base64url, or auto (decodes what is valid base64 and leaves the
    /// rest). Absent: values are taken as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decode: Option<Decode>,
    /// Pins one version of the entry, in the store's own words. Absent: the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<128>>")]
    pub version: Option<String>,
    /// What only one kind of store understands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<SourceOptions>,

    /// Which keys to take. Absent: all of them, of this folder only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub select: Option<SourceSelect>,
    /// How to rename the keys, after selection. The steps run in this order: stripPrefix, replace,
    /// map, case, prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rename: Option<Rename>,
    /// Keys (after renaming) that must be there. If one is absent, nothing is written and the condition
    /// names it.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Filled<512>, 256>")]
    pub require: Vec<String>,
    /// What happens while this source cannot be read: keepLast (the whole sync stays at its last good
    /// revision), useOthers (the sources that answered are merged without this one), fail (the sync
    /// reports an error; targets stay as they are). Absent: keepLast.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_unavailable: Option<OnUnavailable>,
    /// Leaves the source out under a condition on the process. Works in the CLI only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_when: Option<SkipWhen>,
}

one_of! {
    /// What a source reads from.
    Source => Origin {
        /// A store object.
        Store(StoreRef) = store "store",
        /// A Secret of the namespace.
        Secret(ObjectSource) = secret "secret",
        /// A ConfigMap of the namespace.
        ConfigMap(ObjectSource) = config_map "configMap",
        /// Values written out.
        Literal(BTreeMap<String, MaskedText>) = literal "literal",
        /// A file (CLI only).
        File(FileSource) = file "file",
        /// The variables of the process (CLI only).
        ProcessEnvironment(ProcessEnvironmentSource) = process_environment "processEnvironment",
    }
}

/// A Secret or ConfigMap of the sync's namespace, read as a source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectSource {
    /// Name of the object, in the namespace of the sync. May hold `{{ parameters }}`.
    #[schemars(with = "ObjectNameTemplate")]
    pub name: String,
    /// true: an absent object is an empty source. Absent or false: it blocks the sync.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
}

/// A file, read as a source (CLI only).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileSource {
    /// Path of the file, relative to the folder of this document. May hold `{{ parameters }}`.
    #[schemars(with = "Filled<1024>")]
    pub path: String,
    /// dotenv, json, yaml, export, dockerEnv or githubEnv (to write only). Absent: by the file's name, else dotenv.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<FileFormat>,
    /// true: an absent file is an empty source. Absent or false: it is an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
}

/// The variables of the process, read as a source (CLI only). `select` says which. An empty variable is as
/// good as none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProcessEnvironmentSource {}

/// How a file is written down.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum FileFormat {
    /// `KEY=value` lines with the quoting of dotenv.
    Dotenv,
    /// One JSON object of strings.
    Json,
    /// One YAML mapping of strings.
    Yaml,
    /// `export KEY='value'` lines for a POSIX shell.
    Export,
    /// `KEY=value` lines as `docker run --env-file` reads them: no quoting.
    DockerEnv,
    /// The file that `$GITHUB_ENV` names, with masks.
    GithubEnv,
}

impl FileFormat {
    /// Whether its keys are names of variables.
    pub fn holds_variables(self) -> bool {
        match self {
            Self::Dotenv | Self::Export | Self::DockerEnv | Self::GithubEnv => true,
            Self::Json | Self::Yaml => false,
        }
    }
}

/// How one entry is taken apart.
// Its presence alone says that it is: see `polish` in `crds.rs`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct Extract {
    /// json or dotenv. Absent: json when the value begins with `{`, else dotenv.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<ExtractFormat>,
    /// Part of a JSON document to take apart: members and array indices joined by dots, such as
    /// `data.env`. Absent: the whole document.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<1024>>")]
    pub property: Option<String>,
}

/// What an entry holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum ExtractFormat {
    /// A JSON object.
    Json,
    /// A dotenv file.
    Dotenv,
}

/// How values are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum Decode {
    /// Standard base64; anything else is an error.
    Base64,
    /// URL-safe base64; anything else is an error.
    Base64url,
    /// Decodes what is valid base64 of either kind, leaves the rest.
    Auto,
}

/// What to do while a source cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum OnUnavailable {
    /// The whole sync stays at its last good revision.
    #[default]
    KeepLast,
    /// The sources that answered are merged, in their order.
    UseOthers,
    /// The sync reports an error.
    Fail,
}

/// A condition on the process (CLI only).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkipWhen {
    /// The source is left out when the process has all of these variables.
    #[schemars(with = "List<Filled<253>, 32>", length(min = 1))]
    pub variables_set: Vec<String>,
}

/// What only one kind of store understands, when it is read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = at_most_one(SourceOptions::MEMBERS, "options belong to one store"),
)]
pub struct SourceOptions {
    /// For a store whose provider is `vault`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault: Option<VaultSourceOptions>,
    /// For a store whose provider is `kubernetes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<KubernetesSourceOptions>,
    /// For a store whose provider is `infisical`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub infisical: Option<InfisicalSourceOptions>,
    /// For a store whose provider is `gcpSecretManager`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gcp_secret_manager: Option<GcpSourceOptions>,
    /// For a store whose provider is `azureKeyVault`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub azure_key_vault: Option<AzureSourceOptions>,
    /// For a store whose provider is `awsSecretsManager`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws_secrets_manager: Option<AwsSecretsManagerSourceOptions>,
    /// For a store whose provider is `postgres`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres: Option<PostgresSourceOptions>,
    /// For a store whose provider is `http`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpSourceOptions>,
}

one_of! {
    /// Whose options they are.
    SourceOptions => StoreOptions {
        /// Vault or OpenBao.
        Vault(VaultSourceOptions) = vault "vault",
        /// Another namespace or cluster.
        Kubernetes(KubernetesSourceOptions) = kubernetes "kubernetes",
        /// Infisical.
        Infisical(InfisicalSourceOptions) = infisical "infisical",
        /// Secret Manager of Google Cloud.
        GcpSecretManager(GcpSourceOptions) = gcp_secret_manager "gcpSecretManager",
        /// Azure Key Vault.
        AzureKeyVault(AzureSourceOptions) = azure_key_vault "azureKeyVault",
        /// AWS Secrets Manager.
        AwsSecretsManager(AwsSecretsManagerSourceOptions) = aws_secrets_manager "awsSecretsManager",
        /// A PostgreSQL database.
        Postgres(PostgresSourceOptions) = postgres "postgres",
        /// Any service.
        Http(HttpSourceOptions) = http "http",
    }
}

/// What becomes of a folder with an entry that is there and cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum Unusable {
    /// Nothing of the folder is taken.
    #[default]
    Fail,
    /// It counts as deleted.
    LeaveOut,
}

/// Options of a source in Vault or OpenBao.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultSourceOptions {
    /// Mount of the KV engine to read. Absent: the store's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub mount: Option<String>,
}

/// Options of a source in another namespace or cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesSourceOptions {
    /// Secret or ConfigMap. Absent: Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<ObjectKind>,
}

/// The kinds of object that hold data.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[schemars(description = "")]
pub enum ObjectKind {
    /// `v1` Secret.
    #[default]
    Secret,
    /// `v1` ConfigMap.
    ConfigMap,
}

/// How keys are renamed: each step that is set runs, in the order of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rename {
    /// First: removes this prefix from keys that have it. May hold `{{ parameters }}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub strip_prefix: Option<String>,
    /// Second: replaces what a pattern matches, each rule in turn.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Replace, 16>", extend("x-kubernetes-list-type" = "atomic"))]
    pub replace: Vec<Replace>,
    /// Third: gives single keys another name, old to new.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<Filled<512>, 256>")]
    pub map: BTreeMap<String, String>,
    /// Fourth: changes the case: keep, upper, lower, snake, screamingSnake, kebab, camel or pascal. Absent:
    /// keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<KeyCase>,
    /// Last: puts this before every key. May hold `{{ parameters }}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<253>>")]
    pub prefix: Option<String>,
}

/// One replacement in key names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replace {
    /// Regular expression (Rust's regex syntax, linear time); every match is replaced.
    #[schemars(with = "Filled<512>")]
    pub matching: String,
    /// What stands there instead; `$1` is the first group. Absent: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<253>>")]
    pub with: Option<String>,
}
