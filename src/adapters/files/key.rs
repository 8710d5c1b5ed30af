//! The installation key of the command line: made once, kept in the user's state folder or handed in, never beside
//! the records that it seals (design decision 7).

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use penstock_domain::fault::Fault;
use penstock_domain::keys::{InstallationId, InstallationKey, KEY_LENGTH, hex};
use zeroize::Zeroizing;

use super::bounded;
use super::failure::FileFailure;
use super::replace::Folder;

/// What a key file begins with; the id and the key in base64 follow, separated by blanks.
const MARK: &str = "penstock-key-1";
/// The most bytes of a key as text.
pub const MAX_KEY_TEXT: usize = 1024;
/// Random bytes of an installation's id.
const ID_BYTES: usize = 8;

/// The file in the user's state folder: `$XDG_STATE_HOME/penstock/installation-key`, or
/// `~/.local/state/penstock/installation-key` (XDG Base Directory Specification). None without a home.
pub fn default_path(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let absolute = |name: &str| {
        variable(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("penstock/installation-key"))
}

/// Reads a key from text: from a file descriptor, a variable or an entry of a store.
pub fn parse(text: &str) -> Result<InstallationKey, Fault> {
    read(text).map_err(|failure| failure.fault("installation key"))
}

/// Reads the key of this file, or `None` when there is none. A file that others may read is refused.
pub fn load(path: &Path) -> Result<Option<InstallationKey>, Fault> {
    find(path).map_err(|failure| failure.fault(subject(path)))
}

/// Reads the key of this file, or makes one where there is none, with the folders above it (0700). Of two
/// processes that find none one makes it, and both use it.
pub fn load_or_create(path: &Path) -> Result<InstallationKey, Fault> {
    let made = || {
        if let Some(key) = find(path)? {
            return Ok(key);
        }
        if let Some(folder) = path.parent() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(FileFailure::system("make the folder of"))?;
        }
        let folder = Folder::of(path)?;
        if let Some(key) = find(path)? {
            return Ok(key);
        }
        let text = generate()?;
        folder.replace(path, text.as_bytes(), None, 0o600)?;
        read(&text)
    };
    made().map_err(|failure: FileFailure| failure.fault(subject(path)))
}

/// A new key as text, in the form that [`parse`] reads.
pub fn generate() -> Result<Zeroizing<String>, FileFailure> {
    let mut key = Zeroizing::new([0; KEY_LENGTH]);
    let mut id = [0; ID_BYTES];
    getrandom::fill(key.as_mut_slice())
        .and_then(|()| getrandom::fill(&mut id))
        .map_err(|_| FileFailure::NoRandomness)?;
    let key = Zeroizing::new(STANDARD.encode(key.as_slice()));
    Ok(Zeroizing::new(format!(
        "{MARK} {} {}\n",
        hex(&id),
        key.as_str()
    )))
}

fn subject(path: &Path) -> String {
    format!("installation key {}", path.display())
}

fn find(path: &Path) -> Result<Option<InstallationKey>, FileFailure> {
    let Some(standing) = bounded::read(path)? else {
        return Ok(None);
    };
    if !standing.is_private() {
        return Err(FileFailure::NotPrivate);
    }
    let text = std::str::from_utf8(&standing.bytes).map_err(|_| FileFailure::NotKey)?;
    read(text).map(Some)
}

fn read(text: &str) -> Result<InstallationKey, FileFailure> {
    let mut words = text.split_ascii_whitespace();
    let [Some(MARK), Some(id), Some(key), None] = std::array::from_fn(|_| words.next()) else {
        return Err(FileFailure::NotKey);
    };
    let id = InstallationId::new(id).ok_or(FileFailure::NotKey)?;
    let mut bytes = Zeroizing::new([0; KEY_LENGTH]);
    let decoded = Zeroizing::new(STANDARD.decode(key).map_err(|_| FileFailure::NotKey)?);
    if decoded.len() != KEY_LENGTH {
        return Err(FileFailure::NotKey);
    }
    bytes.copy_from_slice(&decoded);
    Ok(InstallationKey::new(*bytes, id))
}
