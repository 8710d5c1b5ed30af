//! What `penstock plan` and its kin can be told.

use clap::{Args, ValueEnum};

use super::inputs::InputArguments;
use super::state::StateArguments;

/// What `penstock plan` can be told.
#[derive(Debug, Clone, Args)]
pub struct PlanArguments {
    /// Which documents.
    #[command(flatten)]
    pub inputs: InputArguments,
    /// What earlier runs left.
    #[command(flatten)]
    pub state: StateArguments,
    /// The form of the plan: for a terminal, for programs, or for the comment on a pull request.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    pub output: Form,
}

/// The form of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Form {
    /// For a terminal.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For the comment on a pull request.
    Markdown,
}
