//! Bitwarden's password manager, as its server and Vaultwarden answer: `bitwarden/server` (src/Identity, src/Api/Vault)
//! and `dani-garcia/vaultwarden` (src/api).
//!
//! - [`Model`] is what it holds (ciphertext only) and how it behaves; [`owner`] is whoever owns an account and fills
//!   it; [`seed`] does so from a file.
//! - `routes` finds the handler of a request; `failures` has the shapes of errors; `tokens` logs in; `reading` answers
//!   `/sync` and single items; `writing` takes items and folders.
//!
//! What it does not do: attachments, sends, the administration of organisations, notifications, other second factors
//! than to ask for one.

mod failures;
mod model;
pub mod owner;
mod reading;
mod routes;
pub mod seed;
mod tokens;
mod writing;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use model::{
    Account, Behaviour, Collection, Flavour, Folder, Model, Organization, StoredCipher,
};

pub use crate::outage::Outage;
use crate::server::{Handler, Listen, Reply, Request, Server, StartServer};

/// A running Bitwarden: identity below `/identity`, the API below `/api`.
pub struct FakeBitwarden {
    server: Server,
    state: Arc<State>,
}

struct State(Mutex<Model>);

impl FakeBitwarden {
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
