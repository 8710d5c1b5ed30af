//! What `penstock doctor` can be told.

use std::path::PathBuf;

use clap::Args;
use penstock_domain::names::NamespaceName;

use super::cluster::OverviewForm;
use super::inputs::{InputArguments, ReachArguments};
use super::state::StateArguments;
use super::values::{namespace, setting};

/// What `penstock doctor` can be told.
#[derive(Debug, Clone, Args)]
pub struct DoctorArguments {
    /// A file or folder of documents whose stores and SecretSyncs are tried, or `-` for standard input. May be given
    /// several times. Nothing is written anywhere. Without it, the cluster is looked at.
    #[arg(short = 'f', long = "filename", value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Read the folders below the named ones, too.
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// A value for a parameter that a SecretSync declares in `spec.parameters`.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    pub set: Vec<(String, String)>,
    /// The namespace of documents that name none, and of the SecretSyncs that your rights are about.
    #[arg(
        short,
        long,
        env = "PENSTOCK_NAMESPACE",
        value_name = "NAME",
        default_value = "default",
        value_parser = namespace
    )]
    pub namespace: NamespaceName,
    /// Look at the cluster: definitions, your rights, and the operator in `--operator-namespace` (by default
    /// penstock).
    #[arg(long)]
    pub cluster: bool,
    /// The form: for a terminal, or for programs.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    pub output: OverviewForm,
    /// What the documents may use and reach.
    #[command(flatten)]
    pub reach: ReachArguments,
    /// What earlier runs left.
    #[command(flatten)]
    pub state: StateArguments,
}

impl DoctorArguments {
    /// Whether the cluster is looked at: when it is asked for, or when there is nothing else to look at.
    pub fn looks_at_cluster(&self) -> bool {
        self.cluster || self.paths.is_empty()
    }

    /// The documents, as other verbs have them.
    pub fn inputs(&self) -> InputArguments {
        InputArguments {
            paths: self.paths.clone(),
            recursive: self.recursive,
            only: Vec::new(),
            targets: Vec::new(),
            skipped: Vec::new(),
            set: self.set.clone(),
            namespace: self.namespace.clone(),
            reach: self.reach.clone(),
        }
    }
}

/// What stands below the help of `penstock doctor`.
pub(super) const DOCTOR_HELP: &str = "\
Each store is logged in to and read from, and each SecretSync is planned, with all that its sources require; a file that
git would take along is told. Every finding that is not good says what to do.

Exit status: 0 all works, 1 something does not, 64 the arguments are wrong.

Examples:
  penstock doctor -f deploy/
  penstock doctor --operator-namespace penstock -n prod --context production";
