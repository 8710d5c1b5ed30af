//! Infisical, as its server answers: `Infisical/infisical`, `backend/src/server`.
//!
//! - [`Model`] is what it holds and how it behaves; [`seed`] fills it from a file.
//! - `routes` finds the handler of a request; `parameters` reads what it says, as strictly as the server's own
//!   schemas; `failures` has the shapes of errors.
//! - `tokens` logs in, renews and revokes; `reading` lists and gets; `writing` creates, updates and deletes;
//!   `structure` has projects, folders, imports and tags; [`webhook`] signs.
//!
//! What it does not do: users, organisations, approvals beyond the answer that a request waits for one,
//! dynamic secrets, the event stream.

mod failures;
mod model;
mod parameters;
mod reading;
mod references;
mod routes;
pub mod seed;
mod structure;
mod tokens;
pub mod webhook;
mod writing;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use model::{
    Behaviour, Environment, Folder, Grant, Identity, Import, Model, Project, Scope, Secret,
    ServiceToken, Version,
};

pub use crate::outage::Outage;
use crate::server::{Handler, Listen, Reply, Request, Server, StartServer};

/// A running Infisical.
pub struct FakeInfisical {
    server: Server,
    state: Arc<State>,
}

struct State(Mutex<Model>);

impl FakeInfisical {
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

    /// How many logins there were, in any way.
    pub fn logins(&self) -> usize {
        let login = |request: &&Request| {
            request.method == "POST"
                && request.path.starts_with("/api/v1/auth/")
                && request.path.trim_end_matches('/').ends_with("/login")
        };
        self.server.seen().iter().filter(login).count()
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
