//! Logging in by OAuth 2.0 (RFC 6749): a form goes to a token endpoint, an access token comes back. What the clouds
//! have in common; whom they ask, and with what, is theirs.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::secret::SecretValue;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::http::client::{HttpClient, Request, Response};
use crate::http::error::SendRequest;
use crate::http::json;
use crate::http::retry::random_unit;
use crate::session::{Grant, Issuer, Token, TokenSession, lease};

/// A server that throttles and names no time is left alone for so long, and up to a quarter longer.
const UNNAMED_WAIT: Duration = Duration::from_secs(20);
/// The largest access token that is taken, in bytes.
const MAX_TOKEN_LENGTH: usize = 64 * 1024;

/// Why nobody is logged in.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogIn {
    /// No answer.
    #[error("send a request to {host}")]
    Send {
        /// The host of the token endpoint.
        host: String,
        /// Why.
        #[source]
        source: SendRequest,
    },
    /// What the store logs in with cannot be fetched.
    #[error("fetch what the store logs in with")]
    Credentials(#[source] Fault),
    /// The endpoint refuses.
    #[error("log in at {host}")]
    Refused {
        /// The host of the token endpoint.
        host: String,
        /// Its code for the reason, where it is one of those that we know.
        code: Option<&'static str>,
        /// The way out.
        hint: &'static str,
    },
    /// The endpoint asks for patience.
    #[error("log in at {host}, which asks for patience")]
    Throttled {
        /// The host of the token endpoint.
        host: String,
        /// How long.
        wait: Option<Duration>,
    },
    /// The endpoint stumbles, or something stands between.
    #[error("log in at {host} (status {status})")]
    Unbelievable {
        /// The host of the token endpoint.
        host: String,
        /// The status.
        status: u16,
    },
    /// What is to be sent cannot be made.
    #[error("make what the store logs in with: {message}")]
    Make {
        /// What is wrong.
        message: &'static str,
    },
}

impl LogIn {
    /// Whether what was fetched when the store was opened may be out of date.
    pub(crate) fn blames_credentials(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// The fault for `subject`.
    pub(crate) fn fault(&self, subject: &str) -> Fault {
        match self {
            Self::Send { host, source } => source.fault(subject, host),
            Self::Credentials(fault) => fault.clone(),
            Self::Refused { host, code, hint } => {
                let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
                let message = format!("{host} refuses the login{code}");
                Fault::new(FaultClass::Denied, subject, message)
                    .because(Reason::CredentialsRefused)
                    .hint(*hint)
            }
            Self::Throttled { host, wait } => {
                Fault::throttled(subject, format!("{host} asks for patience"), *wait)
            }
            Self::Unbelievable { host, status } => Fault::new(
                FaultClass::Unavailable,
                subject,
                format!(
                    "the answer of {host} to a login is not that of a token endpoint (status {status})"
                ),
            ),
            Self::Make { message } => Fault::new(FaultClass::Invalid, subject, *message)
                .because(Reason::CredentialsRefused),
        }
    }
}

/// A form (`application/x-www-form-urlencoded`). It is written once, into memory that is zeroed.
pub(crate) fn form(fields: &[(&str, &[u8])]) -> Zeroizing<Vec<u8>> {
    let length: usize = fields
        .iter()
        .map(|(name, value)| name.len() + 3 * value.len() + 2)
        .sum();
    let mut body = Zeroizing::new(Vec::with_capacity(length));
    for (index, (name, value)) in fields.iter().enumerate() {
        if index > 0 {
            body.push(b'&');
        }
        body.extend_from_slice(name.as_bytes());
        body.push(b'=');
        for piece in url::form_urlencoded::byte_serialize(value) {
            body.extend_from_slice(piece.as_bytes());
        }
    }
    body
}

/// Sends a form to a token endpoint.
pub(crate) async fn ask(
    http: &HttpClient,
    segments: &[&str],
    body: Zeroizing<Vec<u8>>,
) -> Result<Response, LogIn> {
    let failed = |source| LogIn::Send {
        host: http.host().to_owned(),
        source,
    };
    let request = Request::post(segments.iter().copied(), body)
        .header("content-type", "application/x-www-form-urlencoded")
        .and_then(|request| request.header("accept", "application/json"))
        .map_err(failed)?;
    http.send(&request).await.map_err(failed)
}

#[derive(Deserialize)]
struct Granted {
    access_token: Zeroizing<String>,
    token_type: String,
    /// Seconds; Azure's metadata service writes them as text.
    #[serde(default)]
    expires_in: Option<Seconds>,
    /// Seconds since 1970, in its place at Azure's app services.
    #[serde(default)]
    expires_on: Option<Seconds>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

impl Seconds {
    fn number(&self) -> Option<u64> {
        match self {
            Self::Number(seconds) => Some(*seconds),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

impl Granted {
    /// How many seconds it lives at `now`; none where it is not told, or over.
    fn seconds(&self, now: u64) -> Option<u64> {
        let left = match (&self.expires_in, &self.expires_on) {
            (Some(seconds), _) => seconds.number(),
            (None, Some(end)) => end.number()?.checked_sub(now),
            (None, None) => None,
        };
        left.filter(|seconds| *seconds > 0)
    }
}

/// RFC 6749 §5.2. Azure adds its own codes.
#[derive(Deserialize)]
struct Failure {
    error: String,
    #[serde(default)]
    error_codes: Vec<u32>,
}

/// What a token endpoint answered. `hint` says what is to be done about a refusal, by its code.
pub(crate) fn grant(
    http: &HttpClient,
    response: &Response,
    hint: impl Fn(&str, &[u32]) -> &'static str,
) -> Result<Grant, LogIn> {
    let host = || http.host().to_owned();
    let status = response.status.as_u16();
    let unbelievable = || LogIn::Unbelievable {
        host: host(),
        status,
    };
    match status {
        200 => {}
        429 => {
            return Err(LogIn::Throttled {
                host: host(),
                wait: Some(wait_of(response, None)),
            });
        }
        400..=403 => {
            let failure: Failure = json::parse(response.body()).map_err(|_| unbelievable())?;
            return Err(LogIn::Refused {
                host: host(),
                code: known_code(&failure.error),
                hint: hint(&failure.error, &failure.error_codes),
            });
        }
        _ => return Err(unbelievable()),
    }
    let granted: Granted = json::parse(response.body()).map_err(|_| unbelievable())?;
    let now = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
    let seconds = granted.seconds(now).ok_or_else(unbelievable)?;
    if !granted.token_type.eq_ignore_ascii_case("bearer") {
        return Err(unbelievable());
    }
    let token = SecretValue::new(granted.access_token.as_bytes());
    bearer_grant(token, lease(seconds)).ok_or_else(unbelievable)
}

/// A token that lives for so long and cannot be renewed; `None` where it is none.
pub(crate) fn bearer_grant(token: SecretValue, lease: Option<Duration>) -> Option<Grant> {
    let sound = !token.is_empty() && token.len() <= MAX_TOKEN_LENGTH;
    sound.then_some(Grant {
        token,
        lease,
        limit: None,
        renewable: false,
        uses: None,
    })
}

/// The codes that may be told: nothing else of an answer is.
fn known_code(code: &str) -> Option<&'static str> {
    const CODES: [&str; 9] = [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "invalid_scope",
        "invalid_target",
        "unauthorized_client",
        "unsupported_grant_type",
        "access_denied",
        "interaction_required",
    ];
    CODES.into_iter().find(|known| *known == code)
}

/// How long a throttled answer asks to wait; `named` is what its body says.
pub(crate) fn wait_of(response: &Response, named: Option<Duration>) -> Duration {
    response.retry_after.or(named).map_or_else(
        || UNNAMED_WAIT.mul_f64(1.0 + random_unit() / 4.0),
        |wait| wait.min(penstock_domain::fault::MAX_RETRY_AFTER),
    )
}

/// A client whose requests carry an access token.
pub(crate) struct Bearer<I: Issuer> {
    pub(crate) http: HttpClient,
    tokens: Arc<TokenSession<I>>,
    /// Whether an answer says, in the server's own shape, that the token is dead.
    is_dead: fn(&Response) -> bool,
}

/// Why a request with a token has no answer that could be understood.
pub(crate) enum NoAnswer<E> {
    /// Nobody is logged in.
    LogIn(E),
    /// There is no answer.
    Send(SendRequest),
    /// The server takes no token of ours, not even a new one.
    Refused(Box<Response>),
}

impl<I: Issuer> Bearer<I> {
    pub(crate) fn new(http: HttpClient, issuer: I, is_dead: fn(&Response) -> bool) -> Self {
        Self {
            http,
            tokens: TokenSession::new(issuer),
            is_dead,
        }
    }

    /// Gives up the login.
    pub(crate) async fn close(&self) {
        self.tokens.close().await;
    }

    /// Sends what `make` makes. The server says whether it is the token that is dead: one new login, one more
    /// try; `refused` is what answers everybody for a while when the new token is refused, too.
    pub(crate) async fn send(
        &self,
        make: impl Fn() -> Result<Request, SendRequest>,
        refused: impl Fn(&Response) -> I::Error,
    ) -> Result<Response, NoAnswer<I::Error>> {
        let token = self.tokens.token().await.map_err(NoAnswer::LogIn)?;
        let response = self.send_with(&make, &token).await?;
        if !(self.is_dead)(&response) {
            return Ok(response);
        }
        // The first answer's place in the budget is given back before the second is read.
        drop(response);
        let newer = self.tokens.successor(&token).await;
        let newer = newer.map_err(NoAnswer::LogIn)?;
        let response = self.send_with(&make, &newer).await?;
        if !(self.is_dead)(&response) {
            return Ok(response);
        }
        self.tokens.reject(&newer, &refused(&response));
        Err(NoAnswer::Refused(Box::new(response)))
    }

    async fn send_with(
        &self,
        make: impl Fn() -> Result<Request, SendRequest>,
        token: &Token,
    ) -> Result<Response, NoAnswer<I::Error>> {
        let bearer = SecretValue::new([b"Bearer ", token.value().expose()].concat());
        let request = make()
            .and_then(|request| request.header("accept", "application/json"))
            .and_then(|request| request.credential("authorization", &bearer))
            .map_err(NoAnswer::Send)?;
        let response = self.http.send(&request).await.map_err(NoAnswer::Send)?;
        if response.status == http::StatusCode::TOO_MANY_REQUESTS && response.retry_after.is_none()
        {
            self.http.pause(wait_of(&response, None));
        }
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_keeps_every_byte_to_its_field() {
        let body = form(&[("a", b"x&y=z +%"), ("b", "ü\0\n".as_bytes()), ("c", b"")]);
        assert_eq!(&**body, b"a=x%26y%3Dz+%2B%25&b=%C3%BC%00%0A&c=");
    }

    #[test]
    fn of_a_refusal_only_known_codes_are_told() {
        assert_eq!(known_code("invalid_grant"), Some("invalid_grant"));
        assert_eq!(known_code("hunter2"), None);
        let refused = LogIn::Refused {
            host: "login.example.com".to_owned(),
            code: known_code("invalid_client"),
            hint: "Check it",
        };
        assert_eq!(
            refused.fault("store s").to_string(),
            "store s: login.example.com refuses the login (invalid_client). Check it"
        );
    }

    #[test]
    fn a_life_is_told_in_seconds_or_by_its_end_as_number_or_text() {
        for (members, expected) in [
            (r#""expires_in": 3599"#, Some(3599)),
            (r#""expires_in": "86399""#, Some(86_399)),
            (r#""expires_on": "1060""#, Some(60)),
            (r#""expires_in": 5, "expires_on": 9000"#, Some(5)),
            (r#""expires_on": 999"#, None),
            (r#""expires_in": 0"#, None),
            (r#""expires_in": "soon""#, None),
        ] {
            let text = format!(r#"{{"access_token": "t", "token_type": "Bearer", {members}}}"#);
            let granted: Granted = json::parse(text.as_bytes()).unwrap();
            assert_eq!(granted.seconds(1000), expected, "{members}");
        }
    }

    #[test]
    fn a_token_has_a_length() {
        let grant = |length: usize| bearer_grant(SecretValue::new(vec![b'x'; length]), None);
        assert!(grant(0).is_none());
        assert!(grant(2000).is_some());
        assert!(grant(MAX_TOKEN_LENGTH + 1).is_none());
    }
}
