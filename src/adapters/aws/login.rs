//! Gets sessions: whose identity it is, and the role that it takes on.

use std::sync::Arc;

use async_trait::async_trait;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{Credentials, TokenRequest};

use super::error::AwsError;
use super::keys::Keys;
use super::profile;
use super::settings::{Role, WebRole};
use super::sts::Sts;
use super::surroundings::Surroundings;
use crate::http::ambient::{OperatorIdentity, Person};
use crate::http::client::HttpLayer;
use crate::session::{Grant, Issuer, Renewal, Token};
use crate::settings::ReadSettings;

/// Whose identity is used.
pub(crate) enum Base {
    /// Somebody's keys, as they are.
    Keys(Keys),
    /// A ServiceAccount; its token is requested for each session.
    ServiceAccount {
        request: TokenRequest,
        role: WebRole,
    },
    /// The operator's own.
    Operator(OperatorIdentity),
    /// A profile of the person who runs the command.
    Person { person: Person, profile: String },
}

/// Everything needed to get a session.
pub(crate) struct Login {
    pub(super) base: Base,
    pub(super) role: Option<Role>,
    pub(super) sts: Sts,
    pub(super) layer: Arc<HttpLayer>,
    pub(super) credentials: Arc<dyn Credentials>,
}

impl Login {
    async fn base(&self) -> Result<Grant, AwsError> {
        match &self.base {
            Base::Keys(keys) => Ok(Grant::unknown(&keys.packed())),
            Base::ServiceAccount { request, role } => {
                let token = self.credentials.service_account_token(request).await;
                let token = token.map_err(AwsError::Credentials)?;
                self.sts.assume_with_token(role, &token).await
            }
            Base::Operator(identity) => {
                let surroundings = Surroundings {
                    identity,
                    layer: &self.layer,
                    sts: &self.sts,
                };
                surroundings.keys().await
            }
            Base::Person { person, profile } => {
                let file = person
                    .file("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")
                    .await?
                    .ok_or(ReadSettings::field(
                        "auth.profile",
                        "there is no ~/.aws/credentials",
                    ))?;
                let keys = profile::read(&file, profile).map_err(|problem| {
                    ReadSettings::field("auth.profile", format!("~/.aws/credentials {problem}"))
                })?;
                Ok(Grant::unknown(&keys.packed()))
            }
        }
    }
}

#[async_trait]
impl Issuer for Login {
    type Error = AwsError;

    async fn log_in(&self) -> Result<Grant, AwsError> {
        let base = self.base().await?;
        let Some(role) = &self.role else {
            return Ok(base);
        };
        let keys = Keys::unpacked(&base.token).ok_or(AwsError::NoIdentity)?;
        self.sts.assume(role, &keys).await
    }

    /// Sessions of AWS are never made longer: another is got before they end.
    async fn renew(&self, _: &Token) -> Renewal {
        Renewal::Ends
    }

    /// And they are never given back.
    async fn revoke(&self, _: &SecretValue) {}

    fn is_given(&self) -> bool {
        self.role.is_none() && matches!(self.base, Base::Keys(_))
    }
}
