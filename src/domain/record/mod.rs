//! The record: a sync's durable memory, from which status can be rebuilt.
//!
//! It is written before a target is (with what is intended), so that a process that dies between the two
//! leaves a state the next run can name: the target still holds what `before` says, and the write is resumed.
//! That a write happened is confirmed by status alone (`uid`, `resourceVersion`), which saves a second
//! write of the record.

mod codec;
mod renaming;
mod rollout;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::codec::{DecodeRecord, EncodeRecord, MAX_SEALED_BYTES, decode, encode};
pub use self::renaming::Renaming;
pub use self::rollout::RolloutRecord;
use crate::bundle::{Bundle, SourceVersion};
use crate::formats::{FileFormat, format_of};
use crate::keys::{ContentHash, Revision};
use crate::names::{Key, ObjectName, SourceName, TargetName};
use crate::sync::{
    Adopt, ConfigMapDestination, Destination, FileDestination, FilePlace, History,
    HostFileDestination, RulesDigest, SecretDestination, TargetSelection, ValidatedTarget,
};
use crate::validate::Objection;
use crate::workload::WorkloadId;

/// How long a deletion counts against `guards.maxDeletes`.
pub const DELETION_WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// How many approvals are remembered so that none works twice.
const REMEMBERED_APPROVALS: usize = 16;

/// How many rejections are remembered: a source that brings more bad contents than this within the life of a
/// record has the oldest of them judged anew, should it come back.
const REMEMBERED_REJECTIONS: usize = 32;

/// What one sync remembers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecordState {
    /// Grows by one with every save; status repeats it, so that an old record put back is noticed.
    pub counter: u64,
    /// The revision in use.
    pub current: Option<StoredRevision>,
    /// Older good revisions, newest first.
    pub older: Vec<StoredRevision>,
    /// Candidates that were rejected and must not come back, newest first.
    pub rejected: Vec<Rejection>,
    /// Revisions that a person revoked, newest first: they never come back.
    pub revoked: Vec<Revision>,
    /// The last wish to forget older revisions that was honoured.
    pub forgotten: Option<String>,
    /// The rollout that was begun last.
    pub rollout: Option<RolloutRecord>,
    /// What we own at each target.
    pub targets: BTreeMap<TargetName, TargetRecord>,
    /// What targets left behind that the spec no longer has, until it is removed.
    pub orphans: Vec<Orphan>,
    /// The last accepted version of each source.
    pub sources: BTreeMap<SourceName, SourceVersion>,
    /// Deletions of the last 24 h.
    pub deletions: Vec<DeletionNote>,
    /// Approvals that have been used.
    pub used_approvals: Vec<String>,
    /// Restarts that were intended, by workload uid.
    pub restarts: BTreeMap<String, RestartRecord>,
    /// Restarts that nobody could intend yet, because workloads could not be listed.
    pub owed: BTreeMap<TargetName, OwedRestart>,
}

/// One good content.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRevision {
    /// Its name.
    pub revision: Revision,
    /// When it was accepted.
    pub at: Timestamp,
    /// The content; none where `history.keep: none` forbids keeping values.
    pub bundle: Option<Bundle>,
    /// The versions of the sources that it came from, where they tell any.
    pub versions: BTreeMap<SourceName, SourceVersion>,
}

/// A candidate that validators rejected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// The candidate.
    pub revision: Revision,
    /// The rules under which it was.
    pub rules: RulesDigest,
    /// The retry annotation at the time: another one lifts the rejection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<String>,
    /// When.
    pub at: Timestamp,
    /// What validators object; no value is among it.
    pub objections: Vec<Objection>,
    /// Why a canary or a workload did not survive it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// What we own at one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetRecord {
    /// `Secret`, `ConfigMap`, `File` or `HostFile`.
    pub kind: String,
    /// The object's name; the path of a file, as the spec has it, after its store where it lies on a host.
    pub object: String,
    /// How a file is written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<FileFormat>,
    /// The revision that the last write carried.
    pub revision: Revision,
    /// Our keys and the hashes of what was intended for them.
    pub keys: BTreeMap<Key, ContentHash>,
    /// What stood there before the last write, so that an interrupted write is told from tampering.
    pub before: Before,
    /// Whether the object is ours as a whole: we made it, or adopted it.
    pub whole: bool,
    /// Whether our keys go when the sync goes.
    pub delete_with_sync: bool,
    /// The record's counter after the save that noted this. Status that repeats it, or a later one, was
    /// written when it was known how the write had ended.
    #[serde(default)]
    pub saved: u64,
}

/// What is left of a target that the spec no longer has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Orphan {
    /// The target's name while it was one.
    pub target: TargetName,
    /// What we own there.
    pub owned: TargetRecord,
}

/// What stood at a target before a write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Before {
    /// No object.
    Absent,
    /// An object with these of our keys.
    Keys(BTreeMap<Key, ContentHash>),
}

/// How many keys were deleted, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionNote {
    /// When.
    pub at: Timestamp,
    /// How many.
    pub count: u32,
}

/// A restart that was intended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestartRecord {
    /// Which workload.
    pub workload: WorkloadId,
    /// The marker its pod template must carry.
    pub marker: String,
    /// When the content behind the marker was written: pods that started later have it already.
    pub since: Timestamp,
    /// How often this marker was set; 0 while it waits for the restart budget.
    pub times_set: u32,
    /// When restarts were caused, within the budget's window.
    pub caused: Vec<Timestamp>,
    /// It was not healthy before: what becomes of it says nothing about the content.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ailing: bool,
}

/// Keys of one target whose users must restart, once it can be seen who they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OwedRestart {
    /// The keys.
    pub keys: BTreeSet<Key>,
    /// When their values were written: pods that started later have them already.
    pub since: Timestamp,
}

impl RecordState {
    /// Takes `revision` as the one in use and keeps the former as `history` allows.
    pub fn accept(&mut self, revision: StoredRevision, history: &History) {
        let at = revision.at;
        let revision = StoredRevision {
            bundle: revision.bundle.filter(|_| history.keep_values),
            ..revision
        };
        let unproven = |one: &StoredRevision| {
            let mut rollouts = self.rollout.iter();
            rollouts.any(|rollout| {
                rollout.former.as_ref() != Some(&one.revision) && rollout.former.is_some()
            })
        };
        let former = self.current.replace(revision);
        // What never ran well everywhere, or leaked, is nothing to go back to.
        let former = former.filter(|one| !unproven(one) && !self.is_revoked(&one.revision));
        let current = self
            .current
            .as_ref()
            .map(|current| current.revision.clone());
        if let Some(former) = former {
            self.older.insert(0, former);
        }
        self.older
            .retain(|older| Some(&older.revision) != current.as_ref());
        self.prune(history, at);
    }

    /// Remembers a rejection; an earlier one of the same candidate gives way.
    pub fn reject(&mut self, rejection: Rejection) {
        self.rejected
            .retain(|earlier| earlier.revision != rejection.revision);
        self.rejected.insert(0, rejection);
        self.rejected.truncate(REMEMBERED_REJECTIONS);
    }

    /// The rejection of `revision` that holds under `rules` and the retry annotation, if there is one.
    pub fn rejection_of(
        &self,
        revision: &Revision,
        rules: &RulesDigest,
        retry: Option<&str>,
    ) -> Option<&Rejection> {
        let lifted = |one: &Rejection| retry.is_some() && one.retry.as_deref() != retry;
        self.rejected
            .iter()
            .find(|one| one.revision == *revision && one.rules == *rules && !lifted(one))
    }

    /// Drops what `history` no longer allows and deletions that no longer count.
    pub fn prune(&mut self, history: &History, now: Timestamp) {
        let oldest = saturating_sub(now, history.max_age);
        // What was in use until lately is not old, however long it was.
        let rollout = self.rollout.as_ref();
        let left_lately = |stored: &StoredRevision| {
            rollout.is_some_and(|rollout| {
                rollout.former.as_ref() == Some(&stored.revision) && rollout.exposed >= oldest
            })
        };
        self.older
            .retain(|older| older.at >= oldest || left_lately(older));
        self.older.truncate(if history.keep_values {
            history.older
        } else {
            0
        });
        let window = now.checked_sub(DELETION_WINDOW).unwrap_or(Timestamp::MIN);
        self.deletions.retain(|note| note.at >= window);
    }

    /// Keys deleted within the last 24 h.
    pub fn recent_deletions(&self, now: Timestamp) -> u32 {
        let window = now.checked_sub(DELETION_WINDOW).unwrap_or(Timestamp::MIN);
        self.deletions
            .iter()
            .filter(|note| note.at >= window)
            .map(|note| note.count)
            .sum()
    }

    /// Remembers an approval as used.
    pub fn use_approval(&mut self, hash: &str) {
        self.used_approvals.insert(0, hash.to_owned());
        self.used_approvals.truncate(REMEMBERED_APPROVALS);
    }

    /// Keys of the content in use, whether values are kept or not.
    pub fn known_keys(&self) -> BTreeSet<Key> {
        match self.current_bundle() {
            Some(bundle) => bundle.0.keys().cloned().collect(),
            None => self
                .targets
                .values()
                .flat_map(|target| target.keys.keys().cloned())
                .collect(),
        }
    }

    /// What we own at the object that `target` names, and the name under which we own it: a target may have
    /// been renamed, or have gone and come back, while its object stayed.
    pub fn owned_at(&self, target: &ValidatedTarget) -> Option<(&TargetName, &TargetRecord)> {
        let by_name = self.targets.get_key_value(&target.name);
        let orphans = self.orphans.iter();
        by_name
            .into_iter()
            .chain(&self.targets)
            .chain(orphans.map(|orphan| (&orphan.target, &orphan.owned)))
            .find(|(_, owned)| owned.is_of(target))
    }

    /// The content in use, when values are kept.
    pub fn current_bundle(&self) -> Option<&Bundle> {
        self.current
            .as_ref()
            .and_then(|current| current.bundle.as_ref())
    }
}

impl TargetRecord {
    /// `Secret panbot-env`
    pub fn label(&self) -> String {
        format!("{} {}", self.kind, self.object)
    }

    /// Whether this is what we own at `target`, and not at an object that it named before.
    pub fn is_of(&self, target: &ValidatedTarget) -> bool {
        self.kind == target.destination.kind() && self.object == target.destination.object_name()
    }

    /// A target that names the object, enough to remove what is ours from it. Paths of files start in `folder`.
    pub fn as_target(&self, name: &TargetName, folder: &Path) -> Option<ValidatedTarget> {
        let object = || ObjectName::new(self.object.as_str()).ok();
        let destination = match self.kind.as_str() {
            "ConfigMap" => Destination::ConfigMap(ConfigMapDestination::named(object()?)),
            "File" => Destination::File(FileDestination {
                place: FilePlace {
                    folder: folder.to_owned(),
                    path: self.object.clone(),
                    format: self.format.unwrap_or_else(|| format_of(&self.object)),
                },
                // What is not ours stays.
                merge: true,
            }),
            "HostFile" => {
                let format = |path: &str| self.format.unwrap_or_else(|| format_of(path));
                Destination::HostFile(HostFileDestination::of_name(&self.object, format, true)?)
            }
            _ => Destination::Secret(SecretDestination::named(object()?)),
        };
        Some(ValidatedTarget {
            name: name.clone(),
            destination,
            select: TargetSelection::default(),
            adopt: Adopt::Never,
            share_keys: !self.whole,
            delete_with_sync: self.delete_with_sync,
            repair: true,
        })
    }

    /// The hashes of what stood there before the last write.
    pub fn before_keys(&self) -> BTreeMap<Key, ContentHash> {
        match &self.before {
            Before::Absent => BTreeMap::new(),
            Before::Keys(keys) => keys.clone(),
        }
    }
}

/// `now` minus `age`, or the beginning of time.
pub(crate) fn saturating_sub(now: Timestamp, age: Duration) -> Timestamp {
    SignedDuration::try_from(age)
        .ok()
        .and_then(|age| now.checked_sub(age).ok())
        .unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(text: &str, at: i64) -> StoredRevision {
        StoredRevision {
            revision: Revision::from_text(text),
            at: Timestamp::from_second(at).unwrap(),
            bundle: Some(Bundle::default()),
            versions: BTreeMap::new(),
        }
    }

    fn history(older: usize) -> History {
        History {
            older,
            max_age: Duration::from_secs(1000),
            keep_values: true,
        }
    }

    #[test]
    fn history_keeps_the_newest_and_forgets_by_number_and_age() {
        let mut state = RecordState::default();
        for (text, at) in [("a", 0), ("b", 100), ("c", 200), ("d", 300)] {
            state.accept(revision(text, at), &history(2));
        }
        let older = |state: &RecordState| {
            state
                .older
                .iter()
                .map(|old| old.revision.as_str().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(older(&state), ["c", "b"]);
        state.prune(&history(2), Timestamp::from_second(1150).unwrap());
        assert_eq!(older(&state), ["c"]);
    }

    #[test]
    fn returning_to_an_older_revision_does_not_keep_it_twice() {
        let mut state = RecordState::default();
        for text in ["a", "b", "a"] {
            state.accept(revision(text, 0), &history(5));
        }
        assert_eq!(state.current.unwrap().revision.as_str(), "a");
        assert_eq!(state.older.len(), 1);
    }

    #[test]
    fn keep_none_keeps_no_value() {
        let mut state = RecordState::default();
        let none = History {
            keep_values: false,
            ..history(5)
        };
        state.accept(revision("a", 0), &none);
        state.accept(revision("b", 0), &none);
        assert!(state.current_bundle().is_none() && state.older.is_empty());
    }

    #[test]
    fn deletions_count_for_a_day() {
        let at = |hours: i64| Timestamp::from_second(hours * 3600).unwrap();
        let state = RecordState {
            deletions: vec![
                DeletionNote {
                    at: at(0),
                    count: 3,
                },
                DeletionNote {
                    at: at(20),
                    count: 4,
                },
            ],
            ..RecordState::default()
        };
        assert_eq!(state.recent_deletions(at(23)), 7);
        assert_eq!(state.recent_deletions(at(30)), 4);
    }
}
