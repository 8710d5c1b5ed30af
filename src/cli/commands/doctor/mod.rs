//! `penstock doctor`: what works, what does not, and what to do about it.

mod cluster;
mod documents;
mod finding;
mod orphans;

#[cfg(test)]
mod tests;

pub use self::cluster::{ClusterPlace, cluster};
pub use self::documents::{Tried, checked_store, checked_sync};
pub use self::finding::{Diagnosis, Finding, Grade};
