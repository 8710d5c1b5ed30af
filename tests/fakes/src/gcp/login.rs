//! Tokens: for an assertion, a refresh token, somebody else's token, an impersonation, and from the metadata server.

use serde_json::{Value, json};

use super::failures::{denied, invalid, oauth, unauthenticated};
use super::model::Model;
use crate::jwt::{self, Said};
use crate::server::{Reply, Request};

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const SCOPE_OF_IAM: &str = "https://www.googleapis.com/auth/iam";
/// Whom an assertion must be for, wherever it arrives.
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
const HOUR: u32 = 3600;

fn form(request: &Request, body: &[u8]) -> Result<Vec<(String, String)>, Reply> {
    if request.header("content-type") != Some("application/x-www-form-urlencoded") {
        return Err(oauth(400, "invalid_request", "The body is not a form."));
    }
    Ok(url::form_urlencoded::parse(body)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect())
}

fn field<'a>(fields: &'a [(String, String)], name: &str) -> &'a str {
    let mut fields = fields.iter();
    fields
        .find(|(known, _)| known == name)
        .map_or("", |(_, value)| value)
}

pub(super) fn oauth2(model: &mut Model, request: &Request, body: &[u8]) -> Result<Reply, Reply> {
    let fields = form(request, body)?;
    let principal = match field(&fields, "grant_type") {
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => {
            asserted(model, field(&fields, "assertion"))?
        }
        "refresh_token" => {
            let known = model.users.iter().find(|(_, user)| {
                user.client_id == field(&fields, "client_id")
                    && user.refresh_token == field(&fields, "refresh_token")
            });
            let (name, user) =
                known.ok_or_else(|| oauth(400, "invalid_grant", "Token has been revoked."))?;
            if user.client_secret != field(&fields, "client_secret") {
                return Err(oauth(401, "invalid_client", "The client is unknown."));
            }
            name.clone()
        }
        _ => return Err(oauth(400, "unsupported_grant_type", "Invalid grant_type.")),
    };
    Ok(granted(model, &principal, &json!({})))
}

/// Whose assertion it is.
fn asserted(model: &Model, assertion: &str) -> Result<String, Reply> {
    let refused = |description: &str| oauth(400, "invalid_grant", description);
    let said = jwt::peek(assertion).ok_or_else(|| refused("Invalid JWT."))?;
    let email = Said::text(&said.claims, "iss");
    let account = model
        .accounts
        .get(email)
        .ok_or_else(|| refused("Invalid grant: account not found"))?;
    let key = account
        .keys
        .get(Said::text(&said.header, "kid"))
        .ok_or_else(|| refused("Invalid JWT Signature."))?;
    let said = jwt::verify(assertion, key).filter(|said| said.header["alg"] == "RS256");
    let said = said.ok_or_else(|| refused("Invalid JWT Signature."))?;
    if Said::text(&said.claims, "aud") != AUDIENCE {
        return Err(refused("Invalid JWT: Failed audience check."));
    }
    if !said.is_timely(HOUR) {
        return Err(refused("Invalid JWT: Token must be a short-lived token"));
    }
    if Said::text(&said.claims, "scope") != SCOPE {
        return Err(oauth(400, "invalid_scope", "Invalid OAuth scope."));
    }
    Ok(email.to_owned())
}

fn granted(model: &mut Model, principal: &str, more: &Value) -> Reply {
    let mut body = json!({
        "access_token": model.issue(principal), "expires_in": model.behaviour.ttl, "token_type": "Bearer",
    });
    if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
        body.extend(more.clone());
    }
    Reply::json(200, &body)
}

pub(super) fn sts(model: &mut Model, request: &Request, body: &[u8]) -> Result<Reply, Reply> {
    let fields = form(request, body)?;
    let wanted = [
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        (
            "requested_token_type",
            "urn:ietf:params:oauth:token-type:access_token",
        ),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
    ];
    // Who goes on to impersonate asks for less.
    if ![SCOPE, SCOPE_OF_IAM].contains(&field(&fields, "scope")) {
        return Err(oauth(400, "invalid_scope", "Invalid OAuth scope."));
    }
    for (name, value) in wanted {
        if field(&fields, name) != value {
            let description = format!("Invalid value for {name}.");
            return Err(oauth(400, "invalid_request", &description));
        }
    }
    let provider = model.providers.get(field(&fields, "audience"));
    let provider =
        provider.ok_or_else(|| oauth(400, "invalid_target", "The target service is not known."))?;
    let principal = provider
        .tokens
        .get(field(&fields, "subject_token"))
        .cloned();
    let principal = principal.ok_or_else(|| {
        let description = "The audience in ID Token does not match the expected audience.";
        oauth(400, "invalid_grant", description)
    })?;
    let more = json!({"issued_token_type": "urn:ietf:params:oauth:token-type:access_token"});
    Ok(granted(model, &principal, &more))
}

pub(super) fn impersonate(
    model: &mut Model,
    request: &Request,
    body: &[u8],
    account: &str,
) -> Result<Reply, Reply> {
    let caller = bearer(model, request)?;
    let (email, verb) = account.split_once(':').unwrap_or_default();
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    if verb != "generateAccessToken" || asked["scope"] != json!([SCOPE]) {
        return Err(invalid("Request contains an invalid argument."));
    }
    let permission = "iam.serviceAccounts.getAccessToken";
    let allowed = model
        .accounts
        .get(email)
        .is_some_and(|account| account.impersonators.contains(&caller));
    if !allowed {
        return Err(denied(permission, "IAM_PERMISSION_DENIED"));
    }
    let ends = jwt::seconds() + i64::try_from(model.behaviour.ttl).unwrap_or(i64::from(HOUR));
    let body = json!({"accessToken": model.issue(email), "expireTime": rfc3339(ends)});
    Ok(Reply::json(200, &body))
}

pub(super) fn metadata(model: &mut Model, request: &Request) -> Result<Reply, Reply> {
    if request.header("metadata-flavor") != Some("Google") {
        return Err(Reply::new(403, "Missing Metadata-Flavor:Google header."));
    }
    let principal = model.attached.clone();
    let principal = principal.ok_or_else(|| Reply::new(404, "Not Found"))?;
    Ok(granted(model, &principal, &json!({})).header("metadata-flavor", "Google"))
}

/// Whose token a request carries.
pub(super) fn bearer(model: &Model, request: &Request) -> Result<String, Reply> {
    let token = request
        .header("authorization")
        .and_then(|header| header.strip_prefix("Bearer "));
    token
        .and_then(|token| model.holder(token))
        .ok_or_else(unauthenticated)
}

/// Seconds since 1970 as a date (Howard Hinnant's `civil_from_days`).
pub(super) fn rfc3339(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}
