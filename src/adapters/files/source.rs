//! Files as sources.

use std::collections::BTreeSet;

use penstock_domain::bundle::{Snapshot, SourceEntry};
use penstock_domain::fault::Fault;
use penstock_domain::formats::{self, Entry};
use penstock_domain::sync::FilePlace;

use super::access::FileAccess;
use super::bounded;
use super::failure::FileFailure;

/// Reads files.
#[derive(Clone, Default)]
pub struct FileSources {
    access: FileAccess,
}

impl FileSources {
    /// Reads what `access` allows.
    pub fn new(access: FileAccess) -> Self {
        Self { access }
    }

    /// The entries of one file in its order, all of them or none. An absent file is `NotFound`, or an empty answer
    /// where it is optional. Only plain files are read, up to 16 MiB; links are followed.
    pub async fn read(&self, place: &FilePlace, optional: bool) -> Result<Snapshot, Fault> {
        let (access, file) = (self.access.clone(), place.clone());
        let read = tokio::task::spawn_blocking(move || read(&access, &file));
        let outcome = read.await.unwrap_or(Err(FileFailure::Cut));
        match outcome {
            Ok(entries) => Ok(snapshot(place, entries)),
            Err(FileFailure::Missing) if optional => Ok(Snapshot::default()),
            Err(failure) => Err(failure.fault(format!("file {}", place.path))),
        }
    }
}

fn read(access: &FileAccess, place: &FilePlace) -> Result<Vec<Entry>, FileFailure> {
    let path = access.readable(place).map_err(|failure| match failure {
        FileFailure::NoFolder => FileFailure::Missing,
        other => other,
    })?;
    let standing = bounded::read(&path)?.ok_or(FileFailure::Missing)?;
    formats::read(place.format, &standing.bytes).map_err(|source| FileFailure::Read { source })
}

fn snapshot(place: &FilePlace, entries: Vec<Entry>) -> Snapshot {
    // Of a name that stands there twice the last counts, here as for every reader of such files.
    let mut seen = BTreeSet::new();
    let mut kept: Vec<SourceEntry> = entries
        .into_iter()
        .rev()
        .filter(|entry| seen.insert(entry.name.clone()))
        .map(|entry| SourceEntry {
            name: entry.name,
            path: place.path.clone(),
            tags: BTreeSet::new(),
            version: None,
            value: entry.value,
        })
        .collect();
    kept.reverse();
    Snapshot {
        entries: kept,
        version: None,
    }
}
