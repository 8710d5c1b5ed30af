//! Starting, sealing and breaking the server.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::audit::{AuditedRequest, parse};
use super::client::{VaultClient, VaultError, text};
use crate::certificates::{Authority, CertificateError};
use crate::endpoint::write_private;
use crate::eventually::{Unmet, eventually};
use crate::gate::{Gate, GateError};
use crate::keeper::{Keeper, KeeperError, Launch, Service, Signal};
use crate::net::{NoFreePort, free_port};
use crate::tools::Tools;
use crate::usage::Usage;

const STARTING: Duration = Duration::from_mins(1);
const MOUNT: &str = "secret";

/// Why the vault's server does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum OpenBaoError {
    /// A file could not be written or read.
    #[error("cannot use the vault's folder")]
    UseFolder(#[source] io::Error),
    /// A certificate could not be made.
    #[error("cannot make the vault's certificate")]
    Certify(#[source] CertificateError),
    /// There is no port for it.
    #[error("cannot choose a port")]
    ChoosePort(#[source] NoFreePort),
    /// The program could not be started, ended or signalled.
    #[error("cannot run the vault")]
    Run(#[source] KeeperError),
    /// It did not come up in time.
    #[error("the vault did not come up")]
    ComeUp(#[source] Unmet),
    /// It answered something else than it should.
    #[error("cannot set up the vault")]
    SetUp(#[source] VaultError),
}

/// How the vault checks tokens of service accounts.
pub struct KubernetesLogin<'a> {
    /// URL of the API server, as the vault reaches it.
    pub address: &'a str,
    /// Its authority, PEM.
    pub authority: &'a str,
    /// Token that may create TokenReviews.
    pub reviewer_token: &'a str,
}

/// A running vault, unsealed, with KV 2 at `secret/`. Dropping it kills it.
pub struct OpenBao {
    service: Service,
    directory: PathBuf,
    port: u16,
    authority: String,
    root_token: String,
    unseal_key: String,
}

impl OpenBao {
    /// Starts one with nothing in it but an empty KV 2 engine at `secret/`.
    pub async fn start(keeper: &Arc<Keeper>, tools: &Tools) -> Result<Self, OpenBaoError> {
        let port = free_port().map_err(OpenBaoError::ChoosePort)?;
        let directory = keeper.directory().join(format!("openbao-{port}"));
        let authority = lay_out(&directory, port)?;
        let launch = Launch {
            name: "openbao".into(),
            program: tools.bao(),
            arguments: vec!["server".into(), "-config=server.hcl".into()],
            environment: BTreeMap::new(),
            inherit: false,
            directory: directory.clone(),
            log: directory.join("openbao.log"),
        };
        let mut vault = Self {
            service: Service::new(keeper, launch),
            directory,
            port,
            authority,
            root_token: String::new(),
            unseal_key: String::new(),
        };
        vault.service.start().await.map_err(OpenBaoError::Run)?;
        vault.await_answer().await?;
        vault.initialise().await.map_err(OpenBaoError::SetUp)?;
        vault.unseal().await?;
        let client = vault.client().map_err(OpenBaoError::SetUp)?;
        client
            .enable_kv(MOUNT, 2)
            .await
            .map_err(OpenBaoError::SetUp)?;
        Ok(vault)
    }

    /// URL without a path: `https://127.0.0.1:…`.
    pub fn address(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Its authority in PEM.
    pub fn certificate_authority(&self) -> &str {
        &self.authority
    }

    /// Its authority as a file.
    pub fn certificate_authority_path(&self) -> PathBuf {
        self.directory.join("ca.crt")
    }

    /// The token that may do everything.
    pub fn root_token(&self) -> &str {
        &self.root_token
    }

    /// A client with the root token. Make one per test: its connections belong to the runtime that
    /// it is made in.
    pub fn client(&self) -> Result<VaultClient, VaultError> {
        VaultClient::new(&self.address(), &self.authority, &self.root_token)
    }

    /// A door of one's own to this vault, on another port, with the same certificate: it can be
    /// closed without anybody else noticing. It works as long as the runtime that opened it.
    pub async fn gate(&self) -> Result<Gate, GateError> {
        Gate::open(self.port).await
    }

    /// Its memory and CPU time; none while it does not run.
    pub async fn usage(&self) -> Option<Usage> {
        Usage::of(self.service.id().await?).ok()
    }

    /// Its log, a file.
    pub fn log_path(&self) -> &Path {
        self.service.log_path()
    }

    /// All requests so far, in order. Take those of a test by their path.
    pub fn requests(&self) -> Result<Vec<AuditedRequest>, OpenBaoError> {
        let log = fs::read(self.directory.join("audit.log")).map_err(OpenBaoError::UseFolder)?;
        Ok(parse(&String::from_utf8_lossy(&log)))
    }

    /// How often something was done (`read`, `list` …) to a path or to anything below it.
    pub fn count(&self, operation: &str, path: &str) -> Result<usize, OpenBaoError> {
        let below = format!("{}/", path.trim_end_matches('/'));
        let counts = |request: &&AuditedRequest| {
            let there = request.path == path || request.path.starts_with(&below);
            request.operation == operation && there
        };
        Ok(self.requests()?.iter().filter(counts).count())
    }

    /// Freezes it with SIGSTOP: connections are taken, and nothing answers.
    pub async fn pause(&self) -> Result<(), OpenBaoError> {
        self.service
            .signal(Signal::Pause)
            .await
            .map_err(OpenBaoError::Run)
    }

    /// Lets it go on.
    pub async fn resume(&self) -> Result<(), OpenBaoError> {
        self.service
            .signal(Signal::Resume)
            .await
            .map_err(OpenBaoError::Run)
    }

    /// Ends it: connections are refused. The data stay.
    pub async fn stop(&self) -> Result<(), OpenBaoError> {
        self.service.kill().await.map_err(OpenBaoError::Run)
    }

    /// Starts it again on the same port with the same data, and unseals it. Tokens and leases are
    /// still good.
    pub async fn start_again(&self) -> Result<(), OpenBaoError> {
        self.service.start().await.map_err(OpenBaoError::Run)?;
        self.await_answer().await?;
        self.unseal().await
    }

    /// Seals it: everything is answered with 503.
    pub async fn seal(&self) -> Result<(), OpenBaoError> {
        let sealed = async {
            let client = self.client()?;
            client.ask(Method::PUT, "sys/seal", None).await
        };
        sealed.await.map(drop).map_err(OpenBaoError::SetUp)
    }

    /// Unseals it, and waits until it serves.
    pub async fn unseal(&self) -> Result<(), OpenBaoError> {
        let client = self.client().map_err(OpenBaoError::SetUp)?;
        let body = json!({"key": self.unseal_key});
        let unsealed = client.post("sys/unseal", body).await;
        unsealed.map_err(OpenBaoError::SetUp)?;
        // Only an active one writes; its health says 200 then. And reading the mounts needs all of it.
        eventually("the vault serves", STARTING, || async {
            client.ask(Method::GET, "sys/health", None).await?;
            client.ask(Method::GET, "sys/mounts", None).await
        })
        .await
        .map(drop)
        .map_err(OpenBaoError::ComeUp)
    }

    /// Lets service accounts log in at `auth/{mount}` (the `kubernetes` method).
    pub async fn enable_kubernetes_login(
        &self,
        mount: &str,
        login: &KubernetesLogin<'_>,
    ) -> Result<(), VaultError> {
        let client = self.client()?;
        client.enable_auth(mount, "kubernetes").await?;
        let config = json!({
            "kubernetes_host": login.address,
            "kubernetes_ca_cert": login.authority,
            "token_reviewer_jwt": login.reviewer_token,
        });
        client
            .post(&format!("auth/{mount}/config"), config)
            .await
            .map(drop)
    }

    /// Lets tokens that were signed with `public_key` (PEM) by `issuer` log in at `auth/{mount}`
    /// (the `jwt` method).
    pub async fn enable_jwt_login(
        &self,
        mount: &str,
        public_key: &str,
        issuer: &str,
    ) -> Result<(), VaultError> {
        let client = self.client()?;
        client.enable_auth(mount, "jwt").await?;
        let config = json!({"jwt_validation_pubkeys": [public_key], "bound_issuer": issuer});
        client
            .post(&format!("auth/{mount}/config"), config)
            .await
            .map(drop)
    }

    async fn await_answer(&self) -> Result<(), OpenBaoError> {
        let client = self.client().map_err(OpenBaoError::SetUp)?;
        eventually("the vault answers", STARTING, || {
            client.ask(Method::GET, "sys/seal-status", None)
        })
        .await
        .map(drop)
        .map_err(OpenBaoError::ComeUp)
    }

    async fn initialise(&mut self) -> Result<(), VaultError> {
        let path = "sys/init";
        let body = json!({"secret_shares": 1, "secret_threshold": 1});
        let answer: Value = self.client()?.post(path, body).await?;
        self.unseal_key = text(&answer, path, "/keys_base64/0")?;
        self.root_token = text(&answer, path, "/root_token")?;
        Ok(())
    }
}

/// Writes certificates and configuration, and gives back the authority's certificate.
fn lay_out(directory: &Path, port: u16) -> Result<String, OpenBaoError> {
    let cluster_port = free_port().map_err(OpenBaoError::ChoosePort)?;
    let authority = Authority::new("openbao").map_err(OpenBaoError::Certify)?;
    let server = authority
        .server("openbao", &[])
        .map_err(OpenBaoError::Certify)?;
    let configuration = format!(
        r#"storage "raft" {{
  path = "data"
  node_id = "only"
  performance_multiplier = 1
}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_cert_file = "server.crt"
  tls_key_file = "server.key"
}}
api_addr = "https://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{cluster_port}"
audit "file" "requests" {{
  options {{
    file_path = "audit.log"
  }}
}}
"#
    );
    let files: [(&str, &str); 4] = [
        ("ca.crt", authority.certificate()),
        ("server.crt", &server.certificate),
        ("server.key", &server.key),
        ("server.hcl", &configuration),
    ];
    fs::create_dir_all(directory.join("data")).map_err(OpenBaoError::UseFolder)?;
    for (name, text) in files {
        write_private(&directory.join(name), text).map_err(OpenBaoError::UseFolder)?;
    }
    Ok(authority.certificate().to_owned())
}
