//! The command line as people and pipelines meet it: the built binary, its output and its exit status.
//!
//! Every value that a test puts anywhere is a [`marker`], and [`Stage::penstock`] greps all that the binary prints for
//! markers: a case that may see one says so. So the whole suite is one test that no value leaves by the side door.

mod audit;
mod content;
mod goblin;
mod help;
mod infisical;
mod killed;
mod leaks;
mod memory;
mod order;
mod plan;
mod prompts;
mod scale;
mod ssh;
mod stage;
mod status;
mod sync;
mod trust;
mod validate;
mod vault;
mod wrong;

pub(crate) use self::stage::{marker, shows_value};
