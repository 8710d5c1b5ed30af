//! One visible step per file: a temporary file beside it, made durable, then renamed over it. One run at a time
//! per folder, by an advisory lock on the folder itself, which leaves no lock file behind.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::bounded::Standing;
use super::failure::FileFailure;

/// How long a run waits for another one in the same folder.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it looks whether the other one is done.
const AGAIN: Duration = Duration::from_millis(10);
/// What the names of temporary files have behind the name of the file.
const TEMPORARY: &str = ".penstock-";

/// A folder that no other run writes in while this is held.
pub(super) struct Folder {
    path: PathBuf,
    handle: File,
}

impl Folder {
    /// Waits for the folder of `file`, for at most [`PATIENCE`].
    pub(super) fn of(file: &Path) -> Result<Self, FileFailure> {
        let path = file.parent().ok_or(FileFailure::NotPlain)?.to_owned();
        let handle = File::open(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => FileFailure::NoFolder,
            _ => FileFailure::System {
                act: "open the folder of",
                source,
            },
        })?;
        let started = Instant::now();
        loop {
            match handle.try_lock() {
                Ok(()) => return Ok(Self { path, handle }),
                Err(TryLockError::WouldBlock) if started.elapsed() < PATIENCE => {
                    std::thread::sleep(AGAIN);
                }
                Err(TryLockError::WouldBlock) => return Err(FileFailure::Locked),
                Err(TryLockError::Error(source)) => {
                    return Err(FileFailure::System {
                        act: "lock the folder of",
                        source,
                    });
                }
            }
        }
    }

    /// Puts `bytes` in the place of `file`, which stands as `before` says. `mode` are its permissions.
    pub(super) fn replace(
        &self,
        file: &Path,
        bytes: &[u8],
        before: Option<&Standing>,
        mode: u32,
    ) -> Result<(), FileFailure> {
        let name = file.file_name().ok_or(FileFailure::NotPlain)?;
        self.sweep(name);
        let temporary = self.path.join(temporary_name(name)?);
        let outcome = write(&temporary, bytes, before, mode)
            .and_then(|()| fs::rename(&temporary, file).map_err(FileFailure::system("replace")));
        if outcome.is_err() {
            // It holds secrets. If it cannot be removed either, the next run will.
            drop(fs::remove_file(&temporary));
        }
        outcome?;
        self.settle()
    }

    /// Removes `file`. Absence is success.
    pub(super) fn remove(&self, file: &Path) -> Result<(), FileFailure> {
        match fs::remove_file(file) {
            Ok(()) => self.settle(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(FileFailure::System {
                act: "remove",
                source,
            }),
        }
    }

    /// Makes the folder's entries durable.
    fn settle(&self) -> Result<(), FileFailure> {
        self.handle
            .sync_all()
            .map_err(FileFailure::system("make durable"))
    }

    /// Removes what runs left behind that were killed between writing and renaming: nobody else writes here now.
    fn sweep(&self, name: &OsStr) {
        let Ok(entries) = fs::read_dir(&self.path) else {
            return;
        };
        let beginning = temporary_prefix(name);
        for entry in entries.flatten() {
            let left = entry.file_name();
            if left
                .as_encoded_bytes()
                .starts_with(beginning.as_encoded_bytes())
            {
                // Whoever cannot remove it now meets it again.
                drop(fs::remove_file(entry.path()));
            }
        }
    }
}

fn temporary_prefix(name: &OsStr) -> OsString {
    let mut prefix = OsString::new();
    if !name.as_encoded_bytes().starts_with(b".") {
        prefix.push(".");
    }
    prefix.push(name);
    prefix.push(TEMPORARY);
    prefix
}

fn temporary_name(name: &OsStr) -> Result<OsString, FileFailure> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|_| FileFailure::NoRandomness)?;
    let mut temporary = temporary_prefix(name);
    temporary.push(penstock_domain::keys::hex(&random));
    Ok(temporary)
}

fn write(
    temporary: &Path,
    bytes: &[u8],
    before: Option<&Standing>,
    mode: u32,
) -> Result<(), FileFailure> {
    let failed = FileFailure::system("write");
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(temporary)
        .map_err(&failed)?;
    if let Some(before) = before {
        keep_owner(&file, before)?;
    }
    file.set_permissions(fs::Permissions::from_mode(mode))
        .map_err(&failed)?;
    file.write_all(bytes).map_err(&failed)?;
    file.sync_all().map_err(FileFailure::system("make durable"))
}

/// A file that belongs to somebody else (root renders what a service reads) keeps belonging to them.
fn keep_owner(file: &File, before: &Standing) -> Result<(), FileFailure> {
    let ours = file.metadata().map_err(FileFailure::system("look at"))?;
    let (owner, group) = (before.metadata.uid(), before.metadata.gid());
    if ours.uid() != owner {
        return fchown(file, Some(owner), Some(group)).map_err(|_| FileFailure::OtherOwner);
    }
    if ours.gid() != group {
        // The group has no rights on it; a folder that hands on its own is no reason to fail.
        drop(fchown(file, None, Some(group)));
    }
    Ok(())
}
