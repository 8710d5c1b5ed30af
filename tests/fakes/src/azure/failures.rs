//! The shapes of errors: those of Key Vault, and of Azure's token endpoint.

use serde_json::json;

use crate::server::Reply;

fn failure(status: u16, code: &str, message: &str, inner: Option<&str>) -> Reply {
    let mut error = json!({"code": code, "message": message});
    if let Some(inner) = inner {
        error["innererror"] = json!({"code": inner});
    }
    Reply::json(status, &json!({"error": error}))
}

pub(super) fn bad_parameter(message: &str) -> Reply {
    failure(400, "BadParameter", message, None)
}

pub(super) fn unauthorized(challenge: &str) -> Reply {
    let message = "AKV10000: Request is missing a Bearer or PoP token.";
    failure(401, "Unauthorized", message, None).header("www-authenticate", challenge)
}

pub(super) fn forbidden(inner: &str) -> Reply {
    let message = "Caller is not authorized to perform action on resource.";
    failure(403, "Forbidden", message, Some(inner))
}

pub(super) fn missing(name: &str) -> Reply {
    let message = format!(
        "A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you may be able to recover it"
    );
    failure(404, "SecretNotFound", &message, None)
}

pub(super) fn conflict(inner: &str) -> Reply {
    let message =
        "Secret is currently in a deleted but recoverable state, and its name cannot be reused.";
    failure(409, "Conflict", message, Some(inner))
}

pub(super) fn throttled(seconds: Option<u64>) -> Reply {
    let message = "Request was not processed because too many requests were received.";
    let reply = failure(429, "Throttled", message, None);
    match seconds {
        None => reply,
        Some(seconds) => reply.header("retry-after", seconds.to_string()),
    }
}

pub(super) fn stumbled(status: u16) -> Reply {
    failure(status, "InternalServerError", "An error occurred.", None)
}

/// A path that a vault does not have.
pub(super) fn no_route() -> Reply {
    Reply::new(404, "")
}

/// Azure's token endpoint refuses.
pub(super) fn oauth(status: u16, error: &str, code: u32) -> Reply {
    let body = json!({
        "error": error, "error_codes": [code], "timestamp": "2026-01-01 00:00:00Z",
        "error_description": format!("AADSTS{code}: The request is refused. Trace ID: 0 Correlation ID: 0"),
    });
    Reply::json(status, &body)
}
