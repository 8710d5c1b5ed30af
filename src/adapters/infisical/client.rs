//! Requests in a session: with a token, and with one new login where the server says that a token is dead.

use std::sync::Arc;

use jiff::SignedDuration;
use penstock_domain::stores::Quota;
use zeroize::Zeroizing;

use super::answer::{self, Rejection};
use super::error::InfisicalError;
use super::login::Login;
use crate::http::client::{Request, Response};
use crate::session::{Issuer as _, Token, TokenSession};

/// A client of one store.
pub(super) struct Client {
    tokens: Arc<TokenSession<Login>>,
}

/// What is read: segments below the address, a query, and a name for it in messages.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    pub(super) segments: Vec<String>,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) name: String,
    /// The tag of an earlier answer, for which there may be no other.
    pub(super) tag: Option<String>,
}

/// What is changed: segments below the address, a body of JSON, and a name for it in messages.
pub(super) struct Change {
    pub(super) method: ChangeMethod,
    pub(super) segments: Vec<String>,
    pub(super) body: Zeroizing<Vec<u8>>,
    pub(super) name: String,
}

/// How something is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangeMethod {
    /// It is made.
    Post,
    /// It is there, and becomes another.
    Patch,
}

/// One request.
#[derive(Clone, Copy)]
enum Ask<'a> {
    Read(&'a Resource),
    Change(&'a Change),
}

impl Client {
    pub(super) fn new(login: Login) -> Self {
        Self {
            tokens: TokenSession::new(login),
        }
    }

    pub(super) fn is_service_token(&self) -> bool {
        self.tokens.issuer().is_given()
    }

    /// How far the server's clock is ahead of ours.
    pub(super) fn clock_ahead(&self) -> Option<SignedDuration> {
        self.tokens.issuer().http.clock_ahead()
    }

    /// How much more the server may be asked.
    pub(super) fn quota(&self) -> Option<Quota> {
        self.tokens.issuer().http.quota()
    }

    /// Gives back what the login gave.
    pub(super) async fn close(&self) {
        self.tokens.close().await;
    }

    #[cfg(test)]
    pub(super) fn tokens(&self) -> &TokenSession<Login> {
        &self.tokens
    }

    /// Reads a resource and understands its body.
    pub(super) async fn read<T>(
        &self,
        resource: &Resource,
        understand: impl Fn(&[u8]) -> Result<T, Rejection>,
    ) -> Result<T, InfisicalError> {
        let response = self.get(resource).await?;
        answer::good(response.status.as_u16(), response.body())
            .and_then(understand)
            .map_err(|rejection| InfisicalError::read(&resource.name, rejection, &response))
    }

    /// Sends a change, and understands the answer. A change is sent again after a dead token only: it was refused
    /// before anything was done.
    pub(super) async fn change<T>(
        &self,
        change: &Change,
        understand: impl Fn(&[u8]) -> Result<T, Rejection>,
    ) -> Result<T, InfisicalError> {
        let response = self.ask(Ask::Change(change)).await?;
        answer::good(response.status.as_u16(), response.body())
            .and_then(understand)
            .map_err(|rejection| InfisicalError::write(&change.name, rejection, &response))
    }

    /// Asks for a resource, whatever the answer.
    pub(super) async fn get(&self, resource: &Resource) -> Result<Response, InfisicalError> {
        self.ask(Ask::Read(resource)).await
    }

    /// The server says whether it is the token that is dead: one new login, one more try. A token that is
    /// refused when it has just been given out answers nobody for a while.
    async fn ask(&self, ask: Ask<'_>) -> Result<Response, InfisicalError> {
        let login = self.tokens.issuer();
        let token = self.tokens.token().await?;
        let response = self.ask_with(ask, &token).await?;
        if !is_dead(&response) {
            return Ok(response);
        }
        // The first answer's place in the budget is given back before the second is read.
        drop(response);
        let last = if login.is_given() {
            token
        } else {
            let newer = self.tokens.successor(&token).await?;
            let response = self.ask_with(ask, &newer).await?;
            if !is_dead(&response) {
                return Ok(response);
            }
            newer
        };
        let error = login.refused_token();
        self.tokens.reject(&last, &error);
        Err(error)
    }

    async fn ask_with(&self, ask: Ask<'_>, token: &Token) -> Result<Response, InfisicalError> {
        match ask {
            Ask::Read(resource) => self.get_with(resource, token).await,
            Ask::Change(change) => self.change_with(change, token).await,
        }
    }

    async fn change_with(
        &self,
        change: &Change,
        token: &Token,
    ) -> Result<Response, InfisicalError> {
        let segments = change.segments.iter().map(String::as_str);
        let body = change.body.clone();
        let request = match change.method {
            ChangeMethod::Post => Request::post(segments, body),
            ChangeMethod::Patch => Request::patch(segments, body),
        };
        self.tokens
            .issuer()
            .send(request, Some(token.value()))
            .await
    }

    async fn get_with(
        &self,
        resource: &Resource,
        token: &Token,
    ) -> Result<Response, InfisicalError> {
        let login = self.tokens.issuer();
        let mut request = Request::get(resource.segments.iter().map(String::as_str));
        for (name, value) in &resource.query {
            request = request.query(name, value);
        }
        if let Some(tag) = &resource.tag {
            request =
                request
                    .header("if-none-match", tag)
                    .map_err(|source| InfisicalError::Send {
                        host: login.http.host().to_owned(),
                        source,
                    })?;
        }
        login.send(request, Some(token.value())).await
    }
}

fn is_dead(response: &Response) -> bool {
    answer::good(response.status.as_u16(), response.body()) == Err(Rejection::DeadToken)
}
