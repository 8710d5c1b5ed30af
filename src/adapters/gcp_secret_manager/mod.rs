//! Secret Manager of Google Cloud, over its REST API (version 1).
//!
//! Facts about routes, bodies and errors are those of Google's reference (`secretmanager.googleapis.com`), of
//! AIP-4117 for external accounts and of RFC 8693 for the exchange of tokens.
//!
//! - [`settings`] reads `spec.provider.gcpSecretManager`, [`document`] a key in Google's JSON format; [`login`] gets
//!   access tokens; [`answer`] judges answers, purely; [`crc32c`] checks payloads; [`secrets`] lists and accesses;
//!   [`error`] names what goes wrong; [`store`] is what the registry opens.
//! - A secret is one entry. Names have no folders: the store's separator makes some of them. A folder is read by
//!   listing the project's secrets and accessing the newest version of each that lies in it.
//! - `latest` is the version that was made last, also when it is disabled: then the read fails and says so. A secret
//!   that never had a version has no value, and is left out of its folder.
//! - Every payload carries a checksum (CRC-32C), which is verified: what does not fit is no answer.
//! - There is no cheaper read than the value itself: reading a version's metadata has a hundred and fiftieth of the
//!   quota (600 against 90,000 a minute) and wants another right. So there is no `probe` among the capabilities.

mod answer;
mod crc32c;
mod document;
mod error;
mod login;
mod secrets;
mod settings;
mod store;

pub use error::GcpError;
pub use store::GcpStore;

#[cfg(test)]
pub(crate) mod tests;
