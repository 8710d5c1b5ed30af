//! HashiCorp Vault and OpenBao: the KV engine, versions 1 and 2, over their HTTP API.
//!
//! Facts about paths, envelopes and status codes are those of the API documentation of both projects
//! (`/docs/api-docs` at Vault, `/api-docs` at OpenBao); where they differ or are silent, OpenBao 2.7 was
//! asked.
//!
//! - [`settings`] reads `spec.provider.vault`; [`answer`] judges answers, purely; [`error`] names what goes
//!   wrong; [`login`] speaks the auth methods; [`wrapping`] unwraps what one of them needs; [`session`] keeps one
//!   token for all readers of a store; [`client`] makes requests in it; [`kv`] reads secrets and folders, [`probe`]
//!   finds out whether they changed; [`items`] looks at single secrets and changes them; [`store`] is what the registry opens.
//! - One login serves all reads of a store. The token is renewed at two thirds of its life, replaced when it
//!   can no longer be renewed, and revoked when the store is closed.
//! - Tags of an entry are its secret's `custom_metadata`: `key` and `key=value` for each pair.

mod answer;
mod client;
mod error;
mod items;
mod kv;
mod login;
mod probe;
mod session;
mod settings;
mod store;
mod wrapping;

pub use error::VaultError;
pub use store::VaultStore;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
pub(crate) mod tests;
