//! Every port in memory: a small world that behaves as the contracts say, can be told to fail, and can
//! "die" at any write, so that what a killed process leaves behind is tested write by write.

#[cfg(test)]
mod contract;
mod others;
mod records;
mod state;
mod targets;

pub use state::{Call, Death, State, World, entry};
