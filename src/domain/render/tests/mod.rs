//! Rendering as a whole.

mod merging;
mod properties;
mod targets;
mod templates;
