//! A SecretSync after `admit`: everything checked, nothing optional that has a default.
//!
//! What comes after this type is either infallible or I/O. It is built by [`crate::admit`] only.

mod host_file;
mod rollout;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;

pub use self::host_file::{HostCommand, HostFileDestination};
pub use self::rollout::{
    ChangeWindow, Previous, Rollout, Schedule, WaveMembers, WavePlan, WorkloadKind, WorkloadScope,
};
use crate::api::shared::MaskedText;
pub use crate::api::source::FileFormat;
use crate::names::{Key, NamespaceName, ObjectName, SourceName, SyncId, TargetName};
use crate::secret::SecretValue;
use crate::validate::Validator;

/// A SecretSync whose spec holds no contradiction.
#[derive(Debug, Clone)]
pub struct ValidatedSync {
    /// Which one.
    pub id: SyncId,
    /// The folder of the document that it was read from; empty for the operator, which has no files.
    pub folder: PathBuf,
    /// `metadata.generation`, which approvals and `observedGeneration` refer to.
    pub generation: i64,
    /// How often sources are read again.
    pub interval: Duration,
    /// Nothing is read or written while true.
    pub suspend: bool,
    /// What happens when one key comes from two places.
    pub conflicts: Conflicts,
    /// What is read, in order of precedence.
    pub sources: Vec<ValidatedSource>,
    /// What is made of it.
    pub transform: Transform,
    /// Where it is written, in the order of the spec.
    pub targets: Vec<ValidatedTarget>,
    /// What values must pass before anything is written.
    pub validators: Vec<Validator>,
    /// Names `spec.validate` and `spec.rollout` as they are: a verdict holds for as long as they stay so.
    pub rules: RulesDigest,
    /// How workloads are restarted.
    pub rollout: Rollout,
    /// `guards.maxDeletes`: deletions within 24 h beyond which a person decides.
    pub max_deletes: Option<u32>,
    /// What the record keeps.
    pub history: History,
}

/// A digest of the rules that a verdict was given under. Only the record keeps it, sealed: a rule may hold what
/// somebody took for a good place of a secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct RulesDigest(pub String);

/// What happens when one key comes from two sources, or from two folders of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Conflicts {
    /// The later source wins.
    #[default]
    LaterWins,
    /// The earlier source wins.
    FirstWins,
    /// The plan is blocked.
    Error,
}

/// One source.
#[derive(Debug, Clone)]
pub struct ValidatedSource {
    /// Its name.
    pub name: SourceName,
    /// What it reads from.
    pub origin: Origin,
    /// The environment, where the store has the notion.
    pub environment: Option<String>,
    /// The path in the store's own words, normalised: no leading slash, no `.` or `..` segment.
    /// A trailing slash means a folder.
    pub path: String,
    /// Which field of an entry is the value, where entries have several.
    pub field: Option<String>,
    /// One entry holds a document, whose members become keys.
    pub extract: Option<Extract>,
    /// How values are decoded after reading.
    pub decode: Option<Decode>,
    /// A pinned version.
    pub version: Option<String>,
    /// What only one kind of store understands.
    pub options: SourceOptions,
    /// Which entries are taken.
    pub select: EntrySelection,
    /// How they are renamed.
    pub rename: Rename,
    /// Keys (after renaming) without which the plan is blocked.
    pub require: Vec<Key>,
    /// What happens while this source does not answer.
    pub on_unavailable: OnUnavailable,
    /// `skipWhen` holds: it is not read, and what it gave before stays.
    pub skipped: bool,
}

/// What only one kind of store understands. Options of another kind than the store's are refused where
/// the store is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum SourceOptions {
    /// None are set.
    #[default]
    None,
    /// Vault and OpenBao.
    Vault {
        /// The mount of the KV engine; `None` is the store's own.
        mount: Option<String>,
    },
    /// Another namespace or cluster.
    Kubernetes {
        /// Reads a ConfigMap, not a Secret.
        config_map: bool,
    },
    /// Infisical.
    Infisical {
        /// What other folders bring in by import; `None` is whatever the caller may.
        imports: Option<bool>,
        /// Values in the place of references; `None` is whatever the caller may.
        references: Option<bool>,
    },
    /// Secret Manager of Google Cloud.
    GcpSecretManager {
        /// What the secrets of a folder must have.
        labels: BTreeMap<String, String>,
        /// What cannot be used counts as deleted.
        leave_out: bool,
    },
    /// Azure Key Vault.
    AzureKeyVault {
        /// What the secrets of a folder must have.
        tags: BTreeMap<String, String>,
        /// What cannot be used counts as deleted.
        leave_out: bool,
    },
    /// AWS Secrets Manager.
    AwsSecretsManager {
        /// Tags that a secret must have, all of them.
        tags: BTreeMap<String, String>,
    },
    /// A PostgreSQL database.
    Postgres {
        /// The table, by its name in the store.
        table: Option<String>,
        /// The query, by its name in the store.
        query: Option<String>,
        /// The values of the query's parameters.
        parameters: BTreeMap<String, String>,
        /// The columns to take; empty is all of them.
        columns: Vec<String>,
    },
    /// Any service.
    Http {
        /// The part of the answer that holds the entries; empty is the whole.
        result: String,
        /// The answer is one entry, as it is.
        raw: bool,
    },
}

/// What a source reads from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A store object.
    Store(StoreReference),
    /// A Secret of the sync's namespace.
    Secret {
        /// Its name.
        name: ObjectName,
        /// Its absence is an empty answer.
        optional: bool,
    },
    /// A ConfigMap of the sync's namespace.
    ConfigMap {
        /// Its name.
        name: ObjectName,
        /// Its absence is an empty answer.
        optional: bool,
    },
    /// Values that stand in the spec.
    Literal(BTreeMap<Key, SecretValue>),
    /// A file (CLI only).
    File {
        /// The file.
        place: FilePlace,
        /// Its absence is an empty answer.
        optional: bool,
    },
    /// The variables of the process, of which `select` names some (CLI only).
    ProcessEnvironment,
}

/// A file that a document names (CLI only).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePlace {
    /// The folder of the document, which the path starts from.
    pub folder: PathBuf,
    /// The path as it was written, parameters replaced. Nothing about it has been checked but its length and
    /// that it holds no control characters: whether it leaves the folder is seen where the file is opened.
    pub path: String,
    /// How the file is written down.
    pub format: FileFormat,
}

/// Which store object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreReference {
    /// Namespaced or cluster-wide.
    pub kind: StoreKind,
    /// Its name.
    pub name: ObjectName,
}

/// The two kinds of store objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum StoreKind {
    /// SecretStore, in the sync's namespace.
    #[default]
    Namespaced,
    /// ClusterSecretStore.
    Cluster,
}

/// How a document within one entry is taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extract {
    /// What the document is; none is JSON where it begins with `{`, an env file otherwise.
    pub format: Option<ExtractFormat>,
    /// Which part of a JSON document: dot-separated members and array indices; empty is the whole.
    pub property: String,
}

/// What a document within one entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtractFormat {
    /// A JSON object; strings as they are, anything else as JSON text.
    Json,
    /// An env file.
    Dotenv,
}

/// How values are decoded after reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decode {
    /// Base64, standard alphabet, padding optional; anything else blocks.
    Base64,
    /// Base64, URL alphabet, padding optional; anything else blocks.
    Base64Url,
    /// Either of them where a value is one, as it stands where it is not.
    Auto,
}

/// Which entries of an answer are taken. Every given part must agree.
#[derive(Debug, Clone, Default)]
pub struct EntrySelection {
    /// Folders below the path, too.
    pub recursive: bool,
    /// At least one of these tags; empty is no condition.
    pub tags_any: BTreeSet<String>,
    /// All of these tags.
    pub tags_all: BTreeSet<String>,
    /// Only these names; empty is no condition.
    pub keys: BTreeSet<String>,
    /// Only names that this matches.
    pub matching: Option<Regex>,
    /// Not these names.
    pub exclude: BTreeSet<String>,
}

/// How entries are renamed, in the order of the fields.
#[derive(Debug, Clone, Default)]
pub struct Rename {
    /// Cut off at the start, where it is there.
    pub strip_prefix: String,
    /// Replaced one after the other.
    pub replace: Vec<(Regex, String)>,
    /// Whole names for whole names.
    pub map: BTreeMap<String, String>,
    /// The case.
    pub case: Option<KeyCase>,
    /// Put in front.
    pub prefix: String,
}

/// Cases of key names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyCase {
    /// `SCREAMING_SNAKE`
    ScreamingSnake,
    /// `snake_case`
    Snake,
    /// `kebab-case`
    Kebab,
    /// `camelCase`
    Camel,
    /// `PascalCase`
    Pascal,
    /// `UPPER`, nothing else changed
    Upper,
    /// `lower`, nothing else changed
    Lower,
}

/// What happens while a source does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUnavailable {
    /// The whole sync stays at its last good revision (design decision 6).
    #[default]
    KeepLast,
    /// What answered is merged without it.
    UseOthers,
    /// The sync is not Ready; its last good content stays all the same.
    Fail,
}

/// What is made of the merged keys.
#[derive(Debug, Clone, Default)]
pub struct Transform {
    /// Keys that are made.
    pub data: BTreeMap<Key, Making>,
    /// Input keys that may be absent.
    pub optional: BTreeSet<Key>,
    /// Whether merged keys that `data` does not make are kept.
    pub keep_only_declared: bool,
}

/// How one key is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Making {
    /// A template over the merged keys; its syntax has been checked.
    Template(MaskedText),
    /// A template that lies in a ConfigMap of the namespace (a non-secret document).
    TemplateFrom {
        /// The ConfigMap.
        config_map: ObjectName,
        /// The key in it.
        key: Key,
    },
    /// A derived key.
    Derive(Derivation),
    /// The public half of an SSH private key, in `authorized_keys` form.
    SshPublicKey {
        /// The key that holds the private half.
        from: Key,
    },
}

/// How a key is derived from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derivation {
    /// The key that holds the seed.
    pub from: Key,
    /// The function.
    pub function: DerivationFunction,
    /// How the bytes are written.
    pub encode: Encoding,
}

/// Functions that derive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DerivationFunction {
    /// HKDF with SHA-256 (RFC 5869), without salt unless one is given.
    HkdfSha256 {
        /// The info text; a template over names, never over values.
        info: String,
        /// The salt text.
        salt: String,
        /// Length in bytes, 16 to 64.
        length: usize,
    },
    /// HMAC with SHA-256 (RFC 2104) of a message.
    HmacSha256 {
        /// The message.
        message: String,
    },
}

/// How bytes are written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Base64 with the URL alphabet, without padding.
    #[default]
    Base64Url,
    /// Base64 with the standard alphabet and padding.
    Base64,
    /// Lower case hexadecimal digits.
    Hex,
    /// The bytes as they are.
    Raw,
}

/// One target.
#[derive(Debug, Clone)]
pub struct ValidatedTarget {
    /// Its name.
    pub name: TargetName,
    /// What is written.
    pub destination: Destination,
    /// Which part of the bundle.
    pub select: TargetSelection,
    /// What happens at first contact with keys that exist and are not ours.
    pub adopt: Adopt,
    /// Whether several syncs own different keys of one object.
    pub share_keys: bool,
    /// Whether our keys are deleted when the sync goes.
    pub delete_with_sync: bool,
    /// Whether tampering is repaired, or only reported.
    pub repair: bool,
}

/// What a target writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A Secret of the sync's namespace.
    Secret(SecretDestination),
    /// A ConfigMap of the sync's namespace.
    ConfigMap(ConfigMapDestination),
    /// A file (CLI only).
    File(FileDestination),
    /// A file on a host (CLI only).
    HostFile(HostFileDestination),
}

impl Destination {
    /// The object's name; the path of a file, as it was written, after its store where it lies on a host.
    pub fn object_name(&self) -> &str {
        match self {
            Self::Secret(secret) => secret.name.as_str(),
            Self::ConfigMap(config_map) => config_map.name.as_str(),
            Self::File(file) => &file.place.path,
            Self::HostFile(host) => host.name(),
        }
    }

    /// The object's kind, as Kubernetes writes it, or `File`, or `HostFile`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Secret(_) => "Secret",
            Self::ConfigMap(_) => "ConfigMap",
            Self::File(_) => "File",
            Self::HostFile(_) => "HostFile",
        }
    }

    /// Whether an owner tag, labels and annotations can be put on it. A file has no place for them: there
    /// the record alone says what is ours.
    pub fn carries_marks(&self) -> bool {
        self.is_object()
    }

    /// Whether it is an object of a cluster.
    pub fn is_object(&self) -> bool {
        match self {
            Self::Secret(_) | Self::ConfigMap(_) => true,
            Self::File(_) | Self::HostFile(_) => false,
        }
    }

    /// The file that is written, where it is one, wherever it lies.
    pub fn file(&self) -> Option<&FileDestination> {
        match self {
            Self::Secret(_) | Self::ConfigMap(_) => None,
            Self::File(file) => Some(file),
            Self::HostFile(host) => Some(&host.file),
        }
    }
}

/// A file to write (CLI only).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDestination {
    /// The file.
    pub place: FilePlace,
    /// Keys and comments that are not ours stay.
    pub merge: bool,
}

/// A Secret to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretDestination {
    /// Its name.
    pub name: ObjectName,
    /// Its type, of the allow-list.
    pub secret_type: SecretType,
    /// Labels to set.
    pub labels: BTreeMap<String, String>,
    /// Annotations to set.
    pub annotations: BTreeMap<String, String>,
    /// Whether it is immutable.
    pub immutable: bool,
    /// Whether an object that cannot be changed is deleted and made anew.
    pub recreate: bool,
}

impl SecretDestination {
    /// An opaque Secret of this name with nothing else set.
    pub fn named(name: ObjectName) -> Self {
        Self {
            name,
            secret_type: SecretType::Opaque,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            immutable: false,
            recreate: false,
        }
    }
}

impl ConfigMapDestination {
    /// A ConfigMap of this name with nothing else set.
    pub fn named(name: ObjectName) -> Self {
        Self {
            name,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            immutable: false,
            recreate: false,
        }
    }
}

/// A ConfigMap to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigMapDestination {
    /// Its name.
    pub name: ObjectName,
    /// Labels to set.
    pub labels: BTreeMap<String, String>,
    /// Annotations to set.
    pub annotations: BTreeMap<String, String>,
    /// Whether it is immutable.
    pub immutable: bool,
    /// Whether an object that cannot be changed is deleted and made anew.
    pub recreate: bool,
}

/// Types of Secrets that may be written (rule 7): never service-account or bootstrap tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SecretType {
    /// `Opaque`
    #[default]
    Opaque,
    /// `kubernetes.io/dockerconfigjson`, with `.dockerconfigjson`
    DockerConfigJson,
    /// `kubernetes.io/tls`, with `tls.crt` and `tls.key`
    Tls,
    /// `kubernetes.io/ssh-auth`, with `ssh-privatekey`
    SshAuth,
    /// `kubernetes.io/basic-auth`, with `username` or `password`
    BasicAuth,
    /// A type of somebody's own: neither `kubernetes.io/…` nor `bootstrap.kubernetes.io/…` nor ours.
    Custom(String),
}

impl SecretType {
    /// The type as Kubernetes writes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Opaque => "Opaque",
            Self::DockerConfigJson => "kubernetes.io/dockerconfigjson",
            Self::Tls => "kubernetes.io/tls",
            Self::SshAuth => "kubernetes.io/ssh-auth",
            Self::BasicAuth => "kubernetes.io/basic-auth",
            Self::Custom(text) => text,
        }
    }
}

/// Which part of a bundle a target takes. Every given part must agree.
#[derive(Debug, Clone, Default)]
pub struct TargetSelection {
    /// At least one of these tags; empty is no condition.
    pub tags_any: BTreeSet<String>,
    /// All of these tags.
    pub tags_all: BTreeSet<String>,
    /// From one of these sources; empty is no condition.
    pub sources: BTreeSet<SourceName>,
    /// At or below one of these paths, on segment borders; empty is no condition.
    pub paths: Vec<String>,
    /// Only these keys, which are then spelt out (see the refused names of rule 7); empty is no condition.
    pub keys: BTreeSet<Key>,
    /// Only keys that this matches.
    pub matching: Option<Regex>,
}

/// What happens at first contact with keys that exist and are not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Adopt {
    /// They stay foreign.
    #[default]
    Never,
    /// Those that are equal become ours.
    IfEqual,
    /// They become ours and are overwritten.
    Always,
}

/// What the record keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Revisions besides the current one.
    pub older: usize,
    /// The oldest that one of them may be.
    pub max_age: Duration,
    /// `keep: none`: no values in the record at all, which gives up rule 8.
    pub keep_values: bool,
}

/// Who asks: the caller that authorisation is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Caller {
    /// The namespace of the object that asks.
    pub namespace: NamespaceName,
}
