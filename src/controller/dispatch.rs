//! The main loop: takes in what watches bring, gives objects their turns, and sees them end.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use penstock_observability::health::{Awaited, Health};
use penstock_observability::metrics::{Metrics, SyncStates};
use penstock_observability::telemetry::StopRequested;
use tokio::sync::Notify;
use tokio::sync::mpsc::Receiver;
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::pass::{NextTurn, ObjectMemory, TurnCall, TurnEnd, Worker};
use crate::queue::{Causes, Queue, Turn, Urgency};
use crate::references::ReferenceWatches;
use crate::world::{Change, Feed, Subject, Wake, World};

/// Without a sign of life for so long, the loop counts as hung.
const HUNG_AFTER: Duration = Duration::from_mins(2);
/// The loop looks around at least this often.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// How long an object rests after its status was written.
const REST: Duration = Duration::from_secs(1);
/// The pause after a turn that panicked.
const AFTER_PANIC: Duration = Duration::from_mins(1);
/// Changes that are taken in at one go, so that turns begin in between.
const CHANGES_AT_ONCE: usize = 256;
/// How often the watches of single objects are adjusted at most.
const ADJUST_EVERY: Duration = Duration::from_millis(500);
/// When many are woken at once, there is this much between two of them, and all are awake within
/// [`SPREAD_AT_MOST`].
const SPREAD: Duration = Duration::from_millis(5);
const SPREAD_AT_MOST: Duration = Duration::from_secs(10);

/// How full the queue is, for scrapes.
#[derive(Debug, Default)]
pub(crate) struct Depth {
    waiting: AtomicU64,
    running: AtomicU64,
}

/// What the loop works with.
pub(crate) struct Parts {
    pub(crate) worker: Arc<Worker>,
    pub(crate) world: Arc<World>,
    pub(crate) references: ReferenceWatches,
    pub(crate) feeds: Vec<Feed>,
    pub(crate) concurrency: usize,
    pub(crate) health: Health,
    pub(crate) metrics: Arc<Metrics>,
}

/// The main loop.
pub(crate) struct Dispatcher {
    parts: Parts,
    queue: Queue<Subject>,
    memories: HashMap<Subject, ObjectMemory>,
    turns: JoinSet<(Subject, ObjectMemory, TurnEnd)>,
    subjects: HashMap<task::Id, Subject>,
    /// Tells turns under way that a target of theirs changed.
    repairs: HashMap<Subject, Arc<Notify>>,
    /// Watches of single objects run here.
    watches: JoinSet<()>,
    /// Held until every feed has been listed once. No turn begins before: it would not know its targets.
    listing: Option<Awaited>,
    adjust_at: Option<Instant>,
    depth: Arc<Depth>,
}

impl Dispatcher {
    pub(crate) fn new(parts: Parts) -> Self {
        let listing = Some(
            parts
                .health
                .await_first("the first lists from the API server"),
        );
        let depth = Arc::new(Depth::default());
        let (world, seen) = (Arc::clone(&parts.world), Arc::clone(&depth));
        parts
            .metrics
            .ask_about_syncs(Some(Box::new(move || states(&world, &seen))));
        Self {
            queue: Queue::new(parts.concurrency),
            parts,
            memories: HashMap::new(),
            turns: JoinSet::new(),
            subjects: HashMap::new(),
            repairs: HashMap::new(),
            watches: JoinSet::new(),
            listing,
            adjust_at: None,
            depth,
        }
    }

    /// Runs until `stop`, then waits for the turns under way, at most for `grace`. Says how many did not end.
    pub(crate) async fn run(
        mut self,
        mut changes: Receiver<Change>,
        stop: CancellationToken,
        grace: Duration,
    ) -> usize {
        loop {
            self.parts.health.alive_for(HUNG_AFTER);
            self.start_turns();
            let look_again = self.look_again();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = self.turns.join_next_with_id() => self.end_turn(ended),
                Some(change) = changes.recv() => {
                    self.take(change);
                    for _ in 1..CHANGES_AT_ONCE {
                        let Ok(change) = changes.try_recv() else { break };
                        self.take(change);
                    }
                }
                () = sleep_until(look_again) => {}
            }
            self.adjust_references();
        }
        self.finish(grace).await
    }

    fn take(&mut self, change: Change) {
        let wakes = self.parts.world.apply(change);
        self.wake(wakes);
    }

    /// Urgent ones at once; of many others one after the other, so that what they all read is not overrun.
    fn wake(&mut self, wakes: Vec<Wake>) {
        let now = Instant::now();
        let count = u32::try_from(wakes.len()).unwrap_or(u32::MAX);
        let window = SPREAD
            .saturating_mul(count.saturating_sub(1))
            .min(SPREAD_AT_MOST);
        for (
            index,
            Wake {
                subject,
                urgency,
                causes,
            },
        ) in (0u32..).zip(wakes)
        {
            let due = match urgency {
                Urgency::Urgent => now,
                Urgency::Routine => now + window.saturating_mul(index) / count.max(1),
            };
            if let Some(repair) = self
                .repairs
                .get(&subject)
                .filter(|_| causes == Causes::TARGET)
            {
                repair.notify_one();
            }
            self.queue.wake(subject, due, urgency, causes);
        }
    }

    fn start_turns(&mut self) {
        if self.listing.is_some() && self.parts.world.is_complete(&self.parts.feeds) {
            self.listing = None;
        }
        let now = Instant::now();
        while self.listing.is_none() && self.turns.len() < self.parts.concurrency {
            let Some(turn) = self.queue.next(now) else {
                break;
            };
            self.start(turn);
        }
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        self.depth
            .running
            .store(count(self.queue.running()), Ordering::Relaxed);
        self.depth
            .waiting
            .store(count(self.queue.waiting(now)), Ordering::Relaxed);
    }

    fn start(&mut self, turn: Turn<Subject>) {
        let Turn {
            key: subject,
            causes,
            delay,
        } = turn;
        self.parts.metrics.queue_delay.observe(delay.as_secs_f64());
        let memory = self.memories.remove(&subject);
        let worker = Arc::clone(&self.parts.worker);
        let repair = Arc::new(Notify::new());
        self.repairs.insert(subject.clone(), Arc::clone(&repair));
        let running = subject.clone();
        let task = self.turns.spawn(async move {
            let call = TurnCall {
                causes,
                repair: &repair,
            };
            let (memory, end) = take_turn(&worker, &running, call, memory).await;
            (running, memory, end)
        });
        self.subjects.insert(task.id(), subject);
    }

    fn end_turn(&mut self, ended: Result<(task::Id, (Subject, ObjectMemory, TurnEnd)), JoinError>) {
        let now = Instant::now();
        let (subject, memory, end) = match ended {
            Ok((id, ended)) => {
                self.subjects.remove(&id);
                ended
            }
            // It panicked: a bug, told by the panic hook. The others go on; this one begins anew.
            Err(error) => {
                if let Some(subject) = self.subjects.remove(&error.id()) {
                    self.repairs.remove(&subject);
                    self.queue.finish(&subject, now, Some(now + AFTER_PANIC));
                }
                return;
            }
        };
        self.repairs.remove(&subject);
        if end.references_changed && self.adjust_at.is_none() {
            self.adjust_at = Some(now + ADJUST_EVERY);
        }
        self.wake(end.wakes);
        let rest = if end.rests { now + REST } else { now };
        match end.next {
            NextTurn::Gone => return self.queue.retire(&subject),
            NextTurn::After(pause) => self.queue.finish(&subject, rest, Some(now + pause)),
            NextTurn::WhenWoken => self.queue.finish(&subject, rest, None),
        }
        self.memories.insert(subject, memory);
    }

    fn adjust_references(&mut self) {
        if self.adjust_at.is_some_and(|at| at <= Instant::now()) {
            self.adjust_at = None;
            let wanted = self.parts.world.referenced_objects();
            self.parts.references.adjust(&wanted, &mut self.watches);
        }
        while self.watches.try_join_next().is_some() {}
    }

    /// When there is something to do even if nothing happens.
    fn look_again(&self) -> Instant {
        let heartbeat = Instant::now() + HEARTBEAT;
        let room = self.listing.is_none() && self.turns.len() < self.parts.concurrency;
        let due = self.queue.next_due().filter(|_| room);
        [due, self.adjust_at]
            .into_iter()
            .flatten()
            .fold(heartbeat, Instant::min)
    }

    async fn finish(mut self, grace: Duration) -> usize {
        StopRequested {
            running: self.turns.len(),
        }
        .emit();
        self.parts.health.alive_for(grace + HUNG_AFTER);
        self.parts.metrics.ask_about_syncs(None);
        let all = async { while self.turns.join_next().await.is_some() {} };
        let ended = timeout(grace, all).await;
        if ended.is_err() { self.turns.len() } else { 0 }
    }
}

async fn take_turn(
    worker: &Worker,
    subject: &Subject,
    call: TurnCall<'_>,
    memory: Option<ObjectMemory>,
) -> (ObjectMemory, TurnEnd) {
    match (subject, memory) {
        (Subject::Sync(key), memory) => {
            let mut memory = match memory {
                Some(ObjectMemory::Sync(memory)) => memory,
                _ => Box::default(),
            };
            let end = worker.reconcile(key, call, &mut memory).await;
            (ObjectMemory::Sync(memory), end)
        }
        (Subject::ClusterSync(name), memory) => {
            let mut memory = match memory {
                Some(ObjectMemory::Store(memory)) => memory,
                _ => Box::default(),
            };
            let end = worker.stamp(name, &mut memory).await;
            (ObjectMemory::Store(memory), end)
        }
        (Subject::Store(key), memory) => {
            let mut memory = match memory {
                Some(ObjectMemory::Store(memory)) => memory,
                _ => Box::default(),
            };
            let end = worker.check_store(key, call.causes, &mut memory).await;
            (ObjectMemory::Store(memory), end)
        }
    }
}

/// What a scrape sees.
fn states(world: &World, depth: &Depth) -> SyncStates {
    let now = jiff::Timestamp::now();
    let mut states = SyncStates {
        waiting: depth.waiting.load(Ordering::Relaxed),
        running: depth.running.load(Ordering::Relaxed),
        ..SyncStates::default()
    };
    for note in world.notes() {
        *states.by_reason.entry(note.reason).or_default() += 1;
        let age = note
            .last_read
            .and_then(|read| Duration::try_from(now.duration_since(read)).ok());
        states.read_ages.extend(age);
    }
    states
}
