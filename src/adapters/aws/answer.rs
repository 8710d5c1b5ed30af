//! What an answer means: pure decisions over status and body.
//!
//! A failure of the JSON protocol is an object with the class of the error in `__type`, perhaps behind a prefix
//! and `#` (Smithy, "AWS JSON 1.1 protocol"); one of the query protocol, which the Security Token Service speaks,
//! is XML with a `Code`. Classes are those of each service's API reference and of "Common error types". Statuses
//! differ between servers; only the class counts.

use penstock_domain::conditions::Reason;
use penstock_domain::fault::FaultClass;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::http::json;

/// The longest name of an error's class.
const MAX_CODE_LENGTH: usize = 64;

/// What kind of no an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// There is no such secret, parameter or version.
    Missing,
    /// The state of the secret does not allow it: it is to be deleted.
    BeingDeleted,
    /// The identity may not.
    Denied,
    /// The session has ended.
    EndedSession,
    /// The access key is unknown or switched off.
    UnknownKey,
    /// The signature does not fit: a wrong secret key, or a clock that is wrong.
    Signature,
    /// The request is too old or from the future.
    Clock,
    /// The key that encrypts the value cannot be used.
    EncryptionKey,
    /// The service asks for patience.
    Throttled,
    /// The request makes no sense to the service.
    BadRequest,
    /// A server stumbles; it may work in a moment.
    Stumbled,
    /// Nothing that the service ever answers: something stands between.
    Unbelievable,
}

/// A failure, with what may be told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) rejection: Rejection,
    /// The class of the error in the service's own words; empty where there is none.
    pub(crate) code: String,
    pub(crate) status: u16,
}

impl Failure {
    pub(crate) fn unbelievable(status: u16) -> Self {
        Self {
            rejection: Rejection::Unbelievable,
            code: String::new(),
            status,
        }
    }

    /// A failure of one item among others that succeeded.
    pub(crate) fn of_item(code: &str) -> Self {
        Self::of(200, Some(code))
    }

    fn of(status: u16, code: Option<&str>) -> Self {
        let code = code.and_then(class_of);
        let rejection = code.map_or(Rejection::Unbelievable, |code| judge(code, status));
        let rejection = match (rejection, status) {
            (Rejection::Unbelievable, 429) => Rejection::Throttled,
            (Rejection::Unbelievable, 500..=599) => Rejection::Stumbled,
            (other, _) => other,
        };
        Self {
            rejection,
            code: code.unwrap_or_default().to_owned(),
            status,
        }
    }

    /// Class and reason of the fault.
    pub(crate) fn class(&self) -> (FaultClass, Option<Reason>) {
        match self.rejection {
            Rejection::Missing | Rejection::BeingDeleted => (FaultClass::NotFound, None),
            Rejection::Denied | Rejection::EncryptionKey => (FaultClass::Denied, None),
            Rejection::EndedSession
            | Rejection::UnknownKey
            | Rejection::Signature
            | Rejection::Clock => (FaultClass::Denied, Some(Reason::CredentialsRefused)),
            Rejection::Throttled => (FaultClass::Throttled { retry_after: None }, None),
            Rejection::BadRequest => (FaultClass::Invalid, None),
            Rejection::Stumbled | Rejection::Unbelievable => (FaultClass::Unavailable, None),
        }
    }
}

/// The name of a class, without what stands before `#` or after `:`.
fn class_of(text: &str) -> Option<&str> {
    let name = text.rsplit('#').next()?.split(':').next()?;
    let sound = !name.is_empty()
        && name.len() <= MAX_CODE_LENGTH
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    sound.then_some(name)
}

fn judge(code: &str, status: u16) -> Rejection {
    match code {
        "ResourceNotFoundException" | "ParameterNotFound" | "ParameterVersionNotFound" => {
            Rejection::Missing
        }
        "InvalidRequestException" => Rejection::BeingDeleted,
        "AccessDeniedException"
        | "AccessDenied"
        | "UnauthorizedOperation"
        | "NotAuthorized"
        | "OptInRequired"
        | "InvalidIdentityToken"
        | "IDPRejectedClaim" => Rejection::Denied,
        "ExpiredTokenException" | "ExpiredToken" => Rejection::EndedSession,
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException" => Rejection::UnknownKey,
        "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "IncompleteSignatureException" => Rejection::Signature,
        "RequestExpired" | "RequestTimeTooSkewed" | "RequestInTheFuture" => Rejection::Clock,
        "DecryptionFailure"
        | "EncryptionFailure"
        | "InvalidKeyId"
        | "KMSAccessDeniedException"
        | "KMSDisabledException"
        | "KMSInvalidStateException"
        | "KMSNotFoundException" => Rejection::EncryptionKey,
        "ThrottlingException"
        | "Throttling"
        | "ThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "KMSThrottlingException"
        | "LimitExceededException"
        | "PriorRequestNotComplete"
        | "TooManyUpdates" => Rejection::Throttled,
        "InternalServiceError"
        | "InternalServerError"
        | "InternalFailure"
        | "InternalError"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "IDPCommunicationError" => Rejection::Stumbled,
        _ if (400..500).contains(&status) || status == 200 => Rejection::BadRequest,
        _ => Rejection::Stumbled,
    }
}

/// The body of a good answer of the JSON protocol.
pub(crate) fn good(status: u16, body: &[u8]) -> Result<&[u8], Failure> {
    #[derive(Deserialize)]
    struct Told {
        #[serde(rename = "__type", alias = "code")]
        kind: String,
    }
    if status == 200 {
        return Ok(body);
    }
    let told: Option<Told> = object(body);
    Err(Failure::of(
        status,
        told.as_ref().map(|told| told.kind.as_str()),
    ))
}

/// Reads a good answer as one JSON object.
pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Failure> {
    object(body).ok_or(Failure::unbelievable(200))
}

/// serde would take a list for an object, too.
fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Option<T> {
    body.trim_ascii_start()
        .starts_with(b"{")
        .then(|| json::parse(body).ok())
        .flatten()
}

/// The body of a good answer of the query protocol.
pub(super) fn good_xml(status: u16, body: &[u8]) -> Result<&str, Failure> {
    let text = std::str::from_utf8(body).ok();
    if status == 200 {
        return text.ok_or(Failure::unbelievable(status));
    }
    let code = text.and_then(|text| element(text, "Code"));
    Err(Failure::of(status, code.as_deref().map(String::as_str)))
}

/// The text of the one element of this name; none where there is none, or more than one. Good for the flat answers
/// of the Security Token Service, which have neither attributes there nor sections of raw text.
pub(super) fn element(text: &str, name: &str) -> Option<Zeroizing<String>> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let (_, rest) = text.split_once(&open)?;
    let (content, rest) = rest.split_once(&close)?;
    if rest.contains(&open) || content.contains('<') {
        return None;
    }
    let mut plain = Zeroizing::new(content.to_owned());
    for (entity, letter) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ] {
        if plain.contains(entity) {
            plain = Zeroizing::new(plain.replace(entity, letter));
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(status: u16, body: &str) -> (Rejection, String) {
        let failure = good(status, body.as_bytes()).unwrap_err();
        (failure.rejection, failure.code)
    }

    #[test]
    fn a_failure_is_judged_by_its_class_and_not_by_its_status() {
        for (class, rejection) in [
            ("ResourceNotFoundException", Rejection::Missing),
            ("ParameterNotFound", Rejection::Missing),
            ("ParameterVersionNotFound", Rejection::Missing),
            ("InvalidRequestException", Rejection::BeingDeleted),
            ("AccessDeniedException", Rejection::Denied),
            ("ExpiredTokenException", Rejection::EndedSession),
            ("UnrecognizedClientException", Rejection::UnknownKey),
            ("InvalidSignatureException", Rejection::Signature),
            ("RequestExpired", Rejection::Clock),
            ("DecryptionFailure", Rejection::EncryptionKey),
            ("InvalidKeyId", Rejection::EncryptionKey),
            ("ThrottlingException", Rejection::Throttled),
            ("TooManyUpdates", Rejection::Throttled),
            ("InvalidParameterException", Rejection::BadRequest),
            ("InternalServiceError", Rejection::Stumbled),
        ] {
            for status in [400, 404, 500] {
                let body = format!(r#"{{"__type":"com.amazonaws#{class}","Message":"hunter2"}}"#);
                let expected = match (rejection, status) {
                    (Rejection::BadRequest, 500) => Rejection::Stumbled,
                    (other, _) => other,
                };
                assert_eq!(rejected(status, &body), (expected, class.to_owned()));
            }
        }
    }

    #[test]
    fn what_is_in_no_shape_of_aws_says_nothing_about_secrets() {
        for body in [
            "",
            "not found",
            "<html>",
            "[]",
            "{}",
            r#"{"message":"x"}"#,
            r#"{"__type":7}"#,
        ] {
            assert_eq!(rejected(404, body).0, Rejection::Unbelievable, "{body}");
            assert_eq!(rejected(403, body).0, Rejection::Unbelievable, "{body}");
            assert_eq!(rejected(503, body).0, Rejection::Stumbled, "{body}");
            assert_eq!(rejected(429, body).0, Rejection::Throttled, "{body}");
        }
        let code = "x".repeat(MAX_CODE_LENGTH + 1);
        for code in [code.as_str(), "a b", "<script>", ""] {
            let body = format!(r#"{{"__type":"{code}"}}"#);
            assert_eq!(
                rejected(400, &body),
                (Rejection::Unbelievable, String::new())
            );
        }
    }

    #[test]
    fn elements_of_xml_are_read_once_and_without_their_entities() {
        let text = "<A><Code>AccessDenied</Code><T>a&amp;lt;&lt;b</T><T2>x</T2></A>";
        let of = |name| element(text, name).map(|text| text.to_string());
        assert_eq!(of("Code").as_deref(), Some("AccessDenied"));
        assert_eq!(of("T").as_deref(), Some("a&lt;<b"));
        assert_eq!(of("A"), None, "not a text");
        assert_eq!(of("B"), None);
        assert!(element("<C>1</C><C>2</C>", "C").is_none());
        let failure = good_xml(
            403,
            b"<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>",
        );
        assert_eq!(failure.unwrap_err().rejection, Rejection::EndedSession);
        assert_eq!(
            good_xml(403, b"<html>").unwrap_err().rejection,
            Rejection::Unbelievable
        );
    }
}
