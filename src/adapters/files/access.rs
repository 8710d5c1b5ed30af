//! Which file a path of a document means, and whether it may be touched.
//!
//! Documents are code: what they name is looked at before it is opened. Paths start in the folder of the
//! document. A target must lie in that folder (or in `--root`), also after all links are followed, and never in
//! git's own folder; a source may lie anywhere. What Penstock keeps for itself is neither.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use penstock_domain::sync::FilePlace;

use super::failure::FileFailure;

/// The path that stands for the file which the runner of GitHub Actions named.
const GITHUB_ENV: &str = "$GITHUB_ENV";

/// What an invocation allows.
#[derive(Clone, Default)]
pub struct FileAccess {
    /// Targets lie below it; without one, below the folder of their document (`--root`).
    pub root: Option<PathBuf>,
    /// Targets may lie anywhere (`--allow-outside`).
    pub allow_outside: bool,
    /// Targets may be files that git tracks or does not ignore (`--allow-tracked`).
    pub allow_tracked: bool,
    /// Files that are never source or target: keys and records of Penstock. A folder stands for all in it.
    pub reserved: Vec<PathBuf>,
    /// What the runner of GitHub Actions gave this process.
    pub github: GithubFiles,
}

/// Takes workflow commands.
pub type Masks = Arc<dyn Fn(&str) + Send + Sync>;

/// What the runner of GitHub Actions gives the steps of a job.
#[derive(Clone, Default)]
pub struct GithubFiles {
    /// The file that `$GITHUB_ENV` names.
    pub environment: Option<PathBuf>,
    /// Files of the runner that are never written: `$GITHUB_PATH`, `$GITHUB_OUTPUT`, `$GITHUB_STATE`,
    /// `$GITHUB_STEP_SUMMARY`.
    pub never: Vec<PathBuf>,
    /// Takes the workflow commands that hide values in the log, before a value is written: standard output.
    /// None outside of GitHub Actions.
    pub masks: Option<Masks>,
}

impl GithubFiles {
    /// Reads the runner's variables through `variable`. Commands for the log go to `masks`, if this is a step of
    /// GitHub Actions at all.
    pub fn of(variable: impl Fn(&str) -> Option<String>, masks: Masks) -> Self {
        if variable("GITHUB_ACTIONS").as_deref() != Some("true") {
            return Self::default();
        }
        let file = |name: &str| {
            variable(name)
                .filter(|path| !path.is_empty())
                .map(PathBuf::from)
        };
        let never = [
            "GITHUB_PATH",
            "GITHUB_OUTPUT",
            "GITHUB_STATE",
            "GITHUB_STEP_SUMMARY",
        ];
        Self {
            environment: file("GITHUB_ENV"),
            never: never.into_iter().filter_map(file).collect(),
            masks: Some(masks),
        }
    }
}

impl FileAccess {
    /// The path that a document means, before anything is looked at: what a verb announces.
    pub fn path(&self, place: &FilePlace) -> PathBuf {
        if place.path == GITHUB_ENV
            && let Some(file) = &self.github.environment
        {
            return file.clone();
        }
        place.folder.join(&place.path)
    }

    /// The real path of a file that is to be read: links are followed, also those that lead nowhere yet.
    pub(super) fn readable(&self, place: &FilePlace) -> Result<PathBuf, FileFailure> {
        if place.path == GITHUB_ENV {
            return Err(FileFailure::Reserved {
                whose: "the runner's file of GitHub Actions",
            });
        }
        let real = resolve(&self.path(place))?;
        self.check_reserved(&real)?;
        Ok(real)
    }

    /// The real path of a file that is to be written.
    pub(super) fn writable(&self, place: &FilePlace) -> Result<PathBuf, FileFailure> {
        // The runner chose that file, not the document.
        let chosen = place.path == GITHUB_ENV;
        if chosen && self.github.environment.is_none() {
            return Err(FileFailure::NoGithubEnv);
        }
        let real = resolve(&self.path(place))?;
        self.check_reserved(&real)?;
        if chosen || self.allow_outside {
            return Ok(real);
        }
        let root = self.root.as_deref().unwrap_or(&place.folder);
        let root = here(root)
            .canonicalize()
            .map_err(FileFailure::system("find"))?;
        let Ok(below) = real.strip_prefix(&root) else {
            return Err(FileFailure::Outside {
                root: root.display().to_string(),
            });
        };
        let git = |part: &OsStr| {
            part.to_str()
                .is_some_and(|part| part.eq_ignore_ascii_case(".git"))
        };
        if below.iter().any(git) {
            return Err(FileFailure::InGitFolder);
        }
        Ok(real)
    }

    fn check_reserved(&self, real: &Path) -> Result<(), FileFailure> {
        let is =
            |reserved: &PathBuf| resolve(reserved).is_ok_and(|reserved| real.starts_with(reserved));
        if self.reserved.iter().any(is) {
            return Err(FileFailure::Reserved {
                whose: "a file of Penstock's own",
            });
        }
        if self.github.never.iter().any(is) {
            return Err(FileFailure::Reserved {
                whose: "a file that the runner of GitHub Actions reads as commands",
            });
        }
        Ok(())
    }
}

/// The path of the file with all links followed. The file itself may be missing, its folder may not.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, FileFailure> {
    match path.canonicalize() {
        Ok(real) => return Ok(real),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => {
            return Err(FileFailure::System {
                act: "find",
                source,
            });
        }
    }
    if path.is_symlink() {
        return Err(FileFailure::DanglingLink);
    }
    let name = path.file_name().ok_or(FileFailure::NotPlain)?;
    let folder = here(path.parent().unwrap_or(Path::new("")));
    let folder = folder
        .canonicalize()
        .map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => FileFailure::NoFolder,
            _ => FileFailure::System {
                act: "find",
                source,
            },
        })?;
    Ok(folder.join(name))
}

/// An empty path means the working directory.
fn here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    }
}
