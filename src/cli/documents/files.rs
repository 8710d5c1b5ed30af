//! Which files are meant, and their text. Everything is bounded before it is read.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::output::plain;

/// The largest file.
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;
/// All files together.
const MAX_TOTAL_BYTES: u64 = 64 * 1024 * 1024;
/// The most files.
const MAX_FILES: usize = 2_000;
/// The deepest folder below the one that was named.
const MAX_FOLDER_DEPTH: usize = 16;
/// What `-f -` is called.
const STANDARD_INPUT: &str = "<stdin>";

/// The text of one file.
#[derive(Clone)]
pub struct InputText {
    /// The file, as it was named.
    pub name: Arc<str>,
    /// The folder that paths in it start from.
    pub folder: PathBuf,
    /// Whether it comes from `--trusted-stores`.
    pub trusted: bool,
    /// The text. It may hold values.
    pub text: Zeroizing<String>,
}

/// Why inputs cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadInputs {
    /// The file or folder cannot be opened or read.
    #[error("cannot read {path}")]
    Read {
        /// Its path, as it was named.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// A file is no text.
    #[error("{path} is not UTF-8")]
    NotText {
        /// Its path.
        path: String,
    },
    /// A file is too large, or all of them are.
    #[error("{path} is larger than {limit} bytes, or with the files before it larger than {total}")]
    TooLarge {
        /// The file at which the limit was reached.
        path: String,
        /// The limit of one file.
        limit: u64,
        /// The limit of all files.
        total: u64,
    },
    /// There are too many files.
    #[error(
        "{path} holds too many files: at most {MAX_FILES} are read, {MAX_FOLDER_DEPTH} folders deep"
    )]
    TooMany {
        /// The folder.
        path: String,
    },
    /// A folder holds nothing that could be a document.
    #[error("{path} holds no .yaml, .yml or .json file{}", if *.recursive { "" } else { " (folders below it are read with --recursive)" })]
    Empty {
        /// The folder.
        path: String,
        /// Whether the folders below were looked at.
        recursive: bool,
    },
    /// Standard input was named twice.
    #[error("standard input (`-f -`) can be read once only")]
    Twice,
}

/// Reads files, folders (their `.yaml`, `.yml` and `.json` files, in the order of their names) and standard
/// input (`-`).
pub fn read_inputs(
    paths: &[PathBuf],
    recursive: bool,
    trusted: bool,
) -> Result<Vec<InputText>, ReadInputs> {
    let mut reading = Reading {
        recursive,
        trusted,
        left: MAX_TOTAL_BYTES,
        inputs: Vec::new(),
        standard_input: false,
    };
    for path in paths {
        reading.path(path)?;
    }
    Ok(reading.inputs)
}

struct Reading {
    recursive: bool,
    trusted: bool,
    left: u64,
    inputs: Vec<InputText>,
    standard_input: bool,
}

impl Reading {
    fn path(&mut self, path: &Path) -> Result<(), ReadInputs> {
        if path == Path::new("-") {
            if std::mem::replace(&mut self.standard_input, true) {
                return Err(ReadInputs::Twice);
            }
            return self.text(
                STANDARD_INPUT.to_owned(),
                PathBuf::from("."),
                io::stdin().lock(),
            );
        }
        let shown = plain(&path.display().to_string());
        let failed = |source| ReadInputs::Read {
            path: shown.clone(),
            source,
        };
        if !fs::metadata(path).map_err(failed)?.is_dir() {
            return self.file(path);
        }
        let before = self.inputs.len();
        self.folder(path, 0)?;
        if self.inputs.len() == before {
            return Err(ReadInputs::Empty {
                path: shown,
                recursive: self.recursive,
            });
        }
        Ok(())
    }

    fn folder(&mut self, folder: &Path, depth: usize) -> Result<(), ReadInputs> {
        let shown = plain(&folder.display().to_string());
        let failed = |source| ReadInputs::Read {
            path: shown.clone(),
            source,
        };
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            paths.push(entry.map_err(failed)?.path());
            if paths.len() > MAX_FILES * 8 {
                return Err(ReadInputs::TooMany { path: shown });
            }
        }
        paths.sort();
        for path in paths {
            // A link to a folder is not followed: it may lead back up.
            let own = fs::symlink_metadata(&path).map_err(failed)?;
            if own.is_dir() {
                if self.recursive && !is_hidden(&path) {
                    if depth >= MAX_FOLDER_DEPTH {
                        return Err(ReadInputs::TooMany { path: shown });
                    }
                    self.folder(&path, depth + 1)?;
                }
            } else if is_document(&path) && fs::metadata(&path).map_err(failed)?.is_file() {
                self.file(&path)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<(), ReadInputs> {
        let shown = plain(&path.display().to_string());
        let file = File::open(path).map_err(|source| ReadInputs::Read {
            path: shown.clone(),
            source,
        })?;
        let folder = path
            .parent()
            .filter(|folder| *folder != Path::new(""))
            .unwrap_or(Path::new("."));
        self.text(shown, folder.to_owned(), file)
    }

    fn text(&mut self, name: String, folder: PathBuf, from: impl Read) -> Result<(), ReadInputs> {
        if self.inputs.len() >= MAX_FILES {
            return Err(ReadInputs::TooMany { path: name });
        }
        let limit = MAX_FILE_BYTES.min(self.left);
        let mut bytes = Zeroizing::new(Vec::new());
        let read = from.take(limit + 1).read_to_end(&mut bytes);
        let read = read.map_err(|source| ReadInputs::Read {
            path: name.clone(),
            source,
        })?;
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        if read > limit {
            return Err(ReadInputs::TooLarge {
                path: name,
                limit: MAX_FILE_BYTES,
                total: MAX_TOTAL_BYTES,
            });
        }
        self.left -= read;
        let Ok(text) = std::str::from_utf8(&bytes) else {
            return Err(ReadInputs::NotText { path: name });
        };
        self.inputs.push(InputText {
            name: name.into(),
            folder,
            trusted: self.trusted,
            text: Zeroizing::new(text.to_owned()),
        });
        Ok(())
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_document(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    !is_hidden(path) && matches!(extension, Some("yaml" | "yml" | "json"))
}
