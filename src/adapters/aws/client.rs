//! Calls the actions of one service, in sessions.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use penstock_domain::secret::SecretValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::answer::{self, Failure, Rejection};
use super::error::{AnyFailure, AwsError};
use super::keys::Keys;
use super::login::Login;
use super::signature::{Scope, Signed, authorization, date_of};
use crate::http::client::{HttpClient, Request, Response};
use crate::http::error::SendRequest;
use crate::http::retry;
use crate::session::{Issuer as _, Token, TokenSession};

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
/// How often a call is repeated that the service has asked patience for.
const MAX_PATIENCE: u32 = 3;
/// A service that names a longer wait is not waited for inside a read.
const MAX_WAIT: Duration = Duration::from_secs(5);
pub(crate) const FIELD: &str = "endpoint";

/// One service of one region.
pub(crate) struct Service {
    pub(crate) http: HttpClient,
    pub(crate) region: String,
    /// Its name in signatures.
    pub(crate) name: &'static str,
    /// What stands before the action in `X-Amz-Target`.
    pub(crate) target: &'static str,
}

/// A client of one store.
pub(crate) struct Client {
    service: Service,
    sessions: Arc<TokenSession<Login>>,
}

/// An action, as the wire and as a policy name it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Action {
    pub(crate) name: &'static str,
    pub(crate) permission: &'static str,
}

impl Client {
    pub(crate) fn new(service: Service, login: Login) -> Self {
        Self {
            service,
            sessions: TokenSession::new(login),
        }
    }

    /// How far the clock of AWS is ahead of ours.
    pub(crate) fn clock_ahead(&self) -> Option<SignedDuration> {
        self.service.http.clock_ahead()
    }

    /// Ends the session.
    pub(crate) async fn close(&self) {
        self.sessions.close().await;
    }

    /// Calls an action that only reads. `what` names what is asked for in errors.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        action: Action,
        what: &str,
        input: &(impl Serialize + Sync),
    ) -> Result<T, AwsError> {
        self.call((action, what), input, true).await
    }

    /// Calls an action that changes something.
    pub(crate) async fn write<T: DeserializeOwned>(
        &self,
        action: Action,
        what: &str,
        input: &(impl Serialize + Sync),
    ) -> Result<T, AwsError> {
        self.call((action, what), input, false).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        (action, what): (Action, &str),
        input: &(impl Serialize + Sync),
        reads: bool,
    ) -> Result<T, AwsError> {
        let rejected = |failure| AwsError::Call {
            action: action.permission,
            what: what.to_owned(),
            failure: AnyFailure(failure),
            ahead: self.clock_ahead(),
        };
        let body = serde_json::to_vec(input).map(Zeroizing::new);
        let body = body.map_err(|_| AwsError::ask("the request cannot be written"))?;
        let mut asked = 0;
        loop {
            let failure = match self.in_session(action, &body, reads).await? {
                Ok(response) => return answer::read(response.body()).map_err(rejected),
                Err((failure, wait)) if failure.rejection == Rejection::Throttled => {
                    let usual = retry::wait(asked, retry::random_unit());
                    let wait = wait.unwrap_or(usual);
                    if asked < MAX_PATIENCE && wait <= MAX_WAIT {
                        asked += 1;
                        tokio::time::sleep(wait).await;
                        continue;
                    }
                    // Nobody else is to run into the same wall meanwhile.
                    self.service.http.pause(wait);
                    failure
                }
                Err((failure, _)) => failure,
            };
            return Err(rejected(failure));
        }
    }

    /// AWS says whether it is the session that has ended: another one, one more try.
    async fn in_session(
        &self,
        action: Action,
        body: &Zeroizing<Vec<u8>>,
        reads: bool,
    ) -> Result<Result<Response, (Failure, Option<Duration>)>, AwsError> {
        let session = self.sessions.token().await?;
        let answer = self.send((action, body, reads), &session).await?;
        let ended =
            matches!(&answer, Err((failure, _)) if failure.rejection == Rejection::EndedSession);
        if !ended || self.sessions.issuer().is_given() {
            return Ok(answer);
        }
        let newer = self.sessions.successor(&session).await?;
        let answer = self.send((action, body, reads), &newer).await?;
        if let Err((failure, _)) = &answer
            && failure.rejection == Rejection::EndedSession
        {
            // Refused when it has just been given out: no storm of logins.
            let error = AwsError::call(action.permission, "the session", failure.clone());
            self.sessions.reject(&newer, &error);
        }
        Ok(answer)
    }

    async fn send(
        &self,
        (action, body, reads): (Action, &Zeroizing<Vec<u8>>, bool),
        session: &Token,
    ) -> Result<Result<Response, (Failure, Option<Duration>)>, AwsError> {
        let keys = Keys::unpacked(session.value()).ok_or(AwsError::NoIdentity)?;
        let failed = |source| AwsError::Send {
            host: self.service.http.host().to_owned(),
            field: FIELD,
            source,
        };
        let request = self.signed(action, &keys, body).map_err(failed)?;
        let request = if reads {
            request.that_only_reads()
        } else {
            request
        };
        let response = self.service.http.send(&request).await.map_err(failed)?;
        let failure = answer::good(response.status.as_u16(), response.body()).err();
        Ok(match failure {
            None => Ok(response),
            Some(failure) => Err((failure, response.retry_after)),
        })
    }

    fn signed(
        &self,
        action: Action,
        keys: &Keys,
        body: &Zeroizing<Vec<u8>>,
    ) -> Result<Request, SendRequest> {
        let service = &self.service;
        let date = date_of(Timestamp::now());
        let target = format!("{}.{}", service.target, action.name);
        let authority = service.http.authority();
        let token = keys.session_token.as_ref();
        let mut headers = vec![
            ("content-type", CONTENT_TYPE),
            ("host", authority.as_str()),
            ("x-amz-date", date.as_str()),
        ];
        let token_text = token.and_then(SecretValue::expose_text);
        headers.extend(token_text.map(|token| ("x-amz-security-token", token)));
        headers.push(("x-amz-target", target.as_str()));
        let scope = Scope {
            region: &service.region,
            service: service.name,
        };
        let signed = Signed {
            headers: &headers,
            body,
        };
        let authorization = authorization(keys, scope, &date, signed);
        let request = Request::post_as([""; 0], CONTENT_TYPE, body.clone())
            .header("x-amz-date", &date)?
            .header("x-amz-target", &target)?
            .credential("authorization", &authorization)?;
        match token {
            Some(token) => request.credential("x-amz-security-token", token),
            None => Ok(request),
        }
    }
}
