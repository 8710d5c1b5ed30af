//! What `penstock sync` can be told.

use clap::Args;

use super::inputs::InputArguments;
use super::state::StateArguments;

/// What `penstock sync` can be told.
#[derive(Debug, Clone, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of one command"
)]
pub struct SyncArguments {
    /// Which documents.
    #[command(flatten)]
    pub inputs: InputArguments,
    /// What earlier runs left.
    #[command(flatten)]
    pub state: StateArguments,
    /// Delete without asking. What a guard holds back needs `--approve` all the same.
    #[arg(short, long)]
    pub yes: bool,
    /// Approve the plan of this hash, which a guard held back: it would empty a target, or delete much of it. It
    /// works once, and for this plan alone.
    #[arg(long = "approve", value_name = "HASH")]
    pub approvals: Vec<String>,
    /// Only show the plan: the same as `penstock plan`.
    #[arg(long, conflicts_with = "watch")]
    pub dry_run: bool,
    /// Keep going: read the sources again at the shortest interval of the syncs, and at once when a store tells of
    /// a change by itself.
    #[arg(long)]
    pub watch: bool,
    /// Run this with `sh -c`, once, after the syncs and only if a target has changed.
    #[arg(long, value_name = "COMMAND")]
    pub on_change: Option<String>,
    /// End with status 3 when a source did not answer and what it last gave stays in use.
    #[arg(long)]
    pub strict: bool,
}
