//! Verbs that look at what a store holds, and change it. A value is shown where somebody says `--reveal`, and nowhere
//! else.

mod file;
mod get;
mod import;
mod init;
mod moving;
mod required;
mod set;

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

use penstock_domain::fault::Fault;
use penstock_domain::formats::{ReadDocument, WriteDocument};
use penstock_domain::items::ItemPlace;

pub use self::file::EnvFile;
pub use self::get::{Shown, get};
pub use self::import::{ImportChoices, import};
pub use self::init::{InitChoices, init};
pub use self::required::{Required, required};
pub use self::set::{set, take_value};
use crate::output::{Streams, plain};

/// Why a verb could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreVerbError {
    /// The store refused, did not answer, or is not as it must be.
    #[error("{0}")]
    Store(Fault),
    /// Standard output does not take it.
    #[error("cannot write to standard output")]
    Print(#[source] io::Error),
    /// A person cannot be asked.
    #[error("cannot ask")]
    Ask(#[source] io::Error),
    /// The value does not come.
    #[error("cannot read the value")]
    TakeValue(#[source] io::Error),
    /// The value is larger than any store takes.
    #[error("the value is larger than {} KiB", take_value_limit() / 1024)]
    ValueTooLarge,
    /// The person broke off.
    #[error("nothing was written: the prompt was left")]
    Left,
    /// The person broke off in the middle.
    #[error("interrupted: what the store holds now, `penstock get` shows; no value is lost")]
    Interrupted,
    /// What a store holds does not become JSON.
    #[error("cannot write it as JSON")]
    WriteJson(#[source] serde_json::Error),
    /// The operating system gives no random bytes.
    #[error("the operating system gives no random bytes")]
    ReadRandomness(#[source] getrandom::Error),
    /// A file cannot be read.
    #[error("cannot read {}", .path.display())]
    ReadFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not of its format.
    #[error("cannot understand {}", .path.display())]
    UnderstandFile {
        /// The file.
        path: PathBuf,
        /// Where it is not.
        source: ReadDocument,
    },
    /// Keys cannot be taken out of a file.
    #[error("cannot take keys out of {}", .path.display())]
    EditFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: WriteDocument,
    },
    /// A file cannot be written.
    #[error("cannot write {}", .path.display())]
    WriteFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody changed the file while keys were being moved.
    #[error(
        "{} was changed in the meantime: the keys are in the store, and nothing was taken out of the file. Run it again",
        .path.display()
    )]
    FileChanged {
        /// The file.
        path: PathBuf,
    },
    /// Nobody is there to choose.
    #[error(
        "nobody can be asked what these keys are: {keys}. Name them by --secret KEY or --configuration KEY"
    )]
    Undecided {
        /// The keys.
        keys: String,
    },
    /// A name on the command line is no key of the file.
    #[error("{} has no key `{key}`", .path.display())]
    NoSuchKey {
        /// The file.
        path: PathBuf,
        /// The name.
        key: String,
    },
}

impl From<Fault> for StoreVerbError {
    fn from(fault: Fault) -> Self {
        Self::Store(fault)
    }
}

fn take_value_limit() -> u64 {
    set::MAX_VALUE_BYTES
}

/// Lines to standard output.
fn say(streams: &mut Streams, lines: &str) -> Result<(), StoreVerbError> {
    writeln!(streams.out, "{lines}")
        .and_then(|()| streams.out.flush())
        .map_err(StoreVerbError::Print)
}

/// `apps/shop of SecretStore openbao`
fn label(place: &ItemPlace) -> String {
    plain(&place.to_string())
}
