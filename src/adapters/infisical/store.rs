//! One opened project of Infisical.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;
use penstock_domain::api::infisical::{Follow, InfisicalProvider};
use penstock_domain::bundle::Snapshot;
use penstock_domain::fault::Fault;
use penstock_domain::items::{Item, ItemState};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{Capabilities, Capability, Credentials, Quota, StoreObject};
use penstock_domain::sync::SourceOptions;

use super::answer::Asked;
use super::client::Client;
use super::error::InfisicalError;
use super::items::Folder;
use super::login::Login;
use super::secrets::{Secrets, Single};
use super::settings::Settings;
use crate::http::client::{ClientSettings, HttpLayer};
use crate::open::{
    Adapter, ItemAddress, OpenedItems, OpenedStore, Proposal, StoreFailure, StoreQuery,
};
use crate::providers::Reached;

/// A project that has been opened: settings checked, credentials fetched, nobody logged in yet.
pub struct InfisicalStore {
    secrets: Secrets,
    environment: Option<String>,
    credential_hash: [u8; 32],
}

impl InfisicalStore {
    /// Opens a store.
    pub async fn open(
        store: &StoreObject,
        provider: &InfisicalProvider,
        layer: &HttpLayer,
        credentials: &Arc<dyn Credentials>,
    ) -> Result<Self, InfisicalError> {
        let settings = Settings::read(store, provider, credentials.as_ref()).await?;
        let credential_hash = settings.credential_hash();
        let http = layer
            .client(&ClientSettings::of(
                store,
                without_api(&provider.address),
                &settings.tls,
            ))
            .map_err(InfisicalError::Open)?;
        let client = Client::new(Login {
            http,
            method: settings.method,
            credentials: Arc::clone(credentials),
        });
        Ok(Self {
            secrets: Secrets::new(client, settings.project),
            environment: settings.environment,
            credential_hash,
        })
    }

    /// What a query may mean. Imports and references lead to wherever the store's credentials reach; who says
    /// nothing about them gets what is allowed, who wants them is refused where they are not.
    pub fn propose(
        provider: &InfisicalProvider,
        query: StoreQuery,
    ) -> Result<Vec<Proposal>, InfisicalError> {
        let (imports, references) = match query.options {
            SourceOptions::None => (None, None),
            SourceOptions::Infisical {
                imports,
                references,
            } => (imports, references),
            _ => {
                return Err(InfisicalError::ask(
                    "the only options of a store of Infisical are `options.infisical`",
                ));
            }
        };
        let environment = query.environment.clone().or(provider.environment.clone());
        let environment = environment.ok_or(InfisicalError::ask(
            "set `environment`, at the source or for the whole store",
        ))?;
        let folder = query.path.clone().as_folder();
        let path = match &query.field {
            None => folder.clone(),
            Some(name) => folder
                .join(name)
                .ok()
                .filter(|path| !name.contains(['/', ':']) && !path.is_folder())
                .ok_or(InfisicalError::ask(
                    "`field` must be the name of one secret of the folder",
                ))?,
        };
        let query = StoreQuery {
            environment: Some(environment.clone()),
            path: folder,
            ..query
        };
        let foreign = (provider.environment.as_ref() != Some(&environment)).then_some(environment);
        let either = |wanted: Option<bool>| match wanted {
            Some(wanted) => vec![wanted],
            None => vec![true, false],
        };
        let ways = either(imports).into_iter().flat_map(|imports| {
            let references = either(references).into_iter();
            references.map(move |references| (imports, references))
        });
        Ok(ways
            .map(|(imports, references)| Proposal {
                path: path.clone(),
                environment: foreign.clone(),
                follow: [
                    imports.then_some(Follow::Imports),
                    references.then_some(Follow::References),
                ]
                .into_iter()
                .flatten()
                .collect(),
                ..Proposal::of(StoreQuery {
                    options: SourceOptions::Infisical {
                        imports: Some(imports),
                        references: Some(references),
                    },
                    ..query.clone()
                })
            })
            .collect())
    }

    async fn answer(&self, query: &StoreQuery, insist: bool) -> Result<Snapshot, InfisicalError> {
        // What nobody settled is off: it may lead to where nobody has looked.
        let (imports, references) = match query.options {
            SourceOptions::Infisical {
                imports,
                references,
            } => (imports.unwrap_or_default(), references.unwrap_or_default()),
            _ => (false, false),
        };
        let asked = Asked {
            environment: query.environment.clone().unwrap_or_default(),
            folder: query.path.clone(),
            recursive: query.recursive,
            imports,
            references,
        };
        let version = match query.version.as_deref().map(str::parse) {
            None => None,
            Some(Ok(version)) if version > 0 => Some(version),
            Some(_) => {
                return Err(InfisicalError::ask(
                    "`version` must be a number from 1: the version of the secret",
                ));
            }
        };
        match (&query.field, version) {
            (None, None) => self.secrets.list(&asked, insist).await,
            (None, Some(_)) => Err(InfisicalError::ask(
                "a folder has no version: name one secret in `field`",
            )),
            (Some(_), _) if query.recursive => Err(InfisicalError::ask(
                "`field` names one secret of one folder: remove `select.recursive`",
            )),
            (Some(name), version) => self.secrets.single(&asked, Single { name, version }).await,
        }
    }

    async fn look(&self) -> Result<Capabilities, InfisicalError> {
        self.secrets.check(self.environment.as_deref()).await?;
        Ok(Capabilities::from([
            Capability::Read,
            Capability::List,
            Capability::Versions,
            Capability::Tags,
            Capability::Probe,
        ]))
    }
}

#[cfg(test)]
impl InfisicalStore {
    pub(super) fn client(&self) -> &Client {
        self.secrets.client()
    }
}

/// The address as Infisical's own tools take it may end in `/api`.
fn without_api(address: &str) -> &str {
    let address = address.trim_end_matches('/');
    address.strip_suffix("/api").unwrap_or(address)
}

fn failure(error: &InfisicalError, subject: &str) -> StoreFailure {
    StoreFailure {
        fault: error.fault(subject),
        blames_credentials: error.blames_credentials(),
    }
}

#[async_trait]
impl Adapter for InfisicalStore {
    type Provider = InfisicalProvider;

    fn propose(
        subject: &str,
        provider: &InfisicalProvider,
        query: StoreQuery,
    ) -> Result<Vec<Proposal>, Fault> {
        Self::propose(provider, query).map_err(|error| error.fault(subject))
    }

    async fn open(
        store: &StoreObject,
        provider: &InfisicalProvider,
        reached: &Reached,
    ) -> Result<Arc<dyn OpenedStore>, StoreFailure> {
        let opened = Self::open(store, provider, &reached.http, &reached.credentials).await;
        opened
            .map(|opened| Arc::new(opened) as _)
            .map_err(|error| error.fault(&store.reference.to_string()).into())
    }
}

#[async_trait]
impl OpenedStore for InfisicalStore {
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
        self.secrets.client().clock_ahead()
    }

    fn quota(&self) -> Option<Quota> {
        self.secrets.client().quota()
    }

    fn items(&self) -> Option<&dyn OpenedItems> {
        Some(self)
    }

    async fn close(&self) {
        self.secrets.client().close().await;
    }
}

impl InfisicalStore {
    fn folder<'a>(&'a self, at: ItemAddress<'a>) -> Result<Folder<'a>, InfisicalError> {
        if let SourceOptions::Vault { .. } = at.options {
            return Err(InfisicalError::ask("a store of Infisical has no mounts"));
        }
        let environment = at.environment.or(self.environment.as_deref());
        Ok(Folder {
            environment: environment.ok_or(InfisicalError::ask(
                "name the environment by `--environment`, or set it for the whole store",
            ))?,
            path: at.path,
        })
    }
}

#[async_trait]
impl OpenedItems for InfisicalStore {
    async fn read(&self, subject: &str, at: ItemAddress<'_>) -> Result<Item, StoreFailure> {
        let look = async { self.secrets.item(&self.folder(at)?).await };
        look.await.map_err(|error| failure(&error, subject))
    }

    async fn list(&self, subject: &str, at: ItemAddress<'_>) -> Result<Vec<String>, StoreFailure> {
        let look = async { self.secrets.names(&self.folder(at)?).await };
        look.await.map_err(|error| failure(&error, subject))
    }

    async fn set(
        &self,
        subject: &str,
        at: ItemAddress<'_>,
        keys: &BTreeMap<String, SecretValue>,
        seen: &ItemState,
    ) -> Result<(), StoreFailure> {
        let change = async { self.secrets.set(&self.folder(at)?, keys, seen).await };
        change.await.map_err(|error| failure(&error, subject))
    }
}
