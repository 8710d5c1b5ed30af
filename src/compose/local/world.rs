//! The ports of this machine, put together for one run.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use penstock_adapters::blocking::BlockingThread;
use penstock_adapters::files::{FileAccess, FileSources, FileTargets, GithubFiles};
use penstock_adapters::http::ambient::Ambient;
use penstock_adapters::http::client::HttpLayer;
use penstock_adapters::kubernetes::{KubernetesTargets, KubernetesWorkloads};
use penstock_adapters::local::{LocalSources, LocalTargets};
use penstock_adapters::no_canaries::NoCanaries;
use penstock_adapters::open::HostAccess;
use penstock_adapters::process_environment::ProcessEnvironment;
use penstock_adapters::providers::Reached;
use penstock_adapters::registry::Registry;
use penstock_adapters::validators::NetworkValidators;
use penstock_cli::arguments::{
    AuditArguments, KeyOrigin, ReachArguments, RecordPlace, StateArguments,
};
use penstock_cli::local::{
    AlwaysOpen, ByUser, DocumentCatalog, Invocation, LocalCredentials, NoAudit, NoLiveSyncs,
    NoWorkloads, Session, StoreNews, Told,
};
use penstock_controller::SystemClock;
use penstock_domain::engine::Engine;
use penstock_domain::names::NamespaceName;
use penstock_domain::ports::{Audit, Clock, Ports, Sources, Targets, Workloads};
use penstock_domain::stores::{DataObjects, StoreNotices};
use penstock_domain::sync::StoreReference;
use penstock_observability::audit::{AuditTrail, OpenAudit};
use penstock_observability::metrics::Metrics;
use tokio::sync::Notify;

use super::cluster::Cluster;
use super::records::RecordPlaces;
use super::{Given, OpenWorld, Purpose, key};

/// The session, and what must be closed after it.
pub(super) struct World {
    pub(super) session: Session,
    pub(super) registry: Arc<Registry>,
    audit: Trail,
}

/// The audit trail, where one was asked for.
pub(super) struct Trail(Option<Arc<AuditTrail>>);

impl Trail {
    /// Opens what the arguments say.
    pub(super) fn open(
        arguments: &AuditArguments,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, OpenAudit> {
        let open = |sink| AuditTrail::open(sink, Arc::clone(metrics)).map(Arc::new);
        arguments.sink.as_ref().map(open).transpose().map(Self)
    }

    /// Where entries go, in the name of the user of this machine.
    pub(super) fn port(&self) -> Arc<dyn Audit> {
        let Some(trail) = &self.0 else {
            return Arc::new(NoAudit);
        };
        let name = ["LOGNAME", "USER"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok());
        Arc::new(ByUser::new(Arc::clone(trail) as _, name.as_deref()))
    }

    /// Writes what still waits.
    pub(super) fn close(&self) {
        if let Some(trail) = &self.0 {
            trail.close();
        }
    }
}

impl World {
    /// Opens what the invocation needs, and nothing more.
    pub(super) async fn open(
        (inputs, state, purpose): Given<'_>,
        mut invocation: Invocation,
    ) -> Result<Self, OpenWorld> {
        if state.retry {
            let run = Clock::now(&SystemClock).to_string();
            for chosen in &mut invocation.syncs {
                chosen.retry = Some(run.clone());
            }
        }
        let reach = &inputs.reach;
        let metrics = Arc::new(Metrics::new());
        let audit = Trail::open(&state.audit, &metrics)?;
        let asked =
            state.record == Some(RecordPlace::Cluster) || state.key == Some(KeyOrigin::Cluster);
        let cluster = if asked || invocation.touches.cluster() {
            Some(Cluster::connect(reach, &metrics).await?)
        } else {
            None
        };
        let cluster = cluster.as_ref();
        let registry = registry(reach, &invocation, (cluster, purpose));
        let given = (inputs, state, purpose);
        let key = key::choose(given, &invocation, (cluster, &registry)).await?;
        let place = state.record.as_ref();
        let records = RecordPlaces::of(&invocation.syncs, place, cluster, &registry)?;
        let access = access(reach, reserved(state, &records));
        let sources: Arc<dyn Sources> = Arc::new(LocalSources {
            files: FileSources::new(access.clone()),
            environment: ProcessEnvironment::new(std::env::vars_os()),
            stores: Arc::clone(&registry) as _,
        });
        let targets: Arc<dyn Targets> = Arc::new(LocalTargets {
            files: FileTargets::new(access)?,
            hosts: Arc::clone(&registry) as _,
            objects: cluster.map(objects),
        });
        // Whoever only looks may not have the key of the operator whose targets these are.
        let standing_in = match (purpose, &state.key) {
            (Purpose::Look, None) => key::standing_in(&invocation, &*targets, &key.key).await?,
            _ => BTreeMap::new(),
        };
        let ports = Ports {
            sources: Arc::new(Told::new(sources)),
            targets: Arc::new(Told::new(targets)),
            records: Arc::new(records),
            workloads: workloads(cluster),
            validators: Arc::new(NetworkValidators::new(Arc::new(HttpLayer::new(egress(
                reach,
            ))))),
            canaries: Arc::new(NoCanaries),
            clock: Arc::new(SystemClock),
            fence: Arc::new(AlwaysOpen),
            audit: audit.port(),
            offload: Arc::new(BlockingThread::of_the_process()),
        };
        let session = Session {
            engine: Engine {
                ports,
                key: Arc::new(key.key),
            },
            standing_in,
            invocation,
            live: cluster.map_or_else(|| Arc::new(NoLiveSyncs) as _, Cluster::live),
            news: Arc::new(News {
                registry: Arc::clone(&registry),
                heard: Arc::default(),
            }),
            // Hashes of contents would let a stranger try guesses, one plan after the other.
            key_is_kept: key.kept && (purpose == Purpose::Write || reach.trusted_stores.is_none()),
        };
        Ok(Self {
            session,
            registry,
            audit,
        })
    }

    /// Gives logins back and ends the audit trail.
    pub(super) async fn close(self) {
        self.registry.close().await;
        self.audit.close();
    }
}

/// What the registry's stores tell.
struct News {
    registry: Arc<Registry>,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard(Notify);

impl StoreNotices for Heard {
    fn changed(&self, _: &NamespaceName, _: &StoreReference) {
        self.0.notify_one();
    }
}

#[async_trait]
impl StoreNews for News {
    fn begin(&self) {
        self.registry.tell(Arc::clone(&self.heard) as _);
    }

    async fn next(&self) {
        self.heard.0.notified().await;
    }
}

/// Stores, and what documents say of Secrets and ConfigMaps.
pub(super) fn registry(
    reach: &ReachArguments,
    invocation: &Invocation,
    (cluster, purpose): (Option<&Cluster>, Purpose),
) -> Arc<Registry> {
    let objects = cluster.map(|cluster| Arc::clone(&cluster.objects) as Arc<dyn DataObjects>);
    let credentials = Arc::new(LocalCredentials::new(
        invocation.secrets.clone(),
        &invocation.documents,
        invocation.variables.clone(),
        // A stranger's document reads no Secret of the cluster either.
        objects.filter(|_| reach.trusted_stores.is_none()),
    ));
    let catalog =
        DocumentCatalog::new(&invocation.documents, invocation.operator_namespace.clone());
    let hosts = HostAccess {
        allow_commands: reach.allow_commands,
        writes: purpose == Purpose::Write,
    };
    let http = HttpLayer::new(egress(reach)).with_ambient(ambient());
    let registry = Arc::new(Registry::new(Reached {
        http: Arc::new(http.reaching_hosts(hosts)),
        catalog: Arc::new(catalog),
        credentials: Arc::clone(&credentials) as _,
        objects: Arc::clone(&credentials) as _,
    }));
    let stores: Weak<Registry> = Arc::downgrade(&registry);
    credentials.read_stores_through(stores as Weak<dyn Sources>);
    registry
}

/// The identity of the person who runs the command, at the clouds.
fn ambient() -> Ambient {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    Ambient::of_process(std::env::vars_os()).of_person(home.map(PathBuf::from))
}

/// Where stores may be besides public addresses. Whoever runs a command on a machine administers its reach: without
/// a list, that is the machine itself and its private networks. The link and metadata services are not among them.
fn egress(reach: &ReachArguments) -> Vec<IpNet> {
    if !reach.egress_allow.is_empty() {
        return reach.egress_allow.clone();
    }
    let v4 = |a, b, prefix| IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, 0, 0), prefix));
    let v6 = |address, prefix| IpNet::V6(Ipv6Net::new_assert(address, prefix));
    vec![
        v4(127, 0, 8),
        v4(10, 0, 8),
        v4(172, 16, 12),
        v4(192, 168, 16),
        v6(Ipv6Addr::LOCALHOST, 128),
        v6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
    ]
}

fn access(reach: &ReachArguments, reserved: Vec<PathBuf>) -> FileAccess {
    let masks = |commands: &str| {
        // A runner that does not take them has lost its log as well.
        drop(io::stdout().write_all(commands.as_bytes()));
    };
    FileAccess {
        root: reach.root.clone(),
        allow_outside: reach.allow_outside,
        allow_tracked: reach.allow_tracked,
        reserved,
        github: GithubFiles::of(|name| std::env::var(name).ok(), Arc::new(masks)),
    }
}

/// Files of Penstock's own: records and keys.
fn reserved(state: &StateArguments, records: &RecordPlaces) -> Vec<PathBuf> {
    let mut reserved = records.folders.clone();
    if let Some(KeyOrigin::File(path)) = &state.key {
        reserved.push(path.clone());
    }
    reserved.extend(key::usual_path());
    reserved
}

fn objects(cluster: &Cluster) -> Arc<dyn Targets> {
    Arc::new(KubernetesTargets::new(cluster.api.clone()))
}

fn workloads(cluster: Option<&Cluster>) -> Arc<dyn Workloads> {
    match cluster {
        Some(cluster) => Arc::new(KubernetesWorkloads::new(cluster.api.clone())),
        None => Arc::new(NoWorkloads),
    }
}
