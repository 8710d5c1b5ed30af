//! One opened region of AWS Systems Manager Parameter Store.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;
use penstock_domain::api::aws::AwsProvider;
use penstock_domain::bundle::Snapshot;
use penstock_domain::fault::Fault;
use penstock_domain::items::{Item, ItemState};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{Capabilities, Capability, StoreObject};
use penstock_domain::sync::SourceOptions;

use super::parameters::{Folder, Parameters, Version};
use crate::aws::error::AwsError;
use crate::aws::settings::{self, ServiceName};
use crate::open::{
    Adapter, ItemAddress, OpenedItems, OpenedStore, Proposal, StoreFailure, StoreQuery,
};
use crate::providers::Reached;

const SYSTEM: &str = "awsParameterStore";
const SERVICE: ServiceName = ServiceName {
    name: "ssm",
    target: "AmazonSSM",
};

/// A region that has been opened: settings checked, credentials fetched, nobody logged in yet.
pub struct ParameterStore {
    parameters: Parameters,
    credential_hash: [u8; 32],
}

impl ParameterStore {
    /// Opens a store.
    pub async fn open(
        store: &StoreObject,
        provider: &AwsProvider,
        reached: &Reached,
    ) -> Result<Self, AwsError> {
        let (client, credential_hash) = settings::open(store, provider, reached, SERVICE).await?;
        Ok(Self {
            parameters: Parameters::new(client),
            credential_hash,
        })
    }

    fn meaning(query: StoreQuery) -> Result<Proposal, AwsError> {
        if query.environment.is_some() {
            return Err(AwsError::ask(
                "AWS has no environments: remove `environment`, or make it part of the path",
            ));
        }
        if query.options != SourceOptions::None {
            return Err(AwsError::ask(
                "a source in AWS Systems Manager Parameter Store has no options",
            ));
        }
        match Version::parse(query.version.as_deref())? {
            Some(Version::Number(_)) if query.path.is_folder() => Err(AwsError::ask(
                "a folder has no numbered version: name one parameter in `path`, or a label",
            )),
            _ => Ok(Proposal::of(query)),
        }
    }

    async fn answer(&self, query: &StoreQuery) -> Result<Snapshot, AwsError> {
        let field = query.field.as_deref();
        let version = Version::parse(query.version.as_deref())?;
        if !query.path.is_folder() {
            return self.parameters.single(&query.path, version, field).await;
        }
        let folder = Folder {
            path: &query.path,
            recursive: query.recursive,
            field,
            label: match version {
                Some(Version::Label(label)) => Some(label),
                _ => None,
            },
        };
        self.parameters.folder(folder).await
    }
}

fn failure(error: &AwsError, subject: &str) -> StoreFailure {
    StoreFailure {
        fault: error.fault(subject, SYSTEM),
        blames_credentials: error.blames_credentials(),
    }
}

#[async_trait]
impl Adapter for ParameterStore {
    type Provider = AwsProvider;

    fn propose(subject: &str, _: &AwsProvider, query: StoreQuery) -> Result<Vec<Proposal>, Fault> {
        let proposal = Self::meaning(query).map_err(|error| error.fault(subject, SYSTEM))?;
        Ok(vec![proposal])
    }

    async fn open(
        store: &StoreObject,
        provider: &AwsProvider,
        reached: &Reached,
    ) -> Result<Arc<dyn OpenedStore>, StoreFailure> {
        let opened = Self::open(store, provider, reached).await;
        opened
            .map(|opened| Arc::new(opened) as _)
            .map_err(|error| failure(&error, &store.reference.to_string()))
    }
}

#[async_trait]
impl OpenedStore for ParameterStore {
    fn credential_hash(&self) -> [u8; 32] {
        self.credential_hash
    }

    async fn read(&self, subject: &str, query: &StoreQuery) -> Result<Snapshot, StoreFailure> {
        let answer = self.answer(query).await;
        answer.map_err(|error| failure(&error, subject))
    }

    async fn probe(&self, subject: &str) -> Result<Capabilities, StoreFailure> {
        let checked = self.parameters.check().await;
        checked.map_err(|error| failure(&error, subject))?;
        Ok(Capabilities::from([
            Capability::Read,
            Capability::List,
            Capability::Versions,
        ]))
    }

    fn clock_ahead(&self) -> Option<SignedDuration> {
        self.parameters.clock_ahead()
    }

    fn items(&self) -> Option<&dyn OpenedItems> {
        Some(self)
    }

    async fn close(&self) {
        self.parameters.client().close().await;
    }
}

#[async_trait]
impl OpenedItems for ParameterStore {
    async fn read(&self, subject: &str, at: ItemAddress<'_>) -> Result<Item, StoreFailure> {
        let item = self.parameters.item(at.path).await;
        item.map_err(|error| failure(&error, subject))
    }

    async fn list(&self, subject: &str, at: ItemAddress<'_>) -> Result<Vec<String>, StoreFailure> {
        let names = self.parameters.names(at.path).await;
        names.map_err(|error| failure(&error, subject))
    }

    async fn set(
        &self,
        subject: &str,
        at: ItemAddress<'_>,
        keys: &BTreeMap<String, SecretValue>,
        seen: &ItemState,
    ) -> Result<(), StoreFailure> {
        let set = self.parameters.set(at.path, keys, seen).await;
        set.map_err(|error| failure(&error, subject))
    }
}
