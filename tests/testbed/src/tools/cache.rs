//! The user's cache, shared by all clones and all processes.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// Why the cache cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Neither `PENSTOCK_CACHE` nor `XDG_CACHE_HOME` nor `HOME` is set.
    #[error("no cache directory: set PENSTOCK_CACHE to a folder")]
    NoHome,
    /// A folder could not be made, moved or removed.
    #[error("cannot write to {}", .path.display())]
    Write {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Where the tools are kept: `PENSTOCK_CACHE`, else `$XDG_CACHE_HOME/penstock`, else
/// `~/.cache/penstock`.
pub fn cache_directory() -> Result<PathBuf, CacheError> {
    let set = |name: &str| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from)
    };
    choose(set("PENSTOCK_CACHE"), set("XDG_CACHE_HOME"), set("HOME")).ok_or(CacheError::NoHome)
}

fn choose(own: Option<PathBuf>, cache: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    own.or_else(|| cache.map(|cache| cache.join("penstock")))
        .or_else(|| home.map(|home| home.join(".cache").join("penstock")))
}

/// A folder of the cache that is being made, under a lock that keeps other processes out.
///
/// It is a hidden sibling until [`finish`](Self::finish) renames it into place, so that a folder
/// with the final name is always complete. Dropped unfinished, it is removed.
pub(crate) struct Draft {
    path: PathBuf,
    place: PathBuf,
    lock: File,
}

/// What taking the lock found.
pub(crate) enum Taken {
    /// The folder is there: nothing to do.
    Present,
    /// It is ours to make.
    Draft(Draft),
}

impl Draft {
    /// Takes the lock of one tool. `busy` is called first, if another process holds it.
    pub(crate) fn take(
        cache: &Path,
        name: &str,
        folder: &str,
        busy: impl FnOnce(),
    ) -> Result<Taken, CacheError> {
        let failed = |path: &Path| {
            let path = path.to_path_buf();
            |source| CacheError::Write { path, source }
        };
        let place = cache.join(folder);
        if place.is_dir() {
            return Ok(Taken::Present);
        }
        fs::create_dir_all(cache).map_err(failed(cache))?;
        let lock_path = cache.join(format!(".{name}.lock"));
        let lock = File::create(&lock_path).map_err(failed(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                busy();
                lock.lock().map_err(failed(&lock_path))?;
            }
            Err(TryLockError::Error(source)) => return Err(failed(&lock_path)(source)),
        }
        if place.is_dir() {
            return Ok(Taken::Present);
        }
        // One that is there was left by a build that was killed: the lock is ours.
        let draft = cache.join(format!(".{name}.draft"));
        remove(&draft).map_err(failed(&draft))?;
        fs::create_dir_all(&draft).map_err(failed(&draft))?;
        Ok(Taken::Draft(Self {
            path: draft,
            place,
            lock,
        }))
    }

    /// The folder while it is made.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts `part` of the draft into its place, and removes the rest.
    pub(crate) fn finish(self, part: &str) -> Result<PathBuf, CacheError> {
        let place = self.place.clone();
        fs::rename(self.path.join(part), &place).map_err(|source| CacheError::Write {
            path: place.clone(),
            source,
        })?;
        Ok(place)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // The next build tries again.
        drop(remove(&self.path));
        drop(self.lock.unlock());
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_variable_wins_then_the_cache_then_the_home() {
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(choose(path("/a"), path("/b"), path("/c")), path("/a"));
        assert_eq!(choose(None, path("/b"), path("/c")), path("/b/penstock"));
        assert_eq!(choose(None, None, path("/c")), path("/c/.cache/penstock"));
        assert_eq!(choose(None, None, None), None);
    }

    #[test]
    fn a_folder_appears_only_when_it_is_finished() {
        let cache = tempfile::tempdir().unwrap();
        let Ok(Taken::Draft(draft)) = Draft::take(cache.path(), "t", "t-1", || ()) else {
            panic!("nothing was there");
        };
        fs::create_dir(draft.path().join("out")).unwrap();
        fs::write(draft.path().join("out").join("t"), "x").unwrap();
        assert!(!cache.path().join("t-1").exists());
        draft.finish("out").unwrap();
        assert!(cache.path().join("t-1").join("t").is_file());
        assert!(matches!(
            Draft::take(cache.path(), "t", "t-1", || ()),
            Ok(Taken::Present)
        ));
    }

    #[test]
    fn an_unfinished_folder_leaves_nothing() {
        let cache = tempfile::tempdir().unwrap();
        drop(Draft::take(cache.path(), "t", "t-1", || ()).unwrap());
        assert!(!cache.path().join("t-1").exists() && !cache.path().join(".t.draft").exists());
    }

    #[test]
    fn a_second_process_waits_and_then_finds_the_folder() {
        let cache = tempfile::tempdir().unwrap();
        let Ok(Taken::Draft(draft)) = Draft::take(cache.path(), "t", "t-1", || ()) else {
            panic!("nothing was there");
        };
        let (told, waiting) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let path = cache.path();
            let other =
                scope.spawn(move || Draft::take(path, "t", "t-1", || told.send(()).unwrap()));
            waiting.recv().unwrap();
            fs::create_dir(draft.path().join("out")).unwrap();
            draft.finish("out").unwrap();
            assert!(matches!(other.join().unwrap(), Ok(Taken::Present)));
        });
    }
}
