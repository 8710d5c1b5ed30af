//! AWS Secrets Manager over its HTTP API.
//!
//! Facts about actions, members and bounds are those of its API reference and user guide ("Quotas"); what is
//! common to services of AWS is in [`crate::aws`].
//!
//! - [`wire`] holds requests and answers; [`secrets`] reads single secrets and folders; [`remembered`] knows
//!   values that cannot have changed; [`store`] is what the registry opens.
//! - A path is the name of one secret; ending in `/` (or with `select.recursive`) it is a folder: every secret
//!   whose name begins so, on the borders of segments. A name may begin with a slash in AWS and does not in a
//!   path: both are looked for, so `prod/db` finds `/prod/db`, too.
//! - A secret is one entry, named by the last segment of its name. With `field` it is that member of its JSON
//!   object. `SecretBinary` gives its bytes.
//! - Tags of an entry are `key=value`, or the key where the value is empty. Its version is the version's id.
//! - A folder is read by lists and batches of 20. What one item of a batch lacks, the whole answer lacks: it is an
//!   error. Secrets without a value yet, and those to be deleted, are none.
//! - The value of a version never changes, so readers that do not insist ask only for versions that are new to us.

mod remembered;
mod secrets;
mod store;
#[cfg(test)]
#[cfg(feature = "aws-secrets-manager")]
#[cfg(feature = "aws-parameter-store")]
pub(crate) mod tests;
mod wire;

pub use store::SecretsManagerStore;
