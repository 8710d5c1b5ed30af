//! What `penstock exec`, `env` and `render` can be told.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use penstock_domain::formats::FileFormat;

use super::inputs::InputArguments;
use super::state::StateArguments;

/// What `penstock exec` can be told.
#[derive(Debug, Clone, Args)]
pub struct ExecArguments {
    /// Which documents.
    #[command(flatten)]
    pub inputs: InputArguments,
    /// What earlier runs left.
    #[command(flatten)]
    pub state: StateArguments,
    /// The command and its arguments, after `--`.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// What `penstock env` can be told.
#[derive(Debug, Clone, Args)]
pub struct EnvArguments {
    /// Which documents.
    #[command(flatten)]
    pub inputs: InputArguments,
    /// What earlier runs left.
    #[command(flatten)]
    pub state: StateArguments,
    /// The form of the lines.
    #[arg(long, value_name = "FORM", default_value = "export")]
    pub format: EnvForm,
    /// Print values. Without it, only the names of the variables, as comments.
    #[arg(long)]
    pub reveal: bool,
}

/// Forms of an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EnvForm {
    /// `export NAME='value'`, for `source` in a POSIX shell.
    Export,
    /// `NAME=value` with the quoting of dotenv.
    Dotenv,
    /// `NAME=value` as `docker run --env-file` reads it.
    DockerEnv,
    /// One JSON object.
    Json,
    /// One YAML mapping.
    Yaml,
}

impl From<EnvForm> for FileFormat {
    fn from(form: EnvForm) -> Self {
        match form {
            EnvForm::Export => Self::Export,
            EnvForm::Dotenv => Self::Dotenv,
            EnvForm::DockerEnv => Self::DockerEnv,
            EnvForm::Json => Self::Json,
            EnvForm::Yaml => Self::Yaml,
        }
    }
}

/// What `penstock render` can be told.
#[derive(Debug, Clone, Args)]
pub struct RenderArguments {
    /// Which documents.
    #[command(flatten)]
    pub inputs: InputArguments,
    /// What earlier runs left.
    #[command(flatten)]
    pub state: StateArguments,
    /// Write one file for each object into this folder, mode 0600, instead of all to standard output.
    #[arg(short, long, value_name = "FOLDER")]
    pub output: Option<PathBuf>,
    /// Render Secrets, too: with their values, which base64 does not hide.
    #[arg(long)]
    pub reveal: bool,
}
