//! Ports for what a machine without a cluster does not have, or does at once.

use async_trait::async_trait;
use penstock_domain::audit::AuditEntry;
use penstock_domain::fault::Fault;
use penstock_domain::names::{NamespaceName, SyncId};
use penstock_domain::ports::{
    Audit, Fence, Marked, RecordVersion, Records, StoredRecord, Workloads,
};
use penstock_domain::sync::WorkloadScope;
use penstock_domain::workload::{PodView, WorkloadId, WorkloadView};

/// What open stores tell by themselves, for a run that goes on.
#[async_trait]
pub trait StoreNews: Send + Sync {
    /// Stores that are opened from now on are listened to.
    fn begin(&self);

    /// Waits until one of them says that something may have changed; what it said since the last wait counts.
    async fn next(&self);
}

/// Remembers nothing (`--record none`): targets can be made, but never changed, because nobody knows whose they are.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRecords;

#[async_trait]
impl Records for NoRecords {
    async fn load(&self, _: &SyncId) -> Result<Option<StoredRecord>, Fault> {
        Ok(None)
    }

    async fn save(
        &self,
        _: &SyncId,
        _: Vec<u8>,
        _: Option<&RecordVersion>,
    ) -> Result<RecordVersion, Fault> {
        Ok(RecordVersion("none".to_owned()))
    }

    async fn delete(&self, _: &SyncId) -> Result<(), Fault> {
        Ok(())
    }
}

/// No workloads: nothing has to be restarted.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoWorkloads;

#[async_trait]
impl Workloads for NoWorkloads {
    async fn list(&self, _: &NamespaceName, _: &WorkloadScope) -> Result<Vec<WorkloadView>, Fault> {
        Ok(Vec::new())
    }

    async fn pods(&self, _: &WorkloadView) -> Result<Vec<PodView>, Fault> {
        Ok(Vec::new())
    }

    async fn mark(&self, _: &WorkloadId, _: &str, _: &str) -> Result<Marked, Fault> {
        Ok(Marked::Gone)
    }
}

/// Nobody else leads: whoever runs the command may write.
#[derive(Debug, Clone, Copy, Default)]
pub struct AlwaysOpen;

impl Fence for AlwaysOpen {
    fn may_write(&self) -> bool {
        true
    }
}

/// No audit trail was asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAudit;

impl Audit for NoAudit {
    fn record(&self, _: AuditEntry) {}
}
