//! When which object is worked on. Pure: the time is a parameter.
//!
//! - One object is worked on by one worker at a time; what wakes it meanwhile is kept for afterwards.
//! - Wakes of one object melt into one run that knows all its causes.
//! - What somebody waits for (a new object, an edit, a repair) goes before routine.
//! - After a run an object rests for a moment, whatever wakes it: no status is written more than once a
//!   second, and a fight with another controller costs little.

use std::collections::{BTreeSet, HashMap};
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

/// All objects and their next turns.
#[derive(Debug)]
pub(crate) struct Queue<K> {
    entries: HashMap<K, Entry>,
    urgent: BTreeSet<(Instant, K)>,
    routine: BTreeSet<(Instant, K)>,
    running: usize,
}

impl<K: Clone + Eq + Hash + Ord> Queue<K> {
    /// An empty queue.
    pub(crate) fn new() -> Self {
        Self {
            entries: HashMap::new(),
            urgent: BTreeSet::new(),
            routine: BTreeSet::new(),
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

    /// The most urgent object that is due, and among equals the one that is due longest. It must be given
    /// back by [`Queue::finish`].
    pub(crate) fn next(&mut self, now: Instant) -> Option<Turn<K>> {
        let due = |set: &BTreeSet<(Instant, K)>| {
            set.first()
                .filter(|(due, _)| *due <= now)
                .map(|(due, key)| (*due, key.clone()))
        };
        let (due, key) = due(&self.urgent).or_else(|| due(&self.routine))?;
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
        self.running = self.running.saturating_sub(1);
        self.change(key.clone(), |entry| {
            entry.running = false;
            entry.rests_until = Some(rest);
            entry.scheduled = earlier(entry.scheduled, next);
        });
    }

    /// The turn of `key` ended, and its object is no more. It is forgotten, unless it was woken meanwhile:
    /// then another of its name has come.
    pub(crate) fn retire(&mut self, key: &K) {
        let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.running) else {
            return;
        };
        self.running = self.running.saturating_sub(1);
        if entry.woken.is_none() {
            self.entries.remove(key);
        } else {
            self.change(key.clone(), |entry| entry.running = false);
        }
    }

    /// When the next object is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let first = |set: &BTreeSet<(Instant, K)>| set.first().map(|(due, _)| *due);
        earlier(first(&self.urgent), first(&self.routine))
    }

    /// How many objects are due and wait at `now`.
    pub(crate) fn waiting(&self, now: Instant) -> usize {
        let due =
            |set: &BTreeSet<(Instant, K)>| set.iter().take_while(|(due, _)| *due <= now).count();
        due(&self.urgent) + due(&self.routine)
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
        if before != after {
            self.unlist(key.clone(), before);
            match after {
                Some((Urgency::Urgent, due)) => self.urgent.insert((due, key)),
                Some((Urgency::Routine, due)) => self.routine.insert((due, key)),
                None => false,
            };
        }
    }

    fn unlist(&mut self, key: K, slot: Option<(Urgency, Instant)>) {
        match slot {
            Some((Urgency::Urgent, due)) => self.urgent.remove(&(due, key)),
            Some((Urgency::Routine, due)) => self.routine.remove(&(due, key)),
            None => false,
        };
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

    fn turn(key: &'static str, causes: Causes) -> Turn<&'static str> {
        Turn {
            key,
            causes,
            delay: Duration::ZERO,
        }
    }

    #[test]
    fn what_somebody_waits_for_goes_before_routine() {
        let (mut queue, now) = (Queue::new(), Instant::now());
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
        let (mut queue, now) = (Queue::new(), Instant::now());
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
        let (mut queue, now) = (Queue::new(), Instant::now());
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
        let (mut queue, now) = (Queue::new(), Instant::now());
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
        let (mut queue, now) = (Queue::new(), Instant::now());
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
        let (mut queue, now) = (Queue::new(), Instant::now());
        queue.wake("a", now, Urgency::Urgent, Causes::DELETION);
        assert!(queue.next(now).is_some());
        queue.retire(&"a");
        assert_eq!((queue.next_due(), queue.running()), (None, 0));
        assert!(queue.entries.is_empty());
    }

    #[test]
    fn one_of_the_same_name_waits_until_the_old_one_is_done_with() {
        let (mut queue, now) = (Queue::new(), Instant::now());
        queue.wake("a", now, Urgency::Urgent, Causes::DELETION);
        assert!(queue.next(now).is_some());
        queue.wake("a", now, Urgency::Urgent, Causes::EDIT);
        assert_eq!(queue.next(now), None);
        queue.retire(&"a");
        assert_eq!(queue.next(now), Some(turn("a", Causes::EDIT)));
    }
}
