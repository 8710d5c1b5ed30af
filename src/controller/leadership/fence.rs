//! Whether a write may start now.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use penstock_domain::ports::Fence;
use tokio::time::Instant;

/// Open until a moment that every renewal of the lease moves on.
#[derive(Debug)]
pub struct WriteFence {
    origin: Instant,
    /// Milliseconds after `origin` at which it closes; [`ALWAYS`] for a process that is alone.
    closes: AtomicU64,
}

const CLOSED: u64 = 0;
const ALWAYS: u64 = u64::MAX;

impl WriteFence {
    /// A fence that is closed until it is opened.
    pub fn closed() -> Self {
        Self {
            origin: Instant::now(),
            closes: AtomicU64::new(CLOSED),
        }
    }

    /// Opens it for `time` from `start` on.
    pub(super) fn open(&self, start: Instant, time: Duration) {
        let closes = start.saturating_duration_since(self.origin) + time;
        let closes = u64::try_from(closes.as_millis()).unwrap_or(ALWAYS - 1);
        self.closes.store(closes, Ordering::Release);
    }

    /// Opens it for good: there is no other process.
    pub(super) fn open_for_good(&self) {
        self.closes.store(ALWAYS, Ordering::Release);
    }

    /// Closes it.
    pub(super) fn close(&self) {
        self.closes.store(CLOSED, Ordering::Release);
    }

    /// When it closes by itself, if it is open.
    pub(super) fn closes_at(&self) -> Option<Instant> {
        let closes = self.closes.load(Ordering::Acquire);
        (closes > CLOSED).then(|| self.origin + Duration::from_millis(closes.min(MAX_WAIT)))
    }
}

/// A century in milliseconds: far enough away, and no clock overflows.
const MAX_WAIT: u64 = 100 * 365 * 24 * 3_600 * 1_000;

impl Fence for WriteFence {
    fn may_write(&self) -> bool {
        let closes = self.closes.load(Ordering::Acquire);
        let now = Instant::now().saturating_duration_since(self.origin);
        closes == ALWAYS || now.as_millis() < u128::from(closes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_closes_by_itself() {
        let fence = WriteFence::closed();
        assert!(!fence.may_write());
        fence.open(Instant::now(), Duration::from_secs(10));
        assert!(fence.may_write());
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(!fence.may_write());
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_that_took_long_counts_from_its_beginning() {
        let fence = WriteFence::closed();
        let sent = Instant::now();
        tokio::time::advance(Duration::from_secs(4)).await;
        fence.open(sent, Duration::from_secs(10));
        tokio::time::advance(Duration::from_secs(6)).await;
        assert!(!fence.may_write());
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_is_alone_always_may() {
        let fence = WriteFence::closed();
        fence.open_for_good();
        tokio::time::advance(Duration::from_hours(10_000)).await;
        assert!(fence.may_write());
        fence.close();
        assert!(!fence.may_write());
    }
}
