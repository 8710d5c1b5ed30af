//! One opened key vault.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;
use penstock_domain::api::azure_key_vault::AzureKeyVaultProvider;
use penstock_domain::bundle::Snapshot;
use penstock_domain::fault::Fault;
use penstock_domain::stores::access::RemotePath;
use penstock_domain::stores::{Capabilities, Capability, Credentials, StoreObject};
use penstock_domain::sync::SourceOptions;

use super::answer::{is_dead_token, is_version};
use super::error::AzureError;
use super::login::Login;
use super::names::is_name;
use super::remembered::Remembered;
use super::secrets::{Folder, Secrets, Single, in_the_vault};
use super::settings::{Settings, names, separator};
use crate::http::client::{ClientSettings, HttpLayer};
use crate::oauth::Bearer;
use crate::open::{Adapter, OpenedStore, Proposal, StoreFailure, StoreQuery};
use crate::providers::Reached;

/// A vault that has been opened: settings checked, credentials fetched, nobody logged in yet.
pub struct AzureStore {
    secrets: Secrets,
    credential_hash: [u8; 32],
}

impl AzureStore {
    /// Opens a store.
    pub async fn open(
        store: &StoreObject,
        provider: &AzureKeyVaultProvider,
        layer: &HttpLayer,
        credentials: &Arc<dyn Credentials>,
    ) -> Result<Self, AzureError> {
        let settings = Settings::read(store, provider, credentials.as_ref(), layer).await?;
        let client = |field: &'static str, address: &str| {
            layer
                .client(&ClientSettings::of(store, address, &settings.tls))
                .map_err(|source| AzureError::Open { field, source })
        };
        let login = Login {
            http: client("authority.address", &settings.expected.authority)?,
            expected: settings.expected.clone(),
            credentials: Arc::clone(credentials),
            method: settings.method,
        };
        let http = layer
            .client(&ClientSettings::of(
                store,
                &provider.vault_url,
                &settings.tls,
            ))
            .map_err(|source| AzureError::Open {
                field: "vaultUrl",
                source,
            })?;
        Ok(Self {
            secrets: Secrets {
                authority: http.authority(),
                client: Bearer::new(http, login, |response| {
                    is_dead_token(response.status.as_u16(), response.body())
                }),
                expected: settings.expected,
                separator: separator(provider)?,
                names: names(provider),
                remembered: Remembered::default(),
            },
            credential_hash: settings.credential_hash,
        })
    }

    /// What a query may mean: one thing, in one spelling, that of the vault.
    pub fn propose(
        provider: &AzureKeyVaultProvider,
        query: StoreQuery,
    ) -> Result<Proposal, AzureError> {
        if query.environment.is_some() {
            return Err(AzureError::ask(
                "Key Vault has no environments: remove `environment`, or make it part of the path",
            ));
        }
        if !matches!(
            query.options,
            SourceOptions::None | SourceOptions::AzureKeyVault { .. }
        ) {
            return Err(AzureError::ask(
                "the only options of a store of Key Vault are `options.azureKeyVault`",
            ));
        }
        let separator = separator(provider)?;
        let path = in_the_vault(names(provider), &query.path)
            .and_then(|path| separator.canonical(&path))
            .ok_or(AzureError::ask(
                "`path` has nothing between two separators, or at one end",
            ))?;
        if !path.segments().is_empty() && !is_name(&separator.name_of(&path)) {
            return Err(AzureError::ask(
                "names of secrets consist of up to 127 letters, digits and `-`, for which `_` may stand unless names is verbatim",
            ));
        }
        check(&query, &path)?;
        Ok(Proposal::of(StoreQuery { path, ..query }))
    }

    async fn answer(&self, query: &StoreQuery, insist: bool) -> Result<Snapshot, AzureError> {
        check(query, &query.path)?;
        if !is_folder(query, &query.path) {
            let single = Single {
                path: &query.path,
                version: query.version.as_deref(),
                field: query.field.as_deref(),
            };
            return self.secrets.single(&single).await;
        }
        let none = BTreeMap::new();
        let (tags, leave_out) = match &query.options {
            SourceOptions::AzureKeyVault { tags, leave_out } => (tags, *leave_out),
            _ => (&none, false),
        };
        let folder = Folder {
            path: &query.path,
            recursive: query.recursive,
            tags,
            leave_out,
        };
        self.secrets.folder(&folder, insist).await
    }

    async fn look(&self) -> Result<Capabilities, AzureError> {
        let mut capabilities =
            Capabilities::from([Capability::Read, Capability::Versions, Capability::Tags]);
        if self.secrets.check().await? {
            capabilities.extend([Capability::List, Capability::Probe]);
        }
        Ok(capabilities)
    }
}

fn is_folder(query: &StoreQuery, path: &RemotePath) -> bool {
    query.recursive || path.is_folder()
}

/// What contradicts itself, known before anything is asked.
fn check(query: &StoreQuery, path: &RemotePath) -> Result<(), AzureError> {
    let folder = is_folder(query, path);
    if folder && query.version.is_some() {
        return Err(AzureError::ask(
            "a folder has no version: name one secret in `path`",
        ));
    }
    if folder && query.field.is_some() {
        return Err(AzureError::ask(
            "`field` is a property of one secret: name that in `path`",
        ));
    }
    if let SourceOptions::AzureKeyVault { tags, .. } = &query.options
        && !folder
        && !tags.is_empty()
    {
        return Err(AzureError::ask(
            "`options.azureKeyVault.tags` choose secrets of a folder: end `path` in `/`",
        ));
    }
    match query.version.as_deref() {
        Some(version) if !is_version(version) => Err(AzureError::ask(
            "`version` must be the 32 hexadecimal digits of a version",
        )),
        _ => Ok(()),
    }
}

fn failure(error: &AzureError, subject: &str) -> StoreFailure {
    StoreFailure {
        fault: error.fault(subject),
        blames_credentials: error.blames_credentials(),
    }
}

#[async_trait]
impl Adapter for AzureStore {
    type Provider = AzureKeyVaultProvider;

    fn propose(
        subject: &str,
        provider: &AzureKeyVaultProvider,
        query: StoreQuery,
    ) -> Result<Vec<Proposal>, Fault> {
        Self::propose(provider, query)
            .map(|proposal| vec![proposal])
            .map_err(|error| error.fault(subject))
    }

    async fn open(
        store: &StoreObject,
        provider: &AzureKeyVaultProvider,
        reached: &Reached,
    ) -> Result<Arc<dyn OpenedStore>, StoreFailure> {
        let opened = Self::open(store, provider, &reached.http, &reached.credentials).await;
        opened
            .map(|opened| Arc::new(opened) as _)
            .map_err(|error| error.fault(&store.reference.to_string()).into())
    }
}

#[async_trait]
impl OpenedStore for AzureStore {
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

    async fn probe(&self, subject: &str) -> Result<Capabilities, StoreFailure> {
        self.look().await.map_err(|error| failure(&error, subject))
    }

    fn clock_ahead(&self) -> Option<SignedDuration> {
        self.secrets.client.http.clock_ahead()
    }

    async fn close(&self) {
        self.secrets.client.close().await;
    }
}
