//! What goes wrong with Secret Manager, and what it means outside.

use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};

use super::answer::{Denied, Rejection};
use crate::http::error::{OpenClient, SendRequest};
use crate::oauth::LogIn;
use crate::settings::ReadSettings;

/// Why something could not be read. Names in it are the user's own; of an answer it holds nothing but the name of a
/// secret that cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum GcpError {
    /// `spec.provider.gcpSecretManager` makes no sense, or what it names is not there.
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
    /// Google rejects a request about `what`.
    #[error("read {what}")]
    Read {
        /// A secret, or the list.
        what: String,
        /// What it says.
        rejection: AnyRejection,
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
    /// What the source asks for does not exist in Secret Manager, or contradicts itself.
    #[error("answer a source: {message}")]
    Ask {
        /// What is wrong.
        message: &'static str,
    },
}

/// A [`Rejection`], opaque outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnyRejection(Rejection);

impl GcpError {
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

    /// What Google says, where it answered.
    pub(super) fn rejection(&self) -> Option<&Rejection> {
        match self {
            Self::Read { rejection, .. } => Some(&rejection.0),
            _ => None,
        }
    }

    /// The fault for `subject`.
    pub fn fault(&self, subject: &str) -> Fault {
        let of = |class, message: String| Fault::new(class, subject, message);
        let provider = format!("{subject} spec.provider.gcpSecretManager");
        match self {
            Self::Settings(error) => error.fault(&provider),
            Self::Open {
                field,
                source: source @ OpenClient::Address(_),
            } => source.fault(&format!("{provider}.endpoints.{field}")),
            Self::Open { source, .. } => source.fault_of(subject, &provider),
            Self::Send { host, source } => source.fault(subject, host),
            Self::LogIn(error) => error.fault(subject),
            Self::Read { what, rejection } => rejected(subject, what, &rejection.0),
            Self::Endless => of(
                FaultClass::Unavailable,
                "the list of secrets has no end".to_owned(),
            ),
            Self::TooLarge { what } => of(
                FaultClass::Invalid,
                format!("{what} holds more than a bundle can"),
            )
            .because(Reason::TooLarge)
            .hint("Read smaller folders, or set options.gcpSecretManager.labels"),
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
            format!("there is no {what}, or no version of it"),
            "Check project, location and name; a secret without a version has no value",
        ),
        Rejection::Unusable => (
            FaultClass::Denied,
            format!("the version of {what} that is asked for is disabled or destroyed"),
            "Enable it, add a new version, or pin an enabled one; `latest` is the version that was made last, enabled or not",
        ),
        Rejection::Denied(Denied::ServiceDisabled) => (
            FaultClass::Denied,
            "the Secret Manager API is not enabled in the project".to_owned(),
            "Enable secretmanager.googleapis.com",
        ),
        Rejection::Denied(_) => (
            FaultClass::Denied,
            format!("the identity may not read {what}"),
            "Grant roles/secretmanager.secretAccessor on the secret, for folders also secretmanager.secrets.list on the project; check the project",
        ),
        Rejection::BadRequest => (
            FaultClass::Invalid,
            format!("Google does not take the request for {what}"),
            "Check project, location, name, version and labels",
        ),
        Rejection::Throttled(wait) => {
            return Fault::throttled(subject, "Google asks for patience", *wait);
        }
        Rejection::Stumbled(status) => (
            FaultClass::Unavailable,
            format!("Google stumbles (status {status})"),
            "",
        ),
        Rejection::Damaged => (
            FaultClass::Unavailable,
            format!("the value of {what} does not fit its checksum"),
            "It is read again; should it stay so, add the version anew",
        ),
        Rejection::Unbelievable(status) => (
            FaultClass::Unavailable,
            format!("the answer for {what} is not that of Secret Manager (status {status})"),
            "Check what stands between, and endpoints.secretManager where it is set",
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

    #[test]
    fn every_rejection_has_the_class_that_the_rules_give_it() {
        for (rejection, class) in [
            (Rejection::Missing, FaultClass::NotFound),
            (Rejection::Unusable, FaultClass::Denied),
            (Rejection::Denied(Denied::Permission), FaultClass::Denied),
            (
                Rejection::Denied(Denied::ServiceDisabled),
                FaultClass::Denied,
            ),
            (Rejection::BadRequest, FaultClass::Invalid),
            (
                Rejection::Throttled(None),
                FaultClass::Throttled { retry_after: None },
            ),
            (Rejection::Stumbled(503), FaultClass::Unavailable),
            (Rejection::Damaged, FaultClass::Unavailable),
            (Rejection::Unbelievable(404), FaultClass::Unavailable),
        ] {
            let error = GcpError::read("secret a", rejection.clone());
            assert_eq!(error.fault("store s").class, class, "{rejection:?}");
        }
    }
}
