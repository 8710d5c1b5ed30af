//! Where each key of a Secret comes from that stores and sources name, and how it is fetched.
//!
//! In this order: `--credential` of the invocation, the annotation `penstock.dev/from.KEY` of a Secret document,
//! its `data`. Never the value of a flag, and no file that nobody named.

mod map;
mod origin;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use async_trait::async_trait;
use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::{NamespaceName, ObjectName, SourceName, SyncId};
use penstock_domain::ports::{Freshness, Sources};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{Credentials, DataKind, DataObject, DataObjects, TokenRequest};
use penstock_domain::sync::{
    EntrySelection, OnUnavailable, Origin, Rename, SourceOptions, StoreReference, ValidatedSource,
};
use zeroize::Zeroizing;

use self::map::Known;
pub use self::map::SecretMap;
pub(super) use self::origin::CredentialOrigin;
pub use self::origin::{CredentialFlag, GivenCredential, StoreEntry};
use super::variables::Variables;
use crate::documents::{Documents, ObjectId};

/// The most bytes that a file descriptor may give.
const MAX_DESCRIPTOR_BYTES: u64 = 1024 * 1024;
/// On whose behalf credentials are read from another store.
const READER: &str = "credentials";

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
            CredentialOrigin::Store(entry) => {
                let subject = format!("Secret {id}");
                let stores = self.stores.get().and_then(Weak::upgrade).ok_or_else(|| {
                    Fault::new(
                        FaultClass::Unavailable,
                        &*subject,
                        "no store can be read yet",
                    )
                })?;
                read_entry(&*stores, &id.namespace, entry, &subject).await
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
}

/// Reads one entry of a store that a namespace may read. `subject` is what it is for, in faults.
pub async fn read_entry(
    stores: &dyn Sources,
    namespace: &NamespaceName,
    entry: &StoreEntry,
    subject: &str,
) -> Result<SecretValue, Fault> {
    let subject = format!("{subject} ({})", entry.store);
    let unusable = || Fault::new(FaultClass::Invalid, &*subject, "cannot be asked for");
    let reader = SyncId {
        namespace: namespace.clone(),
        name: ObjectName::new(READER).map_err(|_| unusable())?,
    };
    let source = entry_source(&entry.store, &entry.path).ok_or_else(unusable)?;
    let freshness = Freshness::Within(std::time::Duration::from_hours(1));
    let snapshot = stores.read(&reader, &source, freshness).await;
    let mut entries = snapshot
        .map_err(|fault| Fault {
            subject: format!("{subject}: {}", fault.subject),
            ..fault
        })?
        .entries;
    if let Some(key) = &entry.key {
        entries.retain(|entry| entry.name == *key);
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
