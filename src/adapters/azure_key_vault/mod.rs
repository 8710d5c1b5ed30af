//! Secrets of Azure Key Vault, over its REST API (version 7.4).
//!
//! Facts about routes, bodies and errors are those of Microsoft's reference ("Key Vault REST API", "Authentication,
//! requests and responses", "OAuth 2.0 client credentials flow").
//!
//! - [`settings`] reads `spec.provider.azureKeyVault`; [`login`] gets access tokens; [`challenge`] judges whom a vault
//!   wants tokens from; [`names`] maps keys to the names of a vault; [`answer`] judges answers, purely; [`secrets`]
//!   lists and reads; [`remembered`] knows what was read before; [`error`] names what goes wrong; [`store`] is what
//!   the registry opens.
//! - A secret is one entry. Names have no folders and no `_`: the store's separator makes folders, and `-` stands for
//!   `_` unless the store says otherwise.
//! - A list holds no values. It tells when each secret was last changed, so that readers who do not insist on an
//!   answer as of now are given what was read before where nothing changed.
//! - A disabled secret is answered to nobody; an expired one, or one that is not valid yet, would be, and is refused
//!   here: a folder that holds one fails as a whole, unless the source says that it counts as deleted.
//! - What the vault keeps for certificates (`managed`) is not part of a folder; it can be read by its name.

mod answer;
mod challenge;
mod error;
mod login;
mod names;
mod remembered;
mod secrets;
mod settings;
mod store;

pub use error::AzureError;
pub use store::AzureStore;

#[cfg(test)]
pub(crate) mod tests;
