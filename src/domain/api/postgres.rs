//! `spec.provider.postgres`: a PostgreSQL database, Supabase's too.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::null::null_is_empty;
use super::one_of::one_of;
use super::schema::{Filled, List, Map, Text, at_most_one, exactly_one, only_with};
use super::shared::{ConfigMapKeyRef, SecretKeyRef};

/// The port of a server whose port is not named.
pub const PORT: u16 = 5432;
/// The schema of a table whose schema is not named.
pub const SCHEMA: &str = "public";

/// A connection to one database, and what sources may read in it: tables and queries that stand here. A source
/// names one of them and gives values; it never brings SQL.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = exactly_one(PostgresProvider::MEMBERS, "a store is one database"),
    validation = only_with("host", &["port", "database", "user", "passwordRef"], "port, database, user and passwordRef belong to host: with urlRef they stand in the URL"),
    validation = at_most_one(
        &["caBundle", "caSecretRef", "caConfigMapRef"],
        "the CA certificates lie in one place",
    ),
    validation = Rule::new("!has(self.host) || (has(self.database) && has(self.user) && has(self.passwordRef))")
        .message("beside host set database, user and passwordRef"),
    validation = Rule::new("!has(self.pooler) || self.pooler != 'transaction' || !has(self.notify)")
        .message("a pooler in transaction mode passes no notifications on: connect notify to the database itself, or to the pooler in session mode (at Supabase port 5432)"),
    validation = Rule::new("(has(self.tables) && self.tables.size() > 0) || (has(self.queries) && self.queries.size() > 0)")
        .message("sources read what tables and queries name: set one at least"),
)]
pub struct PostgresProvider {
    /// Host name or address of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub host: Option<String>,
    /// The whole connection as a URL, in a Secret: `postgres://user:password@host:5432/database`. Of its
    /// parameters `sslmode`, `channel_binding`, `application_name`, `connect_timeout` and `pgbouncer` are
    /// understood; files, sockets, several hosts and everything else are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_ref: Option<SecretKeyRef>,
    /// Port of the server. Absent: 5432.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub port: Option<u16>,
    /// Name of the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<63>>")]
    pub database: Option<String>,
    /// Role to log in as. At Supabase's pooler `<role>.<project reference>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<128>>")]
    pub user: Option<String>,
    /// Its password, in a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_ref: Option<SecretKeyRef>,
    /// verifyFull (TLS, with the server's certificate and its name verified), require (TLS, with whatever
    /// certificate) or disable (no TLS). The last two go only to addresses that the administrator lists for plain
    /// text, because anybody on the way can take the password. Absent: verifyFull, unless a URL says
    /// `sslmode=disable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<PostgresTls>,
    /// Host name to expect in the server's certificate. Absent: the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub tls_server_name: Option<String>,
    /// CA certificates (PEM) that the server's certificate must chain to, instead of the usual ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<65536>>")]
    pub ca_bundle: Option<String>,
    /// CA certificates (PEM) in a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKeyRef>,
    /// CA certificates (PEM) in a ConfigMap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_config_map_ref: Option<ConfigMapKeyRef>,
    /// prefer (the login is bound to the TLS connection where the server can do that) or require (it must be:
    /// SCRAM-SHA-256-PLUS). Absent: prefer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_binding: Option<PostgresChannelBinding>,
    /// What stands before the database, if anything: a pooler in session or in transaction mode. Absent: nothing,
    /// but port 6543 of `*.pooler.supabase.com` is known to be one in transaction mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pooler: Option<PostgresPooler>,
    /// Tables and views that sources may read.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<PostgresTable, 64>", extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub tables: Vec<PostgresTable>,
    /// Queries that sources may run, each in a read-only transaction. Their names and those of tables are all
    /// different.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<PostgresQuery, 32>", extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub queries: Vec<PostgresQuery>,
    /// Listens for notifications: whoever reads from this store reads at once when one comes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notify: Option<PostgresNotify>,
}

one_of! {
    /// How a database is named.
    PostgresProvider => PostgresServer {
        /// Field by field.
        Host(String) = host "host",
        /// By a URL in a Secret.
        Url(SecretKeyRef) = url_ref "urlRef",
    }
}

/// How connections are encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum PostgresTls {
    /// TLS, verified.
    #[default]
    VerifyFull,
    /// TLS, not verified.
    Require,
    /// No TLS.
    Disable,
}

/// Whether a login is bound to its TLS connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum PostgresChannelBinding {
    /// Where the server can.
    #[default]
    Prefer,
    /// In any case.
    Require,
}

/// What stands before a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum PostgresPooler {
    /// A pooler that gives each client a connection of its own.
    Session,
    /// A pooler that gives out a connection for each transaction.
    Transaction,
}

/// A table or view, and how its rows become keys. Exactly one of `keyValue`, `columns`, `json`, `supabaseVault`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = exactly_one(PostgresTable::MEMBERS, "rows become keys in exactly one way"),
    validation = Rule::new("has(self.supabaseVault) != has(self.table)")
        .message("set table; supabaseVault alone knows its own"),
)]
pub struct PostgresTable {
    /// Name that sources use (`options.postgres.table`).
    #[schemars(with = "Filled<63>")]
    pub name: String,
    /// Schema. Absent: public.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<63>>")]
    pub schema: Option<String>,
    /// Table or view, as the database spells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<63>>")]
    pub table: Option<String>,
    /// Each row is one key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_value: Option<PostgresKeyValue>,
    /// A row is as many keys as there are columns here, named like them. Without `folder` there must be exactly
    /// one row.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<List<Filled<63>, 256>>", length(min = 1))]
    pub columns: Option<Vec<String>>,
    /// A row holds a JSON object in this column, whose members are keys. Without `folder` there must be exactly
    /// one row.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<63>>")]
    pub json: Option<String>,
    /// Supabase Vault: the view `vault.decrypted_secrets`, whose secrets have names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supabase_vault: Option<PostgresSupabaseVault>,
    /// Column whose value is the folder that a row lies in: a source's `path` chooses one, `select.recursive` takes
    /// all. Absent: all rows lie in one folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<63>>")]
    pub folder: Option<String>,
    /// Only rows in which these columns have these values, compared as text.
    #[serde(
        default,
        rename = "where",
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<Text<1024>, 16>")]
    pub only: BTreeMap<String, String>,
    /// Column that changes whenever its row does (`updated_at`), or `xmin`, which the server itself keeps for every
    /// table. It is the version of a key, and lets a refresh find out cheaply that nothing has changed. Absent: keys
    /// have no version, and every refresh reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<63>>")]
    pub version: Option<String>,
}

one_of! {
    /// How the rows of a table become keys.
    PostgresTable => PostgresRows {
        /// Each row is one key.
        KeyValue(PostgresKeyValue) = key_value "keyValue",
        /// Columns are keys.
        Columns(Vec<String>) = columns "columns",
        /// Members of a JSON object are keys.
        Json(String) = json "json",
        /// Supabase Vault.
        SupabaseVault(PostgresSupabaseVault) = supabase_vault "supabaseVault",
    }
}

/// The columns of a table whose rows are keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PostgresKeyValue {
    /// Column of the key.
    #[schemars(with = "Filled<63>")]
    pub key: String,
    /// Column of the value. A JSON string is taken without its quotes, any other JSON as it is written; NULL is no
    /// value.
    #[schemars(with = "Filled<63>")]
    pub value: String,
}

/// Supabase Vault's view. It has nothing to set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PostgresSupabaseVault {}

/// A query, and how its rows become keys. Exactly one of `keyValue`, `columns`, `json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(PostgresQuery::MEMBERS, "rows become keys in exactly one way"))]
pub struct PostgresQuery {
    /// Name that sources use (`options.postgres.query`).
    #[schemars(with = "Filled<63>")]
    pub name: String,
    /// One SELECT. `$1`, `$2` … are the parameters, as texts: write `$1::uuid` where another type is wanted.
    #[schemars(with = "Filled<8192>")]
    pub sql: String,
    /// Names of the parameters, in their order. Each source must give each of them.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Filled<63>, 16>", extend("x-kubernetes-list-type" = "atomic"))]
    pub parameters: Vec<String>,
    /// Each row is one key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_value: Option<PostgresKeyValue>,
    /// The one row is as many keys as there are columns here, named like them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<List<Filled<63>, 256>>", length(min = 1))]
    pub columns: Option<Vec<String>>,
    /// The one row holds a JSON object in this column, whose members are keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<63>>")]
    pub json: Option<String>,
    /// Column that changes whenever its row does. Absent: keys have no version, and every refresh reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<63>>")]
    pub version: Option<String>,
}

one_of! {
    /// How the rows of a query become keys.
    PostgresQuery => PostgresQueryRows {
        /// Each row is one key.
        KeyValue(PostgresKeyValue) = key_value "keyValue",
        /// Columns are keys.
        Columns(Vec<String>) = columns "columns",
        /// Members of a JSON object are keys.
        Json(String) = json "json",
    }
}

/// Notifications of the database.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PostgresNotify {
    /// Channel to listen on, as `pg_notify` spells it. A notification is only a hint: its payload is not looked at.
    #[schemars(with = "Filled<63>")]
    pub channel: String,
}

/// Options of a source in a database.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = at_most_one(&["table", "query"], "a source reads one table or one query"),
    validation = only_with("query", &["parameters"], "parameters belong to a query"),
)]
pub struct PostgresSourceOptions {
    /// Table to read, by its name in the store. Absent: the store's only table or query.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<63>>")]
    pub table: Option<String>,
    /// Query to run, by its name in the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<63>>")]
    pub query: Option<String>,
    /// Values of the query's parameters, by name. For a ClusterSecretStore the values, in the order of the query's
    /// parameters and joined by `/`, are the remote name that `allow[].keyPrefixes` is about. May hold
    /// `{{ parameters }}`.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<Filled<1024>, 16>")]
    pub parameters: BTreeMap<String, String>,
    /// Columns to take, of those that the table or query lists. Absent: all of them.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Filled<63>, 256>", extend("x-kubernetes-list-type" = "atomic"))]
    pub columns: Vec<String>,
}
