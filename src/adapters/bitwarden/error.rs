//! What goes wrong with Bitwarden, and what it means outside.

use std::time::Duration;

use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};

use super::kdf::DeriveKey;
use crate::bitwarden_common::answer::Rejection;
use crate::bitwarden_common::enc_string::ReadEncString;
use crate::bitwarden_common::rejection;
use crate::bitwarden_common::requests::wait_of;
use crate::http::client::Response;
use crate::http::error::{OpenClient, SendRequest};
use crate::settings::ReadSettings;

/// Why something could not be read. Names in it are the user's own; of an answer it holds ids of items and nothing
/// else.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BitwardenError {
    /// `spec.provider.bitwarden` makes no sense, or what it names is not there.
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
    /// The master password does not open the account's key.
    #[error("open the key of the account")]
    MasterPassword,
    /// Too many logins within a minute, counted here.
    #[error("wait for the next login")]
    LoginPace {
        /// How long until the next may be tried.
        wait: Duration,
    },
    /// The server names a derivation that nobody should follow.
    #[error("derive the master key")]
    Derive(#[source] DeriveKey),
    /// The keys of the account have a format that is not read here.
    #[error("open the keys of the account: {format}")]
    Account {
        /// Which.
        format: &'static str,
    },
    /// The server rejects a request about `what`.
    #[error("read {what}")]
    Read {
        /// What was asked for.
        what: &'static str,
        /// What the server says.
        rejection: AnyRejection,
    },
    /// The store's organisation.
    #[error("find the organisation")]
    Organization {
        /// What is wrong with it.
        problem: OrganizationProblem,
    },
    /// There is no such folder, collection, item or field.
    #[error("find {path}")]
    NotFound {
        /// Where it was looked for.
        path: String,
        /// What is not there.
        message: String,
    },
    /// Several items have the name that a path names.
    #[error("find one item at {path}")]
    Ambiguous {
        /// The path.
        path: String,
    },
    /// Something in the place that is read cannot be decrypted.
    #[error("read {what}")]
    Unreadable {
        /// Which item, folder or collection.
        what: String,
        /// Why.
        problem: ItemProblem,
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

/// What is wrong with an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrganizationProblem {
    /// The account is not its member.
    Missing,
    /// Several have the name.
    Ambiguous,
    /// It is disabled, so the server gives out nothing of it.
    Disabled,
}

/// Why an item cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ItemProblem {
    /// A part of it.
    #[error(transparent)]
    Part(#[from] ReadEncString),
    /// Its key has another length than keys have.
    #[error("has a key of a format that is not read here")]
    Key,
    /// It comes as one blob.
    #[error("comes as one encrypted blob, a format that is not read here")]
    Blob,
    /// A collection hides passwords from the account.
    #[error("has a password that the account may not see")]
    Hidden,
    /// A name that is no text, or absent.
    #[error("has a name that is no text")]
    Name,
    /// It is an organisation's whose key the account does not have.
    #[error("belongs to an organisation whose key is not there")]
    NoKey,
    /// Several fields have the name that is asked for.
    #[error("has several fields of this name")]
    TwoFields,
}

impl BitwardenError {
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
                | Self::MasterPassword
                | Self::Send {
                    source: SendRequest::Verify(_) | SendRequest::Credential,
                    ..
                }
        )
    }

    /// The fault for `subject`.
    pub fn fault(&self, subject: &str) -> Fault {
        let of = |class, message: String| Fault::new(class, subject, message);
        let provider = format!("{subject} spec.provider.bitwarden");
        match self {
            Self::Settings(error) => error.fault(&provider),
            Self::Open(error) => error.fault_of(subject, &provider),
            Self::Send { host, source } => source.fault_of(subject, &provider, host),
            Self::LogIn { hint } => of(FaultClass::Denied, "the login is refused".to_owned())
                .because(Reason::CredentialsRefused)
                .hint(*hint),
            Self::MasterPassword => of(
                FaultClass::Denied,
                "the master password does not open the account".to_owned(),
            )
            .because(Reason::CredentialsRefused)
            .hint("Check what masterPasswordRef names; accounts without a master password (single sign-on with trusted devices) cannot be read"),
            Self::LoginPace { wait } => Fault::throttled(
                subject,
                "the server takes few logins a minute, and this one would be one too many",
                Some(*wait),
            ),
            Self::Derive(error @ DeriveKey::Failed) => {
                of(FaultClass::Unavailable, error.to_string())
            }
            Self::Derive(error) => of(FaultClass::Invalid, error.to_string())
                .hint("Look at Settings → Security → Keys of the account"),
            Self::Account { format } => of(FaultClass::Invalid, (*format).to_owned())
                .hint("Use an account of the usual format for Penstock"),
            Self::Read { what, rejection } => rejection::fault_of(subject, what, &rejection.0),
            Self::Organization { problem } => organization(&provider, *problem),
            Self::NotFound { path, message } => {
                of(FaultClass::NotFound, format!("{message} at {path}"))
            }
            Self::Ambiguous { path } => of(
                FaultClass::Invalid,
                format!("several items are called {path}"),
            )
            .hint("Name the item by its id, or rename one"),
            Self::Unreadable { what, problem } => unreadable(subject, what, problem),
            Self::TooLarge { path } => of(
                FaultClass::Invalid,
                format!("{path} holds more than a bundle can"),
            )
            .because(Reason::TooLarge)
            .hint("Read smaller folders or collections"),
            Self::Ask { message } => of(FaultClass::Invalid, (*message).to_owned()),
        }
    }
}

fn organization(provider: &str, problem: OrganizationProblem) -> Fault {
    let (class, message, hint) = match problem {
        OrganizationProblem::Missing => (
            FaultClass::NotFound,
            "the account is not a member of the organisation",
            "Invite the account, accept, and confirm it in the organisation",
        ),
        OrganizationProblem::Ambiguous => (
            FaultClass::Invalid,
            "the account is a member of several organisations of this name",
            "Name it by its id",
        ),
        OrganizationProblem::Disabled => (
            FaultClass::Denied,
            "the organisation is disabled",
            "Look at its subscription",
        ),
    };
    Fault::new(class, format!("{provider}.organization"), message).hint(hint)
}

fn unreadable(subject: &str, what: &str, problem: &ItemProblem) -> Fault {
    let (class, hint) = match problem {
        // It was changed on the way, or the keys changed in between: whatever it is, it is not to be believed.
        ItemProblem::Part(
            ReadEncString::Mac | ReadEncString::Decrypt | ReadEncString::Malformed,
        )
        | ItemProblem::Name => (FaultClass::Unavailable, None),
        ItemProblem::Hidden => (
            FaultClass::Denied,
            Some(
                "Give the account \"View items\" on the collection, not \"View items, hidden passwords\"",
            ),
        ),
        ItemProblem::TwoFields => (FaultClass::Invalid, Some("Rename one of them")),
        ItemProblem::NoKey => (
            FaultClass::Denied,
            Some("Confirm the account in the organisation, and look whether it is enabled"),
        ),
        ItemProblem::Part(_) | ItemProblem::Key | ItemProblem::Blob => (
            FaultClass::Invalid,
            Some("Move it to another folder or collection, or save it again with a current client"),
        ),
    };
    let fault = Fault::new(class, subject, format!("{what} {problem}"));
    match hint {
        Some(hint) => fault.hint(hint),
        None => fault,
    }
}
