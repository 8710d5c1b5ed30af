//! What was read before, with the moment at which the vault last changed it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use penstock_domain::secret::SecretValue;
use tokio::time::Instant;

/// The most bytes of names and values that are kept for one store.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// No value is repeated for longer than this without being read.
const MAX_AGE: Duration = Duration::from_mins(15);
/// The vault tells whole seconds, and within one there may be two changes: what was changed less than this many
/// seconds before it was read is not kept.
const SETTLED_SECONDS: i64 = 5;

/// Values that may still be those of now.
#[derive(Default)]
pub(super) struct Remembered {
    kept: Mutex<Values>,
}

#[derive(Default)]
struct Values {
    by_name: HashMap<String, Kept>,
    bytes: usize,
}

struct Kept {
    updated: i64,
    version: String,
    value: SecretValue,
    read: Instant,
}

impl Remembered {
    /// Version and value of a secret that was last changed then.
    pub(super) fn find(&self, name: &str, updated: Option<i64>) -> Option<(String, SecretValue)> {
        let kept = self.kept();
        let kept = kept.by_name.get(&name.to_ascii_lowercase())?;
        let same = Some(kept.updated) == updated && kept.read.elapsed() < MAX_AGE;
        same.then(|| (kept.version.clone(), kept.value.clone()))
    }

    /// Keeps what was read at `now`, if it may be told from the next change.
    pub(super) fn keep(
        &self,
        name: &str,
        (updated, now): (Option<i64>, i64),
        (version, value): (&str, &SecretValue),
    ) {
        let name = name.to_ascii_lowercase();
        let mut kept = self.kept();
        kept.forget(&name);
        let Some(updated) = updated.filter(|updated| now - updated >= SETTLED_SECONDS) else {
            return;
        };
        let size = name.len() + value.len();
        if kept.bytes + size > MAX_BYTES {
            kept.forget_the_old();
        }
        if kept.bytes + size <= MAX_BYTES {
            let new = Kept {
                updated,
                version: version.to_owned(),
                value: value.clone(),
                read: Instant::now(),
            };
            kept.bytes += size;
            kept.by_name.insert(name, new);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Values> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Values {
    fn forget(&mut self, name: &str) {
        if let Some(kept) = self.by_name.remove(name) {
            self.bytes -= name.len() + kept.value.len();
        }
    }

    fn forget_the_old(&mut self) {
        self.by_name.retain(|_, kept| kept.read.elapsed() < MAX_AGE);
        let left = self.by_name.iter();
        self.bytes = left.map(|(name, kept)| name.len() + kept.value.len()).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(remembered: &Remembered, name: &str, updated: i64, bytes: usize) {
        let value = SecretValue::new(vec![b'x'; bytes]);
        remembered.keep(name, (Some(updated), 100), ("v", &value));
    }

    #[tokio::test(start_paused = true)]
    async fn a_value_is_found_until_it_changes_and_for_a_while() {
        let remembered = Remembered::default();
        keep(&remembered, "A-b", 50, 1);
        assert!(remembered.find("a-B", Some(50)).is_some());
        assert!(remembered.find("A-b", Some(51)).is_none());
        assert!(remembered.find("A-b", None).is_none());
        assert!(remembered.find("A", Some(50)).is_none());
        tokio::time::advance(MAX_AGE).await;
        assert!(remembered.find("A-b", Some(50)).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_just_changed_is_not_kept() {
        let remembered = Remembered::default();
        keep(&remembered, "A", 96, 1);
        assert!(remembered.find("A", Some(96)).is_none());
        keep(&remembered, "A", 95, 1);
        assert!(remembered.find("A", Some(95)).is_some());
        keep(&remembered, "A", 100, 1);
        assert!(
            remembered.find("A", Some(95)).is_none(),
            "nor is the old one"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded() {
        let remembered = Remembered::default();
        keep(&remembered, "A", 1, MAX_BYTES / 2);
        keep(&remembered, "B", 1, MAX_BYTES / 2);
        assert!(remembered.find("A", Some(1)).is_some());
        assert!(remembered.find("B", Some(1)).is_none());
        tokio::time::advance(MAX_AGE).await;
        keep(&remembered, "B", 1, MAX_BYTES / 2);
        assert!(remembered.find("B", Some(1)).is_some());
    }
}
