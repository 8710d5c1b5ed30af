//! Where each key of a Secret comes from that stores and sources name, and how it is fetched.
//!
//! In this order: `--credential` of the invocation, the annotation `penstock.dev/from.KEY` of a Secret document,
//! its `data`. Never the value of a flag, and no file that nobody named.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::str::FromStr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use async_trait::async_trait;
use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::{NamespaceName, ObjectName, SourceName, SyncId};
use penstock_domain::ports::{Freshness, Sources};
use penstock_domain::reserved::ACCEPT_FROM_ANNOTATION;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{Credentials, DataKind, DataObject, DataObjects, TokenRequest};
use penstock_domain::sync::{
    EntrySelection, OnUnavailable, Origin, Rename, SourceOptions, StoreKind, StoreReference,
    ValidatedSource,
};
use zeroize::Zeroizing;

use super::variables::Variables;
use crate::documents::{Documents, ObjectId};

/// The annotations of a Secret document that say where a key comes from.
const FROM_PREFIX: &str = "penstock.dev/from.";
/// The most bytes that a file descriptor may give.
const MAX_DESCRIPTOR_BYTES: u64 = 1024 * 1024;
/// On whose behalf credentials are read from another store.
const READER: &str = "credentials";

/// Where one value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CredentialOrigin {
    /// A variable of the process or of a named env file.
    Variable(String),
    /// An open file descriptor, read once to its end.
    Descriptor(u32),
    /// An entry of another store among the documents.
    Store {
        /// The store.
        store: StoreReference,
        /// The path in it.
        path: String,
        /// The entry or field; none where there is only one.
        key: Option<String>,
    },
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
            "store" => entry(StoreKind::Namespaced, rest).ok_or_else(form),
            "clusterstore" => entry(StoreKind::Cluster, rest).ok_or_else(form),
            _ => Err(form()),
        }
    }
}

fn entry(kind: StoreKind, text: &str) -> Option<CredentialOrigin> {
    let (store, path) = text.split_once('/')?;
    let (path, key) = match path.rsplit_once('#') {
        Some((path, key)) => (path, Some(key.to_owned())),
        None => (path, None),
    };
    Some(CredentialOrigin::Store {
        store: StoreReference {
            kind,
            name: ObjectName::new(store).ok()?,
        },
        path: path.to_owned(),
        key: key.filter(|key| !key.is_empty()),
    })
}

/// `variable VAULT_TOKEN`
impl fmt::Display for CredentialOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(formatter, "variable {name}"),
            Self::Descriptor(number) => write!(formatter, "file descriptor {number}"),
            Self::Store { store, path, .. } => write!(formatter, "{store}, {path}"),
        }
    }
}

/// `--credential [NAMESPACE/]SECRET/KEY=FROM`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialFlag {
    namespace: Option<NamespaceName>,
    secret: ObjectName,
    key: String,
    origin: CredentialOrigin,
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

/// What is known of one key.
#[derive(Debug, Clone)]
enum Known {
    Value(SecretValue),
    From(CredentialOrigin),
}

/// One Secret, as documents and flags describe it.
#[derive(Debug, Clone, Default)]
struct KnownSecret {
    keys: BTreeMap<String, Known>,
    accept_from: Option<String>,
}

/// Which Secrets there are, and where their keys come from. Nothing has been fetched.
#[derive(Debug, Clone, Default)]
pub struct SecretMap {
    secrets: BTreeMap<ObjectId, KnownSecret>,
}

/// A Secret document says of a key that it comes from nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadOrigin {
    pub(super) secret: ObjectId,
    pub(super) annotation: String,
    pub(super) message: String,
}

impl SecretMap {
    /// From documents and flags; flags win. Secrets without a namespace in a flag lie in `default`.
    pub(super) fn new(
        documents: &Documents,
        flags: &[&CredentialFlag],
        default: &NamespaceName,
    ) -> Result<Self, Vec<BadOrigin>> {
        let (mut secrets, mut bad) = (BTreeMap::<ObjectId, KnownSecret>::new(), Vec::new());
        for (id, document) in &documents.secrets {
            let values = document.data.iter();
            let mut known = KnownSecret {
                keys: values
                    .map(|(key, value)| (key.clone(), Known::Value(value.clone())))
                    .collect(),
                accept_from: document.annotations.get(ACCEPT_FROM_ANNOTATION).cloned(),
            };
            for (annotation, text) in &document.annotations {
                let Some(key) = annotation.strip_prefix(FROM_PREFIX) else {
                    continue;
                };
                match text.parse() {
                    Ok(origin) => {
                        known.keys.insert(key.to_owned(), Known::From(origin));
                    }
                    Err(message) => bad.push(BadOrigin {
                        secret: id.clone(),
                        annotation: annotation.clone(),
                        message,
                    }),
                }
            }
            secrets.insert(id.clone(), known);
        }
        for flag in flags {
            let id = ObjectId {
                namespace: flag.namespace.clone().unwrap_or_else(|| default.clone()),
                name: flag.secret.clone(),
            };
            let origin = Known::From(flag.origin.clone());
            let secret = secrets.entry(id).or_default();
            secret.keys.insert(flag.key.clone(), origin);
        }
        if bad.is_empty() {
            Ok(Self { secrets })
        } else {
            Err(bad)
        }
    }

    /// Where a key comes from, when that is not the document itself.
    pub(super) fn origin(&self, id: &ObjectId, key: &str) -> Option<&CredentialOrigin> {
        match self.secrets.get(id)?.keys.get(key)? {
            Known::Value(_) => None,
            Known::From(origin) => Some(origin),
        }
    }

    /// Where the keys of a Secret come from, those of the document itself left out.
    pub(super) fn origins(&self, id: &ObjectId) -> impl Iterator<Item = &CredentialOrigin> {
        let keys = self.secrets.get(id).map(|secret| secret.keys.values());
        keys.into_iter().flatten().filter_map(|known| match known {
            Known::Value(_) => None,
            Known::From(origin) => Some(origin),
        })
    }
}

/// Fetches what stores log in with, and reads Secrets and ConfigMaps that are sources.
pub struct LocalCredentials {
    secrets: SecretMap,
    config_maps: BTreeMap<ObjectId, BTreeMap<String, SecretValue>>,
    variables: Variables,
    /// The registry, which holds this object itself.
    stores: OnceLock<Weak<dyn Sources>>,
    /// Secrets and ConfigMaps of a cluster, for sources that no document describes.
    cluster: Option<Arc<dyn DataObjects>>,
    descriptors: Mutex<BTreeMap<u32, SecretValue>>,
}

impl LocalCredentials {
    /// What documents, flags and variables give; sources that no document describes are looked for in `cluster`.
    pub fn new(
        secrets: SecretMap,
        documents: &Documents,
        variables: Variables,
        cluster: Option<Arc<dyn DataObjects>>,
    ) -> Self {
        let config_maps = documents.config_maps.iter();
        Self {
            secrets,
            config_maps: config_maps
                .map(|(id, document)| (id.clone(), document.data.clone()))
                .collect(),
            variables,
            stores: OnceLock::new(),
            cluster,
            descriptors: Mutex::default(),
        }
    }

    /// Says through whom other stores are read. To be called once, before the first read.
    pub fn read_stores_through(&self, stores: Weak<dyn Sources>) {
        // A second call would come from a second registry, which never is.
        let _first = self.stores.set(stores);
    }

    async fn value(&self, id: &ObjectId, key: &str) -> Result<SecretValue, Fault> {
        let secret = self.secrets.secrets.get(id).ok_or_else(|| absent(id))?;
        let known = secret.keys.get(key).ok_or_else(|| {
            let message = format!("it has no key {}", key.escape_debug());
            Fault::new(FaultClass::NotFound, format!("Secret {id}"), message)
        })?;
        match known {
            Known::Value(value) => Ok(value.clone()),
            Known::From(origin) => self.fetch(id, key, origin).await,
        }
    }

    async fn fetch(
        &self,
        id: &ObjectId,
        key: &str,
        origin: &CredentialOrigin,
    ) -> Result<SecretValue, Fault> {
        match origin {
            CredentialOrigin::Variable(name) => {
                self.variables.get(name).cloned().ok_or_else(|| {
                    let message =
                        format!("key {key} comes from the variable {name}, which is not set");
                    Fault::new(FaultClass::NotFound, format!("Secret {id}"), message).hint(format!(
                        "Set {name}, or name an env file that has it by `--env-file`"
                    ))
                })
            }
            CredentialOrigin::Descriptor(number) => self.descriptor(id, *number),
            CredentialOrigin::Store { store, path, key } => {
                self.fetch_from_store(id, (store, path, key.as_deref()))
                    .await
            }
        }
    }

    /// Read once: a pipe has nothing the second time.
    fn descriptor(&self, id: &ObjectId, number: u32) -> Result<SecretValue, Fault> {
        let mut read = self
            .descriptors
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = read.get(&number) {
            return Ok(value.clone());
        }
        let failed = |message: &str| {
            let message = format!("file descriptor {number} {message}");
            Fault::new(FaultClass::Invalid, format!("Secret {id}"), message)
        };
        let file = File::open(format!("/dev/fd/{number}")).map_err(|_| failed("is not open"))?;
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(MAX_DESCRIPTOR_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|_| failed("cannot be read"))?;
        if bytes.len() as u64 > MAX_DESCRIPTOR_BYTES {
            return Err(failed("gives more than 1 MiB"));
        }
        let value = SecretValue::new(bytes.strip_suffix(b"\n").unwrap_or(&bytes));
        read.insert(number, value.clone());
        Ok(value)
    }

    async fn fetch_from_store(
        &self,
        id: &ObjectId,
        (store, path, key): (&StoreReference, &str, Option<&str>),
    ) -> Result<SecretValue, Fault> {
        let subject = format!("Secret {id} ({store})");
        let gone = || {
            Fault::new(
                FaultClass::Unavailable,
                &*subject,
                "no store can be read yet",
            )
        };
        let stores = self.stores.get().and_then(Weak::upgrade).ok_or_else(gone)?;
        let reader = SyncId {
            namespace: id.namespace.clone(),
            name: ObjectName::new(READER).map_err(|_| gone())?,
        };
        let source = entry_source(store, path).ok_or_else(gone)?;
        let freshness = Freshness::Within(std::time::Duration::from_hours(1));
        let snapshot = stores.read(&reader, &source, freshness).await;
        let mut entries = snapshot
            .map_err(|fault| Fault {
                subject: format!("{subject}: {}", fault.subject),
                ..fault
            })?
            .entries;
        if let Some(key) = key {
            entries.retain(|entry| entry.name == key);
        }
        match (entries.pop(), entries.is_empty()) {
            (Some(entry), true) => Ok(entry.value),
            (Some(_), false) => {
                Err(
                    Fault::new(FaultClass::Invalid, subject, "holds several entries there")
                        .hint("Say which one: `#KEY` after the path"),
                )
            }
            (None, _) => Err(Fault::new(
                FaultClass::NotFound,
                subject,
                "holds no such entry",
            )),
        }
    }
}

fn entry_source(store: &StoreReference, path: &str) -> Option<ValidatedSource> {
    Some(ValidatedSource {
        name: SourceName::new(READER).ok()?,
        origin: Origin::Store(store.clone()),
        environment: None,
        path: path.trim_start_matches('/').to_owned(),
        field: None,
        extract: None,
        decode: None,
        version: None,
        options: SourceOptions::None,
        select: EntrySelection::default(),
        rename: Rename::default(),
        require: Vec::new(),
        on_unavailable: OnUnavailable::Fail,
        skipped: false,
    })
}

fn absent(id: &ObjectId) -> Fault {
    let fault = Fault::new(
        FaultClass::NotFound,
        format!("Secret {id}"),
        "is not among the documents",
    );
    fault.because(Reason::NotFound).hint(format!(
        "Add a Secret document of that name, or say where each key comes from: `--credential {id}/KEY=env:VARIABLE`"
    ))
}

#[async_trait]
impl Credentials for LocalCredentials {
    async fn secret_key(
        &self,
        namespace: &NamespaceName,
        name: &ObjectName,
        key: &str,
    ) -> Result<SecretValue, Fault> {
        let id = ObjectId {
            namespace: namespace.clone(),
            name: name.clone(),
        };
        self.value(&id, key).await
    }

    async fn config_map_key(
        &self,
        namespace: &NamespaceName,
        name: &ObjectName,
        key: &str,
    ) -> Result<String, Fault> {
        let id = ObjectId {
            namespace: namespace.clone(),
            name: name.clone(),
        };
        let subject = format!("ConfigMap {id}");
        let map = self.config_maps.get(&id).ok_or_else(|| {
            Fault::new(
                FaultClass::NotFound,
                &*subject,
                "is not among the documents",
            )
        })?;
        let missing = || {
            Fault::new(
                FaultClass::NotFound,
                &*subject,
                format!("it has no key {key}"),
            )
        };
        let text = map.get(key).ok_or_else(missing)?.expose_text();
        let no_text = || {
            Fault::new(
                FaultClass::Invalid,
                &*subject,
                format!("its key {key} is no text"),
            )
        };
        text.map(str::to_owned).ok_or_else(no_text)
    }

    async fn service_account_token(&self, request: &TokenRequest) -> Result<SecretValue, Fault> {
        let subject = format!("ServiceAccount {}", request.service_account);
        let message = "has a token in a cluster only, and the operator alone asks for one";
        let fault = Fault::new(FaultClass::NotSupported, subject, message);
        Err(fault.hint("Use another way to log in here, such as `token` or `appRole`"))
    }
}

#[async_trait]
impl DataObjects for LocalCredentials {
    async fn get(
        &self,
        namespace: &NamespaceName,
        kind: DataKind,
        name: &ObjectName,
    ) -> Result<Option<DataObject>, Fault> {
        let id = ObjectId {
            namespace: namespace.clone(),
            name: name.clone(),
        };
        let found = match kind {
            DataKind::Secret => match self.secrets.secrets.get(&id) {
                None => None,
                Some(secret) => {
                    let mut data = BTreeMap::new();
                    for key in secret.keys.keys() {
                        data.insert(key.clone(), self.value(&id, key).await?);
                    }
                    Some((data, secret.accept_from.clone()))
                }
            },
            DataKind::ConfigMap => self.config_maps.get(&id).map(|data| (data.clone(), None)),
        };
        match (found, &self.cluster) {
            (Some((data, accept_from)), _) => Ok(Some(DataObject {
                resource_version: "document".to_owned(),
                accept_from,
                data,
            })),
            (None, Some(cluster)) => cluster.get(namespace, kind, name).await,
            (None, None) => Ok(None),
        }
    }
}
