//! Records as files: one sealed file per sync in a folder of its own, mode 0600.
//!
//! A record is what the domain sealed, behind a mark. The key that seals it never lies beside it: see
//! [`super::key`]. The version of a record is a hash of its sealed bytes; a save happens under the lock of the
//! folder, so that of two processes one wins and the other is told.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::SyncId;
use penstock_domain::ports::{RecordVersion, Records, StoredRecord};
use penstock_domain::record::MAX_SEALED_BYTES;
use sha2::{Digest as _, Sha256};

use super::bounded;
use super::failure::FileFailure;
use super::replace::Folder;

/// The folder beside a document that records lie in, unless somebody says otherwise.
pub const FOLDER: &str = ".penstock";
/// First line of a record.
const MARK: &[u8] = b"penstock record 1\n";
/// Behind the name of a sync.
const ENDING: &str = ".record";
/// The longest name of a sync that makes a file's name; longer ones are hashed (NAME_MAX is 255).
const MAX_NAME_BYTES: usize = 200;

/// Keeps records in a folder.
#[derive(Debug, Clone)]
pub struct FileRecords {
    folder: PathBuf,
}

impl FileRecords {
    /// Records in `folder`, which is made (0700, ignored by git) with the first of them. Beside documents it is
    /// called [`FOLDER`].
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// The folder, which is never source or target.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the record of a sync lies.
    pub fn path(&self, sync: &SyncId) -> PathBuf {
        // A namespace holds no dot, so no two syncs share a name.
        let name = format!("{}.{}", sync.namespace, sync.name);
        let name = if name.len() <= MAX_NAME_BYTES {
            name
        } else {
            let digest = Sha256::digest(name.as_bytes());
            format!("sha256-{}", penstock_domain::keys::hex(&digest))
        };
        self.folder.join(name + ENDING)
    }

    /// Records in the folder that belong to none of `syncs`; none where there is no folder.
    pub fn of_others<'a>(&self, syncs: impl Iterator<Item = &'a SyncId>) -> Vec<PathBuf> {
        let known: Vec<PathBuf> = syncs.map(|sync| self.path(sync)).collect();
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return Vec::new();
        };
        let mut others: Vec<PathBuf> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                path.as_os_str()
                    .as_encoded_bytes()
                    .ends_with(ENDING.as_bytes())
            })
            .filter(|path| !known.contains(path))
            .collect();
        others.sort();
        others
    }

    fn make_folder(&self) -> Result<(), FileFailure> {
        let made = DirBuilder::new().mode(0o700).create(&self.folder);
        match made {
            Ok(()) => fs::write(self.folder.join(".gitignore"), "*\n")
                .map_err(FileFailure::system("write beside")),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(FileFailure::NoFolder),
            Err(source) => Err(FileFailure::System {
                act: "make the folder of",
                source,
            }),
        }
    }
}

fn load(path: &Path) -> Result<Option<StoredRecord>, FileFailure> {
    let Some(standing) = bounded::read(path)? else {
        return Ok(None);
    };
    let sealed = standing.bytes.strip_prefix(MARK);
    let sealed = sealed.ok_or(FileFailure::NotRecord)?.to_vec();
    Ok(Some(StoredRecord {
        version: version(&sealed),
        sealed,
    }))
}

fn version(sealed: &[u8]) -> RecordVersion {
    RecordVersion(penstock_domain::keys::hex(&Sha256::digest(sealed)))
}

fn save(
    path: &Path,
    sealed: &[u8],
    expected: Option<&RecordVersion>,
) -> Result<RecordVersion, FileFailure> {
    let folder = Folder::of(path)?;
    let before = bounded::read(path)?;
    let found = load(path)?.map(|stored| stored.version);
    if found.as_ref() != expected {
        return Err(FileFailure::Changed);
    }
    let mut bytes = Vec::with_capacity(MARK.len() + sealed.len());
    bytes.extend_from_slice(MARK);
    bytes.extend_from_slice(sealed);
    folder.replace(path, &bytes, before.as_ref(), 0o600)?;
    Ok(version(sealed))
}

fn subject(sync: &SyncId) -> String {
    format!("record of {sync}")
}

async fn blocking<T: Send + 'static>(
    sync: &SyncId,
    work: impl FnOnce() -> Result<T, FileFailure> + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or(Err(FileFailure::Cut))
        .map_err(|failure| failure.fault(subject(sync)))
}

#[async_trait]
impl Records for FileRecords {
    async fn load(&self, sync: &SyncId) -> Result<Option<StoredRecord>, Fault> {
        let path = self.path(sync);
        blocking(sync, move || load(&path)).await
    }

    async fn save(
        &self,
        sync: &SyncId,
        sealed: Vec<u8>,
        expected: Option<&RecordVersion>,
    ) -> Result<RecordVersion, Fault> {
        if sealed.len() > MAX_SEALED_BYTES {
            let message = format!("is larger than the {MAX_SEALED_BYTES} bytes that are kept");
            let fault = Fault::new(FaultClass::Invalid, subject(sync), message);
            return Err(fault.because(Reason::TooLarge));
        }
        let (records, path, expected) = (self.clone(), self.path(sync), expected.cloned());
        blocking(sync, move || {
            records.make_folder()?;
            save(&path, &sealed, expected.as_ref())
        })
        .await
    }

    async fn delete(&self, sync: &SyncId) -> Result<(), Fault> {
        let path = self.path(sync);
        blocking(sync, move || match Folder::of(&path) {
            Err(FileFailure::NoFolder) => Ok(()),
            folder => folder?.remove(&path),
        })
        .await
    }
}
