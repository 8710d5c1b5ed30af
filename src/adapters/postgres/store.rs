//! One opened database.

use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use penstock_domain::api::postgres::PostgresProvider;
use penstock_domain::bundle::Snapshot;
use penstock_domain::fault::Fault;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{Capabilities, Capability, Credentials, StoreObject};
use penstock_domain::sync::SourceOptions;

use super::answer::{Collecting, Row};
use super::error::{Place, PostgresError};
use super::listener;
use super::readable::{self, Readable};
use super::remembered::Remembered;
use super::session::{Database, Transaction};
use super::settings::Settings;
use super::statement::{self, Layout};
use crate::http::budget::BudgetShare;
use crate::http::client::HttpLayer;
use crate::http::egress::Origin;
use crate::http::error::SendRequest;
use crate::http::limits::Gate;
use crate::open::{Adapter, Notices, OpenedStore, Proposal, StoreFailure, StoreQuery};
use crate::providers::Reached;

/// A database that has been opened: settings checked, credentials fetched, nobody connected yet.
pub struct PostgresStore {
    database: Arc<Database>,
    readables: Vec<Readable>,
    gate: Gate,
    share: BudgetShare,
    remembered: Remembered,
    channel: Option<String>,
    credential_hash: [u8; 32],
}

impl PostgresStore {
    /// Opens a store.
    pub async fn open(
        store: &StoreObject,
        provider: &PostgresProvider,
        layer: &HttpLayer,
        credentials: &Arc<dyn Credentials>,
    ) -> Result<Self, PostgresError> {
        let readables = Readable::all(provider)?;
        let settings = Settings::read(store, provider, credentials.as_ref()).await?;
        let namespace = if store.is_cluster() {
            ""
        } else {
            store.home.as_str()
        };
        let timeout = store.limits.timeout;
        Ok(Self {
            database: Database::new(&settings, layer, Origin::of(store), timeout)?,
            readables,
            gate: Gate::new(&store.limits),
            share: layer.share(namespace),
            remembered: Remembered::default(),
            credential_hash: settings.credential_hash(),
            channel: settings.channel,
        })
    }

    async fn answer(&self, query: &StoreQuery, insist: bool) -> Result<Snapshot, PostgresError> {
        let (readable, columns) = self.asked(query)?;
        let place = Place::of(readable);
        self.in_time(async {
            let transaction = Transaction::begin(&self.database).await?;
            let version = match statement::version(readable, query) {
                Some(statement) => Some(transaction.text(&statement, &place).await?),
                None => None,
            };
            if let Some(version) = version.as_deref().filter(|_| !insist)
                && let Some(snapshot) = self.remembered.find(query, version)
            {
                transaction.end().await;
                return Ok(snapshot);
            }
            let outcome = read(&transaction, (readable, columns), query, &place).await;
            let snapshot = match outcome {
                Ok(snapshot) => snapshot,
                Err(error) => {
                    // What failed has ended; what we refused may go on.
                    if !matches!(error, PostgresError::Rows { .. }) {
                        transaction.abandon();
                    }
                    return Err(error);
                }
            };
            transaction.end().await;
            if let Some(version) = version {
                self.remembered.keep(query, version, &snapshot);
            }
            Ok(snapshot)
        })
        .await
    }

    /// What the authorised query is about.
    fn asked<'a>(
        &'a self,
        query: &'a StoreQuery,
    ) -> Result<(&'a Readable, &'a [String]), PostgresError> {
        let SourceOptions::Postgres {
            table,
            query: named,
            columns,
            ..
        } = &query.options
        else {
            return Err(PostgresError::ask(
                "the only options of a database are `options.postgres`",
            ));
        };
        let name = table.as_ref().or(named.as_ref());
        let readable = name.and_then(|name| Readable::named(&self.readables, name));
        readable
            .map(|readable| (readable, columns.as_slice()))
            .ok_or_else(|| PostgresError::NotListed {
                name: name.cloned().unwrap_or_default(),
                is_query: named.is_some(),
            })
    }

    async fn look(&self) -> Result<Capabilities, PostgresError> {
        self.in_time(async {
            let transaction = Transaction::begin(&self.database).await?;
            for readable in &self.readables {
                if let Some(sql) = statement::check(readable) {
                    let checked = transaction.check(&sql, &Place::of(readable)).await;
                    if let Err(error) = checked {
                        transaction.abandon();
                        return Err(error);
                    }
                }
            }
            transaction.end().await;
            Ok(())
        })
        .await?;
        let mut capabilities = Capabilities::from([Capability::Read, Capability::List]);
        if self
            .readables
            .iter()
            .any(|readable| readable.version.is_some())
        {
            capabilities.insert(Capability::Probe);
        }
        if self.channel.is_some() {
            capabilities.insert(Capability::Notify);
        }
        Ok(capabilities)
    }

    /// Waits for a place, then for the answer, but not for ever.
    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, PostgresError>>,
    ) -> Result<T, PostgresError> {
        let left_alone = |left| self.database.unreachable(SendRequest::Paused { left });
        let _inside = self
            .gate
            .enter()
            .await
            .map_err(|paused| left_alone(paused.left))?;
        let mut place = self.share.enter().await;
        place.grow().await;
        let outcome = tokio::time::timeout(self.database.timeout(), work).await;
        let outcome =
            outcome.unwrap_or_else(|_| Err(self.database.unreachable(SendRequest::Timeout)));
        if let Err(error) = &outcome
            && let Some(wait) = error.wait()
        {
            self.gate.pause(wait);
        }
        outcome
    }
}

/// Reads the rows, and looks twice where there are none.
async fn read(
    transaction: &Transaction,
    (readable, columns): (&Readable, &[String]),
    query: &StoreQuery,
    place: &Place,
) -> Result<Snapshot, PostgresError> {
    let (statement, layout) = statement::rows(readable, query, columns);
    let mut collecting = Collecting::new(&readable.rows, &layout);
    let take = |row: tokio_postgres::Row| {
        let row = understand(&row, &layout).ok_or_else(|| PostgresError::Statement {
            place: place.clone(),
            state: "08P01".to_owned(),
        })?;
        collecting
            .add(row)
            .map_err(|rejection| PostgresError::rows(place, rejection))
    };
    transaction.rows(&statement, place, take).await?;
    let rows = collecting.count();
    let snapshot = collecting.snapshot(query.field.as_deref());
    // A whole table of keys may be empty; whoever names a row, a key or a query expects one.
    let names_one = query.field.is_some()
        || !query.path.segments().is_empty()
        || readable.is_query()
        || !matches!(readable.rows, readable::Rows::KeyValue { .. });
    if rows == 0 || (query.field.is_some() && snapshot.entries.is_empty()) {
        let hidden = match statement::row_security(readable).filter(|_| rows == 0) {
            Some(statement) => transaction.text(&statement, place).await? == "true",
            None => false,
        };
        if hidden || names_one {
            return Err(PostgresError::NoRow {
                place: place.clone(),
                hidden,
            });
        }
    }
    Ok(snapshot)
}

fn understand(row: &tokio_postgres::Row, layout: &Layout) -> Option<Row> {
    let text = |index: usize| row.try_get::<_, Option<String>>(index).ok();
    let bytes = |index: usize| {
        let bytes: Option<&[u8]> = row.try_get(index).ok()?;
        Some(bytes.map(SecretValue::new))
    };
    Some(Row {
        folder: text(Layout::FOLDER)?,
        key: text(Layout::KEY)?,
        version: text(Layout::VERSION)?,
        values: (0..layout.values.len())
            .map(|index| bytes(Layout::VALUES + index))
            .collect::<Option<_>>()?,
    })
}

fn failure(error: &PostgresError, subject: &str) -> StoreFailure {
    StoreFailure {
        fault: error.fault(subject),
        blames_credentials: error.blames_credentials(),
    }
}

#[async_trait]
impl Adapter for PostgresStore {
    type Provider = PostgresProvider;

    fn propose(
        subject: &str,
        provider: &PostgresProvider,
        query: StoreQuery,
    ) -> Result<Vec<Proposal>, Fault> {
        readable::propose(provider, query)
            .map(|proposal| vec![proposal])
            .map_err(|error| error.fault(subject))
    }

    async fn open(
        store: &StoreObject,
        provider: &PostgresProvider,
        reached: &Reached,
    ) -> Result<Arc<dyn OpenedStore>, StoreFailure> {
        let opened = Self::open(store, provider, &reached.http, &reached.credentials).await;
        opened
            .map(|opened| Arc::new(opened) as _)
            .map_err(|error| error.fault(&store.reference.to_string()).into())
    }
}

#[async_trait]
impl OpenedStore for PostgresStore {
    fn credential_hash(&self) -> [u8; 32] {
        self.credential_hash
    }

    async fn read(&self, subject: &str, query: &StoreQuery) -> Result<Snapshot, StoreFailure> {
        self.answer(query, true)
            .await
            .map_err(|error| failure(&error, subject))
    }

    async fn refresh(&self, subject: &str, query: &StoreQuery) -> Result<Snapshot, StoreFailure> {
        self.answer(query, false)
            .await
            .map_err(|error| failure(&error, subject))
    }

    async fn probe(&self, subject: &str) -> Result<Capabilities, StoreFailure> {
        self.look().await.map_err(|error| failure(&error, subject))
    }

    fn follow(self: Arc<Self>, notices: Notices) -> Option<BoxFuture<'static, ()>> {
        let channel = self.channel.clone()?;
        let database = Arc::clone(&self.database);
        Some(listener::listen(database, channel, notices).boxed())
    }

    async fn close(&self) {
        self.database.close();
    }
}
