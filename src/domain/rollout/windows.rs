//! Change windows.

use std::time::Duration;

use cronexpr::MakeTimestamp;
use jiff::Timestamp;

use crate::api::rollout::WindowHold;
use crate::record::saturating_sub;
use crate::schedule::after;
use crate::sync::{ChangeWindow, Schedule};

/// Whether a change may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Openness {
    /// It may.
    Open,
    /// Not before then; none where no window ever opens again.
    ClosedUntil(Option<Timestamp>),
}

/// Whether what `hold` names may happen at `now`: some window is open, or none holds it back. Windows are the times
/// in which changes are allowed; those that hold the restart hold no write.
pub fn openness(windows: &[ChangeWindow], hold: WindowHold, now: Timestamp) -> Openness {
    if windows.iter().all(|window| window.hold != hold) {
        return Openness::Open;
    }
    if windows.iter().any(|window| window.is_open(now)) {
        return Openness::Open;
    }
    let next = windows.iter().filter_map(|window| window.opens.next(now));
    Openness::ClosedUntil(next.min())
}

impl ChangeWindow {
    /// Open from the moment that the schedule names until the duration has passed.
    fn is_open(&self, now: Timestamp) -> bool {
        let begin = saturating_sub(now, self.duration);
        let opened = self.opens.next(begin);
        opened.is_some_and(|opened| opened <= now && now < after(opened, self.duration))
    }
}

impl Schedule {
    /// The next moment after `moment` that the schedule names. Where a clock is put forward, an hour that does not
    /// exist is taken at its end; where it is put back, an hour that comes twice is taken once.
    pub fn next(&self, moment: Timestamp) -> Option<Timestamp> {
        let found = self.0.find_next(MakeTimestamp(moment)).ok()?;
        Some(found.timestamp())
    }
}

/// The next look at a window that is closed: when it opens, and not later than `longest`, because clocks are set.
pub(crate) fn look_again(until: Option<Timestamp>, now: Timestamp, longest: Duration) -> Duration {
    let pause = until.and_then(|until| Duration::try_from(until.duration_since(now)).ok());
    pause.unwrap_or(longest).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(schedule: &str, zone: &str, hours: u64, hold: WindowHold) -> ChangeWindow {
        ChangeWindow {
            opens: Schedule(cronexpr::parse_crontab(&format!("{schedule} {zone}")).unwrap()),
            duration: Duration::from_hours(hours),
            hold,
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_window_is_open_from_its_first_moment_and_closed_at_its_last() {
        let windows = [window("0 9 * * 1-5", "Europe/Berlin", 8, WindowHold::Write)];
        let state = |now: &str| openness(&windows, WindowHold::Write, at(now));
        // Monday, in summer: 9:00 in Berlin is 7:00 UTC.
        for open in ["2026-07-06T07:00:00Z", "2026-07-06T14:59:59Z"] {
            assert_eq!(state(open), Openness::Open, "{open}");
        }
        let next = |text: &str| Openness::ClosedUntil(Some(at(text)));
        assert_eq!(state("2026-07-06T06:59:59Z"), next("2026-07-06T07:00:00Z"));
        assert_eq!(state("2026-07-06T15:00:00Z"), next("2026-07-07T07:00:00Z"));
        // From Friday evening it is Monday, and in winter an hour later.
        assert_eq!(state("2026-10-23T20:00:00Z"), next("2026-10-26T08:00:00Z"));
    }

    #[test]
    fn an_hour_that_a_clock_skips_opens_all_the_same() {
        let windows = [window("30 2 * * *", "Europe/Berlin", 2, WindowHold::Write)];
        let state = |now: &str| openness(&windows, WindowHold::Write, at(now));
        // On 29 March 2026 it is 3:00 right after 1:59.
        let closed = state("2026-03-28T23:00:00Z");
        let Openness::ClosedUntil(Some(next)) = closed else {
            panic!("{closed:?}");
        };
        assert!(
            next >= at("2026-03-29T00:30:00Z") && next <= at("2026-03-30T00:30:00Z"),
            "{next}"
        );
    }

    #[test]
    fn windows_that_hold_the_restart_hold_no_write() {
        let windows = [window("0 9 * * *", "UTC", 1, WindowHold::Restart)];
        let night = at("2026-07-06T01:00:00Z");
        assert_eq!(openness(&windows, WindowHold::Write, night), Openness::Open);
        let restart = openness(&windows, WindowHold::Restart, night);
        assert_eq!(
            restart,
            Openness::ClosedUntil(Some(at("2026-07-06T09:00:00Z")))
        );
        assert_eq!(openness(&[], WindowHold::Restart, night), Openness::Open);
    }

    #[test]
    fn a_day_that_never_comes_never_opens_and_ends() {
        let windows = [window("0 0 30 2 *", "UTC", 1, WindowHold::Write)];
        let closed = openness(&windows, WindowHold::Write, at("2026-07-06T01:00:00Z"));
        assert_eq!(closed, Openness::ClosedUntil(None));
    }
}
