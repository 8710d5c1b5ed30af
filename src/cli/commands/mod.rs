//! One module per verb.

pub mod cluster;
pub mod completions;
pub mod crd;
pub mod version;
