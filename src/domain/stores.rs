//! Stores as adapters see them: what a store object says, and what it lets whom do.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

/// How hard a store may be pressed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StoreLimits {
    /// Requests per second, evenly spaced; `None` is no limit of ours.
    pub requests_per_second: Option<NonZeroU32>,
    /// Requests under way at once.
    pub concurrency: NonZeroU16,
    /// How long one request may take, its answer included.
    pub timeout: Duration,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            requests_per_second: None,
            concurrency: const { NonZeroU16::new(16).unwrap() },
            timeout: Duration::from_secs(15),
        }
    }
}
