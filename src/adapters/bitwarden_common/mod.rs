//! What Bitwarden's two products share: encrypted strings, servers, the shapes of failures, the pace of logins.
//!
//! Facts are those of `bitwarden/sdk-internal` (crates/bitwarden-crypto), `bitwarden/server` and, for Vaultwarden,
//! `dani-garcia/vaultwarden`; each stands where it is used.

pub(crate) mod answer;
pub(crate) mod enc_string;
pub(crate) mod keys;
pub(crate) mod logins;
pub(crate) mod names;
pub(crate) mod rejection;
pub(crate) mod requests;
pub(crate) mod servers;
