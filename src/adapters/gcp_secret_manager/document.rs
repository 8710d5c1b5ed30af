//! A key in Google's JSON format: an allow-list of its inline fields. Addresses, files and commands in it are never
//! followed; what differs from Google's own is refused, so that nobody believes that it is used.

use penstock_domain::secret::SecretValue;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::http::json;
use crate::jwt::SigningKey;

/// The largest document, in bytes.
const MAX_LENGTH: usize = 64 * 1024;

/// What a document says, as far as it is used.
pub(super) enum Document {
    /// A service account's key.
    ServiceAccount {
        /// The account's address.
        email: String,
        /// The key's id.
        key_id: Option<String>,
        /// The key.
        key: SigningKey,
    },
    /// A person's refresh token, as `gcloud auth application-default login` writes it.
    AuthorizedUser {
        client_id: SecretValue,
        client_secret: SecretValue,
        refresh_token: SecretValue,
    },
}

#[derive(Deserialize)]
struct Written {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    token_uri: Option<String>,
    #[serde(default)]
    universe_domain: Option<String>,
    #[serde(default)]
    client_email: Option<String>,
    #[serde(default)]
    private_key_id: Option<String>,
    #[serde(default)]
    private_key: Option<Zeroizing<String>>,
    #[serde(default)]
    client_id: Option<Zeroizing<String>>,
    #[serde(default)]
    client_secret: Option<Zeroizing<String>>,
    #[serde(default)]
    refresh_token: Option<Zeroizing<String>>,
}

/// Google's own, which every key names.
const TOKEN_ADDRESSES: [&str; 3] = [
    "https://oauth2.googleapis.com/token",
    "https://accounts.google.com/o/oauth2/token",
    "https://www.googleapis.com/oauth2/v4/token",
];

/// Reads a document. The message names fields and none of what they hold.
pub(super) fn read(text: &SecretValue) -> Result<Document, &'static str> {
    if text.len() > MAX_LENGTH {
        return Err("is longer than any key");
    }
    let written: Written = json::parse(text.expose())
        .map_err(|_| "is not a JSON document with a `type`, as Google writes keys")?;
    if let Some(address) = &written.token_uri
        && !TOKEN_ADDRESSES.contains(&address.as_str())
    {
        return Err(
            "names a `token_uri` that is not Google's own: addresses of a document are not followed, set endpoints.oauth2",
        );
    }
    if let Some(universe) = &written.universe_domain
        && universe != "googleapis.com"
    {
        return Err(
            "names another `universe_domain`: addresses of a document are not followed, set endpoints",
        );
    }
    match written.kind.as_str() {
        "service_account" => service_account(written),
        "authorized_user" => authorized_user(written),
        "external_account" | "external_account_authorized_user" => Err(
            "is of type external_account, which names files, addresses or commands: set auth.workloadIdentity instead",
        ),
        "impersonated_service_account" => Err(
            "is of type impersonated_service_account, which names an address: set auth.workloadIdentity with impersonate, or a key",
        ),
        _ => Err("is of a type that is neither service_account nor authorized_user"),
    }
}

fn service_account(written: Written) -> Result<Document, &'static str> {
    let email = written.client_email.filter(|email| !email.is_empty());
    let pem = written.private_key.unwrap_or_default();
    Ok(Document::ServiceAccount {
        email: email.ok_or("has no `client_email`")?,
        key_id: written.private_key_id,
        key: SigningKey::from_pem(pem.as_bytes())
            .map_err(|_| "has no `private_key` that is an RSA key in PEM")?,
    })
}

fn authorized_user(written: Written) -> Result<Document, &'static str> {
    let filled = |field: Option<Zeroizing<String>>| {
        let text = field.filter(|text| !text.is_empty());
        text.map(|text| SecretValue::new(text.as_bytes()))
    };
    Ok(Document::AuthorizedUser {
        client_id: filled(written.client_id).ok_or("has no `client_id`")?,
        client_secret: filled(written.client_secret).ok_or("has no `client_secret`")?,
        refresh_token: filled(written.refresh_token).ok_or("has no `refresh_token`")?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(document: &serde_json::Value) -> &'static str {
        let text = SecretValue::new(document.to_string());
        read(&text).err().unwrap_or("taken")
    }

    #[test]
    fn what_a_document_leads_to_is_refused() {
        let user = json!({"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"});
        let with = |field: &str, value: &str| {
            let mut document = user.clone();
            document[field] = json!(value);
            refused(&document)
        };
        assert_eq!(refused(&user), "taken");
        assert_eq!(
            with("token_uri", "https://oauth2.googleapis.com/token"),
            "taken"
        );
        assert_eq!(
            with("quota_project_id", "p"),
            "taken",
            "known to nobody, followed by nobody"
        );
        assert!(with("token_uri", "https://evil.example/token").contains("token_uri"));
        assert!(with("universe_domain", "evil.example").contains("universe_domain"));
        let external = json!({
            "type": "external_account", "audience": "//iam.googleapis.com/x",
            "token_url": "https://sts.googleapis.com/v1/token",
            "credential_source": {"executable": {"command": "/bin/sh"}},
        });
        assert!(refused(&external).contains("workloadIdentity"));
        let impersonated = json!({"type": "impersonated_service_account", "service_account_impersonation_url": "https://evil.example"});
        assert!(refused(&impersonated).contains("address"));
    }

    #[test]
    fn half_a_key_is_told_by_its_field() {
        for (document, word) in [
            (json!({"type": "service_account"}), "client_email"),
            (
                json!({"type": "service_account", "client_email": "a@b", "private_key": "hunter2"}),
                "private_key",
            ),
            (json!({"type": "authorized_user"}), "client_id"),
            (json!({"type": "gdch_service_account"}), "type"),
            (json!("hunter2"), "JSON"),
            (json!([]), "JSON"),
        ] {
            let message = refused(&document);
            assert!(message.contains(word), "{message}");
            assert!(!message.contains("hunter2"));
        }
    }
}
