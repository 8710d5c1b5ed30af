//! Files on hosts, as targets.

use std::sync::Arc;

use async_trait::async_trait;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::SyncId;
use penstock_domain::ports::{Observation, Removal, Targets, Write, Written};
use penstock_domain::stores::access::{AskingNamespace, Reach, RemotePath, Verb, authorise};
use penstock_domain::sync::{Destination, HostFileDestination, ValidatedTarget};

use super::{Registry, not_found};
use crate::open::{OpenedHostFiles, OpenedStore};

/// A host that was found, whose files the caller may write, and that is open.
struct Host<'a> {
    opened: Arc<dyn OpenedStore>,
    file: &'a HostFileDestination,
    subject: String,
}

impl Host<'_> {
    fn files(&self) -> Result<&dyn OpenedHostFiles, Fault> {
        self.opened.host_files().ok_or_else(|| {
            let message = "its store reaches no host: `options.ssh` is for a store `ssh`";
            Fault::new(FaultClass::Invalid, &*self.subject, message)
        })
    }
}

impl Registry {
    async fn host<'a>(
        &self,
        sync: &SyncId,
        target: &'a ValidatedTarget,
    ) -> Result<Host<'a>, Fault> {
        let destination = &target.destination;
        let subject = format!("{} {}", destination.kind(), destination.object_name());
        let Destination::HostFile(file) = destination else {
            let message = "is no file on a host";
            return Err(Fault::new(FaultClass::NotSupported, subject, message));
        };
        let catalog = &self.reached.catalog;
        let store = catalog
            .find(&sync.namespace, &file.store)
            .ok_or_else(|| not_found(&file.store))?;
        let path = RemotePath::parse(&file.file.place.path).map_err(|problem| {
            Fault::new(
                FaultClass::Invalid,
                &*subject,
                format!("its path {problem}"),
            )
        })?;
        let labels = catalog.namespace_labels(&sync.namespace);
        let caller = AskingNamespace {
            name: &sync.namespace,
            labels: labels.as_deref(),
        };
        let reach = Reach {
            verb: Verb::Write,
            ..Reach::reading(&path)
        };
        authorise(&store, caller, &reach)?;
        let opened = self.open(&store, &self.place(&store)).await;
        Ok(Host {
            opened: opened.map_err(|failure| failure.fault)?,
            file,
            subject,
        })
    }
}

#[async_trait]
impl Targets for Registry {
    async fn observe(&self, sync: &SyncId, target: &ValidatedTarget) -> Result<Observation, Fault> {
        let host = self.host(sync, target).await?;
        host.files()?.observe(&host.subject, host.file).await
    }

    async fn write(
        &self,
        sync: &SyncId,
        target: &ValidatedTarget,
        write: Write,
    ) -> Result<Written, Fault> {
        let host = self.host(sync, target).await?;
        host.files()?.write(&host.subject, host.file, &write).await
    }

    async fn remove(
        &self,
        sync: &SyncId,
        target: &ValidatedTarget,
        removal: Removal,
    ) -> Result<(), Fault> {
        let host = self.host(sync, target).await?;
        host.files()?
            .remove(&host.subject, host.file, &removal)
            .await
    }
}
