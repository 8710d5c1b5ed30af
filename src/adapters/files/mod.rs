//! Files as sources, targets and records: the command line's alone, the operator knows none.
//!
//! | module | duty |
//! |---|---|
//! | [`access`] | which file a path means, and whether it may be touched |
//! | `git` | whether a file would end up in a commit |
//! | `bounded` | opening and reading without following, blocking or filling memory |
//! | `replace` | one folder at a time, and one visible step per file |
//! | `content` | what a write makes of what stands there |
//! | [`source`], [`target`], [`record`], [`key`] | what the ports and the composition get |
//!
//! Files are small and local, so the work on them is done on a blocking thread in one go: a caller that goes away
//! leaves the old content or the new one.

pub mod access;
mod bounded;
pub(crate) mod content;
mod failure;
mod git;
pub mod key;
pub mod record;
mod replace;
pub mod source;
pub mod target;

#[cfg(test)]
mod tests;

pub use self::access::{FileAccess, GithubFiles};
pub(crate) use self::bounded::MAX_FILE_BYTES;
pub use self::failure::FileFailure;
pub use self::git::would_be_committed;
pub use self::record::FileRecords;
pub use self::source::FileSources;
pub use self::target::FileTargets;
