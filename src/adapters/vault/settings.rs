//! `spec.provider.vault`, checked.

use penstock_domain::api::shared::{ConfigMapKeyRef, SecretKeyRef};
use penstock_domain::api::store::Identity;
use penstock_domain::api::vault::{
    RoleId, ServiceAccountRef, VaultAppRoleAuth, VaultKubernetesAuth, VaultLogin, VaultProvider,
};
use penstock_domain::names::ObjectName;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::RemotePath;
use penstock_domain::stores::{Credentials, StoreObject, TokenRequest};
use sha2::{Digest as _, Sha256};

use super::answer::KvVersion;
use super::error::VaultError;
use crate::http::tls::TlsSettings;

const DEFAULT_MOUNT: &str = "secret";
/// How long a ServiceAccount's token for one login lives: the shortest that Kubernetes gives out.
const TOKEN_LIFETIME_SECONDS: i64 = 600;

/// What a store needs besides the server.
pub(super) struct Settings {
    /// The namespace header.
    pub(super) namespace: Option<String>,
    /// The mount that is read unless a source says otherwise.
    pub(super) mount: RemotePath,
    /// The version of the engine, where it is given.
    pub(super) kv_version: Option<KvVersion>,
    /// TLS.
    pub(super) tls: TlsSettings,
    /// How to log in.
    pub(super) method: Method,
}

/// How to log in, with everything that is needed for it.
pub(super) enum Method {
    /// A token that somebody made.
    Token(SecretValue),
    /// An AppRole.
    AppRole {
        mount: RemotePath,
        role_id: SecretValue,
        secret_id: SecretValue,
    },
    /// A ServiceAccount of Kubernetes; its token is requested for each login.
    Kubernetes {
        mount: RemotePath,
        role: String,
        request: TokenRequest,
    },
}

impl Settings {
    /// Checks the spec and fetches what it names.
    pub(super) async fn read(
        store: &StoreObject,
        provider: &VaultProvider,
        credentials: &dyn Credentials,
    ) -> Result<Self, VaultError> {
        if store.identity == Identity::Operator {
            return Err(wrong(
                "auth",
                "the operator's own identity goes to the API server alone: set identity: credentials",
            ));
        }
        let fetch = Fetch { store, credentials };
        Ok(Self {
            namespace: namespace(provider)?,
            mount: own_mount(provider)?,
            kv_version: match provider.kv_version {
                None => None,
                Some(1) => Some(KvVersion::One),
                Some(2) => Some(KvVersion::Two),
                Some(_) => return Err(wrong("kvVersion", "must be 1 or 2")),
            },
            tls: TlsSettings {
                ca: fetch.authorities(provider).await?,
                server_name: provider.tls_server_name.clone(),
                identity: None,
            },
            method: fetch.method(provider).await?,
        })
    }

    /// Names what was fetched without telling it: reads are shared only under equal credentials.
    pub(super) fn credential_hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut absorb = |part: &[u8]| {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        };
        absorb(self.tls.ca.as_deref().unwrap_or_default());
        match &self.method {
            Method::Token(token) => absorb(token.expose()),
            Method::AppRole {
                role_id, secret_id, ..
            } => {
                absorb(role_id.expose());
                absorb(secret_id.expose());
            }
            Method::Kubernetes { role, request, .. } => {
                absorb(role.as_bytes());
                absorb(request.service_account.as_str().as_bytes());
            }
        }
        hash.finalize().into()
    }
}

const NO_MOUNT: &str = "must be a path such as `secret` or `team/kv`";

/// The mount that is read unless a source says otherwise.
pub(super) fn own_mount(provider: &VaultProvider) -> Result<RemotePath, VaultError> {
    let mount = provider.mount.as_deref().unwrap_or(DEFAULT_MOUNT);
    parse_mount(mount).ok_or_else(|| wrong("mount", NO_MOUNT))
}

/// A mount: segments between slashes, a slash at either end does not matter.
pub(super) fn parse_mount(text: &str) -> Option<RemotePath> {
    let mount = RemotePath::parse(text.strip_suffix('/').unwrap_or(text)).ok()?;
    (!mount.segments().is_empty() && !mount.is_folder()).then_some(mount)
}

fn wrong(field: &'static str, message: impl Into<String>) -> VaultError {
    VaultError::Settings {
        field,
        message: message.into(),
    }
}

fn namespace(provider: &VaultProvider) -> Result<Option<String>, VaultError> {
    let Some(namespace) = &provider.namespace else {
        return Ok(None);
    };
    match RemotePath::parse(namespace) {
        Ok(path) if path.segments().is_empty() => Ok(None),
        Ok(path) if namespace.is_ascii() => Ok(Some(path.to_text())),
        _ => Err(wrong("namespace", "must be a path such as `team/a`")),
    }
}

struct Fetch<'a> {
    store: &'a StoreObject,
    credentials: &'a dyn Credentials,
}

impl Fetch<'_> {
    async fn authorities(&self, provider: &VaultProvider) -> Result<Option<Vec<u8>>, VaultError> {
        let places = (
            &provider.ca_bundle,
            &provider.ca_secret_ref,
            &provider.ca_config_map_ref,
        );
        match places {
            (None, None, None) => Ok(None),
            (Some(bundle), None, None) => Ok(Some(bundle.clone().into_bytes())),
            (None, Some(reference), None) => {
                let value = self.secret("caSecretRef", reference).await?;
                Ok(Some(value.expose().to_vec()))
            }
            (None, None, Some(reference)) => {
                let text = self.config_map("caConfigMapRef", reference).await?;
                Ok(Some(text.into_bytes()))
            }
            _ => Err(wrong(
                "caBundle",
                "set one of caBundle, caSecretRef, caConfigMapRef",
            )),
        }
    }

    async fn method(&self, provider: &VaultProvider) -> Result<Method, VaultError> {
        let login = provider
            .auth
            .variant()
            .map_err(|error| wrong("auth", error.to_string()))?;
        match login {
            VaultLogin::Token(token) => {
                let token = self
                    .secret("auth.token.secretRef", &token.secret_ref)
                    .await?;
                Ok(Method::Token(trimmed(&token)))
            }
            VaultLogin::AppRole(role) => self.app_role(role).await,
            VaultLogin::Kubernetes(kubernetes) => self.kubernetes(kubernetes),
        }
    }

    async fn app_role(&self, role: &VaultAppRoleAuth) -> Result<Method, VaultError> {
        let mount = role.mount.as_deref().unwrap_or("approle");
        let role_id = role
            .variant()
            .map_err(|error| wrong("auth.appRole", error.to_string()))?;
        let role_id = match role_id {
            RoleId::Inline(text) => SecretValue::from(text.expose()),
            RoleId::Reference(reference) => {
                self.secret("auth.appRole.roleIdRef", reference).await?
            }
        };
        let secret_id = self
            .secret("auth.appRole.secretIdRef", &role.secret_id_ref)
            .await?;
        Ok(Method::AppRole {
            mount: parse_mount(mount).ok_or_else(|| wrong("auth.appRole.mount", NO_MOUNT))?,
            role_id: trimmed(&role_id),
            secret_id: trimmed(&secret_id),
        })
    }

    fn kubernetes(&self, auth: &VaultKubernetesAuth) -> Result<Method, VaultError> {
        let mount = auth.mount.as_deref().unwrap_or("kubernetes");
        let account = &auth.service_account;
        let service_account = ObjectName::new(account.name.as_str())
            .map_err(|error| wrong("auth.kubernetes.serviceAccount.name", error.to_string()))?;
        Ok(Method::Kubernetes {
            mount: parse_mount(mount).ok_or_else(|| wrong("auth.kubernetes.mount", NO_MOUNT))?,
            role: auth.role.clone(),
            request: TokenRequest {
                namespace: self.store.home.clone(),
                service_account,
                audiences: audiences(self.store, account)?,
                store: self.store.reference.name.clone(),
                lifetime_seconds: TOKEN_LIFETIME_SECONDS,
            },
        })
    }

    async fn secret(
        &self,
        field: &'static str,
        reference: &SecretKeyRef,
    ) -> Result<SecretValue, VaultError> {
        let name = ObjectName::new(reference.name.as_str())
            .map_err(|error| wrong(field, error.to_string()))?;
        self.credentials
            .secret_key(&self.store.home, &name, &reference.key)
            .await
            .map_err(VaultError::Credentials)
    }

    async fn config_map(
        &self,
        field: &'static str,
        reference: &ConfigMapKeyRef,
    ) -> Result<String, VaultError> {
        let name = ObjectName::new(reference.name.as_str())
            .map_err(|error| wrong(field, error.to_string()))?;
        self.credentials
            .config_map_key(&self.store.home, &name, &reference.key)
            .await
            .map_err(VaultError::Credentials)
    }
}

/// Whom a ServiceAccount's token is for: the store's own audience unless others are given. An empty list,
/// or an audience of the API server, would make a token that opens the cluster.
fn audiences(store: &StoreObject, account: &ServiceAccountRef) -> Result<Vec<String>, VaultError> {
    if account.audiences.is_empty() {
        let reference = &store.reference;
        return Ok(vec![if store.is_cluster() {
            format!("ClusterSecretStore/{}", reference.name)
        } else {
            format!("SecretStore/{}/{}", store.home, reference.name)
        }]);
    }
    let cluster = |audience: &String| {
        let name = audience.trim().trim_start_matches("https://");
        name.is_empty() || name == "api" || name.starts_with("kubernetes.default")
    };
    if account.audiences.iter().any(cluster) {
        return Err(wrong(
            "auth.kubernetes.serviceAccount.audiences",
            "must not be empty texts or audiences of the API server",
        ));
    }
    Ok(account.audiences.clone())
}

/// Without blanks and line breaks at the ends, which editors and `echo` leave behind.
fn trimmed(value: &SecretValue) -> SecretValue {
    SecretValue::new(value.expose().trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_paths_without_tricks() {
        for text in ["secret", "secret/", "/secret/", "team/kv"] {
            assert!(parse_mount(text).is_some(), "{text}");
        }
        for text in ["", "/", "//", "a//b", "..", "secret/../sys", "%2e%2e"] {
            assert!(parse_mount(text).is_none(), "{text}");
        }
    }

    #[test]
    fn line_breaks_around_a_token_are_not_part_of_it() {
        assert_eq!(
            trimmed(&SecretValue::from(" s.abc\r\n")),
            SecretValue::from("s.abc")
        );
    }
}
