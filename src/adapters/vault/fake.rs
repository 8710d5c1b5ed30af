//! A small Vault for tests. It refuses what the real one refuses; the real one is asked by the
//! integration tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use penstock_domain::api::shared::{SecretKeyRef, ServiceAccountRef};
use penstock_domain::api::store::{Identity, Provider};
use penstock_domain::api::vault::{
    VaultAppRoleAuth, VaultAuth, VaultKubernetesAuth, VaultProvider, VaultTokenAuth,
};
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::stores::{StoreLimits, StoreObject};
use penstock_domain::sync::{StoreKind, StoreReference};
use serde_json::{Value, json};

use crate::http::test_server::{Received, Reply, TestServer};

/// What the server holds and how it behaves.
#[derive(Default)]
pub(crate) struct Model {
    /// Secrets of the KV 2 engine at `secret`, by path.
    pub(crate) secrets: BTreeMap<String, Value>,
    /// Secrets with metadata and no version.
    pub(crate) unwritten: BTreeSet<String>,
    /// Secrets whose newest version is deleted.
    pub(crate) deleted: BTreeSet<String>,
    /// Listed, and gone when asked for.
    pub(crate) vanishing: BTreeSet<String>,
    /// Paths that no token may read.
    pub(crate) denied: BTreeSet<String>,
    /// Tokens that live.
    pub(crate) tokens: BTreeSet<String>,
    /// The secret id that is accepted.
    pub(crate) secret_id: String,
    /// `lease_duration` of what is given out.
    pub(crate) lease: u64,
    /// `num_uses` of what is given out.
    pub(crate) uses: u64,
    /// Answers this to everything.
    pub(crate) instead: Option<Reply>,
    /// Answers 503 to everything.
    pub(crate) sealed: bool,
    /// Answers another version than was asked for.
    pub(crate) lies_about_version: bool,
    logins: u64,
}

/// A running server.
pub(crate) struct FakeVault {
    pub(crate) server: TestServer,
    model: Arc<Mutex<Model>>,
}

impl FakeVault {
    pub(crate) async fn start() -> Self {
        let model = Arc::new(Mutex::new(Model {
            secret_id: "secret-id-1".to_owned(),
            lease: 3600,
            ..Model::default()
        }));
        let own = Arc::clone(&model);
        let server = TestServer::http(move |request| own.lock().unwrap().answer(request)).await;
        Self { server, model }
    }

    pub(crate) fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap()
    }

    pub(crate) fn put(&self, path: &str, fields: Value) {
        self.model().secrets.insert(path.to_owned(), fields);
    }

    /// How many requests of this method have asked for something that starts so.
    pub(crate) fn count(&self, method: &str, target: &str) -> usize {
        self.server
            .seen()
            .iter()
            .filter(|seen| seen.method == method && seen.target.starts_with(target))
            .count()
    }

    pub(crate) fn logins(&self) -> usize {
        self.count("POST", "/v1/auth/approle/login")
    }

    /// A store of the namespace `prod` on this server.
    pub(crate) fn store(&self, auth: VaultAuth) -> StoreObject {
        StoreObject {
            reference: StoreReference {
                kind: StoreKind::Namespaced,
                name: ObjectName::new("openbao").unwrap(),
            },
            home: NamespaceName::new("prod").unwrap(),
            uid: "u-1".to_owned(),
            generation: 1,
            provider: Provider {
                vault: Some(VaultProvider {
                    address: self.server.url(),
                    auth,
                    ..VaultProvider::default()
                }),
                ..Provider::default()
            },
            limits: StoreLimits::default(),
            identity: Identity::Credentials,
            allow: Vec::new(),
        }
    }
}

fn errors(status: u16, errors: &[&str]) -> Reply {
    Reply::json(status, &json!({ "errors": errors }))
}

fn envelope(status: u16, data: &Value, auth: &Value) -> Reply {
    let body = json!({
        "request_id": "r", "lease_id": "", "renewable": false, "lease_duration": 0,
        "data": data, "wrap_info": null, "warnings": null, "auth": auth,
    });
    Reply::json(status, &body)
}

impl Model {
    fn answer(&mut self, request: &Received) -> Reply {
        if let Some(reply) = &self.instead {
            return reply.clone();
        }
        if self.sealed {
            return errors(503, &["Vault is sealed"]);
        }
        let (path, query) = request
            .target
            .split_once('?')
            .unwrap_or((&request.target, ""));
        let path = path.strip_prefix("/v1/").unwrap_or_default();
        if let Some(reply) = self.log_in(path, request) {
            return reply;
        }
        let token = request.header("x-vault-token").unwrap_or_default();
        if !self.tokens.contains(token) || self.denied.contains(path) {
            return errors(403, &["1 error occurred:\n\t* permission denied\n\n"]);
        }
        match (request.method.as_str(), path) {
            ("GET", "auth/token/lookup-self") => {
                let data = json!({"ttl": self.lease, "renewable": self.lease > 0});
                envelope(200, &data, &Value::Null)
            }
            ("POST", "auth/token/renew-self") => {
                let auth = self.grant(token);
                envelope(200, &Value::Null, &auth)
            }
            ("POST", "auth/token/revoke-self") => {
                self.tokens.remove(token);
                Reply::new(204, "")
            }
            ("GET", _) => self.read(path, query),
            _ => errors(405, &["unsupported operation"]),
        }
    }

    fn log_in(&mut self, path: &str, request: &Received) -> Option<Reply> {
        let body = request.json();
        let accepted = match path {
            "auth/approle/login" => {
                body["role_id"] == "role-id" && body["secret_id"] == self.secret_id.as_str()
            }
            "auth/kubernetes/login" => {
                body["role"] == "reader" && body["jwt"] == "jwt for SecretStore/prod/openbao"
            }
            _ => return None,
        };
        if !accepted {
            return Some(errors(400, &["invalid role or secret ID"]));
        }
        self.logins += 1;
        let token = format!("s.{}", self.logins);
        self.tokens.insert(token.clone());
        let auth = self.grant(&token);
        Some(envelope(200, &Value::Null, &auth))
    }

    fn grant(&self, token: &str) -> Value {
        json!({
            "client_token": token, "lease_duration": self.lease,
            "renewable": self.lease > 0, "num_uses": self.uses,
        })
    }

    fn read(&self, path: &str, query: &str) -> Reply {
        if let Some(mount) = path.strip_prefix("sys/internal/ui/mounts/") {
            return match mount {
                "secret" => {
                    let data =
                        json!({"path": "secret/", "type": "kv", "options": {"version": "2"}});
                    envelope(200, &data, &Value::Null)
                }
                "database" => {
                    let data = json!({"path": "database/", "type": "database", "options": null});
                    envelope(200, &data, &Value::Null)
                }
                _ => errors(403, &["preflight capability check returned 403"]),
            };
        }
        if let Some(path) = path.strip_prefix("secret/data/") {
            return self.secret(path, query);
        }
        match path.strip_prefix("secret/metadata") {
            Some(folder) if query == "list=true" => self.list(folder.trim_start_matches('/')),
            Some(path) if self.unwritten.contains(path.trim_start_matches('/')) => {
                envelope(200, &json!({"current_version": 0}), &Value::Null)
            }
            Some(_) => errors(404, &[]),
            None => errors(404, &["no handler for route"]),
        }
    }

    fn secret(&self, path: &str, query: &str) -> Reply {
        let metadata = |version: u64, deleted: &str| json!({"version": version, "deletion_time": deleted, "destroyed": false, "custom_metadata": null});
        if self.deleted.contains(path) {
            let data = json!({"data": null, "metadata": metadata(2, "2026-01-01T00:00:00Z")});
            return envelope(404, &data, &Value::Null);
        }
        let asked = query
            .strip_prefix("version=")
            .and_then(|text| text.parse().ok());
        match self.secrets.get(path) {
            Some(fields) => {
                let version = asked.unwrap_or(1) + u64::from(self.lies_about_version);
                let data = json!({"data": fields, "metadata": metadata(version, "")});
                envelope(200, &data, &Value::Null)
            }
            None => errors(404, &[]),
        }
    }

    fn list(&self, folder: &str) -> Reply {
        let all = [&self.unwritten, &self.deleted, &self.vanishing];
        let names = self.secrets.keys().chain(all.into_iter().flatten());
        let prefix = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        let keys: BTreeSet<String> = names
            .filter_map(|path| path.strip_prefix(&prefix))
            .map(|rest| match rest.split_once('/') {
                Some((below, _)) => format!("{below}/"),
                None => rest.to_owned(),
            })
            .collect();
        if keys.is_empty() {
            return errors(404, &[]);
        }
        envelope(200, &json!({ "keys": keys }), &Value::Null)
    }
}

/// Login with the AppRole whose secret id lies in Secret `vault`.
pub(crate) fn app_role() -> VaultAuth {
    VaultAuth {
        app_role: Some(VaultAppRoleAuth {
            role_id: Some("role-id".into()),
            secret_id_ref: secret_ref("secretId"),
            ..VaultAppRoleAuth::default()
        }),
        ..VaultAuth::default()
    }
}

/// Login with the token that lies in Secret `vault`.
pub(crate) fn token() -> VaultAuth {
    VaultAuth {
        token: Some(VaultTokenAuth {
            secret_ref: secret_ref("token"),
        }),
        ..VaultAuth::default()
    }
}

/// Login with ServiceAccount `reader`.
pub(crate) fn service_account(audiences: &[&str]) -> VaultAuth {
    VaultAuth {
        kubernetes: Some(VaultKubernetesAuth {
            role: "reader".to_owned(),
            service_account: ServiceAccountRef {
                name: "reader".to_owned(),
                audiences: audiences.iter().map(|text| (*text).to_owned()).collect(),
            },
            ..VaultKubernetesAuth::default()
        }),
        ..VaultAuth::default()
    }
}

fn secret_ref(key: &str) -> SecretKeyRef {
    SecretKeyRef {
        name: "vault".to_owned(),
        key: key.to_owned(),
    }
}
