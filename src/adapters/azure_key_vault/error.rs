//! What goes wrong with Key Vault, and what it means outside.

use std::time::Duration;

use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};

use super::answer::{Denied, Rejection};
use crate::http::error::{OpenClient, SendRequest};
use crate::oauth::LogIn;
use crate::settings::ReadSettings;

/// Why something could not be read. Names in it are the user's own; of an answer it holds nothing but the name of a
/// secret that cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AzureError {
    /// `spec.provider.azureKeyVault` makes no sense, or what it names is not there.
    #[error(transparent)]
    Settings(#[from] ReadSettings),
    /// An address or TLS.
    #[error("open a client")]
    Open {
        /// The field of the address.
        field: &'static str,
        /// Why.
        #[source]
        source: OpenClient,
    },
    /// No answer.
    #[error("send a request to {host}")]
    Send {
        /// The host.
        host: String,
        /// Why.
        #[source]
        source: SendRequest,
    },
    /// Nobody is logged in.
    #[error(transparent)]
    LogIn(LogIn),
    /// The vault rejects a request about `what`.
    #[error("read {what}")]
    Read {
        /// A secret, or the list.
        what: String,
        /// What it says.
        rejection: AnyRejection,
    },
    /// The vault asks for patience.
    #[error("wait as the vault asked")]
    Throttled {
        /// How long.
        wait: Duration,
    },
    /// The list has no end.
    #[error("read a list of secrets without an end")]
    Endless,
    /// More keys or bytes than a bundle may have.
    #[error("read {what}, which is too large")]
    TooLarge {
        /// The folder.
        what: String,
    },
    /// The value of a secret has no such member.
    #[error("take property {property} of {what}")]
    Property {
        /// The secret.
        what: String,
        /// The property.
        property: String,
        /// Whether the value is a JSON object at all.
        object: bool,
    },
    /// What the source asks for does not exist in Key Vault, or contradicts itself.
    #[error("answer a source: {message}")]
    Ask {
        /// What is wrong.
        message: &'static str,
    },
}

/// A [`Rejection`], opaque outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnyRejection(Rejection);

impl AzureError {
    pub(super) fn read(what: impl Into<String>, rejection: Rejection) -> Self {
        Self::Read {
            what: what.into(),
            rejection: AnyRejection(rejection),
        }
    }

    pub(super) fn ask(message: &'static str) -> Self {
        Self::Ask { message }
    }

    /// Whether what was fetched when the store was opened may be out of date.
    pub(super) fn blames_credentials(&self) -> bool {
        match self {
            Self::LogIn(error) => error.blames_credentials(),
            Self::Send { source, .. } => {
                matches!(source, SendRequest::Verify(_) | SendRequest::Credential)
            }
            _ => false,
        }
    }

    /// What the vault says, where it answered.
    pub(super) fn rejection(&self) -> Option<&Rejection> {
        match self {
            Self::Read { rejection, .. } => Some(&rejection.0),
            _ => None,
        }
    }

    /// The fault for `subject`.
    pub fn fault(&self, subject: &str) -> Fault {
        let of = |class, message: String| Fault::new(class, subject, message);
        let provider = format!("{subject} spec.provider.azureKeyVault");
        match self {
            Self::Settings(error) => error.fault(&provider),
            Self::Open {
                field,
                source: source @ OpenClient::Address(_),
            } => source.fault(&format!("{provider}.{field}")),
            Self::Open { source, .. } => source.fault_of(subject, &provider),
            Self::Send { host, source } => source.fault(subject, host),
            Self::LogIn(error) => error.fault(subject),
            Self::Read { what, rejection } => rejected(subject, what, &rejection.0),
            Self::Throttled { wait } => {
                Fault::throttled(subject, "the vault asks for patience", Some(*wait))
            }
            Self::Endless => of(
                FaultClass::Unavailable,
                "the list of secrets has no end".to_owned(),
            ),
            Self::TooLarge { what } => of(
                FaultClass::Invalid,
                format!("{what} holds more than a bundle can"),
            )
            .because(Reason::TooLarge)
            .hint("Read smaller folders, or set options.azureKeyVault.tags"),
            Self::Property {
                what,
                property,
                object: true,
            } => of(
                FaultClass::NotFound,
                format!("{what} has no property {property}"),
            ),
            Self::Property { what, .. } => of(
                FaultClass::Invalid,
                format!("{what} is no JSON object, so it has no properties"),
            )
            .hint("Remove `field`: the secret is one value"),
            Self::Ask { message } => of(FaultClass::Invalid, (*message).to_owned()),
        }
    }
}

fn rejected(subject: &str, what: &str, rejection: &Rejection) -> Fault {
    let (class, message, hint) = match rejection {
        Rejection::Missing => (
            FaultClass::NotFound,
            format!("there is no {what}"),
            "Check name and version; a deleted secret can be recovered for a while",
        ),
        Rejection::Unusable(why) => (
            FaultClass::Denied,
            format!("{what} {}", why.sentence()),
            "Make it usable in the vault, delete it there, or let it count as deleted by options.azureKeyVault.unusable: leaveOut",
        ),
        Rejection::Denied(Denied::Network) => (
            FaultClass::Denied,
            "the vault's firewall does not let this cluster in".to_owned(),
            "Allow the address that the cluster goes out by, or use a private endpoint",
        ),
        Rejection::Denied(_) => (
            FaultClass::Denied,
            format!("the identity may not read {what}"),
            "Grant the role `Key Vault Secrets User`, or the permissions Get and List of an access policy",
        ),
        Rejection::BadRequest => (
            FaultClass::Invalid,
            format!("the vault does not take the request for {what}"),
            "Check the form of name and version",
        ),
        Rejection::Throttled => {
            return Fault::throttled(subject, "the vault asks for patience", None);
        }
        Rejection::Stumbled(status) => (
            FaultClass::Unavailable,
            format!("the vault stumbles (status {status})"),
            "",
        ),
        Rejection::Unbelievable(status) => (
            FaultClass::Unavailable,
            format!("the answer for {what} is not that of a vault (status {status})"),
            "Check that vaultUrl leads to a vault and not to something before it",
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
    use super::super::answer::Unusable;
    use super::*;

    #[test]
    fn every_rejection_has_the_class_that_the_rules_give_it() {
        for (rejection, class) in [
            (Rejection::Missing, FaultClass::NotFound),
            (Rejection::Unusable(Unusable::Expired), FaultClass::Denied),
            (Rejection::Denied(Denied::Permission), FaultClass::Denied),
            (Rejection::Denied(Denied::Network), FaultClass::Denied),
            (Rejection::BadRequest, FaultClass::Invalid),
            (
                Rejection::Throttled,
                FaultClass::Throttled { retry_after: None },
            ),
            (Rejection::Stumbled(503), FaultClass::Unavailable),
            (Rejection::Unbelievable(404), FaultClass::Unavailable),
        ] {
            let error = AzureError::read("secret a", rejection.clone());
            assert_eq!(error.fault("store s").class, class, "{rejection:?}");
        }
    }
}
