//! Logging in, renewing, revoking, and who asks.
//!
//! `identity-universal-auth-router.ts`, `identity-kubernetes-auth-router.ts`,
//! `identity-access-token-service.ts`.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::failures::{bad_request, not_found, token_error, unauthorized};
use super::model::{AccessToken, Identity, Model};
use super::parameters::{object, text};
use crate::server::{Reply, Request};

/// So many failures in a row lock an identity …
const FAILURES: usize = 3;
/// … for so long …
const LOCKED: Duration = Duration::from_mins(5);
/// … unless this lies between them.
const FORGOTTEN: Duration = Duration::from_secs(30);

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Actor {
    /// A machine identity, by its id.
    Identity(String),
    /// A service token.
    ServiceToken(String),
}

impl Actor {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Identity(name) | Self::ServiceToken(name) => name,
        }
    }
}

/// A login in the way that the route names; none when there is no such way.
pub(super) fn log_in(
    model: &mut Model,
    kind: &str,
    request: &Request,
    body: &[u8],
) -> Option<Result<Reply, Reply>> {
    let found = match kind {
        "universal-auth" => universal(model, request, body),
        "kubernetes-auth" => kubernetes(model, request, body),
        _ => return None,
    };
    Some(found.map(|identity| give_out(model, identity)))
}

fn universal(model: &mut Model, request: &Request, body: &[u8]) -> Result<String, Reply> {
    let body = object(request, body)?;
    let (client_id, secret) = (text(&body, "clientId")?, text(&body, "clientSecret")?);
    let known = model
        .identities
        .iter()
        .find(|(_, identity)| identity.client_id == client_id);
    let (id, identity) = known.ok_or_else(|| unauthorized("Invalid credentials"))?;
    let failures = model.failures.entry(id.clone()).or_default();
    let now = Instant::now();
    if failures.locked_until.is_some_and(|until| until > now) {
        return Err(unauthorized(
            "This identity auth method is temporarily locked, please try again later",
        ));
    }
    if identity.client_secrets.contains(&secret) {
        failures.recent.clear();
        return Ok(id.clone());
    }
    let last = failures.recent.last();
    if last.is_none_or(|last| now - *last >= FORGOTTEN) {
        failures.recent.clear();
    }
    failures.recent.push(now);
    if failures.recent.len() >= FAILURES {
        failures.recent.clear();
        failures.locked_until = Some(now + LOCKED);
    }
    Err(unauthorized("Invalid credentials"))
}

fn kubernetes(model: &Model, request: &Request, body: &[u8]) -> Result<String, Reply> {
    let body = object(request, body)?;
    let (id, jwt) = (text(&body, "identityId")?, text(&body, "jwt")?);
    let identity = model
        .identities
        .get(&id)
        .ok_or_else(|| not_found(&format!("Kubernetes auth of identity {id} not found")))?;
    if identity.service_accounts.contains(&jwt) {
        Ok(id)
    } else {
        Err(unauthorized("Token review did not succeed"))
    }
}

fn give_out(model: &mut Model, identity: String) -> Reply {
    let number = model.next();
    let value = format!("eyJhbGciOiJIUzI1NiJ9.{number:024}.sig{number:08}");
    let granted = model
        .identities
        .get(&identity)
        .map(|found| grant(&value, found));
    let now = Instant::now();
    let token = AccessToken {
        identity,
        created: now,
        renewed: now,
        uses: 0,
    };
    model.tokens.insert(value, token);
    Reply::json(200, &granted.unwrap_or_default())
}

fn grant(token: &str, identity: &Identity) -> Value {
    json!({
        "accessToken": token, "expiresIn": identity.ttl,
        "accessTokenMaxTTL": identity.max_ttl, "tokenType": "Bearer",
    })
}

/// Answers with the same token, whose clock begins anew. A token that may not be renewed is deleted.
pub(super) fn renew(model: &mut Model, request: &Request, body: &[u8]) -> Result<Reply, Reply> {
    let value = text(&object(request, body)?, "accessToken")?;
    let (token, identity) = living(model, &value)?;
    let (ttl, max) = (seconds(identity.ttl), seconds(identity.max_ttl));
    let answer = grant(&value, identity);
    let beyond = max.is_some_and(|max| {
        let now = Instant::now();
        now + ttl.unwrap_or_default() > token.created + max
    });
    if beyond {
        model.tokens.remove(&value);
        return Err(unauthorized(
            "Failed to renew MI access token past its Max TTL expiration",
        ));
    }
    if let Some(token) = model.tokens.get_mut(&value) {
        token.renewed = Instant::now();
    }
    Ok(Reply::json(200, &answer))
}

pub(super) fn revoke(model: &mut Model, request: &Request, body: &[u8]) -> Result<Reply, Reply> {
    let value = text(&object(request, body)?, "accessToken")?;
    living(model, &value)?;
    model.tokens.remove(&value);
    let body = json!({"message": "Successfully revoked access token"});
    Ok(Reply::json(200, &body))
}

/// Who asks, or why nobody may.
pub(super) fn actor(model: &mut Model, request: &Request) -> Result<Actor, Reply> {
    let header = request
        .header("authorization")
        .ok_or_else(|| unauthorized("Token missing"))?;
    let value = header
        .strip_prefix("Bearer ")
        .ok_or_else(|| unauthorized("Invalid token type"))?
        .to_owned();
    if value.starts_with("st.") {
        return if model.service_tokens.contains_key(&value) {
            Ok(Actor::ServiceToken(value))
        } else {
            Err(unauthorized("Invalid service token"))
        };
    }
    let identity = living(model, &value)?.1;
    let limit = identity.uses;
    if model.behaviour.refuses_tokens {
        return Err(unauthorized(
            "You are not allowed to access this resource from the current IP address",
        ));
    }
    let Some(token) = model.tokens.get_mut(&value) else {
        return Err(unauthorized("No access token found"));
    };
    if limit > 0 && token.uses >= limit {
        model.tokens.remove(&value);
        return Err(bad_request(
            "Unable to renew because access token number of uses limit reached",
        ));
    }
    token.uses += 1;
    Ok(Actor::Identity(token.identity.clone()))
}

fn living<'a>(model: &'a mut Model, value: &str) -> Result<(AccessToken, &'a Identity), Reply> {
    if value.split('.').count() != 3 {
        return Err(token_error(
            "The provided access token is malformed. Please use a valid token or generate a new one and try again.",
        ));
    }
    let token = model
        .tokens
        .get(value)
        .cloned()
        .ok_or_else(|| unauthorized("No access token found"))?;
    let ttl = model
        .identities
        .get(&token.identity)
        .and_then(|identity| seconds(identity.ttl));
    if ttl.is_some_and(|ttl| token.renewed.elapsed() > ttl) {
        model.tokens.remove(value);
        return Err(if model.behaviour.expires_in_jwt {
            token_error("Your token has expired. Please re-authenticate.")
        } else {
            unauthorized("Failed to renew MI access token due to TTL expiration")
        });
    }
    match model.identities.get(&token.identity) {
        Some(identity) => Ok((token, identity)),
        None => Err(unauthorized("Identity not found")),
    }
}

/// 0 is none.
fn seconds(number: u64) -> Option<Duration> {
    (number > 0).then(|| Duration::from_secs(number))
}
