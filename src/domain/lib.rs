//! The inside of Penstock: words, rules and decisions, without network, clock, environment or runtime.

pub mod api;
pub mod audit;
pub mod bundle;
pub mod conditions;
pub mod fault;
pub mod keys;
pub mod names;
pub mod ports;
pub mod reserved;
pub mod secret;
pub mod sync;
pub mod workload;
