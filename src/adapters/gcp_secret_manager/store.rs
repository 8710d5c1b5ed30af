//! One opened project of Secret Manager.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;
use penstock_domain::api::gcp_secret_manager::GcpSecretManagerProvider;
use penstock_domain::bundle::Snapshot;
use penstock_domain::fault::Fault;
use penstock_domain::stores::access::RemotePath;
use penstock_domain::stores::{Capabilities, Capability, Credentials, StoreObject};
use penstock_domain::sync::SourceOptions;

use super::answer;
use super::error::GcpError;
use super::login::Login;
use super::secrets::{Folder, Secrets, Single};
use super::settings::{Settings, separator};
use crate::http::client::{ClientSettings, HttpClient, HttpLayer};
use crate::oauth::Bearer;
use crate::open::{Adapter, OpenedStore, Proposal, StoreFailure, StoreQuery};
use crate::providers::Reached;

/// A project that has been opened: settings checked, credentials fetched, nobody logged in yet.
pub struct GcpStore {
    secrets: Secrets,
    credential_hash: [u8; 32],
}

impl GcpStore {
    /// Opens a store.
    pub async fn open(
        store: &StoreObject,
        provider: &GcpSecretManagerProvider,
        layer: &HttpLayer,
        credentials: &Arc<dyn Credentials>,
    ) -> Result<Self, GcpError> {
        let settings = Settings::read(store, provider, credentials.as_ref(), layer).await?;
        let client = |field: &'static str, address: &str| -> Result<HttpClient, GcpError> {
            layer
                .client(&ClientSettings::of(store, address, &settings.tls))
                .map_err(|source| GcpError::Open { field, source })
        };
        let addresses = &settings.addresses;
        let login = Login {
            oauth2: client("oauth2", &addresses.oauth2)?,
            sts: client("sts", &addresses.sts)?,
            iam_credentials: client("iamCredentials", &addresses.iam_credentials)?,
            credentials: Arc::clone(credentials),
            method: settings.method,
        };
        let http = layer
            .client(&ClientSettings::of(
                store,
                &addresses.secret_manager,
                &settings.tls,
            ))
            .map_err(|source| GcpError::Open {
                field: "secretManager",
                source,
            })?;
        Ok(Self {
            secrets: Secrets {
                client: Bearer::new(http, login, |response| {
                    answer::is_dead_token(response.status.as_u16(), response.body())
                }),
                parent: settings.parent,
                separator: separator(provider)?,
                checksums: settings.checksums,
            },
            credential_hash: settings.credential_hash,
        })
    }

    /// What a query may mean: one thing, in one spelling.
    pub fn propose(
        provider: &GcpSecretManagerProvider,
        query: StoreQuery,
    ) -> Result<Proposal, GcpError> {
        if query.environment.is_some() {
            return Err(GcpError::ask(
                "Secret Manager has no environments: remove `environment`, or make it part of the path",
            ));
        }
        if !matches!(
            query.options,
            SourceOptions::None | SourceOptions::GcpSecretManager { .. }
        ) {
            return Err(GcpError::ask(
                "the only options of a store of Secret Manager are `options.gcpSecretManager`",
            ));
        }
        let separator = separator(provider)?;
        let path = separator.canonical(&query.path).ok_or(GcpError::ask(
            "`path` has nothing between two separators, or at one end",
        ))?;
        if !path.segments().is_empty() && !answer::is_id(&separator.name_of(&path)) {
            return Err(GcpError::ask(
                "names of secrets consist of up to 255 letters, digits, `-` and `_`",
            ));
        }
        check(&query, &path)?;
        Ok(Proposal::of(StoreQuery { path, ..query }))
    }

    async fn answer(&self, query: &StoreQuery) -> Result<Snapshot, GcpError> {
        check(query, &query.path)?;
        if !is_folder(query, &query.path) {
            let single = Single {
                path: &query.path,
                version: query.version.as_deref(),
                field: query.field.as_deref(),
            };
            return self.secrets.single(&single).await;
        }
        let none = std::collections::BTreeMap::new();
        let (labels, leave_out) = match &query.options {
            SourceOptions::GcpSecretManager { labels, leave_out } => (labels, *leave_out),
            _ => (&none, false),
        };
        let folder = Folder {
            path: &query.path,
            recursive: query.recursive,
            labels,
            leave_out,
        };
        self.secrets.folder(&folder).await
    }

    async fn look(&self) -> Result<Capabilities, GcpError> {
        let mut capabilities = Capabilities::from([Capability::Read, Capability::Versions]);
        if self.secrets.check().await? {
            capabilities.extend([Capability::List, Capability::Tags]);
        }
        Ok(capabilities)
    }
}

fn is_folder(query: &StoreQuery, path: &RemotePath) -> bool {
    query.recursive || path.is_folder()
}

/// What contradicts itself, known before anything is asked.
fn check(query: &StoreQuery, path: &RemotePath) -> Result<(), GcpError> {
    let folder = is_folder(query, path);
    if folder && query.version.is_some() {
        return Err(GcpError::ask(
            "a folder has no version: name one secret in `path`",
        ));
    }
    if folder && query.field.is_some() {
        return Err(GcpError::ask(
            "`field` is a property of one secret: name that in `path`",
        ));
    }
    let labels = labels(&query.options);
    if !folder && !labels.is_empty() {
        return Err(GcpError::ask(
            "`options.gcpSecretManager.labels` choose secrets of a folder: end `path` in `/`",
        ));
    }
    if labels.iter().any(|(key, value)| !is_label(key, value)) {
        return Err(GcpError::ask(
            "`options.gcpSecretManager.labels` consist of up to 63 lower case letters, digits, `-` and `_`",
        ));
    }
    match query.version.as_deref() {
        Some(version) if !is_version(version) => Err(GcpError::ask(
            "`version` must be a number from 1, an alias or `latest`",
        )),
        _ => Ok(()),
    }
}

fn labels(options: &SourceOptions) -> Vec<(&str, &str)> {
    match options {
        SourceOptions::GcpSecretManager { labels, .. } => labels
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect(),
        _ => Vec::new(),
    }
}

/// Both go into a filter, where other characters would mean something.
fn is_label(key: &str, value: &str) -> bool {
    let sound = |text: &str| {
        text.len() <= 63
            && text.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
            })
    };
    !key.is_empty() && !value.is_empty() && sound(key) && sound(value)
}

/// A number from 1, or an alias, which begins with a letter.
fn is_version(text: &str) -> bool {
    let number = text.parse::<u64>().is_ok_and(|number| number > 0) && !text.starts_with('+');
    let alias = text.len() <= 63
        && text.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && text.bytes().all(answer::is_letter);
    number || alias
}

fn failure(error: &GcpError, subject: &str) -> StoreFailure {
    StoreFailure {
        fault: error.fault(subject),
        blames_credentials: error.blames_credentials(),
    }
}

#[async_trait]
impl Adapter for GcpStore {
    type Provider = GcpSecretManagerProvider;

    fn propose(
        subject: &str,
        provider: &GcpSecretManagerProvider,
        query: StoreQuery,
    ) -> Result<Vec<Proposal>, Fault> {
        Self::propose(provider, query)
            .map(|proposal| vec![proposal])
            .map_err(|error| error.fault(subject))
    }

    async fn open(
        store: &StoreObject,
        provider: &GcpSecretManagerProvider,
        reached: &Reached,
    ) -> Result<Arc<dyn OpenedStore>, StoreFailure> {
        let opened = Self::open(store, provider, &reached.http, &reached.credentials).await;
        opened
            .map(|opened| Arc::new(opened) as _)
            .map_err(|error| error.fault(&store.reference.to_string()).into())
    }
}

#[async_trait]
impl OpenedStore for GcpStore {
    fn credential_hash(&self) -> [u8; 32] {
        self.credential_hash
    }

    async fn read(&self, subject: &str, query: &StoreQuery) -> Result<Snapshot, StoreFailure> {
        self.answer(query)
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
