//! Reading a file, and putting another one in its place in one visible step.

use penstock_domain::secret::SecretValue;
use tokio::io::{AsyncRead, AsyncWrite};
use zeroize::Zeroizing;

use super::error::SshError;
use super::lock::Held;
use super::place::Place;
use super::sftp::{Attributes, FileHandle, Open, PIECE, Sftp, SftpError, Status};
use crate::files::{FileFailure, MAX_FILE_BYTES};

/// What kind of file it is, in a mode.
const KIND: u32 = 0o170_000;
/// A plain file.
const PLAIN: u32 = 0o100_000;
/// The rights of everybody but the owner.
const OTHERS: u32 = 0o077;
/// What a file of secrets is made with: its owner may read and write, nobody else.
const PRIVATE: u32 = 0o600;

/// A file as it is now.
pub(super) struct Standing {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) attributes: Attributes,
}

impl Standing {
    /// Whether nobody but its owner may touch it.
    pub(super) fn is_private(&self) -> bool {
        self.attributes.mode.is_some_and(|mode| mode & OTHERS == 0)
    }

    /// What can be told of which file it is: SFTP has no more than its owner and its mode.
    pub(super) fn identity(&self) -> Vec<u8> {
        let (user, group) = self.attributes.owner.unwrap_or_default();
        let mode = self.attributes.mode.unwrap_or_default();
        [user, group, mode].map(u32::to_be_bytes).concat()
    }

    fn is_as(&self, other: &Self) -> bool {
        self.bytes == other.bytes && self.identity() == other.identity()
    }
}

/// Reads a plain file; `None` when there is none.
pub(super) async fn read<S: AsyncRead + AsyncWrite + Unpin + Send>(
    sftp: &mut Sftp<S>,
    path: &str,
) -> Result<Option<Standing>, SshError> {
    let reading = SshError::of("read");
    // A pipe would hold the server up as soon as it is opened.
    let Some(attributes) = sftp.stat_link(path).await.map_err(&reading)? else {
        return Ok(None);
    };
    check(&attributes)?;
    let file = match sftp.open(path, Open::Read).await {
        Ok(file) => file,
        Err(SftpError::Status(Status::NoSuchFile)) => return Ok(None),
        Err(error) => return Err(reading(error)),
    };
    let attributes = sftp.stat_open(&file).await.map_err(&reading)?;
    let outcome = match check(&attributes) {
        Ok(size) => read_open(sftp, &file, size).await,
        Err(error) => Err(error),
    };
    if !outcome.as_ref().is_err_and(SshError::ends_connection) {
        sftp.close(file).await.map_err(&reading)?;
    }
    let bytes = outcome?;
    Ok(Some(Standing { bytes, attributes }))
}

/// The size of a plain file that is not too large.
fn check(attributes: &Attributes) -> Result<usize, SshError> {
    if attributes.mode.is_none_or(|mode| mode & KIND != PLAIN) {
        return Err(FileFailure::NotPlain.into());
    }
    let size = attributes.size.unwrap_or_default();
    let size = usize::try_from(size).ok();
    size.filter(|size| *size <= MAX_FILE_BYTES)
        .ok_or_else(too_large)
}

fn too_large() -> SshError {
    let limit = MAX_FILE_BYTES;
    FileFailure::TooLarge { limit }.into()
}

async fn read_open<S: AsyncRead + AsyncWrite + Unpin + Send>(
    sftp: &mut Sftp<S>,
    file: &FileHandle,
    size: usize,
) -> Result<Zeroizing<Vec<u8>>, SshError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(size));
    while let Some(piece) = sftp
        .read(file, bytes.len() as u64)
        .await
        .map_err(SshError::of("read"))?
    {
        if bytes.len() + piece.len() > MAX_FILE_BYTES {
            return Err(too_large());
        }
        if bytes.len() + piece.len() > bytes.capacity() {
            bytes = roomier(&bytes);
        }
        bytes.extend_from_slice(piece.expose());
    }
    Ok(bytes)
}

/// The same with room for more: a file that grows while it is read. What is outgrown is wiped, which growing in
/// place would not do.
fn roomier(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut roomier = Zeroizing::new(Vec::with_capacity(2 * bytes.len() + PIECE));
    roomier.extend_from_slice(bytes);
    roomier
}

/// Puts `bytes` in the place of the file, which stands as `before` says.
pub(super) async fn replace<S: AsyncRead + AsyncWrite + Unpin + Send>(
    sftp: &mut Sftp<S>,
    (place, held): (&Place, &Held),
    bytes: &SecretValue,
    before: Option<&Standing>,
) -> Result<(), SshError> {
    let outcome = try_replace(sftp, (place, held), bytes, before).await;
    if let Err(error) = &outcome
        && !error.ends_connection()
    {
        // It holds secrets. If it cannot be removed either, the next run will.
        let _ = sftp.remove(&held.temporary).await;
    }
    outcome
}

async fn try_replace<S: AsyncRead + AsyncWrite + Unpin + Send>(
    sftp: &mut Sftp<S>,
    (place, held): (&Place, &Held),
    bytes: &SecretValue,
    before: Option<&Standing>,
) -> Result<(), SshError> {
    let writing = SshError::of("write");
    let file = sftp
        .open(&held.temporary, Open::New)
        .await
        .map_err(&writing)?;
    fill(sftp, &file, bytes, before).await?;
    sftp.close(file).await.map_err(&writing)?;
    let now = read(sftp, &place.path()).await?;
    let as_it_was = match (before, &now) {
        (None, None) => true,
        (Some(before), Some(now)) => now.is_as(before),
        _ => false,
    };
    if !as_it_was {
        return Err(FileFailure::Changed.into());
    }
    match sftp.replace(&held.temporary, &place.path()).await {
        // Somebody has taken the lock from us, and the temporary file with it.
        Err(SftpError::Status(Status::NoSuchFile)) => Err(FileFailure::Changed.into()),
        other => other.map_err(SshError::of("replace")),
    }
}

async fn fill<S: AsyncRead + AsyncWrite + Unpin + Send>(
    sftp: &mut Sftp<S>,
    file: &FileHandle,
    bytes: &SecretValue,
    before: Option<&Standing>,
) -> Result<(), SshError> {
    let writing = SshError::of("write");
    if let Some(before) = before {
        keep_owner(sftp, file, before).await?;
    }
    let private = Attributes {
        mode: Some(PRIVATE),
        ..Attributes::default()
    };
    sftp.set_open(file, &private).await.map_err(&writing)?;
    sftp.write(file, bytes.expose()).await.map_err(&writing)?;
    sftp.make_durable(file)
        .await
        .map_err(SshError::of("make durable"))
}

/// A file that belongs to somebody else (root renders what a service reads) keeps belonging to them.
async fn keep_owner<S: AsyncRead + AsyncWrite + Unpin + Send>(
    sftp: &mut Sftp<S>,
    file: &FileHandle,
    before: &Standing,
) -> Result<(), SshError> {
    let ours = sftp
        .stat_open(file)
        .await
        .map_err(SshError::of("look at"))?;
    let (Some(ours), Some(owner)) = (ours.owner, before.attributes.owner) else {
        return Ok(());
    };
    if ours == owner {
        return Ok(());
    }
    let attributes = Attributes {
        owner: Some(owner),
        ..Attributes::default()
    };
    match sftp.set_open(file, &attributes).await {
        // The group has no rights on it; a folder that hands on its own is no reason to fail.
        Err(SftpError::Status(_)) if ours.0 == owner.0 => Ok(()),
        Err(SftpError::Status(_)) => Err(FileFailure::OtherOwner.into()),
        other => other.map_err(SshError::of("write")),
    }
}
