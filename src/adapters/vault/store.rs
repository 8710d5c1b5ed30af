//! One opened Vault store.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;
use penstock_domain::api::vault::VaultProvider;
use penstock_domain::bundle::Snapshot;
use penstock_domain::fault::Fault;
use penstock_domain::items::{Item, ItemState};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::RemotePath;
use penstock_domain::stores::{Capabilities, Capability, Credentials, Quota, StoreObject};
use penstock_domain::sync::SourceOptions;

use super::answer::KvVersion;
use super::client::Client;
use super::error::VaultError;
use super::kv::{Kv, Query};
use super::login::{Login, Transport};
use super::session::Session;
use super::settings::{Settings, own_mount, parse_mount};
use crate::http::client::{ClientSettings, HttpLayer};
use crate::open::{
    Adapter, ItemAddress, OpenedItems, OpenedStore, Proposal, StoreFailure, StoreQuery, named,
};
use crate::providers::Reached;

/// A Vault or OpenBao that has been opened: settings checked, credentials fetched, nobody logged in yet.
pub struct VaultStore {
    kv: Kv,
    mount: RemotePath,
    credential_hash: [u8; 32],
}

impl VaultStore {
    /// Opens a store.
    pub async fn open(
        store: &StoreObject,
        provider: &VaultProvider,
        layer: &HttpLayer,
        credentials: &Arc<dyn Credentials>,
    ) -> Result<Self, VaultError> {
        let settings = Settings::read(store, provider, credentials.as_ref()).await?;
        let credential_hash = settings.credential_hash();
        let http = layer
            .client(&ClientSettings::of(store, &provider.address, &settings.tls))
            .map_err(VaultError::Open)?;
        let transport = Transport {
            http,
            namespace: settings.namespace,
        };
        let session = Session::new(Login {
            transport,
            method: settings.method,
            credentials: Arc::clone(credentials),
        });
        Ok(Self {
            kv: Kv::new(Client::new(session), settings.kv_version),
            mount: settings.mount,
            credential_hash,
        })
    }

    /// What a query means. Decided from the spec alone, because authorisation comes before anything is opened.
    pub fn propose(
        provider: &VaultProvider,
        mut query: StoreQuery,
    ) -> Result<Proposal, VaultError> {
        let mut foreign = None;
        if let SourceOptions::Vault { mount: Some(set) } = &mut query.options {
            let mount = parse_mount(set).ok_or_else(no_mount)?;
            // One mount, one spelling, one shared read.
            *set = mount.to_text();
            foreign = (mount != own_mount(provider)?).then(|| mount.to_text());
        }
        Ok(Proposal {
            mount: foreign,
            ..Proposal::of(query)
        })
    }

    async fn answer(&self, query: &StoreQuery, insist: bool) -> Result<Snapshot, VaultError> {
        if query.environment.is_some() {
            return Err(no_environments());
        }
        let mount = self.mount_of(&query.options)?;
        let version = match query.version.as_deref().map(str::parse) {
            None => None,
            Some(Ok(version)) if version > 0 => Some(version),
            Some(_) => {
                return Err(VaultError::ask(
                    "`version` must be a number from 1: the version of the secret",
                ));
            }
        };
        let query = Query {
            mount: &mount,
            path: &query.path,
            recursive: query.recursive,
            field: query.field.as_deref(),
            version,
        };
        if insist || version.is_some() {
            self.kv.read(query).await
        } else {
            self.kv.refresh(query).await
        }
    }

    fn mount(&self, at: ItemAddress<'_>) -> Result<RemotePath, VaultError> {
        if at.environment.is_some() {
            return Err(no_environments());
        }
        self.mount_of(at.options)
    }

    fn mount_of(&self, options: &SourceOptions) -> Result<RemotePath, VaultError> {
        match options {
            SourceOptions::None | SourceOptions::Vault { mount: None } => Ok(self.mount.clone()),
            SourceOptions::Vault { mount: Some(mount) } => parse_mount(mount).ok_or_else(no_mount),
            _ => Err(VaultError::ask(
                "the only options of a store of Vault are `options.vault`",
            )),
        }
    }

    async fn look(&self) -> Result<Capabilities, VaultError> {
        let version = self.kv.check(&self.mount).await?;
        let mut capabilities = Capabilities::from([Capability::Read, Capability::List]);
        if version == KvVersion::Two {
            capabilities.extend([Capability::Versions, Capability::Tags, Capability::Probe]);
        }
        Ok(capabilities)
    }
}

#[cfg(test)]
impl VaultStore {
    pub(super) fn session(&self) -> &Session {
        self.kv.client().session()
    }
}

fn is_folder(query: &StoreQuery) -> bool {
    query.path.is_folder() || query.recursive
}

fn no_environments() -> VaultError {
    VaultError::ask("Vault has no environments: remove `environment`, or make it part of the path")
}

fn no_mount() -> VaultError {
    VaultError::ask("`options.vault.mount` must be a path such as `secret` or `team/kv`")
}

fn failure(error: &VaultError, subject: &str) -> StoreFailure {
    StoreFailure {
        fault: error.fault(subject),
        blames_credentials: error.blames_credentials(),
    }
}

#[async_trait]
impl Adapter for VaultStore {
    type Provider = VaultProvider;

    fn propose(
        subject: &str,
        provider: &VaultProvider,
        query: StoreQuery,
    ) -> Result<Vec<Proposal>, Fault> {
        Self::propose(provider, query)
            .map(|proposal| vec![proposal])
            .map_err(|error| error.fault(subject))
    }

    async fn open(
        store: &StoreObject,
        provider: &VaultProvider,
        reached: &Reached,
    ) -> Result<Arc<dyn OpenedStore>, StoreFailure> {
        let opened = Self::open(store, provider, &reached.http, &reached.credentials).await;
        opened
            .map(|opened| Arc::new(opened) as _)
            .map_err(|error| error.fault(&store.reference.to_string()).into())
    }
}

#[async_trait]
impl OpenedStore for VaultStore {
    fn credential_hash(&self) -> [u8; 32] {
        self.credential_hash
    }

    async fn read(&self, subject: &str, query: &StoreQuery) -> Result<Snapshot, StoreFailure> {
        self.answer(query, true)
            .await
            .map_err(|error| failure(&error, subject))
    }

    async fn refresh(&self, subject: &str, query: &StoreQuery) -> Result<Snapshot, StoreFailure> {
        self.answer(query, false)
            .await
            .map_err(|error| failure(&error, subject))
    }

    /// All fields of a secret come in one answer.
    fn whole(&self, query: &StoreQuery) -> StoreQuery {
        let field = query.field.clone().filter(|_| is_folder(query));
        StoreQuery {
            field,
            ..query.clone()
        }
    }

    fn part(
        &self,
        subject: &str,
        query: &StoreQuery,
        answer: Arc<Snapshot>,
    ) -> Result<Snapshot, StoreFailure> {
        let Some(field) = query.field.as_deref().filter(|_| !is_folder(query)) else {
            return Ok(Arc::unwrap_or_clone(answer));
        };
        let part = named(&answer, field);
        if part.entries.is_empty() {
            let error = VaultError::Field {
                path: query.path.to_text(),
                field: field.to_owned(),
            };
            return Err(failure(&error, subject));
        }
        Ok(part)
    }

    async fn probe(&self, subject: &str) -> Result<Capabilities, StoreFailure> {
        self.look().await.map_err(|error| failure(&error, subject))
    }

    fn clock_ahead(&self) -> Option<SignedDuration> {
        self.kv.client().session().transport().http.clock_ahead()
    }

    fn quota(&self) -> Option<Quota> {
        self.kv.client().session().transport().http.quota()
    }

    fn items(&self) -> Option<&dyn OpenedItems> {
        Some(self)
    }

    async fn close(&self) {
        self.kv.client().session().close().await;
    }
}

#[async_trait]
impl OpenedItems for VaultStore {
    async fn read(&self, subject: &str, at: ItemAddress<'_>) -> Result<Item, StoreFailure> {
        let look = async { self.kv.item(&self.mount(at)?, at.path).await };
        look.await.map_err(|error| failure(&error, subject))
    }

    async fn list(&self, subject: &str, at: ItemAddress<'_>) -> Result<Vec<String>, StoreFailure> {
        let look = async { self.kv.names(&self.mount(at)?, at.path).await };
        look.await.map_err(|error| failure(&error, subject))
    }

    async fn set(
        &self,
        subject: &str,
        at: ItemAddress<'_>,
        keys: &BTreeMap<String, SecretValue>,
        seen: &ItemState,
    ) -> Result<(), StoreFailure> {
        let change = async { self.kv.set(&self.mount(at)?, at.path, keys, seen).await };
        change.await.map_err(|error| failure(&error, subject))
    }
}
