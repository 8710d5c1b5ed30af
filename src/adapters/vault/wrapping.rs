//! Response wrapping: a secret id that is behind a token which opens once.
//!
//! Whoever delivers such a token never sees the secret id; whoever opens it on the way leaves a token that no longer
//! opens. So a failure here is told as what it may be. `sys/wrapping/lookup` takes no token and tells which path the
//! answer was made by: somebody else's secret, put in the place of the right one, is not opened.

use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::RemotePath;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::answer::{self, Rejection};
use super::error::VaultError;
use super::login::{Transport, readable, with_wait};
use crate::http::client::{Request, Response};

const USED_HINT: &str = "The wrapping token has expired or was opened before. If nobody here opened it, somebody else did: destroy the secret id, and wrap another";
const FOREIGN_HINT: &str = "The wrapping token holds something else than a secret id of this mount; it was not opened. Find out who put it there";

/// A wrapping token, and what was behind it.
pub(super) struct Wrapped {
    token: SecretValue,
    /// Opened once for as long as the store is open, however often it logs in.
    opened: tokio::sync::Mutex<Option<SecretValue>>,
}

#[derive(Serialize)]
struct LookUp<'a> {
    token: &'a str,
}

#[derive(Deserialize)]
struct Origin {
    creation_path: String,
}

#[derive(Deserialize)]
struct Content {
    secret_id: Zeroizing<String>,
}

impl Wrapped {
    pub(super) fn new(token: SecretValue) -> Self {
        Self {
            token,
            opened: tokio::sync::Mutex::new(None),
        }
    }

    pub(super) fn token(&self) -> &SecretValue {
        &self.token
    }

    /// The secret id, of an AppRole mounted at `mount`.
    pub(super) async fn open(
        &self,
        transport: &Transport,
        mount: &RemotePath,
    ) -> Result<SecretValue, VaultError> {
        let mut opened = self.opened.lock().await;
        if let Some(secret_id) = &*opened {
            return Ok(secret_id.clone());
        }
        let body = serde_json::to_vec(&LookUp {
            token: readable(&self.token)?,
        });
        let body = body.map_err(|_| VaultError::LogIn { hint: USED_HINT })?;
        let request = Request::post(["v1", "sys", "wrapping", "lookup"], Zeroizing::new(body));
        let response = transport.send(request, None).await?;
        let origin: Origin = understand(&response)?;
        if !makes_secret_ids(&origin.creation_path, mount) {
            return Err(VaultError::LogIn { hint: FOREIGN_HINT });
        }
        let body = Zeroizing::new(b"{}".to_vec());
        let request = Request::post(["v1", "sys", "wrapping", "unwrap"], body);
        let response = transport.send(request, Some(&self.token)).await?;
        let content: Content = understand(&response)?;
        let secret_id = SecretValue::new(content.secret_id.as_bytes());
        Ok(opened.insert(secret_id).clone())
    }
}

fn understand<'a, T: Deserialize<'a>>(response: &'a Response) -> Result<T, VaultError> {
    let status = response.status.as_u16();
    let found = answer::data(status, response.body()).and_then(|data| {
        serde_json::from_str(data.get()).map_err(|_| Rejection::Unbelievable(status))
    });
    found.map_err(|rejection| match rejection {
        // A token that has been used, or never was, is a bad request to the one call and no token to the other.
        Rejection::BadRequest | Rejection::Denied => VaultError::LogIn { hint: USED_HINT },
        other => VaultError::read("sys/wrapping", with_wait(other, response)),
    })
}

/// Whether an answer made at `path` is a secret id of an AppRole at `mount`.
fn makes_secret_ids(path: &str, mount: &RemotePath) -> bool {
    let prefix = format!("auth/{}/role/", mount.to_text());
    let Some((role, verb)) = path
        .strip_prefix(&prefix)
        .and_then(|rest| rest.split_once('/'))
    else {
        return false;
    };
    !role.is_empty() && (verb == "secret-id" || verb == "custom-secret-id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_secret_id_of_the_mount_is_opened() {
        let mount = RemotePath::parse("team/approle").unwrap();
        for (path, is_one) in [
            ("auth/team/approle/role/reader/secret-id", true),
            ("auth/team/approle/role/reader/custom-secret-id", true),
            ("auth/approle/role/reader/secret-id", false),
            ("auth/team/approle/role/reader/role-id", false),
            ("auth/team/approle/role//secret-id", false),
            ("auth/team/approle/role/secret-id", false),
            ("auth/team/approle/role/a/b/secret-id", false),
            ("secret/data/auth/team/approle/role/reader/secret-id", false),
            ("", false),
        ] {
            assert_eq!(makes_secret_ids(path, &mount), is_one, "{path}");
        }
    }
}
