//! What an answer means: pure decisions over status and body.
//!
//! Every failure of Key Vault has one shape: `error` with a `code`, sometimes with a finer one in `innererror`. A
//! failure in another shape comes from something else and says nothing about secrets.

use std::collections::{BTreeMap, BTreeSet};

use penstock_domain::secret::SecretValue;
use serde::Deserialize;
use url::Url;
use zeroize::Zeroizing;

use super::names::is_name;
use crate::http::json;

/// The longest address of a next page.
const MAX_LINK: usize = 16 * 1024;

/// Why an answer holds nothing that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rejection {
    /// 400
    BadRequest,
    /// 403 `SecretDisabled`, or the secret says so itself.
    Unusable(Unusable),
    /// 403
    Denied(Denied),
    /// 404 in the vault's own shape.
    Missing,
    /// 429
    Throttled,
    /// 5xx: it may work in a moment.
    Stumbled(u16),
    /// Anything that a vault never answers: something stands between.
    Unbelievable(u16),
}

/// Why a secret that is there cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unusable {
    Disabled,
    NotYetValid,
    Expired,
}

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// The identity has not the right.
    Permission,
    /// The vault's firewall, or its private endpoint, does not let us in.
    Network,
    /// Something else.
    Other,
}

#[derive(Deserialize)]
struct Failed {
    error: Failure,
}

#[derive(Deserialize)]
struct Failure {
    code: String,
    #[serde(default)]
    innererror: Option<Inner>,
}

#[derive(Deserialize)]
struct Inner {
    #[serde(default)]
    code: Option<String>,
}

/// The body of a good answer.
pub(super) fn good(status: u16, body: &[u8]) -> Result<&[u8], Rejection> {
    match status {
        200 => return Ok(body),
        429 => return Err(Rejection::Throttled),
        500..600 => return Err(Rejection::Stumbled(status)),
        _ => {}
    }
    let Ok(Failed { error }) = json::parse::<Failed>(body) else {
        return Err(Rejection::Unbelievable(status));
    };
    let inner = error.innererror.and_then(|inner| inner.code);
    let inner = inner.as_deref().unwrap_or_default();
    Err(match (status, error.code.as_str()) {
        (400, _) => Rejection::BadRequest,
        (403, _) if inner == "SecretDisabled" => Rejection::Unusable(Unusable::Disabled),
        (403, "Forbidden") => Rejection::Denied(match inner {
            "AccessDenied" | "ForbiddenByPolicy" | "ForbiddenByRbac" => Denied::Permission,
            "ForbiddenByFirewall" | "ForbiddenByConnection" => Denied::Network,
            _ => Denied::Other,
        }),
        (404, "SecretNotFound") => Rejection::Missing,
        _ => Rejection::Unbelievable(status),
    })
}

/// Whether the token is dead, by the vault's own words.
pub(super) fn is_dead_token(status: u16, body: &[u8]) -> bool {
    let unauthorized = |failed: Failed| failed.error.code == "Unauthorized";
    status == 401 && json::parse::<Failed>(body).is_ok_and(unauthorized)
}

/// serde would take a list for an object, too.
fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Rejection> {
    body.trim_ascii_start()
        .starts_with(b"{")
        .then(|| json::parse(body).ok())
        .flatten()
        .ok_or(Rejection::Unbelievable(200))
}

/// When and whether a secret may be used. Times are seconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Attributes {
    #[serde(default)]
    enabled: Option<bool>,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    exp: Option<i64>,
    /// When it was last changed; a new version is a change, too.
    #[serde(default)]
    pub(super) updated: Option<i64>,
}

impl Attributes {
    /// Why it may not be used at `now`.
    pub(super) fn unusable(&self, now: i64) -> Option<Unusable> {
        if self.enabled == Some(false) {
            Some(Unusable::Disabled)
        } else if self.nbf.is_some_and(|nbf| now < nbf) {
            Some(Unusable::NotYetValid)
        } else if self.exp.is_some_and(|exp| now >= exp) {
            Some(Unusable::Expired)
        } else {
            None
        }
    }
}

/// One page of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) secrets: Vec<Listed>,
    /// The query of the next page, as it was written.
    pub(super) next: Option<String>,
}

/// One secret of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) attributes: Attributes,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) content_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listing {
    value: Vec<Row>,
    #[serde(default)]
    next_link: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: String,
    #[serde(default)]
    attributes: Option<Attributes>,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    tags: Option<BTreeMap<String, String>>,
    #[serde(default)]
    managed: Option<bool>,
}

/// Reads one page; what the vault keeps for certificates is left out. The next page must lie in the same vault,
/// which is at `host`, and be one of the same list.
pub(super) fn page(body: &[u8], host: &str) -> Result<Page, Rejection> {
    let listing: Listing = read(body)?;
    let rows = listing.value.into_iter();
    let secrets = rows.filter(|row| row.managed != Some(true)).map(|row| {
        let (name, _) = identified(&row.id).ok_or(Rejection::Unbelievable(200))?;
        Ok(Listed {
            name,
            attributes: row.attributes.unwrap_or_default(),
            tags: row.tags.unwrap_or_default(),
            content_type: row.content_type,
        })
    });
    let next = match listing.next_link.filter(|link| !link.is_empty()) {
        None => None,
        Some(link) => Some(next_query(&link, host).ok_or(Rejection::Unbelievable(200))?),
    };
    Ok(Page {
        secrets: secrets.collect::<Result<_, _>>()?,
        next,
    })
}

fn next_query(link: &str, host: &str) -> Option<String> {
    if link.len() > MAX_LINK {
        return None;
    }
    let url = Url::parse(link).ok()?;
    let authority = match url.port() {
        Some(port) => format!("{}:{port}", url.host_str()?),
        None => url.host_str()?.to_owned(),
    };
    let here = matches!(url.scheme(), "https" | "http")
        && authority.eq_ignore_ascii_case(host)
        && url.path().trim_end_matches('/') == "/secrets";
    here.then(|| url.query().map(str::to_owned)).flatten()
}

/// One version of a secret, with its value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Secret {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) attributes: Attributes,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) content_type: Option<String>,
    pub(super) value: SecretValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    value: Zeroizing<String>,
    id: String,
    attributes: Attributes,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    tags: Option<BTreeMap<String, String>>,
}

/// Reads one secret, which must be the one that was asked for. Names do not differ by case.
pub(super) fn secret(body: &[u8], name: &str, version: Option<&str>) -> Result<Secret, Rejection> {
    let bundle: Bundle = read(body)?;
    let found = identified(&bundle.id).and_then(|(found, id)| Some((found, id?)));
    let (found, id) = found.ok_or(Rejection::Unbelievable(200))?;
    let another = version.is_some_and(|version| !version.eq_ignore_ascii_case(&id));
    if !found.eq_ignore_ascii_case(name) || another {
        return Err(Rejection::Unbelievable(200));
    }
    Ok(Secret {
        name: found,
        version: id,
        attributes: bundle.attributes,
        tags: bundle.tags.unwrap_or_default(),
        content_type: bundle.content_type,
        value: SecretValue::new(bundle.value.as_bytes()),
    })
}

/// Name and version of `https://shop.vault.azure.net/secrets/NAME/VERSION`.
fn identified(id: &str) -> Option<(String, Option<String>)> {
    let url = Url::parse(id).ok()?;
    let segments: Vec<&str> = url.path_segments()?.collect();
    match segments.as_slice() {
        ["secrets", name] if is_name(name) => Some(((*name).to_owned(), None)),
        ["secrets", name, version] if is_name(name) && is_version(version) => {
            Some(((*name).to_owned(), Some((*version).to_owned())))
        }
        _ => None,
    }
}

/// Whether a text can be the version of a secret: 32 hexadecimal digits.
pub(super) fn is_version(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Tags: each by its key and value, and by its key alone; the content type stands among them.
pub(super) fn tags(
    tags: &BTreeMap<String, String>,
    content_type: Option<&str>,
) -> BTreeSet<String> {
    let own = tags
        .iter()
        .flat_map(|(key, value)| [format!("{key}={value}"), key.clone()]);
    let content_type = content_type.filter(|text| !text.is_empty());
    own.chain(content_type.map(|text| format!("contentType={text}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const VERSION: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn failures_are_told_apart_by_status_and_code() {
        let body = |code: &str, inner: &str| json!({"error": {"code": code, "message": "hunter2", "innererror": {"code": inner}}});
        for (status, code, inner, expected) in [
            (404, "SecretNotFound", "", Rejection::Missing),
            (404, "NotFound", "", Rejection::Unbelievable(404)),
            (400, "BadParameter", "", Rejection::BadRequest),
            (
                403,
                "Forbidden",
                "SecretDisabled",
                Rejection::Unusable(Unusable::Disabled),
            ),
            (
                403,
                "Forbidden",
                "ForbiddenByRbac",
                Rejection::Denied(Denied::Permission),
            ),
            (
                403,
                "Forbidden",
                "AccessDenied",
                Rejection::Denied(Denied::Permission),
            ),
            (
                403,
                "Forbidden",
                "ForbiddenByFirewall",
                Rejection::Denied(Denied::Network),
            ),
            (403, "Forbidden", "Other", Rejection::Denied(Denied::Other)),
            (403, "Blocked", "", Rejection::Unbelievable(403)),
            (429, "Throttled", "", Rejection::Throttled),
            (503, "x", "", Rejection::Stumbled(503)),
        ] {
            let body = body(code, inner).to_string();
            assert_eq!(good(status, body.as_bytes()), Err(expected), "{code}");
        }
        assert_eq!(good(404, b"<html>"), Err(Rejection::Unbelievable(404)));
        let bare = br#"{"error":{"code":"SecretNotFound","message":"x"}}"#;
        assert_eq!(good(404, bare), Err(Rejection::Missing));
    }

    #[test]
    fn a_secret_has_its_time() {
        let of = |attributes: serde_json::Value| {
            serde_json::from_value::<Attributes>(attributes)
                .unwrap()
                .unusable(100)
        };
        assert_eq!(of(json!({"enabled": true, "nbf": 100, "exp": 101})), None);
        assert_eq!(of(json!({})), None);
        assert_eq!(of(json!({"enabled": false})), Some(Unusable::Disabled));
        assert_eq!(of(json!({"nbf": 101})), Some(Unusable::NotYetValid));
        assert_eq!(of(json!({"exp": 100})), Some(Unusable::Expired));
        assert_eq!(of(json!({"exp": null, "nbf": null})), None);
    }

    #[test]
    fn the_next_page_lies_in_the_same_vault() {
        let next = |link: &str| {
            let body = json!({"value": [], "nextLink": link}).to_string();
            page(body.as_bytes(), "v.vault.azure.net").map(|page| page.next)
        };
        let query = "api-version=7.4&$skiptoken=eyJ%2B=&maxresults=25";
        for link in [
            format!("https://v.vault.azure.net/secrets?{query}"),
            format!("https://v.vault.azure.net:443/secrets/?{query}"),
            format!("https://V.vault.azure.net/secrets?{query}"),
        ] {
            assert_eq!(next(&link), Ok(Some(query.to_owned())), "{link}");
        }
        for link in [
            "https://evil.example/secrets?x",
            "https://v.vault.azure.net.evil.example/secrets?x",
            "https://v.vault.azure.net:8443/secrets?x",
            "https://v.vault.azure.net/deletedsecrets?x",
            "https://v.vault.azure.net/secrets",
            "/secrets?x",
            "x",
        ] {
            assert_eq!(next(link), Err(Rejection::Unbelievable(200)), "{link}");
        }
        assert_eq!(next(""), Ok(None));
        let none = json!({"value": [], "nextLink": null}).to_string();
        assert_eq!(page(none.as_bytes(), "h").unwrap().next, None);
        assert!(page(b"{}", "h").is_err(), "a list that lacks its list");
    }

    #[test]
    fn certificates_are_no_secrets_of_a_list() {
        let body = json!({"value": [
            {"id": "https://h/secrets/A", "attributes": {"enabled": true, "updated": 5}, "tags": {"k": "v"},
             "contentType": "text/plain"},
            {"id": "https://h/secrets/cert", "managed": true, "attributes": {"enabled": true}},
        ]});
        let read = page(body.to_string().as_bytes(), "h").unwrap();
        assert_eq!(read.secrets.len(), 1);
        let first = &read.secrets[0];
        assert_eq!(
            (first.name.as_str(), first.attributes.updated),
            ("A", Some(5))
        );
        assert_eq!(
            tags(&first.tags, first.content_type.as_deref()),
            ["k", "k=v", "contentType=text/plain"]
                .map(str::to_owned)
                .into()
        );
    }

    #[test]
    fn only_what_was_asked_for_is_taken() {
        let body = json!({
            "value": "x\u{0}\n", "id": format!("https://h/secrets/DB-URL/{VERSION}"), "attributes": {"enabled": true},
        })
        .to_string();
        let read = secret(body.as_bytes(), "db-url", None).unwrap();
        assert_eq!(read.value, SecretValue::from("x\0\n"));
        assert_eq!(
            (read.name.as_str(), read.version.as_str()),
            ("DB-URL", VERSION)
        );
        assert!(secret(body.as_bytes(), "DB-URL", Some(VERSION)).is_ok());
        assert!(secret(body.as_bytes(), "OTHER", None).is_err());
        assert!(secret(body.as_bytes(), "DB-URL", Some(&"0".repeat(32))).is_err());
        for odd in [
            json!({"id": format!("https://h/secrets/A/{VERSION}"), "attributes": {}}),
            json!({"value": null, "id": format!("https://h/secrets/A/{VERSION}"), "attributes": {}}),
            json!({"value": "x", "id": "https://h/secrets/A", "attributes": {}}),
            json!({"value": "x", "id": format!("https://h/keys/A/{VERSION}"), "attributes": {}}),
        ] {
            assert!(
                secret(odd.to_string().as_bytes(), "A", None).is_err(),
                "{odd}"
            );
        }
    }
}
