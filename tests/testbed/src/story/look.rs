//! What the output can show, and how words are dressed for it.

use std::io::IsTerminal;
use std::time::Duration;

const PLAIN_WIDTH: usize = 100;
const NARROWEST: usize = 40;
const WIDEST: usize = 100;

/// What the output can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Lines can be drawn again: it is a terminal.
    pub live: bool,
    /// Colours are wanted.
    pub colour: bool,
    /// Columns.
    pub width: usize,
}

#[derive(Clone, Copy)]
pub(super) enum Tone {
    Strong,
    Faint,
    Good,
    Bad,
    Accent,
}

impl Look {
    /// Plain lines for a file, a pipe or a log.
    pub const PLAIN: Self = Self {
        live: false,
        colour: false,
        width: PLAIN_WIDTH,
    };

    /// What standard output can show.
    pub fn of_stdout() -> Self {
        let output = std::io::stdout();
        if !output.is_terminal() || std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
            return Self::PLAIN;
        }
        let columns = rustix::termios::tcgetwinsize(&output).map_or(0, |size| size.ws_col);
        let columns = if columns == 0 {
            80
        } else {
            usize::from(columns)
        };
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            live: true,
            colour: !no_colour,
            width: columns.clamp(NARROWEST, WIDEST),
        }
    }

    pub(super) fn dress(self, tone: Tone, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Accent => "36",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// Cuts a line so that drawing it again on a terminal never wraps.
    pub(super) fn fit(self, text: &str, reserved: usize) -> String {
        let room = self.width.saturating_sub(reserved + 1);
        if text.chars().count() <= room {
            return text.to_owned();
        }
        let mut cut: String = text.chars().take(room.saturating_sub(1)).collect();
        cut.push('…');
        cut
    }

    /// Breaks a text into lines between words.
    pub(super) fn wrap(self, text: &str, indent: usize) -> Vec<String> {
        let room = self.width.saturating_sub(indent);
        let mut lines = Vec::new();
        for paragraph in text.lines() {
            let mut line = String::new();
            for word in paragraph.split_whitespace() {
                let length = line.chars().count() + 1 + word.chars().count();
                if !line.is_empty() && length > room {
                    lines.push(std::mem::take(&mut line));
                }
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
            lines.push(line);
        }
        lines
    }
}

/// A duration as a person says it: `0.4 s`, `12 s`, `3 min 20 s`.
pub(super) fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 10 {
        format!("{:.1} s", duration.as_secs_f64())
    } else if seconds < 60 {
        format!("{seconds} s")
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_spoken() {
        assert_eq!(spoken(Duration::from_millis(449)), "0.4 s");
        assert_eq!(spoken(Duration::from_secs(12)), "12 s");
        assert_eq!(spoken(Duration::from_secs(200)), "3 min 20 s");
    }

    #[test]
    fn without_colour_words_stay_as_they_are() {
        assert_eq!(Look::PLAIN.dress(Tone::Good, "fine"), "fine");
        let colourful = Look {
            colour: true,
            ..Look::PLAIN
        };
        assert_eq!(
            colourful.dress(Tone::Good, "fine"),
            "\u{1b}[32mfine\u{1b}[0m"
        );
    }

    #[test]
    fn long_lines_are_cut_within_the_width() {
        let narrow = Look {
            width: 10,
            ..Look::PLAIN
        };
        assert_eq!(narrow.fit("0123456789abcdef", 2), "012345…");
        assert_eq!(narrow.fit("short", 2), "short");
    }

    #[test]
    fn texts_break_between_words_and_keep_their_paragraphs() {
        let narrow = Look {
            width: 12,
            ..Look::PLAIN
        };
        let lines = narrow.wrap("one two three\nfour", 2);
        assert_eq!(lines, ["one two", "three", "four"]);
    }
}
