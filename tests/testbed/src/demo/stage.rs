//! Everything that the demo needs, started and installed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, PostParams};
use kube::{Client, ResourceExt};
use serde_json::json;

use super::current::Current;
use super::quickstart::{Login, Quickstart};
use super::shop::Shop;
use super::traces::Traces;
use super::{Cluster, DemoOptions};
use crate::api_proxy::ApiProxy;
use crate::chart::{Chart, Installed, Release};
use crate::control_plane::{ControlPlane, ControlPlaneOptions};
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::keeper::Keeper;
use crate::objects::{install_definitions, read};
use crate::openbao::{OpenBao, VaultClient};
use crate::operator::{Operator, OperatorOptions};
use crate::shared::Testbed;
use crate::story::Story;
use crate::token::random_token;
use crate::tools::{ToolSet, Tools, build_set};

/// How often the demo's sync reads the vault: the shortest that there is.
pub(super) const INTERVAL: Duration = Duration::from_secs(10);
/// Mount and path in the vault.
pub(super) const MOUNT: &str = "secret";
pub(super) const PATH: &str = "apps/shop";

/// What the example's README gives the token.
const POLICY: &str = r#"path "secret/data/apps/shop" { capabilities = ["read"] }
path "secret/metadata/apps/shop" { capabilities = ["read"] }"#;
const RELEASE: &str = "penstock";
const STARTING: Duration = Duration::from_mins(1);

/// A cluster with the operator, and a vault.
pub(super) struct Stage {
    /// How the reader calls kubectl.
    pub(super) kubectl: String,
    pub(super) shop: Shop,
    pub(super) quickstart: Quickstart,
    pub(super) vault: OpenBao,
    pub(super) entries: VaultClient,
    pub(super) proxy: ApiProxy,
    pub(super) operator: Operator,
    pub(super) client: Client,
    pub(super) namespace: String,
    /// Kept running.
    _plane: Option<ControlPlane>,
}

/// A cluster and what goes with it.
struct Site {
    client: Client,
    endpoint: Endpoint,
    namespace: String,
    tools: Tools,
    vault: OpenBao,
    plane: Option<ControlPlane>,
}

impl Stage {
    /// Builds what is missing, starts what is not there, and installs the operator.
    pub(super) async fn set(
        story: &mut Story,
        keeper: &Arc<Keeper>,
        options: &DemoOptions,
        traces: &Traces,
    ) -> Result<Self, Failure> {
        let site = match options.cluster {
            Cluster::Local => start_local(story, keeper).await?,
            Cluster::Current => use_current(story, keeper, options.yes).await?,
        };
        let installing = Box::pin(install(&site, &options.repository, traces));
        let installed = story.step("the chart is installed", installing).await?;
        let proxy = ApiProxy::start(&site.endpoint).await?;
        let starting = start_operator(&site, &proxy, &installed, &options.operator, keeper);
        let account = &installed.service_account;
        let what = format!("the operator runs as {}", account.username());
        let operator = story.step(&what, starting).await?;
        let entries = site.vault.client()?;
        Ok(Self {
            kubectl: format!("kubectl --namespace {}", site.namespace),
            shop: Shop::new(&site.client, &site.namespace),
            quickstart: quickstart(&site.vault, &entries, &options.repository).await?,
            vault: site.vault,
            entries,
            proxy,
            operator,
            client: site.client,
            namespace: site.namespace,
            _plane: site.plane,
        })
    }
}

async fn start_local(story: &mut Story, keeper: &Arc<Keeper>) -> Result<Site, Failure> {
    let tools = build_set(ToolSet::All, story, keeper).await?;
    let options = ControlPlaneOptions::default();
    let starting = Testbed::start(Arc::clone(keeper), tools, &options);
    let what = "a Kubernetes control plane and an OpenBao run on this machine";
    let testbed = story.step(what, starting).await?;
    Ok(Site {
        client: testbed.control_plane.client().await?,
        endpoint: testbed.control_plane.endpoint().clone(),
        namespace: "shop".to_owned(),
        tools: testbed.tools,
        vault: testbed.openbao,
        plane: Some(testbed.control_plane),
    })
}

async fn use_current(story: &mut Story, keeper: &Arc<Keeper>, yes: bool) -> Result<Site, Failure> {
    let current = Current::read().await?;
    let unique: String = random_token().chars().take(8).collect();
    let namespace = format!("penstock-demo-{unique}");
    current.consent(story, &namespace, yes).await?;
    story.line("");
    let what = format!("context {} answers", current.context);
    story.step(&what, current.is_free()).await?;
    let tools = build_set(ToolSet::BesideCluster, story, keeper).await?;
    let starting = OpenBao::start(keeper, &tools);
    let vault = story
        .step("an OpenBao runs on this machine", starting)
        .await?;
    Ok(Site {
        client: current.client,
        endpoint: current.endpoint,
        namespace,
        tools,
        vault,
        plane: None,
    })
}

/// Definitions, a namespace, and the chart for that namespace alone; no Deployment.
async fn install(site: &Site, repository: &Path, traces: &Traces) -> Result<Installed, Failure> {
    define(&site.client, &repository.join("crds"), traces).await?;
    create_namespace(&site.client, &site.namespace, traces).await?;
    let chart = Chart::new(&site.tools, &repository.join("charts/penstock"));
    let release = Release {
        name: RELEASE.to_owned(),
        namespace: site.namespace.clone(),
        values: json!({
            "crds": {"install": false},
            // The vault of the demo listens on this machine only.
            "egressAllow": ["127.0.0.1/32"],
            "log": {"format": "human"},
        }),
    };
    // What has no namespace does not go away with it.
    for object in chart.render(&release).await? {
        if object.namespace().is_none() {
            traces.note(&site.client, object);
        }
    }
    Ok(chart.install(&site.client, &release).await?)
}

/// Installs the definitions that are not there.
async fn define(client: &Client, folder: &Path, traces: &Traces) -> Result<(), Failure> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        files.push(entry?.path());
    }
    files.sort();
    for file in files {
        let yaml = std::fs::read_to_string(file)?;
        for definition in read(&yaml)? {
            if definitions.get_opt(&definition.name_any()).await?.is_none() {
                traces.note(client, definition);
                install_definitions(client, &yaml).await?;
            }
        }
    }
    Ok(())
}

async fn create_namespace(client: &Client, name: &str, traces: &Traces) -> Result<(), Failure> {
    let document = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name},
    });
    let api: Api<Namespace> = Api::all(client.clone());
    let namespace: Namespace = serde_json::from_value(document.clone())?;
    traces.note(client, serde_json::from_value::<DynamicObject>(document)?);
    if let Err(error) = api.create(&PostParams::default(), &namespace).await {
        // One that was there before is not ours to remove.
        traces.take_back();
        return Err(error.into());
    }
    Ok(())
}

async fn start_operator(
    site: &Site,
    proxy: &ApiProxy,
    installed: &Installed,
    binary: &Path,
    keeper: &Arc<Keeper>,
) -> Result<Operator, Failure> {
    let reach = (&site.client, proxy.endpoint());
    let options = OperatorOptions::of_chart("operator", binary, installed, reach, keeper).await?;
    let operator = Operator::start(keeper, options).await?;
    operator.await_ready(STARTING).await?;
    Ok(operator)
}

/// Fills the example in, with a token that may read its one path.
async fn quickstart(
    vault: &OpenBao,
    entries: &VaultClient,
    repository: &Path,
) -> Result<Quickstart, Failure> {
    entries.put_policy("shop", POLICY).await?;
    let token = entries.create_token(&["shop"], "24h", true).await?;
    let login = Login {
        address: &vault.address(),
        authority: vault.certificate_authority(),
        token: &token,
    };
    let folder = repository.join("examples/quickstart");
    Ok(Quickstart::read(&folder, &login, INTERVAL)?)
}
