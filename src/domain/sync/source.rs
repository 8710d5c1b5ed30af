//! Sources after `admit`: what is read, and how it is selected and renamed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use regex::Regex;

use crate::api::source::FileFormat;
use crate::names::{Key, ObjectName, SourceName};
use crate::secret::SecretValue;

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
