//! The part of the vault's HTTP API that tests and the demo use to set it up and to change it.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Certificate, Method, StatusCode};
use serde_json::{Value, json};

use crate::eventually::eventually;

const PATIENCE: Duration = Duration::from_secs(30);

/// Why the vault did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The client could not be set up.
    #[error("cannot make a client for the vault")]
    MakeClient(#[source] reqwest::Error),
    /// There was no answer, or one that is not JSON.
    #[error("no answer from the vault to {method} {path}")]
    Ask {
        /// HTTP method.
        method: Method,
        /// Path without `/v1/`.
        path: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The vault refused.
    #[error("the vault answered {status} to {method} {path}: {errors}")]
    Refuse {
        /// HTTP method.
        method: Method,
        /// Path without `/v1/`.
        path: String,
        /// Status of the answer.
        status: StatusCode,
        /// Its `errors`; the vault puts no values there.
        errors: String,
    },
    /// The answer lacks something that it should have.
    #[error("the vault's answer to {path} has no {field}")]
    Lack {
        /// Path without `/v1/`.
        path: String,
        /// JSON pointer.
        field: &'static str,
    },
}

/// The credentials of an AppRole.
pub struct AppRole {
    /// The role's id.
    pub role_id: String,
    /// A secret id.
    pub secret_id: String,
}

/// A client with a token and a namespace. Make one per test: its connections belong to the runtime
/// that it is made in.
#[derive(Clone)]
pub struct VaultClient {
    http: reqwest::Client,
    address: String,
    token: String,
    namespace: String,
}

impl VaultClient {
    /// A client for `address` (a URL without a path) that trusts only `authority` (PEM).
    pub fn new(address: &str, authority: &str, token: &str) -> Result<Self, VaultError> {
        crate::install_cryptography();
        let authority =
            Certificate::from_pem(authority.as_bytes()).map_err(VaultError::MakeClient)?;
        let http = reqwest::Client::builder()
            .tls_certs_only([authority])
            .timeout(PATIENCE)
            .no_proxy()
            .build()
            .map_err(VaultError::MakeClient)?;
        Ok(Self {
            http,
            address: address.to_owned(),
            token: token.to_owned(),
            namespace: String::new(),
        })
    }

    /// The same client in a namespace of the vault.
    #[must_use]
    pub fn in_namespace(&self, namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            ..self.clone()
        }
    }

    /// The same client with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// Asks anything. `path` goes without `/v1/`; the answer is `null` where there is no body.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, VaultError> {
        self.ask_with(method, path, body, None).await
    }

    /// Sends a POST whose answer is put behind a token that opens once, within `ttl` such as `5m`.
    pub async fn post_wrapped(
        &self,
        path: &str,
        body: Value,
        ttl: &str,
    ) -> Result<Value, VaultError> {
        self.ask_with(Method::POST, path, Some(body), Some(ttl))
            .await
    }

    async fn ask_with(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        wrapped_for: Option<&str>,
    ) -> Result<Value, VaultError> {
        let failed = |source| VaultError::Ask {
            method: method.clone(),
            path: path.to_owned(),
            source,
        };
        let mut request = self
            .http
            .request(method.clone(), format!("{}/v1/{path}", self.address))
            .header("X-Vault-Request", "true");
        if !self.token.is_empty() {
            request = request.header("X-Vault-Token", &self.token);
        }
        if !self.namespace.is_empty() {
            request = request.header("X-Vault-Namespace", &self.namespace);
        }
        if let Some(ttl) = wrapped_for {
            request = request.header("X-Vault-Wrap-TTL", ttl);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.map_err(failed)?;
        let status = response.status();
        let text = response.text().await.map_err(failed)?;
        let answer: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(answer);
        }
        Err(VaultError::Refuse {
            method,
            path: path.to_owned(),
            status,
            errors: answer["errors"].to_string(),
        })
    }

    /// Mounts a KV engine of version 1 or 2, and waits until it serves: version 2 answers 400 for a
    /// moment, while it gets ready.
    pub async fn enable_kv(&self, mount: &str, version: u8) -> Result<(), VaultError> {
        let body = json!({"type": "kv", "options": {"version": version.to_string()}});
        self.post(&format!("sys/mounts/{mount}"), body).await?;
        if version == 1 {
            return Ok(());
        }
        let path = format!("{mount}/config");
        let serves = eventually("the mount serves", PATIENCE, || {
            self.ask(Method::GET, &path, None)
        });
        match serves.await {
            Ok(_) => Ok(()),
            // The last look says why.
            Err(_) => self.ask(Method::GET, &path, None).await.map(drop),
        }
    }

    /// Makes a namespace below this client's own.
    pub async fn create_namespace(&self, name: &str) -> Result<(), VaultError> {
        self.post(&format!("sys/namespaces/{name}"), json!({}))
            .await?;
        Ok(())
    }

    /// Writes an entry of a KV 2 mount and gives back its new version.
    pub async fn put(
        &self,
        mount: &str,
        path: &str,
        data: &[(&str, &str)],
    ) -> Result<u64, VaultError> {
        self.put_json(mount, path, json!(pairs(data))).await
    }

    /// Writes an entry of a KV 2 mount as any JSON object, and gives back its new version.
    pub async fn put_json(&self, mount: &str, path: &str, data: Value) -> Result<u64, VaultError> {
        let path = format!("{mount}/data/{path}");
        let answer = self.post(&path, json!({"data": data})).await?;
        let field = "/data/version";
        let version = answer.pointer(field).and_then(Value::as_u64);
        version.ok_or(VaultError::Lack { path, field })
    }

    /// The newest version of an entry of a KV 2 mount.
    pub async fn get(
        &self,
        mount: &str,
        path: &str,
    ) -> Result<BTreeMap<String, Value>, VaultError> {
        let path = format!("{mount}/data/{path}");
        let answer = self.ask(Method::GET, &path, None).await?;
        let field = "/data/data";
        let data = answer.pointer(field).and_then(Value::as_object);
        let data = data.ok_or(VaultError::Lack { path, field })?;
        Ok(data.clone().into_iter().collect())
    }

    /// Deletes the newest version of an entry of a KV 2 mount; older ones can still be read.
    pub async fn delete(&self, mount: &str, path: &str) -> Result<(), VaultError> {
        let path = format!("{mount}/data/{path}");
        self.ask(Method::DELETE, &path, None).await.map(drop)
    }

    /// Removes an entry of a KV 2 mount with all its versions.
    pub async fn purge(&self, mount: &str, path: &str) -> Result<(), VaultError> {
        let path = format!("{mount}/metadata/{path}");
        self.ask(Method::DELETE, &path, None).await.map(drop)
    }

    /// Writes an entry of a KV 1 mount.
    pub async fn put_v1(
        &self,
        mount: &str,
        path: &str,
        data: &[(&str, &str)],
    ) -> Result<(), VaultError> {
        self.post(&format!("{mount}/{path}"), json!(pairs(data)))
            .await?;
        Ok(())
    }

    /// Deletes an entry of a KV 1 mount.
    pub async fn delete_v1(&self, mount: &str, path: &str) -> Result<(), VaultError> {
        self.ask(Method::DELETE, &format!("{mount}/{path}"), None)
            .await
            .map(drop)
    }

    /// Writes a policy, in the vault's own language.
    pub async fn put_policy(&self, name: &str, rules: &str) -> Result<(), VaultError> {
        self.post(
            &format!("sys/policies/acl/{name}"),
            json!({"policy": rules}),
        )
        .await?;
        Ok(())
    }

    /// A policy that lets its holder read and list everything below `paths` (mount and prefix, such
    /// as `secret/data/team`).
    pub async fn put_read_policy(&self, name: &str, paths: &[&str]) -> Result<(), VaultError> {
        let rule = |path: &&str| {
            format!(
                "path \"{path}\" {{ capabilities = [\"read\", \"list\"] }}\n\
                     path \"{path}/*\" {{ capabilities = [\"read\", \"list\"] }}\n"
            )
        };
        let rules: String = paths.iter().map(rule).collect();
        self.put_policy(name, &rules).await
    }

    /// A new token: `ttl` such as `5s`, renewable or not, without a parent.
    pub async fn create_token(
        &self,
        policies: &[&str],
        ttl: &str,
        renewable: bool,
    ) -> Result<String, VaultError> {
        let path = "auth/token/create-orphan";
        let body = json!({
            "policies": policies,
            "ttl": ttl,
            "renewable": renewable,
            "no_default_policy": false,
        });
        let answer = self.post(path, body).await?;
        text(&answer, path, "/auth/client_token")
    }

    /// Ends a token.
    pub async fn revoke_token(&self, token: &str) -> Result<(), VaultError> {
        self.post("auth/token/revoke", json!({"token": token}))
            .await?;
        Ok(())
    }

    /// Mounts an authentication method, such as `approle` at `approle`.
    pub async fn enable_auth(&self, mount: &str, kind: &str) -> Result<(), VaultError> {
        self.post(&format!("sys/auth/{mount}"), json!({"type": kind}))
            .await?;
        Ok(())
    }

    /// Makes a role at a mounted AppRole method, and one secret id. `settings` are further fields
    /// of the role, such as `token_ttl`.
    pub async fn create_approle(
        &self,
        mount: &str,
        role: &str,
        policies: &[&str],
        settings: Value,
    ) -> Result<AppRole, VaultError> {
        let base = format!("auth/{mount}/role/{role}");
        let mut body = json!({"token_policies": policies});
        merge(&mut body, settings);
        self.post(&base, body).await?;
        let role_path = format!("{base}/role-id");
        let answer = self.ask(Method::GET, &role_path, None).await?;
        let role_id = text(&answer, &role_path, "/data/role_id")?;
        let secret_id = self.create_secret_id(mount, role).await?;
        Ok(AppRole { role_id, secret_id })
    }

    /// One more secret id of an AppRole.
    pub async fn create_secret_id(&self, mount: &str, role: &str) -> Result<String, VaultError> {
        let path = format!("auth/{mount}/role/{role}/secret-id");
        let answer = self.post(&path, json!({})).await?;
        text(&answer, &path, "/data/secret_id")
    }

    /// Sends a POST.
    pub async fn post(&self, path: &str, body: Value) -> Result<Value, VaultError> {
        self.ask(Method::POST, path, Some(body)).await
    }
}

fn pairs<'a>(data: &[(&'a str, &'a str)]) -> BTreeMap<&'a str, &'a str> {
    data.iter().copied().collect()
}

fn merge(body: &mut Value, more: Value) {
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
}

pub(super) fn text(answer: &Value, path: &str, field: &'static str) -> Result<String, VaultError> {
    let found = answer.pointer(field).and_then(Value::as_str);
    found.map(str::to_owned).ok_or_else(|| VaultError::Lack {
        path: path.to_owned(),
        field,
    })
}
