//! When which object is worked on. Pure: the time is a parameter.
//!
//! - One object is worked on by one worker at a time; what wakes it meanwhile is kept for afterwards.
//! - Wakes of one object melt into one run that knows all its causes.
//! - What somebody waits for (a new object, an edit, a repair) goes before routine.
//! - No party, which is a namespace, takes all workers: one whose vaults never answer holds up itself.
//! - After a run an object rests for a moment, whatever wakes it: no status is written more than once a
//!   second, and a fight with another controller costs little.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

/// Why an object is worked on. A set: several causes melt into one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Causes(u8);

impl Causes {
    /// Its time has come.
    pub(crate) const SCHEDULE: Self = Self(1 << 4);
    /// It is new, or its spec or its annotations changed.
    pub(crate) const EDIT: Self = Self(1);
    /// A target of it changed.
    pub(crate) const TARGET: Self = Self(1 << 1);
    /// A store or an object that it reads changed: reading again may give something else.
    pub(crate) const SOURCE: Self = Self(1 << 2);
    /// It is being deleted.
    pub(crate) const DELETION: Self = Self(1 << 3);

    /// Both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are among them.
    pub(crate) fn contain(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// How soon an object's turn comes among those that are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// Somebody waits for it.
    Urgent,
    /// It is routine.
    Routine,
}

/// An object whose turn it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Turn<K> {
    /// Which.
    pub(crate) key: K,
    /// Why.
    pub(crate) causes: Causes,
    /// How long it has been due.
    pub(crate) delay: Duration,
}

/// When an object wants its next turn, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wish {
    due: Instant,
    urgency: Urgency,
    causes: Causes,
}

impl Wish {
    fn merge(self, other: Self) -> Self {
        Self {
            due: self.due.min(other.due),
            urgency: self.urgency.min(other.urgency),
            causes: self.causes.and(other.causes),
        }
    }
}

#[derive(Debug, Default)]
struct Entry {
    /// What woke it.
    woken: Option<Wish>,
    /// When its time comes, whatever wakes it before.
    scheduled: Option<Instant>,
    running: bool,
    /// No turn before this.
    rests_until: Option<Instant>,
}

/// An object that belongs to a party.
pub(crate) trait OfParty {
    /// Whose objects share workers.
    type Party: Clone + Debug + Eq + Hash;

    /// Whose it is.
    fn party(&self) -> Self::Party;
}

/// A party may have this many times as many workers as are left over. So there are always some left: alone it
/// gets three quarters of all, and the more parties are busy, the less each (Choudhury and Hahne, "Dynamic
/// queue length thresholds", 1998).
const TIMES_THE_REST: usize = 3;

/// The objects of one party that wait for a turn.
#[derive(Debug)]
struct Lane<K> {
    urgent: BTreeSet<(Instant, K)>,
    routine: BTreeSet<(Instant, K)>,
    running: usize,
}

impl<K> Default for Lane<K> {
    fn default() -> Self {
        Self {
            urgent: BTreeSet::new(),
            routine: BTreeSet::new(),
            running: 0,
        }
    }
}

impl<K: Ord> Lane<K> {
    /// What comes first of what is due.
    fn first(&self, now: Instant) -> Option<(Urgency, &(Instant, K))> {
        let due = |set: &BTreeSet<(Instant, K)>| set.first().is_some_and(|(due, _)| *due <= now);
        if due(&self.urgent) {
            self.urgent.first().map(|first| (Urgency::Urgent, first))
        } else if due(&self.routine) {
            self.routine.first().map(|first| (Urgency::Routine, first))
        } else {
            None
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let first = |set: &BTreeSet<(Instant, K)>| set.first().map(|(due, _)| *due);
        earlier(first(&self.urgent), first(&self.routine))
    }

    fn is_idle(&self) -> bool {
        self.running == 0 && self.urgent.is_empty() && self.routine.is_empty()
    }
}

/// All objects and their next turns.
#[derive(Debug)]
pub(crate) struct Queue<K: OfParty> {
    entries: HashMap<K, Entry>,
    lanes: HashMap<K::Party, Lane<K>>,
    workers: usize,
    running: usize,
}

impl<K: OfParty + Clone + Eq + Hash + Ord> Queue<K> {
    /// An empty queue for this many workers.
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            entries: HashMap::new(),
            lanes: HashMap::new(),
            workers,
            running: 0,
        }
    }

    /// Wants a turn for `key` at `due`, or earlier if it is wanted earlier already.
    pub(crate) fn wake(&mut self, key: K, due: Instant, urgency: Urgency, causes: Causes) {
        let wish = Wish {
            due,
            urgency,
            causes,
        };
        self.change(key, |entry| {
            entry.woken = Some(entry.woken.map_or(wish, |other| other.merge(wish)));
        });
    }

    /// The most urgent object that is due, and among equals the one that is due longest, of all whose party may
    /// have a worker. It must be given back by [`Queue::finish`].
    pub(crate) fn next(&mut self, now: Instant) -> Option<Turn<K>> {
        let due = self.open_lanes().filter_map(|lane| lane.first(now)).min();
        let (due, key) = due.map(|(_, (due, key))| (*due, key.clone()))?;
        let mut causes = Causes::default();
        self.change(key.clone(), |entry| {
            if let Some(woken) = entry.woken.take() {
                causes = woken.causes;
            }
            if entry.scheduled.is_some_and(|due| due <= now) {
                entry.scheduled = None;
                causes = causes.and(Causes::SCHEDULE);
            }
            entry.running = true;
        });
        self.running += 1;
        self.lanes.entry(key.party()).or_default().running += 1;
        Some(Turn {
            key,
            causes,
            delay: now.saturating_duration_since(due),
        })
    }

    /// The turn of `key` ended. It rests until `rest`, and wants its next one at `next`, or earlier if it had
    /// wanted that before: what comes in between does not put off what is scheduled.
    pub(crate) fn finish(&mut self, key: &K, rest: Instant, next: Option<Instant>) {
        if !self.entries.get(key).is_some_and(|entry| entry.running) {
            return;
        }
        self.give_back(key);
        self.change(key.clone(), |entry| {
            entry.running = false;
            entry.rests_until = Some(rest);
            entry.scheduled = earlier(entry.scheduled, next);
        });
    }

    /// The turn of `key` ended, and its object is no more. It is forgotten, unless it was woken meanwhile:
    /// then another of its name has come.
    pub(crate) fn retire(&mut self, key: &K) {
        let Some(entry) = self.entries.get(key).filter(|entry| entry.running) else {
            return;
        };
        let is_woken = entry.woken.is_some();
        self.give_back(key);
        if is_woken {
            self.change(key.clone(), |entry| entry.running = false);
        } else {
            self.entries.remove(key);
        }
    }

    /// When the next object is due whose party may have a worker.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.open_lanes().filter_map(Lane::next_due).min()
    }

    /// How many objects are due and wait at `now`.
    pub(crate) fn waiting(&self, now: Instant) -> usize {
        let due =
            |set: &BTreeSet<(Instant, K)>| set.iter().take_while(|(due, _)| *due <= now).count();
        let lanes = self.lanes.values();
        lanes
            .map(|lane| due(&lane.urgent) + due(&lane.routine))
            .sum()
    }

    /// The lanes of parties that may have one more worker.
    fn open_lanes(&self) -> impl Iterator<Item = &Lane<K>> {
        let rest = self.workers.saturating_sub(self.running);
        let lanes = self.lanes.values();
        lanes.filter(move |lane| lane.running < TIMES_THE_REST * rest)
    }

    fn give_back(&mut self, key: &K) {
        self.running = self.running.saturating_sub(1);
        let party = key.party();
        if let Some(lane) = self.lanes.get_mut(&party) {
            lane.running = lane.running.saturating_sub(1);
            if lane.is_idle() {
                self.lanes.remove(&party);
            }
        }
    }

    /// How many objects are worked on.
    pub(crate) fn running(&self) -> usize {
        self.running
    }

    /// Changes one entry and keeps the sets in step with it.
    fn change(&mut self, key: K, change: impl FnOnce(&mut Entry)) {
        let entry = self.entries.entry(key.clone()).or_default();
        let before = entry_slot(entry);
        change(entry);
        let after = entry_slot(entry);
        if before == after {
            return;
        }
        let party = key.party();
        let lane = self.lanes.entry(party.clone()).or_default();
        match before {
            Some((Urgency::Urgent, due)) => lane.urgent.remove(&(due, key.clone())),
            Some((Urgency::Routine, due)) => lane.routine.remove(&(due, key.clone())),
            None => false,
        };
        match after {
            Some((Urgency::Urgent, due)) => lane.urgent.insert((due, key)),
            Some((Urgency::Routine, due)) => lane.routine.insert((due, key)),
            None => false,
        };
        if lane.is_idle() {
            self.lanes.remove(&party);
        }
    }
}

/// Where an entry stands in the sets: nowhere while it is worked on or wants nothing.
fn entry_slot(entry: &Entry) -> Option<(Urgency, Instant)> {
    let (urgency, due) = match (entry.woken, entry.scheduled) {
        _ if entry.running => return None,
        (Some(woken), Some(due)) if woken.urgency == Urgency::Routine => {
            (Urgency::Routine, woken.due.min(due))
        }
        (Some(woken), _) => (woken.urgency, woken.due),
        (None, Some(due)) => (Urgency::Routine, due),
        (None, None) => return None,
    };
    let due = entry.rests_until.map_or(due, |rest| due.max(rest));
    Some((urgency, due))
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// What stands before a slash.
    impl OfParty for &'static str {
        type Party = &'static str;

        fn party(&self) -> &'static str {
            self.split_once('/').map_or("", |(party, _)| party)
        }
    }

    fn turn(key: &'static str, causes: Causes) -> Turn<&'static str> {
        Turn {
            key,
            causes,
            delay: Duration::ZERO,
        }
    }

    #[test]
    fn what_somebody_waits_for_goes_before_routine() {
        let (mut queue, now) = (Queue::new(8), Instant::now());
        queue.wake("old", now - SECOND, Urgency::Routine, Causes::SCHEDULE);
        queue.wake("new", now, Urgency::Urgent, Causes::EDIT);
        queue.wake("later", now + SECOND, Urgency::Urgent, Causes::EDIT);
        assert_eq!(queue.waiting(now), 2);
        assert_eq!(queue.next(now), Some(turn("new", Causes::EDIT)));
        assert_eq!(queue.next(now).unwrap().delay, SECOND);
        assert_eq!(queue.next(now), None);
        assert_eq!((queue.next_due(), queue.running()), (Some(now + SECOND), 2));
    }

    #[test]
    fn wakes_melt_into_one_turn_that_knows_all_causes() {
        let (mut queue, now) = (Queue::new(8), Instant::now());
        queue.wake("a", now + SECOND, Urgency::Routine, Causes::SOURCE);
        queue.wake("a", now, Urgency::Urgent, Causes::TARGET);
        queue.wake("a", now + 2 * SECOND, Urgency::Routine, Causes::EDIT);
        let causes = Causes::SOURCE.and(Causes::TARGET).and(Causes::EDIT);
        assert_eq!(queue.next(now), Some(turn("a", causes)));
        assert_eq!(queue.next_due(), None);
        assert!(causes.contain(Causes::TARGET) && !causes.contain(Causes::DELETION));
    }

    #[test]
    fn an_object_is_never_worked_on_twice_at_once() {
        let (mut queue, now) = (Queue::new(8), Instant::now());
        queue.wake("a", now, Urgency::Urgent, Causes::EDIT);
        assert!(queue.next(now).is_some());
        queue.wake("a", now, Urgency::Urgent, Causes::TARGET);
        assert_eq!(queue.next(now), None);
        queue.finish(&"a", now, Some(now + 600 * SECOND));
        assert_eq!(queue.next(now), Some(turn("a", Causes::TARGET)));
        queue.finish(&"a", now, Some(now + 600 * SECOND));
        assert_eq!(queue.next_due(), Some(now + 600 * SECOND));
    }

    #[test]
    fn what_comes_in_between_does_not_put_off_what_is_scheduled() {
        let (mut queue, now) = (Queue::new(8), Instant::now());
        queue.wake("a", now, Urgency::Urgent, Causes::EDIT);
        assert_eq!(queue.next(now), Some(turn("a", Causes::EDIT)));
        queue.finish(&"a", now, Some(now + 2 * SECOND));
        queue.wake("a", now + SECOND, Urgency::Urgent, Causes::TARGET);
        assert_eq!(queue.next(now + SECOND), Some(turn("a", Causes::TARGET)));
        queue.finish(&"a", now + SECOND, Some(now + 600 * SECOND));
        assert_eq!(queue.next_due(), Some(now + 2 * SECOND));
        let scheduled = queue.next(now + 2 * SECOND);
        assert_eq!(scheduled, Some(turn("a", Causes::SCHEDULE)));
    }

    #[test]
    fn after_a_turn_it_rests_whatever_wakes_it() {
        let (mut queue, now) = (Queue::new(8), Instant::now());
        queue.wake("a", now, Urgency::Urgent, Causes::EDIT);
        assert!(queue.next(now).is_some());
        queue.finish(&"a", now + SECOND, None);
        queue.wake("a", now, Urgency::Urgent, Causes::TARGET);
        assert_eq!(queue.next(now), None);
        assert_eq!(queue.next_due(), Some(now + SECOND));
        assert!(queue.next(now + SECOND).is_some());
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let (mut queue, now) = (Queue::new(8), Instant::now());
        queue.wake("a", now, Urgency::Urgent, Causes::DELETION);
        assert!(queue.next(now).is_some());
        queue.retire(&"a");
        assert_eq!((queue.next_due(), queue.running()), (None, 0));
        assert!(queue.entries.is_empty() && queue.lanes.is_empty());
    }

    #[test]
    fn a_party_that_never_ends_leaves_workers_for_the_others() {
        let (mut queue, now) = (Queue::new(8), Instant::now());
        let greedy: Vec<&'static str> = (0..20)
            .map(|number| &*format!("greedy/{number:02}").leak())
            .collect();
        for key in greedy {
            queue.wake(key, now, Urgency::Urgent, Causes::EDIT);
        }
        let taken: Vec<_> = std::iter::from_fn(|| queue.next(now)).collect();
        assert_eq!(taken.len(), 6, "three quarters of the workers");
        assert_eq!((queue.next_due(), queue.waiting(now)), (None, 14));

        let later = now + SECOND;
        queue.wake("modest/a", later, Urgency::Routine, Causes::SCHEDULE);
        assert_eq!(
            queue.next_due(),
            Some(later),
            "nobody looks again for the greedy"
        );
        assert_eq!(queue.next(later).unwrap().key, "modest/a");
        queue.finish(&"modest/a", later, None);

        queue.finish(&"greedy/00", later, None);
        assert_eq!(queue.next(later).unwrap().key, "greedy/06");
        assert_eq!(queue.next(later), None);
    }

    #[test]
    fn a_single_worker_works() {
        let (mut queue, now) = (Queue::new(1), Instant::now());
        queue.wake("a/1", now, Urgency::Urgent, Causes::EDIT);
        queue.wake("b/1", now, Urgency::Urgent, Causes::EDIT);
        assert_eq!(queue.next(now).unwrap().key, "a/1");
        assert_eq!(queue.next(now), None);
        queue.finish(&"a/1", now, None);
        assert_eq!(queue.next(now).unwrap().key, "b/1");
    }

    #[test]
    fn one_of_the_same_name_waits_until_the_old_one_is_done_with() {
        let (mut queue, now) = (Queue::new(8), Instant::now());
        queue.wake("a", now, Urgency::Urgent, Causes::DELETION);
        assert!(queue.next(now).is_some());
        queue.wake("a", now, Urgency::Urgent, Causes::EDIT);
        assert_eq!(queue.next(now), None);
        queue.retire(&"a");
        assert_eq!(queue.next(now), Some(turn("a", Causes::EDIT)));
    }
}
