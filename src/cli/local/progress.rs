//! Ports that say what they wait for, when it takes long.

use std::future::Future;
use std::io::{self, Write as _};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use penstock_domain::bundle::Snapshot;
use penstock_domain::fault::Fault;
use penstock_domain::names::{Key, ObjectName, SyncId};
use penstock_domain::ports::{Freshness, Observation, Removal, Sources, Targets, Write, Written};
use penstock_domain::sync::{ValidatedSource, ValidatedTarget};
use tokio::time::sleep;

/// How long a source or target may take without a word.
const PATIENCE: Duration = Duration::from_secs(2);

/// A port whose work is told about when it takes long.
pub struct Told<P: ?Sized>(Arc<P>);

impl<P: ?Sized> Told<P> {
    /// `port`, told about.
    pub fn new(port: Arc<P>) -> Self {
        Self(port)
    }
}

/// Waits for `work`; when that takes long, says on standard error what it is.
async fn told<T>(sync: &SyncId, what: String, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = sleep(PATIENCE) => {}
    }
    // If standard error takes none, nobody listens.
    drop(writeln!(io::stderr(), "{sync}: {what} …"));
    work.await
}

#[async_trait]
impl Sources for Told<dyn Sources> {
    async fn read(
        &self,
        sync: &SyncId,
        source: &ValidatedSource,
        freshness: Freshness,
    ) -> Result<Snapshot, Fault> {
        let what = format!("reading source {}", source.name);
        told(sync, what, self.0.read(sync, source, freshness)).await
    }

    async fn template(
        &self,
        sync: &SyncId,
        config_map: &ObjectName,
        key: &Key,
    ) -> Result<String, Fault> {
        let what = format!("reading the template in ConfigMap {config_map}");
        told(sync, what, self.0.template(sync, config_map, key)).await
    }
}

#[async_trait]
impl Targets for Told<dyn Targets> {
    async fn observe(&self, sync: &SyncId, target: &ValidatedTarget) -> Result<Observation, Fault> {
        let what = format!("looking at target {}", target.name);
        told(sync, what, self.0.observe(sync, target)).await
    }

    async fn write(
        &self,
        sync: &SyncId,
        target: &ValidatedTarget,
        write: Write,
    ) -> Result<Written, Fault> {
        let what = format!("writing target {}", target.name);
        told(sync, what, self.0.write(sync, target, write)).await
    }

    async fn remove(
        &self,
        sync: &SyncId,
        target: &ValidatedTarget,
        removal: Removal,
    ) -> Result<(), Fault> {
        let what = format!("removing from target {}", target.name);
        told(sync, what, self.0.remove(sync, target, removal)).await
    }
}
