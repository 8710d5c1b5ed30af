//! One opened machine account of Bitwarden Secrets Manager.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::SignedDuration;
use penstock_domain::api::bitwarden::BitwardenSecretsManagerProvider;
use penstock_domain::bundle::Snapshot;
use penstock_domain::fault::Fault;
use penstock_domain::stores::{Capabilities, Capability, Credentials, StoreObject};
use penstock_domain::sync::SourceOptions;

use super::client::Client;
use super::error::BitwardenSmError;
use super::login::Login;
use super::secrets::{Asked, Secrets};
use super::settings::Settings;
use crate::http::client::{ClientSettings, HttpLayer};
use crate::open::{Adapter, OpenedStore, Proposal, StoreFailure, StoreQuery};
use crate::providers::Reached;

/// A machine account that has been opened: settings checked, credentials fetched, nobody logged in yet.
pub struct BitwardenSmStore {
    secrets: Secrets,
    credential_hash: [u8; 32],
}

impl BitwardenSmStore {
    /// Opens a store.
    pub async fn open(
        store: &StoreObject,
        provider: &BitwardenSecretsManagerProvider,
        layer: &HttpLayer,
        credentials: &Arc<dyn Credentials>,
    ) -> Result<Self, BitwardenSmError> {
        let settings = Settings::read(store, provider, credentials.as_ref()).await?;
        let client = |address: &str| {
            layer
                .client(&ClientSettings::of(store, address, &settings.tls))
                .map_err(BitwardenSmError::Open)
        };
        let login = Login {
            identity: client(&settings.addresses.identity)?,
            api: client(&settings.addresses.api)?,
            identity_address: settings.addresses.identity,
            token: settings.token,
            opened: Mutex::default(),
        };
        Ok(Self {
            secrets: Secrets::new(Client::new(login)),
            credential_hash: settings.credential_hash,
        })
    }

    /// What a query may mean. A path without a slash at its end is a project or a secret; who may not read a secret
    /// of that name may still read the project.
    pub fn propose(query: StoreQuery) -> Result<Vec<Proposal>, BitwardenSmError> {
        if query.options != SourceOptions::None {
            return Err(BitwardenSmError::ask(
                "a store of Bitwarden Secrets Manager has no options",
            ));
        }
        if query.environment.is_some() {
            return Err(BitwardenSmError::ask(
                "Bitwarden Secrets Manager has no environments: use projects",
            ));
        }
        if query.version.is_some() {
            return Err(BitwardenSmError::ask(
                "versions of Bitwarden Secrets Manager cannot be pinned here",
            ));
        }
        if !matches!(query.field.as_deref(), None | Some("value" | "note")) {
            return Err(BitwardenSmError::ask(
                "`field` is `value` or `note`: a secret has nothing else",
            ));
        }
        let folder = StoreQuery {
            path: query.path.clone().as_folder(),
            ..query.clone()
        };
        let either = if query.path.is_folder() {
            vec![folder]
        } else {
            vec![query, folder]
        };
        Ok(either.into_iter().map(Proposal::of).collect())
    }

    async fn answer(&self, query: &StoreQuery, insist: bool) -> Result<Snapshot, BitwardenSmError> {
        let asked = Asked {
            path: &query.path,
            recursive: query.recursive,
            note: query.field.as_deref() == Some("note"),
        };
        self.secrets.read(asked, insist).await
    }

    async fn look(&self) -> Result<Capabilities, BitwardenSmError> {
        self.secrets.projects().await?;
        Ok(Capabilities::from([
            Capability::Read,
            Capability::List,
            Capability::Tags,
            Capability::Probe,
        ]))
    }
}

fn failure(error: &BitwardenSmError, subject: &str) -> StoreFailure {
    StoreFailure {
        fault: error.fault(subject),
        blames_credentials: error.blames_credentials(),
    }
}

#[async_trait]
impl Adapter for BitwardenSmStore {
    type Provider = BitwardenSecretsManagerProvider;

    fn propose(
        subject: &str,
        _provider: &BitwardenSecretsManagerProvider,
        query: StoreQuery,
    ) -> Result<Vec<Proposal>, Fault> {
        Self::propose(query).map_err(|error| error.fault(subject))
    }

    async fn open(
        store: &StoreObject,
        provider: &BitwardenSecretsManagerProvider,
        reached: &Reached,
    ) -> Result<Arc<dyn OpenedStore>, StoreFailure> {
        let opened = Self::open(store, provider, &reached.http, &reached.credentials).await;
        opened
            .map(|opened| Arc::new(opened) as _)
            .map_err(|error| error.fault(&store.reference.to_string()).into())
    }
}

#[async_trait]
impl OpenedStore for BitwardenSmStore {
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
        self.secrets.client().login().api.clock_ahead()
    }

    async fn close(&self) {
        self.secrets.close().await;
    }
}
