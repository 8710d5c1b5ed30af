//! The inside of Penstock: words, rules and decisions, without network, clock, environment or runtime.

pub mod api;
pub mod audit;
pub mod bundle;
pub mod conditions;
pub mod content;
pub mod diff;
pub mod engine;
pub mod fault;
pub mod keys;
pub mod names;
pub mod plan;
pub mod ports;
pub mod record;
pub mod render;
pub mod report;
pub mod reserved;
pub mod restart;
pub mod schedule;
pub mod secret;
pub mod stores;
pub mod sync;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
pub mod workload;
