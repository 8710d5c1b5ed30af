//! Bitwarden Secrets Manager: its cloud, or self-hosted by Bitwarden's own server. Vaultwarden has none.
//!
//! Facts about routes and shapes are those of `bitwarden/server` (src/Api/SecretsManager) and
//! `bitwarden/sdk-internal`, and of the official SDK at work; each stands where it is used.
//!
//! - [`settings`] reads `spec.provider.bitwardenSecretsManager`; [`token`] takes an access token apart; [`login`]
//!   exchanges it; [`client`] makes requests in a session; [`document`] has the shapes of answers; [`secrets`] knows
//!   how fresh they must be and finds secrets; [`error`] names what goes wrong; [`store`] is what the registry opens.
//! - One request brings every secret that the machine account may see, with values: it serves all readers who came
//!   before it. Readers who do not insist ask whether anything has changed since the last time.
//! - A source's path is a project, by name or id; each secret in it is a key. A path that goes one step further is one
//!   secret, by its name or id, and so is the id of a secret alone.
//! - A secret's value is read, or with `field: note` its note. Its project is its tag, its revision date its version.
//! - Names are not unique: a path that means two projects or two secrets is refused.

mod client;
mod document;
mod error;
mod login;
mod secrets;
mod settings;
mod store;
mod token;

pub use error::BitwardenSmError;
pub use store::BitwardenSmStore;

#[cfg(test)]
pub(crate) mod tests;
