//! The servers and the operator of one benchmark, and looks at what they did.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};
use serde_json::json;

use super::BenchOptions;
use super::fleet::{Fleet, Size};
use super::tally::Tally;
use crate::chart::{Chart, Installed, Release};
use crate::control_plane::{ControlPlane, ControlPlaneOptions, Part};
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::keeper::Keeper;
use crate::openbao::OpenBao;
use crate::operator::{Operator, OperatorOptions};
use crate::shared::Testbed;
use crate::tools::Tools;

/// Where the operator lives, and where the fleet does.
const OWN: &str = "penstock";
const FLEET: &str = "bench";
const STARTING: Duration = Duration::from_mins(1);
const STOPPING: Duration = Duration::from_secs(30);

/// Everything that runs.
pub(super) struct Site {
    pub(super) fleet: Fleet,
    pub(super) plane: ControlPlane,
    pub(super) vault: OpenBao,
    pub(super) operator: Operator,
    tools: Tools,
    chart: PathBuf,
}

/// What the servers did up to now.
pub(super) struct Look {
    /// Requests to the API server.
    pub(super) requests: Tally,
    /// CPU time of API server and etcd, together.
    pub(super) server: Duration,
    /// CPU time of the vault.
    pub(super) vault: Duration,
    /// Reads of the fleet's paths that the vault took.
    pub(super) vault_reads: u64,
}

impl Site {
    /// Starts servers, installs the chart, fills the vault, and starts the operator, with no SecretSync yet.
    pub(super) async fn start(
        keeper: &Arc<Keeper>,
        tools: &Tools,
        options: &BenchOptions,
    ) -> Result<Self, Failure> {
        // Nothing here needs a node, and nodes would renew their Leases.
        let nodes = ControlPlaneOptions { nodes: 0 };
        let testbed = Testbed::start(Arc::clone(keeper), tools.clone(), &nodes).await?;
        let client = testbed.control_plane.client().await?;
        for name in [OWN, FLEET] {
            create_namespace(&client, name).await?;
        }
        let chart = options.repository.join("charts/penstock");
        let installed = install(&client, tools, &chart, &[FLEET]).await?;
        let fleet = Fleet {
            client: client.clone(),
            namespace: FLEET.to_owned(),
            vault: testbed.openbao.client()?,
            size: Size {
                objects: options.objects,
                keys: options.keys,
                interval: options.interval,
            },
        };
        let vault = testbed.openbao;
        fleet.fill_vault(0).await?;
        let authority = vault.certificate_authority();
        fleet.create_store(&vault.address(), authority).await?;
        let endpoint = testbed.control_plane.endpoint();
        let reach = (&client, endpoint);
        let operator =
            OperatorOptions::of_chart("operator", &options.operator, &installed, reach, keeper);
        let operator = Operator::start(keeper, operator.await?).await?;
        operator.await_ready(STARTING).await?;
        Ok(Self {
            fleet,
            plane: testbed.control_plane,
            vault,
            operator,
            tools: tools.clone(),
            chart,
        })
    }

    /// Looks at the servers.
    pub(super) async fn look(&self) -> Result<Look, Failure> {
        let mut vault_reads = 0;
        for path in Fleet::paths() {
            vault_reads += self.vault.count("read", &path)?;
            vault_reads += self.vault.count("list", &path)?;
        }
        let vault = self.vault.usage().await;
        Ok(Look {
            server: self.server_time().await,
            vault: vault.map_or(Duration::ZERO, |usage| usage.cpu),
            vault_reads: u64::try_from(vault_reads).unwrap_or(u64::MAX),
            requests: Tally::read(&self.fleet.client).await?,
        })
    }

    /// CPU time of API server and etcd up to now, together.
    pub(super) async fn server_time(&self) -> Duration {
        let mut server = Duration::ZERO;
        for part in [Part::ApiServer, Part::Etcd] {
            let usage = self.plane.usage(part).await;
            server += usage.map_or(Duration::ZERO, |usage| usage.cpu);
        }
        server
    }

    /// Asks the operator to end, and waits until it has.
    pub(super) async fn stop_operator(&self) -> Result<(), Failure> {
        self.operator.terminate(STOPPING).await?;
        Ok(())
    }

    /// Waits until the operator is ready.
    pub(super) async fn await_ready(&self) -> Result<(), Failure> {
        Ok(self.operator.await_ready(STARTING).await?)
    }

    /// Gives the operator's account the same rights in further namespaces, and a client that acts as it.
    pub(super) async fn act_as_operator(&self, namespaces: &[String]) -> Result<Client, Failure> {
        let client = &self.fleet.client;
        for name in namespaces {
            create_namespace(client, name).await?;
        }
        let names: Vec<&str> = namespaces.iter().map(String::as_str).collect();
        let installed = install(client, &self.tools, &self.chart, &names).await?;
        let token = installed.service_account.token(client, &[]).await?;
        Ok(self.endpoint().client(&token).await?)
    }

    fn endpoint(&self) -> &Endpoint {
        self.plane.endpoint()
    }
}

async fn install(
    client: &Client,
    tools: &Tools,
    chart: &Path,
    namespaces: &[&str],
) -> Result<Installed, Failure> {
    let release = Release {
        name: "penstock".to_owned(),
        namespace: OWN.to_owned(),
        values: json!({
            "namespaces": namespaces,
            // The vault of the benchmark listens on this machine only.
            "egressAllow": ["127.0.0.1/32"],
        }),
    };
    let chart = Chart::new(tools, chart);
    Ok(chart.install(client, &release).await?)
}

async fn create_namespace(client: &Client, name: &str) -> Result<(), kube::Error> {
    let namespace = Namespace {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    };
    let api: Api<Namespace> = Api::all(client.clone());
    api.create(&PostParams::default(), &namespace)
        .await
        .map(drop)
}
