//! Where OpenSSH's programs are: on this machine, or fetched from Debian into the user's cache.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::tools::{CacheError, Draft, Taken, cache_directory};

/// The packages that hold them. The release is that of the machine.
const PACKAGES: [&str; 3] = ["openssh-server", "openssh-client", "libwrap0"];
/// The folder in the cache.
const FOLDER: &str = "openssh";

/// Why there is no OpenSSH.
#[derive(Debug, thiserror::Error)]
pub enum NoPrograms {
    /// Neither installed nor to be had.
    #[error(
        "no sshd and ssh-keygen here, and no Debian packages to take them from (`apt install openssh-server`)"
    )]
    Missing,
    /// The cache cannot be used.
    #[error("cannot use the cache")]
    UseCache(#[source] CacheError),
    /// A package could not be fetched or unpacked.
    #[error("cannot fetch OpenSSH")]
    Fetch(#[source] io::Error),
}

/// OpenSSH's programs.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    pub(super) sshd: PathBuf,
    pub(super) keygen: PathBuf,
    /// Folders with libraries that they need besides the system's.
    pub(super) libraries: String,
}

impl Programs {
    /// Those of this machine, else those of the cache, else those of Debian. Blocks while it fetches.
    pub(super) fn find() -> Result<Self, NoPrograms> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        if let Some(programs) = Self::installed(&path) {
            return Ok(programs);
        }
        let cache = cache_directory().map_err(NoPrograms::UseCache)?;
        let taken = Draft::take(&cache, FOLDER, FOLDER, || {});
        if let Taken::Draft(draft) = taken.map_err(NoPrograms::UseCache)? {
            fetch(draft.path())?;
            draft.finish("out").map_err(NoPrograms::UseCache)?;
        }
        Self::under(&cache.join(FOLDER)).ok_or(NoPrograms::Missing)
    }

    fn installed(path: &OsStr) -> Option<Self> {
        let folders = std::env::split_paths(path).chain(["/usr/sbin".into(), "/usr/bin".into()]);
        let folders: Vec<PathBuf> = folders.collect();
        let find = |name: &str| {
            let mut places = folders.iter().map(|folder| folder.join(name));
            places.find(|place| place.is_file())
        };
        Some(Self {
            sshd: find("sshd")?,
            keygen: find("ssh-keygen")?,
            libraries: String::new(),
        })
    }

    fn under(root: &Path) -> Option<Self> {
        let (sshd, keygen) = (root.join("usr/sbin/sshd"), root.join("usr/bin/ssh-keygen"));
        let mut libraries = Vec::new();
        for folder in ["lib", "usr/lib"] {
            for entry in fs::read_dir(root.join(folder))
                .into_iter()
                .flatten()
                .flatten()
            {
                libraries.push(entry.path().display().to_string());
            }
        }
        (sshd.is_file() && keygen.is_file()).then(|| Self {
            sshd,
            keygen,
            libraries: libraries.join(":"),
        })
    }
}

fn fetch(draft: &Path) -> Result<(), NoPrograms> {
    let out = draft.join("out");
    fs::create_dir_all(&out).map_err(NoPrograms::Fetch)?;
    let mut download = vec!["download"];
    download.extend(PACKAGES);
    run(draft, "apt-get", &download)?;
    for entry in fs::read_dir(draft).map_err(NoPrograms::Fetch)? {
        let path = entry.map_err(NoPrograms::Fetch)?.path();
        if path.extension() == Some(OsStr::new("deb")) {
            let (package, out) = (path.display().to_string(), out.display().to_string());
            run(draft, "dpkg", &["-x", &package, &out])?;
        }
    }
    Ok(())
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> Result<(), NoPrograms> {
    let status = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        // No such program, no such package, no network: it cannot be had here.
        Ok(_) | Err(_) => Err(NoPrograms::Missing),
    }
}
