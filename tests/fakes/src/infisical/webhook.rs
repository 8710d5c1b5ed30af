//! Webhooks, as Infisical signs them (`services/webhook/webhook-fns.ts`).

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;

use crate::ids::hex;

/// The header that holds the signature.
pub const HEADER: &str = "x-infisical-signature";

/// A request to be sent to whoever wants to hear of changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// The body, to be sent byte for byte.
    pub body: String,
    /// The value of the header [`HEADER`].
    pub signature: String,
}

/// What is said when secrets of a folder have changed, at `milliseconds` of the epoch.
pub fn modified(key: &str, project: &str, place: (&str, &str), milliseconds: u64) -> Hook {
    let (environment, path) = place;
    let body = json!({
        "event": "secrets.modified",
        "project": {
            "workspaceId": project, "projectId": project, "projectName": "demo",
            "environment": environment, "environmentName": environment, "secretPath": path,
            "changedBy": "ci", "changedByActorType": "identity",
        },
        "timestamp": milliseconds,
    })
    .to_string();
    let signature = signature(key, &body, milliseconds);
    Hook { body, signature }
}

/// `t=<milliseconds>;<hex>`: the time is that in the body, and no part of what is signed by itself.
pub fn signature(key: &str, body: &str, milliseconds: u64) -> String {
    let hex = match Hmac::<Sha256>::new_from_slice(key.as_bytes()) {
        Ok(mut mac) => {
            mac.update(body.as_bytes());
            hex(&mac.finalize().into_bytes())
        }
        // HMAC takes keys of any length.
        Err(_) => String::new(),
    };
    format!("t={milliseconds};{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of the protocol sheet.
    #[test]
    fn a_known_body_has_the_known_signature() {
        let body = r#"{"event":"secrets.modified","project":{"workspaceId":"p-1","projectId":"p-1","projectName":"demo","environment":"prod","environmentName":"Production","secretPath":"/","changedBy":"ci","changedByActorType":"identity"},"timestamp":1767225600000}"#;
        assert_eq!(
            signature("whsec-example", body, 1_767_225_600_000),
            "t=1767225600000;86587cc569f96653e7f8cd2293c8ab61821712d1bc2e01f0b20eb4d396b50f38"
        );
    }
}
