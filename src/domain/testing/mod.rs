//! For the tests of every room: builders, every port in memory, and the contracts of ports.

mod builders;
pub mod contract;
pub mod world;

pub use builders::{deployment, installation_key, key, source, sync, sync_id, target};
