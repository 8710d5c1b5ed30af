//! Access tokens of Google Cloud: for a key (RFC 7523), for a refresh token (RFC 6749 §6), for somebody else's token
//! (RFC 8693, AIP-4117), the last with an impersonation where it is asked for.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::Credentials;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::answer::{self, Rejection};
use super::document::Document;
use super::settings::{Method, Subject};
use crate::http::ambient::ServiceClient;
use crate::http::client::{HttpClient, Request};
use crate::http::json;
use crate::jwt::{Algorithm, KeyName, SigningKey};
use crate::oauth::{self, LogIn};
use crate::session::{Grant, Issuer, Renewal, Token, lease};

/// What a token is for.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// Whom an assertion is for, wherever it is sent: Google's own libraries name nobody else.
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
/// How long an assertion is good, in seconds; Google takes an hour at most.
const ASSERTION_SECONDS: i64 = 600;
/// How long an impersonation lasts.
const IMPERSONATION: &str = "3600s";

/// Everything needed to log in.
pub(super) struct Login {
    pub(super) method: Method,
    /// Where keys and refresh tokens go.
    pub(super) oauth2: HttpClient,
    /// Where tokens are exchanged.
    pub(super) sts: HttpClient,
    /// Where a service account is impersonated.
    pub(super) iam_credentials: HttpClient,
    pub(super) credentials: Arc<dyn Credentials>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: &'static str,
    iat: i64,
    exp: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Impersonated {
    access_token: Zeroizing<String>,
    expire_time: Timestamp,
}

impl Login {
    async fn with_key(
        &self,
        (email, key_id, key): (&str, Option<&str>, &SigningKey),
    ) -> Result<Grant, LogIn> {
        let now = now(&self.oauth2).as_second();
        let claims = Claims {
            iss: email,
            scope: SCOPE,
            aud: AUDIENCE,
            iat: now,
            exp: now + ASSERTION_SECONDS,
        };
        let assertion = key
            .sign(Algorithm::Rs256, KeyName::Id(key_id), &claims)
            .ok_or(LogIn::Make {
                message: "the key cannot sign",
            })?;
        let body = oauth::form(&[
            ("grant_type", b"urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", assertion.expose()),
        ]);
        let response = oauth::ask(&self.oauth2, &["token"], body).await?;
        oauth::grant(
            &self.oauth2,
            &response,
            |_, _| "Check that the key is still there and its account enabled, and the clocks",
        )
    }

    async fn with_refresh_token(
        &self,
        (client_id, client_secret, token): (&SecretValue, &SecretValue, &SecretValue),
    ) -> Result<Grant, LogIn> {
        let body = oauth::form(&[
            ("grant_type", b"refresh_token"),
            ("client_id", client_id.expose()),
            ("client_secret", client_secret.expose()),
            ("refresh_token", token.expose()),
        ]);
        let response = oauth::ask(&self.oauth2, &["token"], body).await?;
        oauth::grant(
            &self.oauth2,
            &response,
            |_, _| "The login of that person has ended: `gcloud auth application-default login` makes a new one",
        )
    }

    async fn federated(
        &self,
        audience: &str,
        subject: &Subject,
        impersonate: Option<&str>,
    ) -> Result<Grant, LogIn> {
        let token = match subject {
            Subject::Token(token) => token.clone(),
            Subject::ServiceAccount(request) => self
                .credentials
                .service_account_token(request)
                .await
                .map_err(LogIn::Credentials)?,
        };
        let body = oauth::form(&[
            (
                "grant_type",
                b"urn:ietf:params:oauth:grant-type:token-exchange",
            ),
            ("audience", audience.as_bytes()),
            ("scope", SCOPE.as_bytes()),
            (
                "requested_token_type",
                b"urn:ietf:params:oauth:token-type:access_token",
            ),
            (
                "subject_token_type",
                b"urn:ietf:params:oauth:token-type:jwt",
            ),
            ("subject_token", token.expose()),
        ]);
        let response = oauth::ask(&self.sts, &["v1", "token"], body).await?;
        let granted = oauth::grant(
            &self.sts,
            &response,
            |_, _| "Check the provider of the workload identity pool: its issuer, its allowed audiences (one must be the ServiceAccount's), its attribute condition",
        )?;
        match impersonate {
            None => Ok(granted),
            Some(email) => self.impersonated(email, &granted.token).await,
        }
    }

    async fn impersonated(&self, email: &str, token: &SecretValue) -> Result<Grant, LogIn> {
        let http = &self.iam_credentials;
        let host = || http.host().to_owned();
        let failed = |source| LogIn::Send {
            host: host(),
            source,
        };
        let body = serde_json::json!({"scope": [SCOPE], "lifetime": IMPERSONATION});
        let account = format!("{email}:generateAccessToken");
        let segments = ["v1", "projects", "-", "serviceAccounts", account.as_str()];
        let bearer = SecretValue::new([b"Bearer ", token.expose()].concat());
        let request = Request::post(segments, Zeroizing::new(body.to_string().into_bytes()))
            .credential("authorization", &bearer)
            .map_err(failed)?;
        let response = http.send(&request).await.map_err(failed)?;
        let status = response.status.as_u16();
        let unbelievable = || LogIn::Unbelievable {
            host: host(),
            status,
        };
        match status {
            200 => {}
            429 => {
                return Err(LogIn::Throttled {
                    host: host(),
                    wait: Some(oauth::wait_of(&response, None)),
                });
            }
            400 | 401 | 403 | 404 => {
                // What is not in Google's own shape comes from something between.
                if let Err(Rejection::Unbelievable(_)) = answer::good(status, response.body()) {
                    return Err(unbelievable());
                }
                return Err(LogIn::Refused {
                    host: host(),
                    code: None,
                    hint: "Grant roles/iam.workloadIdentityUser on the service account to the federated identity, and check its address",
                });
            }
            _ => return Err(unbelievable()),
        }
        let granted: Impersonated = json::parse(response.body()).map_err(|_| unbelievable())?;
        let left = granted.expire_time.duration_since(now(http)).as_secs();
        let left = u64::try_from(left).unwrap_or_default();
        let token = SecretValue::new(granted.access_token.as_bytes());
        let grant = (left > 0).then(|| oauth::bearer_grant(token, lease(left)));
        grant.flatten().ok_or_else(unbelievable)
    }
}

/// The token of the service account that is attached to the machine or to the operator's ServiceAccount.
async fn attached(service: &ServiceClient) -> Result<Grant, LogIn> {
    let segments = [
        "computeMetadata",
        "v1",
        "instance",
        "service-accounts",
        "default",
        "token",
    ];
    let failed = |source| LogIn::Send {
        host: service.http.host().to_owned(),
        source,
    };
    let request = service
        .get(&segments)
        .header("metadata-flavor", "Google")
        .map_err(failed)?;
    let response = service.http.send(&request).await.map_err(failed)?;
    oauth::grant(
        &service.http,
        &response,
        |_, _| "Attach a service account to the machine, or to the operator's ServiceAccount",
    )
}

/// The time as the server has it.
fn now(http: &HttpClient) -> Timestamp {
    let ahead = http.clock_ahead().unwrap_or(SignedDuration::ZERO);
    let now = Timestamp::now();
    now.checked_add(ahead).unwrap_or(now)
}

#[async_trait]
impl Issuer for Login {
    type Error = LogIn;

    async fn log_in(&self) -> Result<Grant, LogIn> {
        match &self.method {
            Method::Key(Document::ServiceAccount { email, key_id, key }) => {
                self.with_key((email, key_id.as_deref(), key)).await
            }
            Method::Key(Document::AuthorizedUser {
                client_id,
                client_secret,
                refresh_token,
            }) => {
                self.with_refresh_token((client_id, client_secret, refresh_token))
                    .await
            }
            Method::Federation {
                audience,
                subject,
                impersonate,
            } => {
                self.federated(audience, subject, impersonate.as_deref())
                    .await
            }
            Method::Metadata(service) => attached(service).await,
        }
    }

    /// There is nothing to renew: a new one is got in time.
    async fn renew(&self, _token: &Token) -> Renewal {
        Renewal::Ends
    }

    /// Access tokens of Google cannot be given back without giving up the login of a person.
    async fn revoke(&self, _token: &SecretValue) {}

    fn is_given(&self) -> bool {
        false
    }
}
