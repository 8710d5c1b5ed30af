//! The shapes of errors.

use serde_json::json;

use super::model::Flavour;
use crate::server::Reply;

/// The server's own: `ErrorResponseModel`, or Vaultwarden's `make_error`.
pub(super) fn failure(flavour: Flavour, status: u16, message: &str) -> Reply {
    let body = match flavour {
        Flavour::Official => json!({
            "message": message, "validationErrors": null, "exceptionMessage": null,
            "exceptionStackTrace": null, "innerExceptionMessage": null, "object": "error",
        }),
        Flavour::Vaultwarden => json!({
            "message": message, "validationErrors": {"": [message]},
            "errorModel": {"message": message, "object": "error"},
            "error": "", "error_description": "", "exceptionMessage": null,
            "exceptionStackTrace": null, "innerExceptionMessage": null, "object": "error",
        }),
    };
    Reply::json(status, &body)
}

/// A member of a request that is not taken.
pub(super) fn invalid(member: &str, message: &str) -> Reply {
    let body = json!({
        "message": "The model state is invalid.", "validationErrors": {member: [message]},
        "exceptionMessage": null, "exceptionStackTrace": null, "innerExceptionMessage": null,
        "object": "error",
    });
    Reply::json(400, &body)
}

/// The token endpoint's, in OAuth's shape.
pub(super) fn oauth(error: &str, description: Option<&str>) -> Reply {
    let mut body = json!({"error": error});
    if let Some(description) = description {
        body["error_description"] = json!(description);
        body["ErrorModel"] = json!({"Message": description, "Object": "error"});
    }
    Reply::json(400, &body)
}

/// A token that is dead, or none. The body is nobody's JSON.
pub(super) fn unauthorized(flavour: Flavour) -> Reply {
    match flavour {
        Flavour::Official => Reply::new(401, "").header("www-authenticate", "Bearer"),
        Flavour::Vaultwarden => Reply::new(
            401,
            "<!DOCTYPE html><html><title>401 Unauthorized</title></html>",
        )
        .header("content-type", "text/html; charset=utf-8"),
    }
}

/// An item that is not there, or not for this account.
pub(super) fn no_cipher(flavour: Flavour) -> Reply {
    match flavour {
        Flavour::Official => failure(flavour, 404, "Resource not found."),
        Flavour::Vaultwarden => failure(flavour, 400, "Cipher doesn't exist"),
    }
}

/// What is not a route.
pub(super) fn no_route() -> Reply {
    Reply::new(404, "")
}

/// `CustomIpRateLimitMiddleware`
pub(super) fn throttled(seconds: u64, silent: bool) -> Reply {
    let message = format!("Slow down! Too many requests. Try again in {seconds}s.");
    let reply = failure(Flavour::Official, 429, &message);
    if silent {
        reply
    } else {
        reply.header("retry-after", seconds.to_string())
    }
}
