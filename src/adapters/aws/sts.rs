//! The Security Token Service: takes on roles (its API reference, version 2011-06-15).

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use penstock_domain::secret::SecretValue;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use super::answer::{element, good_xml};
use super::error::{AnyFailure, AwsError};
use super::keys::Keys;
use super::settings::{Role, WebRole};
use super::signature::{Scope, Signed, authorization, date_of};
use crate::http::client::{HttpClient, Request};
use crate::session::{Grant, lease};

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
pub(super) const FIELD: &str = "stsEndpoint";
const ASSUME: &str = "sts:AssumeRole";
const ASSUME_WEB: &str = "sts:AssumeRoleWithWebIdentity";

/// The service in one region.
pub(super) struct Sts {
    pub(super) http: HttpClient,
    pub(super) region: String,
}

impl Sts {
    /// Shows the token of a ServiceAccount. Such a request is not signed.
    pub(super) async fn assume_with_token(
        &self,
        role: &WebRole,
        token: &SecretValue,
    ) -> Result<Grant, AwsError> {
        let token = token.expose_text().unwrap_or_default().trim();
        let mut pairs = pairs("AssumeRoleWithWebIdentity", &role.arn, &role.session_name);
        pairs.push(("WebIdentityToken".into(), token));
        let body = body(&pairs, role.duration);
        let request = Request::post_as([""; 0], FORM, body);
        self.exchange((ASSUME_WEB, &role.arn), request).await
    }

    /// Takes on a role with keys.
    pub(super) async fn assume(&self, role: &Role, keys: &Keys) -> Result<Grant, AwsError> {
        let mut pairs = pairs("AssumeRole", &role.arn, &role.session_name);
        let word = role.external_id.as_deref();
        pairs.extend(word.map(|word| ("ExternalId".into(), word)));
        for (index, (name, value)) in role.tags.iter().enumerate() {
            let number = index + 1;
            pairs.push((format!("Tags.member.{number}.Key").into(), name));
            pairs.push((format!("Tags.member.{number}.Value").into(), value));
        }
        let body = body(&pairs, role.duration);
        let date = date_of(Timestamp::now());
        let (authority, token) = (self.http.authority(), keys.session_token.as_ref());
        let mut headers = vec![
            ("content-type", FORM),
            ("host", authority.as_str()),
            ("x-amz-date", date.as_str()),
        ];
        let token_text = token.and_then(SecretValue::expose_text);
        headers.extend(token_text.map(|token| ("x-amz-security-token", token)));
        let scope = Scope {
            region: &self.region,
            service: "sts",
        };
        let signed = Signed {
            headers: &headers,
            body: &body,
        };
        let authorization = authorization(keys, scope, &date, signed);
        let request = Request::post_as([""; 0], FORM, body)
            .header("x-amz-date", &date)
            .and_then(|request| request.credential("authorization", &authorization))
            .and_then(|request| match token {
                Some(token) => request.credential("x-amz-security-token", token),
                None => Ok(request),
            })
            .map_err(|source| self.failed(source))?;
        self.exchange((ASSUME, &role.arn), request).await
    }

    async fn exchange(
        &self,
        (action, role): (&'static str, &str),
        request: Request,
    ) -> Result<Grant, AwsError> {
        let request = request.that_only_reads();
        let response = self.http.send(&request).await;
        let response = response.map_err(|source| self.failed(source))?;
        let rejected = |failure| AwsError::Call {
            action,
            what: role.to_owned(),
            failure: AnyFailure(failure),
            ahead: self.http.clock_ahead(),
        };
        let status = response.status.as_u16();
        let text = good_xml(status, response.body()).map_err(rejected)?;
        granted(text).ok_or_else(|| rejected(super::answer::Failure::unbelievable(status)))
    }

    fn failed(&self, source: crate::http::error::SendRequest) -> AwsError {
        AwsError::Send {
            host: self.http.host().to_owned(),
            field: FIELD,
            source,
        }
    }
}

type Pair<'a> = (Cow<'static, str>, &'a str);

fn pairs<'a>(action: &'static str, role: &'a str, session: &'a str) -> Vec<Pair<'a>> {
    vec![
        ("Action".into(), action),
        ("Version".into(), "2011-06-15"),
        ("RoleArn".into(), role),
        ("RoleSessionName".into(), session),
    ]
}

fn body(pairs: &[Pair<'_>], duration: Option<Duration>) -> Zeroizing<Vec<u8>> {
    let mut form = Serializer::new(String::new());
    form.extend_pairs(pairs);
    if let Some(duration) = duration {
        form.append_pair("DurationSeconds", &duration.as_secs().to_string());
    }
    Zeroizing::new(form.finish().into_bytes())
}

fn granted(text: &str) -> Option<Grant> {
    let value = |name| element(text, name).map(|text| SecretValue::from(text.as_str()));
    let keys = Keys::new(
        &value("AccessKeyId")?,
        &value("SecretAccessKey")?,
        Some(&value("SessionToken")?),
    )?;
    grant(&keys, &element(text, "Expiration")?)
}

/// A grant of keys that end at `expiration` (ISO 8601); none where that is no time, or past.
pub(super) fn grant(keys: &Keys, expiration: &str) -> Option<Grant> {
    let ends: Timestamp = expiration.parse().ok()?;
    let left = ends.duration_since(Timestamp::now()).as_secs();
    let left = u64::try_from(left).ok().filter(|left| *left > 0)?;
    Some(Grant {
        lease: lease(left),
        ..Grant::unknown(&keys.packed())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_keys_or_with_ended_ones_grants_nothing() {
        let text = |expiration: &str, secret: &str| {
            format!(
                "<R><Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey><SessionToken>t</SessionToken><Expiration>{expiration}</Expiration></Credentials></R>"
            )
        };
        assert!(granted(&text("2999-01-01T00:00:00Z", "s")).is_some());
        for (expiration, secret) in [
            ("2001-01-01T00:00:00Z", "s"),
            ("soon", "s"),
            ("2999-01-01T00:00:00Z", ""),
        ] {
            assert!(granted(&text(expiration, secret)).is_none(), "{expiration}");
        }
        assert!(granted("<R/>").is_none());
    }
}
