//! The wire types of `penstock.dev/v1alpha1`: what people write in YAML, and the status they read.
//!
//! These types only carry; what they mean is decided further in. The rules of the house:
//!
//! - **A one-of is a struct of options** with one CEL rule (`schema::exactly_one`) whose message
//!   names the members. The struct's `variant()` gives the enum to match on (see [`one_of`]).
//! - **Everything is bounded** (`maxItems`, `maxProperties`, `maxLength`), so that the API server can
//!   bound the cost of the rules; the markers in `schema` spell the bounds.
//! - **Absent is the safe choice.** No field has a default in the schema (it would break the diffs of
//!   GitOps tools, and an older CRD prunes a field it does not know); the description names what
//!   absence means, and [`defaults`] holds the numbers.
//! - **Every field is described**: the doc comment is what `kubectl explain` prints. A closed word's
//!   meaning stands there, too; the enum's own comment would displace it, hence `description = ""`.
//! - **What may hold a secret cannot be printed**: [`shared::MaskedText`].
//! - **`null` is absence**, for every optional field, also for lists; only closed words refuse it.
//! - **Typos are not errors here**: unknown fields are pruned by the API server and ignored by serde,
//!   so that an older operator can read objects of a newer CRD.
//!
//! [`crds::all_crds`] turns them into the `CustomResourceDefinition`s that `crds/` holds.
#![expect(
    unreachable_pub,
    reason = "kube's KubeSchema derive repeats each struct, `pub` included, inside a function body"
)]
#![expect(
    clippy::duplicated_attributes,
    reason = "each of kube's `printcolumn`s has a type, and several have the same"
)]

pub mod aws;
pub mod azure_key_vault;
pub mod bitwarden;
pub mod canary;
pub mod cluster_sync;
pub mod crds;
pub mod defaults;
pub mod doppler;
pub mod gcp_secret_manager;
pub mod http;
pub mod infisical;
pub mod kubernetes;
mod null;
pub mod one_of;
pub mod one_password;
pub mod postgres;
pub mod rollout;
pub mod rotation;
mod schema;
pub mod secret_sync;
pub mod select;
pub mod shared;
pub mod source;
pub mod ssh;
pub mod status;
pub mod store;
pub mod target;
pub mod then;
pub mod transform;
pub mod validate;
pub mod vault;

#[cfg(test)]
mod tests;
