//! The token of a store, and what a 403 says about it: the token is dead, or the path is denied.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::error::VaultError;
use super::login::{Login, Transport};
use super::settings::Method;
use crate::session::{Token, TokenSession};

/// A token younger than this is not replaced because of a 403: it is the path that is denied.
const YOUNG: Duration = Duration::from_mins(1);
/// How long a path that a fresh token could not read causes no further login.
const DENIED_MEMORY: Duration = Duration::from_mins(10);
/// How many such paths are remembered.
const DENIED_PATHS: usize = 1024;

/// What to do after a 403.
pub(super) enum AfterDenial {
    /// Try once more, with this token.
    TryAgain(Arc<Token>),
    /// The token is good; the path is denied.
    Denied,
}

/// The token of one store, and the paths that it may not read.
pub(super) struct Session {
    tokens: Arc<TokenSession<Login>>,
    denied: Mutex<HashMap<String, Instant>>,
}

impl Session {
    pub(super) fn new(login: Login) -> Self {
        Self {
            tokens: TokenSession::new(login),
            denied: Mutex::default(),
        }
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.tokens.issuer().transport
    }

    /// A token that is alive as far as we know, after a login where there is none.
    pub(super) async fn token(&self) -> Result<Arc<Token>, VaultError> {
        self.tokens.token().await
    }

    /// Says what to do after the server answered 403 to a read of `path` with `used`.
    pub(super) async fn after_denial(
        &self,
        used: &Arc<Token>,
        path: &str,
    ) -> Result<AfterDenial, VaultError> {
        if let Some(newer) = self.tokens.newer_than(used) {
            return Ok(AfterDenial::TryAgain(newer));
        }
        if self.is_known_denied(path) {
            return Ok(AfterDenial::Denied);
        }
        let login = self.tokens.issuer();
        if let Method::Token(value) = &login.method {
            // There is no other token to be had; but it can be told whether this one is dead.
            login.transport.look_up(value).await?;
            return Ok(AfterDenial::Denied);
        }
        if used.age() < YOUNG && used.is_alive() {
            return Ok(AfterDenial::Denied);
        }
        self.tokens.successor(used).await.map(AfterDenial::TryAgain)
    }

    /// Remembers that a live token may not read `path`.
    pub(super) fn remember_denied(&self, path: &str) {
        let mut denied = self.denied();
        let now = Instant::now();
        if denied.len() >= DENIED_PATHS {
            denied.retain(|_, until| *until > now);
        }
        if denied.len() < DENIED_PATHS {
            denied.insert(path.to_owned(), now + DENIED_MEMORY);
        }
    }

    /// Forgets it: the path has been read.
    pub(super) fn forget_denied(&self, path: &str) {
        self.denied().remove(path);
    }

    /// Ends the session: no renewal any more, and a token that we got ourselves is given back.
    pub(super) async fn close(&self) {
        self.tokens.close().await;
    }

    /// Waits for a login or renewal that is under way.
    #[cfg(test)]
    pub(super) async fn settled(&self) {
        self.tokens.settled().await;
    }

    fn denied(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.denied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_known_denied(&self, path: &str) -> bool {
        self.denied()
            .get(path)
            .is_some_and(|until| *until > Instant::now())
    }
}
