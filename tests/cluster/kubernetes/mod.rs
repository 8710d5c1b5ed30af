//! The Kubernetes adapters against the real API server: the contracts of their ports, and what only this
//! server can prove.

mod installation_key;
mod readers;
mod records;
mod targets;
mod workloads;
mod world;

use std::future::Future;

use penstock_adapters::kubernetes::{ApiServer, ApiServerLimits};
use penstock_domain::names::{NamespaceName, ObjectName, SyncId};
use penstock_testbed::{ApiProxy, Failure, Namespace, Testbed};
use tokio::task::JoinHandle;

use super::{Outcome, testbed};

/// A namespace, the adapters' connection to it through a proxy that counts, and a client for what other
/// people do.
struct Corner {
    namespace: Namespace,
    name: NamespaceName,
    proxy: ApiProxy,
    api: ApiServer,
}

impl Corner {
    async fn new(testbed: &Testbed, prefix: &str) -> Result<Self, Failure> {
        let direct = testbed.control_plane.client().await?;
        let namespace = Namespace::create(&direct, prefix).await?;
        let proxy = ApiProxy::start(testbed.control_plane.endpoint()).await?;
        let through = proxy
            .endpoint()
            .client(testbed.control_plane.admin_token())
            .await?;
        Ok(Self {
            name: NamespaceName::new(namespace.name())?,
            namespace,
            proxy,
            api: ApiServer::new(through, ApiServerLimits::default()),
        })
    }

    fn sync(&self, name: &str) -> Result<SyncId, Failure> {
        Ok(SyncId {
            namespace: self.name.clone(),
            name: ObjectName::new(name)?,
        })
    }
}

/// Cases of a contract that run at the same time.
#[derive(Default)]
struct Cases(Vec<(&'static str, JoinHandle<()>)>);

impl Cases {
    fn spawn(&mut self, name: &'static str, case: impl Future<Output = ()> + Send + 'static) {
        self.0.push((name, tokio::spawn(case)));
    }

    /// Waits for all of them, and names those that did not hold.
    async fn join(self) -> Outcome {
        let mut broken = Vec::new();
        for (name, case) in self.0 {
            if case.await.is_err() {
                broken.push(name);
            }
        }
        assert!(broken.is_empty(), "broken: {broken:?}; see above why");
        Ok(())
    }
}
