//! What goes wrong with a store of AWS, and what it means outside.

use jiff::SignedDuration;
use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};

use super::answer::{Failure, Rejection};
use crate::http::ambient::UseAmbient;
use crate::http::error::{OpenClient, SendRequest};
use crate::settings::ReadSettings;

/// AWS refuses what is signed by a clock that differs by more (IAM User Guide, "Signature Version 4").
const MAX_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Why something could not be read. Names in it are the user's own; of an answer it holds a status, the class of
/// an error and the names of secrets.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AwsError {
    /// The provider's spec makes no sense, or what it names is not there.
    #[error(transparent)]
    Settings(#[from] ReadSettings),
    /// An address or TLS.
    #[error("open a client for {field}")]
    Open {
        /// The field of the spec.
        field: &'static str,
        /// Why.
        #[source]
        source: OpenClient,
    },
    /// The ServiceAccount that the store names.
    #[error("fetch what the store logs in with")]
    Credentials(#[source] Fault),
    /// The operator's own identity, or that of a person.
    #[error(transparent)]
    Ambient(#[from] UseAmbient),
    /// Nothing around the process gives keys.
    #[error("find keys in the surroundings of the process")]
    NoIdentity,
    /// A credential service of the surroundings gives none.
    #[error("get keys from {service}")]
    Surroundings {
        /// Which.
        service: &'static str,
        /// Its status.
        status: u16,
    },
    /// No answer.
    #[error("send a request to {host}")]
    Send {
        /// The host.
        host: String,
        /// The field of the spec that may name another.
        field: &'static str,
        /// Why.
        #[source]
        source: SendRequest,
    },
    /// AWS rejects a call.
    #[error("call {action} for {what}")]
    Call {
        /// The action, as a policy names it.
        action: &'static str,
        /// What was asked for.
        what: String,
        /// What AWS says.
        failure: AnyFailure,
        /// How far the clock of AWS is ahead of ours, where its answer told.
        ahead: Option<SignedDuration>,
    },
    /// A value is no JSON object.
    #[error("read {what} as a JSON object")]
    NoObject {
        /// The secret or parameter.
        what: String,
    },
    /// A JSON object has no such member.
    #[error("find {field} in {what}")]
    NoField {
        /// The secret or parameter.
        what: String,
        /// The member.
        field: String,
    },
    /// More keys or bytes than a bundle may have.
    #[error("read {what}, which is too large")]
    TooLarge {
        /// The folder.
        what: String,
    },
    /// What lies there is not what was seen.
    #[error("change {what}, which somebody else has changed")]
    Changed {
        /// The folder, or what is in it.
        what: String,
    },
    /// What the source asks for does not exist in AWS, or contradicts itself.
    #[error("answer a source: {message}")]
    Ask {
        /// What is wrong.
        message: &'static str,
    },
}

/// A failure as AWS tells it, opaque outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnyFailure(pub(super) Failure);

impl AwsError {
    pub(crate) fn ask(message: &'static str) -> Self {
        Self::Ask { message }
    }

    /// A call that failed, where no clock was told.
    pub(crate) fn call(action: &'static str, what: &str, failure: Failure) -> Self {
        Self::Call {
            action,
            what: what.to_owned(),
            failure: AnyFailure(failure),
            ahead: None,
        }
    }

    /// What AWS says, where it answered.
    pub(crate) fn rejection(&self) -> Option<Rejection> {
        match self {
            Self::Call { failure, .. } => Some(failure.0.rejection),
            _ => None,
        }
    }

    /// The class of the error in the service's own words, where it answered.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Call { failure, .. } => Some(failure.0.code.as_str()),
            _ => None,
        }
    }

    /// Whether what was fetched when the store was opened (keys, authorities) may be out of date.
    pub(crate) fn blames_credentials(&self) -> bool {
        match self {
            Self::Send { source, .. } => {
                matches!(source, SendRequest::Verify(_) | SendRequest::Credential)
            }
            Self::Call { failure, .. } => matches!(
                failure.0.rejection,
                Rejection::EndedSession | Rejection::UnknownKey | Rejection::Signature
            ),
            _ => false,
        }
    }

    /// The fault for the store `subject`, whose member of `spec.provider` is `system`.
    pub fn fault(&self, subject: &str, system: &str) -> Fault {
        let of = |class, message: String| Fault::new(class, subject, message);
        let provider = format!("{subject} spec.provider.{system}");
        match self {
            Self::Settings(error) => error.fault(&provider),
            Self::Open { field, source } => match source {
                OpenClient::Address(_) => source.fault(&format!("{provider}.{field}")),
                OpenClient::Tls(_) => source.fault_of(subject, &provider),
            },
            Self::Credentials(fault) => fault.clone(),
            Self::Ambient(error) => error.fault(subject),
            Self::NoIdentity => of(
                FaultClass::Denied,
                "nothing around the process gives keys".to_owned(),
            )
            .because(Reason::CredentialsRefused)
            .hint("Give the operator a role (IAM roles for service accounts, EKS Pod Identity, an instance profile), or name keys in auth"),
            Self::Surroundings { service, status } => of(
                FaultClass::Unavailable,
                format!("{service} gives no keys (status {status})"),
            )
            .hint("Check that the pod or the machine has a role"),
            Self::Send { host, field, source } => match source {
                SendRequest::Resolve(_) => source.fault(&format!("{provider}.{field}"), host),
                _ => source.fault(subject, host),
            },
            Self::Call {
                action,
                what,
                failure,
                ahead,
            } => rejected(subject, (action, what), &failure.0, *ahead),
            Self::NoObject { what } => of(
                FaultClass::Invalid,
                format!("the value of {what} is no JSON object"),
            )
            .hint("Remove `field`, or `options` that take it apart"),
            Self::NoField { what, field } => of(
                FaultClass::NotFound,
                format!("the JSON object in {what} has no member {}", field.escape_debug()),
            ),
            Self::TooLarge { what } => of(
                FaultClass::Invalid,
                format!("{what} holds more than a bundle can"),
            )
            .because(Reason::TooLarge)
            .hint("Read smaller folders"),
            Self::Changed { what } => of(
                FaultClass::Conflict,
                format!("somebody else has changed {what} in the meantime"),
            )
            .hint("Look at it, and try again"),
            Self::Ask { message } => of(FaultClass::Invalid, (*message).to_owned()),
        }
    }
}

fn rejected(
    subject: &str,
    (action, what): (&str, &str),
    failure: &Failure,
    ahead: Option<SignedDuration>,
) -> Fault {
    let (class, reason) = failure.class();
    if matches!(class, FaultClass::Throttled { .. }) {
        return Fault::throttled(
            subject,
            format!("AWS asks for patience with {action}"),
            None,
        );
    }
    let skewed = ahead.is_some_and(|ahead| ahead.abs() > MAX_SKEW);
    let (message, hint) = match failure.rejection {
        Rejection::Missing => (
            format!("there is no {what}"),
            "Check name, version, region and account".to_owned(),
        ),
        Rejection::BeingDeleted => (
            format!("{what} is about to be deleted"),
            "Restore it, or leave it out".to_owned(),
        ),
        Rejection::Denied => (
            format!("the identity may not call {action} for {what}"),
            format!(
                "Allow {action} on it, and kms:Decrypt where it is encrypted with a key of your own"
            ),
        ),
        Rejection::Clock => clock(),
        Rejection::Signature if skewed => clock(),
        Rejection::Signature => (
            "the signature does not fit".to_owned(),
            "Check the secret access key: it belongs to another id, or has been cut off".to_owned(),
        ),
        Rejection::UnknownKey => (
            "the access key is unknown or switched off".to_owned(),
            "Check the access key id, and its session token if it is a temporary one".to_owned(),
        ),
        Rejection::EndedSession => (
            "the session has ended".to_owned(),
            "Put new temporary keys there, or name a role that sessions are made of".to_owned(),
        ),
        Rejection::EncryptionKey => (
            format!("the key that encrypts {what} cannot be used"),
            "Allow kms:Decrypt on it, and check that it is switched on".to_owned(),
        ),
        Rejection::BadRequest => (
            format!("AWS does not take the request for {what}"),
            "Check the form of name and version".to_owned(),
        ),
        Rejection::Throttled | Rejection::Stumbled => {
            ("the service stumbles".to_owned(), String::new())
        }
        Rejection::Unbelievable => (
            format!("the answer for {what} is not that of AWS"),
            "Check that the endpoint leads to the service and not to something before it"
                .to_owned(),
        ),
    };
    let told = if failure.code.is_empty() {
        format!("{message} (status {})", failure.status)
    } else {
        format!("{message} ({})", failure.code)
    };
    let mut fault = Fault::new(class, subject, told);
    if let Some(reason) = reason {
        fault = fault.because(reason);
    }
    if hint.is_empty() {
        fault
    } else {
        fault.hint(hint)
    }
}

fn clock() -> (String, String) {
    (
        "the clock here and that of AWS differ".to_owned(),
        "Set the clock of the node: signatures are good for five minutes".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denied_call_names_the_action_that_is_missing() {
        let failure = Failure {
            rejection: Rejection::Denied,
            code: "AccessDeniedException".to_owned(),
            status: 400,
        };
        let error = AwsError::call("secretsmanager:GetSecretValue", "apps/db", failure);
        let fault = error.fault("SecretStore a", "awsSecretsManager");
        assert_eq!(fault.class, FaultClass::Denied);
        assert!(
            fault.to_string().contains("secretsmanager:GetSecretValue"),
            "{fault}"
        );
        assert!(
            fault.to_string().contains("AccessDeniedException"),
            "{fault}"
        );
    }

    #[test]
    fn a_signature_that_does_not_fit_blames_the_clock_where_that_is_wrong() {
        let error = |minutes| AwsError::Call {
            action: "ssm:GetParameter",
            what: "/a".to_owned(),
            failure: AnyFailure(Failure {
                rejection: Rejection::Signature,
                code: "InvalidSignatureException".to_owned(),
                status: 400,
            }),
            ahead: Some(SignedDuration::from_mins(minutes)),
        };
        let fault = |minutes| error(minutes).fault("s", "awsParameterStore").to_string();
        for minutes in [-20, 6] {
            assert!(fault(minutes).contains("clock"), "{minutes}");
        }
        assert!(fault(0).contains("secret access key"));
    }
}
