//! PostgreSQL, and so Supabase: tables and queries that a store lists, read in read-only transactions.
//!
//! Facts about the wire, SQLSTATEs and catalogue functions are those of the PostgreSQL manual; each stands where it
//! is used.
//!
//! - [`settings`] reads `spec.provider.postgres`, [`connection_url`] a URL in a Secret; [`readable`] knows what a
//!   store lists and what a source may mean by it; [`statement`] writes SQL, purely; [`answer`] judges rows,
//!   purely; [`error`] names what goes wrong.
//! - [`tls`] and [`metered`] lie under a connection, [`session`] makes, keeps and gives up connections;
//!   [`listener`] listens for notifications; [`remembered`] knows what was read before; [`store`] is what the
//!   registry opens.
//! - A source never brings SQL: names are those that the store lists, quoted; values are bound.
//! - Each read is one transaction, read-only and on one snapshot, whose settings end with it: a pooler may stand
//!   between. Values come as the bytes that they are, converted by the server: text in UTF-8, `bytea` raw, a JSON
//!   string without its quotes.
//! - No rows where row-level security is active is a failure: the server hides what a role may not see and says
//!   nothing.

mod answer;
mod connection_url;
mod error;
mod listener;
mod metered;
mod readable;
mod remembered;
mod session;
mod settings;
mod statement;
mod store;
mod tls;

pub use error::PostgresError;
pub use store::PostgresStore;
