//! Files as targets.
//!
//! A file has no place for marks of ours: the record alone says which of its keys are. `uid` names the very file
//! (it changes when somebody puts another one there, and when we write), `resourceVersion` its content.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use penstock_domain::fault::Fault;
use penstock_domain::formats::{FileFormat, masks};
use penstock_domain::names::SyncId;
use penstock_domain::ports::{Observation, Removal, Targets, Write, Written};
use penstock_domain::sync::{Destination, FileDestination, ValidatedTarget};

use super::access::FileAccess;
use super::bounded::{self, Standing};
use super::content::{self, Versions};
use super::failure::FileFailure;
use super::git;
use super::replace::Folder;

/// What a file of secrets is made with: its owner may read and write, nobody else.
const PRIVATE: u32 = 0o600;

/// Writes files.
#[derive(Clone)]
pub struct FileTargets {
    access: FileAccess,
    versions: Arc<Versions>,
}

impl FileTargets {
    /// Writes what `access` allows. Fails only when the operating system gives no random bytes.
    pub fn new(access: FileAccess) -> Result<Self, Fault> {
        let versions = Versions::new().map_err(|failure| failure.fault("files"))?;
        Ok(Self {
            access,
            versions: Arc::new(versions),
        })
    }

    /// Where a file lies, once it is sure that it may be written.
    async fn place(&self, file: &FileDestination) -> Result<PathBuf, FileFailure> {
        let (access, place) = (self.access.clone(), file.place.clone());
        let path = blocking(move || access.writable(&place)).await?;
        let is_runners =
            file.place.format == FileFormat::GithubEnv && self.access.github.environment.is_some();
        if !self.access.allow_tracked && !is_runners {
            git::check(&path).await?;
        }
        Ok(path)
    }

    fn names(&self, standing: &Standing) -> (String, String) {
        (standing.identity(), self.versions.of(&standing.bytes))
    }

    fn observe_at(&self, path: &Path, format: FileFormat) -> Result<Observation, FileFailure> {
        let Some(standing) = bounded::read(path)? else {
            return Ok(Observation::Absent);
        };
        let mut object = content::observed(format, &standing.bytes, self.names(&standing))?;
        object.metadata_matches = has_its_mode(&standing, format);
        let changed = standing.metadata.modified().ok();
        object.foreign_change = changed.and_then(|changed| Timestamp::try_from(changed).ok());
        Ok(content::observation(Some(object)))
    }

    fn write_at(
        &self,
        path: &Path,
        file: &FileDestination,
        write: &Write,
    ) -> Result<Written, FileFailure> {
        let format = file.place.format;
        let folder = Folder::of(path)?;
        let before = bounded::read(path)?;
        let names = before.as_ref().map(|standing| self.names(standing));
        let found = names
            .as_ref()
            .map(|(uid, version)| (uid.as_str(), version.as_str()));
        content::check(&write.precondition, found)?;
        let bytes = before.as_ref().map(|standing| standing.bytes.as_slice());
        let wanted = content::written(file, bytes, write, &content::delimiter()?)?;
        if format == FileFormat::GithubEnv
            && let Some(print) = &self.access.github.masks
        {
            print(&masks(&write.data));
        }
        if let (Some(standing), Some((uid, resource_version))) = (&before, names)
            && standing.bytes.as_slice() == wanted.expose()
            && has_its_mode(standing, format)
        {
            return Ok(Written {
                uid,
                resource_version,
            });
        }
        let mode = mode(before.as_ref(), format);
        folder.replace(path, wanted.expose(), before.as_ref(), mode)?;
        let after = bounded::read(path)?.ok_or(FileFailure::ReadBack)?;
        if after.bytes.as_slice() != wanted.expose() {
            return Err(FileFailure::ReadBack);
        }
        let (uid, resource_version) = self.names(&after);
        Ok(Written {
            uid,
            resource_version,
        })
    }

    fn remove_at(path: &Path, format: FileFormat, removal: &Removal) -> Result<(), FileFailure> {
        let folder = Folder::of(path)?;
        let Some(before) = bounded::read(path)? else {
            return Ok(());
        };
        if before.identity() != removal.uid {
            return Ok(());
        }
        let left = content::without(format, &before.bytes, &removal.keys, &content::delimiter()?)?;
        let bytes = match &left {
            None if removal.whole => return folder.remove(path),
            None => &[],
            Some(left) => left.expose(),
        };
        if bytes == before.bytes.as_slice() {
            return Ok(());
        }
        folder.replace(path, bytes, Some(&before), mode(Some(&before), format))
    }
}

/// The runner of GitHub Actions reads its file as whoever it is; every other file is ours alone.
fn mode(before: Option<&Standing>, format: FileFormat) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    match before {
        Some(before) if format == FileFormat::GithubEnv => {
            before.metadata.permissions().mode() & 0o777
        }
        _ => PRIVATE,
    }
}

fn has_its_mode(standing: &Standing, format: FileFormat) -> bool {
    format == FileFormat::GithubEnv || standing.is_private()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FileFailure> + Send + 'static,
) -> Result<T, FileFailure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or(Err(FileFailure::Cut))
}

fn subject(file: &FileDestination) -> String {
    format!("File {}", file.place.path)
}

fn file_of(target: &ValidatedTarget) -> Result<&FileDestination, Fault> {
    match &target.destination {
        Destination::File(file) => Ok(file),
        other => Err(content::not_ours(&format!(
            "{} {}",
            other.kind(),
            other.object_name()
        ))),
    }
}

#[async_trait]
impl Targets for FileTargets {
    async fn observe(&self, _: &SyncId, target: &ValidatedTarget) -> Result<Observation, Fault> {
        let file = file_of(target)?;
        let (targets, format) = (self.clone(), file.place.format);
        let observe = async {
            let path = self.place(file).await?;
            blocking(move || targets.observe_at(&path, format)).await
        };
        observe
            .await
            .map_err(|failure| failure.fault(subject(file)))
    }

    async fn write(
        &self,
        _: &SyncId,
        target: &ValidatedTarget,
        write: Write,
    ) -> Result<Written, Fault> {
        let file = file_of(target)?;
        let (targets, destination) = (self.clone(), file.clone());
        let written = async {
            let path = self.place(file).await?;
            blocking(move || targets.write_at(&path, &destination, &write)).await
        };
        written
            .await
            .map_err(|failure| failure.fault(subject(file)))
    }

    async fn remove(
        &self,
        _: &SyncId,
        target: &ValidatedTarget,
        removal: Removal,
    ) -> Result<(), Fault> {
        let file = file_of(target)?;
        let (access, place) = (self.access.clone(), file.place.clone());
        let removed = blocking(move || {
            let path = match access.writable(&place) {
                Err(FileFailure::NoFolder) => return Ok(()),
                path => path?,
            };
            Self::remove_at(&path, place.format, &removal)
        });
        removed
            .await
            .map_err(|failure| failure.fault(subject(file)))
    }
}
