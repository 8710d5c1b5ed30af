//! Amazon Web Services, as far as stores need them: Secrets Manager, Systems Manager Parameter Store and the Security
//! Token Service of one region, on one address, told apart as their requests are.
//!
//! - [`Model`] is what it holds and how it behaves; `signature` verifies Signature Version 4 with its scope, its
//!   signed headers and its clock; `failures` has the shapes of errors.
//! - `secrets` and `parameters` speak the JSON protocol with the bounds, statuses and pages of the API references;
//!   `sts` speaks the query protocol.
//!
//! What it does not do: replication, rotation, resource policies, key management, quotas by the second.

mod failures;
mod model;
mod parameters;
mod secrets;
mod signature;
mod sts;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use self::failures::Failure;
pub use model::{
    Behaviour, Key, Model, Outage, Parameter, ParameterVersion, Role, Secret, SecretVersion,
};

use crate::server::{Handler, Listen, Reply, Request, Server, StartServer};

/// A running region.
pub struct FakeAws {
    server: Server,
    state: Arc<State>,
}

struct State(Mutex<Model>);

impl FakeAws {
    /// Starts an empty one on a free port.
    pub async fn start(listen: Listen) -> Result<Self, StartServer> {
        let state = Arc::new(State(Mutex::new(Model::default())));
        let handler: Arc<dyn Handler> = Arc::clone(&state) as _;
        let server = Server::start(listen, 0, handler).await?;
        Ok(Self { server, state })
    }

    /// What it holds, to look at and to change.
    pub fn model(&self) -> MutexGuard<'_, Model> {
        self.state.lock()
    }

    /// The server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// How often an action of the JSON protocol was called, such as `secretsmanager.ListSecrets`.
    pub fn calls(&self, action: &str) -> usize {
        let called = |request: &&Request| request.header("x-amz-target") == Some(action);
        self.server.seen().iter().filter(called).count()
    }

    /// How many sessions were asked for.
    pub fn sessions(&self) -> usize {
        let form = |request: &&Request| request.header("x-amz-target").is_none();
        self.server.seen().iter().filter(form).count()
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Model> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handler for State {
    fn answer(&self, request: &Request, body: &[u8]) -> Reply {
        let mut model = self.lock();
        let ahead = model.behaviour.clock_ahead;
        let reply = answer(&mut model, request, body);
        let now = jiff::Timestamp::now() + ahead;
        match jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now) {
            Ok(date) => reply.header("date", date),
            Err(_) => reply,
        }
    }
}

fn answer(model: &mut Model, request: &Request, body: &[u8]) -> Reply {
    match model.behaviour.outage.clone() {
        None => route(model, request, body),
        Some(Outage::Answers(status, text)) => Reply::new(status, text),
        Some(Outage::HangsUp) => Reply::hang_up(),
        Some(Outage::Half) => route(model, request, body).first_half(),
    }
}

fn route(model: &mut Model, request: &Request, body: &[u8]) -> Reply {
    if request.method != "POST" || request.path != "/" {
        return Reply::new(404, "<UnknownOperationException/>");
    }
    let content_type = request.header("content-type").unwrap_or_default();
    let Some(target) = request.header("x-amz-target") else {
        return if content_type.starts_with("application/x-www-form-urlencoded") {
            sts::answer(model, request, body)
        } else {
            Failure::new("UnknownOperationException").json()
        };
    };
    if content_type != "application/x-amz-json-1.1" {
        return Failure::new("UnknownOperationException").json();
    }
    call(model, (request, target), body).map_or_else(
        |failure| failure.json(),
        |answer| {
            Reply::new(200, answer.to_string()).header("content-type", "application/x-amz-json-1.1")
        },
    )
}

fn call(
    model: &mut Model,
    (request, target): (&Request, &str),
    body: &[u8],
) -> Result<Value, Failure> {
    let (service, action) = target.split_once('.').unwrap_or_default();
    let scope = match service {
        "secretsmanager" => "secretsmanager",
        "AmazonSSM" => "ssm",
        _ => return Err(Failure::new("UnknownOperationException")),
    };
    signature::verify(model, request, body, scope)?;
    if model.behaviour.throttle > 0 {
        model.behaviour.throttle -= 1;
        return Err(Failure::new("ThrottlingException"));
    }
    let input: Value =
        serde_json::from_slice(body).map_err(|_| Failure::new("SerializationException"))?;
    match scope {
        "ssm" => parameters::call(model, action, &input),
        _ => secrets::call(model, action, &input),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_does_not_sign_is_not_answered() {
        let fake = FakeAws::start(Listen::Http).await.unwrap();
        let response = crate::test_client()
            .post(fake.server().address())
            .header("x-amz-target", "secretsmanager.ListSecrets")
            .header("content-type", "application/x-amz-json-1.1")
            .body("{}")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 400);
        let body = response.text().await.unwrap();
        assert!(
            body.contains("MissingAuthenticationTokenException"),
            "{body}"
        );
    }
}
