//! Which file of the host a path means.

use tokio::io::{AsyncRead, AsyncWrite};

use super::error::SshError;
use super::sftp::{Sftp, SftpError, Status};
use crate::files::FileFailure;

/// What the names of temporary files have behind the name of the file, as on this machine.
const TEMPORARY: &str = ".penstock-";
/// What the lock has behind the name of the file.
const LOCK: &str = ".penstock.lock";
/// What tells that a command is still due has behind the name of the file.
const DUE: &str = ".penstock.due";

/// A file, all links followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    folder: String,
    name: String,
}

impl Place {
    /// The file that `path` means in `folder`; none is the folder that the user lands in. The file itself may be
    /// missing, its folder may not, and it must not lie outside of `folder`.
    pub(super) async fn find<S: AsyncRead + AsyncWrite + Unpin + Send>(
        sftp: &mut Sftp<S>,
        folder: Option<&str>,
        path: &str,
    ) -> Result<Self, SshError> {
        let root = folder_at(sftp, folder.unwrap_or(".")).await?;
        let named = Self::parse(&join(&root, path))?;
        let find = SshError::of("find");
        let real = if sftp
            .stat_link(&named.path())
            .await
            .map_err(&find)?
            .is_none()
        {
            let folder = folder_at(sftp, &named.folder).await?;
            Self { folder, ..named }
        } else if sftp.stat(&named.path()).await.map_err(&find)?.is_none() {
            return Err(FileFailure::DanglingLink.into());
        } else {
            Self::parse(&sftp.real_path(&named.path()).await.map_err(&find)?)?
        };
        real.check(&root)?;
        Ok(real)
    }

    fn parse(path: &str) -> Result<Self, SshError> {
        let (folder, name) = path.rsplit_once('/').ok_or(FileFailure::NotPlain)?;
        if name.is_empty() {
            return Err(FileFailure::NotPlain.into());
        }
        Ok(Self {
            folder: if folder.is_empty() { "/" } else { folder }.to_owned(),
            name: name.to_owned(),
        })
    }

    fn check(&self, root: &str) -> Result<(), SshError> {
        let below = match self.folder.strip_prefix(root) {
            _ if root == "/" => self.folder.as_str(),
            Some(below) if below.is_empty() || below.starts_with('/') => below,
            _ => return Err(SshError::Outside),
        };
        let mut segments = below.split('/').chain([self.name.as_str()]);
        if segments.any(|segment| segment.eq_ignore_ascii_case(".git")) {
            return Err(SshError::InGitFolder);
        }
        Ok(())
    }

    /// The path.
    pub(super) fn path(&self) -> String {
        join(&self.folder, &self.name)
    }

    /// Where the lock lies.
    pub(super) fn lock(&self) -> String {
        self.beside(LOCK)
    }

    /// Where it stands that a command is due.
    pub(super) fn due(&self) -> String {
        self.beside(DUE)
    }

    /// A name for a temporary file that nobody else has.
    pub(super) fn new_temporary(&self) -> Result<String, SshError> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| FileFailure::NoRandomness)?;
        let digits = penstock_domain::keys::hex(&random);
        Ok(self.hidden(&format!("{TEMPORARY}{digits}")))
    }

    /// The path of a temporary file of this name; none where the name is no such name.
    pub(super) fn temporary(&self, name: &[u8]) -> Option<String> {
        let name = std::str::from_utf8(name).ok()?;
        let digits = name.strip_prefix(&self.hidden(TEMPORARY))?;
        let is_ours = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_ours.then(|| join(&self.folder, name))
    }

    fn beside(&self, suffix: &str) -> String {
        join(&self.folder, &self.hidden(suffix))
    }

    fn hidden(&self, suffix: &str) -> String {
        let dot = if self.name.starts_with('.') { "" } else { "." };
        format!("{dot}{}{suffix}", self.name)
    }
}

async fn folder_at<S: AsyncRead + AsyncWrite + Unpin + Send>(
    sftp: &mut Sftp<S>,
    path: &str,
) -> Result<String, SshError> {
    let folder = match sftp.real_path(path).await {
        Ok(folder) => folder,
        Err(SftpError::Status(Status::NoSuchFile)) => return Err(FileFailure::NoFolder.into()),
        Err(error) => return Err(SshError::of("find the folder of")(error)),
    };
    // Some servers make up the rest of a path that leads nowhere.
    match sftp.stat(&folder).await {
        Ok(Some(_)) => Ok(folder),
        Ok(None) => Err(FileFailure::NoFolder.into()),
        Err(error) => Err(SshError::of("find the folder of")(error)),
    }
}

fn join(folder: &str, name: &str) -> String {
    let folder = folder.trim_end_matches('/');
    format!("{folder}/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str) -> Place {
        Place::parse(path).unwrap()
    }

    #[test]
    fn a_file_lies_in_the_folder_or_below_it_on_segment_borders() {
        for (path, root, inside) in [
            ("/srv/app/.env", "/srv/app", true),
            ("/srv/app/deploy/.env", "/srv/app", true),
            ("/srv/apple/.env", "/srv/app", false),
            ("/srv/.env", "/srv/app", false),
            ("/.env", "/", true),
            ("/etc/x", "/", true),
        ] {
            assert_eq!(place(path).check(root).is_ok(), inside, "{path} in {root}");
        }
        for path in [
            "/srv/app/.git/config",
            "/srv/app/.GIT/hooks/x",
            "/srv/app/.git",
        ] {
            let refusal = place(path).check("/srv/app");
            assert!(matches!(refusal, Err(SshError::InGitFolder)), "{path}");
        }
        // A folder that is a work tree's is the business of whoever chose it.
        assert!(place("/x/.git/wt/.env").check("/x/.git/wt").is_ok());
    }

    #[test]
    fn what_lies_beside_a_file_is_hidden_and_known_again() {
        let (env, json) = (place("/a/.env"), place("/a.json"));
        assert_eq!(env.lock(), "/a/.env.penstock.lock");
        assert_eq!(json.due(), "/.a.json.penstock.due");
        let name = json.new_temporary().unwrap();
        assert_eq!(json.temporary(name.as_bytes()), Some(format!("/{name}")));
        for other in [
            "",
            ".a.json.penstock-",
            ".a.json.penstock-../../x",
            "x",
            ".env",
        ] {
            assert_eq!(json.temporary(other.as_bytes()), None, "{other}");
        }
        assert_eq!(env.temporary(name.as_bytes()), None);
        assert!(Place::parse("/a/").is_err() && Place::parse("a").is_err());
    }
}
