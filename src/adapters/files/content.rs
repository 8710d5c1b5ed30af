//! What a write makes of what stands there: pure, for files here and on other hosts.

use std::collections::{BTreeMap, BTreeSet};

use penstock_domain::fault::Fault;
use penstock_domain::formats::{self, Delimiter, Edit, FileFormat};
use penstock_domain::names::Key;
use penstock_domain::ports::{Observation, ObservedObject, Precondition, Write};
use penstock_domain::secret::SecretValue;
use penstock_domain::sync::FileDestination;
use penstock_domain::text::key_list;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::failure::FileFailure;

/// Names contents without telling them: keyed by random bytes of this process, so that nobody who reads a status
/// or a log can try guesses.
pub(crate) struct Versions(Zeroizing<[u8; 32]>);

impl Versions {
    pub(crate) fn new() -> Result<Self, FileFailure> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(key.as_mut_slice()).map_err(|_| FileFailure::NoRandomness)?;
        Ok(Self(key))
    }

    /// The version of these bytes.
    pub(crate) fn of(&self, bytes: &[u8]) -> String {
        // Key and digest have fixed lengths: what is hashed outside cannot be extended from within.
        let inner = Sha256::digest(bytes);
        let outer = Sha256::new()
            .chain_update(self.0.as_slice())
            .chain_update(inner)
            .finalize();
        penstock_domain::keys::hex(outer.get(..16).unwrap_or(&outer))
    }
}

/// A delimiter for one document.
pub(crate) fn delimiter() -> Result<Delimiter, FileFailure> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| FileFailure::NoRandomness)?;
    Ok(Delimiter::from_random(random))
}

/// What stands in a file, in the words of the port.
pub(crate) fn observed(
    format: FileFormat,
    bytes: &[u8],
    (uid, resource_version): (String, String),
) -> Result<ObservedObject, FileFailure> {
    let data = formats::observe(format, bytes).map_err(|source| FileFailure::Read { source })?;
    Ok(ObservedObject {
        uid,
        resource_version,
        metadata_matches: true,
        // There is nothing to label.
        labelled: true,
        data,
        ..ObservedObject::default()
    })
}

/// The bytes after a write. Fails where keys of others stand in a file that is not to be merged into.
pub(crate) fn written(
    file: &FileDestination,
    before: Option<&[u8]>,
    write: &Write,
    delimiter: &Delimiter,
) -> Result<SecretValue, FileFailure> {
    let before = before.unwrap_or_default();
    if !file.merge {
        refuse_foreign(file.place.format, before, write)?;
    }
    let edit = Edit {
        set: &write.data,
        remove: &write.remove,
    };
    formats::merge(file.place.format, before, edit, delimiter)
        .map_err(|source| FileFailure::Write { source })
}

fn refuse_foreign(format: FileFormat, before: &[u8], write: &Write) -> Result<(), FileFailure> {
    let standing =
        formats::observe(format, before).map_err(|source| FileFailure::Read { source })?;
    let ours = |key: &Key| write.data.contains_key(key) || write.remove.contains(key);
    let foreign: Vec<&str> = standing
        .keys()
        .filter(|key| !ours(key))
        .map(Key::as_str)
        .collect();
    if foreign.is_empty() {
        return Ok(());
    }
    Err(FileFailure::ForeignKeys {
        keys: key_list(&foreign),
    })
}

/// The bytes without these keys; `None` when nothing else is left.
pub(crate) fn without(
    format: FileFormat,
    before: &[u8],
    keys: &BTreeSet<Key>,
    delimiter: &Delimiter,
) -> Result<Option<SecretValue>, FileFailure> {
    let edit = Edit {
        set: &BTreeMap::new(),
        remove: keys,
    };
    let after = formats::merge(format, before, edit, delimiter)
        .map_err(|source| FileFailure::Write { source })?;
    Ok((!formats::is_blank(format, after.expose())).then_some(after))
}

/// Fails unless what stands there is what a write expects.
pub(crate) fn check(
    expected: &Precondition,
    found: Option<(&str, &str)>,
) -> Result<(), FileFailure> {
    let holds = match (expected, found) {
        (Precondition::Absent, None) => true,
        (
            Precondition::Unchanged {
                uid,
                resource_version,
            },
            Some(found),
        ) => found == (uid.as_str(), resource_version.as_str()),
        _ => false,
    };
    holds.then_some(()).ok_or(FileFailure::Changed)
}

/// Absent, or what stands there.
pub(crate) fn observation(object: Option<ObservedObject>) -> Observation {
    object.map_or(Observation::Absent, Observation::Present)
}

/// What a port says to a destination that is not its own.
pub(crate) fn not_ours(subject: &str) -> Fault {
    use penstock_domain::fault::FaultClass;
    Fault::new(FaultClass::NotSupported, subject, "is no file of this kind")
}
