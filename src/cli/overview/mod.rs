//! SecretSyncs of a cluster for people: pure text of what their status says. Names are escaped, values are not there.

mod advice;
mod explanation;
mod json;
mod revisions;
mod state;
mod table;

#[cfg(test)]
mod tests;

pub use self::explanation::{Told, explanation};
pub use self::json::as_json;
pub use self::revisions::revisions;
pub use self::state::{pending_lines, state_line};
pub use self::table::table;
