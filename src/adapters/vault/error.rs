//! What goes wrong with Vault, and what it means outside.

use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};

use super::answer::Rejection;
use crate::http::error::{OpenClient, SendRequest};
use crate::settings::ReadSettings;

/// Why something could not be read. Paths in it are the user's own; nothing in it comes from an answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum VaultError {
    /// `spec.provider.vault` makes no sense, or what it names is not there.
    #[error(transparent)]
    Settings(#[from] ReadSettings),
    /// The address or TLS.
    #[error("open a client")]
    Open(#[source] OpenClient),
    /// A Secret, ConfigMap or ServiceAccount that the store names.
    #[error("fetch what the store logs in with")]
    Credentials(#[source] Fault),
    /// No answer.
    #[error("send a request to {host}")]
    Send {
        /// The host of the store's address.
        host: String,
        /// Why.
        #[source]
        source: SendRequest,
    },
    /// The login, or the token that was given, is refused.
    #[error("log in: {hint}")]
    LogIn {
        /// The way out.
        hint: &'static str,
    },
    /// The auth method is not there, or asks for more than we have.
    #[error("use the auth method: {message}")]
    AuthMethod {
        /// What is wrong.
        message: &'static str,
    },
    /// The server rejects a request about `path`.
    #[error("read {path}")]
    Read {
        /// Mount and path.
        path: String,
        /// What the server says.
        rejection: AnyRejection,
    },
    /// The server rejects a change of `path`.
    #[error("write {path}")]
    Write {
        /// Mount and path.
        path: String,
        /// What the server says.
        rejection: AnyRejection,
    },
    /// The secret is not as it was seen.
    #[error("find {path} as it was")]
    Changed {
        /// Mount and path.
        path: String,
    },
    /// The token may not ask what is mounted.
    #[error("find out what is mounted at {mount}")]
    SeeMount {
        /// The mount.
        mount: String,
    },
    /// What is mounted is not what can be read.
    #[error("read the mount {mount}: {message}")]
    Mount {
        /// The mount.
        mount: String,
        /// What is wrong.
        message: &'static str,
    },
    /// A folder changed while it was read.
    #[error("read the whole of folder {folder}")]
    Moving {
        /// Mount and path.
        folder: String,
    },
    /// The secret has no such field.
    #[error("find field {field} in {path}")]
    Field {
        /// Mount and path.
        path: String,
        /// The field.
        field: String,
    },
    /// More keys, bytes or folders than a bundle may have.
    #[error("read {path}, which is too large")]
    TooLarge {
        /// Mount and path.
        path: String,
    },
    /// What the source asks for does not exist in Vault, or contradicts itself.
    #[error("answer a source: {message}")]
    Ask {
        /// What is wrong.
        message: String,
    },
}

/// A [`Rejection`], opaque outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnyRejection(pub(super) Rejection);

impl VaultError {
    pub(super) fn read(path: impl Into<String>, rejection: Rejection) -> Self {
        Self::Read {
            path: path.into(),
            rejection: AnyRejection(rejection),
        }
    }

    pub(super) fn write(path: impl Into<String>, rejection: Rejection) -> Self {
        Self::Write {
            path: path.into(),
            rejection: AnyRejection(rejection),
        }
    }

    pub(super) fn ask(message: impl Into<String>) -> Self {
        Self::Ask {
            message: message.into(),
        }
    }

    /// Whether what was fetched when the store was opened (token, role, authorities) may be out of date.
    pub(super) fn blames_credentials(&self) -> bool {
        matches!(
            self,
            Self::LogIn { .. }
                | Self::Send {
                    source: SendRequest::Verify(_) | SendRequest::Credential,
                    ..
                }
        )
    }

    /// Whether the server says 403.
    pub(super) fn is_denied(&self) -> bool {
        self.rejection() == Some(Rejection::Denied)
    }

    /// What the server says, where it answered a read.
    pub(super) fn rejection(&self) -> Option<Rejection> {
        match self {
            Self::Read { rejection, .. } => Some(rejection.0),
            _ => None,
        }
    }

    /// The fault for `subject`.
    pub fn fault(&self, subject: &str) -> Fault {
        let of = |class, message: String| Fault::new(class, subject, message);
        match self {
            Self::Settings(error) => error.fault(&provider(subject)),
            Self::Open(error) => error.fault_of(subject, &provider(subject)),
            Self::Credentials(fault) => fault.clone(),
            Self::Send { host, source } => source.fault_of(subject, &provider(subject), host),
            Self::LogIn { hint } => of(FaultClass::Denied, "the login is refused".to_owned())
                .because(Reason::CredentialsRefused)
                .hint(*hint),
            Self::AuthMethod { message } => of(FaultClass::Invalid, (*message).to_owned()),
            Self::Read { path, rejection } => rejected(subject, path, rejection.0),
            Self::Write { path, rejection } => written(subject, path, rejection.0),
            Self::Changed { path } => of(
                FaultClass::Conflict,
                format!("somebody else changed {path} in the meantime"),
            )
            .hint("Nothing was written. Look at it again, then decide"),
            Self::SeeMount { mount } => of(
                FaultClass::Denied,
                format!("there is no mount {mount}, or the token may not see it"),
            )
            .hint("Check the mount, or set kvVersion so that nobody has to ask"),
            Self::Mount { mount, message } => {
                of(FaultClass::Invalid, format!("the mount {mount} {message}"))
            }
            Self::Moving { folder } => of(
                FaultClass::Unavailable,
                format!("the folder {folder} changed while it was read"),
            ),
            Self::Field { path, field } => of(
                FaultClass::NotFound,
                format!("the secret {path} has no field {field}"),
            ),
            Self::TooLarge { path } => of(
                FaultClass::Invalid,
                format!("{path} holds more than a bundle can"),
            )
            .because(Reason::TooLarge)
            .hint("Read smaller folders"),
            Self::Ask { message } => of(FaultClass::Invalid, message.clone()),
        }
    }
}

fn provider(subject: &str) -> String {
    format!("{subject} spec.provider.vault")
}

fn written(subject: &str, path: &str, rejection: Rejection) -> Fault {
    let of = |class, message: String| Fault::new(class, subject, message);
    match rejection {
        Rejection::Denied => of(
            FaultClass::Denied,
            format!("the token may not write {path}"),
        )
        .hint("Grant `create` and `update` on it; KV 2 has `data/` before the path"),
        Rejection::BadRequest => of(
            FaultClass::Invalid,
            format!("the server does not take the change of {path}"),
        )
        .hint("Its rules for this path (quotas, check-and-set, parameters that a policy demands) may forbid it"),
        other => rejected(subject, path, other),
    }
}

fn rejected(subject: &str, path: &str, rejection: Rejection) -> Fault {
    let (class, message, hint) = match rejection {
        Rejection::Missing => (
            FaultClass::NotFound,
            format!("there is nothing at {path}"),
            "A folder is read by a trailing slash",
        ),
        Rejection::Deleted => (
            FaultClass::NotFound,
            format!("the version of {path} was deleted"),
            "Undelete it, or write a new version",
        ),
        Rejection::Destroyed => (
            FaultClass::NotFound,
            format!("the version of {path} was destroyed"),
            "Write a new version",
        ),
        Rejection::Denied => (
            FaultClass::Denied,
            format!("the token may not read {path}"),
            "Grant `read` on it, and `list` on a folder; KV 2 has `data/` and `metadata/` before the path",
        ),
        Rejection::NoRoute => (
            FaultClass::Invalid,
            format!("nothing is mounted where {path} should be"),
            "Check the mount and the namespace",
        ),
        Rejection::WrongEngine => (
            FaultClass::Invalid,
            format!("{path} is no secret of this version of the KV engine"),
            "Check the mount and kvVersion",
        ),
        // Path and version have been checked, so it is not our request that makes no sense: KV 2 answers
        // so while it gets ready after a start or an upgrade.
        Rejection::BadRequest => (
            FaultClass::Unavailable,
            format!("the server does not take the request for {path}"),
            "The engine may be getting ready",
        ),
        Rejection::Throttled(wait) => {
            return Fault::throttled(subject, "the server asks for patience", wait);
        }
        Rejection::Sealed => (
            FaultClass::Unavailable,
            "the server is sealed or in maintenance".to_owned(),
            "Unseal it",
        ),
        Rejection::NotInitialised => (
            FaultClass::Unavailable,
            "the server is not initialised".to_owned(),
            "Initialise it",
        ),
        Rejection::Stumbled(status) => (
            FaultClass::Unavailable,
            format!("the server stumbles (status {status})"),
            "",
        ),
        Rejection::Unbelievable(status) => (
            FaultClass::Unavailable,
            format!("the answer for {path} is not that of a Vault (status {status})"),
            "Check that the address leads to the server and not to something before it",
        ),
    };
    let fault = Fault::new(class, subject, message);
    if hint.is_empty() {
        fault
    } else {
        fault.hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::egress::Refusal;
    use crate::http::endpoint::ParseAddress;
    use crate::http::resolve::ResolveHost;
    use crate::http::tls::ConfigureTls;

    #[test]
    fn every_rejection_has_the_class_that_the_rules_give_it() {
        for (rejection, class) in [
            (Rejection::Missing, FaultClass::NotFound),
            (Rejection::Deleted, FaultClass::NotFound),
            (Rejection::Destroyed, FaultClass::NotFound),
            (Rejection::Denied, FaultClass::Denied),
            (Rejection::NoRoute, FaultClass::Invalid),
            (Rejection::WrongEngine, FaultClass::Invalid),
            (Rejection::BadRequest, FaultClass::Unavailable),
            (
                Rejection::Throttled(None),
                FaultClass::Throttled { retry_after: None },
            ),
            (Rejection::Sealed, FaultClass::Unavailable),
            (Rejection::NotInitialised, FaultClass::Unavailable),
            (Rejection::Stumbled(500), FaultClass::Unavailable),
            (Rejection::Unbelievable(404), FaultClass::Unavailable),
        ] {
            let fault = VaultError::read("secret/apps/x", rejection).fault("store s");
            assert_eq!(fault.class, class, "{rejection:?}");
        }
    }

    #[test]
    fn what_the_spec_says_wrong_is_told_by_its_field() {
        let refused = OpenClient::Address(ParseAddress::Refused(Refusal::Metadata));
        let fault = VaultError::Open(refused).fault("SecretStore a");
        assert_eq!(fault.subject, "SecretStore a spec.provider.vault.address");
        assert!(fault.hint.is_some());
        let resolved = SendRequest::Resolve(ResolveHost::Refused(Refusal::Private));
        let sent = VaultError::Send {
            host: "vault".to_owned(),
            source: resolved,
        };
        assert_eq!(sent.fault("SecretStore a").subject, fault.subject);
        let no_authority = OpenClient::Tls(ConfigureTls::NoCertificate);
        let fault = VaultError::Open(no_authority).fault("SecretStore a");
        assert!(fault.to_string().contains("caBundle"), "{fault}");
    }

    #[test]
    fn deleted_has_its_own_words() {
        let words = |rejection| VaultError::read("secret/x", rejection).fault("s").message;
        let all = [Rejection::Missing, Rejection::Deleted, Rejection::Destroyed].map(words);
        assert_ne!(all[0], all[1]);
        assert_ne!(all[1], all[2]);
    }
}
