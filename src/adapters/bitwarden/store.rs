//! One opened account of Bitwarden.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::SignedDuration;
use penstock_domain::api::bitwarden::BitwardenProvider;
use penstock_domain::bundle::Snapshot;
use penstock_domain::fault::Fault;
use penstock_domain::stores::{Capabilities, Capability, Credentials, StoreObject};
use penstock_domain::sync::SourceOptions;

use super::client::Client;
use super::error::BitwardenError;
use super::items::{Asked, View};
use super::login::Login;
use super::settings::Settings;
use super::vault::Vault;
use crate::http::client::{ClientSettings, HttpLayer};
use crate::open::{Adapter, OpenedStore, Proposal, StoreFailure, StoreQuery};
use crate::providers::Reached;

/// An account that has been opened: settings checked, credentials fetched, nobody logged in yet.
pub struct BitwardenStore {
    vault: Vault,
    organization: Option<String>,
    credential_hash: [u8; 32],
}

impl BitwardenStore {
    /// Opens a store.
    pub async fn open(
        store: &StoreObject,
        provider: &BitwardenProvider,
        layer: &HttpLayer,
        credentials: &Arc<dyn Credentials>,
    ) -> Result<Self, BitwardenError> {
        let settings = Settings::read(store, provider, credentials.as_ref()).await?;
        let credential_hash = settings.credential_hash();
        let client = |address: &str| {
            layer
                .client(&ClientSettings::of(store, address, &settings.tls))
                .map_err(BitwardenError::Open)
        };
        let login = Login {
            identity: client(&settings.addresses.identity)?,
            api: client(&settings.addresses.api)?,
            identity_address: settings.addresses.identity,
            client_id: settings.client_id,
            client_secret: settings.client_secret,
            master_password: settings.master_password,
            unlocked: Mutex::default(),
        };
        Ok(Self {
            vault: Vault::new(Client::new(login)),
            organization: settings.organization,
            credential_hash,
        })
    }

    /// What a query may mean. A path without a slash at its end is a folder or an item; who may not read an item of
    /// that name may still read the folder.
    pub fn propose(query: StoreQuery) -> Result<Vec<Proposal>, BitwardenError> {
        if query.options != SourceOptions::None {
            return Err(BitwardenError::ask("a store of Bitwarden has no options"));
        }
        if query.environment.is_some() {
            return Err(BitwardenError::ask(
                "Bitwarden has no environments: use folders or collections",
            ));
        }
        if query.version.is_some() {
            return Err(BitwardenError::ask(
                "Bitwarden keeps no versions that could be pinned",
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

    async fn answer(&self, query: &StoreQuery, insist: bool) -> Result<Snapshot, BitwardenError> {
        let contents = self.vault.contents(insist).await?;
        View::new(&contents, self.organization.as_deref())?.read(Asked {
            path: &query.path,
            recursive: query.recursive,
            field: query.field.as_deref(),
        })
    }

    async fn look(&self) -> Result<Capabilities, BitwardenError> {
        self.vault.revision().await?;
        if self.organization.is_some() {
            let contents = self.vault.contents(false).await?;
            View::new(&contents, self.organization.as_deref())?;
        }
        Ok(Capabilities::from([
            Capability::Read,
            Capability::List,
            Capability::Tags,
            Capability::Probe,
        ]))
    }

    #[cfg(test)]
    pub(super) fn vault(&self) -> &Vault {
        &self.vault
    }
}

fn failure(error: &BitwardenError, subject: &str) -> StoreFailure {
    StoreFailure {
        fault: error.fault(subject),
        blames_credentials: error.blames_credentials(),
    }
}

#[async_trait]
impl Adapter for BitwardenStore {
    type Provider = BitwardenProvider;

    fn propose(
        subject: &str,
        _provider: &BitwardenProvider,
        query: StoreQuery,
    ) -> Result<Vec<Proposal>, Fault> {
        Self::propose(query).map_err(|error| error.fault(subject))
    }

    async fn open(
        store: &StoreObject,
        provider: &BitwardenProvider,
        reached: &Reached,
    ) -> Result<Arc<dyn OpenedStore>, StoreFailure> {
        let opened = Self::open(store, provider, &reached.http, &reached.credentials).await;
        opened
            .map(|opened| Arc::new(opened) as _)
            .map_err(|error| error.fault(&store.reference.to_string()).into())
    }
}

#[async_trait]
impl OpenedStore for BitwardenStore {
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
        self.vault.client().login().api.clock_ahead()
    }

    async fn close(&self) {
        self.vault.close().await;
    }
}
