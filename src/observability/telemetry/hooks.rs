//! Webhooks.

/// What became of a webhook that names a store with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookOutcome {
    /// It is believed: whoever reads from the store reads.
    Accepted,
    /// The store's key is not there, empty, or cannot be asked for.
    NoKey,
    /// There is no signature, or one that is not the body's under this key.
    BadSignature,
    /// It was signed too long ago, or ahead of time.
    Outdated,
}

impl HookOutcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::NoKey => "no key",
            Self::BadSignature => "bad signature",
            Self::Outdated => "outdated",
        }
    }
}

/// A webhook has arrived for a store that has one.
#[derive(Debug)]
pub struct HookReceived<'a> {
    /// The store's kind.
    pub kind: &'static str,
    /// The store.
    pub object: &'a str,
    /// What became of it.
    pub outcome: HookOutcome,
}

impl HookReceived<'_> {
    /// Tells it.
    pub fn emit(&self) {
        let (kind, object, outcome) = (self.kind, self.object, self.outcome.as_str());
        if self.outcome == HookOutcome::Accepted {
            tracing::debug!(kind, object, outcome, "webhook");
        } else {
            tracing::warn!(kind, object, outcome, "webhook");
        }
    }
}
