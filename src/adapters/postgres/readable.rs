//! What a store lists, and what a source means by it.

use std::collections::BTreeSet;

use penstock_domain::api::postgres::{
    PostgresProvider, PostgresQuery, PostgresQueryRows, PostgresRows, PostgresTable, SCHEMA,
};
use penstock_domain::stores::access::RemotePath;
use penstock_domain::sync::SourceOptions;

use super::error::PostgresError;
use crate::open::{Proposal, StoreQuery};
use crate::settings::ReadSettings;

/// Supabase Vault (`supabase_vault`): secrets in clear, to whom the view is granted.
const VAULT: (&str, &str) = ("vault", "decrypted_secrets");

/// A table or a query that a store lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Readable {
    /// Its name in the store.
    pub(super) name: String,
    pub(super) from: From,
    pub(super) rows: Rows,
    /// The column whose value is the folder of a row.
    pub(super) folder: Option<String>,
    /// Columns and the values that they must have.
    pub(super) only: Vec<(String, String)>,
    /// The column that changes with its row.
    pub(super) version: Option<String>,
}

/// Where rows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum From {
    /// A table or view.
    Table { schema: String, table: String },
    /// A query, and the names of its parameters.
    Query {
        sql: String,
        parameters: Vec<String>,
    },
}

/// How rows become keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rows {
    /// Each row is one key.
    KeyValue { key: String, value: String },
    /// Columns are keys.
    Columns(Vec<String>),
    /// Members of the JSON object in this column are keys.
    Json(String),
}

impl Rows {
    /// The columns that values come from.
    pub(super) fn values(&self) -> &[String] {
        match self {
            Self::KeyValue { value, .. } => std::slice::from_ref(value),
            Self::Columns(columns) => columns,
            Self::Json(column) => std::slice::from_ref(column),
        }
    }
}

impl Readable {
    /// Everything that `provider` lists. Refuses what the API server would have, and names that come twice.
    pub(super) fn all(provider: &PostgresProvider) -> Result<Vec<Self>, ReadSettings> {
        let mut all = Vec::new();
        for table in &provider.tables {
            all.push(of_table(table)?);
        }
        for query in &provider.queries {
            all.push(of_query(query)?);
        }
        let mut names = BTreeSet::new();
        if !all.iter().all(|readable| names.insert(&readable.name)) {
            return Err(ReadSettings::field(
                "tables",
                "and queries must all have different names",
            ));
        }
        if all.is_empty() {
            return Err(ReadSettings::field(
                "tables",
                "or queries must name what sources read",
            ));
        }
        Ok(all)
    }

    /// The one of this name.
    pub(super) fn named<'a>(all: &'a [Self], name: &str) -> Option<&'a Self> {
        all.iter().find(|readable| readable.name == name)
    }

    /// Everything in it that goes into SQL or beside it.
    fn texts(&self) -> impl Iterator<Item = &String> {
        let own = match &self.from {
            From::Table { schema, table } => [Some(schema), Some(table)],
            From::Query { sql, .. } => [Some(sql), None],
        };
        let key = match &self.rows {
            Rows::KeyValue { key, .. } => Some(key),
            Rows::Columns(_) | Rows::Json(_) => None,
        };
        let only = self.only.iter();
        own.into_iter()
            .flatten()
            .chain(key)
            .chain(self.rows.values())
            .chain(&self.folder)
            .chain(&self.version)
            .chain(only.flat_map(|(column, value)| [column, value]))
    }

    pub(super) fn is_query(&self) -> bool {
        matches!(self.from, From::Query { .. })
    }
}

fn of_table(table: &PostgresTable) -> Result<Readable, ReadSettings> {
    let of = |rows, version: Option<&str>| {
        let schema = table.schema.as_deref().unwrap_or(SCHEMA).to_owned();
        let name = table.table.clone().unwrap_or_default();
        readable(Readable {
            name: table.name.clone(),
            from: From::Table {
                schema,
                table: name,
            },
            rows,
            folder: table.folder.clone(),
            only: table
                .only
                .iter()
                .map(|(column, value)| (column.clone(), value.clone()))
                .collect(),
            version: table.version.as_deref().or(version).map(str::to_owned),
        })
    };
    match table.variant() {
        Err(error) => Err(ReadSettings::field("tables", error.to_string())),
        Ok(PostgresRows::SupabaseVault(_)) => {
            let rows = Rows::KeyValue {
                key: "name".to_owned(),
                value: "decrypted_secret".to_owned(),
            };
            let mut vault = of(rows, Some("updated_at"))?;
            if table.table.is_some() {
                return Err(ReadSettings::field(
                    "tables",
                    "must not set table beside supabaseVault",
                ));
            }
            let (schema, view) = VAULT;
            vault.from = From::Table {
                schema: table.schema.as_deref().unwrap_or(schema).to_owned(),
                table: view.to_owned(),
            };
            Ok(vault)
        }
        Ok(_) if table.table.is_none() => Err(ReadSettings::field("tables", "must set table")),
        Ok(PostgresRows::KeyValue(columns)) => of(
            Rows::KeyValue {
                key: columns.key.clone(),
                value: columns.value.clone(),
            },
            None,
        ),
        Ok(PostgresRows::Columns(columns)) => of(Rows::Columns(columns.clone()), None),
        Ok(PostgresRows::Json(column)) => of(Rows::Json(column.clone()), None),
    }
}

fn of_query(query: &PostgresQuery) -> Result<Readable, ReadSettings> {
    let rows = match query.variant() {
        Err(error) => return Err(ReadSettings::field("queries", error.to_string())),
        Ok(PostgresQueryRows::KeyValue(columns)) => Rows::KeyValue {
            key: columns.key.clone(),
            value: columns.value.clone(),
        },
        Ok(PostgresQueryRows::Columns(columns)) => Rows::Columns(columns.clone()),
        Ok(PostgresQueryRows::Json(column)) => Rows::Json(column.clone()),
    };
    let sql = query.sql.trim().trim_end_matches(';').trim_end().to_owned();
    readable(Readable {
        name: query.name.clone(),
        from: From::Query {
            sql,
            parameters: query.parameters.clone(),
        },
        rows,
        folder: None,
        only: Vec::new(),
        version: query.version.clone(),
    })
}

/// Refuses texts that the server could only misunderstand.
fn readable(readable: Readable) -> Result<Readable, ReadSettings> {
    let field = if readable.is_query() {
        "queries"
    } else {
        "tables"
    };
    if readable.texts().any(|text| text.contains('\0')) {
        return Err(ReadSettings::field(field, "must not hold a NUL character"));
    }
    let unique: BTreeSet<_> = readable.rows.values().iter().collect();
    if unique.len() != readable.rows.values().len() || unique.is_empty() {
        return Err(ReadSettings::field(
            field,
            "must list columns, each of them once",
        ));
    }
    Ok(readable)
}

/// What `query` means: one proposal, with every coordinate in its one spelling.
pub(super) fn propose(
    provider: &PostgresProvider,
    query: StoreQuery,
) -> Result<Proposal, PostgresError> {
    let all = Readable::all(provider)?;
    let options = Options::of(&query.options)?;
    if query.environment.is_some() {
        return Err(PostgresError::ask(
            "a database has no environments: remove `environment`",
        ));
    }
    if query.version.is_some() {
        return Err(PostgresError::ask(
            "a database keeps no versions: remove `version`",
        ));
    }
    let readable = options.choose(&all)?;
    let columns = options.columns_of(readable)?;
    let path = match &readable.from {
        From::Query { parameters, .. } => path_of_query(&query, &options, parameters)?,
        From::Table { .. } => path_of_table(&query, &options, readable)?,
    };
    let path = match &query.field {
        None => path.as_folder(),
        Some(field) => path
            .join(field)
            .ok()
            .filter(|path| !field.contains('/') && !path.is_folder())
            .ok_or(PostgresError::ask("`field` must be the name of one key"))?,
    };
    let (name, is_query) = (readable.name.clone(), readable.is_query());
    let table = (all.len() > 1).then(|| name.clone());
    let query = StoreQuery {
        path: query.path.clone().as_folder(),
        options: SourceOptions::Postgres {
            table: (!is_query).then(|| name.clone()),
            query: is_query.then_some(name),
            parameters: options.parameters.clone(),
            columns,
        },
        ..query
    };
    Ok(Proposal {
        path,
        table,
        ..Proposal::of(query)
    })
}

/// What a source's options say.
struct Options<'a> {
    name: Option<(&'a str, bool)>,
    parameters: std::collections::BTreeMap<String, String>,
    columns: &'a [String],
}

impl<'a> Options<'a> {
    fn of(options: &'a SourceOptions) -> Result<Self, PostgresError> {
        match options {
            SourceOptions::None => Ok(Self {
                name: None,
                parameters: std::collections::BTreeMap::new(),
                columns: &[],
            }),
            SourceOptions::Postgres {
                table,
                query,
                parameters,
                columns,
            } => Ok(Self {
                name: match (table, query) {
                    (Some(_), Some(_)) => {
                        return Err(PostgresError::ask(
                            "a source reads one table or one query, not both",
                        ));
                    }
                    (Some(table), None) => Some((table, false)),
                    (None, Some(query)) => Some((query, true)),
                    (None, None) => None,
                },
                parameters: parameters.clone(),
                columns,
            }),
            _ => Err(PostgresError::ask(
                "the only options of a database are `options.postgres`",
            )),
        }
    }

    fn choose<'b>(&self, all: &'b [Readable]) -> Result<&'b Readable, PostgresError> {
        match (self.name, all) {
            (None, [only]) => Ok(only),
            (None, _) => Err(PostgresError::ask(
                "the store lists several tables and queries: set `options.postgres.table` or `options.postgres.query`",
            )),
            (Some((name, is_query)), _) => Readable::named(all, name)
                .filter(|readable| readable.is_query() == is_query)
                .ok_or_else(|| PostgresError::NotListed {
                    name: name.to_owned(),
                    is_query,
                }),
        }
    }

    /// The columns to take, in the store's order; empty is all of them.
    fn columns_of(&self, readable: &Readable) -> Result<Vec<String>, PostgresError> {
        let listed = match &readable.rows {
            Rows::Columns(columns) => columns.as_slice(),
            Rows::KeyValue { .. } | Rows::Json(_) if self.columns.is_empty() => &[],
            Rows::KeyValue { .. } | Rows::Json(_) => {
                return Err(PostgresError::ask(
                    "`options.postgres.columns` chooses of a table that lists `columns`: use `select` here",
                ));
            }
        };
        if self.columns.iter().all(|column| listed.contains(column)) {
            let mut chosen = listed.to_vec();
            chosen.retain(|column| self.columns.contains(column));
            Ok(chosen)
        } else {
            Err(PostgresError::ask(
                "`options.postgres.columns` names a column that the store does not list",
            ))
        }
    }
}

/// The values of a query's parameters are what a caller chooses by, so they are what it must be allowed.
fn path_of_query(
    query: &StoreQuery,
    options: &Options<'_>,
    parameters: &[String],
) -> Result<RemotePath, PostgresError> {
    if !query.path.segments().is_empty() || query.recursive {
        return Err(PostgresError::ask(
            "a query has no folders: remove `path` and `select.recursive`",
        ));
    }
    let known = options
        .parameters
        .keys()
        .all(|name| parameters.contains(name));
    let mut path = RemotePath::parse("").map_err(|_| BAD_PARAMETER)?;
    for name in parameters {
        let value = options.parameters.get(name).filter(|_| known);
        let value = value.ok_or(PostgresError::ask(
            "`options.postgres.parameters` must give each parameter of the query and no other",
        ))?;
        let joined = path.join(value).ok().filter(|_| !value.contains('/'));
        path = joined.ok_or(BAD_PARAMETER)?;
    }
    Ok(path)
}

const BAD_PARAMETER: PostgresError = PostgresError::Ask {
    message: "the value of a parameter is one segment of a path: not empty, not `.` or `..`, without slashes, backslashes, control and percent-encoded characters",
};

fn path_of_table(
    query: &StoreQuery,
    options: &Options<'_>,
    readable: &Readable,
) -> Result<RemotePath, PostgresError> {
    if !options.parameters.is_empty() {
        return Err(PostgresError::ask(
            "`options.postgres.parameters` belong to a query",
        ));
    }
    let at_root = query.path.segments().is_empty();
    match (&readable.folder, at_root) {
        (None, false) => Err(PostgresError::ask(
            "the table has no folders: remove `path`, or set the table's `folder` in the store",
        )),
        (Some(_), true) if !query.recursive => Err(PostgresError::ask(
            "the table's rows lie in folders: set `path` to one, or `select.recursive` for all of them",
        )),
        _ => Ok(query.path.clone()),
    }
}
