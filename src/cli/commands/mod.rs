//! One module per verb.

pub mod completions;
pub mod crd;
pub mod version;
