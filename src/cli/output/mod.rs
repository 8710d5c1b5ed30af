//! Where words go, and how they look: data to standard output, everything else to standard error.

mod hidden;

use std::io::{self, BufRead, IsTerminal as _, Write};
use std::thread::Builder;

use futures::channel::oneshot;
use tokio::signal::unix::{SignalKind, signal};

pub use self::hidden::{Hidden, read_hidden};

/// The standard streams, or what stands for them in a test.
pub struct Streams {
    /// Data.
    pub out: Box<dyn Write + Send>,
    /// Everything else.
    pub err: Box<dyn Write + Send>,
    /// Answers of a person.
    pub input: Box<dyn BufRead + Send>,
    /// How data look.
    pub style: Style,
    /// How everything else looks.
    pub error_style: Style,
    /// Whether a person can be asked: standard input and standard error are terminals.
    pub person: bool,
}

impl Streams {
    /// Those of the process. Colours only where standard output is a terminal and nobody said `NO_COLOR`
    /// (no-color.org: set and not empty) or `TERM=dumb`.
    pub fn of_process() -> Self {
        let said = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let plain = said("NO_COLOR").is_some() || said("TERM").is_some_and(|term| term == "dumb");
        Self {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            input: Box::new(io::BufReader::new(io::stdin())),
            style: Style {
                colours: io::stdout().is_terminal() && !plain,
            },
            error_style: Style {
                colours: io::stderr().is_terminal() && !plain,
            },
            person: io::stdin().is_terminal() && io::stderr().is_terminal(),
        }
    }

    /// One line to standard error. If it takes none, nobody listens.
    pub fn tell(&mut self, line: impl AsRef<str>) {
        drop(writeln!(self.err, "{}", line.as_ref()));
    }

    /// Asks a person; only `y` and `yes` are one. Without a person, the answer is no.
    pub fn confirm(&mut self, question: &str) -> io::Result<bool> {
        if !self.person {
            return Ok(false);
        }
        let answer = self.ask(&format!("{question} [y/N]"))?;
        Ok(agrees(&answer.unwrap_or_default()))
    }

    /// The same for a caller who listens for signals meanwhile.
    pub async fn confirm_or_leave(&mut self, question: &str) -> io::Result<bool> {
        if !self.person {
            return Ok(false);
        }
        let answer = self.answer(&format!("{question} [y/N]")).await?;
        Ok(agrees(&answer.unwrap_or_default()))
    }

    /// Asks a person, who may leave by Ctrl-C: then there is no answer.
    pub async fn agree_or_leave(&mut self, question: &str) -> io::Result<Option<bool>> {
        if !self.person {
            return Ok(Some(false));
        }
        let question = format!("{question} [y/N]");
        let answer = self.until_left(&question).await?;
        Ok(answer.map(|answer| agrees(&answer.unwrap_or_default())))
    }

    /// Asks a person, and returns the answer without blanks around it; none when the person leaves, by Ctrl-C or
    /// Ctrl-D, or there is no answer to come.
    pub async fn ask_or_leave(&mut self, question: &str) -> io::Result<Option<String>> {
        Ok(self.until_left(question).await?.flatten())
    }

    /// The answer; none when Ctrl-C was typed. It is heard also where whoever started the process had it ignored, as
    /// shells do for what they start in the background.
    async fn until_left(&mut self, question: &str) -> io::Result<Option<Option<String>>> {
        // Before the question is seen: whoever sees it may leave at once.
        let mut interrupts = signal(SignalKind::interrupt())?;
        tokio::select! {
            biased;
            _ = interrupts.recv() => Ok(None),
            answer = self.answer(question) => answer.map(Some),
        }
    }

    /// The answer is awaited on a thread of its own, which ends with the process when the caller waits no longer.
    async fn answer(&mut self, question: &str) -> io::Result<Option<String>> {
        write!(self.err, "{question} ")?;
        self.err.flush()?;
        let mut input = std::mem::replace(&mut self.input, Box::new(io::empty()));
        let (sender, receiver) = oneshot::channel();
        Builder::new().name("prompt".to_owned()).spawn(move || {
            let mut answer = String::new();
            let read = input.read_line(&mut answer);
            let answer = read.map(|read| (read > 0).then(|| answer.trim().to_owned()));
            // Nobody waits for it after an interrupt.
            drop(sender.send((input, answer)));
        })?;
        let (input, answer) = receiver.await.map_err(io::Error::other)?;
        self.input = input;
        answer
    }

    fn ask(&mut self, question: &str) -> io::Result<Option<String>> {
        write!(self.err, "{question} ")?;
        self.err.flush()?;
        let mut answer = String::new();
        let read = self.input.read_line(&mut answer)?;
        Ok((read > 0).then(|| answer.trim().to_owned()))
    }
}

fn agrees(answer: &str) -> bool {
    let answer = answer.trim();
    answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes")
}

/// How words look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Whether colours are used.
    pub colours: bool,
}

/// What a colour means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Something comes.
    Good,
    /// Something changes.
    Change,
    /// Something goes, or is wrong.
    Bad,
    /// Beside the point.
    Faint,
    /// A heading.
    Strong,
}

impl Style {
    /// `text` in the colour of `tone`.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        if !self.colours {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Change => "33",
            Tone::Bad => "31",
            Tone::Faint => "2",
            Tone::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// A name from outside for a terminal: control characters (also those of other scripts) escaped, and what hides
/// characters or turns the direction in which they are read.
pub fn plain(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let harmless = character == ' '
                || !(character.is_control() || character.is_whitespace() || misleads(character));
            let escaped = (!harmless).then(|| character.escape_unicode());
            let kept = harmless.then_some(character);
            kept.into_iter().chain(escaped.into_iter().flatten())
        })
        .collect()
}

/// Characters of format that show nothing and change how others show (Unicode, general category Cf).
pub(crate) fn misleads(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_steer_a_terminal() {
        assert_eq!(plain("DB_URL"), "DB_URL");
        assert_eq!(plain("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\\u{a}c");
        assert_eq!(plain("a\u{202e}b\u{200b}"), "a\\u{202e}b\\u{200b}");
    }

    fn streams(answer: &'static str, person: bool) -> Streams {
        Streams {
            out: Box::new(io::sink()),
            err: Box::new(io::sink()),
            input: Box::new(answer.as_bytes()),
            style: Style::default(),
            error_style: Style::default(),
            person,
        }
    }

    #[test]
    fn only_a_person_who_says_yes_has_said_yes() {
        for (answer, person, agreed) in [
            ("y\n", true, true),
            ("YES\n", true, true),
            ("\n", true, false),
            ("", true, false),
            ("yeah\n", true, false),
            ("y\n", false, false),
        ] {
            assert_eq!(
                streams(answer, person).confirm("delete?").unwrap(),
                agreed,
                "{answer:?}"
            );
        }
    }

    #[test]
    fn without_colours_words_are_plain() {
        let (plain, colours) = (Style::default(), Style { colours: true });
        assert_eq!(plain.paint(Tone::Bad, "x"), "x");
        assert_eq!(colours.paint(Tone::Bad, "x"), "\u{1b}[31mx\u{1b}[0m");
    }
}
