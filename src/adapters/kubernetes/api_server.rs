//! The API server as this adapter talks to it: bounded in number, size and time, and silent.
//!
//! Requests go through [`kube::Client::send`] and are decoded here, not by `kube`'s typed API: that one
//! logs the whole body of an answer which it cannot decode, and a body of ours may be a Secret.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use kube::Client;
use kube::client::Body;
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::failure::{Cause, Failure, Refusal};
use super::request::Call;

/// The most bytes that one answer may have (rule 11).
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// How often a request is sent when the server asks for patience each time.
const MAX_ATTEMPTS: u32 = 3;
/// The longest that a request waits by itself because the server asked for patience; longer waits are the
/// caller's to schedule.
const MAX_PATIENCE: Duration = Duration::from_secs(5);
/// The wait when the server asks for patience and does not say how much.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(1);

/// Bounds of the traffic to the API server.
#[derive(Debug, Clone, Copy)]
pub struct ApiServerLimits {
    /// Requests at the same time.
    pub in_flight: usize,
    /// How long one request may take, from its start to the last byte of the answer.
    pub timeout: Duration,
}

impl Default for ApiServerLimits {
    /// 32 requests at the same time (design decision 14), 30 seconds each.
    fn default() -> Self {
        Self {
            in_flight: 32,
            timeout: Duration::from_secs(30),
        }
    }
}

/// A connection to the API server with limits that all clones share.
///
/// Build the [`Client`] from a [`kube::Config`] with `default_retry` off: `kube` would retry 429 on its own,
/// out of sight of the limits.
#[derive(Clone)]
pub struct ApiServer {
    client: Client,
    gate: Arc<Gate>,
    timeout: Duration,
}

/// Lets requests through, a number at a time, and none while the server asks for patience.
struct Gate {
    permits: Semaphore,
    closed_until: Mutex<Option<Instant>>,
}

/// Leave to send one request; it is given back when this is dropped.
pub struct Permit<'a>(#[expect(dead_code, reason = "held for its drop")] SemaphorePermit<'a>);

impl ApiServer {
    /// Takes a client and the limits.
    pub fn new(client: Client, limits: ApiServerLimits) -> Self {
        Self {
            client,
            gate: Arc::new(Gate {
                permits: Semaphore::new(limits.in_flight.max(1)),
                closed_until: Mutex::new(None),
            }),
            timeout: limits.timeout,
        }
    }

    /// The client, for requests that are not this adapter's (watches, status). Those that write should
    /// [`Self::admit`] first.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Waits for leave to send one request within the shared limits.
    pub async fn admit(&self) -> Permit<'_> {
        loop {
            self.gate.open().await;
            // The semaphore is never closed, so there is always a permit to come.
            if let Ok(permit) = self.gate.permits.acquire().await {
                return Permit(permit);
            }
        }
    }

    /// Sends `call` and decodes the answer.
    pub(super) async fn call<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Failure> {
        let body = self.exchange(call).await.map_err(|cause| Failure {
            verb: call.verb,
            resource: call.resource,
            cause,
        })?;
        serde_json::from_slice(&body).map_err(|_| Failure {
            verb: call.verb,
            resource: call.resource,
            cause: Cause::DecodeAnswer,
        })
    }

    /// Like [`Self::call`], where the absence of the object is an answer.
    pub(super) async fn find<T: DeserializeOwned>(
        &self,
        call: &Call,
    ) -> Result<Option<T>, Failure> {
        match self.call(call).await {
            Ok(object) => Ok(Some(object)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Sends until the server takes it. A refusal with 429 was not acted on, so that any verb may go again.
    async fn exchange(&self, call: &Call) -> Result<Vec<u8>, Cause> {
        let mut attempt = 1;
        loop {
            let permit = self.admit().await;
            let outcome = tokio::time::timeout(self.timeout, self.once(call))
                .await
                .unwrap_or(Err(Cause::AwaitAnswer));
            drop(permit);
            let Err(Cause::Refused(Refusal::Throttled(wait))) = outcome else {
                return outcome;
            };
            let wait = wait.unwrap_or(DEFAULT_PATIENCE);
            self.gate.close(wait.min(MAX_PATIENCE));
            if wait > MAX_PATIENCE || attempt == MAX_ATTEMPTS {
                return outcome;
            }
            attempt += 1;
        }
    }

    async fn once(&self, call: &Call) -> Result<Vec<u8>, Cause> {
        let request = call.http().ok_or(Cause::BuildRequest)?;
        let answer = self
            .client
            .send(request.map(Body::from))
            .await
            .map_err(|_| Cause::ReachServer)?;
        let (head, body) = answer.into_parts();
        let body = bounded(body).await?;
        judge(head.status, &head.headers, body)
    }
}

async fn bounded(body: Body) -> Result<Vec<u8>, Cause> {
    match Limited::new(body, MAX_ANSWER_BYTES).collect().await {
        Ok(collected) => Ok(collected.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => Err(Cause::BoundAnswer),
        Err(_) => Err(Cause::ReachServer),
    }
}

fn judge(status: StatusCode, headers: &HeaderMap, body: Vec<u8>) -> Result<Vec<u8>, Cause> {
    if status.is_success() {
        Ok(body)
    } else {
        Err(Cause::Refused(Refusal::read(status, headers, &body)))
    }
}

impl Gate {
    /// Waits until the server no longer asks for patience.
    async fn open(&self) {
        while let Some(until) = self.closed_until() {
            tokio::time::sleep_until(until).await;
        }
    }

    fn closed_until(&self) -> Option<Instant> {
        let mut closed = self
            .closed_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if closed.is_some_and(|until| until <= Instant::now()) {
            *closed = None;
        }
        *closed
    }

    fn close(&self, wait: Duration) {
        let mut closed = self
            .closed_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let until = Instant::now() + wait;
        *closed = Some(closed.map_or(until, |known| known.max(until)));
    }
}

#[cfg(test)]
mod tests;
