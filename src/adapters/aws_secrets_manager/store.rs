//! One opened region of AWS Secrets Manager.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;
use penstock_domain::api::aws::AwsProvider;
use penstock_domain::bundle::Snapshot;
use penstock_domain::fault::Fault;
use penstock_domain::stores::{Capabilities, Capability, StoreObject};
use penstock_domain::sync::SourceOptions;

use super::secrets::{Folder, Secrets, Version};
use crate::aws::error::AwsError;
use crate::aws::settings::{self, ServiceName};
use crate::open::{Adapter, OpenedStore, Proposal, StoreFailure, StoreQuery};
use crate::providers::Reached;

const SYSTEM: &str = "awsSecretsManager";
const SERVICE: ServiceName = ServiceName {
    name: "secretsmanager",
    target: "secretsmanager",
};

/// A region that has been opened: settings checked, credentials fetched, nobody logged in yet.
pub struct SecretsManagerStore {
    secrets: Secrets,
    credential_hash: [u8; 32],
}

impl SecretsManagerStore {
    /// Opens a store.
    pub async fn open(
        store: &StoreObject,
        provider: &AwsProvider,
        reached: &Reached,
    ) -> Result<Self, AwsError> {
        let (client, credential_hash) = settings::open(store, provider, reached, SERVICE).await?;
        Ok(Self {
            secrets: Secrets::new(client),
            credential_hash,
        })
    }

    fn meaning(query: StoreQuery) -> Result<Proposal, AwsError> {
        if query.environment.is_some() {
            return Err(AwsError::ask(
                "AWS has no environments: remove `environment`, or make it part of the path",
            ));
        }
        let tags = match &query.options {
            SourceOptions::None => &BTreeMap::new(),
            SourceOptions::AwsSecretsManager { tags } => tags,
            _ => {
                return Err(AwsError::ask(
                    "the only options of a store of AWS Secrets Manager are `options.awsSecretsManager`",
                ));
            }
        };
        if query.path.is_folder() {
            if query.version.is_some() {
                return Err(AwsError::ask(
                    "a folder has no version: name one secret in `path`",
                ));
            }
        } else if !tags.is_empty() {
            return Err(AwsError::ask(
                "`options.awsSecretsManager.tags` select among the secrets of a folder: end `path` with `/`",
            ));
        }
        // No tags are no options: equal reads are shared.
        let options = if tags.is_empty() {
            SourceOptions::None
        } else {
            query.options.clone()
        };
        Ok(Proposal::of(StoreQuery { options, ..query }))
    }

    async fn answer(&self, query: &StoreQuery, insist: bool) -> Result<Snapshot, AwsError> {
        let field = query.field.as_deref();
        if !query.path.is_folder() {
            let version = Version::parse(query.version.as_deref());
            return self.secrets.single(&query.path, version, field).await;
        }
        let tags = match &query.options {
            SourceOptions::AwsSecretsManager { tags } => tags,
            _ => &BTreeMap::new(),
        };
        let folder = Folder {
            path: &query.path,
            recursive: query.recursive,
            field,
            tags,
        };
        self.secrets.folder(folder, insist).await
    }
}

fn failure(error: &AwsError, subject: &str) -> StoreFailure {
    StoreFailure {
        fault: error.fault(subject, SYSTEM),
        blames_credentials: error.blames_credentials(),
    }
}

#[async_trait]
impl Adapter for SecretsManagerStore {
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
impl OpenedStore for SecretsManagerStore {
    fn credential_hash(&self) -> [u8; 32] {
        self.credential_hash
    }

    async fn read(&self, subject: &str, query: &StoreQuery) -> Result<Snapshot, StoreFailure> {
        let answer = self.answer(query, true).await;
        answer.map_err(|error| failure(&error, subject))
    }

    async fn refresh(&self, subject: &str, query: &StoreQuery) -> Result<Snapshot, StoreFailure> {
        let answer = self.answer(query, false).await;
        answer.map_err(|error| failure(&error, subject))
    }

    async fn probe(&self, subject: &str) -> Result<Capabilities, StoreFailure> {
        let checked = self.secrets.check().await;
        checked.map_err(|error| failure(&error, subject))?;
        Ok(Capabilities::from([
            Capability::Read,
            Capability::List,
            Capability::Versions,
            Capability::Tags,
            Capability::Probe,
        ]))
    }

    fn clock_ahead(&self) -> Option<SignedDuration> {
        self.secrets.clock_ahead()
    }

    async fn close(&self) {
        self.secrets.client().close().await;
    }
}
