//! The shapes of answers. Members begin with a small letter on newer servers and a capital one on older ones; both
//! are read.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::bitwarden_common::answer::{self, Rejection};
use crate::bitwarden_common::keys::SymmetricKey;
use crate::http::json;

/// `GET /organizations/{id}/secrets/sync`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Synced {
    #[serde(alias = "HasChanges")]
    has_changes: bool,
    #[serde(default, alias = "Secrets")]
    secrets: Option<List<Secret>>,
}

#[derive(Debug, Deserialize)]
struct List<T> {
    #[serde(alias = "Data")]
    data: Vec<T>,
}

/// A secret; texts are under the organisation's key.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Secret {
    #[serde(alias = "Id")]
    pub(super) id: String,
    #[serde(alias = "Key")]
    pub(super) key: String,
    #[serde(alias = "Value")]
    pub(super) value: String,
    #[serde(default, alias = "Note")]
    pub(super) note: Option<String>,
    #[serde(default, alias = "RevisionDate")]
    pub(super) revision_date: Option<String>,
    #[serde(default, alias = "Projects")]
    pub(super) projects: Option<Vec<Project>>,
}

impl Secret {
    /// The project it lies in; there is one at most.
    pub(super) fn project(&self) -> Option<&Project> {
        self.projects.as_ref()?.first()
    }
}

/// A project; its name is under the organisation's key.
#[derive(Debug, Deserialize)]
pub(super) struct Project {
    #[serde(alias = "Id")]
    pub(super) id: String,
    #[serde(alias = "Name")]
    pub(super) name: String,
}

/// Reads what has changed; none is nothing, which only who named a date may be told.
pub(super) fn synced(body: &[u8], named_a_date: bool) -> Result<Option<Vec<Secret>>, Rejection> {
    let synced: Synced = answer::read(body)?;
    match (synced.has_changes, synced.secrets) {
        (true, Some(secrets)) => Ok(Some(secrets.data)),
        (false, _) if named_a_date => Ok(None),
        _ => Err(Rejection::Unbelievable(200)),
    }
}

/// `GET /organizations/{id}/projects`
pub(super) fn projects(body: &[u8]) -> Result<Vec<Project>, Rejection> {
    answer::read::<List<Project>>(body).map(|list| list.data)
}

/// What the encrypted payload of a login holds.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    encryption_key: Zeroizing<String>,
}

/// The organisation's key.
pub(super) fn organization_key(payload: &[u8]) -> Option<SymmetricKey> {
    let payload: Payload = json::parse_owned(payload).ok()?;
    let bytes = Zeroizing::new(BASE64_STANDARD.decode(&*payload.encryption_key).ok()?);
    (bytes.len() == 64)
        .then(|| SymmetricKey::new(bytes).ok())
        .flatten()
}

/// The claim of an access token that requests need.
#[derive(Deserialize)]
struct Claims {
    organization: String,
}

/// The organisation that a JSON web token is for. Its signature is the server's business.
pub(super) fn organization(token: &str) -> Option<String> {
    let payload = token.split('.').nth(1)?;
    let payload = BASE64_URL_SAFE_NO_PAD
        .decode(payload.trim_end_matches('='))
        .ok()?;
    let claims: Claims = json::parse_owned(&payload).ok()?;
    let sound = !claims.organization.is_empty()
        && claims
            .organization
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    sound.then_some(claims.organization)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_new_is_believed_only_by_who_named_a_date() {
        let none = br#"{"object":"secretsSync","hasChanges":false,"secrets":null}"#;
        assert!(matches!(synced(none, true), Ok(None)));
        assert!(synced(none, false).is_err());
        let all = br#"{"HasChanges":true,"Secrets":{"Data":[{"Id":"1","Key":"k","Value":"v"}]}}"#;
        let all = synced(all, false).unwrap().unwrap();
        assert_eq!(all[0].id, "1");
        assert!(all[0].project().is_none());
        for text in [
            "",
            "{}",
            "[]",
            r#"{"hasChanges":true,"secrets":null}"#,
            r#"{"hasChanges":true,"secrets":{"data":null}}"#,
            r#"{"hasChanges":true,"secrets":{"data":[{"id":"1","key":"k"}]}}"#,
        ] {
            assert!(synced(text.as_bytes(), true).is_err(), "{text}");
        }
    }

    #[test]
    fn the_organisation_of_a_token_is_one_segment() {
        let token = |claims: &str| format!("e30.{}.x", BASE64_URL_SAFE_NO_PAD.encode(claims));
        let of = |claims: &str| organization(&token(claims));
        assert_eq!(of(r#"{"organization":"0b-1f"}"#).as_deref(), Some("0b-1f"));
        for claims in [
            "{}",
            r#"{"organization":""}"#,
            r#"{"organization":"../x"}"#,
            r#"{"organization":5}"#,
            "x",
        ] {
            assert_eq!(of(claims), None, "{claims}");
        }
        assert_eq!(organization("opaque"), None);
    }
}
