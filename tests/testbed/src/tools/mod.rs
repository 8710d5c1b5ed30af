//! The programs that the servers are: built from pinned sources, kept in the user's cache.
//!
//! `build` makes what is missing; `Tools::find` only looks. A tool lives in a folder named by a hash
//! of everything it is made from, so that a changed pin is a new folder and an unchanged one costs
//! nothing. The folder is `PENSTOCK_CACHE`, or `penstock` in the user's cache directory: neither
//! `cargo clean` nor a fresh clone loses it.

mod build;
mod cache;
mod prerequisites;
mod progress;
mod recipe;

pub use build::{BuildError, build, build_set};
pub use cache::{CacheError, cache_directory};
pub(crate) use cache::{Draft, Taken};
pub use prerequisites::{MissingPrerequisites, check_prerequisites};
pub use recipe::{NotBuilt, ToolSet, Tools};
