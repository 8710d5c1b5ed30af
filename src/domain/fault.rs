//! What can go wrong at a port, in classes that decide what happens next.
//!
//! Adapters keep their own error enums and turn them into a [`Fault`] at their edge: class, reason and
//! our own sentence. Foreign text (bodies, messages, values) never goes in.

use std::fmt;
use std::time::Duration;

use crate::conditions::Reason;

/// The longest wait that an outside system may ask for.
pub const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);

/// What kind of failure it is. Nothing outside matches on texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultClass {
    /// The system says, in its own error shape, that there is no such thing. A bare 404 is not this.
    NotFound,
    /// The system refuses us: credentials, permissions, consent, policy.
    Denied,
    /// The system did not answer, or not in a way that can be believed.
    Unavailable,
    /// The system asks for patience.
    Throttled {
        /// How long it asks for, at most [`MAX_RETRY_AFTER`].
        retry_after: Option<Duration>,
    },
    /// What was asked, or what was answered, makes no sense; trying again does not help.
    Invalid,
    /// Somebody else changed the object between our read and our write; read again.
    Conflict,
    /// The field is part of the API, this version cannot do it yet.
    NotSupported,
}

impl FaultClass {
    /// Whether the same request may succeed later without anybody changing the spec.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable | Self::Throttled { .. } | Self::Conflict => true,
            Self::NotFound | Self::Denied | Self::Invalid | Self::NotSupported => false,
        }
    }
}

/// One failure at a port: what, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The class, which decides about retries.
    pub class: FaultClass,
    /// The reason that conditions and events show.
    pub reason: Reason,
    /// What it happened to: a field path (`spec.sources[0]`), `source vault`, `Secret panbot-env`.
    pub subject: String,
    /// Our own sentence; never foreign text, never a value.
    pub message: String,
    /// The way out, when there is one to name.
    pub hint: Option<String>,
}

impl Fault {
    /// A fault of `class` with the class's usual reason.
    pub fn new(class: FaultClass, subject: impl Into<String>, message: impl Into<String>) -> Self {
        let reason = match class {
            FaultClass::NotFound => Reason::NotFound,
            FaultClass::Denied => Reason::Denied,
            FaultClass::Unavailable => Reason::Unavailable,
            FaultClass::Throttled { .. } => Reason::Throttled,
            FaultClass::Invalid => Reason::Invalid,
            FaultClass::Conflict => Reason::Conflict,
            FaultClass::NotSupported => Reason::NotSupported,
        };
        Self {
            class,
            reason,
            subject: subject.into(),
            message: message.into(),
            hint: None,
        }
    }

    /// A [`FaultClass::Throttled`] with the wait bounded by [`MAX_RETRY_AFTER`].
    pub fn throttled(
        subject: impl Into<String>,
        message: impl Into<String>,
        retry_after: Option<Duration>,
    ) -> Self {
        let retry_after = retry_after.map(|wait| wait.min(MAX_RETRY_AFTER));
        Self::new(FaultClass::Throttled { retry_after }, subject, message)
    }

    /// The same fault with a more telling reason.
    #[must_use]
    pub fn because(mut self, reason: Reason) -> Self {
        self.reason = reason;
        self
    }

    /// The same fault with the way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same fault with a way out: its own, or what faults of its class have in common. What is invalid says itself
    /// what is to be corrected.
    #[must_use]
    pub fn with_way_out(self) -> Self {
        if self.hint.is_some() {
            return self;
        }
        let usual = match self.class {
            FaultClass::NotFound => "Check the name, and whether the credentials can see it",
            FaultClass::Denied => "Check what the credentials may do there",
            FaultClass::Unavailable => {
                "It is tried again without anybody's help. If it lasts, look at the system itself and at the way to it"
            }
            FaultClass::Throttled { .. } => {
                "It is tried again as soon as that is allowed. If it comes often, lower `limits` of the store or read less often"
            }
            FaultClass::Conflict => "It is tried again without anybody's help",
            FaultClass::Invalid | FaultClass::NotSupported => return self,
        };
        self.hint(usual)
    }

    /// How long the outside system asked us to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.class {
            FaultClass::Throttled { retry_after } => retry_after,
            _ => None,
        }
    }
}

/// `subject: message. hint`
impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.subject, self.message)?;
        match &self.hint {
            Some(hint) => write!(formatter, ". {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_of_a_day_is_cut_to_an_hour() {
        let fault = Fault::throttled(
            "store x",
            "asks for patience",
            Some(Duration::from_hours(24)),
        );
        assert_eq!(fault.retry_after(), Some(MAX_RETRY_AFTER));
    }

    #[test]
    fn a_usual_way_out_gives_way_to_a_better_one() {
        for class in [
            FaultClass::NotFound,
            FaultClass::Denied,
            FaultClass::Unavailable,
            FaultClass::Throttled { retry_after: None },
            FaultClass::Conflict,
        ] {
            let fault = Fault::new(class.clone(), "x", "y");
            assert!(fault.clone().with_way_out().hint.is_some(), "{class:?}");
            let better = fault.hint("z").with_way_out();
            assert_eq!(better.hint.as_deref(), Some("z"), "{class:?}");
        }
    }

    #[test]
    fn the_sentence_names_what_where_and_the_way_out() {
        let fault = Fault::new(
            FaultClass::Denied,
            "source vault",
            "the token may not read this path",
        )
        .hint("Grant `read` on it");
        assert_eq!(
            fault.to_string(),
            "source vault: the token may not read this path. Grant `read` on it"
        );
    }
}
