//! The same work for many numbers, some at a time, on all cores.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::{JoinError, JoinSet};

/// How many are under way at once.
pub(super) const WIDTH: usize = 32;

/// Why work for many was not done.
#[derive(Debug, thiserror::Error)]
pub enum SpreadError<E: std::error::Error + 'static> {
    /// The work for one number failed; the rest was given up.
    #[error("cannot finish number {number}")]
    Work {
        /// Which.
        number: usize,
        /// Why.
        #[source]
        source: E,
    },
    /// A task was cancelled.
    #[error("cannot finish the work")]
    Join(#[source] JoinError),
}

/// Runs `work` for every number below `count`, [`WIDTH`] at a time.
pub(super) async fn spread<E, W>(
    count: usize,
    work: impl Fn(usize) -> W + Send + Sync + 'static,
) -> Result<(), SpreadError<E>>
where
    E: std::error::Error + Send + 'static,
    W: Future<Output = Result<(), E>> + Send + 'static,
{
    let next = Arc::new(AtomicUsize::new(0));
    let work = Arc::new(work);
    let mut workers = JoinSet::new();
    for _ in 0..WIDTH.min(count) {
        let (next, work) = (Arc::clone(&next), Arc::clone(&work));
        workers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok(());
                }
                work(number)
                    .await
                    .map_err(|source| SpreadError::Work { number, source })?;
            }
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.map_err(SpreadError::Join)??;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn every_number_is_worked_on_once() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let note = Arc::clone(&seen);
        let work = move |number| {
            let note = Arc::clone(&note);
            async move {
                note.lock().unwrap().push(number);
                Ok::<_, io::Error>(())
            }
        };
        spread(100, work).await.unwrap();
        let mut seen = seen.lock().unwrap().clone();
        seen.sort_unstable();
        assert_eq!(seen, (0..100).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn one_failure_ends_it_and_says_which() {
        let work = |number| async move {
            if number == 7 {
                Err(io::Error::other("broken"))
            } else {
                Ok(())
            }
        };
        let error = spread(100, work).await.unwrap_err();
        assert!(matches!(error, SpreadError::Work { number: 7, .. }));
    }
}
