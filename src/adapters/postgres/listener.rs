//! Listens for notifications, for as long as the store is open.
//!
//! The server keeps nothing for who is not connected (manual, `NOTIFY`). So whoever comes back listens first and
//! says then that something may have changed; and a connection over which nothing comes is asked for a sign of life.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::error::PostgresError;
use super::session::{Database, Session};
use super::statement;
use crate::http::error::SendRequest;
use crate::http::retry::random_unit;
use crate::open::Notices;

/// A connection that was silent for so long is asked for a sign of life, give or take a fifth.
const SILENCE: Duration = Duration::from_secs(40);
/// How long the sign of life may take.
const ANSWER: Duration = Duration::from_secs(10);
/// The first pause before another attempt to connect …
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// … and the longest.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Listens on `channel`, until it is dropped.
pub(super) async fn listen(database: Arc<Database>, channel: String, notices: Notices) {
    let mut failures = 0;
    loop {
        if let Ok((session, notified)) = begin(&database, &channel).await {
            failures = 0;
            notices.changed();
            hear(&session, &notified, &notices).await;
        }
        sleep(pause(failures, random_unit())).await;
        failures += 1;
    }
}

async fn begin(
    database: &Database,
    channel: &str,
) -> Result<(Session, Arc<Notify>), PostgresError> {
    let notified = Arc::new(Notify::new());
    let heard = Arc::clone(&notified);
    let session = database.connect(move |()| heard.notify_one()).await?;
    let sql = statement::listen(channel);
    let listening = session.execute(&sql);
    let failed = |source| database.unreachable(source);
    match timeout(database.timeout(), listening).await {
        Ok(Ok(())) => Ok((session, notified)),
        Ok(Err(_)) => Err(failed(SendRequest::Interrupted)),
        Err(_) => Err(failed(SendRequest::Timeout)),
    }
}

/// Hands notifications on until the connection is lost.
async fn hear(session: &Session, notified: &Notify, notices: &Notices) {
    loop {
        let silence = SILENCE.mul_f64(0.8 + 0.4 * random_unit());
        tokio::select! {
            biased;
            () = notified.notified() => {
                notices.changed();
                session.allow();
            }
            () = session.closed() => return,
            () = sleep(silence) => {
                if !timeout(ANSWER, session.ping()).await.unwrap_or_default() {
                    return;
                }
            }
        }
    }
}

/// Half a second, then twice as long each time, up to a minute; give or take a half.
fn pause(failures: u32, unit: f64) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures.min(16)));
    doubled.min(LONGEST_PAUSE).mul_f64(0.5 + unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit_and_differ() {
        assert_eq!(pause(0, 0.5), FIRST_PAUSE);
        assert_eq!(pause(1, 0.5), FIRST_PAUSE * 2);
        assert_eq!(pause(60, 0.5), LONGEST_PAUSE);
        assert_eq!(pause(60, 0.0), LONGEST_PAUSE / 2);
        assert!(pause(3, 0.1) < pause(3, 0.9));
    }
}
