//! What an answer means: pure decisions over status and body.
//!
//! Every failure of Google's has one shape (AIP-193): `error` with the status as `code`, a `status` in words and
//! `details`. A failure in another shape comes from something else and says nothing about secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use penstock_domain::secret::SecretValue;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::crc32c::crc32c;
use crate::http::json;

/// The largest payload, in bytes.
const MAX_PAYLOAD: usize = 65_536;
/// The longest page token that is sent back.
const MAX_PAGE_TOKEN: usize = 8 * 1024;

/// Why an answer holds nothing that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rejection {
    /// 400: a parameter is wrong.
    BadRequest,
    /// 400 `FAILED_PRECONDITION`: the version is disabled or destroyed.
    Unusable,
    /// 403
    Denied(Denied),
    /// 404 in Google's own shape.
    Missing,
    /// 429
    Throttled(Option<Duration>),
    /// 5xx: it may work in a moment.
    Stumbled(u16),
    /// Anything that Google never answers: something stands between.
    Unbelievable(u16),
    /// The payload does not fit its checksum, or has none.
    Damaged,
}

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// The identity has not the right.
    Permission,
    /// The API is not enabled in the project.
    ServiceDisabled,
    /// Something else.
    Other,
}

#[derive(Deserialize)]
struct Failed {
    error: Failure,
}

#[derive(Deserialize)]
struct Failure {
    code: u16,
    status: String,
    #[serde(default)]
    details: Vec<Detail>,
}

/// `google.rpc.ErrorInfo` and `google.rpc.RetryInfo`, as far as they matter.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    retry_delay: Option<String>,
}

/// The body of a good answer.
pub(super) fn good(status: u16, body: &[u8]) -> Result<&[u8], Rejection> {
    if status == 200 {
        return Ok(body);
    }
    let failure = failure(status, body);
    if status == 429 {
        let details = failure.iter().flat_map(|failure| &failure.details);
        let wait = details.filter_map(|detail| delay(detail.retry_delay.as_deref()?));
        return Err(Rejection::Throttled(wait.max()));
    }
    if (500..600).contains(&status) {
        return Err(Rejection::Stumbled(status));
    }
    let Some(failure) = failure else {
        return Err(Rejection::Unbelievable(status));
    };
    Err(match (status, failure.status.as_str()) {
        (400, "FAILED_PRECONDITION") => Rejection::Unusable,
        (400, _) => Rejection::BadRequest,
        (403, "PERMISSION_DENIED") => Rejection::Denied(denied(&failure.details)),
        (404, "NOT_FOUND") => Rejection::Missing,
        _ => Rejection::Unbelievable(status),
    })
}

/// Whether the token is dead, by Google's own words.
pub(super) fn is_dead_token(status: u16, body: &[u8]) -> bool {
    status == 401
        && failure(status, body).is_some_and(|failure| failure.status == "UNAUTHENTICATED")
}

fn failure(status: u16, body: &[u8]) -> Option<Failure> {
    let Failed { error } = json::parse(body).ok()?;
    (error.code == status).then_some(error)
}

fn denied(details: &[Detail]) -> Denied {
    let reasons: Vec<&str> = details
        .iter()
        .filter_map(|detail| detail.reason.as_deref())
        .collect();
    if reasons.contains(&"SERVICE_DISABLED") {
        Denied::ServiceDisabled
    } else if reasons.contains(&"IAM_PERMISSION_DENIED") {
        Denied::Permission
    } else {
        Denied::Other
    }
}

/// A duration as protocol buffers write it in JSON: `12s`, `1.5s`.
fn delay(text: &str) -> Option<Duration> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Rejection> {
    // serde would take a list for an object, too.
    body.trim_ascii_start()
        .starts_with(b"{")
        .then(|| json::parse(body).ok())
        .flatten()
        .ok_or(Rejection::Unbelievable(200))
}

/// One page of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) secrets: Vec<Listed>,
    pub(super) next: Option<String>,
}

/// One secret of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Its id.
    pub(super) id: String,
    pub(super) labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listing {
    #[serde(default)]
    secrets: Vec<Row>,
    #[serde(default)]
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// Reads one page. A list of nothing is `{}`: empty members are left out.
pub(super) fn page(body: &[u8]) -> Result<Page, Rejection> {
    let listing: Listing = read(body)?;
    let secrets = listing.secrets.into_iter().map(|row| {
        let id = match row.name.rsplit_once("/secrets/") {
            Some((parent, id)) if parent.starts_with("projects/") && is_id(id) => id.to_owned(),
            _ => return Err(Rejection::Unbelievable(200)),
        };
        Ok(Listed {
            id,
            labels: row.labels,
        })
    });
    let next = listing.next_page_token.filter(|token| !token.is_empty());
    if next
        .as_ref()
        .is_some_and(|token| token.len() > MAX_PAGE_TOKEN)
    {
        return Err(Rejection::Unbelievable(200));
    }
    Ok(Page {
        secrets: secrets.collect::<Result<_, _>>()?,
        next,
    })
}

/// One version of a secret, with its value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Accessed {
    pub(super) version: u64,
    pub(super) value: SecretValue,
}

#[derive(Deserialize)]
struct Access {
    name: String,
    payload: Payload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    /// Left out where there are no bytes.
    #[serde(default)]
    data: Zeroizing<String>,
    /// An `int64`, and so a text.
    #[serde(default)]
    data_crc32c: Option<String>,
}

/// Reads an access. `checksums`: a payload without a checksum is damaged; Google always sends one.
pub(super) fn accessed(body: &[u8], id: &str, checksums: bool) -> Result<Accessed, Rejection> {
    let access: Access = read(body)?;
    let version = version_of(&access.name, id).ok_or(Rejection::Unbelievable(200))?;
    let data = STANDARD
        .decode(access.payload.data.as_bytes())
        .map(SecretValue::new)
        .map_err(|_| Rejection::Damaged)?;
    if data.len() > MAX_PAYLOAD {
        return Err(Rejection::Unbelievable(200));
    }
    match &access.payload.data_crc32c {
        Some(text) if text.parse() != Ok(i64::from(crc32c(data.expose()))) => {
            return Err(Rejection::Damaged);
        }
        None if checksums => return Err(Rejection::Damaged),
        _ => {}
    }
    Ok(Accessed {
        version,
        value: data,
    })
}

/// The number at the end of `projects/…/secrets/ID/versions/NUMBER`. The project may be told by its number.
fn version_of(name: &str, id: &str) -> Option<u64> {
    let (secret, version) = name.rsplit_once("/versions/")?;
    let (parent, found) = secret.rsplit_once("/secrets/")?;
    (parent.starts_with("projects/") && found == id)
        .then(|| version.parse().ok())
        .flatten()
}

/// Whether a text can be the id of a secret.
pub(super) fn is_id(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(is_letter)
}

/// Whether a byte can stand in the id of a secret.
pub(super) fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// Labels as tags: each by its key and value, and by its key alone.
pub(super) fn tags(labels: &BTreeMap<String, String>) -> BTreeSet<String> {
    labels
        .iter()
        .flat_map(|(key, value)| [format!("{key}={value}"), key.clone()])
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rejected(status: u16, body: &serde_json::Value) -> Rejection {
        good(status, body.to_string().as_bytes()).unwrap_err()
    }

    fn error(code: u16, status: &str, details: &serde_json::Value) -> serde_json::Value {
        json!({"error": {"code": code, "message": "hunter2", "status": status, "details": details}})
    }

    #[test]
    fn failures_are_told_apart_by_status_and_word() {
        let none = json!([]);
        let reason = |reason: &str| json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]);
        for (status, word, details, expected) in [
            (400, "FAILED_PRECONDITION", &none, Rejection::Unusable),
            (400, "INVALID_ARGUMENT", &none, Rejection::BadRequest),
            (404, "NOT_FOUND", &none, Rejection::Missing),
            (
                403,
                "PERMISSION_DENIED",
                &none,
                Rejection::Denied(Denied::Other),
            ),
            (
                403,
                "PERMISSION_DENIED",
                &reason("SERVICE_DISABLED"),
                Rejection::Denied(Denied::ServiceDisabled),
            ),
            (
                403,
                "PERMISSION_DENIED",
                &reason("IAM_PERMISSION_DENIED"),
                Rejection::Denied(Denied::Permission),
            ),
            (404, "OTHER", &none, Rejection::Unbelievable(404)),
            (503, "UNAVAILABLE", &none, Rejection::Stumbled(503)),
            (429, "RESOURCE_EXHAUSTED", &none, Rejection::Throttled(None)),
            (
                429,
                "RESOURCE_EXHAUSTED",
                &json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12s"}]),
                Rejection::Throttled(Some(Duration::from_secs(12))),
            ),
        ] {
            assert_eq!(rejected(status, &error(status, word, details)), expected);
        }
    }

    #[test]
    fn a_bare_404_is_not_missing() {
        for body in [
            json!("not here"),
            json!({}),
            json!({"error": {"code": 404, "message": "no matching route"}}),
            json!({"error": {"code": 400, "status": "NOT_FOUND"}}),
            json!({"error": "not found"}),
        ] {
            assert_eq!(rejected(404, &body), Rejection::Unbelievable(404), "{body}");
        }
        assert_eq!(good(404, b"<html>"), Err(Rejection::Unbelievable(404)));
        assert_eq!(good(429, b"<html>"), Err(Rejection::Throttled(None)));
    }

    fn access(data: &str, checksum: Option<&str>) -> Result<Accessed, Rejection> {
        let mut body =
            json!({"name": "projects/123/secrets/s/versions/5", "payload": {"data": data}});
        if let Some(checksum) = checksum {
            body["payload"]["dataCrc32c"] = json!(checksum);
        }
        accessed(body.to_string().as_bytes(), "s", true)
    }

    #[test]
    fn a_payload_must_fit_its_checksum() {
        let good = access("aGVsbG8=", Some("2591144780")).unwrap();
        assert_eq!((good.version, good.value), (5, SecretValue::from("hello")));
        for (data, checksum) in [
            ("aGVsbG8=", Some("2591144781")),
            ("aGVsbA==", Some("2591144780")),
            ("aGVsbG8=", Some("")),
            ("aGVsbG8=", None),
            ("%", Some("0")),
        ] {
            assert_eq!(access(data, checksum), Err(Rejection::Damaged), "{data}");
        }
        assert_eq!(access("", Some("0")).unwrap().value, SecretValue::from(""));
    }

    #[test]
    fn without_bytes_there_is_no_member_for_them() {
        let body = br#"{"name":"projects/1/locations/l/secrets/s/versions/1","payload":{"dataCrc32c":"0"}}"#;
        assert_eq!(
            accessed(body, "s", true).unwrap().value,
            SecretValue::from("")
        );
        let bare = br#"{"name":"projects/1/secrets/s/versions/1","payload":{"data":"eA=="}}"#;
        assert_eq!(
            accessed(bare, "s", false).unwrap().value,
            SecretValue::from("x")
        );
        assert_eq!(
            accessed(bare, "other", false),
            Err(Rejection::Unbelievable(200))
        );
    }

    #[test]
    fn a_page_is_read_and_an_odd_one_is_not_believed() {
        let body = json!({
            "secrets": [{"name": "projects/1/secrets/a_B-1", "labels": {"env": "prod"}, "etag": "\"x\""}],
            "nextPageToken": "t", "totalSize": 2,
        });
        let read = page(body.to_string().as_bytes()).unwrap();
        assert_eq!(read.next.as_deref(), Some("t"));
        assert_eq!(read.secrets[0].id, "a_B-1");
        assert_eq!(
            tags(&read.secrets[0].labels),
            ["env", "env=prod"].map(str::to_owned).into()
        );
        let empty = page(b"{}").unwrap();
        assert_eq!((empty.secrets.len(), empty.next), (0, None));
        for body in [
            json!([]),
            json!({"secrets": [{"name": "projects/1/secrets/a.b"}]}),
            json!({"secrets": [{"name": "x"}]}),
            json!({"nextPageToken": "x".repeat(MAX_PAGE_TOKEN + 1)}),
        ] {
            assert!(page(body.to_string().as_bytes()).is_err(), "{body}");
        }
        assert!(page(b"").is_err());
    }
}
