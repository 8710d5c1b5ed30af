//! The requests around tokens: logging in, renewing, revoking.
//!
//! Routes and shapes: `identity-universal-auth-router.ts`, `identity-kubernetes-auth-router.ts` and
//! `identity-access-token-router.ts` of the server.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::Credentials;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::answer::{self, Rejection};
use super::error::InfisicalError;
use super::settings::Method;
use crate::http::client::{HttpClient, Request, Response};
use crate::session::{Grant, Issuer, Renewal, Token, lease};

const UNIVERSAL_HINT: &str = "Check client id and client secret: it may be revoked, expired, used up or bound to other addresses; three failures lock the identity for five minutes";
const KUBERNETES_HINT: &str = "Check the identity's id and what it allows: ServiceAccount, namespace, audience and who reviews tokens";
const TOKEN_HINT: &str = "The service token is unknown, expired or revoked";
const FRESH_HINT: &str = "A token that was given out a moment ago is refused: check the identity's trusted addresses for access tokens";

/// The server locks an identity after three failures that lie less than 30 s apart each: no two of ours do.
const AFTER_REFUSAL: Duration = Duration::from_secs(35);
/// A throttled server that names no time is left alone for so long, and up to a sixth longer: its window.
const UNNAMED_WAIT: Duration = Duration::from_mins(1);

/// Everything needed to log in to one server.
pub(super) struct Login {
    pub(super) http: HttpClient,
    pub(super) method: Method,
    pub(super) credentials: Arc<dyn Credentials>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UniversalLogin<'a> {
    client_id: &'a str,
    client_secret: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KubernetesLogin<'a> {
    identity_id: &'a str,
    jwt: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WithToken<'a> {
    access_token: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Granted {
    access_token: Zeroizing<String>,
    expires_in: u64,
    #[serde(default, rename = "accessTokenMaxTTL")]
    max_ttl: u64,
    token_type: String,
}

impl Login {
    /// Sends a request; what is not an answer is an error. A server that throttles is left alone, also when it
    /// names the time elsewhere than in the header, or not at all.
    pub(super) async fn send(
        &self,
        request: Request,
        token: Option<&SecretValue>,
    ) -> Result<Response, InfisicalError> {
        let failed = |source| InfisicalError::Send {
            host: self.http.host().to_owned(),
            source,
        };
        let mut request = request
            .header("accept", "application/json")
            .map_err(failed)?;
        if let Some(token) = token {
            let bearer = SecretValue::new([b"Bearer ", token.expose()].concat());
            request = request
                .credential("authorization", &bearer)
                .map_err(failed)?;
        }
        let response = self.http.send(&request).await.map_err(failed)?;
        if response.status == http::StatusCode::TOO_MANY_REQUESTS && response.retry_after.is_none()
        {
            self.http.pause(wait_of(&response));
        }
        Ok(response)
    }

    /// What a refused token means: the one that somebody gave us is no good, or the one that the server has
    /// just given out is not taken.
    pub(super) fn refused_token(&self) -> InfisicalError {
        InfisicalError::LogIn {
            hint: if self.is_given() {
                TOKEN_HINT
            } else {
                FRESH_HINT
            },
        }
    }

    async fn exchange(
        &self,
        method: &'static str,
        body: &impl Serialize,
        hint: &'static str,
    ) -> Result<Grant, InfisicalError> {
        let json = serde_json::to_vec(body).map_err(|_| InfisicalError::LogIn { hint })?;
        let request = Request::post(["api", "v1", "auth", method, "login"], Zeroizing::new(json));
        let response = self.send(request, None).await?;
        grant(&response).map_err(|rejection| match rejection {
            Rejection::BadRequest
            | Rejection::DeadToken
            | Rejection::Denied
            | Rejection::Missing
            | Rejection::Unprocessable => InfisicalError::LogIn { hint },
            other => InfisicalError::read("the login", other, &response),
        })
    }

    fn about_token(verb: &'static str, token: &SecretValue) -> Option<Request> {
        let body = WithToken {
            access_token: token.expose_text()?,
        };
        let json = serde_json::to_vec(&body).ok()?;
        let segments = ["api", "v1", "auth", "token", verb];
        Some(Request::post(segments, Zeroizing::new(json)))
    }
}

#[async_trait]
impl Issuer for Login {
    type Error = InfisicalError;

    async fn log_in(&self) -> Result<Grant, InfisicalError> {
        match &self.method {
            // What it may, the first read will tell.
            Method::ServiceToken(token) => Ok(Grant::unknown(token)),
            Method::Universal {
                client_id,
                client_secret,
            } => {
                let body = UniversalLogin {
                    client_id: readable(client_id)?,
                    client_secret: readable(client_secret)?,
                };
                self.exchange("universal-auth", &body, UNIVERSAL_HINT).await
            }
            Method::Kubernetes {
                identity_id,
                request,
            } => {
                let jwt = self
                    .credentials
                    .service_account_token(request)
                    .await
                    .map_err(InfisicalError::Credentials)?;
                let body = KubernetesLogin {
                    identity_id,
                    jwt: readable(&jwt)?,
                };
                self.exchange("kubernetes-auth", &body, KUBERNETES_HINT)
                    .await
            }
        }
    }

    /// The server answers a renewal with the same token, and deletes a token whose renewal it refuses.
    async fn renew(&self, token: &Token) -> Renewal {
        let Some(request) = Self::about_token("renew", token.value()) else {
            return Renewal::Ends;
        };
        match self.send(request, None).await {
            Ok(response) => match grant(&response) {
                Ok(grant) => Renewal::Granted(grant),
                Err(
                    Rejection::BadRequest
                    | Rejection::DeadToken
                    | Rejection::Denied
                    | Rejection::Missing
                    | Rejection::Unprocessable,
                ) => Renewal::Dead,
                Err(_) => Renewal::Postponed,
            },
            Err(_) => Renewal::Postponed,
        }
    }

    async fn revoke(&self, token: &SecretValue) {
        if let Some(request) = Self::about_token("revoke", token) {
            self.send(request, None).await.ok();
        }
    }

    fn is_given(&self) -> bool {
        matches!(self.method, Method::ServiceToken(_))
    }

    fn wait_after(&self, error: &InfisicalError) -> Duration {
        match error {
            InfisicalError::LogIn { .. } => AFTER_REFUSAL,
            _ => Duration::from_secs(1),
        }
    }
}

fn readable(value: &SecretValue) -> Result<&str, InfisicalError> {
    value.expose_text().ok_or(InfisicalError::LogIn {
        hint: "The credential is no text",
    })
}

fn grant(response: &Response) -> Result<Grant, Rejection> {
    let status = response.status.as_u16();
    let granted: Granted = answer::read(answer::good(status, response.body())?)?;
    if !granted.token_type.eq_ignore_ascii_case("bearer") || granted.access_token.is_empty() {
        return Err(Rejection::Unbelievable(status));
    }
    Ok(Grant {
        token: SecretValue::new(granted.access_token.as_bytes()),
        lease: lease(granted.expires_in),
        limit: lease(granted.max_ttl),
        renewable: true,
        uses: None,
    })
}

/// How long a throttled answer without the header asks to wait.
pub(super) fn wait_of(response: &Response) -> Duration {
    let named = match answer::good(response.status.as_u16(), response.body()) {
        Err(Rejection::Throttled(named)) => named,
        _ => None,
    };
    response.retry_after.or(named).map_or_else(
        || UNNAMED_WAIT.mul_f64(1.0 + crate::http::retry::random_unit() / 6.0),
        |wait| wait.min(penstock_domain::fault::MAX_RETRY_AFTER),
    )
}
