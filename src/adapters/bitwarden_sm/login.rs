//! Exchanging an access token (`src/Identity/IdentityServer/ClientProviders` of the server).
//!
//! `POST /connect/token` with scope `api.secrets`: a token for an hour, and the organisation's key under the key part
//! of the access token. There is nothing to renew with; a token that ends is followed by another login.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use penstock_domain::secret::SecretValue;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::document;
use super::error::BitwardenSmError;
use super::token::AccessToken;
use crate::bitwarden_common::answer::{self, Rejection};
use crate::bitwarden_common::enc_string;
use crate::bitwarden_common::keys::SymmetricKey;
use crate::bitwarden_common::logins;
use crate::bitwarden_common::requests::{self, token_request};
use crate::http::client::{HttpClient, Request, Response};
use crate::http::error::SendRequest;
use crate::session::{Grant, Issuer, Renewal, Token, lease};

const REFUSED: &str = "The access token is unknown, expired or revoked, or its machine account is disabled: make another under Machine accounts → Access tokens";
const CORRUPT: &str = "The access token logs in, but its last part, after the colon, is not the one that belongs to it: copy the whole token again";
const FRESH: &str = "A token that was given out a moment ago is refused: look at the server, and at what stands before it";

/// After a refused login nobody knocks again for so long: two a minute stay far below the server's limit of ten.
const AFTER_REFUSAL: Duration = Duration::from_secs(35);
/// `SDK` (src/Core/Enums/DeviceType.cs).
const DEVICE_TYPE: &str = "21";

/// Everything needed to log in.
pub(super) struct Login {
    pub(super) identity: HttpClient,
    pub(super) identity_address: String,
    pub(super) api: HttpClient,
    pub(super) token: AccessToken,
    pub(super) opened: Mutex<Option<Arc<Opened>>>,
}

/// What a login opens.
pub(super) struct Opened {
    /// Id of the organisation.
    pub(super) organization: String,
    /// Its key.
    pub(super) key: SymmetricKey,
}

#[derive(Deserialize)]
struct Granted {
    access_token: Zeroizing<String>,
    expires_in: u64,
    token_type: String,
    #[serde(alias = "encryptedPayload")]
    encrypted_payload: String,
}

impl Login {
    /// What the last login opened.
    pub(super) fn opened(&self) -> Option<Arc<Opened>> {
        self.opened
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Drops the key, which is zeroed with its last holder.
    pub(super) fn lock(&self) {
        self.opened
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    /// Sends a request to the API; what is not an answer is an error.
    pub(super) async fn send(
        &self,
        request: Request,
        token: &SecretValue,
    ) -> Result<Response, BitwardenSmError> {
        let send = async {
            let request = request.header("device-type", DEVICE_TYPE)?;
            requests::send(&self.api, request, Some(token)).await
        };
        send.await.map_err(|source| failed(&self.api, source))
    }

    /// What a refused token means that the server has just given out.
    pub(super) fn refused_token() -> BitwardenSmError {
        BitwardenSmError::LogIn { hint: FRESH }
    }
}

fn failed(http: &HttpClient, source: SendRequest) -> BitwardenSmError {
    BitwardenSmError::Send {
        host: http.host().to_owned(),
        source,
    }
}

#[async_trait]
impl Issuer for Login {
    type Error = BitwardenSmError;

    async fn log_in(&self) -> Result<Grant, BitwardenSmError> {
        logins::take(&self.identity_address)
            .map_err(|wait| BitwardenSmError::LoginPace { wait })?;
        let secret = self.token.secret.expose_text().unwrap_or_default();
        let send = async {
            let request = token_request(&[
                ("grant_type", "client_credentials"),
                ("scope", "api.secrets"),
                ("client_id", &self.token.id),
                ("client_secret", secret),
            ])?;
            requests::send(&self.identity, request, None).await
        };
        let response = send
            .await
            .map_err(|source| failed(&self.identity, source))?;
        let unbelievable =
            || BitwardenSmError::read("the login", Rejection::Unbelievable(200), &response);
        let granted = answer::granted(response.status.as_u16(), response.body())
            .and_then(answer::read::<Granted>)
            .map_err(|rejection| match rejection {
                Rejection::Credentials | Rejection::Interactive => {
                    BitwardenSmError::LogIn { hint: REFUSED }
                }
                other => BitwardenSmError::read("the login", other, &response),
            })?;
        if !granted.token_type.eq_ignore_ascii_case("bearer") {
            return Err(unbelievable());
        }
        let payload = enc_string::decrypt(&granted.encrypted_payload, &self.token.key)
            .map_err(|_| BitwardenSmError::LogIn { hint: CORRUPT })?;
        let organization = document::organization(&granted.access_token);
        let key = document::organization_key(&payload);
        let (Some(organization), Some(key)) = (organization, key) else {
            return Err(unbelievable());
        };
        let opened = Arc::new(Opened { organization, key });
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(opened);
        Ok(Grant {
            token: SecretValue::from(granted.access_token.as_str()),
            lease: lease(granted.expires_in),
            limit: None,
            renewable: false,
            uses: None,
        })
    }

    /// There is nothing to renew with.
    async fn renew(&self, _token: &Token) -> Renewal {
        Renewal::Ends
    }

    /// The server has no way to give back one token: it dies by itself within the hour.
    async fn revoke(&self, _token: &SecretValue) {}

    fn is_given(&self) -> bool {
        false
    }

    fn wait_after(&self, error: &BitwardenSmError) -> Duration {
        match error {
            BitwardenSmError::LoginPace { wait } => *wait,
            _ if error.blames_credentials() => AFTER_REFUSAL,
            _ => Duration::from_secs(5),
        }
    }
}
