//! `spec.provider.vault`, checked.

use penstock_domain::api::vault::{RoleId, VaultAppRoleAuth, VaultLogin, VaultProvider};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::RemotePath;
use penstock_domain::stores::{Credentials, StoreObject, TokenRequest};

use super::answer::KvVersion;
use super::error::VaultError;
use crate::credential_hash::hash_of;
use crate::http::tls::TlsSettings;
use crate::settings::{Named, ReadSettings, trimmed};

const DEFAULT_MOUNT: &str = "secret";
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
        let named = Named::of(store, credentials)?;
        let places = (
            &provider.ca_bundle,
            &provider.ca_secret_ref,
            &provider.ca_config_map_ref,
        );
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
                ca: named.authorities(places).await?,
                server_name: provider.tls_server_name.clone(),
                identity: None,
            },
            method: method(&named, provider).await?,
        })
    }

    /// Names what was fetched without telling it: reads are shared only under equal credentials.
    pub(super) fn credential_hash(&self) -> [u8; 32] {
        let login: [&[u8]; 2] = match &self.method {
            Method::Token(token) => [token.expose(), b""],
            Method::AppRole {
                role_id, secret_id, ..
            } => [role_id.expose(), secret_id.expose()],
            Method::Kubernetes { role, request, .. } => {
                [role.as_bytes(), request.service_account.as_str().as_bytes()]
            }
        };
        let authorities = self.tls.ca.as_deref().unwrap_or_default();
        hash_of([authorities].into_iter().chain(login))
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
    ReadSettings::field(field, message).into()
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

async fn method(named: &Named<'_>, provider: &VaultProvider) -> Result<Method, VaultError> {
    let login = provider
        .auth
        .variant()
        .map_err(|error| wrong("auth", error.to_string()))?;
    match login {
        VaultLogin::Token(token) => {
            let token = named.token("auth.token.secretRef", &token.secret_ref);
            Ok(Method::Token(token.await?))
        }
        VaultLogin::AppRole(role) => app_role(named, role).await,
        VaultLogin::Kubernetes(auth) => {
            let mount = auth.mount.as_deref().unwrap_or("kubernetes");
            Ok(Method::Kubernetes {
                mount: parse_mount(mount)
                    .ok_or_else(|| wrong("auth.kubernetes.mount", NO_MOUNT))?,
                role: auth.role.clone(),
                request: named.token_request(&auth.service_account)?,
            })
        }
    }
}

async fn app_role(named: &Named<'_>, role: &VaultAppRoleAuth) -> Result<Method, VaultError> {
    let mount = role.mount.as_deref().unwrap_or("approle");
    let role_id = role
        .variant()
        .map_err(|error| wrong("auth.appRole", error.to_string()))?;
    let role_id = match role_id {
        RoleId::Inline(text) => trimmed(&SecretValue::from(text.expose())),
        RoleId::Reference(reference) => named.token("auth.appRole.roleIdRef", reference).await?,
    };
    let secret_id = named
        .token("auth.appRole.secretIdRef", &role.secret_id_ref)
        .await?;
    Ok(Method::AppRole {
        mount: parse_mount(mount).ok_or_else(|| wrong("auth.appRole.mount", NO_MOUNT))?,
        role_id,
        secret_id,
    })
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
}
