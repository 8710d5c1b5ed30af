//! Placeholder of the skeleton.

pub mod commands;
