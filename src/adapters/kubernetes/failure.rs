//! What a request to the API server can end in, and the one place that turns it into a [`Fault`].
//!
//! Status and `reason` of the server decide, and the names of the fields it complains about; its messages
//! are never read and never repeated, because they may quote values.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};
use serde::Deserialize;

use super::request::{Resource, Verb};

/// A request that did not end in the answer that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{verb} {resource}: {cause}")]
pub(super) struct Failure {
    /// What was to be done.
    pub(super) verb: Verb,
    /// To which kind of object.
    pub(super) resource: Resource,
    /// Why it was not.
    pub(super) cause: Cause,
}

/// Why a request did not end in the answer that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Cause {
    /// Our own request could not be put together.
    #[error("build the request")]
    BuildRequest,
    /// No connection, or it broke.
    #[error("reach the API server")]
    ReachServer,
    /// The server did not answer in time; whether it acted is unknown.
    #[error("wait for the answer")]
    AwaitAnswer,
    /// The answer is larger than we take.
    #[error("take an answer that is too large")]
    BoundAnswer,
    /// The answer is not what Kubernetes answers to this request.
    #[error("decode the answer")]
    DecodeAnswer,
    /// The server refused.
    #[error("refused: {0:?}")]
    Refused(Refusal),
}

/// Why the API server refused, by the `reason` and the fields of its `Status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no such object, or no such namespace.
    NotFound,
    /// There is one already.
    AlreadyExists,
    /// It is not the object or the version that a precondition names.
    Conflict,
    /// RBAC or a policy forbids it.
    Forbidden,
    /// The namespace is being deleted.
    NamespaceTerminating,
    /// The operator's own credentials are not accepted.
    Unauthorized,
    /// A field does not pass validation.
    Invalid(Field),
    /// A JSON patch `test` failed: 422 without any field.
    TestFailed,
    /// The request or the object is too large.
    TooLarge,
    /// The server asks for patience.
    Throttled(Option<Duration>),
    /// A continue token is too old.
    Expired,
    /// The request makes no sense to the server.
    BadRequest,
    /// The server, or what stands before it, cannot answer now, or not in a way that can be believed.
    Unavailable,
}

/// The field that did not pass validation, as far as it matters what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// `metadata.uid`: another object of this name.
    Uid,
    /// `type`: it cannot change.
    Type,
    /// The object is immutable.
    Immutable,
    /// `data`, `binaryData`: what the type of a Secret requires is missing, or one key of a ConfigMap stands
    /// in both.
    Data,
    /// `metadata.labels`
    Labels,
    /// `metadata.annotations`
    Annotations,
    /// Any other.
    Other,
}

/// The part of `meta/v1 Status` that decides.
#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    details: Option<Details>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Details {
    causes: Vec<StatusCause>,
    retry_after_seconds: u64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct StatusCause {
    reason: String,
    field: String,
}

impl Refusal {
    /// Reads a refusal: `reason` where the body is a `Status`; else the HTTP status, of which a bare 404
    /// proves nothing (rule 1).
    pub(super) fn read(code: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let status = serde_json::from_slice::<Status>(body)
            .ok()
            .filter(|status| status.kind == "Status");
        let (reason, details) = match status {
            Some(status) => (status.reason, status.details.unwrap_or_default()),
            None => (String::new(), Details::default()),
        };
        match reason.as_str() {
            "NotFound" => Self::NotFound,
            "AlreadyExists" => Self::AlreadyExists,
            "Conflict" => Self::Conflict,
            "Forbidden" if details.has("NamespaceTerminating") => Self::NamespaceTerminating,
            "Forbidden" => Self::Forbidden,
            "Unauthorized" => Self::Unauthorized,
            "Invalid" => Self::invalid(&details),
            "RequestEntityTooLarge" => Self::TooLarge,
            "Expired" | "Gone" => Self::Expired,
            "TooManyRequests" => Self::Throttled(retry_after(headers, &details)),
            "BadRequest" | "MethodNotAllowed" | "NotAcceptable" | "UnsupportedMediaType" => {
                Self::BadRequest
            }
            _ => Self::by_code(code, headers, &details),
        }
    }

    fn by_code(code: StatusCode, headers: &HeaderMap, details: &Details) -> Self {
        match code {
            StatusCode::TOO_MANY_REQUESTS => Self::Throttled(retry_after(headers, details)),
            StatusCode::UNAUTHORIZED => Self::Unauthorized,
            StatusCode::FORBIDDEN => Self::Forbidden,
            StatusCode::CONFLICT => Self::Conflict,
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            StatusCode::UNPROCESSABLE_ENTITY => Self::invalid(details),
            StatusCode::BAD_REQUEST => Self::BadRequest,
            _ => Self::Unavailable,
        }
    }

    /// Which field, by the causes that validation lists (`field.ErrorType` and paths in k8s.io/apimachinery
    /// and `ValidateSecretUpdate` in k8s.io/kubernetes).
    fn invalid(details: &Details) -> Self {
        let Some(first) = details.causes.iter().find(|cause| !cause.field.is_empty()) else {
            return Self::TestFailed;
        };
        let forbidden = first.reason == "FieldValueForbidden";
        let head = first.field.split(['[', '.']).next().unwrap_or_default();
        match (head, first.field.as_str()) {
            _ if first.reason == "FieldValueTooLong" && matches!(head, "data" | "") => {
                Self::TooLarge
            }
            (_, "metadata.uid") => Self::Invalid(Field::Uid),
            ("type", _) => Self::Invalid(Field::Type),
            ("data" | "binaryData" | "immutable", _) if forbidden => {
                Self::Invalid(Field::Immutable)
            }
            ("data" | "binaryData", _) => Self::Invalid(Field::Data),
            (_, path) if path.starts_with("metadata.labels") => Self::Invalid(Field::Labels),
            (_, path) if path.starts_with("metadata.annotations") => {
                Self::Invalid(Field::Annotations)
            }
            _ => Self::Invalid(Field::Other),
        }
    }
}

impl Details {
    fn has(&self, reason: &str) -> bool {
        self.causes.iter().any(|cause| cause.reason == reason)
    }
}

/// The `Retry-After` header in seconds, else `retryAfterSeconds`. The API server never sends a date.
fn retry_after(headers: &HeaderMap, details: &Details) -> Option<Duration> {
    let header = headers
        .get(http::header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.trim().parse().ok());
    let status = (details.retry_after_seconds > 0).then_some(details.retry_after_seconds);
    header.or(status).map(Duration::from_secs)
}

impl Failure {
    /// Whether the server said, in its own words, that there is no such object.
    pub(super) fn is_not_found(&self) -> bool {
        self.cause == Cause::Refused(Refusal::NotFound)
    }

    /// Whether the server does not know who asks.
    pub(super) fn is_unauthorized(&self) -> bool {
        self.cause == Cause::Refused(Refusal::Unauthorized)
    }

    /// Whether a precondition did not hold.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(
            self.cause,
            Cause::Refused(
                Refusal::Conflict
                    | Refusal::AlreadyExists
                    | Refusal::TestFailed
                    | Refusal::Invalid(Field::Uid)
            )
        )
    }

    /// The fault that the engine sees. `subject` is what it happened to: `Secret panbot-env`.
    pub(super) fn fault(&self, subject: &str) -> Fault {
        let (verb, resource) = (self.verb, self.resource);
        match self.cause {
            Cause::BuildRequest => fault(
                FaultClass::Invalid,
                subject,
                "the request to the API server cannot be put together",
            )
            .because(Reason::InternalError),
            Cause::ReachServer => unavailable(subject, "the API server cannot be reached"),
            Cause::AwaitAnswer => unavailable(subject, "the API server does not answer in time"),
            Cause::BoundAnswer => fault(
                FaultClass::Invalid,
                subject,
                "the API server's answer is larger than Penstock takes",
            )
            .because(Reason::TooLarge),
            Cause::DecodeAnswer => unavailable(
                subject,
                "what the API server answers is not an object of this kind",
            ),
            Cause::Refused(refusal) => refusal.fault(subject, verb, resource),
        }
    }
}

impl Refusal {
    fn fault(self, subject: &str, verb: Verb, resource: Resource) -> Fault {
        match self {
            Self::NotFound => fault(FaultClass::NotFound, subject, "does not exist"),
            Self::AlreadyExists => fault(
                FaultClass::Conflict,
                subject,
                "somebody else made an object of this name in the meantime",
            ),
            Self::Conflict | Self::TestFailed | Self::Invalid(Field::Uid) => fault(
                FaultClass::Conflict,
                subject,
                "it was changed or replaced by somebody else in the meantime",
            ),
            Self::Expired => fault(
                FaultClass::Conflict,
                subject,
                "the list changed too much while it was being read",
            ),
            Self::Forbidden => fault(
                FaultClass::Denied,
                subject,
                format!("the API server forbids the operator to {verb} {resource} here"),
            )
            .hint(format!(
                "Grant the operator's ServiceAccount `{verb}` on `{resource}`, or see which admission \
                 policy or quota forbids it"
            )),
            Self::NamespaceTerminating => fault(
                FaultClass::Denied,
                subject,
                "its namespace is being deleted, nothing new can be made in it",
            )
            .because(Reason::TargetTerminating),
            Self::Unauthorized => fault(
                FaultClass::Denied,
                subject,
                "the API server does not accept the operator's own credentials",
            ),
            Self::Invalid(field) => field.fault(subject),
            Self::TooLarge => fault(
                FaultClass::Invalid,
                subject,
                "it is larger than Kubernetes stores",
            )
            .because(Reason::TooLarge)
            .hint("Split the content over several targets with `select`"),
            Self::Throttled(retry_after) => Fault::throttled(
                subject,
                "the API server asks for patience",
                retry_after,
            ),
            Self::BadRequest => fault(
                FaultClass::Invalid,
                subject,
                format!("the API server does not understand the request to {verb} {resource}"),
            ),
            Self::Unavailable => unavailable(subject, "the API server cannot answer at the moment"),
        }
    }
}

impl Field {
    fn fault(self, subject: &str) -> Fault {
        let invalid = |message: &str| fault(FaultClass::Invalid, subject, message);
        match self {
            Self::Uid => fault(
                FaultClass::Conflict,
                subject,
                "it was replaced by another object of its name",
            ),
            Self::Type => invalid("it exists with another type, and a type cannot change")
                .because(Reason::TargetImmutable)
                .hint("Set `recreate: true` on the target, or delete the object"),
            Self::Immutable => invalid("it is immutable")
                .because(Reason::TargetImmutable)
                .hint("Set `recreate: true` on the target, or delete the object"),
            Self::Data => invalid("its content does not have what its type requires"),
            Self::Labels => invalid("a label is not one that Kubernetes accepts"),
            Self::Annotations => {
                invalid("the annotations are not such that Kubernetes accepts them")
            }
            Self::Other => invalid("the API server or an admission policy finds it invalid"),
        }
    }
}

fn fault(class: FaultClass, subject: &str, message: impl Into<String>) -> Fault {
    Fault::new(class, subject, message)
}

fn unavailable(subject: &str, message: &str) -> Fault {
    fault(FaultClass::Unavailable, subject, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: u16, body: &str) -> Refusal {
        Refusal::read(
            StatusCode::from_u16(code).unwrap(),
            &HeaderMap::new(),
            body.as_bytes(),
        )
    }

    fn status(reason: &str, cause: Option<(&str, &str)>) -> String {
        let causes = cause.map_or(String::new(), |(reason, field)| {
            format!(r#"{{"reason":"{reason}","field":"{field}","message":"quotes hunter2"}}"#)
        });
        format!(
            r#"{{"kind":"Status","message":"quotes hunter2","reason":"{reason}","details":{{"causes":[{causes}]}}}}"#
        )
    }

    #[test]
    fn a_refusal_is_known_by_reason_and_field() {
        let invalid = |reason, field| refusal(422, &status("Invalid", Some((reason, field))));
        assert_eq!(refusal(404, &status("NotFound", None)), Refusal::NotFound);
        assert_eq!(refusal(409, &status("Conflict", None)), Refusal::Conflict);
        assert_eq!(
            refusal(
                403,
                &status(
                    "Forbidden",
                    Some(("NamespaceTerminating", "metadata.namespace"))
                )
            ),
            Refusal::NamespaceTerminating
        );
        assert_eq!(refusal(422, &status("Invalid", None)), Refusal::TestFailed);
        for (reason, field, expected) in [
            ("FieldValueInvalid", "metadata.uid", Field::Uid),
            ("FieldValueInvalid", "type", Field::Type),
            ("FieldValueForbidden", "data", Field::Immutable),
            ("FieldValueForbidden", "immutable", Field::Immutable),
            ("FieldValueRequired", "data[tls.crt]", Field::Data),
            ("FieldValueInvalid", "metadata.labels", Field::Labels),
            ("FieldValueInvalid", "spec.template", Field::Other),
        ] {
            assert_eq!(
                invalid(reason, field),
                Refusal::Invalid(expected),
                "{field}"
            );
        }
        assert_eq!(invalid("FieldValueTooLong", "data"), Refusal::TooLarge);
    }

    #[test]
    fn a_bare_404_proves_nothing() {
        for body in [
            "404 page not found",
            "",
            "<html>",
            r#"{"kind":"Secret"}"#,
            "{}",
        ] {
            assert_eq!(refusal(404, body), Refusal::Unavailable, "{body}");
        }
    }

    #[test]
    fn patience_is_read_from_the_header_before_the_body() {
        let body =
            r#"{"kind":"Status","reason":"TooManyRequests","details":{"retryAfterSeconds":7}}"#;
        assert_eq!(
            refusal(429, body),
            Refusal::Throttled(Some(Duration::from_secs(7)))
        );
        let headers = HeaderMap::from_iter([(
            http::header::RETRY_AFTER,
            http::HeaderValue::from_static("2"),
        )]);
        assert_eq!(
            Refusal::read(StatusCode::TOO_MANY_REQUESTS, &headers, body.as_bytes()),
            Refusal::Throttled(Some(Duration::from_secs(2)))
        );
    }

    #[test]
    fn no_fault_repeats_what_the_server_wrote() {
        let refusals = [
            refusal(403, &status("Forbidden", None)),
            refusal(
                422,
                &status("Invalid", Some(("FieldValueInvalid", "data[hunter2]"))),
            ),
            refusal(400, &status("BadRequest", None)),
            refusal(500, &status("InternalError", None)),
        ];
        for refusal in refusals {
            let failure = Failure {
                verb: Verb::Patch,
                resource: Resource::Secret,
                cause: Cause::Refused(refusal),
            };
            let fault = failure.fault("Secret a");
            let told = format!("{fault} {fault:?} {failure} {failure:?}");
            assert!(!told.contains("hunter2"), "{told}");
        }
    }

    #[test]
    fn what_the_operator_may_not_do_is_named_with_verb_and_resource() {
        let failure = Failure {
            verb: Verb::Patch,
            resource: Resource::Secret,
            cause: Cause::Refused(Refusal::Forbidden),
        };
        let fault = failure.fault("Secret panbot-env");
        assert_eq!(fault.class, FaultClass::Denied);
        assert!(
            fault.to_string().contains("`patch` on `secrets`"),
            "{fault}"
        );
    }
}
