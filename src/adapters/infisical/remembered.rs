//! What was read before, with the tag under which the server knows it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use penstock_domain::bundle::Snapshot;
use tokio::time::Instant;

use super::answer::Asked;
use super::secrets::Api;

/// The most bytes of names and values that are kept for one store.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// The most answers that are kept for one store.
const MAX_ANSWERS: usize = 1024;
/// The server remembers a tag for so long (`secretcache.go` of its Go part). Whatever it says about a tag, no
/// answer is older than this: a reference or an import may lead to a project whose changes the tag of this one
/// does not follow.
const MAX_AGE: Duration = Duration::from_mins(15);

/// Answers that may still be those of now.
#[derive(Default)]
pub(super) struct Remembered {
    answers: Mutex<HashMap<(Api, Asked), Kept>>,
}

struct Kept {
    tag: String,
    snapshot: Arc<Snapshot>,
    bytes: usize,
    read: Instant,
}

impl Remembered {
    /// The answer to the same question, with its tag.
    pub(super) fn find(&self, api: Api, asked: &Asked) -> Option<(String, Arc<Snapshot>)> {
        let answers = self.answers();
        let kept = answers.get(&(api, asked.clone()))?;
        (kept.read.elapsed() < MAX_AGE).then(|| (kept.tag.clone(), Arc::clone(&kept.snapshot)))
    }

    /// Keeps an answer; without a tag it forgets what was there before.
    pub(super) fn keep(&self, api: Api, asked: &Asked, tag: Option<String>, snapshot: &Snapshot) {
        let mut answers = self.answers();
        answers.remove(&(api, asked.clone()));
        let bytes = size(snapshot);
        let Some(tag) = tag.filter(|_| bytes <= MAX_BYTES) else {
            return;
        };
        answers.retain(|_, kept| kept.read.elapsed() < MAX_AGE);
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
        answers.insert((api, asked.clone()), kept);
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<(Api, Asked), Kept>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size(snapshot: &Snapshot) -> usize {
    let entries = snapshot.entries.iter();
    entries
        .map(|entry| entry.name.len() + entry.path.len() + entry.value.len())
        .sum()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use penstock_domain::bundle::SourceEntry;
    use penstock_domain::secret::SecretValue;
    use penstock_domain::stores::access::RemotePath;

    use super::*;

    fn asked(folder: &str) -> Asked {
        Asked {
            environment: "prod".to_owned(),
            folder: RemotePath::parse(folder).unwrap(),
            recursive: false,
            imports: false,
            references: false,
        }
    }

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

    fn keep(remembered: &Remembered, folder: &str, bytes: usize) {
        let tag = Some("\"1\"".to_owned());
        remembered.keep(Api::V4, &asked(folder), tag, &snapshot(bytes));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_found_by_every_coordinate_and_for_a_while() {
        let remembered = Remembered::default();
        keep(&remembered, "a", 1);
        assert!(remembered.find(Api::V4, &asked("a")).is_some());
        assert!(remembered.find(Api::V3, &asked("a")).is_none());
        assert!(remembered.find(Api::V4, &asked("b")).is_none());
        let recursive = Asked {
            recursive: true,
            ..asked("a")
        };
        assert!(remembered.find(Api::V4, &recursive).is_none());
        tokio::time::advance(MAX_AGE).await;
        assert!(remembered.find(Api::V4, &asked("a")).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded_and_the_oldest_goes_first() {
        let remembered = Remembered::default();
        for name in ["a", "b", "c"] {
            keep(&remembered, name, MAX_BYTES / 2);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert!(remembered.find(Api::V4, &asked("a")).is_none());
        assert!(remembered.find(Api::V4, &asked("c")).is_some());
        keep(&remembered, "c", MAX_BYTES + 1);
        assert!(remembered.find(Api::V4, &asked("c")).is_none());
        remembered.keep(Api::V4, &asked("b"), None, &snapshot(1));
        assert!(remembered.find(Api::V4, &asked("b")).is_none());
    }
}
