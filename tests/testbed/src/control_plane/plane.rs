//! Starting, using and breaking a control plane.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, ListParams, PostParams};
use kube::{Client, ResourceExt};

use super::layout::{ControlPlaneOptions, ISSUER, Layout, OWN_AUDIENCE, Part};
use crate::certificates::{Authority, CertificateError, SigningKey};
use crate::endpoint::{Endpoint, EndpointError, write_private};
use crate::eventually::{Unmet, eventually};
use crate::keeper::{Keeper, KeeperError, Service, Signal, log_tail};
use crate::net::{NoFreePort, free_port};
use crate::token::random_token;
use crate::tools::Tools;
use crate::usage::Usage;

const STARTING: Duration = Duration::from_mins(2);
const KWOK_STARTS: usize = 10;

/// Why a control plane does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlPlaneError {
    /// A file could not be laid out.
    #[error("cannot lay out the control plane")]
    LayOut(#[source] io::Error),
    /// A certificate could not be made.
    #[error("cannot make the certificates")]
    Certify(#[source] CertificateError),
    /// There is no port for it.
    #[error("cannot choose a port")]
    ChoosePort(#[source] NoFreePort),
    /// A program could not be started, ended or signalled.
    #[error("cannot run a part of the control plane")]
    Run(#[source] KeeperError),
    /// The admin's kubeconfig or client could not be made.
    #[error("cannot make the admin's client")]
    Connect(#[source] EndpointError),
    /// It did not come up in time.
    #[error("the control plane did not come up")]
    ComeUp(#[source] Unmet),
    /// A part ended while it came up.
    #[error("{part} ended; its log ends with:\n{log}")]
    End {
        /// Its name.
        part: &'static str,
        /// The end of its log.
        log: String,
    },
    /// The API server refused something.
    #[error("the API server refused {what}")]
    Refuse {
        /// What it was asked.
        what: &'static str,
        /// Its answer.
        #[source]
        source: Box<kube::Error>,
    },
    /// kubectl said no.
    #[error("kubectl {arguments}: {message}")]
    Kubectl {
        /// What it was told.
        arguments: String,
        /// What it said.
        message: String,
    },
}

/// A running control plane. Dropping it kills it.
pub struct ControlPlane {
    layout: Layout,
    services: BTreeMap<Part, Service>,
    endpoint: Endpoint,
    admin_token: String,
    token_key: String,
    kubectl: PathBuf,
}

impl ControlPlane {
    /// Starts one, and waits until it answers, all nodes are ready and the namespace `default` can
    /// take pods.
    pub async fn start(
        keeper: &Arc<Keeper>,
        tools: &Tools,
        options: &ControlPlaneOptions,
    ) -> Result<Self, ControlPlaneError> {
        let port = free_port().map_err(ControlPlaneError::ChoosePort)?;
        let layout = Layout {
            directory: keeper.directory().join(format!("control-plane-{port}")),
            port,
        };
        let plane = lay_out(keeper, tools, layout)?;
        plane
            .write_stages(tools)
            .await
            .map_err(ControlPlaneError::LayOut)?;
        plane
            .service(Part::Etcd)
            .start()
            .await
            .map_err(ControlPlaneError::Run)?;
        // An API server that comes first waits a second before it tries etcd again.
        plane.await_etcd().await?;
        for part in [Part::ApiServer, Part::ControllerManager, Part::Scheduler] {
            plane.start_part(part).await?;
        }
        plane.await_ready().await?;
        let client = plane.client().await?;
        create_nodes(&client, options.nodes).await?;
        let (nodes, account) = tokio::join!(
            plane.start_kwok(&client, options.nodes),
            await_default_account(&client),
        );
        nodes?;
        account?;
        Ok(plane)
    }

    /// Where it is reached.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The admin's kubeconfig, a file.
    pub fn kubeconfig(&self) -> PathBuf {
        self.layout.file("admin.kubeconfig")
    }

    /// The admin's bearer token (group `system:masters`).
    pub fn admin_token(&self) -> &str {
        &self.admin_token
    }

    /// The public key, in PEM, that the tokens of service accounts are signed with.
    pub fn token_key(&self) -> &str {
        &self.token_key
    }

    /// The issuer in the tokens of service accounts.
    pub fn token_issuer(&self) -> &'static str {
        ISSUER
    }

    /// An audience whose tokens the API server takes, beside its issuer.
    pub fn own_audience(&self) -> &'static str {
        OWN_AUDIENCE
    }

    /// A client as the admin. Make one per test: its connections belong to the runtime that it is
    /// made in.
    pub async fn client(&self) -> Result<Client, ControlPlaneError> {
        let client = self.endpoint.client(&self.admin_token).await;
        client.map_err(ControlPlaneError::Connect)
    }

    /// Runs kubectl as the admin and gives back what it printed.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String, ControlPlaneError> {
        let output = tokio::process::Command::new(&self.kubectl)
            .env_clear()
            .env("HOME", &self.layout.directory)
            .arg(format!("--kubeconfig={}", self.kubeconfig().display()))
            .args(arguments)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(ControlPlaneError::LayOut)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(ControlPlaneError::Kubectl {
            arguments: arguments.join(" "),
            message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    /// Ends one part with SIGKILL.
    pub async fn kill_part(&self, part: Part) -> Result<(), ControlPlaneError> {
        self.service(part)
            .kill()
            .await
            .map_err(ControlPlaneError::Run)
    }

    /// Starts one part again, with what it had stored. Does not wait until it answers: see
    /// [`await_ready`](Self::await_ready).
    pub async fn start_part(&self, part: Part) -> Result<(), ControlPlaneError> {
        let service = self.service(part);
        if part == Part::Etcd {
            // A killed one leaves its sockets behind; a new one does not replace them.
            for socket in [self.layout.etcd_socket(), self.layout.file("peer:1")] {
                remove(&socket).map_err(ControlPlaneError::LayOut)?;
            }
        }
        service.start().await.map_err(ControlPlaneError::Run)
    }

    /// Freezes one part with SIGSTOP: it neither answers nor refuses.
    pub async fn pause_part(&self, part: Part) -> Result<(), ControlPlaneError> {
        let service = self.service(part);
        service
            .signal(Signal::Pause)
            .await
            .map_err(ControlPlaneError::Run)
    }

    /// Lets a frozen part go on.
    pub async fn resume_part(&self, part: Part) -> Result<(), ControlPlaneError> {
        let service = self.service(part);
        service
            .signal(Signal::Resume)
            .await
            .map_err(ControlPlaneError::Run)
    }

    /// Memory and CPU time of one part; none while it does not run.
    pub async fn usage(&self, part: Part) -> Option<Usage> {
        Usage::of(self.service(part).id().await?).ok()
    }

    /// The log of one part, a file.
    pub fn log_path(&self, part: Part) -> &Path {
        self.service(part).log_path()
    }

    /// Waits until the API server says that it is ready.
    pub async fn await_ready(&self) -> Result<(), ControlPlaneError> {
        let client = self.client().await?;
        self.await_part(Part::ApiServer, "the API server is ready", || async {
            let request = http::Request::get("/readyz").body(Vec::new());
            let request = request.map_err(|error| error.to_string())?;
            let answer = client.request_text(request).await;
            answer.map(drop).map_err(|error| error.to_string())
        })
        .await
    }

    fn service(&self, part: Part) -> &Service {
        // `lay_out` puts every part in.
        &self.services[&part]
    }

    async fn await_etcd(&self) -> Result<(), ControlPlaneError> {
        let socket = self.layout.etcd_socket();
        self.await_part(Part::Etcd, "etcd listens", || async {
            let connected = tokio::net::UnixStream::connect(&socket).await;
            connected.map(drop).map_err(|error| error.to_string())
        })
        .await
    }

    /// Waits for a condition, and no longer than the part lives that it depends on.
    async fn await_part<F, A>(
        &self,
        part: Part,
        what: &str,
        mut condition: F,
    ) -> Result<(), ControlPlaneError>
    where
        F: FnMut() -> A,
        A: Future<Output = Result<(), String>>,
    {
        let service = self.service(part);
        let met = eventually(what, STARTING, || {
            let look = condition();
            async move {
                match service.exit().await {
                    Some(_) => Ok(false),
                    None => look.await.map(|()| true),
                }
            }
        });
        let alive = met.await.map_err(ControlPlaneError::ComeUp)?;
        alive.then_some(()).ok_or_else(|| self.ended(part))
    }

    fn ended(&self, part: Part) -> ControlPlaneError {
        let log = log_tail(self.log_path(part));
        ControlPlaneError::End {
            part: part.name(),
            log,
        }
    }

    /// The lives of fake nodes and pods, which come with kwok.
    async fn write_stages(&self, tools: &Tools) -> io::Result<()> {
        let mut kwok = tokio::process::Command::new(tools.kwok());
        let output = kwok.arg("stages").stdin(Stdio::null()).output().await?;
        fs::write(self.layout.file("stages.yaml"), output.stdout)
    }

    /// kwok 0.8.0 sometimes dies in its first moments of concurrent writes to one of its maps; it
    /// is started again then.
    async fn start_kwok(&self, client: &Client, nodes: usize) -> Result<(), ControlPlaneError> {
        let api: Api<Node> = Api::all(client.clone());
        for _ in 0..KWOK_STARTS {
            self.start_part(Part::Kwok).await?;
            let ready = self.await_part(Part::Kwok, "the nodes are ready", || async {
                let list = api.list(&ListParams::default()).await;
                let list = list.map_err(|error| error.to_string())?;
                let ready = list.items.iter().filter(|node| is_ready(node)).count();
                if ready == nodes {
                    Ok(())
                } else {
                    Err(format!("{ready} of {nodes}"))
                }
            });
            match ready.await {
                Err(ControlPlaneError::End { .. }) => {}
                outcome => return outcome,
            }
        }
        Err(self.ended(Part::Kwok))
    }
}

fn lay_out(
    keeper: &Arc<Keeper>,
    tools: &Tools,
    layout: Layout,
) -> Result<ControlPlane, ControlPlaneError> {
    let authority = Authority::new("testbed").map_err(ControlPlaneError::Certify)?;
    let server = authority
        .server("kube-apiserver", &["kubernetes.default.svc", "10.96.0.1"])
        .map_err(ControlPlaneError::Certify)?;
    let signing = SigningKey::new().map_err(ControlPlaneError::Certify)?;
    let admin_token = random_token();
    let tokens = format!("{admin_token},admin,admin,system:masters\n");
    let endpoint = Endpoint {
        address: layout.address(),
        certificate_authority: Some(authority.certificate().to_owned()),
    };
    fs::create_dir(&layout.directory).map_err(ControlPlaneError::LayOut)?;
    let files: [(&str, &str); 6] = [
        ("ca.crt", authority.certificate()),
        ("server.crt", &server.certificate),
        ("server.key", &server.key),
        ("service-account.key", &signing.private),
        ("service-account.pub", &signing.public),
        ("tokens.csv", &tokens),
    ];
    for (name, text) in files {
        write_private(&layout.file(name), text).map_err(ControlPlaneError::LayOut)?;
    }
    endpoint
        .kubeconfig(&admin_token, None)
        .write(&layout.file("admin.kubeconfig"))
        .map_err(ControlPlaneError::Connect)?;
    let services = Part::ALL
        .into_iter()
        .map(|part| (part, Service::new(keeper, layout.launch(part, tools))))
        .collect();
    Ok(ControlPlane {
        layout,
        services,
        endpoint,
        admin_token,
        token_key: signing.public,
        kubectl: tools.kubectl(),
    })
}

async fn create_nodes(client: &Client, count: usize) -> Result<(), ControlPlaneError> {
    let api: Api<Node> = Api::all(client.clone());
    for number in 1..=count {
        let name = format!("node-{number}");
        let mut node = Node::default();
        node.metadata.name = Some(name.clone());
        node.labels_mut().extend([
            ("kubernetes.io/hostname".to_owned(), name),
            ("kubernetes.io/os".to_owned(), "linux".to_owned()),
        ]);
        let created = api.create(&PostParams::default(), &node).await;
        created.map_err(|error| ControlPlaneError::Refuse {
            what: "a node",
            source: Box::new(error),
        })?;
    }
    Ok(())
}

fn is_ready(node: &Node) -> bool {
    let conditions = node
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|conditions| {
        let ready = |condition: &k8s_openapi::api::core::v1::NodeCondition| {
            condition.type_ == "Ready" && condition.status == "True"
        };
        conditions.iter().any(ready)
    })
}

/// Pods are refused until the controller manager has made the namespace's own account.
async fn await_default_account(client: &Client) -> Result<(), ControlPlaneError> {
    let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> =
        Api::namespaced(client.clone(), "default");
    eventually("the default service account is there", STARTING, || async {
        accounts.get("default").await.map(drop)
    })
    .await
    .map_err(ControlPlaneError::ComeUp)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}
