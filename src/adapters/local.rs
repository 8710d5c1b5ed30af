//! What lies on this machine, beside what the [`registry`](crate::registry) serves: the ports of the command line.

use std::sync::Arc;

use async_trait::async_trait;
use penstock_domain::bundle::Snapshot;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::{Key, ObjectName, SyncId};
use penstock_domain::ports::{Freshness, Observation, Removal, Sources, Targets, Write, Written};
use penstock_domain::sync::{Destination, Origin, ValidatedSource, ValidatedTarget};

use crate::files::{FileSources, FileTargets};
use crate::process_environment::ProcessEnvironment;

/// Files and variables of the process; everything else is asked of the stores.
#[derive(Clone)]
pub struct LocalSources {
    /// Files.
    pub files: FileSources,
    /// The variables of the process.
    pub environment: ProcessEnvironment,
    /// Stores, and objects of the sync's namespace.
    pub stores: Arc<dyn Sources>,
}

#[async_trait]
impl Sources for LocalSources {
    async fn read(
        &self,
        sync: &SyncId,
        source: &ValidatedSource,
        freshness: Freshness,
    ) -> Result<Snapshot, Fault> {
        match &source.origin {
            Origin::File { place, optional } => self.files.read(place, *optional).await,
            Origin::ProcessEnvironment => Ok(self.environment.read(&source.select)),
            _ => self.stores.read(sync, source, freshness).await,
        }
    }

    async fn template(
        &self,
        sync: &SyncId,
        config_map: &ObjectName,
        key: &Key,
    ) -> Result<String, Fault> {
        self.stores.template(sync, config_map, key).await
    }
}

/// Files, here and on hosts; everything else is asked of the cluster, where there is one.
#[derive(Clone)]
pub struct LocalTargets {
    /// Files.
    pub files: FileTargets,
    /// Files on hosts.
    pub hosts: Arc<dyn Targets>,
    /// Secrets and ConfigMaps.
    pub objects: Option<Arc<dyn Targets>>,
}

impl LocalTargets {
    fn of(&self, target: &ValidatedTarget) -> Result<&dyn Targets, Fault> {
        match &target.destination {
            Destination::File(_) => Ok(&self.files),
            Destination::HostFile(_) => Ok(&*self.hosts),
            Destination::Secret(_) | Destination::ConfigMap(_) => {
                self.objects.as_deref().ok_or_else(|| no_cluster(target))
            }
        }
    }
}

fn no_cluster(target: &ValidatedTarget) -> Fault {
    let destination = &target.destination;
    let subject = format!("{} {}", destination.kind(), destination.object_name());
    Fault::new(
        FaultClass::NotSupported,
        subject,
        "lies in a cluster, and none was given",
    )
    .hint("Name one with `--kubeconfig` or `--context`, or leave the target out with `--target`")
}

#[async_trait]
impl Targets for LocalTargets {
    async fn observe(&self, sync: &SyncId, target: &ValidatedTarget) -> Result<Observation, Fault> {
        self.of(target)?.observe(sync, target).await
    }

    async fn write(
        &self,
        sync: &SyncId,
        target: &ValidatedTarget,
        write: Write,
    ) -> Result<Written, Fault> {
        self.of(target)?.write(sync, target, write).await
    }

    async fn remove(
        &self,
        sync: &SyncId,
        target: &ValidatedTarget,
        removal: Removal,
    ) -> Result<(), Fault> {
        self.of(target)?.remove(sync, target, removal).await
    }
}
