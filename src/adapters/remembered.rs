//! What was read of one store before, with what tells whether it is still so.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use penstock_domain::bundle::Snapshot;
use tokio::time::Instant;

/// The most bytes of names and values that are kept for one store.
pub(crate) const MAX_BYTES: usize = 4 * 1024 * 1024;
/// The most answers that are kept for one store.
const MAX_ANSWERS: usize = 1024;

/// Answers to questions `Q` that may still be those of now. A tag `T` is what the system told beside an answer, and
/// tells again as long as it would answer the same.
pub(crate) struct Remembered<Q, T> {
    answers: Mutex<HashMap<Q, Kept<T>>>,
    max_age: Duration,
}

struct Kept<T> {
    tag: T,
    snapshot: Arc<Snapshot>,
    bytes: usize,
    read: Instant,
}

impl<Q: Clone + Eq + Hash, T: Clone> Remembered<Q, T> {
    /// Nothing yet; no answer will be given out that is older than `max_age`, whatever its tag.
    pub(crate) fn new(max_age: Duration) -> Self {
        Self {
            answers: Mutex::default(),
            max_age,
        }
    }

    /// The answer to the same question, with its tag.
    pub(crate) fn find(&self, asked: &Q) -> Option<(T, Arc<Snapshot>)> {
        let answers = self.answers();
        let kept = answers.get(asked)?;
        (kept.read.elapsed() < self.max_age).then(|| (kept.tag.clone(), Arc::clone(&kept.snapshot)))
    }

    /// Keeps an answer; without a tag it forgets what was there before.
    pub(crate) fn keep(&self, asked: &Q, tag: Option<T>, snapshot: &Snapshot) {
        let mut answers = self.answers();
        answers.remove(asked);
        let bytes = snapshot.bytes();
        let Some(tag) = tag.filter(|_| bytes <= MAX_BYTES) else {
            return;
        };
        answers.retain(|_, kept| kept.read.elapsed() < self.max_age);
        let mut held: usize = answers.values().map(|kept| kept.bytes).sum();
        while held + bytes > MAX_BYTES || answers.len() >= MAX_ANSWERS {
            let oldest = answers
                .iter()
                .min_by_key(|(_, kept)| kept.read)
                .map(|(key, _)| key.clone());
            let Some(removed) = oldest.and_then(|key| answers.remove(&key)) else {
                break;
            };
            held -= removed.bytes;
        }
        let kept = Kept {
            tag,
            snapshot: Arc::new(snapshot.clone()),
            bytes,
            read: Instant::now(),
        };
        answers.insert(asked.clone(), kept);
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<Q, Kept<T>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use penstock_domain::bundle::SourceEntry;
    use penstock_domain::secret::SecretValue;

    use super::*;

    const MAX_AGE: Duration = Duration::from_mins(15);

    fn snapshot(bytes: usize) -> Snapshot {
        Snapshot {
            entries: vec![SourceEntry {
                name: String::new(),
                path: String::new(),
                tags: BTreeSet::new(),
                version: None,
                value: SecretValue::new(vec![b'x'; bytes]),
            }],
            version: None,
        }
    }

    fn keep(remembered: &Remembered<&str, u8>, name: &'static str, bytes: usize) {
        remembered.keep(&name, Some(1), &snapshot(bytes));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_found_by_its_question_and_for_a_while() {
        let remembered = Remembered::new(MAX_AGE);
        keep(&remembered, "a", 1);
        assert!(remembered.find(&"a").is_some());
        assert!(remembered.find(&"b").is_none());
        tokio::time::advance(MAX_AGE).await;
        assert!(remembered.find(&"a").is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded_and_the_oldest_goes_first() {
        let remembered = Remembered::new(MAX_AGE);
        for name in ["a", "b", "c"] {
            keep(&remembered, name, MAX_BYTES / 2);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert!(remembered.find(&"a").is_none());
        assert!(remembered.find(&"c").is_some());
        keep(&remembered, "c", MAX_BYTES + 1);
        assert!(remembered.find(&"c").is_none());
        remembered.keep(&"b", None, &snapshot(1));
        assert!(remembered.find(&"b").is_none());
    }
}
