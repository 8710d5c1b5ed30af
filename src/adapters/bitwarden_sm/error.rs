//! What goes wrong with Bitwarden Secrets Manager, and what it means outside.

use std::time::Duration;

use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};

use crate::bitwarden_common::answer::Rejection;
use crate::bitwarden_common::enc_string::ReadEncString;
use crate::bitwarden_common::rejection;
use crate::bitwarden_common::requests::wait_of;
use crate::http::client::Response;
use crate::http::error::{OpenClient, SendRequest};
use crate::settings::ReadSettings;

/// Why something could not be read. Names in it are the user's own; of an answer it holds ids and nothing else.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BitwardenSmError {
    /// `spec.provider.bitwardenSecretsManager` makes no sense, or what it names is not there.
    #[error(transparent)]
    Settings(#[from] ReadSettings),
    /// The address or TLS.
    #[error("open a client")]
    Open(#[source] OpenClient),
    /// No answer.
    #[error("send a request to {host}")]
    Send {
        /// The host.
        host: String,
        /// Why.
        #[source]
        source: SendRequest,
    },
    /// The login is refused, or a token that the server has just given out.
    #[error("log in: {hint}")]
    LogIn {
        /// The way out.
        hint: &'static str,
    },
    /// Too many logins within a minute, counted here.
    #[error("wait for the next login")]
    LoginPace {
        /// How long until the next may be tried.
        wait: Duration,
    },
    /// The server rejects a request about `what`.
    #[error("read {what}")]
    Read {
        /// What was asked for.
        what: &'static str,
        /// What the server says.
        rejection: AnyRejection,
    },
    /// There is no such project or secret.
    #[error("find {path}")]
    NotFound {
        /// Where it was looked for.
        path: String,
    },
    /// Several projects or secrets have the name that a path names.
    #[error("find one thing at {path}")]
    Ambiguous {
        /// The path.
        path: String,
    },
    /// Something cannot be decrypted.
    #[error("decrypt {what}")]
    Unreadable {
        /// Which secret or project.
        what: String,
        /// Why.
        #[source]
        source: ReadEncString,
    },
    /// More keys or bytes than a bundle may have.
    #[error("read {path}, which is too large")]
    TooLarge {
        /// The path.
        path: String,
    },
    /// What the source asks for does not exist in Bitwarden, or contradicts itself.
    #[error("answer a source: {message}")]
    Ask {
        /// What is wrong.
        message: &'static str,
    },
}

/// A [`Rejection`], opaque outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnyRejection(Rejection);

impl BitwardenSmError {
    pub(super) fn read(what: &'static str, rejection: Rejection, response: &Response) -> Self {
        let rejection = match rejection {
            Rejection::Throttled(_) => Rejection::Throttled(Some(wait_of(response))),
            other => other,
        };
        Self::Read {
            what,
            rejection: AnyRejection(rejection),
        }
    }

    pub(super) fn ask(message: &'static str) -> Self {
        Self::Ask { message }
    }

    /// Whether what was fetched when the store was opened (credentials, authorities) may be out of date.
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

    /// The fault for `subject`.
    pub fn fault(&self, subject: &str) -> Fault {
        let of = |class, message: String| Fault::new(class, subject, message);
        let provider = format!("{subject} spec.provider.bitwardenSecretsManager");
        match self {
            Self::Settings(error) => error.fault(&provider),
            Self::Open(error) => error.fault_of(subject, &provider),
            Self::Send { host, source } => source.fault_of(subject, &provider, host),
            Self::LogIn { hint } => of(FaultClass::Denied, "the login is refused".to_owned())
                .because(Reason::CredentialsRefused)
                .hint(*hint),
            Self::LoginPace { wait } => Fault::throttled(
                subject,
                "the server takes few logins a minute, and this one would be one too many",
                Some(*wait),
            ),
            Self::Read { what, rejection } => rejection::fault_of(subject, what, &rejection.0),
            Self::NotFound { path } => of(
                FaultClass::NotFound,
                format!("there is no project and no secret {path}"),
            )
            .hint("What the machine account may not see looks the same: check its access"),
            Self::Ambiguous { path } => of(
                FaultClass::Invalid,
                format!("several projects or secrets are called {path}"),
            )
            .hint("Name the one by its id, or rename the other"),
            Self::Unreadable { what, source } => {
                let class = match source {
                    // Changed on the way: not to be believed.
                    ReadEncString::Mac | ReadEncString::Decrypt | ReadEncString::Malformed => {
                        FaultClass::Unavailable
                    }
                    _ => FaultClass::Invalid,
                };
                of(class, format!("{what} {source}"))
            }
            Self::TooLarge { path } => of(
                FaultClass::Invalid,
                format!("{path} holds more than a bundle can"),
            )
            .because(Reason::TooLarge)
            .hint("Read smaller projects"),
            Self::Ask { message } => of(FaultClass::Invalid, (*message).to_owned()),
        }
    }
}
