//! A SecretSync after `admit`: everything checked, nothing optional that has a default.
//!
//! What comes after this type is either infallible or I/O. It is built by [`crate::admit`] only.

mod host_file;
mod rollout;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;

pub use self::host_file::{HostCommand, HostFileDestination};
pub use self::rollout::{
    ChangeWindow, Previous, Rollout, Schedule, WaveMembers, WavePlan, WorkloadKind, WorkloadScope,
};
pub use self::source::{
    Decode, EntrySelection, Extract, ExtractFormat, FilePlace, KeyCase, OnUnavailable, Origin,
    Rename, SourceOptions, StoreKind, StoreReference, ValidatedSource,
};
use crate::api::shared::MaskedText;
pub use crate::api::source::FileFormat;
use crate::names::{Key, NamespaceName, ObjectName, SourceName, SyncId, TargetName};
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
