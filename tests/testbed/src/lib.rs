//! Real servers for the demo, the tests and the benchmark.
//!
//! | part | what it is |
//! |---|---|
//! | [`build`], [`Tools`] | the programs: built from pinned sources, kept in the user's cache |
//! | [`Keeper`], [`Process`] | the process that owns every server and outlives nobody |
//! | [`ControlPlane`] | etcd, kube-apiserver, controller manager, scheduler and kwok |
//! | [`FakeKubelet`] | a node whose pods live by the values that they are given |
//! | [`OpenBao`], [`VaultClient`] | a vault with TLS, its data on disk and its requests counted |
//! | [`Sshd`] | a host to log in to |
//! | [`Postgres`], [`shared_postgres`] | a database with TLS, that can be killed and started again |
//! | [`shared`] | one of each for all tests of a binary |
//! | [`Operator`] | the binary under test, as a process that can be hurt and measured |
//! | [`ApiProxy`], [`Trap`] | counts requests to the API server and interferes with chosen ones |
//! | [`Gate`] | a door in front of a server that can be closed for one test |
//! | [`Namespace`], [`apply`], [`ServiceAccountName`] | a test's own corner, and who it acts as |
//! | [`Chart`] | the rights, the arguments and the environment that the chart gives the operator |
//! | [`eventually`], [`Failure`] | waiting for a condition, and messages that say what was seen |
//! | [`Story`] | telling a person what happens |
//! | [`demo()`] | what Penstock does, told while it happens |
//! | [`bench()`] | many SecretSyncs, measured |
//!
//! Nothing here sleeps to wait for a server, and nothing uses a fixed port.

mod api_proxy;
mod bench;
mod certificates;
mod chart;
mod control_plane;
mod demo;
mod endpoint;
mod eventually;
mod failure;
mod gate;
mod keeper;
mod kubelet;
mod namespace;
mod net;
mod objects;
mod openbao;
mod operator;
mod postgres;
mod service_account;
mod shared;
mod sshd;
mod story;
mod token;
mod tools;
mod usage;

pub use api_proxy::{ApiProxy, ApiRequest, Count, Filter, ProxyError, Snare, Trap, Verb};
pub use bench::{BenchOptions, SpreadError, bench};
pub use certificates::{Authority, CertificateError, Identity};
pub use chart::{Chart, ChartError, Installed, Release, may};
pub use control_plane::{ControlPlane, ControlPlaneError, ControlPlaneOptions, Part};
pub use demo::{Cluster, CurrentError, DemoOptions, QuickstartError, Traces, demo};
pub use endpoint::{Endpoint, EndpointError, KubeconfigText};
pub use eventually::{Unmet, eventually};
pub use failure::Failure;
pub use gate::{Door, Gate, GateError};
pub use keeper::{Exit, Keeper, KeeperError, Launch, Process, ServeError, Service, Signal, serve};
pub use kubelet::{FakeKubelet, POD_ADDRESS};
pub use namespace::Namespace;
pub use net::{NoFreePort, free_port};
pub use objects::{ObjectError, apply, install_definitions};
pub use openbao::{
    AppRole, AuditedRequest, KubernetesLogin, OpenBao, OpenBaoError, VaultClient, VaultError,
};
pub use operator::{Operator, OperatorError, OperatorOptions};
pub use postgres::{Postgres, PostgresClient, PostgresError, shared_postgres};
pub use service_account::ServiceAccountName;
pub use shared::{Testbed, TestbedError, keeper, shared};
pub use sshd::{NoPrograms, Sshd, SshdError};
pub use story::{Detail, Look, Story};
pub use tools::{
    BuildError, CacheError, MissingPrerequisites, NotBuilt, ToolSet, Tools, build, build_set,
    cache_directory, check_prerequisites,
};
pub use usage::{Usage, UsageError};

/// Chooses the TLS provider of this process, once; reqwest has none of its own.
pub fn install_cryptography() {
    // An error means that it was chosen before.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
}
