//! Requests in a session: with a token, and with one new login where the server says that a token is dead.

use std::sync::Arc;

use http::StatusCode;

use super::error::BitwardenError;
use super::login::{Login, Unlocked};
use crate::bitwarden_common::answer::{self, Rejection};
use crate::http::client::{Request, Response};
use crate::session::{Token, TokenSession};

/// A client of one account.
pub(super) struct Client {
    tokens: Arc<TokenSession<Login>>,
}

/// What came with a token.
pub(super) struct Answered<T> {
    pub(super) value: T,
    pub(super) token: Arc<Token>,
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

    /// Ends the session and drops the keys.
    pub(super) async fn close(&self) {
        self.tokens.close().await;
        self.login().lock();
    }

    /// The keys of the account; there are some after any answer.
    pub(super) fn unlocked(&self) -> Result<Arc<Unlocked>, BitwardenError> {
        self.login()
            .unlocked()
            .ok_or(BitwardenError::MasterPassword)
    }

    /// Logs in once more: what `used` was given out for is no longer what it was.
    pub(super) async fn start_anew(&self, used: &Token) -> Result<(), BitwardenError> {
        self.tokens.successor(used).await.map(drop)
    }

    /// Reads what `request` makes a request for, and understands it.
    pub(super) async fn read<T>(
        &self,
        what: &'static str,
        request: impl Fn() -> Request,
        understand: impl Fn(&[u8]) -> Result<T, Rejection>,
    ) -> Result<Answered<T>, BitwardenError> {
        let (response, token) = self.send(request).await?;
        answer::good(response.status.as_u16(), response.body())
            .and_then(understand)
            .map(|value| Answered { value, token })
            .map_err(|rejection| BitwardenError::read(what, rejection, &response))
    }

    /// The server says whether it is the token that is dead: one new login, one more try. A token that is refused
    /// when it has just been given out answers nobody for a while.
    async fn send(
        &self,
        request: impl Fn() -> Request,
    ) -> Result<(Response, Arc<Token>), BitwardenError> {
        let login = self.tokens.issuer();
        let token = self.tokens.token().await?;
        let response = login.send(request(), token.value()).await?;
        if response.status != StatusCode::UNAUTHORIZED {
            return Ok((response, token));
        }
        // The first answer's place in the budget is given back before the second is read.
        drop(response);
        let newer = self.tokens.successor(&token).await?;
        let response = login.send(request(), newer.value()).await?;
        if response.status != StatusCode::UNAUTHORIZED {
            return Ok((response, newer));
        }
        let error = Login::refused_token();
        self.tokens.reject(&newer, &error);
        Err(error)
    }
}
