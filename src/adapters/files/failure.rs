//! What can be wrong with a file, and which class of fault that is.

use std::io;

use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::formats::{ReadDocument, WriteDocument};

/// Why a file cannot be read or written. Names no value; the subject of the fault names the file.
#[derive(Debug, thiserror::Error)]
pub enum FileFailure {
    /// There is no such file.
    #[error("the file does not exist")]
    Missing,
    /// Its folder does not exist.
    #[error("the folder of the file does not exist")]
    NoFolder,
    /// The system refuses.
    #[error("the system refuses to {act} it: {}", kind_of(source))]
    System {
        /// What was tried.
        act: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// It is a folder, a pipe, a device, a socket.
    #[error("it is no plain file")]
    NotPlain,
    /// It is larger than is read.
    #[error("it is larger than the {limit} bytes that are read of a file")]
    TooLarge {
        /// The bound.
        limit: usize,
    },
    /// The path is a link that leads nowhere.
    #[error("it is a link that leads nowhere")]
    DanglingLink,
    /// It lies outside of the folder that may be written.
    #[error("it lies outside of {root}")]
    Outside {
        /// The folder.
        root: String,
    },
    /// It lies in git's own folder.
    #[error("it lies in git's own folder")]
    InGitFolder,
    /// It is a file that Penstock or the runner of GitHub Actions keeps for itself.
    #[error("it is {whose}, which is never a source or a target")]
    Reserved {
        /// Whose.
        whose: &'static str,
    },
    /// `$GITHUB_ENV` was asked for where there is none.
    #[error("the variable GITHUB_ENV names no file")]
    NoGithubEnv,
    /// Git tracks it.
    #[error("git tracks it, so its content would end up in a commit")]
    Tracked,
    /// Git does not ignore it.
    #[error("git does not ignore it, so its content could end up in a commit")]
    NotIgnored,
    /// Git could not be asked.
    #[error(
        "it lies in a git work tree, and git does not say whether it tracks or ignores the file"
    )]
    GitSilent,
    /// Another run holds the folder.
    #[error("another run is writing in its folder")]
    Locked,
    /// It is not what it was.
    #[error("it changed meanwhile")]
    Changed,
    /// It belongs to another user.
    #[error("it belongs to another user, who could not read it any more")]
    OtherOwner,
    /// It holds keys of others, and the target does not say `merge`.
    #[error("it holds keys that are not ours: {keys}")]
    ForeignKeys {
        /// Their names, a few of them.
        keys: String,
    },
    /// It cannot be read.
    #[error("{source}")]
    Read {
        /// Why.
        source: ReadDocument,
    },
    /// It cannot be written.
    #[error("{}", told(source))]
    Write {
        /// Why.
        source: WriteDocument,
    },
    /// It is not a record of ours.
    #[error("it is no record of Penstock's")]
    NotRecord,
    /// It is not an installation key.
    #[error("it holds no installation key")]
    NotKey,
    /// Others may read a key.
    #[error("others than its owner may read it")]
    NotPrivate,
    /// What was read back is not what was written.
    #[error("it does not hold what was written")]
    ReadBack,
    /// The operating system gives no randomness.
    #[error("the operating system gives no random bytes")]
    NoRandomness,
    /// The work on it was cut off.
    #[error("the work on it was cut off")]
    Cut,
}

fn kind_of(error: &io::Error) -> io::ErrorKind {
    error.kind()
}

fn told(problem: &WriteDocument) -> String {
    match problem {
        WriteDocument::Existing { source } => format!("{problem}: {source}"),
        other => other.to_string(),
    }
}

impl FileFailure {
    /// What the system refused.
    pub(crate) fn system(act: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            _ => Self::System { act, source },
        }
    }

    /// The fault about the file that `subject` names.
    pub fn fault(&self, subject: impl Into<String>) -> Fault {
        let (class, reason) = self.class();
        let mut fault = Fault::new(class, subject, self.to_string());
        if let Some(reason) = reason {
            fault = fault.because(reason);
        }
        match self.hint() {
            Some(hint) => fault.hint(hint),
            None => fault,
        }
    }

    fn class(&self) -> (FaultClass, Option<Reason>) {
        match self {
            Self::Missing => (FaultClass::NotFound, None),
            Self::System { source, .. } => (
                match source.kind() {
                    io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                        FaultClass::Denied
                    }
                    _ => FaultClass::Unavailable,
                },
                None,
            ),
            Self::NoFolder
            | Self::NotPlain
            | Self::DanglingLink
            | Self::NoGithubEnv
            | Self::NotRecord
            | Self::NotKey
            | Self::Read { .. } => (FaultClass::Invalid, None),
            Self::TooLarge { .. } => (FaultClass::Invalid, Some(Reason::TooLarge)),
            Self::Outside { .. }
            | Self::InGitFolder
            | Self::Reserved { .. }
            | Self::Tracked
            | Self::NotIgnored
            | Self::GitSilent
            | Self::OtherOwner
            | Self::NotPrivate => (FaultClass::Denied, None),
            Self::ForeignKeys { .. } => (FaultClass::Denied, Some(Reason::ForeignTarget)),
            Self::Locked | Self::NoRandomness | Self::Cut | Self::ReadBack => {
                (FaultClass::Unavailable, None)
            }
            Self::Changed => (FaultClass::Conflict, None),
            Self::Write { source } => match source {
                WriteDocument::Name { .. }
                | WriteDocument::NotText { .. }
                | WriteDocument::Value { .. } => {
                    (FaultClass::Invalid, Some(Reason::KeyNotAccepted))
                }
                WriteDocument::Existing { .. } | WriteDocument::Unfaithful => {
                    (FaultClass::Invalid, None)
                }
            },
        }
    }

    fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoFolder => "Make the folder first, or correct `path`",
            Self::DanglingLink => "Remove the link, or make the file that it leads to",
            Self::Outside { .. } => {
                "Name a wider folder with `--root`, or allow this path with `--allow-outside`"
            }
            Self::InGitFolder => "Write elsewhere, or allow this path with `--allow-outside`",
            Self::Tracked => {
                "Take it out of git (`git rm --cached`) and add it to .gitignore, or allow it with `--allow-tracked`"
            }
            Self::NotIgnored => "Add it to .gitignore, or allow it with `--allow-tracked`",
            Self::GitSilent => {
                "See what `git status` says in that folder, or allow the file with `--allow-tracked`"
            }
            Self::NotPrivate => {
                "Take the rights of others away (`chmod 600`), and consider the key known to them"
            }
            Self::NotRecord | Self::NotKey => "Move the file away, or name another place",
            Self::NoGithubEnv => "It is set in the steps of GitHub Actions only",
            Self::OtherOwner => "Run as that user, or remove the file first",
            Self::ForeignKeys { .. } => {
                "Nothing was changed. Say `merge: true` to leave keys of others in the file, or choose another path"
            }
            Self::Read {
                source: ReadDocument::Quoted { .. } | ReadDocument::NoValue { .. },
            } => "If it is not for `docker run --env-file`, take the format dotenv",
            Self::Write { source } => source.hint(),
            _ => return None,
        })
    }
}
