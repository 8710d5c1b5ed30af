//! `spec.provider.vault`, checked.

use penstock_domain::api::vault::{
    JwtOrigin, RoleId, VaultAppRoleAuth, VaultCertAuth, VaultJwtAuth, VaultLogin, VaultProvider,
    VaultUserpassAuth,
};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::RemotePath;
use penstock_domain::stores::{Credentials, StoreObject, TokenRequest};
use zeroize::Zeroizing;

use super::answer::KvVersion;
use super::error::VaultError;
use super::wrapping::Wrapped;
use crate::credential_hash::hash_of;
use crate::http::tls::{ClientIdentity, TlsSettings};
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
        secret_id: SecretId,
    },
    /// A ServiceAccount of Kubernetes; its token is requested for each login.
    Kubernetes {
        mount: RemotePath,
        role: String,
        request: TokenRequest,
    },
    /// A JSON Web Token.
    Jwt {
        mount: RemotePath,
        role: Option<String>,
        jwt: Jwt,
    },
    /// A user name and a password.
    Userpass {
        mount: RemotePath,
        username: String,
        password: SecretValue,
    },
    /// The client certificate of the connection.
    Cert {
        mount: RemotePath,
        role: Option<String>,
    },
}

/// The secret id of an AppRole.
pub(super) enum SecretId {
    /// As it is.
    Plain(SecretValue),
    /// Behind a token that is good for one look at it.
    Wrapped(Wrapped),
}

/// A JSON Web Token.
pub(super) enum Jwt {
    /// One that somebody made.
    Given(SecretValue),
    /// A ServiceAccount's, requested for each login.
    Requested(TokenRequest),
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
                identity: identity(&named, provider).await?,
            },
            method: method(&named, provider).await?,
        })
    }

    /// Names what was fetched without telling it: reads are shared only under equal credentials.
    pub(super) fn credential_hash(&self) -> [u8; 32] {
        let account = |request: &'_ TokenRequest| request.service_account.as_str().to_owned();
        let (kind, parts): (&str, Vec<Vec<u8>>) = match &self.method {
            Method::Token(token) => ("token", vec![token.expose().to_vec()]),
            Method::AppRole {
                role_id, secret_id, ..
            } => {
                let secret_id = match secret_id {
                    SecretId::Plain(value) => value.expose(),
                    SecretId::Wrapped(wrapped) => wrapped.token().expose(),
                };
                (
                    "appRole",
                    vec![role_id.expose().to_vec(), secret_id.to_vec()],
                )
            }
            Method::Kubernetes { role, request, .. } => (
                "kubernetes",
                vec![role.clone().into_bytes(), account(request).into_bytes()],
            ),
            Method::Jwt { jwt, .. } => match jwt {
                Jwt::Given(token) => ("jwt", vec![token.expose().to_vec()]),
                Jwt::Requested(request) => ("jwtOf", vec![account(request).into_bytes()]),
            },
            Method::Userpass {
                username, password, ..
            } => (
                "userpass",
                vec![username.clone().into_bytes(), password.expose().to_vec()],
            ),
            Method::Cert { .. } => ("cert", Vec::new()),
        };
        let parts: Vec<Zeroizing<Vec<u8>>> = parts.into_iter().map(Zeroizing::new).collect();
        let identity = self.tls.identity.as_ref();
        let certificates = identity.map_or(&b""[..], |identity| &identity.certificates);
        let key = identity.map_or(&b""[..], |identity| identity.key.expose());
        let authorities = self.tls.ca.as_deref().unwrap_or_default();
        let fixed = [authorities, kind.as_bytes(), certificates, key];
        hash_of(
            fixed
                .into_iter()
                .chain(parts.iter().map(|part| part.as_slice())),
        )
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
        VaultLogin::Kubernetes(auth) => Ok(Method::Kubernetes {
            mount: mount(auth.mount.as_deref(), "kubernetes", "auth.kubernetes.mount")?,
            role: auth.role.clone(),
            request: named
                .token_request("auth.kubernetes.serviceAccount", &auth.service_account)?,
        }),
        VaultLogin::Jwt(auth) => jwt(named, auth).await,
        VaultLogin::Userpass(auth) => userpass(named, auth).await,
        VaultLogin::Cert(auth) => Ok(Method::Cert {
            mount: mount(auth.mount.as_deref(), "cert", "auth.cert.mount")?,
            role: auth.role.clone(),
        }),
    }
}

fn mount(given: Option<&str>, usual: &str, field: &'static str) -> Result<RemotePath, VaultError> {
    parse_mount(given.unwrap_or(usual)).ok_or_else(|| wrong(field, NO_MOUNT))
}

async fn app_role(named: &Named<'_>, role: &VaultAppRoleAuth) -> Result<Method, VaultError> {
    let role_id = role
        .variant()
        .map_err(|error| wrong("auth.appRole", error.to_string()))?;
    let role_id = match role_id {
        RoleId::Inline(text) => trimmed(&SecretValue::from(text.expose())),
        RoleId::Reference(reference) => named.token("auth.appRole.roleIdRef", reference).await?,
    };
    let fetched = named
        .token("auth.appRole.secretIdRef", &role.secret_id_ref)
        .await?;
    Ok(Method::AppRole {
        mount: mount(role.mount.as_deref(), "approle", "auth.appRole.mount")?,
        role_id,
        secret_id: if role.wrapped.unwrap_or_default() {
            SecretId::Wrapped(Wrapped::new(fetched))
        } else {
            SecretId::Plain(fetched)
        },
    })
}

async fn jwt(named: &Named<'_>, auth: &VaultJwtAuth) -> Result<Method, VaultError> {
    let origin = auth
        .variant()
        .map_err(|error| wrong("auth.jwt", error.to_string()))?;
    Ok(Method::Jwt {
        mount: mount(auth.mount.as_deref(), "jwt", "auth.jwt.mount")?,
        role: auth.role.clone(),
        jwt: match origin {
            JwtOrigin::Secret(reference) => {
                Jwt::Given(named.token("auth.jwt.secretRef", reference).await?)
            }
            JwtOrigin::ServiceAccount(account) => {
                Jwt::Requested(named.token_request("auth.jwt.serviceAccount", account)?)
            }
        },
    })
}

async fn userpass(named: &Named<'_>, auth: &VaultUserpassAuth) -> Result<Method, VaultError> {
    // It becomes a segment of the path.
    let is_segment = RemotePath::parse(&auth.username)
        .is_ok_and(|path| path.segments().len() == 1 && path.to_text() == auth.username);
    if !is_segment {
        return Err(wrong(
            "auth.userpass.username",
            "must be a name without `/`",
        ));
    }
    Ok(Method::Userpass {
        mount: mount(auth.mount.as_deref(), "userpass", "auth.userpass.mount")?,
        username: auth.username.clone(),
        password: named
            .token("auth.userpass.passwordRef", &auth.password_ref)
            .await?,
    })
}

/// Who we are to the server's TLS, where the login asks for it.
async fn identity(
    named: &Named<'_>,
    provider: &VaultProvider,
) -> Result<Option<ClientIdentity>, VaultError> {
    let Some(VaultCertAuth {
        certificate_ref,
        key_ref,
        ..
    }) = &provider.auth.cert
    else {
        return Ok(None);
    };
    if provider.address.starts_with("http://") {
        return Err(wrong(
            "auth.cert",
            "needs an address that begins with https://",
        ));
    }
    let certificates = named
        .secret("auth.cert.certificateRef", certificate_ref)
        .await?;
    Ok(Some(ClientIdentity {
        certificates: certificates.expose().to_vec(),
        key: named.secret("auth.cert.keyRef", key_ref).await?,
    }))
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
