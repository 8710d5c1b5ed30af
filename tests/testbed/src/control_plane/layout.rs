//! Which programs make a control plane, and with which switches.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::keeper::Launch;
use crate::tools::Tools;

/// The name under which the API server issues tokens of service accounts.
pub(super) const ISSUER: &str = "https://kubernetes.default.svc";

/// An audience of the API server that nobody could guess from its text, as managed clusters have them.
pub(super) const OWN_AUDIENCE: &str = "https://clusters.example/c1";
/// Whom tokens must be for, to be taken by the API server.
const API_AUDIENCES: &str = "https://kubernetes.default.svc,https://clusters.example/c1";

/// How a control plane is to be.
#[derive(Clone, Debug)]
pub struct ControlPlaneOptions {
    /// Fake nodes, `node-1` and so on.
    pub nodes: usize,
}

impl Default for ControlPlaneOptions {
    fn default() -> Self {
        Self { nodes: 2 }
    }
}

/// One program of the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The store.
    Etcd,
    /// kube-apiserver.
    ApiServer,
    /// kube-controller-manager: Deployments, garbage collection, namespaces, service accounts.
    ControllerManager,
    /// kube-scheduler.
    Scheduler,
    /// kwok: nodes and pods that say that they run.
    Kwok,
}

impl Part {
    /// Every part, in the order of starting.
    pub const ALL: [Self; 5] = [
        Self::Etcd,
        Self::ApiServer,
        Self::ControllerManager,
        Self::Scheduler,
        Self::Kwok,
    ];

    /// Its program's name, which is that of its log, too.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kwok => "kwok",
        }
    }
}

/// The folder of one control plane.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) directory: PathBuf,
    pub(super) port: u16,
}

impl Layout {
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(super) fn etcd_socket(&self) -> PathBuf {
        self.file("etcd:1")
    }

    pub(super) fn address(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub(super) fn launch(&self, part: Part, tools: &Tools) -> Launch {
        let program = match part {
            Part::Etcd => tools.etcd(),
            Part::ApiServer => tools.api_server(),
            Part::ControllerManager => tools.controller_manager(),
            Part::Scheduler => tools.scheduler(),
            Part::Kwok => tools.kwok(),
        };
        let arguments = match part {
            Part::Etcd => etcd(),
            Part::ApiServer => self.api_server(),
            Part::ControllerManager => controller_manager(),
            Part::Scheduler => scheduler(),
            Part::Kwok => kwok(),
        };
        Launch {
            name: part.name().to_owned(),
            program,
            arguments,
            environment: BTreeMap::new(),
            inherit: false,
            directory: self.directory.clone(),
            log: self.file(&format!("{}.log", part.name())),
        }
    }

    fn api_server(&self) -> Vec<String> {
        let port = self.port.to_string();
        flags(&[
            ("etcd-servers", "unix://etcd:1"),
            ("bind-address", "127.0.0.1"),
            ("secure-port", &port),
            ("tls-cert-file", "server.crt"),
            ("tls-private-key-file", "server.key"),
            ("token-auth-file", "tokens.csv"),
            ("authorization-mode", "RBAC"),
            ("service-account-issuer", ISSUER),
            ("api-audiences", API_AUDIENCES),
            ("service-account-key-file", "service-account.pub"),
            ("service-account-signing-key-file", "service-account.key"),
            ("service-cluster-ip-range", "10.96.0.0/16"),
            // Nobody reaches the API server through the `kubernetes` Service.
            ("endpoint-reconciler-type", "none"),
            ("allow-privileged", "true"),
        ])
    }
}

/// etcd listens on sockets in its folder only: nobody else's business, and no port to collide on.
/// Its URLs must look like host and port all the same.
fn etcd() -> Vec<String> {
    flags(&[
        ("name", "only"),
        ("data-dir", "etcd"),
        ("unsafe-no-fsync", "true"),
        ("listen-client-urls", "unix://etcd:1"),
        ("advertise-client-urls", "unix://etcd:1"),
        ("listen-peer-urls", "unix://peer:1"),
        ("initial-advertise-peer-urls", "unix://peer:1"),
        ("initial-cluster", "only=unix://peer:1"),
        // Alone, it wins its election as soon as it calls one.
        ("heartbeat-interval", "20"),
        ("election-timeout", "200"),
        ("log-level", "warn"),
    ])
}

fn controller_manager() -> Vec<String> {
    let mut arguments = client();
    arguments.extend(flags(&[
        ("service-account-private-key-file", "service-account.key"),
        ("root-ca-file", "ca.crt"),
        ("leader-elect", "false"),
        ("secure-port", "0"),
        // The defaults would make a test wait for the controllers' own throttle.
        ("kube-api-qps", "1000"),
        ("kube-api-burst", "2000"),
    ]));
    arguments
}

fn scheduler() -> Vec<String> {
    let mut arguments = client();
    arguments.extend(flags(&[
        ("leader-elect", "false"),
        ("secure-port", "0"),
        ("kube-api-qps", "1000"),
        ("kube-api-burst", "2000"),
    ]));
    arguments
}

fn kwok() -> Vec<String> {
    let mut arguments = client();
    arguments.extend(flags(&[
        ("config", "stages.yaml"),
        ("manage-all-nodes", "true"),
        ("node-lease-duration-seconds", "40"),
    ]));
    arguments
}

fn client() -> Vec<String> {
    flags(&[("kubeconfig", "admin.kubeconfig")])
}

fn flags(pairs: &[(&str, &str)]) -> Vec<String> {
    pairs
        .iter()
        .map(|(name, value)| format!("--{name}={value}"))
        .collect()
}
