//! One read for all who ask the same at the same time, or shortly after.
//!
//! Reads are the same when every coordinate is: the store's kind, home, uid and generation, the hash of its
//! credentials, and the whole query. Callers are authorised before they come here; nothing here knows them,
//! except that a value is kept only once two different syncs have asked for it: memory is spent where it
//! saves reads.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::future::Future;
use std::hash::{BuildHasher as _, Hash};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, WeakShared};
use penstock_domain::bundle::{Snapshot, SourceEntry};
use penstock_domain::names::{NamespaceName, SyncId};
use penstock_domain::ports::Freshness;
use penstock_domain::sync::StoreReference;
use tokio::time::Instant;

use crate::open::{StoreFailure, StoreQuery};

/// The most bytes of values and names that are kept.
pub const MAX_KEPT_BYTES: usize = 16 * 1024 * 1024;
/// Nothing is kept longer, whoever asks.
pub const MAX_KEPT_AGE: Duration = Duration::from_hours(1);
const MAX_KEPT: usize = 4096;
/// How many different reads are remembered to have been asked for.
const MAX_SEEN: usize = 1 << 16;

/// Which read it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReadKey {
    /// The store's kind and name.
    pub store: StoreReference,
    /// Where its credentials lie.
    pub home: NamespaceName,
    /// The store's uid.
    pub uid: String,
    /// The store's generation.
    pub generation: i64,
    /// What it logs in with.
    pub credential_hash: [u8; 32],
    /// What is asked.
    pub query: StoreQuery,
}

type Outcome = Result<Arc<Snapshot>, StoreFailure>;
type Reading = Shared<BoxFuture<'static, Outcome>>;

/// The reads of one process.
#[derive(Default)]
pub struct SharedReads {
    state: Mutex<State>,
    hasher: RandomState,
}

#[derive(Default)]
struct State {
    running: HashMap<ReadKey, Running>,
    kept: HashMap<ReadKey, Kept>,
    kept_bytes: usize,
    seen: HashMap<u64, Seen>,
    count: u64,
}

/// A read that somebody waits for. It ends with the last who does.
struct Running {
    number: u64,
    reading: WeakShared<BoxFuture<'static, Outcome>>,
    /// When it was begun; `None` while it waits for the one before it.
    begun: Arc<Mutex<Option<Instant>>>,
}

struct Kept {
    number: u64,
    snapshot: Arc<Snapshot>,
    bytes: usize,
    begun: Instant,
}

/// Who asked, as hashes.
struct Seen {
    first: u64,
    by_others: bool,
}

impl SharedReads {
    /// Answers `key` for `sync`, with a value as fresh as asked: a kept one, a running read, or a new one
    /// made by `read`.
    pub async fn get<F>(
        self: &Arc<Self>,
        key: ReadKey,
        sync: &SyncId,
        freshness: Freshness,
        read: impl FnOnce() -> F,
    ) -> Outcome
    where
        F: Future<Output = Result<Snapshot, StoreFailure>> + Send + 'static,
    {
        let reading = {
            let mut state = self.state();
            self.note(&mut state, &key, sync);
            if let Some(kept) = state.kept_within(&key, freshness) {
                return Ok(kept);
            }
            match state.joinable(&key, freshness) {
                Join::Running(reading) => reading,
                Join::After(earlier) => self.begin(&mut state, key, earlier, read()),
            }
        };
        reading.await
    }

    /// Drops what is kept of one store.
    pub fn forget(&self, home: &NamespaceName, store: &StoreReference) {
        let mut state = self.state();
        state
            .kept
            .retain(|key, _| key.store != *store || key.home != *home);
        state.count_bytes();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, state: &mut State, key: &ReadKey, sync: &SyncId) {
        if state.seen.len() >= MAX_SEEN {
            state.seen.clear();
        }
        let asker = self.hash(sync);
        let seen = state.seen.entry(self.hash(key)).or_insert(Seen {
            first: asker,
            by_others: false,
        });
        seen.by_others |= seen.first != asker;
    }

    fn hash(&self, value: &impl Hash) -> u64 {
        self.hasher.hash_one(value)
    }

    fn begin(
        self: &Arc<Self>,
        state: &mut State,
        key: ReadKey,
        earlier: Option<Reading>,
        read: impl Future<Output = Result<Snapshot, StoreFailure>> + Send + 'static,
    ) -> Reading {
        state.count += 1;
        let number = state.count;
        let begun = Arc::new(Mutex::new(None));
        let (reads, own_key, own_begun) = (Arc::clone(self), key.clone(), Arc::clone(&begun));
        let reading = async move {
            if let Some(earlier) = earlier {
                // Its answer may be older than asked; only its end matters.
                drop(earlier.await);
            }
            let now = Instant::now();
            *own_begun.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
            let outcome = read.await.map(Arc::new);
            reads.finish(&own_key, number, now, &outcome);
            outcome
        }
        .boxed()
        .shared();
        state
            .running
            .retain(|_, running| running.reading.upgrade().is_some());
        if let Some(weak) = reading.downgrade() {
            let running = Running {
                number,
                reading: weak,
                begun,
            };
            state.running.insert(key, running);
        }
        reading
    }

    fn finish(&self, key: &ReadKey, number: u64, begun: Instant, outcome: &Outcome) {
        let mut state = self.state();
        if state
            .running
            .get(key)
            .is_some_and(|running| running.number == number)
        {
            state.running.remove(key);
        }
        let wanted = state
            .seen
            .get(&self.hash(key))
            .is_some_and(|seen| seen.by_others);
        match outcome {
            Ok(snapshot) if wanted => {
                state.keep(key.clone(), Kept::new(number, snapshot, begun));
            }
            _ => {}
        }
    }
}

impl Kept {
    fn new(number: u64, snapshot: &Arc<Snapshot>, begun: Instant) -> Self {
        let bytes = |entry: &SourceEntry| entry.name.len() + entry.path.len() + entry.value.len();
        Self {
            number,
            snapshot: Arc::clone(snapshot),
            bytes: snapshot.entries.iter().map(bytes).sum(),
            begun,
        }
    }
}

enum Join {
    Running(Reading),
    After(Option<Reading>),
}

impl State {
    fn kept_within(&self, key: &ReadKey, freshness: Freshness) -> Option<Arc<Snapshot>> {
        let Freshness::Within(age) = freshness else {
            return None;
        };
        let kept = self.kept.get(key)?;
        (kept.begun.elapsed() <= age.min(MAX_KEPT_AGE)).then(|| Arc::clone(&kept.snapshot))
    }

    /// Who must have an answer from now on may join a read that has not begun yet, and otherwise waits for
    /// the running one to end before another begins: a crowd of them costs one read more, not one each.
    fn joinable(&self, key: &ReadKey, freshness: Freshness) -> Join {
        let running = self
            .running
            .get(key)
            .and_then(|running| Some((running, running.reading.upgrade()?)));
        let Some((running, reading)) = running else {
            return Join::After(None);
        };
        let begun = *running.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = match (begun, freshness) {
            (None, _) => true,
            (Some(_), Freshness::Now) => false,
            (Some(begun), Freshness::Within(age)) => begun.elapsed() <= age,
        };
        if fresh {
            Join::Running(reading)
        } else {
            Join::After(Some(reading))
        }
    }

    fn keep(&mut self, key: ReadKey, kept: Kept) {
        if kept.bytes > MAX_KEPT_BYTES / 2 {
            return;
        }
        self.kept
            .retain(|_, kept| kept.begun.elapsed() <= MAX_KEPT_AGE);
        self.kept.insert(key, kept);
        self.count_bytes();
        while self.kept_bytes > MAX_KEPT_BYTES || self.kept.len() > MAX_KEPT {
            let oldest = self
                .kept
                .iter()
                .min_by_key(|(_, kept)| kept.number)
                .map(|(key, _)| key.clone());
            let Some(removed) = oldest.and_then(|key| self.kept.remove(&key)) else {
                return;
            };
            self.kept_bytes -= removed.bytes;
        }
    }

    fn count_bytes(&mut self) {
        self.kept_bytes = self.kept.values().map(|kept| kept.bytes).sum();
    }
}

#[cfg(test)]
mod tests;
