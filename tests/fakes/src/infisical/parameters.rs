//! Reads queries and bodies as strictly as the server's schemas do.

use serde_json::Value;

use super::failures::{bad_request, invalid};
use crate::server::{Reply, Request};

/// A boolean of a query: the words `true` and `false`, nothing else.
pub(super) fn flag(request: &Request, name: &str, absent: bool) -> Result<bool, Reply> {
    match request.parameter(name) {
        None => Ok(absent),
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(_) => Err(invalid(
            name,
            "Invalid enum value. Expected 'true' | 'false'",
        )),
    }
}

/// A boolean of the routes that are less strict: whatever is neither empty nor 0 nor `false`, in any case.
/// The official Python client sends `False` there; the exact rule was not read.
pub(super) fn loose_flag(request: &Request, name: &str) -> bool {
    let value = request.parameter(name).unwrap_or_default();
    !value.is_empty() && value != "0" && !value.eq_ignore_ascii_case("false")
}

/// A whole number of a query.
pub(super) fn number(request: &Request, name: &str) -> Result<Option<usize>, Reply> {
    match request.parameter(name).map(str::parse) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => Err(invalid(name, "Expected number, received nan")),
    }
}

/// A folder: what is absent is the root, a slash at the end goes.
pub(super) fn folder(path: Option<&str>) -> String {
    let path = path.unwrap_or("/").trim();
    match path.trim_end_matches('/') {
        "" => "/".to_owned(),
        path => path.to_owned(),
    }
}

/// The body of a request, which must be one JSON object under its own content type.
pub(super) fn object(request: &Request, body: &[u8]) -> Result<Value, Reply> {
    let is_json = request
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/json"));
    if !is_json {
        return Err(Reply::json(
            415,
            &serde_json::json!({
                "statusCode": 415, "code": "FST_ERR_CTP_INVALID_MEDIA_TYPE",
                "error": "Unsupported Media Type", "message": "Unsupported Media Type",
            }),
        ));
    }
    serde_json::from_slice::<Value>(body)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| bad_request("Body is not valid JSON"))
}

/// A text of a body that must be there.
pub(super) fn text(body: &Value, name: &str) -> Result<String, Reply> {
    optional(body, name)?.ok_or_else(|| invalid(name, "Required"))
}

/// A text of a body that may be absent or null.
pub(super) fn optional(body: &Value, name: &str) -> Result<Option<String>, Reply> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(invalid(name, "Expected string")),
    }
}

/// The name of a secret: trimmed, neither empty nor with a colon or a slash.
pub(super) fn secret_name(name: &str) -> Result<String, Reply> {
    let name = name.trim();
    if name.is_empty() || name.contains([':', '/']) {
        return Err(invalid(
            "secretName",
            "Secret name cannot contain colon or forward slash",
        ));
    }
    Ok(name.to_owned())
}

/// A value as it is kept: blanks around it go, except one line break at its end.
pub(super) fn kept(value: &str) -> String {
    let trimmed = value.trim();
    if value.ends_with('\n') {
        format!("{trimmed}\n")
    } else {
        trimmed.to_owned()
    }
}
