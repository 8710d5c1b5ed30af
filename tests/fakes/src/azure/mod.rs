//! Secrets of Azure Key Vault (REST, version 7.4), and the authority that gives out tokens for it.
//!
//! - [`Model`] is what it holds and how it behaves.
//! - `login` verifies secrets and assertions; `secrets` reads and writes; `failures` has the shapes of errors.
//!
//! As the real one: names have letters and do not differ by case, a value has 25 KB, a page has at most 25 secrets and
//! no values, a disabled secret is not read while an expired one is, a deleted one keeps its name for a while, and a
//! request without a good token is told whom to get one from. What it does not do: keys, certificates (other than as
//! `managed` secrets), backup and restore, firewalls.

mod failures;
mod login;
mod model;
mod secrets;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use model::{Application, Behaviour, Model, Rights, Secret, Version, thumbprints};

use crate::server::{Handler, Listen, Reply, Request, Server, StartServer};

/// A running vault and its authority, at one address.
pub struct FakeAzure {
    server: Server,
    state: Arc<Shared>,
}

struct Shared(Mutex<Model>);

impl FakeAzure {
    /// Starts an empty one on a free port.
    pub async fn start(listen: Listen) -> Result<Self, StartServer> {
        let state = Arc::new(Shared(Mutex::new(Model::default())));
        let handler: Arc<dyn Handler> = Arc::clone(&state) as _;
        let server = Server::start(listen, 0, handler).await?;
        state.lock().address = server.address();
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

    /// How many tokens were asked for.
    pub fn logins(&self) -> usize {
        let seen = self.server.seen();
        let login = |path: &str| path.ends_with("/oauth2/v2.0/token");
        seen.iter().filter(|request| login(&request.path)).count()
    }

    /// How many values were read.
    pub fn reads(&self) -> usize {
        self.server.count("GET", "/secrets/")
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
    match (request.method.as_str(), segments.as_slice()) {
        ("POST", [tenant, "oauth2", "v2.0", "token"]) => login::token(model, request, body, tenant),
        ("GET", [tenant, "v2.0", ".well-known", "openid-configuration"]) => {
            Ok(login::configuration(model, tenant))
        }
        ("GET", ["metadata", "identity", "oauth2", "token"]) => login::metadata(model, request),
        (_, ["secrets" | "deletedsecrets", ..]) => secrets::answer(model, request, body, &segments),
        _ => Err(failures::no_route()),
    }
}

#[cfg(test)]
mod tests;
