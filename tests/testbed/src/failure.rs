//! One error for tests and verbs, which prints its causes.

use std::error::Error;
use std::fmt;

/// Any error, with all its causes in what it prints: a test that returns
/// `Result<(), Failure>` uses `?` on everything and still says why it failed.
pub struct Failure(Box<dyn Error>);

impl Failure {
    /// A failure in one's own words.
    pub fn because(message: impl Into<String>) -> Self {
        Self(message.into().into())
    }

    /// The error itself, as it was before it became a failure.
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref()
    }
}

impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(formatter, "\n  because: {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// What a failing test prints.
impl fmt::Debug for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot start")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn causes_are_printed_in_their_order() {
        let failure = Failure::from(Outer(std::io::Error::other("no disk")));
        assert_eq!(format!("{failure:?}"), "cannot start\n  because: no disk");
        assert!(failure.downcast_ref::<Outer>().is_some());
        assert_eq!(Failure::because("tired").to_string(), "tired");
    }
}
