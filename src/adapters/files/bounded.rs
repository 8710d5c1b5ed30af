//! Opening and reading a file without following links, blocking on a pipe or filling memory.

use std::fs::{File, Metadata, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::UNIX_EPOCH;

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::failure::FileFailure;

/// The most that is read of one file: twice what a bundle may hold, for quoting and what is not ours.
pub(crate) const MAX_FILE_BYTES: usize = 16 * 1024 * 1024;

/// The rights of everybody but the owner.
const OTHERS: u32 = 0o077;

/// A file as it is now.
pub(super) struct Standing {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) metadata: Metadata,
}

impl Standing {
    /// Names this very file: device, inode and, where the file system knows it, its birth. A file that somebody
    /// put in its place has another one, and so has one that we replaced.
    pub(super) fn identity(&self) -> String {
        let born = self.metadata.created().ok();
        let born = born.and_then(|born| born.duration_since(UNIX_EPOCH).ok());
        let born = born.map_or(0, |born| born.as_nanos());
        format!(
            "{:x}-{:x}-{born:x}",
            self.metadata.dev(),
            self.metadata.ino()
        )
    }

    /// Whether nobody but its owner may touch it.
    pub(super) fn is_private(&self) -> bool {
        self.metadata.mode() & OTHERS == 0
    }
}

/// Reads a plain file; `None` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<Standing>, FileFailure> {
    let file = match open(path) {
        Ok(file) => file,
        Err(FileFailure::Missing) => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let metadata = file.metadata().map_err(FileFailure::system("look at"))?;
    if !metadata.is_file() {
        return Err(FileFailure::NotPlain);
    }
    let expected = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    let too_large = FileFailure::TooLarge {
        limit: MAX_FILE_BYTES,
    };
    if expected > MAX_FILE_BYTES {
        return Err(too_large);
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(expected + 1));
    let limit = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX);
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(FileFailure::system("read"))?;
    if bytes.len() > MAX_FILE_BYTES {
        return Err(too_large);
    }
    Ok(Some(Standing { bytes, metadata }))
}

fn open(path: &Path) -> Result<File, FileFailure> {
    // A pipe without a writer would block, and a terminal would become ours.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .map_err(FileFailure::system("open"))
}
