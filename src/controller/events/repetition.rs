//! What was told a short while ago is not told again. Pure: the time is a parameter.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use penstock_domain::conditions::Reason;
use tokio::time::Instant;

/// How many different Events of one object are remembered.
const REMEMBERED: usize = 8;

/// After how long the same Event is told for the second time; each time after that it takes twice as long.
const FIRST_SILENCE: Duration = Duration::from_mins(10);
/// The longest silence.
const LONGEST_SILENCE: Duration = Duration::from_hours(6);

/// What one object told lately.
#[derive(Debug, Default)]
pub(crate) struct Repetition {
    told: VecDeque<Told>,
}

#[derive(Debug)]
struct Told {
    /// A hash: the texts themselves would cost memory for nothing.
    what: u64,
    silent_until: Instant,
    silence: Duration,
}

impl Repetition {
    /// Whether an Event is news now; it counts as told if it is.
    pub(crate) fn is_news(&mut self, reason: Reason, message: &str, now: Instant) -> bool {
        let mut hasher = DefaultHasher::new();
        (reason, message).hash(&mut hasher);
        let what = hasher.finish();
        let known = self.told.iter().position(|told| told.what == what);
        let silence = match known.and_then(|index| self.told.remove(index)) {
            Some(told) if now < told.silent_until => {
                self.told.push_back(told);
                return false;
            }
            // It goes on; after as long a time without it, it is a new one.
            Some(told) if now < told.silent_until + told.silence => {
                (told.silence * 2).min(LONGEST_SILENCE)
            }
            Some(_) | None => FIRST_SILENCE,
        };
        if self.told.len() == REMEMBERED {
            self.told.pop_front();
        }
        self.told.push_back(Told {
            what,
            silent_until: now + silence,
            silence,
        });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_persistent_failure_is_told_ever_more_seldom() {
        let mut repetition = Repetition::default();
        let start = Instant::now();
        let told = (0..24 * 60 * 6)
            .map(|ten_seconds| start + Duration::from_secs(10 * ten_seconds))
            .filter(|now| repetition.is_news(Reason::SourceUnavailable, "vault is down", *now))
            .count();
        assert_eq!(
            told, 9,
            "in a day: 0, 10, 30, 70, 150, 310, 630, 990, 1350 minutes"
        );
    }

    #[test]
    fn what_comes_back_after_a_long_time_is_told_as_at_first() {
        let mut repetition = Repetition::default();
        let start = Instant::now();
        let at = |minutes| start + Duration::from_mins(minutes);
        let mut news = |minutes| repetition.is_news(Reason::Repaired, "keys A", at(minutes));
        assert!(news(0) && news(10) && !news(29));
        assert!(news(100) && !news(109) && news(110));
    }

    #[test]
    fn another_message_is_news() {
        let mut repetition = Repetition::default();
        let now = Instant::now();
        assert!(repetition.is_news(Reason::TargetWritten, "keys A", now));
        assert!(repetition.is_news(Reason::TargetWritten, "keys B", now));
        assert!(repetition.is_news(Reason::Repaired, "keys A", now));
        assert!(!repetition.is_news(Reason::TargetWritten, "keys A", now));
    }

    #[test]
    fn memory_is_bounded() {
        let mut repetition = Repetition::default();
        let now = Instant::now();
        for number in 0..1_000 {
            assert!(repetition.is_news(Reason::TargetWritten, &number.to_string(), now));
        }
        assert_eq!(repetition.told.len(), REMEMBERED);
    }
}
