//! When to run again. Time and randomness are parameters.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The shortest and the longest pause after a failure.
const FIRST_BACKOFF: Duration = Duration::from_secs(2);
const LONGEST_BACKOFF: Duration = Duration::from_mins(5);

/// How soon a second read looks whether keys are really gone.
const CONFIRM_AFTER: Duration = Duration::from_secs(15);

/// How often a rollout is looked at.
pub(crate) const OBSERVE_EVERY: Duration = Duration::from_secs(3);

/// When a sync wants to run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// At the next refresh.
    Interval(Duration),
    /// After exactly this.
    After(Duration),
    /// Sooner than the refresh, with growing pauses; never sooner than an outside system asked for.
    Retry {
        /// What an outside system asked for.
        at_least: Duration,
        /// Never later than this.
        at_most: Duration,
    },
    /// Only when something changes.
    Never,
}

impl Next {
    /// To see whether absent keys stay absent.
    pub fn confirm(interval: Duration) -> Self {
        Self::After(interval.min(CONFIRM_AFTER))
    }

    /// The same, or sooner where something else is due. The growing pauses after a failure stay as they are.
    #[must_use]
    pub fn no_later_than(self, due: Option<Duration>) -> Self {
        match (self, due) {
            (Self::Interval(interval), Some(due)) if due < earliest(interval) => Self::After(due),
            (Self::After(pause), Some(due)) => Self::After(pause.min(due)),
            (next, _) => next,
        }
    }

    /// The pause, given how often in a row it failed and a number that is spread evenly (a hash of the
    /// object's uid and the time, say).
    pub fn pause(self, failures: u32, noise: u64) -> Option<Duration> {
        match self {
            Self::Interval(interval) => Some(jittered(interval, noise)),
            Self::After(pause) => Some(pause),
            Self::Retry { at_least, at_most } => {
                let grown = FIRST_BACKOFF.saturating_mul(1 << failures.min(16));
                let capped = grown.min(LONGEST_BACKOFF).min(at_most);
                Some(jittered(capped, noise).max(at_least))
            }
            Self::Never => None,
        }
    }
}

/// `pause` after `moment`, or the end of time.
pub fn after(moment: Timestamp, pause: Duration) -> Timestamp {
    SignedDuration::try_from(pause)
        .ok()
        .and_then(|pause| moment.checked_add(pause).ok())
        .unwrap_or(Timestamp::MAX)
}

/// `interval` ± 10 %.
pub fn jittered(interval: Duration, noise: u64) -> Duration {
    let tenth = interval / 10;
    let spread = u64::try_from(tenth.as_millis())
        .unwrap_or(u64::MAX)
        .saturating_mul(2);
    let offset = if spread == 0 { 0 } else { noise % (spread + 1) };
    interval.saturating_sub(tenth) + Duration::from_millis(offset)
}

/// The shortest that a jittered interval can be: a read is due when this has passed.
pub fn earliest(interval: Duration) -> Duration {
    interval.saturating_sub(interval / 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_jittered_interval_stays_within_ten_percent(seconds in 1u64..100_000, noise: u64) {
            let interval = Duration::from_secs(seconds);
            let pause = jittered(interval, noise);
            prop_assert!(pause >= earliest(interval));
            prop_assert!(pause <= interval + interval / 10);
        }

        #[test]
        fn retries_grow_to_a_limit_and_honour_what_was_asked_for(failures in 0u32..100, noise: u64, asked in 0u64..3600) {
            let next = Next::Retry { at_least: Duration::from_secs(asked), at_most: Duration::from_mins(10) };
            let pause = next.pause(failures, noise).unwrap();
            prop_assert!(pause >= Duration::from_secs(asked));
            prop_assert!(pause <= LONGEST_BACKOFF.max(Duration::from_secs(asked)) * 11 / 10);
        }
    }

    #[test]
    fn the_first_retry_comes_soon_and_never_after_the_refresh() {
        let next = Next::Retry {
            at_least: Duration::ZERO,
            at_most: Duration::from_secs(10),
        };
        assert!(next.pause(0, 0).unwrap() < Duration::from_secs(3));
        assert!(next.pause(9, 0).unwrap() <= Duration::from_secs(11));
        assert_eq!(Next::Never.pause(3, 5), None);
    }
}
