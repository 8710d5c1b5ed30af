//! Bitwarden Secrets Manager, as its server answers: `bitwarden/server` (src/Identity, src/Api/SecretsManager).
//!
//! - [`Model`] is what it holds (ciphertext only) and how it behaves; [`organization`] is whoever owns the key and
//!   fills it; [`seed`] does so from a file.
//! - `routes` finds the handler of a request and has the shapes of errors; `tokens` exchanges access tokens; `reading`
//!   and `writing` have the rest.
//!
//! What it does not do: people, groups, the administration of machine accounts, restoring versions.

mod model;
pub mod organization;
mod reading;
mod routes;
pub mod seed;
mod tokens;
mod writing;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use model::{AccessToken, Behaviour, Grant, MachineAccount, Model, Project, Secret, Version};

pub use crate::outage::Outage;
use crate::server::{Handler, Listen, Reply, Request, Server, StartServer};

/// A running Secrets Manager: identity below `/identity`, the API below `/api`.
pub struct FakeBitwardenSm {
    server: Server,
    state: Arc<State>,
}

struct State(Mutex<Model>);

impl FakeBitwardenSm {
    /// Starts an empty one on a free port.
    pub async fn start(listen: Listen) -> Result<Self, StartServer> {
        Self::start_with(listen, 0, Model::default()).await
    }

    /// Starts one that holds `model`; port 0 is a free one.
    pub async fn start_with(listen: Listen, port: u16, model: Model) -> Result<Self, StartServer> {
        let state = Arc::new(State(Mutex::new(model)));
        let handler: Arc<dyn Handler> = Arc::clone(&state) as _;
        let server = Server::start(listen, port, handler).await?;
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

    /// How many logins there were, with whatever outcome.
    pub fn logins(&self) -> usize {
        self.server.count("POST", "/identity/connect/token")
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Model> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handler for State {
    fn answer(&self, request: &Request, body: &[u8]) -> Reply {
        routes::answer(&mut self.lock(), request, body)
    }
}

#[cfg(test)]
mod tests;
