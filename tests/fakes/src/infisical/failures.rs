//! The shapes of errors (`plugins/error-handler.ts`).

use serde_json::{Value, json};

use crate::server::Reply;

/// Every error has an id of the request; log lines of the real one are found by it.
const REQUEST_ID: &str = "req-0b6c1a2e";

fn failure(status: u16, error: &str, message: &Value) -> Reply {
    Reply::json(
        status,
        &json!({"reqId": REQUEST_ID, "statusCode": status, "message": message, "error": error}),
    )
}

pub(super) fn bad_request(message: &str) -> Reply {
    failure(400, "BadRequest", &json!(message))
}

pub(super) fn unauthorized(message: &str) -> Reply {
    failure(401, "UnauthorizedError", &json!(message))
}

/// What the JWT library says no to.
pub(super) fn token_error(message: &str) -> Reply {
    failure(403, "TokenError", &json!(message))
}

/// What a role does not allow; `details` lists the rules that there are.
pub(super) fn permission_denied(action: &str, subject: &str) -> Reply {
    let body = json!({
        "reqId": REQUEST_ID, "statusCode": 403, "error": "PermissionDenied",
        "message": format!("You are not allowed to {action} on {subject}"),
        "details": [{"action": action, "subject": subject, "conditions": null}],
    });
    Reply::json(403, &body)
}

pub(super) fn forbidden(message: &str) -> Reply {
    failure(403, "ForbiddenError", &json!(message))
}

pub(super) fn not_found(message: &str) -> Reply {
    failure(404, "NotFound", &json!(message))
}

/// The web framework's own, for a route that there is not.
pub(super) fn no_route(method: &str, path: &str) -> Reply {
    let body = json!({
        "message": format!("Route {method}:{path} not found"),
        "error": "Not Found", "statusCode": 404,
    });
    Reply::json(404, &body)
}

pub(super) fn gone() -> Reply {
    failure(410, "Gone", &json!("This endpoint has been removed"))
}

/// What a schema says no to; the message is a list.
pub(super) fn invalid(path: &str, message: &str) -> Reply {
    let issues = json!([{"code": "invalid_type", "path": [path], "message": message}]);
    failure(422, "ValidationFailure", &issues)
}

pub(super) fn throttled(seconds: u64, with_headers: bool) -> Reply {
    let message = format!("Rate limit exceeded. Please try again in {seconds} seconds");
    let reply = failure(429, "RateLimitExceeded", &json!(message));
    if with_headers {
        reply
            .header("retry-after", seconds.to_string())
            .header("x-ratelimit-limit", "120")
            .header("x-ratelimit-remaining", "0")
            .header("x-ratelimit-reset", seconds.to_string())
    } else {
        reply
    }
}

pub(super) fn stumbled(status: u16) -> Reply {
    let error = if status == 504 {
        "GatewayTimeout"
    } else {
        "InternalServerError"
    };
    failure(status, error, &json!("Something went wrong"))
}
