//! The life of the process: check the cluster, wait to lead, lead, stop.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use penstock_domain::engine::Engine;
use penstock_domain::fault::Fault;
use penstock_domain::keys::InstallationKey;
use penstock_domain::names::NamespaceName;
use penstock_domain::ports::Ports;
use penstock_domain::schedule::Next;
use penstock_domain::stores::StoreProbe;
use penstock_domain::sync::StoreReference;
use penstock_observability::health::Health;
use penstock_observability::metrics::Metrics;
use penstock_observability::telemetry::{KeyUnavailable, Stopped};
use tokio::sync::mpsc::channel;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::connect::Connection;
use crate::dispatch::{Dispatcher, Parts};
use crate::events::{EventPublisher, publish_events};
use crate::hints::StoreHints;
use crate::leadership::{Leadership, LeaseObject, Standing, WriteFence};
use crate::pass::Worker;
use crate::preflight::{PreflightError, preflight};
use crate::references::ReferenceWatches;
use crate::settings::Settings;
use crate::watches::{Watcher, feeds};
use crate::world::World;

/// Changes that wait to be taken in; watches pause when it is full.
const CHANGES: usize = 256;
/// While another leads, nothing here can hang.
const WHILE_FOLLOWING: Duration = Duration::from_hours(24 * 365);
/// How long stores get to take their logins back when the process stops.
const LAST_LOGOUT: Duration = Duration::from_secs(5);
/// How long Events that are on their way get when the process stops.
const LAST_EVENTS: Duration = Duration::from_secs(2);

/// Where the installation key lies.
#[async_trait]
pub trait InstallationKeys: Send + Sync {
    /// The key; made when there is none yet.
    async fn load_or_create(&self) -> Result<InstallationKey, Fault>;
}

/// Stores that are kept open between reads.
#[async_trait]
pub trait OpenStores: Send + Sync {
    /// Closes one, whose credentials lie in `home`: what it logs in with has changed, or it is gone.
    fn close_one(&self, home: &NamespaceName, store: &StoreReference);

    /// Closes all of them and gives their logins back: the process ends.
    async fn close_all(&self);
}

/// What the controller drives.
pub struct Adapters {
    /// The engine's ports.
    pub ports: Ports,
    /// Checks stores.
    pub probe: Arc<dyn StoreProbe>,
    /// Stores that are kept open.
    pub stores: Arc<dyn OpenStores>,
    /// Where the installation key lies.
    pub keys: Arc<dyn InstallationKeys>,
    /// Takes in that something in a store has changed; also told by open stores and by the receiver of webhooks.
    pub hints: Arc<StoreHints>,
}

/// What the process shares with the controller.
pub struct Process {
    /// The ways to the API server.
    pub connection: Connection,
    /// What is known of the cluster; also the adapters' catalog of stores.
    pub world: Arc<World>,
    /// Opened while this process leads; also in the ports.
    pub fence: Arc<WriteFence>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// What probes are told.
    pub health: Health,
    /// The name that Events are reported under.
    pub instance: String,
    /// The wish to stop.
    pub stop: CancellationToken,
}

/// Why the controller gave up.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The cluster is not what the operator needs.
    #[error(transparent)]
    CheckCluster(#[from] PreflightError),
    /// The installation key cannot be used.
    #[error("cannot use the installation key: {0}")]
    LoadKey(Fault),
}

/// Runs until `process.stop`.
pub async fn run(settings: Settings, adapters: Adapters, process: Process) -> Result<(), RunError> {
    let ready = process.health.await_first("the first look at the lease");
    preflight(&process.connection.client, &settings).await?;
    let leadership = Arc::new(Leadership::new(
        Arc::clone(&process.fence),
        Arc::clone(&process.metrics),
    ));
    let last_pass_ended = CancellationToken::new();
    let mut election = JoinSet::new();
    match settings.election.clone() {
        None => leadership.lead_alone(),
        Some(election_settings) => {
            let client = process.connection.lease_client.clone();
            let namespace = settings.operator_namespace.as_str();
            let lease = LeaseObject::new(client, namespace, election_settings.lease.clone());
            let (leadership, stop) = (Arc::clone(&leadership), last_pass_ended.clone());
            election.spawn(async move { leadership.run(&lease, &election_settings, stop).await });
        }
    }
    let controller = Controller {
        settings,
        adapters,
        process,
        leadership,
    };
    let outcome = controller.lead_whenever_possible(ready).await;
    // Nothing waits longer than this for a store that does not answer.
    drop(timeout(LAST_LOGOUT, controller.adapters.stores.close_all()).await);
    last_pass_ended.cancel();
    while election.join_next().await.is_some() {}
    outcome
}

struct Controller {
    settings: Settings,
    adapters: Adapters,
    process: Process,
    leadership: Arc<Leadership>,
}

impl Controller {
    async fn lead_whenever_possible(
        &self,
        ready: penstock_observability::health::Awaited,
    ) -> Result<(), RunError> {
        let mut ready = Some(ready);
        let mut standing = self.leadership.standing();
        loop {
            self.process.health.alive_for(WHILE_FOLLOWING);
            let known = standing.wait_for(|standing| *standing != Standing::Unknown);
            let now = match self.process.stop.run_until_cancelled(known).await {
                Some(Ok(now)) => *now,
                _ => return Ok(()),
            };
            ready.take();
            if now == Standing::Leading {
                self.lead().await?;
            } else {
                let change = standing.wait_for(|standing| *standing != Standing::Following);
                if self
                    .process
                    .stop
                    .run_until_cancelled(change)
                    .await
                    .is_none()
                {
                    return Ok(());
                }
            }
            if self.process.stop.is_cancelled() {
                return Ok(());
            }
        }
    }

    /// One term: from becoming the leader to losing the leadership or being asked to stop.
    async fn lead(&self) -> Result<(), RunError> {
        let ending = self.process.stop.child_token();
        let mut standing = self.leadership.standing();
        let term = ending.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // Either the leadership ends or nobody can tell any more.
            drop(
                standing
                    .wait_for(|standing| *standing != Standing::Leading)
                    .await,
            );
            term.cancel();
        });
        let Some(key) = ending.run_until_cancelled(self.key()).await else {
            return Ok(());
        };
        self.process.world.forget();
        let (events, queue) = EventPublisher::new(Arc::clone(&self.process.metrics));
        let mut publishing = JoinSet::new();
        publishing.spawn(publish_events(
            self.process.connection.client.clone(),
            queue,
            self.process.instance.clone(),
            Arc::clone(&self.process.metrics),
        ));
        let (changes, incoming) = channel(CHANGES);
        self.adapters.hints.begin(changes.clone());
        let watcher = Watcher {
            client: self.process.connection.client.clone(),
            operator_namespace: self.settings.operator_namespace.clone(),
            changes,
            metrics: Arc::clone(&self.process.metrics),
        };
        let feeds = feeds(&self.settings);
        for feed in &feeds {
            watcher.start(feed.clone(), &mut tasks);
        }
        let dispatcher = Dispatcher::new(Parts {
            worker: Arc::new(self.worker(key?, events)),
            world: Arc::clone(&self.process.world),
            references: ReferenceWatches::new(watcher, self.settings.reference_watches),
            feeds,
            concurrency: self.settings.concurrency.get(),
            health: self.process.health.clone(),
            metrics: Arc::clone(&self.process.metrics),
        });
        let dropped = dispatcher
            .run(incoming, ending, self.settings.shutdown_grace)
            .await;
        self.adapters.hints.end();
        Stopped { dropped }.emit();
        let last_events = async { while publishing.join_next().await.is_some() {} };
        // What is not out by then is not worth waiting for.
        drop(timeout(LAST_EVENTS, last_events).await);
        Ok(())
    }

    fn worker(&self, key: InstallationKey, events: EventPublisher) -> Worker {
        Worker {
            world: Arc::clone(&self.process.world),
            engine: Engine {
                ports: self.adapters.ports.clone(),
                key: Arc::new(key),
            },
            probe: Arc::clone(&self.adapters.probe),
            stores: Arc::clone(&self.adapters.stores),
            client: self.process.connection.client.clone(),
            events,
            store_check_interval: self.settings.store_check_interval,
            stamps: self.settings.stamps(),
            metrics: Arc::clone(&self.process.metrics),
        }
    }

    /// The installation key, as soon as the API server gives it.
    async fn key(&self) -> Result<InstallationKey, RunError> {
        let retry = Next::Retry {
            at_least: Duration::ZERO,
            at_most: Duration::from_secs(30),
        };
        let mut attempt = 0u32;
        loop {
            match self.adapters.keys.load_or_create().await {
                Ok(key) => return Ok(key),
                Err(fault) if fault.class.is_transient() => {
                    KeyUnavailable {
                        why: &fault.to_string(),
                    }
                    .emit();
                    sleep(retry.pause(attempt, 0).unwrap_or_default()).await;
                    attempt = attempt.saturating_add(1);
                }
                Err(fault) => return Err(RunError::LoadKey(fault)),
            }
        }
    }
}
