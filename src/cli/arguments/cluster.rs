//! What the verbs can be told that act on SecretSyncs of a cluster.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use penstock_domain::names::{NamespaceName, ObjectName};

use super::inputs::{InputArguments, ReachArguments};
use super::state::StateArguments;
use super::values::{duration, namespace, object, setting};

/// A verb that acts on the SecretSyncs of a cluster.
#[derive(Debug, Clone, Subcommand)]
pub enum ClusterCommand {
    /// Shows how SecretSyncs are: those of a cluster, or those of documents (-f).
    #[command(after_help = STATUS_HELP)]
    Status(Box<StatusArguments>),
    /// Says in plain words why a SecretSync is in the state that it is in, and what to do.
    #[command(after_help = EXPLAIN_HELP)]
    Explain(Box<ExplainArguments>),
    /// Lists the revisions that are known of a SecretSync.
    #[command(after_help = HISTORY_HELP)]
    History(NamedSync),
    /// Asks the operator to read the sources of SecretSyncs now.
    #[command(after_help = REFRESH_HELP)]
    Refresh(RefreshArguments),
    /// Asks validators again about what they have rejected.
    #[command(after_help = RETRY_HELP)]
    Retry(RefreshArguments),
    /// Stops reading and writing for SecretSyncs.
    #[command(after_help = SUSPEND_HELP)]
    Suspend(NamedSyncs),
    /// Lets SecretSyncs go on that were suspended.
    #[command(after_help = RESUME_HELP)]
    Resume(NamedSyncs),
    /// Lets the plan of a SecretSync that waits for a person be carried out, once.
    #[command(after_help = APPROVE_HELP)]
    Approve(ApproveArguments),
    /// Goes back to an older revision and stays there, whatever the sources bring, until `unpin`.
    #[command(after_help = ROLLBACK_HELP)]
    Rollback(RollbackArguments),
    /// Lets a SecretSync follow its sources again.
    #[command(after_help = UNPIN_HELP)]
    Unpin(UnpinArguments),
    /// Purges revisions that leaked: nothing brings them back.
    #[command(after_help = REVOKE_HELP)]
    Revoke(RevokeArguments),
    /// Drops all older revisions and rejections.
    #[command(after_help = FORGET_HELP)]
    Forget(ForgetArguments),
}

/// Which cluster, and where in it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cluster")]
pub struct PlaceArguments {
    /// A kubeconfig file. By default KUBECONFIG or ~/.kube/config.
    #[arg(long, env = "PENSTOCK_KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig, instead of the current one.
    #[arg(long, env = "PENSTOCK_CONTEXT", value_name = "NAME")]
    pub context: Option<String>,
    /// The namespace. By default the context's.
    #[arg(short, long, env = "PENSTOCK_NAMESPACE", value_name = "NAME", value_parser = namespace)]
    pub namespace: Option<NamespaceName>,
}

/// Where SecretSyncs are looked for: in a cluster, or among documents.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Documents")]
pub struct WhereArguments {
    /// A file or folder of documents, or `-` for standard input: no cluster is asked how these SecretSyncs are, but
    /// their record, sources and targets, as `plan` does. Nothing is written. May be given several times.
    #[arg(short = 'f', long = "filename", value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Read the folders below the named ones, too.
    #[arg(short = 'R', long, requires = "paths")]
    pub recursive: bool,
    /// A value for a parameter that a SecretSync declares in `spec.parameters`.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting, requires = "paths")]
    pub set: Vec<(String, String)>,
    /// The namespace. By default the context's, and of documents that name none `default`.
    #[arg(short, long, env = "PENSTOCK_NAMESPACE", value_name = "NAME", value_parser = namespace)]
    pub namespace: Option<NamespaceName>,
    /// What the documents may use and reach.
    #[command(flatten)]
    pub reach: ReachArguments,
    /// What earlier runs left.
    #[command(flatten)]
    pub state: StateArguments,
}

impl WhereArguments {
    /// Which cluster, where no documents are named.
    pub fn place(&self) -> PlaceArguments {
        PlaceArguments {
            kubeconfig: self.reach.kubeconfig.clone(),
            context: self.reach.context.clone(),
            namespace: self.namespace.clone(),
        }
    }

    /// The documents, and which of their SecretSyncs; none where a cluster is meant.
    pub fn documents(&self, only: &[ObjectName]) -> Option<InputArguments> {
        let usual = || NamespaceName::new("default").ok();
        let namespace = self.namespace.clone().or_else(usual);
        let namespace = namespace.filter(|_| !self.paths.is_empty())?;
        Some(InputArguments {
            paths: self.paths.clone(),
            recursive: self.recursive,
            only: only.iter().map(ToString::to_string).collect(),
            targets: Vec::new(),
            skipped: Vec::new(),
            set: self.set.clone(),
            namespace,
            reach: self.reach.clone(),
        })
    }
}

/// How long to stay.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Waiting")]
pub struct WaitArguments {
    /// Stay until the operator has done it.
    #[arg(long)]
    pub wait: bool,
    /// How long to stay at most.
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = duration)]
    pub timeout: Duration,
}

/// One or more SecretSyncs.
#[derive(Debug, Clone, Args)]
pub struct NamedSyncs {
    /// The SecretSyncs.
    #[arg(value_name = "SYNC", required = true, value_parser = object)]
    pub syncs: Vec<ObjectName>,
    /// Which cluster.
    #[command(flatten)]
    pub place: PlaceArguments,
}

/// One SecretSync.
#[derive(Debug, Clone, Args)]
pub struct NamedSync {
    /// The SecretSync.
    #[arg(value_name = "SYNC", value_parser = object)]
    pub sync: ObjectName,
    /// Which cluster.
    #[command(flatten)]
    pub place: PlaceArguments,
}

/// What `penstock refresh` can be told.
#[derive(Debug, Clone, Args)]
pub struct RefreshArguments {
    /// Which SecretSyncs.
    #[command(flatten)]
    pub of: NamedSyncs,
    /// How long to stay.
    #[command(flatten)]
    pub wait: WaitArguments,
}

/// What `penstock approve` can be told.
#[derive(Debug, Clone, Args)]
pub struct ApproveArguments {
    /// Which SecretSync.
    #[command(flatten)]
    pub of: NamedSync,
    /// The plan that you have seen, as `status` and `explain` name it; with --rollout, the revision. Without it, what
    /// waits is shown and you are asked, which takes a terminal.
    #[arg(value_name = "HASH")]
    pub hash: Option<String>,
    /// Approve the rollout of a change, where `spec.rollout.approval` asks for it.
    #[arg(long)]
    pub rollout: bool,
    /// In an emergency: skip soak and change windows for this change, too. Validators, guards and a canary that must
    /// become ready are never skipped.
    #[arg(long, requires = "rollout")]
    pub now: bool,
    /// How long to stay.
    #[command(flatten)]
    pub wait: WaitArguments,
}

/// What `penstock rollback` can be told.
#[derive(Debug, Clone, Args)]
pub struct RollbackArguments {
    /// Which SecretSync.
    #[command(flatten)]
    pub of: NamedSync,
    /// The revision, as `history` names it. By default the newest that is kept besides the one in use.
    #[arg(long, value_name = "REVISION")]
    pub to: Option<String>,
    /// How long to stay.
    #[command(flatten)]
    pub wait: WaitArguments,
}

/// What `penstock unpin` can be told.
#[derive(Debug, Clone, Args)]
pub struct UnpinArguments {
    /// Which SecretSync.
    #[command(flatten)]
    pub of: NamedSync,
    /// How long to stay.
    #[command(flatten)]
    pub wait: WaitArguments,
}

/// What `penstock revoke` can be told.
#[derive(Debug, Clone, Args)]
pub struct RevokeArguments {
    /// Which SecretSync.
    #[command(flatten)]
    pub of: NamedSync,
    /// A revision, as `history` names it. May be given several times.
    #[arg(long = "revision", value_name = "REVISION", required = true)]
    pub revisions: Vec<String>,
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
}

/// What `penstock forget` can be told.
#[derive(Debug, Clone, Args)]
pub struct ForgetArguments {
    /// Which SecretSync.
    #[command(flatten)]
    pub of: NamedSync,
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
}

/// What `penstock status` can be told.
#[derive(Debug, Clone, Args)]
pub struct StatusArguments {
    /// Only these SecretSyncs. By default all of the namespace, or of the documents.
    #[arg(value_name = "SYNC", value_parser = object, conflicts_with = "all_namespaces")]
    pub syncs: Vec<ObjectName>,
    /// All namespaces.
    #[arg(short = 'A', long, conflicts_with_all = ["namespace", "paths"])]
    pub all_namespaces: bool,
    /// The form: for a terminal, or for programs.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    pub output: OverviewForm,
    /// Where they are.
    #[command(flatten)]
    pub of: WhereArguments,
}

/// What `penstock explain` can be told.
#[derive(Debug, Clone, Args)]
pub struct ExplainArguments {
    /// The SecretSync.
    #[arg(value_name = "SYNC", value_parser = object)]
    pub sync: ObjectName,
    /// Where it is.
    #[command(flatten)]
    pub of: WhereArguments,
}

/// The form of an overview.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum OverviewForm {
    /// For a terminal.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// What stands below the help of `penstock status`.
const STATUS_HELP: &str = "\
Exit status: 0 every SecretSync is ready, 2 some are not, 1 the cluster or the documents could not
be asked, 64 the arguments are wrong.

Examples:
  penstock status -n prod
  penstock status --all-namespaces --output json
  penstock status -f deploy/ --record store:vault/ci/records";

/// What stands below the help of `penstock explain`.
const EXPLAIN_HELP: &str = "\
Exit status: 0 explained, 1 something is wrong, 64 the arguments are wrong.

Examples:
  penstock explain panbot -n prod
  penstock explain panbot -f penstock.yaml";

/// What stands below the help of `penstock refresh`.
const REFRESH_HELP: &str = "\
Exit status: 0 asked for (with --wait: read, and ready), 2 with --wait: read, and not ready, 1 something is wrong, 64 the
arguments are wrong.

Examples:
  penstock refresh panbot -n prod
  penstock refresh panbot worker -n prod --wait --timeout 5m";

/// What stands below the help of `penstock retry`.
const RETRY_HELP: &str = "\
A content that a validator has rejected stays rejected, also when the sources come back to it. This lifts the rejection
once: after somebody has paid a bill, or lifted a lock, say.

Exit status: 0 asked for (with --wait: read, and ready), 2 with --wait: read, and not ready, 1 something is wrong, 64 the
arguments are wrong.

Example:
  penstock retry panbot -n prod --wait";

/// What stands below the help of `penstock suspend`.
const SUSPEND_HELP: &str = "\
What is already in targets stays. It changes `spec.suspend`: where a GitOps tool owns the SecretSync, it may change it
back, so say it there, too.

Exit status: 0 suspended, 1 something is wrong, 64 the arguments are wrong.

Example:
  penstock suspend panbot -n prod";

/// What stands below the help of `penstock resume`.
const RESUME_HELP: &str = "\
Exit status: 0 it goes on, 1 something is wrong, 64 the arguments are wrong.

Example:
  penstock resume panbot -n prod";

/// What stands below the help of `penstock approve`.
const APPROVE_HELP: &str = "\
An approval is for one plan and works once: it is void when the spec, the sources or a target change. The SecretSync
then names you as who approved. It takes the verbs `patch` and `approve` on secretsyncs.penstock.dev, which the chart's
role penstock-approver has.

Exit status: 0 approved (with --wait: carried out), 1 it was not, 64 the arguments are wrong.

Examples:
  penstock approve panbot -n prod
  penstock approve panbot 9f86d081884c7d65 -n prod --wait
  penstock approve panbot --rollout -n prod";

/// What stands below the help of `penstock rollback`.
const ROLLBACK_HELP: &str = "\
The values come from the record, not from a vault. They must still pass `spec.validate`. Workloads restart as for any
change.

Exit status: 0 asked for (with --wait: in use, and ready), 2 with --wait: not ready, 1 something is wrong, 64 the
arguments are wrong.

Examples:
  penstock rollback panbot -n prod --wait
  penstock rollback panbot --to 1a2b3c4d-00c0ffee00c0ffee -n prod";

/// What stands below the help of `penstock unpin`.
const UNPIN_HELP: &str = "\
Exit status: 0 done (with --wait: read, and ready), 2 with --wait: not ready, 1 something is wrong, 64 the arguments are
wrong.

Example:
  penstock unpin panbot -n prod";

/// What stands below the help of `penstock revoke`.
const REVOKE_HELP: &str = "\
The values go from the record at once. Should the sources bring them again, nothing is written. One that is in use stays
until the source has another: change it there first.

Exit status: 0 revoked, 1 something is wrong, 64 the arguments are wrong.

Example:
  penstock revoke panbot --revision 1a2b3c4d-00c0ffee00c0ffee -n prod";

/// What stands below the help of `penstock forget`.
const FORGET_HELP: &str = "\
What is in use, what is owned at targets and what was revoked stay in the record.

Exit status: 0 dropped, 1 something is wrong, 64 the arguments are wrong.

Example:
  penstock forget panbot -n prod";

/// What stands below the help of `penstock history`.
const HISTORY_HELP: &str = "\
Exit status: 0 listed, 1 something is wrong, 64 the arguments are wrong.

Example:
  penstock history panbot -n prod";
