//! Infisical, its cloud or self-hosted, over its HTTP API.
//!
//! Facts about routes, parameters and error shapes are those of the server's source (`Infisical/infisical`,
//! `backend/src/server`) and of its documentation; each stands where it is used.
//!
//! - [`settings`] reads `spec.provider.infisical`; [`answer`] judges answers, purely; [`error`] names what goes
//!   wrong; [`login`] speaks the auth methods; [`client`] makes requests in a session; [`secrets`] reads
//!   folders and secrets; [`items`] shows people a folder and sets its secrets; [`store`] is what the registry opens.
//! - A folder is read by one request, its folders below too. Lists are asked of version 4 of the API, or of
//!   version 3 where a server has no other; every flag is always sent, because defaults differ by release.
//! - Tags of an entry are the slugs of its tags; its version is the secret's.
//! - A masked value is an error: whoever may see a secret but not read it gets a literal in its place, which
//!   must never be written anywhere.
//! - The server remembers an `ETag` for a quarter of an hour. It is asked with only by readers that do not
//!   insist on an answer as of now, and no answer is repeated for longer than that.

mod answer;
mod client;
mod error;
mod items;
mod login;
mod secrets;
mod settings;
mod store;

pub use error::InfisicalError;
pub use store::InfisicalStore;

#[cfg(test)]
pub(crate) mod tests;
