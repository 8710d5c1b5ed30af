//! The shapes of errors: AIP-193 for the API, RFC 6749 for tokens.

use serde_json::{Value, json};

use crate::server::Reply;

fn failure(code: u16, status: &str, message: &str, details: &Value) -> Reply {
    let error = json!({"code": code, "message": message, "status": status, "details": details});
    Reply::json(code, &json!({"error": error}))
}

pub(super) fn invalid(message: &str) -> Reply {
    failure(400, "INVALID_ARGUMENT", message, &json!([]))
}

pub(super) fn precondition(message: &str) -> Reply {
    failure(400, "FAILED_PRECONDITION", message, &json!([]))
}

pub(super) fn unauthenticated() -> Reply {
    let message = "Request had invalid authentication credentials.";
    failure(401, "UNAUTHENTICATED", message, &json!([])).header(
        "www-authenticate",
        "Bearer realm=\"https://accounts.google.com/\"",
    )
}

pub(super) fn denied(permission: &str, reason: &str) -> Reply {
    let message = format!("Permission '{permission}' denied on resource (or it may not exist).");
    let details = json!([{
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason, "domain": "iam.googleapis.com", "metadata": {"permission": permission},
    }]);
    failure(403, "PERMISSION_DENIED", &message, &details)
}

pub(super) fn missing(name: &str) -> Reply {
    let message = format!("Secret [{name}] not found or has no versions.");
    failure(404, "NOT_FOUND", &message, &json!([]))
}

pub(super) fn exists(name: &str) -> Reply {
    let message = format!("Secret [{name}] already exists.");
    failure(409, "ALREADY_EXISTS", &message, &json!([]))
}

pub(super) fn throttled(seconds: Option<u64>) -> Reply {
    let details = match seconds {
        None => json!([]),
        Some(seconds) => json!([{
            "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{seconds}s"),
        }]),
    };
    failure(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", &details)
}

pub(super) fn stumbled(status: u16) -> Reply {
    failure(
        status,
        "UNAVAILABLE",
        "The service is currently unavailable.",
        &json!([]),
    )
}

/// Google's front end, for a path that no service has.
pub(super) fn no_route() -> Reply {
    Reply::new(
        404,
        "<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>",
    )
    .header("content-type", "text/html; charset=UTF-8")
}

/// A token endpoint refuses.
pub(super) fn oauth(status: u16, error: &str, description: &str) -> Reply {
    Reply::json(
        status,
        &json!({"error": error, "error_description": description}),
    )
}
