//! What `penstock run` can be told. Every flag has an environment variable, which is what the chart sets.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use penstock_domain::names::NamespaceName;
use penstock_observability::audit::AuditSink;
use penstock_observability::logging::{LogFilter, LogFormat};

use super::values::{addresses, duration, namespace};

/// What `penstock run` can be told.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArguments,
    /// Which part of it.
    #[command(flatten)]
    pub scope: ScopeArguments,
    /// Who writes.
    #[command(flatten)]
    pub election: ElectionArguments,
    /// What is told.
    #[command(flatten)]
    pub observability: ObservabilityArguments,

    /// Addresses that stores and checks of namespaces may reach besides public ones: CIDR ranges, separated by
    /// commas. Loopback, link-local, private and cluster addresses are refused unless they are in here.
    #[arg(long, env = "PENSTOCK_EGRESS_ALLOW", value_name = "CIDR", value_delimiter = ',', value_parser = addresses)]
    pub egress_allow: Vec<IpNet>,
    /// Whether revisions may be tried on canaries (`spec.rollout.strategy.canary`), which takes the right to make
    /// Deployments and Jobs.
    #[arg(
        long,
        env = "PENSTOCK_CANARIES",
        value_name = "BOOL",
        default_value_t = false,
        action = clap::ArgAction::Set
    )]
    pub canaries: bool,
    /// Objects that are worked on at once.
    #[arg(
        long,
        env = "PENSTOCK_CONCURRENCY",
        value_name = "N",
        default_value = "32"
    )]
    pub concurrency: NonZeroUsize,
    /// Requests to the API server at once.
    #[arg(
        long,
        env = "PENSTOCK_API_REQUESTS",
        value_name = "N",
        default_value = "32"
    )]
    pub api_requests: NonZeroUsize,
    /// Secrets and ConfigMaps that syncs and stores read, and that are watched so that a change arrives at
    /// once. What goes beyond is read at each interval only.
    #[arg(
        long,
        env = "PENSTOCK_REFERENCE_WATCHES",
        value_name = "N",
        default_value_t = 100
    )]
    pub reference_watches: usize,
    /// Address of webhooks, where outside systems say that something has changed
    /// (`/hooks/namespaces/<namespace>/<store>`, `/hooks/clusterstores/<store>`). Without it there is no such
    /// port. Put TLS before it.
    #[arg(long, env = "PENSTOCK_HOOKS_LISTEN", value_name = "ADDRESS")]
    pub hooks_listen: Option<SocketAddr>,
    /// How often each store is checked, by a login and a cheap read.
    #[arg(long, env = "PENSTOCK_STORE_CHECK_INTERVAL", value_name = "DURATION", default_value = "1m", value_parser = duration)]
    pub store_check_interval: Duration,
    /// How long passes under way get to finish when the process is asked to stop. Keep it below the pod's
    /// terminationGracePeriodSeconds.
    #[arg(long, env = "PENSTOCK_SHUTDOWN_GRACE", value_name = "DURATION", default_value = "20s", value_parser = duration)]
    pub shutdown_grace: Duration,
    /// Threads that work.
    #[arg(long, env = "PENSTOCK_THREADS", value_name = "N", default_value = "2")]
    pub threads: NonZeroUsize,
}

/// Which cluster.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterArguments {
    /// A kubeconfig file. By default KUBECONFIG, ~/.kube/config, or the ServiceAccount of the pod.
    #[arg(long, env = "PENSTOCK_KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig, instead of the current one.
    #[arg(long, env = "PENSTOCK_CONTEXT", value_name = "NAME")]
    pub context: Option<String>,
    /// The operator's own namespace: its lease, its installation key and the credentials of
    /// ClusterSecretStores lie there. By default the pod's, or the context's.
    #[arg(long, env = "PENSTOCK_NAMESPACE", value_name = "NAME", value_parser = namespace)]
    pub namespace: Option<NamespaceName>,
}

/// Which part of the cluster.
#[derive(Debug, Args)]
#[command(next_help_heading = "Scope")]
pub struct ScopeArguments {
    /// Namespaces to serve, separated by commas. By default the operator's own.
    #[arg(long, env = "PENSTOCK_NAMESPACES", value_name = "NAMES", value_delimiter = ',', value_parser = namespace, conflicts_with = "all_namespaces")]
    pub namespaces: Vec<NamespaceName>,
    /// Serve all namespaces.
    #[arg(long, env = "PENSTOCK_ALL_NAMESPACES")]
    pub all_namespaces: bool,
    /// Whether ClusterSecretStores are served.
    #[arg(long, env = "PENSTOCK_CLUSTER_STORES", value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub cluster_stores: bool,
    /// Whether ClusterSecretSyncs are served, which takes the right to write SecretSyncs. Only with
    /// --all-namespaces.
    #[arg(
        long,
        env = "PENSTOCK_CLUSTER_SYNCS",
        value_name = "BOOL",
        default_value_t = false,
        action = clap::ArgAction::Set
    )]
    pub cluster_syncs: bool,
}

/// Who writes, when there are several replicas.
#[derive(Debug, Args)]
#[command(next_help_heading = "Leader election")]
pub struct ElectionArguments {
    /// Whether replicas agree by a Lease who writes. Switch it off only where there is never a second
    /// process, not even during an upgrade.
    #[arg(long, env = "PENSTOCK_LEADER_ELECTION", value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub leader_election: bool,
    /// The Lease's name.
    #[arg(
        long,
        env = "PENSTOCK_LEASE_NAME",
        value_name = "NAME",
        default_value = "penstock"
    )]
    pub lease_name: String,
    /// The process's name in the Lease, to which a random part is added. By default HOSTNAME, as a pod has it.
    #[arg(long, env = "PENSTOCK_IDENTITY", value_name = "NAME")]
    pub identity: Option<String>,
    /// How long others wait for a leader that is silent.
    #[arg(long, env = "PENSTOCK_LEASE_DURATION", value_name = "DURATION", default_value = "15s", value_parser = duration)]
    pub lease_duration: Duration,
    /// How long a leader that cannot renew the Lease goes on writing. Shorter than the lease duration.
    #[arg(long, env = "PENSTOCK_LEASE_RENEW_DEADLINE", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub lease_renew_deadline: Duration,
    /// The pause between two attempts to take or renew the Lease.
    #[arg(long, env = "PENSTOCK_LEASE_RETRY_PERIOD", value_name = "DURATION", default_value = "2s", value_parser = duration)]
    pub lease_retry_period: Duration,
}

/// What is told, and where.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logs, metrics, audit")]
pub struct ObservabilityArguments {
    /// Address of /healthz, /readyz and /metrics.
    #[arg(
        long,
        env = "PENSTOCK_LISTEN",
        value_name = "ADDRESS",
        default_value = "[::]:8080"
    )]
    pub listen: SocketAddr,
    /// Form of the log lines on standard error.
    #[arg(
        long,
        env = "PENSTOCK_LOG_FORMAT",
        value_name = "FORM",
        default_value = "json"
    )]
    pub log_format: LogStyle,
    /// From which level on lines are written: `info`, or by module (`info,penstock_controller=debug`).
    /// Dependencies stay at `info` or above, whatever it says.
    #[arg(
        long = "log",
        env = "PENSTOCK_LOG",
        value_name = "FILTER",
        default_value = "info"
    )]
    pub log: LogFilter,
    /// Where the audit trail goes: stdout, stderr, or a file. One JSON object per line for every read, write,
    /// refusal, approval and restart, with key names and without values.
    #[arg(
        long,
        env = "PENSTOCK_AUDIT",
        value_name = "SINK",
        default_value = "stdout"
    )]
    pub audit: AuditSink,
}

/// Form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogStyle {
    /// One JSON object per line.
    Json,
    /// For people.
    Human,
}

impl From<LogStyle> for LogFormat {
    fn from(style: LogStyle) -> Self {
        match style {
            LogStyle::Json => Self::Json,
            LogStyle::Human => Self::Human,
        }
    }
}
