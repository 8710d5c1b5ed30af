//! Waiting for something to become true.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Something did not become true in time. Its message carries what was last seen.
pub struct Unmet {
    description: String,
    waited: Duration,
    seen: String,
    asked_at: &'static Location<'static>,
}

impl fmt::Display for Unmet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} (asked at {}): not within {:.1?}; last seen: {}",
            self.description, self.asked_at, self.waited, self.seen
        )
    }
}

/// The message, because a failing test prints errors with `Debug`.
impl fmt::Debug for Unmet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl std::error::Error for Unmet {}

/// Asks `condition` again and again, with short growing pauses, until it answers `Ok`, and gives
/// that back. `Err` is what it sees instead; after `deadline` the last one becomes the message.
///
/// A condition that hangs is given up at the deadline, too.
#[track_caller]
pub fn eventually<T, S, F, A>(
    description: impl Into<String>,
    deadline: Duration,
    mut condition: F,
) -> impl Future<Output = Result<T, Unmet>>
where
    F: FnMut() -> A,
    A: Future<Output = Result<T, S>>,
    S: fmt::Display,
{
    let asked_at = Location::caller();
    let description = description.into();
    async move {
        let start = Instant::now();
        let mut seen = String::from("nothing: the first look did not end");
        let mut pause = FIRST_PAUSE;
        loop {
            let left = deadline.saturating_sub(start.elapsed());
            match tokio::time::timeout(left, condition()).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(state)) => seen = state.to_string(),
                Err(_elapsed) => {}
            }
            if start.elapsed() >= deadline {
                return Err(Unmet {
                    description,
                    waited: start.elapsed(),
                    seen,
                    asked_at,
                });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn gives_back_what_the_condition_found() {
        let mut looks = 0;
        let found = eventually("three looks", Duration::from_secs(5), || {
            looks += 1;
            let now = looks;
            async move { if now < 3 { Err(now) } else { Ok(now) } }
        });
        assert_eq!(found.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn tells_what_was_seen_last_and_where_it_was_asked() {
        let never = eventually("a miracle", Duration::from_millis(30), || async {
            Err::<(), _>("still water")
        });
        let message = never.await.unwrap_err().to_string();
        assert!(
            message.contains("a miracle") && message.contains("still water"),
            "{message}"
        );
        assert!(message.contains("eventually.rs"), "{message}");
    }

    #[tokio::test]
    async fn gives_up_on_a_condition_that_hangs() {
        let hanging = eventually("an answer", Duration::from_millis(20), || {
            std::future::pending::<Result<(), String>>()
        });
        assert!(
            hanging
                .await
                .unwrap_err()
                .to_string()
                .contains("did not end")
        );
    }
}
