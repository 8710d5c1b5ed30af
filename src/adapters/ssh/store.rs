//! One opened host.

use std::sync::Arc;

use async_trait::async_trait;
use penstock_domain::api::ssh::SshProvider;
use penstock_domain::bundle::{Snapshot, SourceEntry};
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::ports::{Observation, Removal, Write, Written};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{Capabilities, Capability, StoreObject};
use penstock_domain::sync::{HostFileDestination, SourceOptions};
use tokio::sync::{Mutex, MutexGuard};

use super::connection::Connection;
use super::error::SshError;
use super::files::{self, Ground};
use super::settings::Settings;
use crate::files::FileFailure;
use crate::files::content::Versions;
use crate::http::client::HttpLayer;
use crate::open::{
    Adapter, HostAccess, OpenedHostFiles, OpenedStore, Proposal, StoreFailure, StoreQuery,
};
use crate::providers::Reached;

/// A host that has been opened: settings checked, the key fetched, nobody logged in yet.
pub struct SshStore {
    store: StoreObject,
    settings: Settings,
    layer: Arc<HttpLayer>,
    access: HostAccess,
    versions: Versions,
    /// Kept between requests, which follow one another.
    connection: Mutex<Option<Connection>>,
}

/// The connection, while somebody works with it. Whoever goes away in the middle leaves none behind.
struct Used<'a> {
    place: MutexGuard<'a, Option<Connection>>,
    connection: Connection,
}

impl Used<'_> {
    fn done<T>(mut self, outcome: Result<T, SshError>) -> Result<T, SshError> {
        if !outcome.as_ref().is_err_and(SshError::ends_connection) {
            *self.place = Some(self.connection);
        }
        outcome
    }
}

impl SshStore {
    async fn connection(&self) -> Result<Used<'_>, SshError> {
        let mut place = self.connection.lock().await;
        let open = place.take().filter(|connection| !connection.is_closed());
        let connection = match open {
            Some(connection) => connection,
            None => Connection::open(&self.store, &self.settings, &self.layer).await?,
        };
        Ok(Used { place, connection })
    }

    fn ground(&self) -> Ground<'_> {
        Ground {
            folder: self.settings.folder.as_deref(),
            versions: &self.versions,
            clears: self.access.writes,
        }
    }

    async fn answer(&self, query: &StoreQuery) -> Result<Snapshot, SshError> {
        let path = query.path.to_text();
        let name = query
            .path
            .segments()
            .last()
            .filter(|_| !query.path.is_folder());
        let Some(name) = name else {
            return Err(SshError::Ask(
                "name one file with `path`: folders are not read",
            ));
        };
        if query.field.is_some() || query.version.is_some() || query.environment.is_some() {
            let message =
                "a file has no `field`, `version` or `environment`; `extract` takes it apart";
            return Err(SshError::Ask(message));
        }
        if query.options != SourceOptions::None {
            return Err(SshError::Ask("a store of files takes no `options`"));
        }
        let mut used = self.connection().await?;
        let outcome = files::content(&mut used.connection, self.ground(), &path).await;
        let standing = used
            .done(outcome)?
            .ok_or(SshError::File(FileFailure::Missing))?;
        Ok(Snapshot {
            entries: vec![SourceEntry {
                name: name.clone(),
                path,
                tags: std::collections::BTreeSet::new(),
                version: None,
                value: SecretValue::new(standing.bytes.as_slice()),
            }],
            version: None,
        })
    }

    async fn look(&self) -> Result<(), SshError> {
        let mut used = self.connection().await?;
        let folder = self.settings.folder.as_deref().unwrap_or(".");
        let found = used.connection.sftp.stat(folder).await;
        let found = found.map_err(SshError::of("find the folder of"));
        match used.done(found)? {
            Some(_) => Ok(()),
            None => Err(SshError::File(FileFailure::NoFolder)),
        }
    }
}

#[async_trait]
impl Adapter for SshStore {
    type Provider = SshProvider;

    fn propose(_: &str, _: &Self::Provider, query: StoreQuery) -> Result<Vec<Proposal>, Fault> {
        Ok(vec![Proposal::of(query)])
    }

    async fn open(
        store: &StoreObject,
        provider: &Self::Provider,
        reached: &Reached,
    ) -> Result<Arc<dyn OpenedStore>, StoreFailure> {
        let subject = store.reference.to_string();
        let access = reached.http.hosts().ok_or_else(|| cli_only(&subject))?;
        let fault = |error: SshError| error.fault(&subject);
        let settings = Settings::read(store, provider, reached.credentials.as_ref()).await;
        Ok(Arc::new(Self {
            settings: settings.map_err(fault)?,
            store: store.clone(),
            layer: Arc::clone(&reached.http),
            access,
            versions: Versions::new().map_err(|failure| fault(failure.into()))?,
            connection: Mutex::default(),
        }))
    }
}

/// The operator has no business on hosts.
fn cli_only(subject: &str) -> Fault {
    Fault::new(
        FaultClass::NotSupported,
        format!("{subject} spec.provider.ssh"),
        "works in the CLI only; the operator refuses it",
    )
}

fn failure(error: &SshError, subject: &str) -> StoreFailure {
    StoreFailure {
        fault: error.fault(subject),
        blames_credentials: matches!(error, SshError::Login),
    }
}

#[async_trait]
impl OpenedStore for SshStore {
    fn credential_hash(&self) -> [u8; 32] {
        self.settings.credential_hash
    }

    async fn read(&self, subject: &str, query: &StoreQuery) -> Result<Snapshot, StoreFailure> {
        let answer = self.answer(query).await;
        answer.map_err(|error| failure(&error, subject))
    }

    async fn probe(&self, subject: &str) -> Result<Capabilities, StoreFailure> {
        let look = self.look().await;
        look.map_err(|error| failure(&error, subject))?;
        Ok([Capability::Read, Capability::Write].into())
    }

    fn host_files(&self) -> Option<&dyn OpenedHostFiles> {
        Some(self)
    }

    async fn close(&self) {
        if let Some(connection) = self.connection.lock().await.take() {
            connection.close().await;
        }
    }
}

#[async_trait]
impl OpenedHostFiles for SshStore {
    async fn observe(
        &self,
        subject: &str,
        file: &HostFileDestination,
    ) -> Result<Observation, Fault> {
        let fault = |error: SshError| error.fault(subject);
        let mut used = self.connection().await.map_err(fault)?;
        let outcome = files::observe(&mut used.connection, self.ground(), file).await;
        used.done(outcome).map_err(fault)
    }

    async fn write(
        &self,
        subject: &str,
        file: &HostFileDestination,
        write: &Write,
    ) -> Result<Written, Fault> {
        let fault = |error: SshError| error.fault(subject);
        if file.command.is_some() && !self.access.allow_commands {
            return Err(SshError::CommandsRefused.fault(subject));
        }
        let mut used = self.connection().await.map_err(fault)?;
        let outcome = files::write(&mut used.connection, self.ground(), file, write).await;
        used.done(outcome).map_err(fault)
    }

    async fn remove(
        &self,
        subject: &str,
        file: &HostFileDestination,
        removal: &Removal,
    ) -> Result<(), Fault> {
        let fault = |error: SshError| error.fault(subject);
        let mut used = self.connection().await.map_err(fault)?;
        let outcome = files::remove(&mut used.connection, self.ground(), file, removal).await;
        used.done(outcome).map_err(fault)
    }
}
