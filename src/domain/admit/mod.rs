//! From a SecretSync as it was written to one that holds no contradiction: pure, and every problem at once.
//!
//! [`admit`] is the only way to a [`ValidatedSync`](crate::sync::ValidatedSync). What the API server's schema
//! promises is checked again, because what the CLI reads has passed no API server; what a schema cannot say
//! is checked here only: names across lists, templates, patterns, paths, what rule 7 of the design refuses.
//!
//! Two kinds of problems, each with the path of its field: `InvalidSpec` is a mistake of whoever wrote it,
//! `NotSupported` is a field of the API that this version cannot fulfil yet. A field that is silently ignored
//! would be worse than one that is refused, so both stop the sync.
//!
//! Paths name list items as the API does: sources by index (their order decides), targets by name.

mod canary;
mod file;
mod host_file;
mod metadata;
mod parameters;
mod patterns;
mod place;
mod problems;
mod rollout;
mod source;
mod spec;
mod target;
mod transform;
mod validate;
mod waves;
mod windows;
mod words;

#[cfg(test)]
mod rollout_tests;
#[cfg(test)]
mod tests;

pub use place::{CommandLine, Place};
pub use problems::Problems;
pub use spec::{admit, admit_at};
