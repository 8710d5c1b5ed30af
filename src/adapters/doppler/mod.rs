//! Doppler, over its HTTP API.
//!
//! Facts are those of the API's documentation (`docs.doppler.com/reference/api`), of the official command line
//! (`DopplerHQ/cli`, `pkg/http`: `/v3/me`, error documents of `messages` and `success`, `ETag` of a download) and of
//! the official Python client (`doppler-sdk`: parameters of the routes).
//!
//! - [`settings`] reads `spec.provider.doppler`; [`answer`] judges answers, purely; [`store`] asks and is what the
//!   registry opens.
//! - One request reads a whole config. Its `ETag` makes the next one an answer without a body, as long as nothing
//!   changed. No lease is ever asked for: `include_dynamic_secrets=false`.
//! - A config says its own name in three secrets of Doppler's making (`DOPPLER_PROJECT`, `DOPPLER_ENVIRONMENT`,
//!   `DOPPLER_CONFIG`). They are compared with what was asked for, because a service token answers for its own config,
//!   and they are no entries.

mod answer;
mod settings;
mod store;

pub use store::DopplerStore;

#[cfg(test)]
pub(crate) mod tests;
