//! Which handler a request belongs to.

use serde_json::{Map, Value};

use super::failures::{no_route, throttled, unauthorized};
use super::model::Model;
use super::{reading, tokens, writing};
use crate::server::{Reply, Request};

/// The answer to one request, or what stands in its place.
pub(super) fn answer(model: &mut Model, request: &Request, body: &[u8]) -> Reply {
    if let Some(seconds) = model.behaviour.throttle {
        return throttled(seconds, model.behaviour.silent_throttle);
    }
    let outage = model.behaviour.outage.clone();
    let mut usual = || route(model, request, body).unwrap_or_else(|refusal| refusal);
    match outage {
        None => usual(),
        Some(outage) => outage.reply(usual, |status| Reply::new(status, "")),
    }
}

/// Whoever asks, and what.
pub(super) struct Call<'a> {
    pub(super) account: String,
    pub(super) request: &'a Request,
    pub(super) body: &'a [u8],
}

fn route(model: &mut Model, request: &Request, body: &[u8]) -> Result<Reply, Reply> {
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (request.method.as_str(), segments.as_slice()) {
        ("POST", ["identity", "connect", "token"]) => return tokens::grant(model, request, body),
        (
            "POST",
            ["identity", "accounts", "prelogin"] | ["identity", "accounts", "prelogin", "password"],
        ) => {
            return tokens::prelogin(model, body);
        }
        ("GET", ["api", "config"]) => return Ok(reading::config(model)),
        _ => {}
    }
    let Some((&"api", rest)) = segments.split_first() else {
        return Err(no_route());
    };
    let flavour = model.behaviour.flavour;
    let token = request.header("authorization");
    let token = token.and_then(|token| token.strip_prefix("Bearer "));
    let account = token.and_then(|token| model.account_of(token));
    let call = Call {
        account: account.ok_or_else(|| unauthorized(flavour))?,
        request,
        body,
    };
    match (request.method.as_str(), rest) {
        ("GET", ["sync"]) => reading::sync(model, &call),
        ("GET", ["accounts", "revision-date"]) => reading::revision_date(model, &call),
        // The official command line falls over without it.
        ("POST", ["accounts", "key-management", "user-key-id"]) => {
            Ok(Reply::json(200, &Value::Object(Map::new())))
        }
        ("GET", ["ciphers"]) => reading::ciphers(model, &call),
        ("GET", ["ciphers", id] | ["ciphers", id, "details"]) => reading::cipher(model, &call, id),
        ("GET", ["folders"]) => reading::folders(model, &call),
        ("GET", ["collections"]) => reading::collections(model, &call),
        ("POST", ["ciphers"]) => writing::create(model, &call),
        ("POST", ["ciphers", "create"]) => writing::create_shared(model, &call),
        ("PUT", ["ciphers", id]) => writing::replace(model, &call, id),
        ("PUT", ["ciphers", id, "partial"]) => writing::partial(model, &call, id),
        ("PUT", ["ciphers", id, "delete"]) => writing::bin(model, &call, id, true),
        ("PUT", ["ciphers", id, "restore"]) => writing::bin(model, &call, id, false),
        ("DELETE", ["ciphers", id]) => writing::delete(model, &call, id),
        ("POST", ["folders"]) => writing::create_folder(model, &call),
        ("DELETE", ["folders", id]) => writing::delete_folder(model, &call, id),
        _ => Err(no_route()),
    }
}
