//! What an answer means: pure decisions over status and body, the same for both products.
//!
//! The server's own failures are JSON with `object: "error"` (or, from Vaultwarden and the identity server,
//! `errorModel`), and have a `message`; the token endpoint speaks OAuth's `error`. A failure in another shape comes
//! from something else and says nothing about secrets. Names of members begin with a small letter on newer servers
//! and a capital one on older ones.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::http::json;

/// Why an answer holds nothing that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// 400 of the token endpoint: client id, client secret or token.
    Credentials,
    /// 400 of the token endpoint for another reason: a second factor, a new device, a captcha.
    Interactive,
    /// 400
    BadRequest,
    /// 401: the access token has expired, or is none. The body may be anything.
    DeadToken,
    /// 403
    Denied,
    /// 404 in the server's own shape: it is not there, or we may not see it.
    Missing,
    /// 429
    Throttled(Option<Duration>),
    /// 5xx: it may work in a moment.
    Stumbled(u16),
    /// Anything that the server never answers: something stands between.
    Unbelievable(u16),
    /// The server says that what is written is based on an older state.
    OutOfDate,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    #[serde(default, alias = "Message")]
    message: Option<String>,
    #[serde(default, alias = "Object")]
    object: Option<String>,
    #[serde(default, alias = "ErrorModel")]
    error_model: Option<ErrorModel>,
    #[serde(default)]
    error: Option<String>,
}

#[derive(Deserialize)]
struct ErrorModel {
    #[serde(default, alias = "Message")]
    message: Option<String>,
    #[serde(default, alias = "Object")]
    object: Option<String>,
}

impl Failure {
    fn of(body: &[u8]) -> Option<Self> {
        object(body)
    }

    fn is_own(&self) -> bool {
        let model = self.error_model.as_ref();
        self.object.as_deref() == Some("error")
            || model.is_some_and(|model| model.object.as_deref() == Some("error"))
    }

    /// The server's sentence. It decides where the server has no word for it, and goes nowhere else.
    fn sentence(&self) -> &str {
        let model = self.error_model.as_ref();
        model
            .and_then(|model| model.message.as_deref())
            .or(self.message.as_deref())
            .unwrap_or_default()
    }
}

/// The body of a good answer of the API.
pub(crate) fn good(status: u16, body: &[u8]) -> Result<&[u8], Rejection> {
    match status {
        200 => return Ok(body),
        401 => return Err(Rejection::DeadToken),
        429 => return Err(Rejection::Throttled(None)),
        500..=599 => return Err(Rejection::Stumbled(status)),
        _ => {}
    }
    let failure = Failure::of(body).filter(Failure::is_own);
    let failure = failure.ok_or(Rejection::Unbelievable(status))?;
    Err(match status {
        400 => bad_request(failure.sentence()),
        403 => Rejection::Denied,
        404 => Rejection::Missing,
        _ => Rejection::Unbelievable(status),
    })
}

/// Two failures have no status of their own: Vaultwarden's for an item that does not exist, and everybody's for an
/// item that has changed since it was read.
fn bad_request(sentence: &str) -> Rejection {
    if sentence.starts_with("Cipher doesn't exist") {
        Rejection::Missing
    } else if sentence.contains("out of date") {
        Rejection::OutOfDate
    } else {
        Rejection::BadRequest
    }
}

/// The body of a good answer of the token endpoint. The official server says `invalid_client`, Vaultwarden an empty
/// `error` and a sentence in its general shape.
pub(crate) fn granted(status: u16, body: &[u8]) -> Result<&[u8], Rejection> {
    if status != 400 {
        return match good(status, body) {
            // Before a login there is no token that could be dead.
            Err(Rejection::DeadToken) => Err(Rejection::Unbelievable(status)),
            other => other,
        };
    }
    let failure = Failure::of(body).ok_or(Rejection::Unbelievable(status))?;
    Err(match failure.error.as_deref() {
        Some("invalid_client" | "unauthorized_client") => Rejection::Credentials,
        Some("invalid_grant") => Rejection::Interactive,
        Some("invalid_request" | "invalid_scope" | "unsupported_grant_type") => {
            Rejection::BadRequest
        }
        _ if failure.is_own() => Rejection::Credentials,
        _ => Rejection::Unbelievable(status),
    })
}

/// Reads a good answer as one JSON object: serde would take a list for one, too.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Rejection> {
    object(body).ok_or(Rejection::Unbelievable(200))
}

fn object<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    body.trim_ascii_start()
        .starts_with(b"{")
        .then(|| json::parse_owned(body).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &[u8] =
        br#"{"message":"Resource not found.","validationErrors":null,"object":"error"}"#;
    const VAULTWARDEN: &[u8] = br#"{"message":"Incorrect client_secret","validationErrors":{"":["x"]},"errorModel":{"message":"Incorrect client_secret","object":"error"},"error":"","error_description":"","object":"error"}"#;

    #[test]
    fn only_the_servers_own_shape_says_what_is_missing_or_denied() {
        for (status, body, expected) in [
            (404, OWN, Rejection::Missing),
            (403, OWN, Rejection::Denied),
            (400, OWN, Rejection::BadRequest),
            (404, b"<html>".as_slice(), Rejection::Unbelievable(404)),
            (404, b"{}", Rejection::Unbelievable(404)),
            (
                404,
                br#"[{"object":"error"}]"#,
                Rejection::Unbelievable(404),
            ),
            (403, b"", Rejection::Unbelievable(403)),
            (418, OWN, Rejection::Unbelievable(418)),
            (204, b"", Rejection::Unbelievable(204)),
            (401, b"<html>", Rejection::DeadToken),
            (429, b"", Rejection::Throttled(None)),
            (502, b"", Rejection::Stumbled(502)),
        ] {
            assert_eq!(good(status, body), Err(expected), "{status}");
        }
        assert_eq!(good(200, b"{}"), Ok(b"{}".as_slice()));
        let gone = br#"{"message":"Cipher doesn't exist","errorModel":{"message":"Cipher doesn't exist","object":"error"},"object":"error"}"#;
        assert_eq!(good(400, gone), Err(Rejection::Missing));
        let stale = br#"{"message":"The client copy of this cipher is out of date. Resync the client and try again.","object":"error"}"#;
        assert_eq!(good(400, stale), Err(Rejection::OutOfDate));
    }

    #[test]
    fn a_refused_login_is_told_from_everything_else() {
        for (status, body, expected) in [
            (
                400,
                br#"{"error":"invalid_client"}"#.as_slice(),
                Rejection::Credentials,
            ),
            (400, VAULTWARDEN, Rejection::Credentials),
            (
                400,
                br#"{"error":"invalid_grant","error_description":"Two factor required."}"#,
                Rejection::Interactive,
            ),
            (400, br#"{"error":"invalid_scope"}"#, Rejection::BadRequest),
            (400, b"<html>", Rejection::Unbelievable(400)),
            (400, b"{}", Rejection::Unbelievable(400)),
            (401, b"<html>", Rejection::Unbelievable(401)),
            (429, b"", Rejection::Throttled(None)),
        ] {
            assert_eq!(granted(status, body), Err(expected), "{status}");
        }
    }
}
