//! Which documents a verb works on, and what they may reach. Shared by all verbs that work without an operator.

use std::path::PathBuf;

use clap::Args;
use ipnet::IpNet;
use penstock_domain::names::{NamespaceName, SourceName, TargetName};

use super::values::{addresses, namespace, setting, source, target};
use crate::local::GivenCredential;

/// Which documents, and what they may reach.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Documents")]
pub struct InputArguments {
    /// A file or folder of SecretSync, SecretStore, ClusterSecretStore, Secret and ConfigMap documents, or `-` for
    /// standard input. May be given several times. Other kinds in there are left out.
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// Read the folders below the named ones, too.
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// Only these SecretSyncs, by name or NAMESPACE/NAME. By default all that the documents hold.
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Only these targets of them.
    #[arg(long = "target", value_name = "NAME", value_parser = target)]
    pub targets: Vec<TargetName>,
    /// Leave out these sources. What they gave before stays where it is.
    #[arg(long = "skip", value_name = "SOURCE", value_parser = source)]
    pub skipped: Vec<SourceName>,
    /// A value for a parameter that a SecretSync declares in `spec.parameters`. Never a secret: arguments are
    /// visible to everybody on the machine.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    pub set: Vec<(String, String)>,
    /// The namespace of documents that name none.
    #[arg(
        short,
        long,
        env = "PENSTOCK_NAMESPACE",
        value_name = "NAME",
        default_value = "default",
        value_parser = namespace
    )]
    pub namespace: NamespaceName,

    /// What the documents may use and reach.
    #[command(flatten)]
    pub reach: ReachArguments,
}

/// What documents may use and reach.
#[derive(Debug, Clone, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of one command"
)]
#[command(next_help_heading = "Credentials and reach")]
pub struct ReachArguments {
    /// An env file whose variables stand beside those of the process, which win. May be given several times;
    /// the first that has a variable wins.
    #[arg(long = "env-file", value_name = "FILE")]
    pub env_files: Vec<PathBuf>,
    /// Where one key of a Secret comes from that stores or sources name: `env:VARIABLE`, `fd:NUMBER` or
    /// `store:STORE/PATH#KEY`. The value itself is never an argument. A Secret document says the same by an
    /// annotation `penstock.dev/from.KEY`.
    #[arg(long = "credential", value_name = "[NAMESPACE/]SECRET/KEY=FROM")]
    pub credentials: Vec<GivenCredential>,
    /// A folder of stores and Secrets that you trust. With it, the documents of `-f` may define no store,
    /// credential, source of files or variables, address or command, and nothing by which a plan would tell about
    /// values, such as a template with a condition: the way to plan the pull request of a stranger.
    #[arg(long, value_name = "FOLDER")]
    pub trusted_stores: Option<PathBuf>,
    /// Only list the hosts, variables and files that would be touched.
    #[arg(long)]
    pub offline: bool,
    /// The namespace in which the credentials of ClusterSecretStores lie. By default `--namespace`.
    #[arg(long, env = "PENSTOCK_OPERATOR_NAMESPACE", value_name = "NAME", value_parser = namespace)]
    pub operator_namespace: Option<NamespaceName>,
    /// Addresses that stores may be at besides public ones: CIDR ranges, separated by commas. Without it those
    /// of this machine and of private networks. Metadata services of clouds are never reached.
    #[arg(long, env = "PENSTOCK_EGRESS_ALLOW", value_name = "CIDR", value_delimiter = ',', value_parser = addresses)]
    pub egress_allow: Vec<IpNet>,
    /// A kubeconfig file, for targets that are Secrets or ConfigMaps. By default KUBECONFIG or ~/.kube/config.
    #[arg(long, env = "PENSTOCK_KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig, instead of the current one.
    #[arg(long, env = "PENSTOCK_CONTEXT", value_name = "NAME")]
    pub context: Option<String>,
    /// Targets that are files lie below this folder, instead of that of their document.
    #[arg(long, value_name = "FOLDER")]
    pub root: Option<PathBuf>,
    /// Targets may be files anywhere, also through links, and in git's own folder.
    #[arg(long)]
    pub allow_outside: bool,
    /// Targets may be files that git tracks or does not ignore.
    #[arg(long)]
    pub allow_tracked: bool,
    /// Commands that documents name may run on the hosts of their targets.
    #[arg(long)]
    pub allow_commands: bool,
    /// Do not list on standard error what will be touched.
    #[arg(short, long)]
    pub quiet: bool,
}
