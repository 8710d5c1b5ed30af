//! For the tests of every room: builders, and every port in memory.

mod builders;
pub mod world;

pub use builders::{deployment, installation_key, key, source, sync, sync_id, target};
