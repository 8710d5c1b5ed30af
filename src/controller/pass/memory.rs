//! What is remembered of an object between its turns. Losing it costs a read.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use jiff::Timestamp;
use penstock_domain::engine;
use penstock_domain::schedule::{Next, earliest, jittered};

use crate::events::Repetition;

/// Memory of one object, whichever kind it is.
#[derive(Debug)]
pub(crate) enum ObjectMemory {
    /// Of a SecretSync.
    Sync(Box<SyncMemory>),
    /// Of a store or a ClusterSecretSync.
    Store(Box<StoreMemory>),
}

/// Memory of one SecretSync.
#[derive(Debug, Default)]
pub(crate) struct SyncMemory {
    /// What the engine remembers.
    pub(super) engine: engine::Memory,
    /// What was told.
    pub(super) repetition: Repetition,
    pace: Pace,
}

/// Memory of one store, or of one ClusterSecretSync.
#[derive(Debug, Default)]
pub(crate) struct StoreMemory {
    /// What was told.
    pub(super) repetition: Repetition,
    /// A check failed, and a second one has yet to agree.
    doubted: bool,
    pace: Pace,
}

/// How often an object had a turn, and how often in a row it failed.
#[derive(Debug, Default)]
struct Pace {
    uid: Box<str>,
    turns: u64,
    failures: u32,
}

impl SyncMemory {
    /// Forgets everything if it is of another object of the same name.
    pub(super) fn belong_to(&mut self, uid: &str) {
        if *self.pace.uid != *uid {
            *self = Self::default();
            self.pace.uid = uid.into();
        }
    }

    /// The pause until the next turn. What comes in between does not put off the next read.
    pub(super) fn pause(&mut self, next: Next, failed: bool, now: Timestamp) -> Option<Duration> {
        let due = self.engine.read_due();
        let until_read = due.and_then(|due| Duration::try_from(due.duration_since(now)).ok());
        self.pace
            .pause(next, failed, until_read.unwrap_or_default())
    }
}

impl StoreMemory {
    /// Forgets everything if it is of another object of the same name.
    pub(super) fn belong_to(&mut self, uid: &str) {
        if *self.pace.uid != *uid {
            *self = Self::default();
            self.pace.uid = uid.into();
        }
    }

    /// The pause until the next turn.
    pub(super) fn pause(&mut self, next: Next, failed: bool) -> Option<Duration> {
        self.doubted = false;
        self.pace.pause(next, failed, Duration::ZERO)
    }

    /// Whether this is the first failure of a store that was well.
    pub(super) fn first_doubt(&mut self) -> bool {
        !std::mem::replace(&mut self.doubted, true)
    }
}

impl Pace {
    /// The pause until the next turn. Of an interval, `until_read` is what is left before a read is due;
    /// nothing is left when a read is due already and did not succeed.
    fn pause(&mut self, next: Next, failed: bool, until_read: Duration) -> Option<Duration> {
        self.turns += 1;
        let noise = self.noise();
        let pause = match next {
            Next::Interval(interval) if !until_read.is_zero() => {
                let spread = jittered(interval, noise).saturating_sub(earliest(interval));
                Some(until_read + spread)
            }
            next => next.pause(self.failures, noise),
        };
        self.failures = if failed {
            self.failures.saturating_add(1)
        } else {
            0
        };
        pause
    }

    /// A number that differs from object to object and from turn to turn.
    fn noise(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.uid, self.turns).hash(&mut hasher);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_mins(10);

    #[test]
    fn a_repair_in_between_does_not_put_off_the_next_read() {
        let mut pace = Pace::default();
        let first = pace
            .pause(Next::Interval(INTERVAL), false, Duration::ZERO)
            .unwrap();
        assert!(first >= INTERVAL * 9 / 10 && first <= INTERVAL * 11 / 10);
        let left = Duration::from_mins(1);
        let after_repair = pace.pause(Next::Interval(INTERVAL), false, left).unwrap();
        assert!(after_repair >= left && after_repair <= left + INTERVAL / 5);
    }

    #[test]
    fn failures_in_a_row_make_the_pauses_grow() {
        let mut pace = Pace::default();
        let retry = Next::Retry {
            at_least: Duration::ZERO,
            at_most: INTERVAL,
        };
        let pauses: Vec<_> = (0..5)
            .map(|_| pace.pause(retry, true, Duration::ZERO).unwrap())
            .collect();
        assert!(pauses[4] >= 4 * pauses[0], "{pauses:?}");
        pace.pause(Next::Interval(INTERVAL), false, Duration::ZERO)
            .unwrap();
        let again = pace.pause(retry, true, Duration::ZERO).unwrap();
        assert!(again < Duration::from_secs(3), "{again:?}");
    }

    #[test]
    fn another_object_of_the_same_name_begins_anew() {
        let mut memory = SyncMemory::default();
        memory.belong_to("u");
        memory.pace.failures = 5;
        memory.belong_to("u");
        assert_eq!(memory.pace.failures, 5);
        memory.belong_to("v");
        assert_eq!(memory.pace.failures, 0);
    }

    #[test]
    fn two_objects_have_different_jitter() {
        let noise = |uid: &str| {
            let mut memory = SyncMemory::default();
            memory.belong_to(uid);
            memory.pace.noise()
        };
        assert_ne!(noise("u"), noise("v"));
    }
}
