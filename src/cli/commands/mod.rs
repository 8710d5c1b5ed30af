//! One module per verb.

pub mod crd;
