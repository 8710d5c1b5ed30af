//! What can go wrong with a host, and which class of fault that is.

use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};

use super::sftp::{SftpError, Status};
use crate::files::FileFailure;
use crate::http::resolve::ResolveHost;
use crate::settings::ReadSettings;

/// Why a host, or a file on it, cannot be worked with. Holds no value and no word of the other side.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// The spec makes no sense, or names what is not there.
    #[error("read the settings")]
    Settings(#[source] ReadSettings),
    /// What was asked makes no sense for files.
    #[error("{0}")]
    Ask(&'static str),
    /// There is no address that may be connected to.
    #[error("{0}")]
    Resolve(ResolveHost),
    /// Nobody listens there, or the network fails.
    #[error("cannot connect to the host")]
    Connect,
    /// Nobody answered in time.
    #[error("the host does not answer in time")]
    Silent,
    /// The other side speaks no SSH that we speak, or broke off before it was clear who it is.
    #[error("the host and this program agree on no way to talk")]
    Handshake,
    /// The host has shown a key that is not pinned.
    #[error("the host shows the key {shown}, which is none of `hostKeys`")]
    HostKey {
        /// Its fingerprint.
        shown: String,
    },
    /// The host has no key of the kinds that are pinned.
    #[error("the host has no key of the kinds that `hostKeys` names")]
    HostKeyKind,
    /// The user or the key is refused.
    #[error("the host refuses this user with this key")]
    Login,
    /// The connection broke.
    #[error("the connection to the host broke")]
    Lost,
    /// The server offers no SFTP to this user.
    #[error("the host offers no SFTP to this user")]
    NoSftp,
    /// The server cannot replace a file in one step.
    #[error("the host's SFTP server cannot replace a file in one step")]
    NoRename,
    /// What answers is no SFTP server as the protocol has it.
    #[error("the host answers in a way that is not SFTP: {0}")]
    Protocol(&'static str),
    /// The system of the host refuses.
    #[error("the host refuses to {act} it: {status}")]
    Refused {
        /// What was tried.
        act: &'static str,
        /// What it says.
        status: Status,
    },
    /// What is wrong with the file itself.
    #[error("{0}")]
    File(#[source] FileFailure),
    /// It leaves the folder of the store.
    #[error("it lies outside of the store's folder")]
    Outside,
    /// It lies in git's own folder.
    #[error("it lies in git's own folder")]
    InGitFolder,
    /// A command was to run, and nobody allowed it.
    #[error("a command is to run on the host, and commands are not allowed")]
    CommandsRefused,
    /// The command failed.
    #[error("it is written, but the command on the host ended {}", ending(*.status))]
    Command {
        /// Its status; none when a signal ended it, or it could not be started.
        status: Option<u32>,
    },
    /// The command takes too long.
    #[error("it is written, but the command on the host has not ended in time")]
    CommandSilent,
}

fn ending(status: Option<u32>) -> String {
    match status {
        Some(status) => format!("with status {status}"),
        None => "without a status".to_owned(),
    }
}

impl From<FileFailure> for SshError {
    fn from(failure: FileFailure) -> Self {
        Self::File(failure)
    }
}

impl SshError {
    /// What an SFTP request that was to `act` came to.
    pub(super) fn of(act: &'static str) -> impl Fn(SftpError) -> Self {
        move |error| match error {
            SftpError::Lost => Self::Lost,
            SftpError::Silent => Self::Silent,
            SftpError::Protocol(what) => Self::Protocol(what),
            SftpError::Status(status) => Self::Refused { act, status },
        }
    }

    /// Whether the connection is of no more use.
    pub(super) fn ends_connection(&self) -> bool {
        matches!(
            self,
            Self::Lost | Self::Silent | Self::Protocol(_) | Self::CommandSilent
        )
    }

    /// The fault about what `subject` names: a store, or a file on its host.
    pub fn fault(&self, subject: &str) -> Fault {
        match self {
            Self::Settings(read) => return read.fault(&format!("{subject} spec.provider.ssh")),
            Self::File(failure) => return file_fault(failure, subject),
            _ => {}
        }
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
            Self::Resolve(ResolveHost::Refused(_)) => {
                (FaultClass::Denied, Some(Reason::EgressDenied))
            }
            Self::Resolve(ResolveHost::Unknown)
            | Self::Connect
            | Self::Silent
            | Self::Handshake
            | Self::Lost
            | Self::Protocol(_)
            | Self::Command { .. }
            | Self::CommandSilent => (FaultClass::Unavailable, None),
            Self::HostKey { .. }
            | Self::HostKeyKind
            | Self::NoSftp
            | Self::Outside
            | Self::InGitFolder
            | Self::CommandsRefused => (FaultClass::Denied, None),
            Self::Login => (FaultClass::Denied, Some(Reason::CredentialsRefused)),
            Self::NoRename => (FaultClass::NotSupported, None),
            Self::Refused { status, .. } => (
                match status {
                    Status::NoSuchFile => FaultClass::NotFound,
                    Status::PermissionDenied => FaultClass::Denied,
                    Status::Unsupported => FaultClass::NotSupported,
                    Status::End | Status::Failure => FaultClass::Unavailable,
                },
                None,
            ),
            Self::Ask(_) | Self::Settings(_) | Self::File(_) => (FaultClass::Invalid, None),
        }
    }

    fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Resolve(ResolveHost::Refused(_)) => {
                "Allow it with `--egress-allow`, if that is the host"
            }
            Self::Resolve(ResolveHost::Unknown) | Self::Connect => {
                "See that `host` and `port` are right, and that the host is up"
            }
            Self::HostKey { .. } => {
                "Nothing was sent. If the host was set up anew, read its key on its own console \
                 (`cat /etc/ssh/ssh_host_ed25519_key.pub`) and put it into `hostKeys`; if it was not, somebody \
                 stands between"
            }
            Self::HostKeyKind => {
                "Nothing was sent. Put its Ed25519 or ECDSA key into `hostKeys`, as its own console shows it \
                 (`cat /etc/ssh/ssh_host_*_key.pub`)"
            }
            Self::Login => {
                "Add the public half of the key to the user's `~/.ssh/authorized_keys` on the host, or correct `user`"
            }
            Self::NoSftp => {
                "Let the server offer it: `Subsystem sftp internal-sftp` in its sshd_config"
            }
            Self::Outside => "Correct `path`, or let the store's `folder` be a wider one",
            Self::InGitFolder => "Choose another path",
            Self::CommandsRefused => "Allow it with `--allow-commands`, or leave `then` out",
            Self::Command { .. } | Self::CommandSilent => {
                "Try it there by hand; the next sync runs it again"
            }
            Self::Refused {
                status: Status::PermissionDenied,
                ..
            } => "Give the user the right to write in that folder",
            _ => return None,
        })
    }
}

/// The fault of a file, without ways out that only a file of this machine has.
fn file_fault(failure: &FileFailure, subject: &str) -> Fault {
    let fault = failure.fault(subject);
    match failure {
        FileFailure::OtherOwner => Fault {
            hint: Some("Log in as that user, or remove the file first".to_owned()),
            ..fault
        },
        _ => fault,
    }
}
