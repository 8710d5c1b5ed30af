//! The figures, told as a table.

use std::fmt::Write;
use std::time::Duration;

use crate::story::Story;
use crate::usage::Usage;

/// Figures beside what they are meant to be. A missed target is a finding, not a failure.
#[derive(Default)]
pub(super) struct Report {
    rows: Vec<Row>,
}

struct Row {
    what: String,
    figure: String,
    target: &'static str,
}

impl Report {
    /// One figure, and its target where it has one.
    pub(super) fn row(&mut self, what: impl Into<String>, figure: String, target: &'static str) {
        self.rows.push(Row {
            what: what.into(),
            figure,
            target,
        });
    }

    /// A heading between rows.
    pub(super) fn heading(&mut self, what: &str) {
        self.row(format!("\n{what}"), String::new(), "");
    }

    /// Tells all of it.
    pub(super) fn tell(&self, story: &mut Story) {
        for line in self.text().lines() {
            story.line(line);
        }
    }

    fn text(&self) -> String {
        let width = |part: fn(&Row) -> &str| {
            let rows = self.rows.iter().map(part);
            rows.map(|text| text.trim_start().chars().count())
                .max()
                .unwrap_or(0)
        };
        let (first, second) = (width(|row| &row.what), width(|row| &row.figure));
        let mut text = String::new();
        for Row {
            what,
            figure,
            target,
        } in &self.rows
        {
            if let Some(heading) = what.strip_prefix('\n') {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "\n{heading}");
                continue;
            }
            let target = match *target {
                "" => String::new(),
                target => format!("   target {target}"),
            };
            let line = format!("  {what:<first$}  {figure:>second$}{target}");
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }
}

/// `1.84 s`, `43 ms`.
pub(super) fn time(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{:.2} s", duration.as_secs_f64())
    }
}

/// `18.3 MiB`
pub(super) fn memory(bytes: u64) -> String {
    let tenths = bytes * 10 / (1 << 20);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

/// CPU time between two looks at the same process.
pub(super) fn cpu(before: &Usage, after: &Usage) -> String {
    format!(
        "{:.2} s",
        after.cpu.saturating_sub(before.cpu).as_secs_f64()
    )
}

/// `3.00`: so many for each of `objects`.
pub(super) fn each(count: u64, objects: usize) -> String {
    let objects = u64::try_from(objects).unwrap_or(u64::MAX).max(1);
    let hundredths = (count * 100 + objects / 2) / objects;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// The middle and the greatest of some times.
pub(super) fn middle_and_worst(times: &[Duration]) -> (Duration, Duration) {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let middle = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    (middle, sorted.last().copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_under_each_other_and_targets_beside_them() {
        let mut report = Report::default();
        report.heading("First sync");
        report.row("time", "1.84 s".into(), "2.10 s");
        report.row("writes for each", "3.00".into(), "");
        assert_eq!(
            report.text(),
            "\nFirst sync\n  time             1.84 s   target 2.10 s\n  writes for each    3.00\n"
        );
    }

    #[test]
    fn figures_are_rounded_for_people() {
        assert_eq!(time(Duration::from_millis(43)), "43 ms");
        assert_eq!(time(Duration::from_millis(1_844)), "1.84 s");
        assert_eq!(memory(19 * (1 << 20) + (1 << 19)), "19.5 MiB");
        assert_eq!(each(2_999, 1_000), "3.00");
        assert_eq!(each(7, 0), "7.00");
    }

    #[test]
    fn the_middle_is_not_moved_by_one_that_is_slow() {
        let seconds = |numbers: &[u64]| -> Vec<Duration> {
            numbers.iter().copied().map(Duration::from_secs).collect()
        };
        let (middle, worst) = middle_and_worst(&seconds(&[9, 1, 2, 3, 100]));
        assert_eq!((middle.as_secs(), worst.as_secs()), (3, 100));
        assert_eq!(middle_and_worst(&[]), (Duration::ZERO, Duration::ZERO));
    }
}
