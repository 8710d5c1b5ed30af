//! Where one value comes from, as flags and annotations say it.

use std::fmt;
use std::str::FromStr;

use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::sync::{StoreKind, StoreReference};

/// Where one value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::local) enum CredentialOrigin {
    /// A variable of the process or of a named env file.
    Variable(String),
    /// An open file descriptor, read once to its end.
    Descriptor(u32),
    /// An entry of another store among the documents.
    Store(StoreEntry),
}

/// One entry of a store among the documents: `store:STORE/PATH#KEY` or `clusterstore:STORE/PATH#KEY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreEntry {
    /// The store.
    pub store: StoreReference,
    /// The path in it.
    pub path: String,
    /// The entry or field; none where there is only one.
    pub key: Option<String>,
}

impl StoreEntry {
    /// What stands behind the kind's word and its colon; none where it is no entry.
    pub fn parse(kind: &str, text: &str) -> Option<Self> {
        let kind = match kind {
            "store" => StoreKind::Namespaced,
            "clusterstore" => StoreKind::Cluster,
            _ => return None,
        };
        let (store, path) = text.split_once('/')?;
        let (path, key) = match path.rsplit_once('#') {
            Some((path, key)) => (path, Some(key.to_owned())),
            None => (path, None),
        };
        Some(Self {
            store: StoreReference {
                kind,
                name: ObjectName::new(store).ok()?,
            },
            path: path.to_owned(),
            key: key.filter(|key| !key.is_empty()),
        })
    }
}

/// `env:VARIABLE`, `fd:NUMBER`, `store:STORE/PATH#KEY`, `clusterstore:STORE/PATH#KEY`.
impl FromStr for CredentialOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || {
            "write `env:VARIABLE`, `fd:NUMBER`, `store:STORE/PATH#KEY` or `clusterstore:STORE/PATH#KEY`"
                .to_owned()
        };
        let (kind, rest) = text.split_once(':').ok_or_else(form)?;
        match kind {
            "env" if !rest.is_empty() && !rest.contains('=') => Ok(Self::Variable(rest.to_owned())),
            "fd" => rest.parse().map(Self::Descriptor).map_err(|_| form()),
            kind => StoreEntry::parse(kind, rest)
                .map(Self::Store)
                .ok_or_else(form),
        }
    }
}

/// `variable VAULT_TOKEN`
impl fmt::Display for CredentialOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(formatter, "variable {name}"),
            Self::Descriptor(number) => write!(formatter, "file descriptor {number}"),
            Self::Store(entry) => write!(formatter, "{}, {}", entry.store, entry.path),
        }
    }
}

/// `--credential [NAMESPACE/]SECRET/KEY=FROM`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialFlag {
    pub(super) namespace: Option<NamespaceName>,
    pub(super) secret: ObjectName,
    pub(super) key: String,
    pub(super) origin: CredentialOrigin,
}

impl FromStr for CredentialFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "write `SECRET/KEY=FROM`, such as `vault/token=env:VAULT_TOKEN`".to_owned();
        // What stands right of `=` is repeated in no message: it may be a value, given by mistake.
        let (name, origin) = text.split_once('=').ok_or_else(form)?;
        let parts: Vec<&str> = name.split('/').collect();
        let (namespace, secret, key) = match parts.as_slice() {
            [secret, key] => (None, secret, key),
            [namespace, secret, key] => (Some(namespace), secret, key),
            _ => return Err(form()),
        };
        let namespace = namespace.map(|name| NamespaceName::new(*name)).transpose();
        Ok(Self {
            namespace: namespace.map_err(|error| format!("the namespace {error}"))?,
            secret: ObjectName::new(*secret).map_err(|error| format!("the Secret {error}"))?,
            key: (*key).to_owned(),
            origin: origin.parse()?,
        })
    }
}

/// `--credential` as it was given: a mistake in it is told by our own words, because those of the parser of arguments
/// would repeat what was given, and that may be a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenCredential(pub Result<CredentialFlag, String>);

impl FromStr for GivenCredential {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.parse()))
    }
}
