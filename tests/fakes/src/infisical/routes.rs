//! Which handler a request belongs to.

use super::failures::{gone, no_route, stumbled, throttled};
use super::model::Model;
use super::{reading, structure, tokens, writing};
use crate::server::{Reply, Request};

/// The answer to one request, or what stands in its place.
pub(super) fn answer(model: &mut Model, request: &Request, body: &[u8]) -> Reply {
    if let Some(seconds) = model.behaviour.throttle {
        return throttled(seconds, model.behaviour.limit_headers);
    }
    match model.behaviour.outage.clone() {
        None => {
            let reply = route(model, request, body).unwrap_or_else(|refusal| refusal);
            match model.behaviour.quota {
                None => reply,
                Some((limit, remaining)) => reply
                    .header("x-ratelimit-limit", limit.to_string())
                    .header("x-ratelimit-remaining", remaining.to_string())
                    .header("x-ratelimit-reset", "42"),
            }
        }
        Some(outage) => {
            let usual = || route(model, request, body).unwrap_or_else(|refusal| refusal);
            outage.reply(usual, stumbled)
        }
    }
}

fn route(model: &mut Model, request: &Request, body: &[u8]) -> Result<Reply, Reply> {
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let unknown = || no_route(&request.method, &request.path);
    let Some((&"api", segments)) = segments.split_first() else {
        return Err(unknown());
    };
    // Who is not known to the release is not asked who he is.
    match segments {
        ["v4", "secrets", ..] | ["v1", "projects", ..] if !model.behaviour.v4 => {
            return Err(unknown());
        }
        ["v3", "secrets", ..] if model.behaviour.v3_gone => return Err(gone()),
        ["v3", "secrets", ..] if !model.behaviour.v3 => return Err(unknown()),
        _ => {}
    }
    let method = request.method.as_str();
    match (method, segments) {
        ("POST", ["v1", "auth", kind, "login"]) => {
            tokens::log_in(model, kind, request, body).unwrap_or_else(|| Err(unknown()))
        }
        ("POST", ["v1", "auth", "token", "renew"]) => tokens::renew(model, request, body),
        ("POST", ["v1", "auth", "token", "revoke"]) => tokens::revoke(model, request, body),
        (_, ["v4" | "v3", "secrets", ..]) => secrets(model, request, body, segments),
        (_, [version @ ("v1" | "v2"), "folders", rest @ ..]) => {
            structure::folders(model, request, body, (version, rest))
                .unwrap_or_else(|| Err(unknown()))
        }
        ("GET", ["v2", "service-token"]) => structure::service_token(model, request),
        (_, ["v2", "secret-imports"]) => {
            structure::imports(model, request, body).unwrap_or_else(|| Err(unknown()))
        }
        ("GET", ["v1", "projects", "slug", slug] | ["v2", "workspace", slug]) => {
            structure::project_by_slug(model, request, slug)
        }
        ("GET", ["v1", "projects", id]) => structure::project(model, request, id, "project"),
        ("GET", ["v1", "workspace", id]) => structure::project(model, request, id, "workspace"),
        (_, ["v1", "projects" | "workspace", id, "tags"]) => {
            structure::tags(model, request, body, id).unwrap_or_else(|| Err(unknown()))
        }
        _ => Err(unknown()),
    }
}

fn secrets(
    model: &mut Model,
    request: &Request,
    body: &[u8],
    segments: &[&str],
) -> Result<Reply, Reply> {
    let (version, rest) = match segments {
        ["v4", "secrets", rest @ ..] => (4, rest),
        ["v3", "secrets", "raw", rest @ ..] => (3, rest),
        ["v3", "secrets", "batch", "raw"] => (3, &["batch"][..]),
        _ => return Err(no_route(&request.method, &request.path)),
    };
    match (request.method.as_str(), rest) {
        ("GET", []) => reading::list(model, request, version),
        ("GET", ["id", id]) => reading::by_id(model, request, id),
        ("GET", [name]) => reading::single(model, request, version, name),
        (_, ["batch"]) => writing::batch(model, request, body),
        ("POST", [name]) => writing::create(model, request, body, name),
        ("PATCH", [name]) => writing::update(model, request, body, name),
        ("DELETE", [name]) => writing::delete(model, request, body, name),
        _ => Err(no_route(&request.method, &request.path)),
    }
}
