//! One token for all readers of a store: got once, renewed in time, replaced when it is dead.
//!
//! What a login is, differs by system: an [`Issuer`] knows. When a token is given out, kept, renewed and given
//! up, is the same for all of them: a [`TokenSession`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use penstock_domain::secret::SecretValue;
use tokio::time::Instant;

/// No lease is taken to be longer: what comes from outside is bounded.
const MAX_LEASE: Duration = Duration::from_hours(24 * 366);
/// A failed login is not repeated before this, doubled for each further failure …
const FIRST_LOGIN_WAIT: Duration = Duration::from_secs(1);
/// … up to this.
const MAX_LOGIN_WAIT: Duration = Duration::from_mins(1);
/// Nothing that an outside system says makes us renew more often.
const MIN_RENEWAL_WAIT: Duration = Duration::from_secs(20);
/// A token is given up this long before it dies, or a tenth of its life before where that is shorter.
const MARGIN: Duration = Duration::from_secs(30);

/// Gives out tokens: the requests around logging in, of one system for one store.
#[async_trait]
pub(crate) trait Issuer: Send + Sync + 'static {
    /// What goes wrong.
    type Error: Clone + Send + Sync;

    /// Gets a token.
    async fn log_in(&self) -> Result<Grant, Self::Error>;

    /// Makes a token live longer.
    async fn renew(&self, token: &Token) -> Renewal;

    /// Gives a token back. Nothing hangs on it: it would die by itself.
    async fn revoke(&self, token: &SecretValue);

    /// Whether the token comes from somebody else, so that there is no other to be had, and none to give back.
    fn is_given(&self) -> bool;

    /// How long a login is not repeated after its first failure.
    fn wait_after(&self, _error: &Self::Error) -> Duration {
        FIRST_LOGIN_WAIT
    }
}

/// What a login or a renewal gives.
pub(crate) struct Grant {
    pub(crate) token: SecretValue,
    /// How long it lives; `None`: for ever, or it is not known.
    pub(crate) lease: Option<Duration>,
    /// How long it lives at the most, however often it is renewed, counted from the login.
    pub(crate) limit: Option<Duration>,
    pub(crate) renewable: bool,
    /// How often it may be used, where that is counted.
    pub(crate) uses: Option<u64>,
}

impl Grant {
    /// A token of which nothing else is known.
    pub(crate) fn unknown(token: &SecretValue) -> Self {
        Self {
            token: token.clone(),
            lease: None,
            limit: None,
            renewable: false,
            uses: None,
        }
    }
}

/// A lease of so many seconds, bounded; 0 is "never expires".
pub(crate) fn lease(seconds: u64) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds).min(MAX_LEASE))
}

/// What became of a renewal.
pub(crate) enum Renewal {
    /// It lives longer.
    Granted(Grant),
    /// It lives to its end and no further.
    Ends,
    /// It is dead.
    Dead,
    /// It did not work out now; another time it may.
    Postponed,
}

/// A token in use.
pub(crate) struct Token {
    value: SecretValue,
    number: u64,
    issued: Instant,
    lease: Option<Duration>,
    expires: Option<Instant>,
    limit: Option<Instant>,
    uses_left: Option<AtomicU64>,
}

impl Token {
    fn new(grant: Grant, number: u64, renewed: Option<&Self>) -> Self {
        let now = Instant::now();
        Self {
            value: grant.token,
            number: renewed.map_or(number, |token| token.number),
            issued: renewed.map_or(now, |token| token.issued),
            lease: grant.lease,
            expires: grant.lease.map(|lease| now + lease - margin(lease)),
            limit: renewed
                .and_then(|token| token.limit)
                .or_else(|| grant.limit.map(|limit| now + limit)),
            uses_left: grant.uses.map(AtomicU64::new),
        }
    }

    pub(crate) fn value(&self) -> &SecretValue {
        &self.value
    }

    /// How long ago the login was.
    pub(crate) fn age(&self) -> Duration {
        self.issued.elapsed()
    }

    /// Whether it is not past its end, as far as we know.
    pub(crate) fn is_alive(&self) -> bool {
        self.expires.is_none_or(|expires| Instant::now() < expires)
    }

    /// Whether another lease would still be within its limit.
    pub(crate) fn may_be_renewed(&self) -> bool {
        match (self.lease, self.limit) {
            (Some(lease), Some(limit)) => Instant::now() + lease < limit,
            _ => true,
        }
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
}

/// The token of one store, and everything needed to get another.
pub(crate) struct TokenSession<I: Issuer> {
    issuer: I,
    state: Mutex<State<I::Error>>,
    /// Held by whoever logs in or renews: the others wait and use the result.
    flight: tokio::sync::Mutex<()>,
    keeper: Mutex<Option<tokio::task::AbortHandle>>,
}

struct State<E> {
    token: Option<Arc<Token>>,
    count: u64,
    failure: Option<Failure<E>>,
}

struct Failure<E> {
    error: E,
    times: u32,
    until: Instant,
}

impl<I: Issuer> TokenSession<I> {
    pub(crate) fn new(issuer: I) -> Arc<Self> {
        Arc::new(Self {
            issuer,
            state: Mutex::new(State {
                token: None,
                count: 0,
                failure: None,
            }),
            flight: tokio::sync::Mutex::new(()),
            keeper: Mutex::default(),
        })
    }

    pub(crate) fn issuer(&self) -> &I {
        &self.issuer
    }

    /// A token that is alive as far as we know, after a login where there is none.
    pub(crate) async fn token(self: &Arc<Self>) -> Result<Arc<Token>, I::Error> {
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

    /// A token that has come after `used`, if there is one.
    pub(crate) fn newer_than(&self, used: &Token) -> Option<Arc<Token>> {
        let token = self.state().token.clone()?;
        (token.number != used.number && token.is_alive() && token.take_use()).then_some(token)
    }

    /// Another token than `used`, which the server refused: one that somebody got meanwhile, or that of a new
    /// login. The refused one is given back.
    pub(crate) async fn successor(self: &Arc<Self>, used: &Token) -> Result<Arc<Token>, I::Error> {
        let _flight = self.flight.lock().await;
        if let Some(newer) = self.newer_than(used) {
            return Ok(newer);
        }
        let newer = self.log_in().await?;
        newer.take_use();
        self.issuer.revoke(used.value()).await;
        Ok(newer)
    }

    /// Gives up `used`, which the server refused though it has only just given it out: `error` answers every
    /// reader for a while, so that there is no storm of logins.
    pub(crate) fn reject(&self, used: &Token, error: &I::Error) {
        let mut state = self.state();
        state.token.take_if(|token| token.number == used.number);
        drop(state);
        self.remember_failure(error);
    }

    /// Ends the session: no renewal any more, and a token that we got ourselves is given back.
    pub(crate) async fn close(&self) {
        self.stop_keeper();
        let token = self.state().token.take();
        if let (Some(token), false) = (token, self.issuer.is_given()) {
            self.issuer.revoke(token.value()).await;
        }
    }

    /// Waits for a login or renewal that is under way.
    #[cfg(test)]
    pub(crate) async fn settled(&self) {
        drop(self.flight.lock().await);
    }

    fn state(&self) -> MutexGuard<'_, State<I::Error>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn usable(&self) -> Option<Arc<Token>> {
        let token = self.state().token.clone()?;
        (token.is_alive() && token.take_use()).then_some(token)
    }

    /// Logs in, unless the last try failed a moment ago. The caller holds the flight.
    async fn log_in(self: &Arc<Self>) -> Result<Arc<Token>, I::Error> {
        if let Some(failure) = &self.state().failure
            && failure.until > Instant::now()
        {
            return Err(failure.error.clone());
        }
        match self.issuer.log_in().await {
            Ok(grant) => Ok(self.accept(grant, None)),
            Err(error) => {
                self.remember_failure(&error);
                Err(error)
            }
        }
    }

    fn remember_failure(&self, error: &I::Error) {
        let first = self.issuer.wait_after(error);
        let mut state = self.state();
        let times = state.failure.as_ref().map_or(0, |failure| failure.times);
        let wait = first
            .saturating_mul(2_u32.saturating_pow(times.min(8)))
            .min(MAX_LOGIN_WAIT.max(first));
        state.failure = Some(Failure {
            error: error.clone(),
            times: times.saturating_add(1),
            until: Instant::now() + wait,
        });
    }

    /// Puts a granted token into use; `renewed` is the one that it continues.
    fn accept(self: &Arc<Self>, grant: Grant, renewed: Option<&Token>) -> Arc<Token> {
        let (lease, renewable) = (grant.lease, grant.renewable);
        let mut state = self.state();
        state.count += 1;
        let token = Arc::new(Token::new(grant, state.count, renewed));
        state.token = Some(Arc::clone(&token));
        state.failure = None;
        drop(state);
        if let (None, Some(lease), true) = (renewed, lease, renewable) {
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
        if !token.may_be_renewed() {
            return None;
        }
        match self.issuer.renew(&token).await {
            Renewal::Granted(grant) => {
                let granted = grant.lease?;
                let renewable = grant.renewable;
                let ends = granted < lease / 2 || !renewable;
                self.accept(grant, Some(&token));
                (!ends).then_some(granted)
            }
            Renewal::Ends => None,
            Renewal::Dead => {
                self.state()
                    .token
                    .take_if(|current| current.number == token.number);
                None
            }
            // Tried again, as long as the token lives.
            Renewal::Postponed => token.is_alive().then_some(lease / 8),
        }
    }
}

impl<I: Issuer> Drop for TokenSession<I> {
    fn drop(&mut self) {
        self.stop_keeper();
    }
}

/// Keeps the token of a session alive, as long as somebody holds the session.
async fn keep<I: Issuer>(session: Weak<TokenSession<I>>, lease: Duration) {
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
