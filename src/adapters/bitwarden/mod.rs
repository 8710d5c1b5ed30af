//! Bitwarden's password manager: its cloud, self-hosted, or Vaultwarden.
//!
//! Facts about routes and shapes are those of `bitwarden/server` (src/Identity, src/Api/Vault),
//! `bitwarden/sdk-internal` and `dani-garcia/vaultwarden`, and of a real Vaultwarden with the official command line
//! at its side; each stands where it is used.
//!
//! - [`settings`] reads `spec.provider.bitwarden`; [`kdf`] makes the master key; [`login`] exchanges the API key
//!   for a token and opens the account's keys; [`client`] makes requests in a session; [`document`] is the answer of
//!   `/sync`; [`vault`] knows how fresh one must be; [`items`] finds items in it and [`fields`] their values;
//!   [`error`] names what goes wrong; [`store`] is what the registry opens.
//! - The server holds ciphertext only, and one request brings all of it. So one `/sync` serves every reader who came
//!   before it was sent, and readers who do not insist ask for the account's revision date first: one number.
//! - A source's path is a folder of the account, or a collection where the store names an organisation; each item
//!   in it is a key. A path that goes one step further is one item; each of its fields is a key.
//! - An item's password is what a login is read for, its text what a note is, its private key what an SSH key is.
//! - The names of an item's collections are its tags; its version is its revision date.
//! - An item in the place that is read and cannot be decrypted is an error: leaving it out would look like a removal.
//! - The key derivation is done once for a login, on a thread of its own, and not again while the server names the
//!   same wrapped key. Keys live in memory only and are zeroed.

mod client;
mod document;
mod error;
mod fields;
mod items;
mod kdf;
mod login;
mod settings;
mod store;
mod vault;

pub use error::BitwardenError;
pub use store::BitwardenStore;

#[cfg(test)]
pub(crate) mod tests;
