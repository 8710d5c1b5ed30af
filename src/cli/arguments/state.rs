//! What runs leave for later runs: the record, and the key that seals it.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use penstock_observability::audit::AuditSink;

use crate::local::StoreEntry;

/// What runs leave for later runs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Memory")]
pub struct StateArguments {
    /// Where the record lies: `none`, `cluster` (a Secret beside the SecretSync), `store:STORE/PATH` (an entry of a
    /// store among the documents, one for each SecretSync; `clusterstore:` for a ClusterSecretStore) or a folder. It
    /// says what is ours at each target, so that only that is changed or deleted. By default `cluster` where a target
    /// is in one, else a folder `.penstock` beside the document. Without a record, targets can only be created.
    #[arg(long, env = "PENSTOCK_RECORD", value_name = "PLACE")]
    pub record: Option<RecordPlace>,
    /// Where the installation key comes from, which seals records and names contents: `fd:NUMBER`, `file:PATH` (mode
    /// 0600), `env:VARIABLE`, `store:STORE/PATH#KEY` (an entry of a store among the documents) or `cluster` (that of
    /// the operator in `--operator-namespace`). By default a file in
    /// `$XDG_STATE_HOME/penstock` or `~/.local/state/penstock`, which `sync` makes. Never keep it beside a record.
    #[arg(long, env = "PENSTOCK_KEY", value_name = "FROM")]
    pub key: Option<KeyOrigin>,
    /// Where it is told what was done.
    #[command(flatten)]
    pub audit: AuditArguments,
    /// Ask validators again about contents that they have rejected before.
    #[arg(long)]
    pub retry: bool,
}

/// Where it is told what was done.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Memory")]
pub struct AuditArguments {
    /// Where the audit trail goes: stderr, or a file that is appended to. One JSON object for every read, write and
    /// reveal: who, what, names of keys, how it ended; never a value. By default there is none.
    #[arg(long = "audit", env = "PENSTOCK_AUDIT", value_name = "SINK")]
    pub sink: Option<AuditSink>,
}

/// Where records lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordPlace {
    /// Nowhere.
    None,
    /// In Secrets beside the SecretSyncs.
    Cluster,
    /// In entries of a store.
    Store(StoreEntry),
    /// In files of a folder.
    Folder(PathBuf),
}

impl FromStr for RecordPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form =
            || "write `none`, `cluster`, `store:STORE/PATH` or the path of a folder".to_owned();
        let store = text
            .split_once(':')
            .filter(|(kind, _)| matches!(*kind, "store" | "clusterstore"));
        if let Some((kind, rest)) = store {
            let entry = StoreEntry::parse(kind, rest);
            // One entry holds one record, so nobody chooses its key.
            return entry
                .filter(|entry| entry.key.is_none() && !entry.path.trim_matches('/').is_empty())
                .map(Self::Store)
                .ok_or_else(form);
        }
        Ok(match text {
            "none" => Self::None,
            "cluster" => Self::Cluster,
            "" => return Err(form()),
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
    /// An entry of a store.
    Store(StoreEntry),
    /// The operator's own Secret.
    Cluster,
}

impl FromStr for KeyOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || {
            "write `fd:NUMBER`, `file:PATH`, `env:VARIABLE`, `store:STORE/PATH#KEY` or `cluster`"
                .to_owned()
        };
        if text == "cluster" {
            return Ok(Self::Cluster);
        }
        match text.split_once(':') {
            Some(("fd", number)) => number.parse().map(Self::Descriptor).map_err(|_| form()),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Variable(name.to_owned())),
            Some((kind, rest)) => StoreEntry::parse(kind, rest)
                .map(Self::Store)
                .ok_or_else(form),
            _ => Err(form()),
        }
    }
}
