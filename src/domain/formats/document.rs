//! A document taken apart: which keys it holds, and where in its text they stand.

use std::collections::BTreeMap;
use std::ops::Range;

use zeroize::Zeroizing;

use super::{FileFormat, docker_env, dotenv, export, github_env, json, yaml};
use crate::bundle::MAX_KEYS;
use crate::names::Key;
use crate::secret::SecretValue;

/// What some editors put before UTF-8 text.
pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// Why a document cannot be read. Names lines and keys, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadDocument {
    /// The document is not UTF-8.
    #[error("the file is not UTF-8")]
    NotText,
    /// A line has no `=`, or no name before it.
    #[error("line {line} is not NAME=value")]
    NoAssignment {
        /// Counted from 1.
        line: usize,
    },
    /// A quote is opened and never closed.
    #[error("the quote that line {line} opens is never closed")]
    OpenQuote {
        /// Counted from 1.
        line: usize,
    },
    /// Something other than a comment follows a closing quote.
    #[error("line {line} goes on after its closing quote")]
    AfterQuote {
        /// Counted from 1.
        line: usize,
    },
    /// A shell would not take the value of this line as it stands.
    #[error("line {line} holds what a shell would expand or run")]
    Expansion {
        /// Counted from 1.
        line: usize,
    },
    /// A value stands in quotes, which some versions of Docker strip and others keep.
    #[error("line {line} quotes its value, which versions of Docker read differently")]
    Quoted {
        /// Counted from 1.
        line: usize,
    },
    /// A line names a variable without a value: Docker would take it from its own environment.
    #[error("line {line} has a name and no value")]
    NoValue {
        /// Counted from 1.
        line: usize,
    },
    /// A delimiter is opened and never closed.
    #[error("the delimiter that line {line} opens is never closed")]
    OpenDelimiter {
        /// Counted from 1.
        line: usize,
    },
    /// It is not JSON, or names a member twice.
    #[error("the file is not a JSON object whose members all have different names")]
    NotJson,
    /// It is not one YAML mapping.
    #[error("line {line}: the file is not one YAML mapping from names to values")]
    NotYaml {
        /// Counted from 1.
        line: usize,
    },
    /// A YAML key holds more than a text.
    #[error("line {line}: the value is a list, a mapping, an alias or has a tag")]
    NotScalar {
        /// Counted from 1.
        line: usize,
    },
    /// The YAML mapping is written in braces, where nothing can be added line by line.
    #[error("the YAML mapping is written in braces")]
    FlowStyle,
    /// A name is none that a bundle may have.
    #[error("line {line} has a name that is empty, too long or holds control characters")]
    Name {
        /// Counted from 1.
        line: usize,
    },
    /// More keys than a bundle may have.
    #[error("the file has more than {MAX_KEYS} keys")]
    TooMany,
    /// The format is written and never read.
    #[error("a file in the format githubEnv is written only")]
    WriteOnly,
}

/// One key of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: SecretValue,
}

/// A key and where it stands. Offsets are bytes of the text without its byte order mark.
#[derive(Clone)]
pub(super) struct Located {
    pub(super) name: String,
    pub(super) value: Zeroizing<String>,
    /// What goes when the key goes: whole lines.
    pub(super) whole: Range<usize>,
    /// What is replaced when its value changes.
    pub(super) value_at: Range<usize>,
}

/// Everything that stands in a document.
#[derive(Default)]
pub(super) struct Layout {
    pub(super) entries: Vec<Located>,
    /// What is not understood, with the name it seems to be about: an error for a reader, to be left alone by
    /// a merge.
    pub(super) unknown: Vec<(Option<String>, ReadDocument)>,
    /// Why keys can be read here and not be edited.
    pub(super) fixed: Option<ReadDocument>,
}

impl Layout {
    /// What readers of this document see: of a name that stands there twice, the last.
    pub(super) fn content(&self) -> BTreeMap<&str, &str> {
        self.entries
            .iter()
            .map(|entry| (entry.name.as_str(), entry.value.as_str()))
            .collect()
    }
}

/// The text of a document without its byte order mark.
pub(super) fn text_of(document: &[u8]) -> Result<&str, ReadDocument> {
    let text = std::str::from_utf8(document).map_err(|_| ReadDocument::NotText)?;
    Ok(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text))
}

/// Takes a text apart.
pub(super) fn locate(format: FileFormat, text: &str) -> Result<Layout, ReadDocument> {
    let layout = match format {
        FileFormat::Dotenv => dotenv::locate(text),
        FileFormat::Export => export::locate(text),
        FileFormat::DockerEnv => Ok(docker_env::locate(text)),
        FileFormat::GithubEnv => github_env::locate(text),
        FileFormat::Json => json::locate(text),
        FileFormat::Yaml => yaml::locate(text),
    }?;
    if layout.entries.len() > MAX_KEYS {
        return Err(ReadDocument::TooMany);
    }
    Ok(layout)
}

/// The keys of a document in the order of the file; a name that stands there twice comes twice, and the later
/// one counts. Anything that is not understood is an error: a source is read completely or not at all.
pub fn read(format: FileFormat, document: &[u8]) -> Result<Vec<Entry>, ReadDocument> {
    if format == FileFormat::GithubEnv {
        return Err(ReadDocument::WriteOnly);
    }
    let layout = locate(format, text_of(document)?)?;
    match layout.unknown.into_iter().next() {
        Some((_, problem)) => Err(problem),
        None => Ok(layout.entries.into_iter().map(Entry::from).collect()),
    }
}

/// What stands in a document that is to be merged into: lines that are not understood are passed over.
pub fn observe(
    format: FileFormat,
    document: &[u8],
) -> Result<BTreeMap<Key, SecretValue>, ReadDocument> {
    let layout = locate(format, text_of(document)?)?;
    let entry = |entry: Located| {
        Some((
            Key::new(entry.name.as_str()).ok()?,
            Entry::from(entry).value,
        ))
    };
    Ok(layout.entries.into_iter().filter_map(entry).collect())
}

impl From<Located> for Entry {
    fn from(mut located: Located) -> Self {
        Self {
            name: located.name,
            value: SecretValue::new(std::mem::take(&mut *located.value)),
        }
    }
}

/// The format that the name of a file speaks of: `.json`, `.yaml`, `.yml`, `.sh`, `$GITHUB_ENV`; dotenv otherwise.
pub fn format_of(path: &str) -> FileFormat {
    if path == "$GITHUB_ENV" {
        return FileFormat::GithubEnv;
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("json") => FileFormat::Json,
        Some("yaml" | "yml") => FileFormat::Yaml,
        Some("sh") => FileFormat::Export,
        _ => FileFormat::Dotenv,
    }
}

/// Whether this is the name of an environment variable that every shell accepts: `[A-Za-z_][A-Za-z0-9_]*`.
pub(super) fn is_variable_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Lines with their offsets, each with its line end.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |at, line| {
        let start = *at;
        *at += line.len();
        Some((start, line))
    })
}

/// A line without its end.
pub(super) fn without_end(line: &str) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.strip_suffix('\r').unwrap_or(line)
}
