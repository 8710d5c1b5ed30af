//! The requests around tokens: logging in, looking up, renewing, revoking.

use std::sync::Arc;

use async_trait::async_trait;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::RemotePath;
use penstock_domain::stores::{Credentials, TokenRequest};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::answer::{self, Rejection};
use super::error::VaultError;
use super::settings::{Jwt, Method, SecretId};
use crate::http::client::{HttpClient, Request, Response};
use crate::session::{Grant, Issuer, Renewal, Token, lease};

const APP_ROLE_HINT: &str =
    "Check the mount, the role id and the secret id, and whether that has expired or been used up";
const KUBERNETES_HINT: &str = "Check the mount and the role: the ServiceAccount, its namespace and the audience that it is bound to";
const JWT_HINT: &str =
    "Check the mount, the role, and the issuer, audience and claims that it is bound to";
const USERPASS_HINT: &str =
    "Check the mount, the user name and the password, and whether the user is locked out";
const CERT_HINT: &str = "Check the mount, the role, and whether it takes this certificate; something that ends TLS before the server hides it";
const TOKEN_HINT: &str =
    "The token is unknown or has expired, or its policies do not let it look itself up";

/// Makes single requests, in a namespace, with or without a token.
pub(super) struct Transport {
    pub(super) http: HttpClient,
    pub(super) namespace: Option<String>,
}

/// Everything needed to log in to one server.
pub(super) struct Login {
    pub(super) transport: Transport,
    pub(super) method: Method,
    pub(super) credentials: Arc<dyn Credentials>,
}

#[async_trait]
impl Issuer for Login {
    type Error = VaultError;

    async fn log_in(&self) -> Result<Grant, VaultError> {
        self.transport.log_in(&self.method, &self.credentials).await
    }

    async fn renew(&self, token: &Token) -> Renewal {
        match self.transport.renew(token.value()).await {
            Ok(grant) => Renewal::Granted(grant),
            Err(error)
                if matches!(
                    error.rejection(),
                    Some(Rejection::Denied | Rejection::BadRequest)
                ) =>
            {
                Renewal::Ends
            }
            Err(_) => Renewal::Postponed,
        }
    }

    async fn revoke(&self, token: &SecretValue) {
        self.transport.revoke(token).await;
    }

    fn is_given(&self) -> bool {
        matches!(self.method, Method::Token(_))
    }
}

#[derive(Deserialize)]
struct Auth {
    client_token: String,
    #[serde(default)]
    lease_duration: u64,
    #[serde(default)]
    renewable: bool,
    #[serde(default)]
    num_uses: u64,
}

#[derive(Deserialize)]
struct Lookup {
    #[serde(default)]
    ttl: u64,
    #[serde(default)]
    renewable: bool,
}

impl Transport {
    /// Sends a request; what is not an answer is an error.
    pub(super) async fn send(
        &self,
        request: Request,
        token: Option<&SecretValue>,
    ) -> Result<Response, VaultError> {
        let failed = |source| VaultError::Send {
            host: self.http.host().to_owned(),
            source,
        };
        // An agent or proxy on the way may insist on it, as a guard against forged requests.
        let mut request = request.header("x-vault-request", "true").map_err(failed)?;
        if let Some(namespace) = &self.namespace {
            request = request
                .header("x-vault-namespace", namespace)
                .map_err(failed)?;
        }
        if let Some(token) = token {
            request = request.credential("x-vault-token", token).map_err(failed)?;
        }
        self.http.send(&request).await.map_err(failed)
    }

    /// Logs in. `credentials` gives the token of a ServiceAccount, fresh for each login.
    pub(super) async fn log_in(
        &self,
        method: &Method,
        credentials: &Arc<dyn Credentials>,
    ) -> Result<Grant, VaultError> {
        match method {
            // A token that may not even look itself up is taken as it is: the first read will tell.
            Method::Token(token) => match self.look_up(token).await {
                Err(VaultError::LogIn { .. }) => Ok(Grant::unknown(token)),
                found => found,
            },
            Method::AppRole {
                mount,
                role_id,
                secret_id,
            } => {
                let secret_id = match secret_id {
                    SecretId::Plain(secret_id) => secret_id.clone(),
                    SecretId::Wrapped(wrapped) => wrapped.open(self, mount).await?,
                };
                let body = AppRoleLogin {
                    role_id: readable(role_id)?,
                    secret_id: readable(&secret_id)?,
                };
                self.exchange((mount, None), &body, APP_ROLE_HINT).await
            }
            Method::Kubernetes {
                mount,
                role,
                request,
            } => {
                let jwt = requested(credentials, request).await?;
                let body = JwtLogin {
                    role: Some(role),
                    jwt: readable(&jwt)?,
                };
                self.exchange((mount, None), &body, KUBERNETES_HINT).await
            }
            Method::Jwt { mount, role, jwt } => {
                let jwt = match jwt {
                    Jwt::Given(jwt) => jwt.clone(),
                    Jwt::Requested(request) => requested(credentials, request).await?,
                };
                let body = JwtLogin {
                    role: role.as_deref(),
                    jwt: readable(&jwt)?,
                };
                self.exchange((mount, None), &body, JWT_HINT).await
            }
            Method::Userpass {
                mount,
                username,
                password,
            } => {
                let body = UserpassLogin {
                    password: readable(password)?,
                };
                self.exchange((mount, Some(username)), &body, USERPASS_HINT)
                    .await
            }
            Method::Cert { mount, role } => {
                let body = CertLogin {
                    name: role.as_deref(),
                };
                self.exchange((mount, None), &body, CERT_HINT).await
            }
        }
    }

    async fn exchange(
        &self,
        (mount, user): (&RemotePath, Option<&str>),
        body: &impl Serialize,
        hint: &'static str,
    ) -> Result<Grant, VaultError> {
        let json = serde_json::to_vec(body).map_err(|_| VaultError::LogIn { hint })?;
        let segments = ["v1", "auth"]
            .into_iter()
            .chain(mount.segments().iter().map(String::as_str))
            .chain(["login"])
            .chain(user);
        let request = Request::post(segments, Zeroizing::new(json));
        let response = self.send(request, None).await?;
        grant(&response).map_err(|rejection| refused(rejection, &response, hint))
    }

    /// What is known about a token that somebody made.
    pub(super) async fn look_up(&self, token: &SecretValue) -> Result<Grant, VaultError> {
        let request = Request::get(["v1", "auth", "token", "lookup-self"]);
        let response = self.send(request, Some(token)).await?;
        let found = answer::data(response.status.as_u16(), response.body()).and_then(|data| {
            serde_json::from_str::<Lookup>(data.get())
                .map_err(|_| Rejection::Unbelievable(response.status.as_u16()))
        });
        match found {
            Ok(found) => Ok(Grant {
                token: token.clone(),
                lease: lease(found.ttl),
                limit: None,
                renewable: found.renewable,
                uses: None,
            }),
            Err(Rejection::Denied) => Err(VaultError::LogIn { hint: TOKEN_HINT }),
            Err(rejection) => Err(VaultError::read(
                "auth/token/lookup-self",
                with_wait(rejection, &response),
            )),
        }
    }

    /// Renews a token.
    pub(super) async fn renew(&self, token: &SecretValue) -> Result<Grant, VaultError> {
        let request = Request::post(
            ["v1", "auth", "token", "renew-self"],
            Zeroizing::new(b"{}".to_vec()),
        );
        let response = self.send(request, Some(token)).await?;
        grant(&response).map_err(|rejection| {
            VaultError::read("auth/token/renew-self", with_wait(rejection, &response))
        })
    }

    /// Revokes a token that we got ourselves. Nothing hangs on it: it would die by itself.
    pub(super) async fn revoke(&self, token: &SecretValue) {
        let request = Request::post(
            ["v1", "auth", "token", "revoke-self"],
            Zeroizing::new(b"{}".to_vec()),
        );
        self.send(request, Some(token)).await.ok();
    }
}

#[derive(Serialize)]
struct AppRoleLogin<'a> {
    role_id: &'a str,
    secret_id: &'a str,
}

#[derive(Serialize)]
struct JwtLogin<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    jwt: &'a str,
}

#[derive(Serialize)]
struct UserpassLogin<'a> {
    password: &'a str,
}

#[derive(Serialize)]
struct CertLogin<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

async fn requested(
    credentials: &Arc<dyn Credentials>,
    request: &TokenRequest,
) -> Result<SecretValue, VaultError> {
    let token = credentials.service_account_token(request).await;
    token.map_err(VaultError::Credentials)
}

pub(super) fn readable(value: &SecretValue) -> Result<&str, VaultError> {
    value.expose_text().ok_or(VaultError::LogIn {
        hint: "The credential is no text",
    })
}

fn grant(response: &Response) -> Result<Grant, Rejection> {
    let status = response.status.as_u16();
    let auth = answer::auth(status, response.body())?;
    let auth: Auth =
        serde_json::from_str(auth.get()).map_err(|_| Rejection::Unbelievable(status))?;
    Ok(Grant {
        token: SecretValue::new(auth.client_token),
        lease: lease(auth.lease_duration),
        limit: None,
        renewable: auth.renewable,
        uses: (auth.num_uses > 0).then_some(auth.num_uses),
    })
}

/// Puts what the header says into a rejection that has room for it.
pub(super) fn with_wait(rejection: Rejection, response: &Response) -> Rejection {
    match rejection {
        Rejection::Throttled(None) => Rejection::Throttled(response.retry_after),
        other => other,
    }
}

/// Login errors differ in text by version and method: 400 and 403 are refusals, 404 and 405 mean that the
/// method is not mounted there.
fn refused(rejection: Rejection, response: &Response, hint: &'static str) -> VaultError {
    match rejection {
        Rejection::Denied | Rejection::BadRequest => VaultError::LogIn { hint },
        Rejection::Missing | Rejection::NoRoute => VaultError::AuthMethod {
            message: "no auth method is mounted where the store says",
        },
        Rejection::WrongEngine => VaultError::AuthMethod {
            message: "the auth method gives no token, or asks for more than the store has",
        },
        other => VaultError::read("auth", with_wait(other, response)),
    }
}
