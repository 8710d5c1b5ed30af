//! AWS Systems Manager Parameter Store over its HTTP API.
//!
//! Facts about actions, members and bounds are those of the API reference of AWS Systems Manager (version
//! 2014-11-06) and its user guide; what is common to services of AWS is in [`crate::aws`].
//!
//! - [`wire`] holds requests and answers; [`parameters`] reads single parameters and paths; [`items`] sets those of a
//!   folder; [`store`] is what the registry opens.
//! - A path is the name of one parameter; ending in `/` (or with `select.recursive`) it is a folder, read page by
//!   page. A name of one segment may stand without a slash in AWS; both are looked for.
//! - A parameter is one entry, named by the last segment of its name. With `field` it is that member of its JSON
//!   object. A `SecureString` is decrypted; a `StringList` is its text, with commas.
//! - Its version is its number. A label pins one, too; a folder can be read by a label.
//! - Tags are not read: that would take one more request for each parameter.

mod items;
mod parameters;
mod store;
#[cfg(test)]
#[cfg(feature = "aws-secrets-manager")]
#[cfg(feature = "aws-parameter-store")]
pub(crate) mod tests;
mod wire;

pub use store::ParameterStore;
