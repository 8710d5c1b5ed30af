//! Connections: made under the egress policy, kept for a while, given up when they are in doubt.

use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures::TryStreamExt as _;
use penstock_domain::api::postgres::{PostgresChannelBinding, PostgresTls};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tokio_postgres::config::{ChannelBinding, SslMode, SslNegotiation};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, CancelToken, Client, Config, NoTls, Row};

use super::error::{Place, PostgresError};
use super::metered::{Meter, Metered};
use super::settings::Settings;
use super::statement::{self, Statement};
use super::tls::{Connector, SpeaksNoTls, unverified};
use crate::http::client::HttpLayer;
use crate::http::dial::Dialer;
use crate::http::egress::{Origin, Transport};
use crate::http::error::{SendRequest, tls_error};
use crate::http::tls::{CertificateProblem, ConfigureTls};

/// The most bytes of one conversation: a bundle, its names and versions, and what the protocol adds to each row.
const MAX_READ: usize = 16 * 1024 * 1024;
/// The most bytes of a login, and of what comes between two conversations.
const MAX_IDLE_READ: usize = 256 * 1024;
/// A connection that nobody used for so long is closed.
const IDLE: Duration = Duration::from_mins(1);
/// The most connections that are kept without being used.
const MAX_KEPT: usize = 4;
/// How long a connection that is given up has for its farewell.
const FAREWELL: Duration = Duration::from_secs(2);

/// Makes connections to one database.
pub(super) struct Database {
    dialer: Dialer,
    config: Config,
    tls: Option<Connector>,
    /// How long anything may take.
    timeout: Duration,
    kept: Mutex<Vec<Kept>>,
}

struct Kept {
    session: Session,
    since: Instant,
}

/// One connection. Whoever drops it gives it up.
pub(super) struct Session {
    client: Client,
    meter: Arc<Meter>,
    /// The connection's task ends soon after this goes.
    _open: oneshot::Sender<()>,
    /// Goes with the connection's task.
    lost: watch::Receiver<bool>,
}

impl Database {
    pub(super) fn new(
        settings: &Settings,
        layer: &HttpLayer,
        origin: Origin,
        timeout: Duration,
    ) -> Result<Arc<Self>, PostgresError> {
        // What is not verified is no better than plain text against whoever stands between.
        let transport = match settings.mode {
            PostgresTls::VerifyFull => Transport::Tls,
            PostgresTls::Require | PostgresTls::Disable => Transport::Plain,
        };
        let tls = match settings.mode {
            PostgresTls::Disable => None,
            PostgresTls::Require => Some(unverified().map_err(|_| ConfigureTls::Client)),
            PostgresTls::VerifyFull => Some(layer.tls(&settings.tls)),
        };
        let tls = tls.transpose().map_err(PostgresError::Tls)?;
        let name = settings.tls.server_name.as_ref().unwrap_or(&settings.host);
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let connector = match tls {
            None => None,
            Some(config) => {
                let name = ServerName::try_from(name.to_owned())
                    .map_err(|_| PostgresError::Tls(ConfigureTls::ServerName))?;
                Some(Connector::new(Arc::new(config), name))
            }
        };
        let mut config = Config::new();
        config
            .user(&settings.user)
            .password(settings.password.expose())
            .dbname(&settings.database)
            .application_name("penstock")
            .ssl_mode(if connector.is_some() {
                SslMode::Require
            } else {
                SslMode::Disable
            })
            // The connector asks for TLS itself.
            .ssl_negotiation(SslNegotiation::Direct)
            .channel_binding(match settings.channel_binding {
                PostgresChannelBinding::Prefer => ChannelBinding::Prefer,
                PostgresChannelBinding::Require => ChannelBinding::Require,
            });
        Ok(Arc::new(Self {
            dialer: layer.dialer((&settings.host, settings.port), origin, transport),
            config,
            tls: connector,
            timeout,
            kept: Mutex::default(),
        }))
    }

    pub(super) fn host(&self) -> &str {
        self.dialer.host()
    }

    /// How long anything may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// A connection that was kept, or a new one.
    pub(super) async fn session(&self) -> Result<(Session, bool), PostgresError> {
        let kept = loop {
            let kept = self.kept().pop();
            match kept {
                Some(kept) if kept.session.client.is_closed() || kept.since.elapsed() > IDLE => {}
                kept => break kept,
            }
        };
        match kept {
            Some(kept) => Ok((kept.session, true)),
            None => Ok((self.connect(|()| {}).await?, false)),
        }
    }

    /// A new connection; `notified` hears of each notification.
    pub(super) async fn connect(
        &self,
        notified: impl Fn(()) + Send + Sync + 'static,
    ) -> Result<Session, PostgresError> {
        let connecting = async {
            let stream = self.dial().await?;
            let meter = Meter::new(MAX_IDLE_READ);
            let stream = Metered::new(stream, Arc::clone(&meter));
            let (open, closed) = oneshot::channel();
            let (alive, lost) = watch::channel(false);
            let ends = (closed, alive);
            let failed = |error: tokio_postgres::Error| self.refused(&error);
            let client = if let Some(tls) = &self.tls {
                let connecting = self.config.connect_raw(stream, tls.clone());
                let (client, connection) = connecting.await.map_err(failed)?;
                tokio::spawn(drive(connection, ends, notified));
                client
            } else {
                let connecting = self.config.connect_raw(stream, NoTls);
                let (client, connection) = connecting.await.map_err(failed)?;
                tokio::spawn(drive(connection, ends, notified));
                client
            };
            Ok(Session {
                client,
                meter,
                _open: open,
                lost,
            })
        };
        match tokio::time::timeout(self.timeout, connecting).await {
            Ok(connected) => connected,
            Err(_) => Err(self.unreachable(SendRequest::Timeout)),
        }
    }

    /// Keeps a connection on which nothing is under way.
    pub(super) fn keep(self: &Arc<Self>, session: Session) {
        session.meter.allow(MAX_IDLE_READ);
        let mut kept = self.kept();
        if kept.len() >= MAX_KEPT {
            return;
        }
        kept.push(Kept {
            session,
            since: Instant::now(),
        });
        let database = Arc::downgrade(self);
        tokio::spawn(close_idle(database));
    }

    /// Gives up what is kept.
    pub(super) fn close(&self) {
        self.kept().clear();
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn dial(&self) -> Result<TcpStream, PostgresError> {
        let dialled = self.dialer.connect().await;
        dialled.map_err(|source| self.unreachable(source))
    }

    pub(super) fn unreachable(&self, source: SendRequest) -> PostgresError {
        PostgresError::Connect {
            host: self.host().to_owned(),
            source,
        }
    }

    /// Why there is no session; nothing of the server's text is kept.
    fn refused(&self, error: &tokio_postgres::Error) -> PostgresError {
        let host = self.host().to_owned();
        if let Some(state) = error.code() {
            let state = state.code().to_owned();
            return PostgresError::Session { host, state };
        }
        let mut cause = error.source();
        while let Some(current) = cause {
            if let Some(tls) = tls_error(current) {
                return self.unreachable(SendRequest::Verify(CertificateProblem::of(tls)));
            }
            if let Some(broken) = current.downcast_ref::<std::io::Error>() {
                let carried = broken.get_ref();
                return if carried
                    .is_some_and(<dyn std::error::Error + Send + Sync>::is::<SpeaksNoTls>)
                {
                    PostgresError::NoTls { host }
                } else {
                    self.unreachable(SendRequest::Interrupted)
                };
            }
            cause = current.source();
        }
        if error.is_closed() {
            return self.unreachable(SendRequest::Interrupted);
        }
        // What is left is a login that we do not give.
        PostgresError::Login { host }
    }

    /// Asks the server to drop what runs on a connection that nobody waits for any more.
    async fn cancel(&self, token: CancelToken) {
        let cancelling = async {
            let Ok(stream) = self.dial().await else {
                return;
            };
            // Whoever cannot be told runs into the statement's timeout.
            drop(match &self.tls {
                Some(tls) => token.cancel_query_raw(stream, tls.clone()).await,
                None => token.cancel_query_raw(stream, NoTls).await,
            });
        };
        drop(tokio::time::timeout(self.timeout, cancelling).await);
    }
}

async fn close_idle(database: Weak<Database>) {
    tokio::time::sleep(IDLE + Duration::from_secs(1)).await;
    if let Some(database) = database.upgrade() {
        database
            .kept()
            .retain(|kept| kept.since.elapsed() <= IDLE && !kept.session.client.is_closed());
    }
}

/// Moves bytes until the server or the client ends the connection; a client that is gone has a moment for its
/// farewell.
async fn drive<S, T>(
    mut connection: tokio_postgres::Connection<S, T>,
    (closed, _alive): (oneshot::Receiver<()>, watch::Sender<bool>),
    notified: impl Fn(()) + Send + Sync + 'static,
) where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
{
    let moving = async {
        loop {
            match std::future::poll_fn(|context| connection.poll_message(context)).await {
                Some(Ok(AsyncMessage::Notification(_))) => notified(()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            }
        }
    };
    let given_up = async {
        drop(closed.await);
        tokio::time::sleep(FAREWELL).await;
    };
    tokio::select! {
        () = moving => {}
        () = given_up => {}
    }
}

impl Session {
    /// One round trip, to see that the server is there.
    pub(super) async fn ping(&self) -> bool {
        self.meter.allow(MAX_IDLE_READ);
        self.client.batch_execute("SELECT 1").await.is_ok()
    }

    /// Something came that nobody asked for: as much may come again.
    pub(super) fn allow(&self) {
        self.meter.allow(MAX_IDLE_READ);
    }

    /// Waits until the connection is lost.
    pub(super) async fn closed(&self) {
        let mut lost = self.lost.clone();
        // An error says that the connection's task has ended.
        drop(lost.wait_for(|lost| *lost).await);
    }

    /// Runs a statement for its success.
    pub(super) async fn execute(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        self.client.batch_execute(sql).await
    }
}

/// A read-only transaction. Whoever drops it before its end has what runs dropped at the server, and the connection
/// is given up.
pub(super) struct Transaction {
    database: Arc<Database>,
    session: Option<Session>,
}

impl Transaction {
    /// Begins one, on a new connection where a kept one turns out to be dead.
    pub(super) async fn begin(database: &Arc<Database>) -> Result<Self, PostgresError> {
        let begin = statement::begin(milliseconds(database.timeout));
        loop {
            let (session, kept) = database.session().await?;
            session.meter.allow(MAX_READ);
            let transaction = Self {
                database: Arc::clone(database),
                session: Some(session),
            };
            match transaction.run(&begin).await {
                Ok(()) => return Ok(transaction),
                Err(_) if kept => transaction.abandon(),
                Err(error) => {
                    let error = transaction.failed(&error, &Place::session());
                    transaction.abandon();
                    return Err(error);
                }
            }
        }
    }

    /// The rows of a statement, one after the other.
    pub(super) async fn rows(
        &self,
        statement: &Statement,
        place: &Place,
        mut take: impl FnMut(Row) -> Result<(), PostgresError>,
    ) -> Result<(), PostgresError> {
        let failed = |error: tokio_postgres::Error| self.failed(&error, place);
        let Some(session) = &self.session else {
            return Ok(());
        };
        let parameters = statement
            .parameters
            .iter()
            .map(|text| (text as &(dyn ToSql + Sync), Type::TEXT));
        let rows = session.client.query_typed_raw(&statement.sql, parameters);
        let rows = rows.await.map_err(failed)?;
        futures::pin_mut!(rows);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            take(row)?;
        }
        Ok(())
    }

    /// The one text of a statement's one row.
    pub(super) async fn text(
        &self,
        statement: &Statement,
        place: &Place,
    ) -> Result<String, PostgresError> {
        let mut found = None;
        self.rows(statement, place, |row| {
            found = row.try_get::<_, Option<String>>(0).ok().flatten();
            Ok(())
        })
        .await?;
        found.ok_or_else(|| PostgresError::Statement {
            place: place.clone(),
            state: "XX000".to_owned(),
        })
    }

    /// Runs a statement for its success.
    pub(super) async fn check(&self, sql: &str, place: &Place) -> Result<(), PostgresError> {
        let run = self.run(sql).await;
        run.map_err(|error| self.failed(&error, place))
    }

    /// Ends it; the connection is kept.
    pub(super) async fn end(mut self) {
        if self.run("COMMIT").await.is_ok()
            && let Some(session) = self.session.take()
        {
            self.database.keep(session);
        }
        self.session = None;
    }

    /// Gives the connection up; nothing runs on it.
    pub(super) fn abandon(mut self) {
        self.session = None;
    }

    async fn run(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        match &self.session {
            Some(session) => session.client.batch_execute(sql).await,
            None => Ok(()),
        }
    }

    /// Why a statement failed; nothing of the server's text is kept.
    fn failed(&self, error: &tokio_postgres::Error, place: &Place) -> PostgresError {
        let exceeded = self
            .session
            .as_ref()
            .is_some_and(|session| session.meter.is_exceeded());
        if exceeded {
            return PostgresError::rows(place, super::answer::Rejection::TooMany);
        }
        match error.code() {
            Some(state) => PostgresError::Statement {
                place: place.clone(),
                state: state.code().to_owned(),
            },
            None => self.database.unreachable(SendRequest::Interrupted),
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(session) = self.session.take() else {
            return;
        };
        if session.client.is_closed() || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let (database, token) = (Arc::clone(&self.database), session.client.cancel_token());
        tokio::spawn(async move {
            database.cancel(token).await;
            drop(session);
        });
    }
}

/// What the server is given, a little less than we wait: its own word is better than our silence.
fn milliseconds(timeout: Duration) -> u128 {
    (timeout * 4 / 5).as_millis().max(1)
}
