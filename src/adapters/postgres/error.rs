//! What goes wrong with a database, and what it means outside.

use std::time::Duration;

use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};
use tokio_postgres::error::SqlState;

use super::answer::Rejection;
use super::readable::{From as Origin, Readable};
use crate::http::egress::Refusal;
use crate::http::error::SendRequest;
use crate::http::resolve::ResolveHost;
use crate::http::tls::{CertificateProblem, ConfigureTls};
use crate::settings::ReadSettings;

/// A server with no room for another connection is left alone for so long.
const NO_ROOM: Duration = Duration::from_secs(5);

/// Why something could not be read. Names in it are those of the store and of its tables; of an error of the server
/// it holds the SQLSTATE.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PostgresError {
    /// `spec.provider.postgres` makes no sense, or what it names is not there.
    #[error(transparent)]
    Settings(#[from] ReadSettings),
    /// TLS.
    #[error("set up TLS")]
    Tls(#[source] ConfigureTls),
    /// No connection.
    #[error("connect to {host}")]
    Connect {
        /// The host.
        host: String,
        /// Why.
        #[source]
        source: SendRequest,
    },
    /// The server speaks no TLS.
    #[error("encrypt the connection to {host}")]
    NoTls {
        /// The host.
        host: String,
    },
    /// The server wants a login of a kind that we do not give.
    #[error("log in to {host}")]
    Login {
        /// The host.
        host: String,
    },
    /// The server refuses a connection.
    #[error("open a session at {host} (SQLSTATE {state})")]
    Session {
        /// The host.
        host: String,
        /// The SQLSTATE.
        state: String,
    },
    /// The server refuses a statement.
    #[error("read {place} (SQLSTATE {state})")]
    Statement {
        /// The table or query.
        place: Place,
        /// The SQLSTATE.
        state: String,
    },
    /// The rows are no answer.
    #[error("read {place}")]
    Rows {
        /// The table or query.
        place: Place,
        /// Why.
        rejection: AnyRejection,
    },
    /// There is no row where there must be one.
    #[error("find a row of {place}")]
    NoRow {
        /// The table or query.
        place: Place,
        /// Row-level security may hide it.
        hidden: bool,
    },
    /// The store lists no such table or query.
    #[error("find {name} in the store's list")]
    NotListed {
        /// What the source names.
        name: String,
        /// It wants a query.
        is_query: bool,
    },
    /// What the source asks for does not exist in a database, or contradicts itself.
    #[error("answer a source: {message}")]
    Ask {
        /// What is wrong.
        message: &'static str,
    },
}

/// A table or query, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `table public.settings`, `query keys`.
    text: String,
    /// What must be granted, as SQL without its end.
    grants: String,
}

impl Place {
    pub(super) fn of(readable: &Readable) -> Self {
        match &readable.from {
            Origin::Table { schema, table } => Self {
                text: format!("table {schema}.{table}"),
                grants: format!("USAGE ON SCHEMA {schema} and GRANT SELECT ON {schema}.{table}"),
            },
            Origin::Query { .. } => Self {
                text: format!("query {}", readable.name),
                grants: "SELECT on what the query reads and GRANT USAGE on its schemas".to_owned(),
            },
        }
    }

    /// What every read does first.
    pub(super) fn session() -> Self {
        Self {
            text: "the session".to_owned(),
            grants: "CONNECT ON DATABASE".to_owned(),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// A [`Rejection`], opaque outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnyRejection(pub(super) Rejection);

impl PostgresError {
    pub(super) fn ask(message: &'static str) -> Self {
        Self::Ask { message }
    }

    pub(super) fn rows(place: &Place, rejection: Rejection) -> Self {
        Self::Rows {
            place: place.clone(),
            rejection: AnyRejection(rejection),
        }
    }

    /// Whether what was fetched when the store was opened (credentials, authorities) may be out of date.
    pub(super) fn blames_credentials(&self) -> bool {
        match self {
            Self::Session { state, .. } => is_login(state),
            Self::Connect { source, .. } => matches!(source, SendRequest::Verify(_)),
            Self::Login { .. } => true,
            _ => false,
        }
    }

    /// How long the server is to be left alone.
    pub(super) fn wait(&self) -> Option<Duration> {
        match self {
            Self::Session { state, .. } if *state == *SqlState::TOO_MANY_CONNECTIONS.code() => {
                Some(NO_ROOM)
            }
            _ => None,
        }
    }

    /// The fault for `subject`.
    pub fn fault(&self, subject: &str) -> Fault {
        let of = |class, message: String| Fault::new(class, subject, message);
        let provider = format!("{subject} spec.provider.postgres");
        match self {
            Self::Settings(error) => error.fault(&provider),
            Self::Tls(problem) => Fault::new(FaultClass::Invalid, provider, problem.to_string())
                .hint("Check caBundle, caSecretRef or caConfigMapRef, and tlsServerName"),
            Self::Connect { host, source } => match source {
                SendRequest::Resolve(ResolveHost::Refused(Refusal::PlainText)) => Fault::new(
                    FaultClass::Denied,
                    format!("{provider}.tls"),
                    "the address may not be reached in plain text, nor by TLS that is not verified",
                )
                .because(Reason::EgressDenied)
                .hint("Set `tls: verifyFull`, or have an administrator open the address with `--egress-allow`"),
                SendRequest::Resolve(_) => source.fault(&format!("{provider}.host"), host),
                SendRequest::Verify(CertificateProblem::Other) => of(
                    FaultClass::Unavailable,
                    format!("{host} does not agree on TLS"),
                )
                .hint("Check that host and port lead to a PostgreSQL server with TLS"),
                _ => source.fault(subject, host),
            },
            Self::NoTls { host } => of(FaultClass::Unavailable, format!("{host} speaks no TLS"))
                .hint("Switch `ssl` on at the server; `tls: disable` goes only to addresses that an administrator lists for plain text"),
            Self::Login { host } => of(
                FaultClass::Denied,
                format!("{host} wants a login of a kind that is not given"),
            )
            .because(Reason::CredentialsRefused)
            .hint("The server must ask for a password by scram-sha-256; with `channelBinding: require` it must offer SCRAM-SHA-256-PLUS, which no pooler does"),
            Self::Session { host, state } => session(subject, host, state),
            Self::Statement { place, state } => statement(subject, place, state),
            Self::Rows { place, rejection } => rejected(subject, place, &rejection.0),
            Self::NoRow { place, hidden: true } => of(
                FaultClass::Denied,
                format!("{place} shows no row, and row-level security is active for the role"),
            )
            .hint("Add a policy, such as `CREATE POLICY … FOR SELECT TO <role> USING (true)`, or check path, field and where"),
            Self::NoRow { place, .. } => of(
                FaultClass::NotFound,
                format!("{place} has no such row"),
            )
            .hint("Check path, field, parameters and the store's where"),
            Self::NotListed { name, is_query } => {
                let kind = if *is_query { "query" } else { "table" };
                of(
                    FaultClass::NotFound,
                    format!("the store lists no {kind} {name}"),
                )
                .hint(format!(
                    "An entry of `{provider}.{}` can name it",
                    if *is_query { "queries" } else { "tables" }
                ))
            }
            Self::Ask { message } => of(FaultClass::Invalid, (*message).to_owned()),
        }
    }
}

/// `28000 invalid_authorization_specification` and `28P01 invalid_password`.
fn is_login(state: &str) -> bool {
    state.starts_with("28")
}

/// What the server says when a session begins (manual, appendix A).
fn session(subject: &str, host: &str, state: &str) -> Fault {
    let (class, message, hint) = match state {
        state if is_login(state) => {
            return Fault::new(
                FaultClass::Denied,
                subject,
                format!("the login is refused (SQLSTATE {state})"),
            )
            .because(Reason::CredentialsRefused)
            .hint(
                "Check user and password, and that pg_hba.conf lets the role in from here over TLS",
            );
        }
        "3D000" => (
            FaultClass::Invalid,
            "there is no such database".to_owned(),
            "Check the database's name",
        ),
        "42501" => (
            FaultClass::Denied,
            "the role may not connect to the database".to_owned(),
            "GRANT CONNECT ON DATABASE … TO the role",
        ),
        "53300" => {
            return Fault::throttled(
                subject,
                format!("{host} has no room for another connection (SQLSTATE {state})"),
                Some(NO_ROOM),
            )
            .hint("Lower `limits.concurrency`, raise max_connections, or connect to a pooler");
        }
        "57P01" | "57P02" | "57P03" => (
            FaultClass::Unavailable,
            format!("{host} is starting or stopping"),
            "",
        ),
        // Supabase's pooler answers so where it does not know the tenant that the user names.
        "XX000" if host.ends_with(SUPABASE_POOLER) => {
            return Fault::new(
                FaultClass::Denied,
                subject,
                "the pooler does not know the user (SQLSTATE XX000)",
            )
            .because(Reason::CredentialsRefused)
            .hint("At Supabase's pooler the user is `<role>.<project reference>`, and the host is that of the project's region");
        }
        state if state.starts_with("08") => (
            FaultClass::Unavailable,
            format!("{host} breaks the session off"),
            "",
        ),
        _ => (
            FaultClass::Unavailable,
            format!("{host} refuses a session"),
            "Look into the server's log",
        ),
    };
    with_hint(
        Fault::new(class, subject, format!("{message} (SQLSTATE {state})")),
        hint,
    )
}

/// The hosts of Supabase's poolers.
pub(super) const SUPABASE_POOLER: &str = ".pooler.supabase.com";

/// What the server says to a statement (manual, appendix A).
fn statement(subject: &str, place: &Place, state: &str) -> Fault {
    let (class, message, hint) = match state {
        "42501" => {
            let message = format!("the role may not read {place} (SQLSTATE {state})");
            return Fault::new(FaultClass::Denied, subject, message).hint(format!(
                "GRANT {} TO the role; where only some columns are granted, the store must list no other",
                place.grants
            ));
        }
        "42P01" | "3F000" => (
            FaultClass::NotFound,
            format!("there is no {place}, or nothing that it reads"),
            "Check schema and table, as the database spells them",
        ),
        "42703" => (
            FaultClass::Invalid,
            format!("{place} lacks a column that the store names"),
            "Check key, value, columns, folder, where and version, as the database spells them",
        ),
        "57014" => (
            FaultClass::Unavailable,
            format!("{place} takes longer than `limits.timeout`"),
            "Make it cheaper, or raise `limits.timeout`",
        ),
        "55P03" => (
            FaultClass::Unavailable,
            format!("{place} is locked by somebody else"),
            "",
        ),
        "25006" => (
            FaultClass::Invalid,
            format!("{place} wants to write, and every read is read-only"),
            "A query of a store only reads",
        ),
        "54000" | "53200" | "53100" => (
            FaultClass::Unavailable,
            format!("the server has not the means for {place}"),
            "",
        ),
        // Data exceptions: a value that its cast does not take, bytes that are no text.
        state if state.starts_with("22") => (
            FaultClass::Invalid,
            format!("a value does not fit {place}"),
            "Check the source's parameters and what the query casts them to",
        ),
        state if state.starts_with("42") || state.starts_with("0A") => (
            FaultClass::Invalid,
            format!("the server does not understand {place}"),
            "A query of a store is one SELECT, with its parameters as $1, $2 …",
        ),
        state if state.starts_with("57") || state.starts_with("08") || state.starts_with("40") => (
            FaultClass::Unavailable,
            format!("the server breaks off while {place} is read"),
            "",
        ),
        _ => (
            FaultClass::Unavailable,
            format!("the server fails to read {place}"),
            "Look into the server's log",
        ),
    };
    with_hint(
        Fault::new(class, subject, format!("{message} (SQLSTATE {state})")),
        hint,
    )
}

fn rejected(subject: &str, place: &Place, rejection: &Rejection) -> Fault {
    let of = |message: String| Fault::new(FaultClass::Invalid, subject, message);
    match rejection {
        Rejection::TooMany => of(format!("{place} holds more than a bundle can"))
            .because(Reason::TooLarge)
            .hint("Read fewer rows: by folder, where or a query"),
        Rejection::TwoKeys(key) => of(format!("{place} has two rows for the key {key}"))
            .hint("Make the key unique, or name the folder's column"),
        Rejection::TwoRows(folder) if folder.is_empty() => {
            of(format!("{place} has several rows where one is read"))
                .hint("Set the table's where or folder, so that one row is left")
        }
        Rejection::TwoRows(folder) => {
            of(format!("{place} has several rows for the folder {folder}"))
        }
        Rejection::Folder => of(format!("{place} has a row whose folder is no path"))
            .hint("Folders are segments between slashes, none of them empty, `.` or `..`"),
        Rejection::NoObject(column) => of(format!(
            "{place} holds no JSON object in its column {column}"
        )),
    }
}

fn with_hint(fault: Fault, hint: &str) -> Fault {
    if hint.is_empty() {
        fault
    } else {
        fault.hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            text: "table public.settings".to_owned(),
            grants: "USAGE ON SCHEMA public and GRANT SELECT ON public.settings".to_owned(),
        }
    }

    #[test]
    fn every_state_of_a_statement_has_the_class_that_the_rules_give_it() {
        for (state, class) in [
            ("42501", FaultClass::Denied),
            ("42P01", FaultClass::NotFound),
            ("3F000", FaultClass::NotFound),
            ("42703", FaultClass::Invalid),
            ("42601", FaultClass::Invalid),
            ("22P02", FaultClass::Invalid),
            ("25006", FaultClass::Invalid),
            ("57014", FaultClass::Unavailable),
            ("57P01", FaultClass::Unavailable),
            ("40001", FaultClass::Unavailable),
            ("XX000", FaultClass::Unavailable),
        ] {
            let fault = statement("store s", &place(), state);
            assert_eq!(fault.class, class, "{state}");
            assert!(fault.message.contains(state), "{fault}");
        }
        let hint = statement("s", &place(), "42501").hint.unwrap();
        assert!(hint.contains("GRANT SELECT ON public.settings"), "{hint}");
    }

    #[test]
    fn every_state_of_a_session_has_the_class_that_the_rules_give_it() {
        let wait = Some(NO_ROOM);
        for (state, class) in [
            ("28P01", FaultClass::Denied),
            ("28000", FaultClass::Denied),
            ("3D000", FaultClass::Invalid),
            ("53300", FaultClass::Throttled { retry_after: wait }),
            ("57P03", FaultClass::Unavailable),
            ("08006", FaultClass::Unavailable),
            ("XX000", FaultClass::Unavailable),
        ] {
            assert_eq!(session("store s", "h", state).class, class, "{state}");
        }
        let pooler = "aws-0-eu-central-1.pooler.supabase.com";
        let fault = session("store s", pooler, "XX000");
        assert_eq!(fault.class, FaultClass::Denied);
        assert!(fault.hint.unwrap().contains("<project reference>"));
    }
}
