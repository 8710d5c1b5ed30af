//! Kubernetes Events: what changed and what is wrong, told once.
//!
//! - [`repetition`]: what was told a short while ago is not told again (pure).
//! - [`publish`]: Events go out one after the other beside the passes, never in their way.

mod publish;
mod repetition;

pub(crate) use self::publish::{EventPublisher, Regarding, publish_events};
pub(crate) use self::repetition::Repetition;
