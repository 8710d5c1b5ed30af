//! An env file that keys are taken out of: read once, rewritten in one step, and put aside before.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use penstock_domain::formats::{self, Delimiter, Edit, FileFormat};
use penstock_domain::names::Key;
use penstock_domain::secret::SecretValue;
use zeroize::Zeroizing;

use super::StoreVerbError;
use super::moving::content;

/// The largest file.
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// A file of keys and values as it was when it was read.
#[derive(Debug)]
pub struct EnvFile {
    /// The path as it was named.
    path: PathBuf,
    /// The file itself, behind all links.
    real: PathBuf,
    format: FileFormat,
    mode: u32,
    bytes: SecretValue,
}

impl EnvFile {
    /// Reads a file of this format.
    pub fn read(path: &Path, format: FileFormat) -> Result<Self, StoreVerbError> {
        let failed = |source| StoreVerbError::ReadFile {
            path: path.to_path_buf(),
            source,
        };
        let real = fs::canonicalize(path).map_err(failed)?;
        let (bytes, mode) = read(&real).map_err(failed)?;
        Ok(Self {
            path: path.to_path_buf(),
            real,
            format,
            mode,
            bytes,
        })
    }

    /// The path as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its keys and values.
    pub(super) fn keys(&self) -> Result<BTreeMap<String, SecretValue>, StoreVerbError> {
        let entries = formats::read(self.format, self.bytes.expose());
        entries
            .map(content)
            .map_err(|source| StoreVerbError::UnderstandFile {
                path: self.path.clone(),
                source,
            })
    }

    /// What the file holds without `keys`: everything else byte for byte.
    pub(super) fn without(&self, keys: &BTreeSet<Key>) -> Result<SecretValue, StoreVerbError> {
        let edit = Edit {
            set: &BTreeMap::new(),
            remove: keys,
        };
        // Nothing is set, so that nothing has to be delimited.
        let delimiter = Delimiter::from_random([0; 16]);
        let edited = formats::merge(self.format, self.bytes.expose(), edit, &delimiter);
        edited.map_err(|source| StoreVerbError::EditFile {
            path: self.path.clone(),
            source,
        })
    }

    /// Puts what was read into a new file of `folder` that only this user can read.
    pub(super) fn put_aside(&self, folder: &Path) -> Result<PathBuf, StoreVerbError> {
        let name = self.real.file_name().unwrap_or_default().to_string_lossy();
        let mut number = 1_u32;
        loop {
            let path = folder.join(format!("{name}.{number}"));
            match new_private(folder, &path, self.bytes.expose()) {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 10_000 => {
                    number += 1;
                }
                Err(source) => return Err(StoreVerbError::WriteFile { path, source }),
            }
        }
    }

    /// Replaces the file in one step, if it is still what was read.
    pub(super) fn replace(&self, bytes: &SecretValue) -> Result<(), StoreVerbError> {
        let failed = |source| StoreVerbError::WriteFile {
            path: self.path.clone(),
            source,
        };
        let (now, _) = read(&self.real).map_err(failed)?;
        if now != self.bytes {
            return Err(StoreVerbError::FileChanged {
                path: self.path.clone(),
            });
        }
        replace(&self.real, bytes.expose(), self.mode).map_err(failed)
    }
}

fn read(path: &Path) -> io::Result<(SecretValue, u32)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other("it is larger than 8 MiB"));
    }
    let mode = metadata.permissions().mode() & 0o777;
    Ok((SecretValue::new(std::mem::take(&mut *bytes)), mode))
}

fn new_private(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A file beside it, written and synced, takes its name.
fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = folder.join(format!(".{name}.penstock-{}", std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(bytes)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&beside, path)
    })();
    if written.is_err() {
        // What could not be finished is not left lying about; the first failure is the one that is told.
        drop(fs::remove_file(&beside));
        return written;
    }
    File::open(folder)?.sync_all()
}
