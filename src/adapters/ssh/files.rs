//! Observing, writing and removing a file on a host.
//!
//! A file has no place for marks of ours: the record alone says which of its keys are. `resourceVersion` names the
//! content; `uid` names the file as far as SFTP tells files apart.
//!
//! A command that is to run after a change is owed from the step before the change on: a file beside says so until
//! the command has ended well. Whoever is killed in between, or whose command fails, leaves it behind, and the next
//! run finds something to do.

use jiff::Timestamp;
use penstock_domain::ports::{Observation, Removal, Write, Written};
use penstock_domain::secret::SecretValue;
use penstock_domain::sync::HostFileDestination;
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::Connection;
use super::error::SshError;
use super::lock::{Held, clear_dead};
use super::place::Place;
use super::replace::{Standing, read, replace};
use super::sftp::{Open, Sftp};
use crate::files::FileFailure;
use crate::files::content::{self, Versions};

/// What all work on files needs to know.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    /// Where paths start.
    pub(super) folder: Option<&'a str>,
    /// Names contents.
    pub(super) versions: &'a Versions,
    /// Whether what a dead run left beside a file is taken away.
    pub(super) clears: bool,
}

impl Ground<'_> {
    fn names(&self, standing: &Standing) -> (String, String) {
        (
            self.versions.of(&standing.identity()),
            self.versions.of(&standing.bytes),
        )
    }

    fn written(&self, standing: &Standing) -> Written {
        let (uid, resource_version) = self.names(standing);
        Written {
            uid,
            resource_version,
        }
    }
}

/// What a file holds; `None` when there is none.
pub(super) async fn content(
    connection: &mut Connection,
    ground: Ground<'_>,
    path: &str,
) -> Result<Option<Standing>, SshError> {
    let place = Place::find(&mut connection.sftp, ground.folder, path).await;
    match place {
        Ok(place) => read(&mut connection.sftp, &place.path()).await,
        Err(SshError::File(FileFailure::NoFolder)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What stands there.
pub(super) async fn observe(
    connection: &mut Connection,
    ground: Ground<'_>,
    host: &HostFileDestination,
) -> Result<Observation, SshError> {
    let sftp = &mut connection.sftp;
    let place = Place::find(sftp, ground.folder, &host.file.place.path).await?;
    if ground.clears {
        clear_dead(sftp, &place).await?;
    }
    let Some(standing) = read(sftp, &place.path()).await? else {
        return Ok(Observation::Absent);
    };
    let due = host.command.is_some() && is_due(sftp, &place).await?;
    let names = ground.names(&standing);
    let mut object = content::observed(host.file.place.format, &standing.bytes, names)?;
    object.metadata_matches = standing.is_private() && !due;
    let changed = standing.attributes.modified.map(i64::from);
    object.foreign_change = changed.and_then(|changed| Timestamp::from_second(changed).ok());
    Ok(content::observation(Some(object)))
}

/// Writes, and runs the command that is due.
pub(super) async fn write(
    connection: &mut Connection,
    ground: Ground<'_>,
    host: &HostFileDestination,
    write: &Write,
) -> Result<Written, SshError> {
    let sftp = &mut connection.sftp;
    if !sftp.can_replace {
        return Err(SshError::NoRename);
    }
    let place = Place::find(sftp, ground.folder, &host.file.place.path).await?;
    let held = Held::take(sftp, &place).await?;
    let outcome = write_held(sftp, ground, (&place, &held), (host, write)).await;
    give_back(sftp, &place, held, &outcome).await?;
    let (written, due) = outcome?;
    if let Some(command) = host.command.as_ref().filter(|_| due) {
        connection.run(command).await?;
        let done = connection.sftp.remove(&place.due()).await;
        done.map_err(SshError::of("note the end of the command after"))?;
    }
    Ok(written)
}

/// Whether anything is due afterwards is the second half of the answer.
async fn write_held<S: AsyncRead + AsyncWrite + Unpin + Send>(
    sftp: &mut Sftp<S>,
    ground: Ground<'_>,
    (place, held): (&Place, &Held),
    (host, write): (&HostFileDestination, &Write),
) -> Result<(Written, bool), SshError> {
    let before = read(sftp, &place.path()).await?;
    let names = before.as_ref().map(|standing| ground.names(standing));
    let found = names
        .as_ref()
        .map(|(uid, version)| (uid.as_str(), version.as_str()));
    content::check(&write.precondition, found)?;
    let bytes = before.as_ref().map(|standing| standing.bytes.as_slice());
    let wanted = content::written(&host.file, bytes, write, &content::delimiter()?)?;
    let was_due = host.command.is_some() && is_due(sftp, place).await?;
    if let Some(standing) = &before
        && standing.bytes.as_slice() == wanted.expose()
        && standing.is_private()
    {
        return Ok((ground.written(standing), was_due));
    }
    let note = host.command.is_some() && !was_due;
    if note {
        make_due(sftp, place).await?;
    }
    if let Err(error) = replace(sftp, (place, held), &wanted, before.as_ref()).await {
        if note && !error.ends_connection() {
            // Nothing has changed, so nothing is due. If it stays, the command runs once too often.
            let _ = sftp.remove(&place.due()).await;
        }
        return Err(error);
    }
    let after = read_back(sftp, place, &wanted).await?;
    Ok((ground.written(&after), host.command.is_some()))
}

async fn read_back<S: AsyncRead + AsyncWrite + Unpin + Send>(
    sftp: &mut Sftp<S>,
    place: &Place,
    wanted: &SecretValue,
) -> Result<Standing, SshError> {
    let after = read(sftp, &place.path()).await?;
    after
        .filter(|after| after.bytes.as_slice() == wanted.expose())
        .ok_or(SshError::File(FileFailure::ReadBack))
}

/// Removes our keys; the file too when nothing else is left in it.
pub(super) async fn remove(
    connection: &mut Connection,
    ground: Ground<'_>,
    host: &HostFileDestination,
    removal: &Removal,
) -> Result<(), SshError> {
    let sftp = &mut connection.sftp;
    let place = match Place::find(sftp, ground.folder, &host.file.place.path).await {
        Err(SshError::File(FileFailure::NoFolder)) => return Ok(()),
        place => place?,
    };
    if sftp
        .stat_link(&place.path())
        .await
        .map_err(SshError::of("find"))?
        .is_none()
    {
        return Ok(());
    }
    if !sftp.can_replace {
        return Err(SshError::NoRename);
    }
    let held = Held::take(sftp, &place).await?;
    let outcome = remove_held(sftp, ground, (&place, &held), (host, removal)).await;
    give_back(sftp, &place, held, &outcome).await?;
    outcome
}

async fn remove_held<S: AsyncRead + AsyncWrite + Unpin + Send>(
    sftp: &mut Sftp<S>,
    ground: Ground<'_>,
    (place, held): (&Place, &Held),
    (host, removal): (&HostFileDestination, &Removal),
) -> Result<(), SshError> {
    let Some(before) = read(sftp, &place.path()).await? else {
        return Ok(());
    };
    let (uid, _) = ground.names(&before);
    if uid != removal.uid {
        return Ok(());
    }
    let format = host.file.place.format;
    let left = content::without(format, &before.bytes, &removal.keys, &content::delimiter()?)?;
    let left = match left {
        None if removal.whole => {
            let removed = sftp.remove(&place.path()).await;
            return removed.map_err(SshError::of("remove"));
        }
        None => SecretValue::new([]),
        Some(left) => left,
    };
    if left.expose() == before.bytes.as_slice() {
        return Ok(());
    }
    replace(sftp, (place, held), &left, Some(&before)).await
}

/// A lock that cannot be given back is cleared by the next run; what the work came to matters more.
async fn give_back<S: AsyncRead + AsyncWrite + Unpin + Send, T>(
    sftp: &mut Sftp<S>,
    place: &Place,
    held: Held,
    outcome: &Result<T, SshError>,
) -> Result<(), SshError> {
    match outcome {
        Ok(_) => held.give_back(sftp, place).await,
        Err(error) if error.ends_connection() => Ok(()),
        Err(_) => {
            drop(held.give_back(sftp, place).await);
            Ok(())
        }
    }
}

async fn is_due<S: AsyncRead + AsyncWrite + Unpin + Send>(
    sftp: &mut Sftp<S>,
    place: &Place,
) -> Result<bool, SshError> {
    let noted = sftp.stat_link(&place.due()).await;
    Ok(noted.map_err(SshError::of("look beside"))?.is_some())
}

async fn make_due<S: AsyncRead + AsyncWrite + Unpin + Send>(
    sftp: &mut Sftp<S>,
    place: &Place,
) -> Result<(), SshError> {
    let noting = SshError::of("note the command after");
    let file = sftp.open(&place.due(), Open::Anew).await.map_err(&noting)?;
    sftp.close(file).await.map_err(&noting)
}
