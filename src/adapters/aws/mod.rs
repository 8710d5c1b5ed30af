//! What the stores of Amazon Web Services share: whose identity is used, signed requests, what answers mean.
//!
//! No SDK: a service crate of it brings an HTTP stack of its own, past the egress policy, the bounds and the
//! redaction of [`crate::http`]. What is needed of the protocol is small:
//!
//! - [`signature`] signs a request (AWS Signature Version 4, "Create a signed AWS API request" of the IAM User
//!   Guide), proved by Amazon's own test vectors.
//! - [`keys`] is what signs; [`profile`] reads it from a credentials file, [`surroundings`] from the process's
//!   own environment and metadata services, [`sts`] from the Security Token Service; [`login`] puts that together
//!   as an issuer of sessions, which [`crate::session`] replaces before they end.
//! - [`client`] calls the actions of one service (the AWS JSON 1.1 protocol); [`answer`] judges what comes back,
//!   purely; [`error`] names what goes wrong; [`settings`] reads the spec; [`value`] takes secrets apart.

pub(crate) mod answer;
pub(crate) mod client;
pub mod error;
pub(crate) mod keys;
pub(crate) mod login;
mod profile;
pub(crate) mod settings;
mod signature;
mod sts;
mod surroundings;
#[cfg(test)]
#[cfg(feature = "aws-secrets-manager")]
#[cfg(feature = "aws-parameter-store")]
pub(crate) mod tests;
pub(crate) mod value;
