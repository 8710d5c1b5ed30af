//! Requests in a session: with a token, and with one new login where the server says that a token is dead.

use std::sync::Arc;

use http::StatusCode;

use super::error::BitwardenSmError;
use super::login::{Login, Opened};
use crate::bitwarden_common::answer::{self, Rejection};
use crate::http::client::{Request, Response};
use crate::session::{Token, TokenSession};

/// A client of one machine account.
pub(super) struct Client {
    tokens: Arc<TokenSession<Login>>,
}

impl Client {
    pub(super) fn new(login: Login) -> Self {
        Self {
            tokens: TokenSession::new(login),
        }
    }

    pub(super) fn login(&self) -> &Login {
        self.tokens.issuer()
    }

    /// Ends the session and drops the key.
    pub(super) async fn close(&self) {
        self.tokens.close().await;
        self.login().lock();
    }

    /// Reads what `request` makes a request for, in the organisation of the login, and understands it.
    pub(super) async fn read<T>(
        &self,
        what: &'static str,
        request: impl Fn(&str) -> Request,
        understand: impl Fn(&[u8]) -> Result<T, Rejection>,
    ) -> Result<(T, Arc<Opened>), BitwardenSmError> {
        let (response, opened) = self.send(request).await?;
        answer::good(response.status.as_u16(), response.body())
            .and_then(understand)
            .map(|value| (value, opened))
            .map_err(|rejection| match rejection {
                // What is asked for is the organisation's own: a server without Secrets Manager says so.
                Rejection::Missing => BitwardenSmError::read(
                    what,
                    Rejection::Unbelievable(response.status.as_u16()),
                    &response,
                ),
                other => BitwardenSmError::read(what, other, &response),
            })
    }

    /// The server says whether it is the token that is dead: one new login, one more try. A token that is refused
    /// when it has just been given out answers nobody for a while.
    async fn send(
        &self,
        request: impl Fn(&str) -> Request,
    ) -> Result<(Response, Arc<Opened>), BitwardenSmError> {
        let token = self.tokens.token().await?;
        let (response, opened) = self.send_with(&request, &token).await?;
        if response.status != StatusCode::UNAUTHORIZED {
            return Ok((response, opened));
        }
        // The first answer's place in the budget is given back before the second is read.
        drop(response);
        let newer = self.tokens.successor(&token).await?;
        let (response, opened) = self.send_with(&request, &newer).await?;
        if response.status != StatusCode::UNAUTHORIZED {
            return Ok((response, opened));
        }
        let error = Login::refused_token();
        self.tokens.reject(&newer, &error);
        Err(error)
    }

    async fn send_with(
        &self,
        request: &impl Fn(&str) -> Request,
        token: &Token,
    ) -> Result<(Response, Arc<Opened>), BitwardenSmError> {
        let login = self.tokens.issuer();
        let opened = login.opened().ok_or_else(Login::refused_token)?;
        let response = login
            .send(request(&opened.organization), token.value())
            .await?;
        Ok((response, opened))
    }
}
