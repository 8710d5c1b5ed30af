//! Secret Manager of Google Cloud (REST, version 1), and the endpoints that give out tokens for it: OAuth 2, the
//! Security Token Service, IAM Credentials, the metadata server.
//!
//! - [`Model`] is what it holds and how it behaves.
//! - `login` verifies signatures and exchanges tokens; `secrets` reads and writes; `failures` has the shapes of errors;
//!   `checksum` is CRC-32C, bit by bit.
//!
//! As the real one: ids and labels have rules, a payload has 64 KiB and a checksum that must fit, `latest` is the
//! version made last whatever its state, a version that is not enabled is not accessed, destroying is for ever, an
//! etag that does not fit is refused. What it does not do: IAM policies (grants stand in the model), rotation, topics,
//! replication, CMEK.

mod checksum;
mod failures;
mod login;
mod model;
mod secrets;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use model::{
    Behaviour, Grant, Model, Place, Provider, Secret, ServiceAccount, State as VersionState, User,
    Version,
};

use crate::server::{Handler, Listen, Reply, Request, Server, StartServer};

/// A running Secret Manager. All of its endpoints are at one address.
pub struct FakeGcp {
    server: Server,
    state: Arc<Shared>,
}

struct Shared(Mutex<Model>);

impl FakeGcp {
    /// Starts an empty one on a free port.
    pub async fn start(listen: Listen) -> Result<Self, StartServer> {
        let state = Arc::new(Shared(Mutex::new(Model::default())));
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

    /// How many tokens were asked for, in any way.
    pub fn logins(&self) -> usize {
        let seen = self.server.seen();
        let login = |path: &str| path == "/token" || path == "/v1/token";
        seen.iter().filter(|request| login(&request.path)).count()
    }

    /// How many values were accessed.
    pub fn accesses(&self) -> usize {
        let seen = self.server.seen();
        let access = |path: &str| path.ends_with(":access");
        seen.iter().filter(|request| access(&request.path)).count()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Model> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handler for Shared {
    fn answer(&self, request: &Request, body: &[u8]) -> Reply {
        let mut model = self.lock();
        if let Some(seconds) = model.behaviour.throttle {
            return failures::throttled(seconds);
        }
        let outage = model.behaviour.outage.clone();
        let mut usual = || route(&mut model, request, body).unwrap_or_else(|refusal| refusal);
        match outage {
            None => usual(),
            Some(outage) => outage.reply(usual, failures::stumbled),
        }
    }
}

fn route(model: &mut Model, request: &Request, body: &[u8]) -> Result<Reply, Reply> {
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let method = request.method.as_str();
    match (method, segments.as_slice()) {
        ("POST", ["token"]) => login::oauth2(model, request, body),
        ("POST", ["v1", "token"]) => login::sts(model, request, body),
        ("POST", ["v1", "projects", "-", "serviceAccounts", account]) => {
            login::impersonate(model, request, body, account)
        }
        (
            "GET",
            [
                "computeMetadata",
                "v1",
                "instance",
                "service-accounts",
                "default",
                "token",
            ],
        ) => login::metadata(model, request),
        (
            _,
            [
                "v1",
                "projects",
                project,
                "locations",
                location,
                "secrets",
                rest @ ..,
            ],
        ) => {
            let place = Place::regional(project, location);
            secrets::answer(model, request, body, (place, rest))
        }
        (_, ["v1", "projects", project, rest @ ..]) => {
            let Some((first, rest)) = rest.split_first() else {
                return Err(failures::no_route());
            };
            if *first != "secrets" {
                return Err(failures::no_route());
            }
            secrets::answer(model, request, body, (Place::global(project), rest))
        }
        _ => Err(failures::no_route()),
    }
}

#[cfg(test)]
mod tests;
