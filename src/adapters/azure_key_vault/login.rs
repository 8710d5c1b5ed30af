//! Access tokens of Azure: the client credentials flow (version 2 of the endpoint), with a client secret or an
//! assertion.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use penstock_domain::keys::hex;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::Credentials;
use serde::Serialize;

use super::challenge::Expected;
use super::settings::{ManagedKind, Method, Proof, TOKEN_FILE};
use crate::http::ambient::{OperatorIdentity, ServiceClient};
use crate::http::client::HttpClient;
use crate::jwt::{Algorithm, KeyName, SigningKey};
use crate::oauth::{self, LogIn};
use crate::session::{Grant, Issuer, Renewal, Token};
use crate::settings::trimmed;

const ASSERTION_TYPE: &[u8] = b"urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long an assertion is good, in seconds; Azure advises five to ten minutes.
const ASSERTION_SECONDS: i64 = 300;

/// Everything needed to log in.
pub(super) struct Login {
    pub(super) http: HttpClient,
    pub(super) expected: Expected,
    pub(super) method: Method,
    pub(super) credentials: Arc<dyn Credentials>,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: String,
    iss: &'a str,
    sub: &'a str,
    jti: String,
    nbf: i64,
    iat: i64,
    exp: i64,
}

impl Login {
    async fn as_client(&self, client_id: &str, proof: &Proof) -> Result<Grant, LogIn> {
        let tenant = self.expected.tenant.as_deref().unwrap_or_default();
        let scope = format!("{}/.default", self.expected.resource);
        let mut fields: Vec<(&str, &[u8])> = vec![
            ("grant_type", b"client_credentials"),
            ("client_id", client_id.as_bytes()),
            ("scope", scope.as_bytes()),
        ];
        let proven = match proof {
            Proof::Secret(secret) => secret.clone(),
            Proof::Certificate { key, thumbprint } => self.assertion(client_id, key, thumbprint)?,
            Proof::ServiceAccount(request) => self
                .credentials
                .service_account_token(request)
                .await
                .map_err(LogIn::Credentials)?,
            Proof::OwnFile(identity) => trimmed(&own_token(identity).await?),
        };
        match proof {
            Proof::Secret(_) => fields.push(("client_secret", proven.expose())),
            Proof::Certificate { .. } | Proof::ServiceAccount(_) | Proof::OwnFile(_) => fields
                .extend([
                    ("client_assertion_type", ASSERTION_TYPE),
                    ("client_assertion", proven.expose()),
                ]),
        }
        let body = oauth::form(&fields);
        let response = oauth::ask(&self.http, &[tenant, "oauth2", "v2.0", "token"], body).await?;
        oauth::grant(&self.http, &response, |_, codes| hint(codes))
    }

    fn assertion(
        &self,
        client_id: &str,
        key: &SigningKey,
        thumbprint: &str,
    ) -> Result<SecretValue, LogIn> {
        let cannot = LogIn::Make {
            message: "the key of the certificate cannot sign",
        };
        let tenant = self.expected.tenant.as_deref().unwrap_or_default();
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| cannot.clone())?;
        let now = now(&self.http).as_second();
        let claims = Claims {
            aud: format!(
                "{}/{tenant}/oauth2/v2.0/token",
                self.expected.authority.trim_end_matches('/')
            ),
            iss: client_id,
            sub: client_id,
            jti: hex(&id),
            nbf: now,
            iat: now,
            exp: now + ASSERTION_SECONDS,
        };
        key.sign(Algorithm::Ps256, KeyName::Thumbprint(thumbprint), &claims)
            .ok_or(cannot)
    }
}

/// The operator's own federated token: read each time, because it is replaced.
async fn own_token(identity: &OperatorIdentity) -> Result<SecretValue, LogIn> {
    let token = identity.file(TOKEN_FILE).await;
    let token = token.map_err(|error| LogIn::Credentials(error.fault("identity: operator")))?;
    token.ok_or(LogIn::Make {
        message: "the operator has no federated token any more",
    })
}

/// The token of a managed identity: of a machine ("Azure Instance Metadata Service"), or of an app ("Managed
/// identities for App Service").
async fn managed(
    service: &ServiceClient,
    kind: &ManagedKind,
    (resource, client_id): (&str, Option<&str>),
) -> Result<Grant, LogIn> {
    let failed = |source| LogIn::Send {
        host: service.http.host().to_owned(),
        source,
    };
    let request = match kind {
        ManagedKind::Instance => service
            .get(&["metadata", "identity", "oauth2", "token"])
            .query("api-version", "2018-02-01")
            .header("metadata", "true"),
        ManagedKind::App { header } => service
            .get(&[])
            .query("api-version", "2019-08-01")
            .credential("x-identity-header", header),
    };
    let mut request = request.map_err(failed)?.query("resource", resource);
    if let Some(client_id) = client_id {
        request = request.query("client_id", client_id);
    }
    let response = service.http.send(&request).await.map_err(failed)?;
    oauth::grant(
        &service.http,
        &response,
        |_, _| "Assign a managed identity to the machine or app; where there are several, set managedIdentityClientId",
    )
}

/// The time as the server has it.
fn now(http: &HttpClient) -> Timestamp {
    let ahead = http.clock_ahead().unwrap_or(SignedDuration::ZERO);
    let now = Timestamp::now();
    now.checked_add(ahead).unwrap_or(now)
}

/// What to do about a refusal, by Azure's own codes (`AADSTS…`).
fn hint(codes: &[u32]) -> &'static str {
    let has = |known: &[u32]| codes.iter().any(|code| known.contains(code));
    if has(&[7_000_215]) {
        "The client secret is wrong: give the secret's value, not its id"
    } else if has(&[7_000_222]) {
        "The client secret has expired: make a new one"
    } else if has(&[700_016]) {
        "The directory has no such application: check clientId and tenantId"
    } else if has(&[90_002, 900_023]) {
        "There is no such directory: check tenantId"
    } else if has(&[700_024, 700_027, 7_000_272]) {
        "The assertion is not taken: check that this certificate is uploaded and not expired, and the clocks"
    } else if has(&[70_021, 700_211, 700_212, 700_213, 700_221, 700_222, 700_223]) {
        "No federated credential fits: compare its issuer, subject (`system:serviceaccount:NAMESPACE:NAME`) and audience with those of the ServiceAccount"
    } else {
        "Check tenantId, clientId and what the application proves itself with"
    }
}

#[async_trait]
impl Issuer for Login {
    type Error = LogIn;

    async fn log_in(&self) -> Result<Grant, LogIn> {
        match &self.method {
            Method::Client { client_id, proof } => self.as_client(client_id, proof).await,
            Method::Managed {
                service,
                kind,
                client_id,
            } => {
                let resource = &self.expected.resource;
                managed(service, kind, (resource, client_id.as_deref())).await
            }
        }
    }

    /// There is nothing to renew: a new one is got in time.
    async fn renew(&self, _token: &Token) -> Renewal {
        Renewal::Ends
    }

    /// Azure takes no tokens back.
    async fn revoke(&self, _token: &SecretValue) {}

    fn is_given(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do_by_its_code() {
        for (codes, word) in [
            (vec![7_000_215], "value, not its id"),
            (vec![1, 7_000_222], "expired"),
            (vec![700_213], "federated"),
            (vec![], "tenantId"),
        ] {
            assert!(hint(&codes).contains(word), "{codes:?}");
        }
    }
}
