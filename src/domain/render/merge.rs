//! What the sources answered becomes one map of keys.
//!
//! `conflicts` decides when one key comes from two places: two sources, two folders of one source, or one
//! name twice in one answer. It does not decide when two *different* names of one folder become one key by
//! renaming: their order means nothing, so one of them would be lost by chance. That is always refused.

use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::decode::decode;
use super::extract::extract;
use super::faults::{Faults, invalid, shown, shown_all, source_path};
use super::rename::rename;
use super::select::{takes_name, takes_tags};
use crate::bundle::{Bundle, BundleEntry, MAX_BYTES, MAX_KEYS, Provenance, Snapshot, SourceEntry};
use crate::conditions::Reason;
use crate::fault::Fault;
use crate::names::{Key, SourceName};
use crate::secret::SecretValue;
use crate::sync::{Conflicts, ValidatedSource, ValidatedSync};

/// Merges the answers in the order of the spec. `answers` has one place per source; none is a source that
/// did not answer.
pub(super) fn merge(
    sync: &ValidatedSync,
    answers: &[Option<&Snapshot>],
    faults: &mut Faults,
) -> Bundle {
    let mut merged = Bundle::default();
    let sources = sync.sources.iter().enumerate();
    for ((index, source), snapshot) in sources.zip(answers) {
        let Some(snapshot) = snapshot else { continue };
        let read = Reading {
            index,
            source,
            conflicts: sync.conflicts,
        };
        let keys = read.keys(snapshot, faults);
        read.require(|key| keys.contains_key(key), faults);
        for (key, entry) in keys {
            join(&mut merged, key, entry.entry, sync.conflicts, faults);
        }
    }
    for ((index, source), snapshot) in sync.sources.iter().enumerate().zip(answers) {
        if snapshot.is_none() {
            let read = Reading {
                index,
                source,
                conflicts: sync.conflicts,
            };
            read.require(|key| merged.0.contains_key(key), faults);
        }
    }
    check_size(&merged, "spec.sources", faults);
    merged
}

/// Adds a fault when a bundle is beyond its bounds.
pub(super) fn check_size(bundle: &Bundle, subject: &str, faults: &mut Faults) {
    let keys = bundle.0.len();
    if keys > MAX_KEYS {
        faults.push(too_large(
            subject,
            format!("{keys} keys are more than the {MAX_KEYS} that a bundle may have"),
        ));
    }
    if bundle.bytes() > MAX_BYTES {
        faults.push(too_large(
            subject,
            format!("keys and values are more than the {MAX_BYTES} bytes that a bundle may have"),
        ));
    }
}

fn too_large(subject: &str, message: String) -> Fault {
    invalid(subject, message, Reason::TooLarge)
        .hint("Select fewer keys, or split them over several SecretSyncs")
}

fn join(
    merged: &mut Bundle,
    key: Key,
    entry: BundleEntry,
    conflicts: Conflicts,
    faults: &mut Faults,
) {
    match (merged.0.entry(key), conflicts) {
        (Entry::Vacant(place), _) => {
            place.insert(entry);
        }
        (Entry::Occupied(mut place), Conflicts::LaterWins) => {
            place.insert(entry);
        }
        (Entry::Occupied(_), Conflicts::FirstWins) => {}
        (Entry::Occupied(place), Conflicts::Error) => {
            let names = [place.get(), &entry].map(|entry| entry.provenance.source.as_ref());
            let names = names.into_iter().flatten().map(SourceName::as_str);
            let message = format!(
                "{} comes from more than one source: {}",
                shown(place.key().as_str()),
                shown_all(names)
            );
            faults.push(conflict("spec.conflicts".to_owned(), message));
        }
    }
}

fn conflict(subject: String, message: String) -> Fault {
    invalid(subject, message, Reason::KeyConflict).hint(
        "Rename or exclude one of them, or say `conflicts: laterWins` or `firstWins` at the sync",
    )
}

/// One entry on its way to a key.
struct Item<'a> {
    name: Cow<'a, str>,
    path: Cow<'a, str>,
    origin: &'a SourceEntry,
    value: SecretValue,
}

/// A key of one source, with the name it had there.
struct Placed {
    entry: BundleEntry,
    name: String,
}

/// One source being read.
struct Reading<'a> {
    index: usize,
    source: &'a ValidatedSource,
    conflicts: Conflicts,
}

impl<'a> Reading<'a> {
    fn keys(&self, snapshot: &'a Snapshot, faults: &mut Faults) -> BTreeMap<Key, Placed> {
        let mut keys = BTreeMap::new();
        if let Err(fault) = self.bounded(snapshot) {
            faults.push(fault);
            return keys;
        }
        let entries = snapshot.entries.iter();
        for entry in entries.filter(|entry| takes_tags(&self.source.select, &entry.tags)) {
            for item in self.items(entry, faults) {
                self.place(item, &mut keys, faults);
            }
        }
        keys
    }

    fn bounded(&self, snapshot: &Snapshot) -> Result<(), Fault> {
        let bytes: usize = snapshot.entries.iter().map(|entry| entry.value.len()).sum();
        if snapshot.entries.len() > MAX_KEYS || bytes > MAX_BYTES {
            let message = format!(
                "the answer is larger than {MAX_KEYS} entries or {MAX_BYTES} bytes together"
            );
            return Err(too_large(&source_path(self.index, ""), message));
        }
        Ok(())
    }

    /// The entries that one entry stands for: itself, or the members of the document in it.
    fn items(&self, origin: &'a SourceEntry, faults: &mut Faults) -> Vec<Item<'a>> {
        let Some(value) = self.decoded(origin, faults) else {
            return Vec::new();
        };
        let Some(how) = &self.source.extract else {
            return vec![Item {
                name: Cow::Borrowed(&origin.name),
                path: Cow::Borrowed(&origin.path),
                origin,
                value,
            }];
        };
        match extract(&value, how) {
            Ok(members) => members
                .into_iter()
                .map(|member| Item {
                    path: match &member.name {
                        Some(_) => Cow::Owned(within(&origin.path, &origin.name)),
                        None => Cow::Borrowed(origin.path.as_str()),
                    },
                    name: member
                        .name
                        .map_or(Cow::Borrowed(origin.name.as_str()), Cow::Owned),
                    origin,
                    value: member.value,
                })
                .collect(),
            Err(error) => {
                let message = format!("entry {}: {error}", shown(&origin.name));
                let path = source_path(self.index, "extract");
                faults.push(invalid(path, message, Reason::RenderFailed));
                Vec::new()
            }
        }
    }

    fn decoded(&self, origin: &SourceEntry, faults: &mut Faults) -> Option<SecretValue> {
        let Some(how) = self.source.decode else {
            return Some(origin.value.clone());
        };
        match decode(&origin.value, how) {
            Ok(value) => Some(value),
            Err(_) if !self.may_take(origin) => None,
            Err(error) => {
                let message = format!("the value of entry {} {error}", shown(&origin.name));
                let fault = invalid(
                    source_path(self.index, "decode"),
                    message,
                    Reason::RenderFailed,
                )
                .hint("Select only entries that are, or say `decode: auto`");
                faults.push(fault);
                None
            }
        }
    }

    /// Whether the entry could be selected; with `extract` its own name says nothing about that.
    fn may_take(&self, origin: &SourceEntry) -> bool {
        self.source.extract.is_some() || takes_name(&self.source.select, &origin.name)
    }

    fn place(&self, item: Item<'a>, keys: &mut BTreeMap<Key, Placed>, faults: &mut Faults) {
        if !takes_name(&self.source.select, &item.name) {
            return;
        }
        let key = match rename(&item.name, &self.source.rename) {
            Ok(key) => key,
            Err(error) => {
                let message = format!("the key that {} becomes {error}", shown(&item.name));
                let path = source_path(self.index, "rename");
                faults.push(
                    invalid(path, message, Reason::KeyNotAccepted)
                        .hint("Change `rename`, or leave the entry out with `select.exclude`"),
                );
                return;
            }
        };
        let placed = self.placed(item);
        match keys.entry(key) {
            Entry::Vacant(place) => {
                place.insert(placed);
            }
            Entry::Occupied(mut place) => {
                if let Some(fault) = self.clash(place.key(), place.get(), &placed) {
                    faults.push(fault);
                } else if self.conflicts == Conflicts::LaterWins {
                    place.insert(placed);
                }
            }
        }
    }

    fn placed(&self, item: Item<'a>) -> Placed {
        Placed {
            name: item.name.into_owned(),
            entry: BundleEntry {
                value: item.value,
                provenance: Provenance {
                    source: Some(self.source.name.clone()),
                    path: item.path.into_owned(),
                    tags: item.origin.tags.clone(),
                    version: item.origin.version.clone(),
                },
            },
        }
    }

    /// Why two entries of this source cannot both be this key; none where `conflicts` chooses.
    fn clash(&self, key: &Key, first: &Placed, second: &Placed) -> Option<Fault> {
        let key = shown(key.as_str());
        let same_folder = first.entry.provenance.path == second.entry.provenance.path;
        if same_folder && first.name != second.name {
            let names: BTreeSet<&str> = [first.name.as_str(), &second.name].into();
            let message = format!("{} both become {key}", shown_all(names));
            let path = source_path(self.index, "rename");
            let hint = "Change `rename`, or leave one of them out with `select.exclude`";
            return Some(invalid(path, message, Reason::KeyConflict).hint(hint));
        }
        (self.conflicts == Conflicts::Error).then(|| {
            let folders: BTreeSet<&str> = [first, second]
                .map(|placed| placed.entry.provenance.path.as_str())
                .into();
            let message = format!("{key} comes more than once, from {}", shown_all(folders));
            conflict(source_path(self.index, ""), message)
        })
    }

    fn require(&self, present: impl Fn(&Key) -> bool, faults: &mut Faults) {
        let absent = self.source.require.iter().filter(|key| !present(key));
        let absent: BTreeSet<&str> = absent.map(Key::as_str).collect();
        if absent.is_empty() {
            return;
        }
        let message = format!(
            "{} is required and absent from what source {} gives",
            shown_all(absent),
            shown(self.source.name.as_str())
        );
        let path = source_path(self.index, "require");
        faults.push(
            invalid(path, message, Reason::RequiredKeyMissing)
                .hint("Put it there, or check `select` and `rename` of the source"),
        );
    }
}

fn within(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}
