//! Puts the operator together: the one place that knows every room.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use penstock_adapters::blocking::BlockingThread;
use penstock_adapters::http::ambient::Ambient;
use penstock_adapters::http::client::HttpLayer;
use penstock_adapters::kubernetes::installation_key;
use penstock_adapters::kubernetes::{
    ApiServer, ApiServerLimits, KubernetesCanaries, KubernetesReaders, KubernetesRecords,
    KubernetesTargets, KubernetesWorkloads,
};
use penstock_adapters::no_canaries::NoCanaries;
use penstock_adapters::providers::Reached;
use penstock_adapters::registry::Registry;
use penstock_adapters::validators::NetworkValidators;
use penstock_cli::arguments::{ElectionArguments, RunArguments, ScopeArguments};
use penstock_cli::commands::version::VERSION;
use penstock_controller::hooks::{HookReceiver, HookServer};
use penstock_controller::leadership::WriteFence;
use penstock_controller::settings::{BadTiming, ElectionSettings, ElectionTiming, Scope, Settings};
use penstock_controller::{
    Adapters, ClusterSettings, ConnectError, Connection, InstallationKeys, OpenStores, Process,
    RunError, StoreHints, SystemClock, World, connect,
};
use penstock_domain::fault::Fault;
use penstock_domain::keys::InstallationKey;
use penstock_domain::names::{NameError, NamespaceName};
use penstock_domain::ports::{Canaries, Ports};
use penstock_domain::sync::StoreReference;
use penstock_observability::admin::AdminServer;
use penstock_observability::audit::{AuditTrail, OpenAudit};
use penstock_observability::hardening::{HardenError, harden_process};
use penstock_observability::health::Health;
use penstock_observability::instrument::instrument;
use penstock_observability::logging::{StartLogging, start_logging};
use penstock_observability::metrics::Metrics;
use penstock_observability::panics::hide_panic_payloads;
use penstock_observability::port::Listen;
use penstock_observability::telemetry::ProcessStarted;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long the start may take before the process counts as hung.
const START_WITHIN: Duration = Duration::from_mins(5);

/// Why the operator did not start, or ended with a failure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OperateError {
    #[error(transparent)]
    StartLogging(#[from] StartLogging),
    #[error(transparent)]
    Harden(#[from] HardenError),
    #[error("cannot start the runtime's threads")]
    StartRuntime(#[source] io::Error),
    #[error("cannot listen for signals")]
    ListenForSignals(#[source] io::Error),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("the namespace of the kubeconfig's context {0}; set --namespace")]
    NameNamespace(NameError),
    #[error(transparent)]
    OpenAudit(#[from] OpenAudit),
    #[error(transparent)]
    Listen(#[from] Listen),
    #[error(transparent)]
    Time(#[from] BadTiming),
    #[error("the operating system gives no random bytes")]
    ReadRandomness(#[source] getrandom::Error),
    #[error(transparent)]
    Run(#[from] RunError),
}

/// `penstock run`.
pub(crate) fn run(arguments: &RunArguments) -> Result<(), OperateError> {
    let observability = &arguments.observability;
    start_logging(observability.log_format.into(), observability.log.clone())?;
    hide_panic_payloads();
    harden_process()?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(arguments.threads.get())
        .enable_all()
        .build()
        .map_err(OperateError::StartRuntime)?;
    runtime.block_on(operate(arguments))
}

async fn operate(arguments: &RunArguments) -> Result<(), OperateError> {
    let stop = stop_on_signals()?;
    let metrics = Arc::new(Metrics::new());
    let cluster = ClusterSettings {
        kubeconfig: arguments.cluster.kubeconfig.clone(),
        context: arguments.cluster.context.clone(),
    };
    let connection = connect(&cluster, &metrics).await?;
    let settings = settings(arguments, &connection)?;
    let audit = Arc::new(AuditTrail::open(
        &arguments.observability.audit,
        Arc::clone(&metrics),
    )?);
    let health = Health::new(START_WITHIN);
    let admin = AdminServer::listen(arguments.observability.listen).await?;
    let scope = settings.scope.to_string();
    ProcessStarted {
        version: VERSION,
        scope: &scope,
        admin: admin.address(),
    }
    .emit();
    let last_answer = CancellationToken::new();
    let serving = admin.serve(health.clone(), Arc::clone(&metrics), last_answer.clone());
    let serving = tokio::spawn(serving);

    let fence = Arc::new(WriteFence::closed());
    let world = Arc::new(World::new(settings.operator_namespace.clone()));
    let process = Process {
        connection: connection.clone(),
        world: Arc::clone(&world),
        fence: Arc::clone(&fence),
        metrics: Arc::clone(&metrics),
        health,
        instance: instance(&arguments.election),
        stop,
    };
    let (adapters, receiver) = adapters(arguments, &process, Arc::clone(&audit), &settings);
    let hooks = match arguments.hooks_listen {
        Some(address) => {
            let server = HookServer::listen(address).await?;
            tokio::spawn(server.serve(Arc::new(receiver), last_answer.clone()))
        }
        None => tokio::spawn(async {}),
    };
    let outcome = penstock_controller::run(settings, adapters, process).await;

    last_answer.cancel();
    // They have nothing to say when they end.
    drop((serving.await, hooks.await));
    audit.close();
    Ok(outcome?)
}

fn settings(arguments: &RunArguments, connection: &Connection) -> Result<Settings, OperateError> {
    let operator_namespace = match &arguments.cluster.namespace {
        Some(namespace) => namespace.clone(),
        None => NamespaceName::new(connection.default_namespace())
            .map_err(OperateError::NameNamespace)?,
    };
    Ok(Settings {
        scope: scope(&arguments.scope, &operator_namespace),
        operator_namespace,
        cluster_stores: arguments.scope.cluster_stores,
        cluster_syncs: arguments.scope.cluster_syncs,
        concurrency: arguments.concurrency,
        reference_watches: arguments.reference_watches,
        store_check_interval: arguments.store_check_interval,
        shutdown_grace: arguments.shutdown_grace,
        election: election(&arguments.election)?,
    })
}

fn scope(arguments: &ScopeArguments, own: &NamespaceName) -> Scope {
    if arguments.all_namespaces {
        Scope::Cluster
    } else if arguments.namespaces.is_empty() {
        Scope::Namespaces([own.clone()].into())
    } else {
        Scope::Namespaces(arguments.namespaces.iter().cloned().collect())
    }
}

fn election(arguments: &ElectionArguments) -> Result<Option<ElectionSettings>, OperateError> {
    if !arguments.leader_election {
        return Ok(None);
    }
    let timing = ElectionTiming::new(
        arguments.lease_duration,
        arguments.lease_renew_deadline,
        arguments.lease_retry_period,
    )?;
    // A process that comes back under the same name is another one: it must not take up the lease of its
    // former life as its own.
    let life = getrandom::u64().map_err(OperateError::ReadRandomness)?;
    Ok(Some(ElectionSettings {
        lease: arguments.lease_name.clone(),
        identity: format!("{}_{life:016x}", instance(arguments)),
        timing,
    }))
}

/// The name that people know this process by.
fn instance(arguments: &ElectionArguments) -> String {
    let host = || {
        std::env::var("HOSTNAME")
            .ok()
            .filter(|name| !name.is_empty())
    };
    arguments
        .identity
        .clone()
        .or_else(host)
        .unwrap_or_else(|| "penstock".to_owned())
}

fn adapters(
    arguments: &RunArguments,
    process: &Process,
    audit: Arc<AuditTrail>,
    settings: &Settings,
) -> (Adapters, HookReceiver) {
    let limits = ApiServerLimits {
        in_flight: arguments.api_requests.get(),
        ..ApiServerLimits::default()
    };
    let api = ApiServer::new(process.connection.client.clone(), limits);
    let readers = KubernetesReaders::new(api.clone());
    let readers = Arc::new(match &process.connection.own_token {
        Some(token) => readers.guarding(token),
        None => readers,
    });
    let hints = Arc::new(StoreHints::default());
    let receiver = HookReceiver::new(
        Arc::clone(&process.world),
        Arc::clone(&readers) as _,
        Arc::new(SystemClock),
        Arc::clone(&hints),
    );
    let http = Arc::new(
        HttpLayer::new(arguments.egress_allow.clone())
            .with_ambient(Ambient::of_process(std::env::vars_os())),
    );
    let canaries: Arc<dyn Canaries> = if arguments.canaries {
        let credentials = Arc::clone(&readers) as _;
        let canaries = KubernetesCanaries::new(api.clone(), Arc::clone(&http), credentials);
        Arc::new(canaries)
    } else {
        Arc::new(NoCanaries)
    };
    let registry = Arc::new(Registry::new(Reached {
        http: Arc::clone(&http),
        catalog: Arc::clone(&process.world) as _,
        credentials: Arc::clone(&readers) as _,
        objects: readers,
    }));
    registry.tell(Arc::clone(&hints) as _);
    let ports = Ports {
        sources: Arc::clone(&registry) as _,
        targets: Arc::new(KubernetesTargets::new(api.clone())),
        records: Arc::new(KubernetesRecords::new(api.clone())),
        workloads: Arc::new(KubernetesWorkloads::new(api.clone())),
        validators: Arc::new(NetworkValidators::new(http)),
        canaries,
        clock: Arc::new(SystemClock),
        fence: Arc::clone(&process.fence) as _,
        audit,
        offload: Arc::new(BlockingThread::of_the_process()),
    };
    let adapters = Adapters {
        ports: instrument(ports, &process.metrics),
        probe: Arc::clone(&registry) as _,
        stores: Arc::new(Stores(registry)),
        keys: Arc::new(KeyOfNamespace {
            api,
            namespace: settings.operator_namespace.clone(),
        }),
        hints,
    };
    (adapters, receiver)
}

/// The installation key's Secret.
struct KeyOfNamespace {
    api: ApiServer,
    namespace: NamespaceName,
}

#[async_trait]
impl InstallationKeys for KeyOfNamespace {
    async fn load_or_create(&self) -> Result<InstallationKey, Fault> {
        installation_key::load_or_create(&self.api, &self.namespace).await
    }
}

/// The stores that the registry keeps open.
struct Stores(Arc<Registry>);

#[async_trait]
impl OpenStores for Stores {
    fn close_one(&self, home: &NamespaceName, store: &StoreReference) {
        self.0.invalidate(home, store);
    }

    async fn close_all(&self) {
        self.0.close().await;
    }
}

/// A token that is cancelled when the process is asked to stop.
fn stop_on_signals() -> Result<CancellationToken, OperateError> {
    let failed = OperateError::ListenForSignals;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        asked.cancel();
    });
    Ok(stop)
}
