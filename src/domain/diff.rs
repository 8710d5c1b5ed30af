//! What stands at a target against what should: one verdict per key, computed without I/O.

mod ownership;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

pub use self::ownership::owner_tag;
use self::ownership::{Ownership, foreign};
use crate::conditions::Reason;
use crate::fault::{Fault, FaultClass};
use crate::keys::{ContentHash, InstallationKey};
use crate::names::{Key, SyncId, TargetName};
use crate::ports::{Observation, ObservedObject};
use crate::record::{Before, TargetRecord};
use crate::secret::SecretValue;
use crate::sync::{Adopt, Destination, ValidatedTarget};

/// What happens to one key at one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyChange {
    /// It is not there and will be.
    Create,
    /// It is there, ours, and holds something else.
    Update,
    /// It is ours, and the bundle has it no longer.
    Delete,
    /// It is ours and as it should be.
    Unchanged,
    /// It is there, not ours, and becomes ours.
    Adopt,
    /// It is there and not ours; it stays as it is.
    Foreign,
}

/// Somebody else changed a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tampering {
    /// Which of our keys differ from what we wrote.
    pub keys: BTreeSet<Key>,
    /// Since when, as far as the system remembers; none when the whole object was deleted.
    pub since: Option<Timestamp>,
}

/// The difference at one target.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about one target"
)]
#[derive(Debug, Clone, PartialEq)]
pub struct TargetDiff {
    /// Which target.
    pub target: TargetName,
    /// One verdict per key.
    pub keys: BTreeMap<Key, KeyChange>,
    /// Hashes of what is wanted: the record's next state.
    pub wanted: BTreeMap<Key, ContentHash>,
    /// Keys that an earlier pass decided to delete, and did not: guards have had their say about them.
    pub decided: BTreeSet<Key>,
    /// What stands there now of our keys: the record's next `before`.
    pub before: Before,
    /// The write that the record noted last has not happened: what stood there before it stands there still.
    pub resumes: bool,
    /// Somebody else changed it since our last write.
    pub tampering: Option<Tampering>,
    /// Labels, annotations or owner tag must be written although the content is right.
    pub metadata: bool,
    /// The object must be deleted and made anew.
    pub recreate: bool,
    /// Tampering that `tampering: report` leaves as it is, because the sources have no news.
    pub reported: bool,
    /// The object is, or becomes, ours as a whole.
    pub whole: bool,
    /// Uid and resourceVersion of the object that was looked at.
    pub found: Option<(String, String)>,
    /// Why nothing is written here.
    pub blocked: Option<Fault>,
}

impl TargetDiff {
    /// Whether anything must be written.
    pub fn is_change(&self) -> bool {
        self.blocked.is_none()
            && !self.reported
            && (self.metadata || self.recreate || self.content_changes())
    }

    /// The verdict on a target that stands as it was confirmed, without a look at it.
    pub fn confirmed(target: &TargetName, record: &TargetRecord) -> Self {
        Self {
            target: target.clone(),
            keys: record
                .keys
                .keys()
                .map(|name| (name.clone(), KeyChange::Unchanged))
                .collect(),
            wanted: record.keys.clone(),
            decided: BTreeSet::new(),
            before: record.before.clone(),
            resumes: false,
            tampering: None,
            metadata: false,
            recreate: false,
            reported: false,
            whole: record.whole,
            found: None,
            blocked: None,
        }
    }

    /// Whether the content of our keys changes.
    pub fn content_changes(&self) -> bool {
        self.keys.values().any(|change| {
            matches!(
                change,
                KeyChange::Create | KeyChange::Update | KeyChange::Delete
            )
        })
    }

    /// The keys with one verdict.
    pub fn with(&self, wanted: KeyChange) -> impl Iterator<Item = &Key> {
        self.keys
            .iter()
            .filter(move |(_, change)| **change == wanted)
            .map(|(key, _)| key)
    }

    /// Keys whose value is not what the last completed write left: what restarts are about. None at first
    /// contact, when nobody can have started on a value of ours.
    pub fn changed_since(&self, record: Option<&TargetRecord>) -> BTreeSet<Key> {
        let Some(record) = record else {
            return BTreeSet::new();
        };
        let prior = match &record.before {
            Before::Absent if self.resumes => return BTreeSet::new(),
            Before::Keys(before) if self.resumes => before,
            Before::Absent | Before::Keys(_) => &record.keys,
        };
        let names: BTreeSet<&Key> = prior.keys().chain(self.wanted.keys()).collect();
        names
            .into_iter()
            .filter(|name| prior.get(*name) != self.wanted.get(*name))
            .cloned()
            .collect()
    }

    /// Deletions that no earlier pass decided.
    pub fn new_deletions(&self) -> impl Iterator<Item = &Key> {
        self.with(KeyChange::Delete)
            .filter(|key| !self.decided.contains(*key))
    }

    /// The number of keys with one verdict.
    pub fn count(&self, wanted: KeyChange) -> usize {
        self.with(wanted).count()
    }
}

/// Everything a diff looks at.
#[derive(Debug, Clone, Copy)]
pub struct DiffInput<'a> {
    /// Which sync.
    pub sync: &'a SyncId,
    /// The target's spec.
    pub target: &'a ValidatedTarget,
    /// What should stand there.
    pub desired: &'a BTreeMap<Key, SecretValue>,
    /// What we own there.
    pub record: Option<&'a TargetRecord>,
    /// Whether status has not confirmed the record's last write.
    pub intent_open: bool,
    /// The uid that status remembers of our last write: shows what is ours when the record was lost.
    pub confirmed_uid: Option<&'a str>,
    /// What stands there.
    pub observed: &'a Observation,
}

/// Computes the difference.
pub fn diff(input: DiffInput<'_>, key: &InstallationKey) -> TargetDiff {
    let hash = |name: &Key, value: &SecretValue| {
        key.content_hash(input.sync, &input.target.name, name, value)
    };
    let wanted: BTreeMap<Key, ContentHash> = input
        .desired
        .iter()
        .map(|(name, value)| (name.clone(), hash(name, value)))
        .collect();
    match input.observed {
        Observation::Absent => absent(input, wanted),
        Observation::Present(object) => {
            let standing = object
                .data
                .iter()
                .map(|(name, value)| (name.clone(), hash(name, value)))
                .collect();
            present(input, object, wanted, &standing, key)
        }
    }
}

fn absent(input: DiffInput<'_>, wanted: BTreeMap<Key, ContentHash>) -> TargetDiff {
    let interrupted = input.intent_open
        && input
            .record
            .is_some_and(|record| record.before == Before::Absent);
    let tampering = input
        .record
        .filter(|record| !interrupted && !record.keys.is_empty())
        .map(|record| Tampering {
            keys: record.keys.keys().cloned().collect(),
            since: None,
        });
    let tampering_stays = stays(input, tampering.as_ref(), &wanted);
    TargetDiff {
        target: input.target.name.clone(),
        keys: wanted
            .keys()
            .map(|name| (name.clone(), KeyChange::Create))
            .collect(),
        wanted,
        decided: BTreeSet::new(),
        before: Before::Absent,
        resumes: interrupted,
        tampering,
        // An empty object would let pods start without what they wait for: none is made.
        metadata: !input.desired.is_empty(),
        recreate: false,
        reported: tampering_stays,
        whole: !input.target.share_keys,
        found: None,
        blocked: None,
    }
}

fn present(
    input: DiffInput<'_>,
    object: &ObservedObject,
    wanted: BTreeMap<Key, ContentHash>,
    standing: &BTreeMap<Key, ContentHash>,
    key: &InstallationKey,
) -> TargetDiff {
    let tag = owner_tag(input.sync, input.target, key);
    let ownership = Ownership::of(input, object, &tag);
    let keys = key_changes(input, &ownership, &wanted, standing);
    let before: BTreeMap<Key, ContentHash> = standing
        .iter()
        .filter(|(name, _)| ownership.owns(name))
        .map(|(name, hash)| (name.clone(), hash.clone()))
        .collect();
    let (recreate, fixed) = fixed_shape(input.target, object, &keys);
    let blocked = foreign(input, object, &ownership, &keys, &tag).or(fixed);
    let tampering = tampering(input, object, standing);
    TargetDiff {
        target: input.target.name.clone(),
        reported: stays(input, tampering.as_ref(), &wanted),
        tampering,
        metadata: !object.metadata_matches
            || (input.target.destination.carries_marks() && !is_marked(object, &tag))
            || keys.values().any(|change| *change == KeyChange::Adopt),
        decided: decided(input.record, &keys),
        keys,
        wanted,
        resumes: input.intent_open
            && input.record.is_some_and(
                |record| matches!(&record.before, Before::Keys(noted) if *noted == before),
            ),
        before: Before::Keys(before),
        recreate,
        whole: ownership.whole,
        found: Some((object.uid.clone(), object.resource_version.clone())),
        blocked,
    }
}

/// Deletions that the record has noted already: the write that carries them out has not happened.
fn decided(record: Option<&TargetRecord>, keys: &BTreeMap<Key, KeyChange>) -> BTreeSet<Key> {
    let noted = |name: &Key| record.is_some_and(|record| !record.keys.contains_key(name));
    keys.iter()
        .filter(|(name, change)| **change == KeyChange::Delete && noted(name))
        .map(|(name, _)| name.clone())
        .collect()
}

fn is_marked(object: &ObservedObject, tag: &str) -> bool {
    object.labelled && object.owner.as_deref() == Some(tag)
}

fn key_changes(
    input: DiffInput<'_>,
    ownership: &Ownership<'_>,
    wanted: &BTreeMap<Key, ContentHash>,
    standing: &BTreeMap<Key, ContentHash>,
) -> BTreeMap<Key, KeyChange> {
    let names: BTreeSet<&Key> = wanted.keys().chain(standing.keys()).collect();
    names
        .into_iter()
        .map(|name| {
            let ours = ownership.owns(name);
            let change = match (wanted.get(name), standing.get(name)) {
                (Some(_), None) => KeyChange::Create,
                (Some(want), Some(stand)) if ours && want == stand => KeyChange::Unchanged,
                (Some(_), Some(_)) if ours => KeyChange::Update,
                (Some(want), Some(stand)) => match input.target.adopt {
                    Adopt::IfEqual | Adopt::Always if want == stand => KeyChange::Adopt,
                    Adopt::Always => KeyChange::Update,
                    Adopt::IfEqual | Adopt::Never => KeyChange::Foreign,
                },
                (None, _) if ours && !ownership.recovered => KeyChange::Delete,
                (None, _) => KeyChange::Foreign,
            };
            (name.clone(), change)
        })
        .collect()
}

/// Whether what cannot be changed must be made anew, or why it cannot.
fn fixed_shape(
    target: &ValidatedTarget,
    object: &ObservedObject,
    keys: &BTreeMap<Key, KeyChange>,
) -> (bool, Option<Fault>) {
    let (wanted_type, recreate) = match &target.destination {
        Destination::Secret(secret) => (Some(secret.secret_type.as_str()), secret.recreate),
        Destination::ConfigMap(config_map) => (None, config_map.recreate),
        Destination::File(_) | Destination::HostFile(_) => (None, false),
    };
    let retyped = wanted_type
        .is_some_and(|wanted| object.secret_type.as_deref().is_some_and(|is| is != wanted));
    let changes = keys
        .values()
        .any(|change| !matches!(change, KeyChange::Unchanged | KeyChange::Foreign));
    let frozen = object.immutable && (changes || !object.metadata_matches);
    if !retyped && !frozen {
        return (false, None);
    }
    if recreate {
        return (true, None);
    }
    let why = if retyped {
        "has another type, and a type cannot change"
    } else {
        "is immutable"
    };
    let subject = format!(
        "{} {}",
        target.destination.kind(),
        target.destination.object_name()
    );
    let fault = Fault::new(FaultClass::Invalid, subject, why).because(Reason::TargetImmutable);
    (
        false,
        Some(fault.hint("Set `recreate: true` on the target, or choose another name")),
    )
}

/// Tampering is left alone only where the spec says so and the sources have no news to write.
fn stays(
    input: DiffInput<'_>,
    tampering: Option<&Tampering>,
    wanted: &BTreeMap<Key, ContentHash>,
) -> bool {
    tampering.is_some()
        && !input.target.repair
        && input.record.is_some_and(|record| record.keys == *wanted)
}

/// Decision 4: content that the record's last write explains is no tampering, anything else is.
fn tampering(
    input: DiffInput<'_>,
    object: &ObservedObject,
    standing: &BTreeMap<Key, ContentHash>,
) -> Option<Tampering> {
    let record = input.record?;
    let differing = |base: &BTreeMap<Key, ContentHash>| -> BTreeSet<Key> {
        let names = record
            .keys
            .keys()
            .chain(base.keys())
            .collect::<BTreeSet<_>>();
        names
            .into_iter()
            .filter(|name| standing.get(*name) != base.get(*name))
            .cloned()
            .collect()
    };
    let keys = differing(&record.keys);
    let interrupted = input.intent_open
        && match &record.before {
            Before::Absent => false,
            Before::Keys(before) => differing(before).is_empty(),
        };
    (!keys.is_empty() && !interrupted).then_some(Tampering {
        keys,
        since: object.foreign_change,
    })
}
