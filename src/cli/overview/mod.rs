//! SecretSyncs for people: pure text of what the status says in a cluster, and of what a look and the record say of
//! documents. Names are escaped, values are not there.

mod advice;
mod documents;
mod explanation;
mod json;
mod revisions;
mod state;
mod table;

#[cfg(test)]
mod tests;

pub use self::documents::{DocumentSync, documents_as_json, documents_table, explained};
pub use self::explanation::{Told, explanation};
pub use self::json::as_json;
pub use self::revisions::revisions;
pub use self::state::{pending_lines, state_line};
pub use self::table::table;
