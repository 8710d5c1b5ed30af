//! A cluster, as far as this machine needs one.

use std::sync::Arc;

use async_trait::async_trait;
use penstock_adapters::kubernetes::{ApiServer, ApiServerLimits, KubernetesReaders};
use penstock_cli::arguments::ReachArguments;
use penstock_cli::local::{LiveSync, LiveSyncs};
use penstock_controller::live::is_suspended;
use penstock_controller::{ClusterSettings, Connection, connect};
use penstock_domain::fault::Fault;
use penstock_domain::names::SyncId;
use penstock_observability::metrics::Metrics;

use super::OpenWorld;

/// A cluster.
pub(super) struct Cluster {
    pub(super) api: ApiServer,
    pub(super) objects: Arc<KubernetesReaders>,
    connection: Connection,
}

impl Cluster {
    /// Prepares the way to it. Asks it nothing yet.
    pub(super) async fn connect(
        reach: &ReachArguments,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, OpenWorld> {
        let settings = ClusterSettings {
            kubeconfig: reach.kubeconfig.clone(),
            context: reach.context.clone(),
        };
        let connection = connect(&settings, metrics).await?;
        let api = ApiServer::new(connection.client.clone(), ApiServerLimits::default());
        Ok(Self {
            objects: Arc::new(KubernetesReaders::new(api.clone())),
            api,
            connection,
        })
    }

    /// Whether an operator already looks after a sync.
    pub(super) fn live(&self) -> Arc<dyn LiveSyncs> {
        Arc::new(Live(self.connection.clone()))
    }
}

struct Live(Connection);

#[async_trait]
impl LiveSyncs for Live {
    async fn state(&self, sync: &SyncId) -> Result<LiveSync, Fault> {
        Ok(match is_suspended(&self.0.client, sync).await? {
            None => LiveSync::Absent,
            Some(true) => LiveSync::Suspended,
            Some(false) => LiveSync::Active,
        })
    }
}
