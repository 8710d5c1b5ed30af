//! `spec.rollout.windows`.

use std::time::Duration;

use cronexpr::parse_crontab;
use jiff::tz::TimeZone;

use super::problems::Problems;
use super::words::{duration, quoted};
use crate::api::rollout::Window;
use crate::sync::{ChangeWindow, Schedule};

/// The shortest window: less is missed by a sync that looks every half minute.
const LEAST: Duration = Duration::from_mins(1);

/// Checks the windows.
pub(super) fn windows(problems: &mut Problems, list: &[Window]) -> Vec<ChangeWindow> {
    let listed = list.iter().enumerate();
    listed
        .filter_map(|(at, one)| window(problems, &format!("spec.rollout.windows[{at}]"), one))
        .collect()
}

fn window(problems: &mut Problems, field: &str, window: &Window) -> Option<ChangeWindow> {
    let opens = schedule(
        problems,
        field,
        (&window.schedule, window.time_zone.as_deref()),
    );
    let duration = duration(
        problems,
        &format!("{field}.duration"),
        Some(&window.duration),
        (LEAST, LEAST),
    );
    Some(ChangeWindow {
        opens: opens?,
        duration,
        hold: window.hold.unwrap_or_default(),
    })
}

/// A cron expression of five fields, in a time zone of the IANA database.
fn schedule(
    problems: &mut Problems,
    field: &str,
    (text, zone): (&str, Option<&str>),
) -> Option<Schedule> {
    let name = zone.unwrap_or("UTC");
    let Ok(zone) = TimeZone::get(name) else {
        problems.invalid_hint(
            format!("{field}.timeZone"),
            format!("{} is no time zone", quoted(name)),
            "Write its name in the IANA database, such as Europe/Berlin",
        );
        return None;
    };
    let field = format!("{field}.schedule");
    if text.split_whitespace().count() != 5 {
        let message =
            "has not the five fields of cron: minute, hour, day of month, month, day of week";
        problems.invalid(field, message);
        return None;
    }
    let name = zone.iana_name().unwrap_or("UTC").to_owned();
    let parsed = parse_crontab(&format!("{text} {name}"));
    if parsed.is_err() {
        problems.invalid_hint(
            field,
            format!("{} is no expression of cron", quoted(text)),
            "Write five fields, such as `0 9 * * 1-5`",
        );
    }
    parsed.ok().map(Schedule)
}
