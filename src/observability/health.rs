//! Whether the process is alive, and whether it is ready.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What `/healthz` and `/readyz` answer from. Clones share it.
#[derive(Debug, Clone)]
pub struct Health(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    started: Instant,
    /// Milliseconds after `started` until which the process counts as alive.
    alive_until: AtomicU64,
    awaited: Mutex<BTreeSet<&'static str>>,
}

/// Something that must happen before the process is ready. It has happened when this is dropped.
#[derive(Debug)]
#[must_use = "dropping it says that the thing has happened"]
pub struct Awaited {
    health: Health,
    name: &'static str,
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.health.awaited().remove(self.name);
    }
}

impl Health {
    /// A process that is alive for `grace` and awaits nothing.
    pub fn new(grace: Duration) -> Self {
        let health = Self(Arc::new(Inner {
            started: Instant::now(),
            alive_until: AtomicU64::new(0),
            awaited: Mutex::default(),
        }));
        health.alive_for(grace);
        health
    }

    /// Says that the process is not ready before the returned value is dropped.
    pub fn await_first(&self, name: &'static str) -> Awaited {
        self.awaited().insert(name);
        Awaited {
            health: self.clone(),
            name,
        }
    }

    /// A sign of life of the main loop: without another one within `grace` the process counts as hung.
    pub fn alive_for(&self, grace: Duration) {
        let until = self.0.started.elapsed() + grace;
        let until = u64::try_from(until.as_millis()).unwrap_or(u64::MAX);
        self.0.alive_until.store(until, Ordering::Relaxed);
    }

    /// Whether the last sign of life still holds.
    pub fn is_alive(&self) -> bool {
        let now = self.0.started.elapsed().as_millis();
        now <= u128::from(self.0.alive_until.load(Ordering::Relaxed))
    }

    /// What is still awaited; nothing means ready.
    pub fn missing(&self) -> Vec<&'static str> {
        self.awaited().iter().copied().collect()
    }

    fn awaited(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        self.0
            .awaited
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_comes_with_the_last_thing_awaited() {
        let health = Health::new(Duration::from_mins(1));
        let syncs = health.await_first("SecretSyncs");
        let stores = health.await_first("SecretStores");
        assert_eq!(health.missing(), ["SecretStores", "SecretSyncs"]);
        drop(syncs);
        assert_eq!(health.missing(), ["SecretStores"]);
        drop(stores);
        assert!(health.missing().is_empty());
    }

    #[test]
    fn without_a_sign_of_life_the_process_counts_as_hung() {
        let health = Health::new(Duration::ZERO);
        while health.is_alive() {
            std::hint::spin_loop();
        }
        health.alive_for(Duration::from_mins(1));
        assert!(health.is_alive());
    }
}
