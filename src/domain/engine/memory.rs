//! What one process remembers of one sync between passes. Losing it costs a read, never content.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::later;
use super::preflight::{Candidate, Health};
use super::trial::Followed;
use crate::api::status::SourceStatus;
use crate::bundle::SourceVersion;
use crate::conditions::Reason;
use crate::content::{Content, Gathered, Notes};
use crate::fault::Fault;
use crate::names::{Key, SourceName};
use crate::plan::waits;
use crate::record::RecordState;
use crate::schedule::{Next, earliest};
use crate::sync::ValidatedSync;

/// Memory of one sync.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// When sources are to be read again; none before the first read.
    pub(super) read_due: Option<Timestamp>,
    /// When a read last succeeded as a whole.
    last_read: Option<Timestamp>,
    /// The generation that the last read was for.
    pub(super) read_generation: i64,
    /// Keys that the last complete read lacked.
    pub(super) absent: BTreeSet<Key>,
    /// What the last read left to tell.
    pub(super) notes: Notes,
    /// How each source was found.
    pub(super) sources: Vec<SourceStatus>,
    /// The versions of the last complete read.
    pub(super) versions: BTreeMap<SourceName, SourceVersion>,
    /// Markers that this process has set, by workload uid.
    pub(super) marked: BTreeMap<String, String>,
    /// What was read last and is not in use yet, as far as validators know it.
    pub(super) candidate: Option<Candidate>,
    /// A change that may not be written yet, and the generation that it was read for.
    pub(super) waiting: Option<(i64, Content)>,
    /// The canary that tries it.
    pub(super) trial: Option<Followed>,
    /// What canaries of an earlier process may have left has been looked for.
    pub(super) swept: bool,
    /// What validators say of the values in use.
    pub(super) health: Health,
}

impl Memory {
    /// Whether sources are to be read now.
    pub(super) fn is_due(&self, sync: &ValidatedSync, now: Timestamp) -> bool {
        let longest = later(now, sync.interval);
        self.read_generation != sync.generation
            // Further away than it is ever set: the clock went back.
            || self.read_due.is_none_or(|due| due <= now || due > longest)
    }

    /// When sources are to be read again; none before the first read.
    pub fn read_due(&self) -> Option<Timestamp> {
        self.read_due
    }

    /// How each source was found; before the first read, what was known earlier.
    pub(super) fn sources_or(&self, earlier: &[SourceStatus]) -> Vec<SourceStatus> {
        if self.sources.is_empty() {
            earlier.to_vec()
        } else {
            self.sources.clone()
        }
    }

    /// When a read of all sources last succeeded.
    pub fn last_read(&self) -> Option<Timestamp> {
        self.last_read
    }

    /// Whether a second read is to look for absent keys.
    pub fn awaits_confirmation(&self) -> bool {
        !self.notes.confirming.is_empty()
    }

    /// Keeps what the chosen content leaves for the next pass.
    pub(super) fn remember(&mut self, content: &Content, sync: &ValidatedSync, now: Timestamp) {
        self.notes = content.notes.clone();
        let Some(absent) = &content.absent else {
            return;
        };
        self.absent.clone_from(absent);
        if let (true, Next::After(pause)) =
            (self.awaits_confirmation(), Next::confirm(sync.interval))
        {
            self.read_due = Some(later(now, pause));
        }
    }

    /// Whether canaries of an earlier process may have left something.
    pub(super) fn is_unswept(&self, sync: &ValidatedSync) -> bool {
        !self.swept && sync.rollout.shield().is_some()
    }

    /// The content of a pass that has read nothing usable, while a change waits: that change, with what is to be told
    /// of the sources.
    pub(super) fn waiting_for(&mut self, chosen: Content, sync: &ValidatedSync) -> Content {
        let waiting = self.waiting.take();
        let waiting = waiting.filter(|(generation, _)| *generation == sync.generation);
        match waiting {
            Some((_, waiting))
                if !chosen.fresh && chosen.absent.is_none() && chosen.notes.blocked.is_empty() =>
            {
                Content {
                    notes: chosen.notes,
                    ..waiting
                }
            }
            _ => chosen,
        }
    }

    /// A read came to nothing, because the record could not be read. What a complete one had is not absent all
    /// the same.
    pub(super) fn see(&mut self, gathered: &Gathered) {
        if let Gathered::Complete(bundle) = gathered {
            self.absent.retain(|key| !bundle.0.contains_key(key));
        }
    }

    /// A complete read had everything: whatever an earlier one lacked is no longer absent.
    pub(super) fn see_whole(&mut self, gathered: &Gathered) {
        if matches!(gathered, Gathered::Complete(_)) {
            self.absent.clear();
            self.notes = Notes::default();
        }
    }

    /// After a read: when the next one is due. A read that failed is due at once, whoever runs first.
    pub(super) fn set_due(&mut self, complete: bool, sync: &ValidatedSync, now: Timestamp) {
        self.read_generation = sync.generation;
        if complete {
            self.last_read = Some(now);
        }
        self.read_due = Some(if complete {
            later(now, earliest(sync.interval))
        } else {
            now
        });
    }

    /// Whether a source's version is lower than the last accepted one, without a pin (rule 8).
    pub(super) fn went_back(&self, sync: &ValidatedSync, record: &RecordState) -> Option<Fault> {
        let pinned = |name: &SourceName| {
            sync.sources
                .iter()
                .any(|source| source.name == *name && source.version.is_some())
        };
        let lower = |name: &&SourceName| match (self.versions.get(*name), record.sources.get(*name))
        {
            (Some(SourceVersion::Counter(now)), Some(SourceVersion::Counter(then))) => {
                now < then && !pinned(name)
            }
            _ => false,
        };
        let name = self.versions.keys().find(lower)?;
        let (now, then) = (self.versions.get(name)?, record.sources.get(name)?);
        let message = format!("its version went back from {then} to {now}");
        Some(waits(format!("source {name}"), message).because(Reason::VersionWentBack))
    }
}
