//! The outside world: one folder per outside system, behind the ports of the domain.

pub mod http;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
