//! How hard one store is pressed: concurrency, pace, and the pause that it asks for.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use penstock_domain::stores::StoreLimits;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// The gate that every request to one store passes.
#[derive(Debug)]
pub struct Gate {
    places: Semaphore,
    interval: Option<Duration>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: Option<Instant>,
    paused_until: Option<Instant>,
}

/// The store has asked for patience and the time is not up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paused {
    /// How long it still is.
    pub left: Duration,
}

impl Gate {
    /// A gate with the limits of one store.
    pub fn new(limits: &StoreLimits) -> Self {
        let interval = limits
            .requests_per_second
            .map(|rate| Duration::from_secs(1) / rate.get());
        Self {
            places: Semaphore::new(
                usize::try_from(limits.concurrency.get())
                    .map_or(Semaphore::MAX_PERMITS, |places| {
                        places.min(Semaphore::MAX_PERMITS)
                    }),
            ),
            interval,
            state: Mutex::default(),
        }
    }

    /// Waits for a place and for the turn, and keeps the place while the permit lives.
    /// Fails at once while the store is paused: nobody queues up behind a pause.
    pub async fn enter(&self) -> Result<SemaphorePermit<'_>, Paused> {
        self.check_pause()?;
        let Ok(permit) = self.places.acquire().await else {
            // The semaphore is never closed.
            return Err(Paused {
                left: Duration::ZERO,
            });
        };
        if let Some(turn) = self.take_turn() {
            tokio::time::sleep_until(turn).await;
        }
        self.check_pause()?;
        Ok(permit)
    }

    /// Lets nobody in for `wait`. A shorter pause never cuts a longer one.
    pub fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut state = self.state();
        state.paused_until = Some(state.paused_until.map_or(until, |old| old.max(until)));
    }

    fn check_pause(&self) -> Result<(), Paused> {
        let now = Instant::now();
        match self.state().paused_until {
            Some(until) if until > now => Err(Paused { left: until - now }),
            _ => Ok(()),
        }
    }

    /// Requests stand evenly spaced; whoever asks takes the next free moment.
    fn take_turn(&self) -> Option<Instant> {
        let interval = self.interval?;
        let now = Instant::now();
        let mut state = self.state();
        let turn = state.next.map_or(now, |next| next.max(now));
        state.next = Some(turn + interval);
        Some(turn)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn gate(rate: Option<u32>, concurrency: u32) -> Gate {
        Gate::new(&StoreLimits {
            requests_per_second: rate.and_then(NonZeroU32::new),
            concurrency: NonZeroU32::new(concurrency).unwrap(),
            ..StoreLimits::default()
        })
    }

    #[tokio::test(start_paused = true)]
    async fn requests_stand_evenly_spaced() {
        let gate = gate(Some(10), 100);
        let start = Instant::now();
        for _ in 0..11 {
            drop(gate.enter().await.unwrap());
        }
        assert_eq!(start.elapsed().as_millis(), 1000);
        tokio::time::advance(Duration::from_mins(1)).await;
        let start = Instant::now();
        drop(gate.enter().await.unwrap());
        drop(gate.enter().await.unwrap());
        assert_eq!(
            start.elapsed().as_millis(),
            100,
            "idle time is not saved up"
        );
    }

    #[tokio::test]
    async fn no_more_than_the_limit_are_inside() {
        let gate = gate(None, 2);
        let (one, two) = (gate.enter().await.unwrap(), gate.enter().await.unwrap());
        assert!(futures::poll!(std::pin::pin!(gate.enter())).is_pending());
        drop(one);
        assert!(futures::poll!(std::pin::pin!(gate.enter())).is_ready());
        drop(two);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_refuses_at_once_and_ends_by_itself() {
        let gate = gate(None, 2);
        gate.pause(Duration::from_secs(30));
        gate.pause(Duration::from_secs(5));
        assert_eq!(
            gate.enter().await.unwrap_err().left,
            Duration::from_secs(30)
        );
        tokio::time::advance(Duration::from_secs(31)).await;
        assert!(gate.enter().await.is_ok());
    }
}
