//! Values of versions that were read before: a version's value never changes.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use penstock_domain::secret::SecretValue;
use tokio::time::Instant;

/// A value that nobody has asked for in this time is forgotten.
const MAX_IDLE: Duration = Duration::from_mins(15);
/// The most bytes that are kept for one store.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// Values by secret (its ARN, which is another when it is made anew).
#[derive(Default)]
pub(super) struct Remembered {
    values: Mutex<HashMap<String, Kept>>,
}

struct Kept {
    version: String,
    value: SecretValue,
    used: Instant,
}

impl Remembered {
    /// The value of this version, if it is known.
    pub(super) fn find(&self, arn: &str, version: &str) -> Option<SecretValue> {
        let mut values = self.values();
        let kept = values.get_mut(arn).filter(|kept| kept.version == version)?;
        kept.used = Instant::now();
        Some(kept.value.clone())
    }

    /// Keeps values, as far as there is room.
    pub(super) fn keep<'a>(&self, read: impl Iterator<Item = (&'a str, &'a str, &'a SecretValue)>) {
        let now = Instant::now();
        let mut values = self.values();
        values.retain(|_, kept| now.duration_since(kept.used) < MAX_IDLE);
        let mut held: usize = values.values().map(|kept| kept.value.len()).sum();
        for (arn, version, value) in read {
            if let Some(earlier) = values.remove(arn) {
                held -= earlier.value.len();
            }
            if held + value.len() > MAX_BYTES {
                continue;
            }
            held += value.len();
            let kept = Kept {
                version: version.to_owned(),
                value: value.clone(),
                used: now,
            };
            values.insert(arn.to_owned(), kept);
        }
    }

    fn values(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_value_is_found_by_its_version_while_somebody_asks_for_it() {
        let remembered = Remembered::default();
        let value = SecretValue::from("1");
        remembered.keep([("a", "v1", &value)].into_iter());
        assert_eq!(remembered.find("a", "v1"), Some(value.clone()));
        assert_eq!(remembered.find("a", "v2"), None);
        assert_eq!(remembered.find("b", "v1"), None);
        tokio::time::advance(MAX_IDLE).await;
        remembered.keep([].into_iter());
        assert_eq!(remembered.find("a", "v1"), None);
    }

    #[tokio::test]
    async fn memory_is_bounded() {
        let remembered = Remembered::default();
        let half = SecretValue::new(vec![0; MAX_BYTES / 2]);
        let names = ["a", "b", "c"];
        remembered.keep(names.iter().map(|name| (*name, "v", &half)));
        let held = names.map(|name| remembered.find(name, "v").is_some());
        assert_eq!(held, [true, true, false]);
        let larger = SecretValue::new(vec![0; MAX_BYTES / 2 + 1]);
        remembered.keep([("a", "w", &larger)].into_iter());
        assert!(
            remembered.find("a", "v").is_none(),
            "its version is an old one"
        );
        assert!(remembered.find("a", "w").is_none());
    }
}
