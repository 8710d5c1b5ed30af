//! Exchanging an access token.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::json;
use tokio::time::Instant;

use super::model::{Model, Token};
use super::routes::{oauth, throttled};
use crate::server::{Reply, Request};

/// `/connect/token` takes ten requests a minute from one address.
const LIMIT: usize = 10;
const WINDOW: Duration = Duration::from_mins(1);

/// `POST /identity/connect/token`
pub(super) fn grant(model: &mut Model, request: &Request, body: &[u8]) -> Result<Reply, Reply> {
    limit(model)?;
    let is_form = request
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if !is_form {
        return Err(oauth("invalid_request"));
    }
    let form: Vec<(String, String)> = url::form_urlencoded::parse(body).into_owned().collect();
    let field = |name: &str| {
        let found = form.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    if field("grant_type") != "client_credentials" {
        return Err(oauth("unsupported_grant_type"));
    }
    if field("scope") != "api.secrets" {
        return Err(oauth("invalid_scope"));
    }
    let token = model.access_tokens.get(field("client_id")).cloned();
    let token = token
        .filter(|token| !token.revoked && token.client_secret == field("client_secret"))
        .ok_or_else(|| oauth("invalid_client"))?;
    let lifetime = match model.behaviour.lifetime {
        0 => 3600,
        seconds => seconds,
    };
    let now = Timestamp::now().as_second();
    let claims = json!({
        "organization": model.organization, "sub": token.machine, "type": "ServiceAccount",
        "nbf": now, "exp": now + i64::try_from(lifetime).unwrap_or(3600),
        "iss": "http://localhost", "client_id": field("client_id"), "scope": ["api.secrets"],
        "jti": model.id("jti"),
    });
    let part = |text: String| BASE64_URL_SAFE_NO_PAD.encode(text);
    let header = json!({"alg": "RS256", "typ": "at+jwt"});
    let jwt = format!(
        "{}.{}.c2ln",
        part(header.to_string()),
        part(claims.to_string())
    );
    let given = Token {
        machine: token.machine,
        expires: Instant::now() + Duration::from_secs(lifetime),
    };
    model.tokens.insert(jwt.clone(), given);
    let body = json!({
        "access_token": jwt, "expires_in": lifetime, "token_type": "Bearer",
        "scope": "api.secrets", "encrypted_payload": token.encrypted_payload,
    });
    Ok(Reply::json(200, &body))
}

fn limit(model: &mut Model) -> Result<(), Reply> {
    let now = Instant::now();
    while let Some(first) = model.logins.front()
        && now.duration_since(*first) >= WINDOW
    {
        model.logins.pop_front();
    }
    if model.logins.len() >= LIMIT {
        return Err(throttled(60));
    }
    model.logins.push_back(now);
    Ok(())
}
