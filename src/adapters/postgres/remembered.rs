//! What was read before, with what told its version.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use penstock_domain::bundle::Snapshot;
use tokio::time::Instant;

use crate::open::StoreQuery;

/// The most bytes of names and values that are kept for one store.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// The most answers that are kept for one store.
const MAX_ANSWERS: usize = 256;
/// Whatever its version says, no answer is older than this: a time stamp need not change with its row.
const MAX_AGE: Duration = Duration::from_mins(15);

/// Answers that may still be those of now.
#[derive(Default)]
pub(super) struct Remembered(Mutex<HashMap<StoreQuery, Kept>>);

struct Kept {
    version: String,
    snapshot: Arc<Snapshot>,
    bytes: usize,
    read: Instant,
}

impl Remembered {
    /// The answer to `query` in this version, if it is remembered.
    pub(super) fn find(&self, query: &StoreQuery, version: &str) -> Option<Snapshot> {
        let answers = self.answers();
        let kept = answers.get(query)?;
        let good = kept.version == version && kept.read.elapsed() < MAX_AGE;
        good.then(|| Snapshot::clone(&kept.snapshot))
    }

    /// Keeps an answer in the place of what was there before.
    pub(super) fn keep(&self, query: &StoreQuery, version: String, snapshot: &Snapshot) {
        let mut answers = self.answers();
        answers.remove(query);
        let bytes = snapshot.bytes();
        if bytes > MAX_BYTES {
            return;
        }
        answers.retain(|_, kept| kept.read.elapsed() < MAX_AGE);
        let mut held: usize = answers.values().map(|kept| kept.bytes).sum();
        while held + bytes > MAX_BYTES || answers.len() >= MAX_ANSWERS {
            let oldest = answers
                .iter()
                .min_by_key(|(_, kept)| kept.read)
                .map(|(query, _)| query.clone());
            let Some(removed) = oldest.and_then(|query| answers.remove(&query)) else {
                break;
            };
            held -= removed.bytes;
        }
        let kept = Kept {
            version,
            snapshot: Arc::new(snapshot.clone()),
            bytes,
            read: Instant::now(),
        };
        answers.insert(query.clone(), kept);
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<StoreQuery, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
