//! Collecting problems, and saying them in one message.

use std::fmt;

use crate::conditions::Reason;
use crate::fault::{Fault, FaultClass};
use crate::names::NameError;

/// The longest message in bytes: a condition may hold 32 KiB, a person reads less.
const MAX_MESSAGE_BYTES: usize = 4096;

/// Everything that keeps a SecretSync from being admitted, in the order of its fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problems(Vec<Fault>);

impl Problems {
    /// The problems; the subject of each is the path of its field.
    pub fn as_slice(&self) -> &[Fault] {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The reason that the condition shows: `NotSupported` only when nothing else is wrong.
    pub fn reason(&self) -> Reason {
        let only_unsupported = self
            .0
            .iter()
            .all(|problem| problem.class == FaultClass::NotSupported);
        if only_unsupported {
            Reason::NotSupported
        } else {
            Reason::InvalidSpec
        }
    }

    /// Notes a mistake.
    pub(super) fn invalid(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(mistake(field, message));
    }

    /// Notes a mistake and the way out.
    pub(super) fn invalid_hint(
        &mut self,
        field: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.0.push(mistake(field, message).hint(hint));
    }

    /// Notes a field that this version cannot fulfil.
    pub(super) fn unsupported(&mut self, field: impl Into<String>, hint: &str) {
        let message = "is not supported by this version";
        self.0
            .push(Fault::new(FaultClass::NotSupported, field, message).hint(hint));
    }

    /// Notes a field that only the CLI can fulfil.
    pub(super) fn cli_only(&mut self, field: impl Into<String>) {
        let message = "works in the CLI only; the operator refuses it";
        self.0
            .push(Fault::new(FaultClass::NotSupported, field, message));
    }

    /// The name, or a mistake: `field` is the path of the text that should be one.
    pub(super) fn name<T>(&mut self, field: &str, name: Result<T, NameError>) -> Option<T> {
        name.map_err(|error| self.invalid(field, error.to_string()))
            .ok()
    }
}

fn mistake(field: impl Into<String>, message: impl Into<String>) -> Fault {
    Fault::new(FaultClass::Invalid, field, message).because(Reason::InvalidSpec)
}

/// All problems, separated by semicolons; what is beyond the bound is counted.
impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written = 0;
        for (at, problem) in self.0.iter().enumerate() {
            let sentence = problem.to_string();
            written += sentence.len() + 2;
            if at > 0 && written > MAX_MESSAGE_BYTES {
                return write!(formatter, "; and {} more problems", self.0.len() - at);
            }
            if at > 0 {
                formatter.write_str("; ")?;
            }
            formatter.write_str(&sentence)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Problems> for Vec<Fault> {
    fn from(problems: Problems) -> Self {
        problems.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_lists_all_problems_up_to_a_bound() {
        let mut problems = Problems::default();
        problems.invalid("spec.a", "is empty");
        problems.unsupported("spec.b", "Leave it out");
        assert_eq!(
            problems.to_string(),
            "spec.a: is empty; spec.b: is not supported by this version. Leave it out"
        );
        assert_eq!(problems.reason(), Reason::InvalidSpec);
        for at in 0..1000 {
            problems.invalid(format!("spec.sources[{at}].name"), "is empty");
        }
        let message = problems.to_string();
        assert!(message.len() < MAX_MESSAGE_BYTES + 40, "{}", message.len());
        assert!(message.ends_with(" more problems"), "{message}");
    }

    #[test]
    fn only_what_is_not_supported_is_told_apart() {
        let mut problems = Problems::default();
        problems.unsupported("spec.b", "Leave it out");
        assert_eq!(problems.reason(), Reason::NotSupported);
    }
}
