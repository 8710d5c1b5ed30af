//! What runs leave for later runs: the record, and the key that seals it.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use penstock_observability::audit::AuditSink;

/// What runs leave for later runs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Memory")]
pub struct StateArguments {
    /// Where the record lies: `none`, `cluster` (a Secret beside the SecretSync) or a folder. It says what is ours at
    /// each target, so that only that is changed or deleted. By default `cluster` where a target is in one, else a
    /// folder `.penstock` beside the document. Without a record, targets can only be created.
    #[arg(long, env = "PENSTOCK_RECORD", value_name = "PLACE")]
    pub record: Option<RecordPlace>,
    /// Where the installation key comes from, which seals records and names contents: `fd:NUMBER`, `file:PATH` (mode
    /// 0600), `env:VARIABLE` or `cluster` (that of the operator in `--operator-namespace`). By default a file in
    /// `$XDG_STATE_HOME/penstock` or `~/.local/state/penstock`, which `sync` makes. Never keep it beside a record.
    #[arg(long, env = "PENSTOCK_KEY", value_name = "FROM")]
    pub key: Option<KeyOrigin>,
    /// Where the audit trail goes: stderr, or a file that is appended to. One JSON object for every read and write,
    /// with key names and without values. By default there is none.
    #[arg(long, env = "PENSTOCK_AUDIT", value_name = "SINK")]
    pub audit: Option<AuditSink>,
    /// Ask validators again about contents that they have rejected before.
    #[arg(long)]
    pub retry: bool,
}

/// Where records lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordPlace {
    /// Nowhere.
    None,
    /// In Secrets beside the SecretSyncs.
    Cluster,
    /// In files of a folder.
    Folder(PathBuf),
}

impl FromStr for RecordPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "none" => Self::None,
            "cluster" => Self::Cluster,
            "" => return Err("write `none`, `cluster` or the path of a folder".to_owned()),
            path => Self::Folder(path.into()),
        })
    }
}

/// Where the installation key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOrigin {
    /// An open file descriptor.
    Descriptor(u32),
    /// A file that nobody else may read.
    File(PathBuf),
    /// A variable.
    Variable(String),
    /// The operator's own Secret.
    Cluster,
}

impl FromStr for KeyOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "write `fd:NUMBER`, `file:PATH`, `env:VARIABLE` or `cluster`".to_owned();
        if text == "cluster" {
            return Ok(Self::Cluster);
        }
        match text.split_once(':') {
            Some(("fd", number)) => number.parse().map(Self::Descriptor).map_err(|_| form()),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Variable(name.to_owned())),
            _ => Err(form()),
        }
    }
}
