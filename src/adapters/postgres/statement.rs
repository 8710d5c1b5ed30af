//! Writes SQL: names of the store's list, quoted; values of sources, bound. Pure.

use penstock_domain::bundle::MAX_KEYS;

use super::readable::{From, Readable, Rows};
use crate::open::StoreQuery;

/// A statement and its parameters, all of them texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) parameters: Vec<String>,
}

/// What stands in which column of a row, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// The names of the values' columns, which stand from [`Layout::VALUES`] on.
    pub(super) values: Vec<String>,
}

impl Layout {
    /// The folder, a text or NULL.
    pub(super) const FOLDER: usize = 0;
    /// The key, a text or NULL.
    pub(super) const KEY: usize = 1;
    /// The version, a text or NULL.
    pub(super) const VERSION: usize = 2;
    /// The first value, bytes or NULL.
    pub(super) const VALUES: usize = 3;
}

/// How a transaction of ours begins. Everything in it ends with the transaction, so that a pooler may hand the
/// connection on; `timeout` is in milliseconds.
pub(super) fn begin(timeout: u128) -> String {
    format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
         SET LOCAL statement_timeout = {timeout}; \
         SET LOCAL lock_timeout = {timeout}; \
         SET LOCAL idle_in_transaction_session_timeout = {timeout}; \
         SET LOCAL standard_conforming_strings = on; \
         SET LOCAL bytea_output = 'hex'; \
         SET LOCAL datestyle = 'ISO, YMD'; \
         SET LOCAL timezone = 'UTC'; \
         SET LOCAL intervalstyle = 'iso_8601'; \
         SET LOCAL extra_float_digits = 1"
    )
}

/// The rows that answer `query`: at most one more than may be, so that too many are seen.
pub(super) fn rows(
    readable: &Readable,
    query: &StoreQuery,
    chosen: &[String],
) -> (Statement, Layout) {
    let mut writing = Writing::of(readable, query);
    let values = match &readable.rows {
        Rows::Columns(listed) => {
            let wanted = |column: &&String| {
                (chosen.is_empty() || chosen.contains(column))
                    && query.field.as_ref().is_none_or(|field| field == *column)
            };
            listed.iter().filter(wanted).cloned().collect()
        }
        rows => rows.values().to_vec(),
    };
    let text = |column: Option<&String>| {
        column.map_or("NULL::pg_catalog.text".to_owned(), |column| as_text(column))
    };
    let key = match &readable.rows {
        Rows::KeyValue { key, .. } => Some(key),
        Rows::Columns(_) | Rows::Json(_) => None,
    };
    let mut columns = vec![
        text(readable.folder.as_ref()),
        text(key),
        text(readable.version.as_ref()),
    ];
    columns.extend(values.iter().map(|column| as_bytes(column)));
    let from = writing.from();
    let conditions = writing.conditions();
    let sql = format!(
        "SELECT {} FROM {from}{conditions} LIMIT {}",
        columns.join(", "),
        MAX_KEYS + 1
    );
    let parameters = writing.parameters;
    (Statement { sql, parameters }, Layout { values })
}

/// One text that is another whenever the answer to `query` may be another; none where the store declares no version.
/// Each row counts by its place and version, and sums do not care for their order.
pub(super) fn version(readable: &Readable, query: &StoreQuery) -> Option<Statement> {
    let version = readable.version.as_ref()?;
    let mut writing = Writing::of(readable, query);
    let key = match &readable.rows {
        Rows::KeyValue { key, .. } => Some(key),
        Rows::Columns(_) | Rows::Json(_) => None,
    };
    let part = |column: Option<&String>| {
        column.map_or("''".to_owned(), |column| {
            format!("COALESCE({}, '')", as_text(column))
        })
    };
    let identity = [
        part(readable.folder.as_ref()),
        part(key),
        part(Some(version)),
    ]
    .join(" || pg_catalog.chr(31) || ");
    let from = writing.from();
    let conditions = writing.conditions();
    let sql = format!(
        "SELECT pg_catalog.count(*)::pg_catalog.text || ':' || \
         COALESCE(pg_catalog.sum(pg_catalog.hashtextextended({identity}, 0)), 0)::pg_catalog.text \
         FROM {from}{conditions}"
    );
    Some(Statement {
        sql,
        parameters: writing.parameters,
    })
}

/// Asks for nothing, but for the right to ask.
pub(super) fn check(readable: &Readable) -> Option<String> {
    if readable.is_query() {
        return None;
    }
    let key = match &readable.rows {
        Rows::KeyValue { key, .. } => Some(key),
        Rows::Columns(_) | Rows::Json(_) => None,
    };
    let columns = readable.rows.values().iter().chain(key);
    let columns = columns.chain(&readable.folder).chain(&readable.version);
    let columns = columns.chain(readable.only.iter().map(|(column, _)| column));
    let columns: Vec<_> = columns.map(|column| column_of(column)).collect();
    Some(format!(
        "SELECT {} FROM {} LIMIT 0",
        columns.join(", "),
        source(&readable.from)
    ))
}

/// Whether row-level security may hide rows of the table from us: one text, `true` or `false`.
pub(super) fn row_security(readable: &Readable) -> Option<Statement> {
    let From::Table { schema, table } = &readable.from else {
        return None;
    };
    let name = format!("{}.{}", identifier(schema), identifier(table));
    Some(Statement {
        sql: "SELECT pg_catalog.row_security_active($1::pg_catalog.text)::pg_catalog.text"
            .to_owned(),
        parameters: vec![name],
    })
}

/// Listens on a channel.
pub(super) fn listen(channel: &str) -> String {
    format!("LISTEN {}", identifier(channel))
}

/// A name between quotes, in which a quote is written twice (manual, "Identifiers and Key Words").
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn column_of(column: &str) -> String {
    format!("s.{}", identifier(column))
}

fn as_text(column: &str) -> String {
    format!("{}::pg_catalog.text", column_of(column))
}

/// Whatever type a column has, its value as the bytes that it stands for. The branches are by type (`pg_type.dat`:
/// bytea 17, json 114, jsonb 3802). All are planned, and of a constant (a view or a query may have one) the planner
/// computes what it can: so each takes a value of any type, and `concat` and `to_json`, which are not immutable, keep
/// what could fail until it is the branch of the value's own type.
fn as_bytes(column: &str) -> String {
    let (column, text) = (column_of(column), as_text(column));
    let of_type = format!("pg_catalog.pg_typeof({column})::pg_catalog.oid");
    format!(
        "CASE WHEN {column} IS NULL THEN NULL \
         WHEN {of_type} = 17 THEN pg_catalog.decode(pg_catalog.substr(pg_catalog.concat({text}), 3), 'hex') \
         WHEN {of_type} IN (114, 3802) \
         THEN pg_catalog.convert_to(pg_catalog.to_json({column}) OPERATOR(pg_catalog.#>>) '{{}}', 'UTF8') \
         ELSE pg_catalog.convert_to({text}, 'UTF8') END"
    )
}

fn source(from: &From) -> String {
    match from {
        From::Table { schema, table } => {
            format!("{}.{} AS s", identifier(schema), identifier(table))
        }
        // A line of its own: the query may end in a comment.
        From::Query { sql, .. } => format!("(\n{sql}\n) AS s"),
    }
}

struct Writing<'a> {
    readable: &'a Readable,
    query: &'a StoreQuery,
    parameters: Vec<String>,
}

impl<'a> Writing<'a> {
    /// The parameters of the store's own query come first: it numbers them.
    fn of(readable: &'a Readable, query: &'a StoreQuery) -> Self {
        let parameters = match (&readable.from, &query.options) {
            (
                From::Query { parameters, .. },
                penstock_domain::sync::SourceOptions::Postgres {
                    parameters: given, ..
                },
            ) => {
                let given = |name| given.get(name).cloned().unwrap_or_default();
                parameters.iter().map(given).collect()
            }
            _ => Vec::new(),
        };
        Self {
            readable,
            query,
            parameters,
        }
    }

    fn from(&self) -> String {
        source(&self.readable.from)
    }

    fn conditions(&mut self) -> String {
        let mut conditions = Vec::new();
        for (column, value) in &self.readable.only {
            let value = self.bind(value.clone());
            conditions.push(format!("{} = {value}", as_text(column)));
        }
        if let Some(folder) = &self.readable.folder {
            let column = as_text(folder);
            let path = self.query.path.to_text();
            if path.is_empty() {
                conditions.push(format!("{column} IS NOT NULL"));
            } else if self.query.recursive {
                let (itself, below) = (self.bind(path.clone()), self.bind(format!("{path}/")));
                conditions.push(format!(
                    "({column} = {itself} OR pg_catalog.starts_with({column}, {below}))"
                ));
            } else {
                let itself = self.bind(path);
                conditions.push(format!("{column} = {itself}"));
            }
        }
        if let (Rows::KeyValue { key, .. }, Some(field)) = (&self.readable.rows, &self.query.field)
        {
            let field = self.bind(field.clone());
            conditions.push(format!("{} = {field}", as_text(key)));
        }
        if conditions.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", conditions.join(" AND "))
        }
    }

    fn bind(&mut self, value: String) -> String {
        self.parameters.push(value);
        format!("${}", self.parameters.len())
    }
}
