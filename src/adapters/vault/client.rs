//! Requests in a session: with a token, and with one new login where a token turns out to be dead.

use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::answer::{self, Rejection};
use super::error::VaultError;
use super::login::with_wait;
use super::session::{AfterDenial, Session};
use crate::http::client::{Request, Response};
use crate::session::Token;

/// A client of one store.
pub(super) struct Client {
    session: Session,
}

/// What is read: segments below `/v1/`, a query, and a name for it in messages.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    pub(super) segments: Vec<String>,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) name: String,
}

impl Client {
    pub(super) fn new(session: Session) -> Self {
        Self { session }
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// Reads a resource and understands its data.
    pub(super) async fn read<T>(
        &self,
        resource: &Resource,
        understand: impl Fn(&RawValue) -> Result<T, Rejection>,
    ) -> Result<T, VaultError> {
        let response = self.get(resource).await?;
        answer::data(response.status.as_u16(), response.body())
            .and_then(understand)
            .map_err(|rejection| VaultError::read(&resource.name, with_wait(rejection, &response)))
    }

    /// As [`Self::read`], for what can be done without: a 403 is the answer, and causes no login.
    pub(super) async fn peek<T>(
        &self,
        resource: &Resource,
        understand: impl Fn(&RawValue) -> Result<T, Rejection>,
    ) -> Result<T, VaultError> {
        let token = self.session.token().await?;
        let response = self.get_with(resource, &token).await?;
        answer::data(response.status.as_u16(), response.body())
            .and_then(understand)
            .map_err(|rejection| VaultError::read(&resource.name, with_wait(rejection, &response)))
    }

    /// Writes a resource. Nothing is sent again, unless it certainly did not arrive: whoever calls sees whether it did.
    pub(super) async fn write(
        &self,
        resource: &Resource,
        body: Zeroizing<Vec<u8>>,
    ) -> Result<(), VaultError> {
        let token = self.session.token().await?;
        let segments = ["v1"]
            .into_iter()
            .chain(resource.segments.iter().map(String::as_str));
        let request = Request::post(segments, body);
        let transport = self.session.transport();
        let response = transport.send(request, Some(token.value())).await?;
        // KV 1 answers 204, KV 2 what it made of it.
        if response.status == http::StatusCode::NO_CONTENT {
            return Ok(());
        }
        answer::data(response.status.as_u16(), response.body())
            .map(drop)
            .map_err(|rejection| VaultError::write(&resource.name, with_wait(rejection, &response)))
    }

    /// On 403, whose text does not say whether the token or the policy is to blame: one new login, one more
    /// try, then it is a denial.
    async fn get(&self, resource: &Resource) -> Result<Response, VaultError> {
        let token = self.session.token().await?;
        let response = self.get_with(resource, &token).await?;
        if response.status != http::StatusCode::FORBIDDEN {
            self.session.forget_denied(&resource.name);
            return Ok(response);
        }
        match self.session.after_denial(&token, &resource.name).await? {
            AfterDenial::Denied => {
                self.session.remember_denied(&resource.name);
                Ok(response)
            }
            AfterDenial::TryAgain(token) => {
                // The first answer's place in the budget is given back before the second is read.
                drop(response);
                let response = self.get_with(resource, &token).await?;
                if response.status == http::StatusCode::FORBIDDEN {
                    self.session.remember_denied(&resource.name);
                }
                Ok(response)
            }
        }
    }

    async fn get_with(&self, resource: &Resource, token: &Token) -> Result<Response, VaultError> {
        let segments = ["v1"]
            .into_iter()
            .chain(resource.segments.iter().map(String::as_str));
        let mut request = Request::get(segments);
        for (name, value) in &resource.query {
            request = request.query(name, value);
        }
        self.session
            .transport()
            .send(request, Some(token.value()))
            .await
    }
}
