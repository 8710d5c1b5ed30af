//! Problems of documents, and where they are.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use penstock_domain::text::shorten;

use crate::output::plain;

/// The most columns that a pointer is indented by, however deep the field stands.
const MAX_INDENT: usize = 40;
/// The longest name of a field that is shown.
const MAX_NAME_BYTES: usize = 80;
/// The most problems that are told one by one.
const MAX_TOLD: usize = 50;

/// Where something stands: a file, a line, a column, and the name of the field, never its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    /// The file, as it was named; `<stdin>` for standard input.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The field's name, where it has one.
    pub field: Option<String>,
}

/// `deploy/sync.yaml:12:5`
impl fmt::Display for Pointer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}:{}:{}",
            plain(&self.file),
            self.line,
            self.column
        )
    }
}

impl Pointer {
    /// The field under its line number, underlined; empty where there is no field to show.
    pub fn excerpt(&self) -> String {
        let Some(field) = &self.field else {
            return String::new();
        };
        let name = shorten(&field.escape_debug().to_string(), MAX_NAME_BYTES);
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let indent = " ".repeat(self.column.saturating_sub(1).min(MAX_INDENT));
        let carets = "^".repeat(name.chars().count().max(1));
        format!("{margin} |\n{number} | {indent}{name}: …\n{margin} | {indent}{carets}\n")
    }
}

/// One thing that is wrong with the documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where; none when it is about the invocation as a whole.
    pub at: Option<Pointer>,
    /// The path of the field in its object (`spec.sources[0].path`), or the object; may be empty.
    pub subject: Box<str>,
    /// What is wrong, in our own words.
    pub message: Box<str>,
    /// The way out, where there is one to name.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem of the field at `at`.
    pub fn new(
        at: Option<Pointer>,
        subject: impl Into<Box<str>>,
        message: impl Into<Box<str>>,
    ) -> Self {
        Self {
            at,
            subject: subject.into(),
            message: message.into(),
            hint: None,
        }
    }

    /// The same problem with the way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// ```text
/// deploy/sync.yaml:12:5: spec.intervall: is no field of SecretSync
///    |
/// 12 |     intervall: …
///    |     ^^^^^^^^^
///    = did you mean `interval`?
/// ```
impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = &self.at {
            write!(formatter, "{at}: ")?;
        }
        if !self.subject.is_empty() {
            write!(formatter, "{}: ", plain(&self.subject))?;
        }
        writeln!(formatter, "{}", plain(&self.message))?;
        if let Some(at) = &self.at {
            formatter.write_str(&at.excerpt())?;
        }
        match &self.hint {
            Some(hint) => writeln!(formatter, "  = {}", plain(hint)),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with the documents. Never empty as an error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// The problems as an error, or `value` where there are none.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }

    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

/// One after the other; what is beyond the bound is counted.
impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for problem in self.0.iter().take(MAX_TOLD) {
            write!(text, "{problem}")?;
        }
        if let Some(more) = self.0.len().checked_sub(MAX_TOLD).filter(|more| *more > 0) {
            write!(text, "and {more} more problems")?;
        }
        formatter.write_str(text.trim_end())
    }
}

impl std::error::Error for Problems {}
