//! Which handler a request belongs to, and the shapes of errors.

use serde_json::json;

use super::model::Model;
use super::{reading, tokens, writing};
use crate::server::{Reply, Request};

/// The answer to one request, or what stands in its place.
pub(super) fn answer(model: &mut Model, request: &Request, body: &[u8]) -> Reply {
    if let Some(seconds) = model.behaviour.throttle {
        return throttled(seconds);
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
    pub(super) machine: String,
    pub(super) request: &'a Request,
    pub(super) body: &'a [u8],
}

fn route(model: &mut Model, request: &Request, body: &[u8]) -> Result<Reply, Reply> {
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let method = request.method.as_str();
    if (method, segments.as_slice()) == ("POST", &["identity", "connect", "token"]) {
        return tokens::grant(model, request, body);
    }
    let Some((&"api", rest)) = segments.split_first() else {
        return Err(Reply::new(404, ""));
    };
    let token = request.header("authorization");
    let token = token.and_then(|token| token.strip_prefix("Bearer "));
    let machine = token.and_then(|token| model.machine_of(token));
    let call = Call {
        machine: machine.ok_or_else(|| Reply::new(401, ""))?,
        request,
        body,
    };
    if let ["organizations", organization, ..] = rest
        && *organization != model.organization
    {
        return Err(not_found());
    }
    match (method, rest) {
        ("GET", ["organizations", _, "secrets"]) => Ok(reading::list(model, &call, None)),
        ("GET", ["organizations", _, "secrets", "sync"]) => reading::sync(model, &call),
        ("GET", ["organizations", _, "projects"]) => Ok(reading::projects(model, &call)),
        ("GET", ["projects", id, "secrets"]) => reading::by_project(model, &call, id),
        ("GET", ["projects", id]) => reading::project(model, &call, id),
        ("GET", ["secrets", id]) => reading::secret(model, &call, id),
        ("GET", ["secrets", id, "versions"]) => reading::versions(model, &call, id),
        ("POST", ["secrets", "get-by-ids"]) => reading::by_ids(model, &call),
        ("POST", ["organizations", _, "secrets"]) => writing::create(model, &call),
        ("PUT", ["secrets", id]) => writing::replace(model, &call, id),
        ("POST", ["secrets", "delete"]) => writing::delete(model, &call),
        _ => Err(Reply::new(404, "")),
    }
}

/// `ErrorResponseModel`
fn failure(status: u16, message: &str) -> Reply {
    let body = json!({
        "message": message, "validationErrors": null, "exceptionMessage": null,
        "exceptionStackTrace": null, "innerExceptionMessage": null, "object": "error",
    });
    Reply::json(status, &body)
}

/// It is not there, or not for this machine account.
pub(super) fn not_found() -> Reply {
    failure(404, "Resource not found.")
}

pub(super) fn bad_request(message: &str) -> Reply {
    failure(400, message)
}

pub(super) fn invalid(member: &str, message: &str) -> Reply {
    let body = json!({
        "message": "The model state is invalid.", "validationErrors": {member: [message]},
        "object": "error",
    });
    Reply::json(400, &body)
}

pub(super) fn oauth(error: &str) -> Reply {
    Reply::json(400, &json!({"error": error}))
}

pub(super) fn throttled(seconds: u64) -> Reply {
    let message = format!("Slow down! Too many requests. Try again in {seconds}s.");
    failure(429, &message).header("retry-after", seconds.to_string())
}
