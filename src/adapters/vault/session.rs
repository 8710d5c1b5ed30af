//! One token for all readers of a store: got once, renewed in time, replaced when it is dead.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use penstock_domain::secret::SecretValue;
use penstock_domain::stores::Credentials;
use tokio::time::Instant;

use super::error::VaultError;
use super::login::{Grant, Transport};
use super::settings::Method;

/// A token younger than this is not replaced because of a 403: it is the path that is denied.
const YOUNG: Duration = Duration::from_mins(1);
/// How long a path that a fresh token could not read causes no further login.
const DENIED_MEMORY: Duration = Duration::from_mins(10);
/// How many such paths are remembered.
const DENIED_PATHS: usize = 1024;
/// A failed login is not repeated before this, doubled for each further failure …
const FIRST_LOGIN_WAIT: Duration = Duration::from_secs(1);
/// … up to this.
const MAX_LOGIN_WAIT: Duration = Duration::from_mins(1);
/// Nothing that an outside system says makes us renew more often.
const MIN_RENEWAL_WAIT: Duration = Duration::from_secs(20);
/// A token is given up this long before it dies, or a tenth of its life before where that is shorter.
const MARGIN: Duration = Duration::from_secs(30);

/// A token in use.
pub(super) struct Token {
    value: SecretValue,
    number: u64,
    issued: Instant,
    expires: Option<Instant>,
    uses_left: Option<AtomicU64>,
}

/// What to do after a 403.
pub(super) enum AfterDenial {
    /// Try once more, with this token.
    TryAgain(Arc<Token>),
    /// The token is good; the path is denied.
    Denied,
}

/// The token of one store, and everything needed to get another.
pub(super) struct Session {
    transport: Transport,
    method: Method,
    credentials: Arc<dyn Credentials>,
    state: Mutex<State>,
    /// Held by whoever logs in or renews: the others wait and use the result.
    flight: tokio::sync::Mutex<()>,
    keeper: Mutex<Option<tokio::task::AbortHandle>>,
}

#[derive(Default)]
struct State {
    token: Option<Arc<Token>>,
    count: u64,
    failure: Option<Failure>,
    denied: HashMap<String, Instant>,
}

struct Failure {
    error: VaultError,
    times: u32,
    until: Instant,
}

impl Token {
    pub(super) fn value(&self) -> &SecretValue {
        &self.value
    }

    /// Takes one use; `false` when there are none left.
    fn take_use(&self) -> bool {
        self.uses_left.as_ref().is_none_or(|left| {
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            })
            .is_ok()
        })
    }

    fn is_alive(&self) -> bool {
        self.expires.is_none_or(|expires| Instant::now() < expires)
    }
}

impl Session {
    pub(super) fn new(
        transport: Transport,
        method: Method,
        credentials: Arc<dyn Credentials>,
    ) -> Arc<Self> {
        Arc::new(Self {
            transport,
            method,
            credentials,
            state: Mutex::default(),
            flight: tokio::sync::Mutex::new(()),
            keeper: Mutex::default(),
        })
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// A token that is alive as far as we know, after a login where there is none.
    pub(super) async fn token(self: &Arc<Self>) -> Result<Arc<Token>, VaultError> {
        if let Some(token) = self.usable() {
            return Ok(token);
        }
        let _flight = self.flight.lock().await;
        if let Some(token) = self.usable() {
            return Ok(token);
        }
        let token = self.log_in().await?;
        token.take_use();
        Ok(token)
    }

    /// Says what to do after the server answered 403 to a read of `path` with `used`.
    pub(super) async fn after_denial(
        self: &Arc<Self>,
        used: &Arc<Token>,
        path: &str,
    ) -> Result<AfterDenial, VaultError> {
        if let Some(newer) = self.newer_than(used) {
            return Ok(AfterDenial::TryAgain(newer));
        }
        if self.is_known_denied(path) {
            return Ok(AfterDenial::Denied);
        }
        let _flight = self.flight.lock().await;
        if let Some(newer) = self.newer_than(used) {
            return Ok(AfterDenial::TryAgain(newer));
        }
        if let Method::Token(value) = &self.method {
            // There is no other token to be had; but it can be told whether this one is dead.
            self.transport.look_up(value).await?;
            return Ok(AfterDenial::Denied);
        }
        if used.issued.elapsed() < YOUNG && used.is_alive() {
            return Ok(AfterDenial::Denied);
        }
        let newer = self.log_in().await?;
        newer.take_use();
        self.transport.revoke(used.value()).await;
        Ok(AfterDenial::TryAgain(newer))
    }

    /// Remembers that a live token may not read `path`.
    pub(super) fn remember_denied(&self, path: &str) {
        let mut state = self.state();
        let now = Instant::now();
        if state.denied.len() >= DENIED_PATHS {
            state.denied.retain(|_, until| *until > now);
        }
        if state.denied.len() < DENIED_PATHS {
            state.denied.insert(path.to_owned(), now + DENIED_MEMORY);
        }
    }

    /// Forgets it: the path has been read.
    pub(super) fn forget_denied(&self, path: &str) {
        self.state().denied.remove(path);
    }

    /// Ends the session: no renewal any more, and a token that we got ourselves is given back.
    pub(super) async fn close(&self) {
        self.stop_keeper();
        let token = self.state().token.take();
        if let (Some(token), false) = (token, matches!(self.method, Method::Token(_))) {
            self.transport.revoke(token.value()).await;
        }
    }

    /// Waits for a login or renewal that is under way.
    #[cfg(test)]
    pub(super) async fn settled(&self) {
        drop(self.flight.lock().await);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn usable(&self) -> Option<Arc<Token>> {
        let token = self.state().token.clone()?;
        (token.is_alive() && token.take_use()).then_some(token)
    }

    fn newer_than(&self, used: &Token) -> Option<Arc<Token>> {
        let token = self.state().token.clone()?;
        (token.number != used.number && token.is_alive() && token.take_use()).then_some(token)
    }

    fn is_known_denied(&self, path: &str) -> bool {
        self.state()
            .denied
            .get(path)
            .is_some_and(|until| *until > Instant::now())
    }

    /// Logs in, unless the last try failed a moment ago. The caller holds the flight.
    async fn log_in(self: &Arc<Self>) -> Result<Arc<Token>, VaultError> {
        if let Some(failure) = &self.state().failure
            && failure.until > Instant::now()
        {
            return Err(failure.error.clone());
        }
        match self.transport.log_in(&self.method, &self.credentials).await {
            Ok(grant) => Ok(self.accept(grant, None)),
            Err(error) => {
                self.remember_failure(&error);
                Err(error)
            }
        }
    }

    fn remember_failure(&self, error: &VaultError) {
        let mut state = self.state();
        let times = state.failure.as_ref().map_or(0, |failure| failure.times);
        let wait = FIRST_LOGIN_WAIT
            .saturating_mul(2_u32.saturating_pow(times.min(8)))
            .min(MAX_LOGIN_WAIT);
        state.failure = Some(Failure {
            error: error.clone(),
            times: times.saturating_add(1),
            until: Instant::now() + wait,
        });
    }

    /// Puts a granted token into use; `renewed` is the one that it continues.
    fn accept(self: &Arc<Self>, grant: Grant, renewed: Option<&Token>) -> Arc<Token> {
        let now = Instant::now();
        let mut state = self.state();
        state.count += 1;
        let token = Arc::new(Token {
            value: grant.token,
            number: renewed.map_or(state.count, |token| token.number),
            issued: renewed.map_or(now, |token| token.issued),
            expires: grant.lease.map(|lease| now + lease - margin(lease)),
            uses_left: grant.uses.map(AtomicU64::new),
        });
        state.token = Some(Arc::clone(&token));
        state.failure = None;
        drop(state);
        if let (None, Some(lease), true) = (renewed, grant.lease, grant.renewable) {
            self.start_keeper(lease);
        }
        token
    }

    fn start_keeper(self: &Arc<Self>, lease: Duration) {
        let keeping = tokio::spawn(keep(Arc::downgrade(self), lease));
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(earlier) = keeper.replace(keeping.abort_handle()) {
            earlier.abort();
        }
    }

    fn stop_keeper(&self) {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keeper) = keeper.take() {
            keeper.abort();
        }
    }

    /// Renews the token; says how long until the next time, or that there is no next time. A token whose
    /// lease shrinks has reached the end of what the server grants: the next reader logs in anew.
    async fn renew(self: &Arc<Self>, lease: Duration) -> Option<Duration> {
        let _flight = self.flight.lock().await;
        let token = self.state().token.clone()?;
        match self.transport.renew(token.value()).await {
            Ok(grant) => {
                let granted = grant.lease?;
                let renewable = grant.renewable;
                let ends = granted < lease / 2 || !renewable;
                self.accept(grant, Some(&token));
                (!ends).then_some(granted)
            }
            Err(VaultError::Read { rejection, .. })
                if matches!(
                    rejection.0,
                    super::answer::Rejection::Denied | super::answer::Rejection::BadRequest
                ) =>
            {
                None
            }
            // It may pass: tried again, as long as the token lives.
            Err(_) => token.is_alive().then_some(lease / 8),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.stop_keeper();
    }
}

/// Keeps the token of a session alive, as long as somebody holds the session.
async fn keep(session: Weak<Session>, lease: Duration) {
    let mut next = Some(lease);
    while let Some(granted) = next {
        tokio::time::sleep((granted * 2 / 3).max(MIN_RENEWAL_WAIT)).await;
        let Some(session) = session.upgrade() else {
            return;
        };
        next = session.renew(lease).await;
    }
}

fn margin(lease: Duration) -> Duration {
    MARGIN.min(lease / 10)
}
