//! Whether an operator already looks after a sync.

use async_trait::async_trait;
use penstock_domain::fault::Fault;
use penstock_domain::names::SyncId;

/// What a cluster knows of a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveSync {
    /// There is no such SecretSync.
    Absent,
    /// There is one, and it is suspended: nobody else writes.
    Suspended,
    /// There is one, and its operator owns its targets.
    Active,
}

/// Asks the cluster.
#[async_trait]
pub trait LiveSyncs: Send + Sync {
    /// What the cluster knows of `sync`. Contract: `Absent` only when the API server says so.
    async fn state(&self, sync: &SyncId) -> Result<LiveSync, Fault>;
}

/// No cluster is in use.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLiveSyncs;

#[async_trait]
impl LiveSyncs for NoLiveSyncs {
    async fn state(&self, _: &SyncId) -> Result<LiveSync, Fault> {
        Ok(LiveSync::Absent)
    }
}
