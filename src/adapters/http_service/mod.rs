//! Any service that answers an HTTP request with a document (`spec.provider.http`).
//!
//! - [`settings`] reads the spec; [`template`] puts credentials into headers and body; [`answer`] judges answers,
//!   purely; [`store`] asks and is what the registry opens.
//! - Credentials travel in headers and bodies, never in addresses. A template is text and `{{ name }}`, nothing else;
//!   in a body it stands within a string and is escaped there.
//! - Nothing is known of the service, so no answer means "not found" unless the store says which. A 404 may come from
//!   anything on the way.
//! - Where a GET is answered with an `ETag`, readers that do not insist ask with it.

mod answer;
mod settings;
mod store;
mod template;

pub use store::HttpService;

#[cfg(test)]
pub(crate) mod tests;
