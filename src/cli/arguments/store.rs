//! What the verbs can be told that look at stores and change them.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use penstock_domain::formats::FileFormat;
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::stores::access::RemotePath;
use penstock_domain::sync::{StoreKind, StoreReference};

use super::cluster::OverviewForm;
use super::inputs::{InputArguments, ReachArguments};
use super::state::AuditArguments;
use super::values::namespace;

/// A verb that looks at a store, or changes it.
#[derive(Debug, Clone, Subcommand)]
pub enum StoreCommand {
    /// Shows what a store holds under a path: keys, version and tags; values with --reveal only.
    #[command(after_help = GET_HELP)]
    Get(Box<GetArguments>),
    /// Sets one key of an item in a store. The value comes from standard input, or is typed unseen.
    #[command(after_help = SET_HELP)]
    Set(Box<SetArguments>),
    /// Makes the keys that SecretSyncs require and a store lacks.
    #[command(after_help = INIT_HELP)]
    Init(Box<InitArguments>),
    /// Moves the secrets of an env file into a store.
    #[command(after_help = IMPORT_HELP)]
    Import(Box<ImportArguments>),
}

/// A store among the documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreName {
    /// By name alone, where only one has it.
    Plain(ObjectName),
    /// By kind, too.
    Of(StoreReference),
}

impl FromStr for StoreName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = match text.split_once('/') {
            None => (None, text),
            Some((kind, name)) => (Some(kind.to_ascii_lowercase()), name),
        };
        let name = ObjectName::new(name).map_err(|error| error.to_string())?;
        let kind = match kind.as_deref() {
            None => return Ok(Self::Plain(name)),
            Some("secretstore" | "pstore") => StoreKind::Namespaced,
            Some("clustersecretstore" | "pcstore") => StoreKind::Cluster,
            Some(_) => {
                return Err(
                    "write `NAME`, `secretstore/NAME` or `clustersecretstore/NAME`".to_owned(),
                );
            }
        };
        Ok(Self::Of(StoreReference { kind, name }))
    }
}

/// The documents that a store stands among.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Documents")]
pub struct StoreInputs {
    /// A file or folder of documents that holds the store, and the Secrets that it names; `-` for standard input.
    /// May be given several times.
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// Read the folders below the named ones, too.
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// The namespace of documents that name none, and in whose name the store is asked.
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
    /// Where it is told what was done.
    #[command(flatten)]
    pub audit: AuditArguments,
}

impl StoreInputs {
    /// The same, as verbs have it that work on SecretSyncs.
    pub fn inputs(&self) -> InputArguments {
        InputArguments {
            paths: self.paths.clone(),
            recursive: self.recursive,
            only: Vec::new(),
            targets: Vec::new(),
            skipped: Vec::new(),
            set: Vec::new(),
            namespace: self.namespace.clone(),
            reach: self.reach.clone(),
        }
    }
}

/// Where something lies in a store.
#[derive(Debug, Clone, Args)]
pub struct ItemArguments {
    /// The path in the store's own words; one that ends in a slash is a folder.
    #[arg(value_name = "PATH", value_parser = path)]
    pub path: RemotePath,
    /// The environment, where the store has the notion. By default the store's own.
    #[arg(long, value_name = "NAME")]
    pub environment: Option<String>,
    /// A mount of Vault, instead of the store's own.
    #[arg(long, value_name = "PATH")]
    pub mount: Option<String>,
}

fn path(text: &str) -> Result<RemotePath, String> {
    RemotePath::parse(text).map_err(|problem| problem.to_string())
}

/// What `penstock get` can be told.
#[derive(Debug, Clone, Args)]
pub struct GetArguments {
    /// The store, by name, or as `clustersecretstore/NAME`.
    #[arg(value_name = "STORE")]
    pub store: StoreName,
    /// Where.
    #[command(flatten)]
    pub item: ItemArguments,
    /// Only this key.
    #[arg(value_name = "KEY")]
    pub key: Option<String>,
    /// Show values. With KEY, the value alone is printed, byte for byte.
    #[arg(long)]
    pub reveal: bool,
    /// The form: for a terminal, or for programs.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    pub output: OverviewForm,
    /// Which documents.
    #[command(flatten)]
    pub inputs: StoreInputs,
}

/// What `penstock set` can be told.
#[derive(Debug, Clone, Args)]
pub struct SetArguments {
    /// The store, by name, or as `clustersecretstore/NAME`.
    #[arg(value_name = "STORE")]
    pub store: StoreName,
    /// Where.
    #[command(flatten)]
    pub item: ItemArguments,
    /// The key. Its value is never an argument: arguments are visible to everybody on the machine.
    #[arg(value_name = "KEY")]
    pub key: String,
    /// Keep the line end behind a single line of standard input, which is otherwise taken to be that of `echo`.
    #[arg(long)]
    pub exact: bool,
    /// Which documents.
    #[command(flatten)]
    pub inputs: StoreInputs,
}

/// What `penstock init` can be told.
#[derive(Debug, Clone, Args)]
pub struct InitArguments {
    /// The store, by name, or as `clustersecretstore/NAME`.
    #[arg(value_name = "STORE")]
    pub store: StoreName,
    /// Make random values of 256 bits. By default values are empty, to be set later.
    #[arg(long)]
    pub generate: bool,
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
    /// Which documents.
    #[command(flatten)]
    pub inputs: InputArguments,
    /// Where it is told what was done.
    #[command(flatten)]
    pub audit: AuditArguments,
}

impl StoreCommand {
    /// Where it is told what was done.
    pub fn audit(&self) -> &AuditArguments {
        match self {
            Self::Get(get) => &get.inputs.audit,
            Self::Set(set) => &set.inputs.audit,
            Self::Init(init) => &init.audit,
            Self::Import(import) => &import.inputs.audit,
        }
    }
}

/// What `penstock import` can be told.
#[derive(Debug, Clone, Args)]
pub struct ImportArguments {
    /// The env file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The store, by name, or as `clustersecretstore/NAME`.
    #[arg(long, value_name = "STORE")]
    pub to: StoreName,
    /// Where.
    #[command(flatten)]
    pub item: ItemArguments,
    /// The format of the file: dotenv, export, dockerEnv, json or yaml. By default as its name says, else dotenv.
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    pub format: Option<FileFormat>,
    /// This key is a secret, and moves. May be given several times.
    #[arg(long = "secret", value_name = "KEY")]
    pub secrets: Vec<String>,
    /// This key is configuration, and stays. May be given several times.
    #[arg(long = "configuration", value_name = "KEY")]
    pub configuration: Vec<String>,
    /// Take every other key for what it most likely is, by its name and the look of its value.
    #[arg(long)]
    pub guess: bool,
    /// Replace other values that the store has for these keys.
    #[arg(long)]
    pub replace: bool,
    /// Do not ask whether to begin.
    #[arg(short, long)]
    pub yes: bool,
    /// Which documents.
    #[command(flatten)]
    pub inputs: StoreInputs,
}

fn format(text: &str) -> Result<FileFormat, String> {
    match text {
        "dotenv" => Ok(FileFormat::Dotenv),
        "export" => Ok(FileFormat::Export),
        "dockerEnv" => Ok(FileFormat::DockerEnv),
        "json" => Ok(FileFormat::Json),
        "yaml" => Ok(FileFormat::Yaml),
        _ => Err("write `dotenv`, `export`, `dockerEnv`, `json` or `yaml`".to_owned()),
    }
}

/// What stands below the help of `penstock get`.
const GET_HELP: &str = "\
Exit status: 0 shown, 1 it is not there or something is wrong, 64 the arguments are wrong.

Examples:
  penstock get openbao apps/ -f stores/
  penstock get openbao apps/panbot DB_URL --reveal -f stores/";

/// What stands below the help of `penstock set`.
const SET_HELP: &str = "\
Every other key of the item stays. If somebody else changes the item at the same time, nothing is written and you are
told; only Vault's KV version 1 and Infisical cannot tell in every case.

Exit status: 0 set, 1 something is wrong, 130 you left the prompt, 64 the arguments are wrong. Whatever is left at a
prompt by Ctrl-C has written nothing.

Examples:
  penstock set openbao apps/panbot DB_PASSWORD -f stores/
  openssl rand -base64 32 | penstock set openbao apps/panbot JWT_SECRET -f stores/";

/// What stands below the help of `penstock init`.
const INIT_HELP: &str = "\
What syncs list under `require` is made where it is missing; what is there stays as it is.

Exit status: 0 made or nothing is missing, 2 something is missing and --yes was not given, 1 something is wrong or you
said no, 130 you left the prompt (nothing was written), 64 the arguments are wrong.

Examples:
  penstock init openbao -f deploy/
  penstock init openbao -f deploy/ --generate --yes";

/// What stands below the help of `penstock import`.
const IMPORT_HELP: &str = "\
For each key you are asked whether it is a secret or configuration. Secrets are written to the store and read back;
then the file is put aside, for an undo, and rewritten without them. Everything else in it stays as it is.

Exit status: 0 moved, 2 only shown because --yes was not given, 1 something is wrong or you said no, 130 you left a
prompt (nothing was written), 64 the arguments are wrong.

Examples:
  penstock import .env --to openbao apps/panbot -f stores/
  penstock import .env --to openbao apps/panbot -f stores/ --guess --configuration SENTRY_DSN --yes";
