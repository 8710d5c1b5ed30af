//! Logging in.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::failures::{failure, invalid, oauth, throttled};
use super::model::{Account, Flavour, Model, Token};
use crate::jwt;
use crate::sealing::Kdf;
use crate::server::{Reply, Request};

/// `/connect/token` takes ten requests a minute from one address (`src/Identity/appsettings.json`).
const LIMIT: usize = 10;
const WINDOW: Duration = Duration::from_mins(1);

/// `POST /identity/connect/token`
pub(super) fn grant(model: &mut Model, request: &Request, body: &[u8]) -> Result<Reply, Reply> {
    limit(model)?;
    let flavour = model.behaviour.flavour;
    let is_form = request
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if !is_form {
        return Err(oauth("invalid_request", None));
    }
    let form: Vec<(String, String)> = url::form_urlencoded::parse(body).into_owned().collect();
    let field = |name: &str| {
        let mut fields = form.iter();
        fields
            .find(|(known, value)| known == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    };
    // The password grant needs the hash of a password, which nobody here has.
    if field("grant_type") != Some("client_credentials") {
        return Err(oauth("unsupported_grant_type", None));
    }
    let id = field("client_id").unwrap_or_default();
    let Some(id) = id.strip_prefix("user.") else {
        return Err(match flavour {
            Flavour::Official => oauth("invalid_client", None),
            Flavour::Vaultwarden => failure(flavour, 400, "Invalid client_id"),
        });
    };
    if field("scope") != Some("api") {
        return Err(oauth("invalid_scope", None));
    }
    for name in ["deviceIdentifier", "deviceName", "deviceType"] {
        if field(name).is_none() {
            return Err(match flavour {
                Flavour::Official => {
                    oauth("invalid_request", Some("No device information provided."))
                }
                Flavour::Vaultwarden => failure(flavour, 400, "device_identifier cannot be blank"),
            });
        }
    }
    if model.behaviour.two_factor {
        return Err(oauth("invalid_grant", Some("Two factor required.")));
    }
    let account = model.accounts.get(id).cloned();
    let account = account.filter(|account| field("client_secret") == Some(&account.client_secret));
    let Some(account) = account else {
        return Err(match flavour {
            Flavour::Official => oauth("invalid_client", None),
            Flavour::Vaultwarden => failure(flavour, 400, "Incorrect client_secret"),
        });
    };
    let id = id.to_owned();
    Ok(granted(model, id, &account))
}

fn limit(model: &mut Model) -> Result<(), Reply> {
    let now = Instant::now();
    while let Some(first) = model.logins.front()
        && now.duration_since(*first) >= WINDOW
    {
        model.logins.pop_front();
    }
    if model.logins.len() >= LIMIT {
        return Err(throttled(60, false));
    }
    model.logins.push_back(now);
    Ok(())
}

fn granted(model: &mut Model, id: String, account: &Account) -> Reply {
    let lifetime = model.lifetime();
    let now = jwt::seconds();
    // The official clients read whose it is and when it ends (`libs/common/src/auth/services/token.service.ts`).
    let token = jwt::sealed_by_nobody(&json!({
        "iss": "https://identity.example", "client_id": format!("user.{id}"), "sub": id, "scope": ["api"],
        "nbf": now, "iat": now, "exp": now + i64::try_from(lifetime.as_secs()).unwrap_or_default(),
        "jti": model.id("token"), "email": account.email, "email_verified": true, "name": null,
        "premium": true, "sstamp": account.security_stamp, "amr": ["external"],
    }));
    let given = Token {
        account: id,
        expires: Instant::now() + lifetime,
    };
    model.tokens.insert(token.clone(), given);
    let mut body = json!({
        "access_token": token, "expires_in": lifetime.as_secs(), "token_type": "Bearer",
        "scope": "api", "ResetMasterPassword": false, "ForcePasswordReset": false,
    });
    let behaviour = &model.behaviour;
    if behaviour.keys_in_sync_only {
        return Reply::json(200, &body);
    }
    let (kind, iterations, memory, parallelism) = numbers(account.kdf);
    let flat = !behaviour.nested_only;
    let only = |value: Value| if flat { value } else { Value::Null };
    body["Key"] = only(json!(account.key));
    body["PrivateKey"] = only(json!(account.private_key));
    body["Kdf"] = json!(kind);
    body["KdfIterations"] = json!(iterations);
    body["KdfMemory"] = memory.clone();
    body["KdfParallelism"] = parallelism.clone();
    body["AccountKeys"] = json!({"publicKeyEncryptionKeyPair": {
        "wrappedPrivateKey": account.private_key, "publicKey": account.public_key,
    }});
    body["UserDecryptionOptions"] = json!({
        "HasMasterPassword": true, "Object": "userDecryptionOptions",
        "MasterPasswordUnlock": {
            "Kdf": {
                "KdfType": kind, "Iterations": iterations, "Memory": memory, "Parallelism": parallelism,
            },
            "MasterKeyEncryptedUserKey": account.key, "MasterKeyWrappedUserKey": account.key,
            "Salt": account.email.trim().to_lowercase(),
        },
    });
    Reply::json(200, &body)
}

/// `POST /identity/accounts/prelogin`: an address that nobody has gets numbers that anybody might have.
pub(super) fn prelogin(model: &Model, body: &[u8]) -> Result<Reply, Reply> {
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let email = asked["email"].as_str();
    let email = email.ok_or_else(|| invalid("Email", "The Email field is required."))?;
    let mut accounts = model.accounts.values();
    let account = accounts.find(|account| account.email.eq_ignore_ascii_case(email.trim()));
    let kdf = account.map_or(Kdf::Pbkdf2(600_000), |account| account.kdf);
    let (kind, iterations, memory, parallelism) = numbers(kdf);
    let body = json!({
        "kdf": kind, "kdfIterations": iterations, "kdfMemory": memory,
        "kdfParallelism": parallelism,
        "kdfSettings": {
            "kdfType": kind, "iterations": iterations, "memory": memory, "parallelism": parallelism,
        },
        "salt": null,
    });
    Ok(Reply::json(200, &body))
}

pub(super) fn numbers(kdf: Kdf) -> (u8, u32, Value, Value) {
    match kdf {
        Kdf::Pbkdf2(iterations) => (0, iterations, Value::Null, Value::Null),
        Kdf::Argon2id {
            iterations,
            memory,
            parallelism,
        } => (1, iterations, json!(memory), json!(parallelism)),
    }
}
