//! One run at a time per file, of all machines that write it.
//!
//! SFTP has no lock that goes with whoever holds it. So there is a file beside, which only one can make, and which
//! names the temporary file of its holder. Whoever finds one that shows no life for a while takes both away: the
//! holder, if it only slept, finds its temporary file gone and replaces nothing any more.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep};

use super::error::SshError;
use super::place::Place;
use super::sftp::{Open, Sftp, SftpError, Status};
use crate::files::FileFailure;

/// A holder that changes nothing for so long was killed, or has lost the host.
const DEAD_AFTER: Duration = Duration::from_secs(5);
/// How long a run waits for others that are alive.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it looks.
const AGAIN: Duration = Duration::from_millis(100);
/// How often a lock may be refused although nobody holds it: once, and it was given back meanwhile; always, and the
/// disk is full.
const MAX_REFUSALS: u32 = 5;
/// The most that is read of a lock.
const MAX_LOCK_BYTES: usize = 512;

/// The lock, held.
pub(super) struct Held {
    /// Where the temporary file of the holder lies.
    pub(super) temporary: String,
    name: String,
}

/// What a lock looks like: whose it is, and how far its holder has come.
#[derive(PartialEq, Eq)]
struct Look {
    name: Vec<u8>,
    written: Option<u64>,
}

impl Held {
    /// Waits until it is ours.
    pub(super) async fn take<S: AsyncRead + AsyncWrite + Unpin + Send>(
        sftp: &mut Sftp<S>,
        place: &Place,
    ) -> Result<Self, SshError> {
        let name = place.new_temporary()?;
        let temporary = place
            .temporary(name.as_bytes())
            .ok_or(FileFailure::NotPlain)?;
        let began = Instant::now();
        let mut last: Option<(Look, Instant)> = None;
        let mut refused = 0;
        loop {
            if make(sftp, place, &name).await? {
                return Ok(Self { temporary, name });
            }
            let Some(look) = Look::at(sftp, place).await? else {
                refused += 1;
                if refused > MAX_REFUSALS {
                    return Err(SshError::of("lock")(SftpError::Status(Status::Failure)));
                }
                sleep(AGAIN).await;
                continue;
            };
            match &last {
                Some((before, since)) if *before == look => {
                    if since.elapsed() >= DEAD_AFTER {
                        look.clear(sftp, place).await?;
                        last = None;
                        continue;
                    }
                }
                _ => last = Some((look, Instant::now())),
            }
            if began.elapsed() >= PATIENCE {
                return Err(FileFailure::Locked.into());
            }
            sleep(AGAIN).await;
        }
    }

    /// Gives it back, if it is still ours.
    pub(super) async fn give_back<S: AsyncRead + AsyncWrite + Unpin + Send>(
        self,
        sftp: &mut Sftp<S>,
        place: &Place,
    ) -> Result<(), SshError> {
        match Look::at(sftp, place).await? {
            Some(look) if look.name == self.name.as_bytes() => sftp
                .remove(&place.lock())
                .await
                .map_err(SshError::of("unlock")),
            _ => Ok(()),
        }
    }
}

/// Takes away the lock of a run that was killed after its last step but one: where the file holds what it should,
/// nobody would take the lock again. One that is alive is left alone as soon as it shows.
pub(super) async fn clear_dead<S: AsyncRead + AsyncWrite + Unpin + Send>(
    sftp: &mut Sftp<S>,
    place: &Place,
) -> Result<(), SshError> {
    let Some(first) = Look::at(sftp, place).await? else {
        return Ok(());
    };
    let began = Instant::now();
    while began.elapsed() < DEAD_AFTER {
        sleep(AGAIN).await;
        if Look::at(sftp, place).await?.is_none_or(|now| now != first) {
            return Ok(());
        }
    }
    first.clear(sftp, place).await
}

/// Makes the lock, unless there is one, or the server fails.
async fn make<S: AsyncRead + AsyncWrite + Unpin + Send>(
    sftp: &mut Sftp<S>,
    place: &Place,
    name: &str,
) -> Result<bool, SshError> {
    let (path, locking) = (place.lock(), SshError::of("lock"));
    let file = match sftp.open(&path, Open::New).await {
        Ok(file) => file,
        // Servers say no more than that about a file that exists.
        Err(SftpError::Status(Status::Failure)) => return Ok(false),
        Err(error) => return Err(locking(error)),
    };
    sftp.write(&file, name.as_bytes()).await.map_err(&locking)?;
    sftp.close(file).await.map_err(&locking)?;
    Ok(true)
}

impl Look {
    /// None when nobody holds it.
    async fn at<S: AsyncRead + AsyncWrite + Unpin + Send>(
        sftp: &mut Sftp<S>,
        place: &Place,
    ) -> Result<Option<Self>, SshError> {
        let looking = SshError::of("look at the lock of");
        let file = match sftp.open(&place.lock(), Open::Read).await {
            Ok(file) => file,
            Err(SftpError::Status(Status::NoSuchFile)) => return Ok(None),
            Err(error) => return Err(looking(error)),
        };
        let name = sftp.read(&file, 0).await.map_err(&looking)?;
        sftp.close(file).await.map_err(&looking)?;
        let mut name = name.map(|name| name.expose().to_vec()).unwrap_or_default();
        name.truncate(MAX_LOCK_BYTES);
        let written = match place.temporary(&name) {
            Some(path) => sftp.stat_link(&path).await.map_err(&looking)?,
            None => None,
        };
        Ok(Some(Self {
            written: written.and_then(|written| written.size),
            name,
        }))
    }

    /// Takes away what a dead holder left behind.
    async fn clear<S: AsyncRead + AsyncWrite + Unpin + Send>(
        self,
        sftp: &mut Sftp<S>,
        place: &Place,
    ) -> Result<(), SshError> {
        let clearing = SshError::of("clear up after a run that was cut off at");
        if let Some(temporary) = place.temporary(&self.name) {
            sftp.remove(&temporary).await.map_err(&clearing)?;
        }
        sftp.remove(&place.lock()).await.map_err(&clearing)
    }
}
