//! Files of keys and values: read, and written without touching what is not ours. Pure text in, pure text out.
//!
//! | format | a value is | what it cannot hold |
//! |---|---|---|
//! | [`FileFormat::Dotenv`] | bare, `'…'` or `"…"`, over several lines if need be | NUL |
//! | [`FileFormat::Export`] | one word of a POSIX shell | NUL |
//! | [`FileFormat::DockerEnv`] | the rest of the line, as it stands | line ends, quotes around the whole, 64 KiB |
//! | [`FileFormat::GithubEnv`] | the lines up to a random delimiter | NUL |
//! | [`FileFormat::Json`] | a JSON string | – |
//! | [`FileFormat::Yaml`] | a double-quoted scalar | – |
//!
//! All of them hold text only (UTF-8). Names are `[A-Za-z_][A-Za-z0-9_]*` in the first four, any key in the others.
//! What a format cannot hold is refused with the name of the key, never bent.
//!
//! Three functions do everything: [`read`] takes a document apart and refuses what it does not understand;
//! [`merge`] sets and removes keys in a document and keeps every other byte; [`render`] is a merge into nothing.
//! A merge reads its own result again before it gives it away: what would not read back is an error.

mod docker_env;
mod document;
mod dotenv;
mod edit;
mod export;
mod github_env;
mod json;
pub(crate) mod json_node;
mod json_path;
mod yaml;

#[cfg(test)]
mod tests;

pub use self::document::{Entry, ReadDocument, format_of, observe, read};
pub use self::edit::{Edit, WriteDocument, check, is_blank, merge, render};
pub use self::github_env::{Delimiter, masks};
pub(crate) use self::json_path::JsonPath;
pub use self::json_path::ReadJsonPath;
pub use crate::api::source::FileFormat;
