//! Setting and removing keys in a document, and leaving every other byte as it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use zeroize::Zeroizing;

use super::document::{BYTE_ORDER_MARK, Layout, Located, ReadDocument, locate, text_of};
use super::github_env::{self, Delimiter};
use super::{FileFormat, docker_env, dotenv, export, json, yaml};
use crate::names::Key;
use crate::secret::SecretValue;

/// What is to change in a document.
#[derive(Debug, Clone, Copy)]
pub struct Edit<'a> {
    /// Keys that must be there afterwards, with these values.
    pub set: &'a BTreeMap<Key, SecretValue>,
    /// Keys that must be gone afterwards. A key in both is set.
    pub remove: &'a BTreeSet<Key>,
}

/// Why a document cannot be written. Names keys and lines, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteDocument {
    /// A key is no name of an environment variable.
    #[error("the key `{}` is no name of an environment variable", shown(key))]
    Name {
        /// The key.
        key: Key,
    },
    /// A value is not text.
    #[error("the value of `{}` is not text, or holds a zero byte", shown(key))]
    NotText {
        /// The key.
        key: Key,
    },
    /// The format cannot hold a value.
    #[error("the value of `{}` {why}", shown(key))]
    Value {
        /// The key.
        key: Key,
        /// What is wrong with it.
        why: &'static str,
    },
    /// What stands there cannot be merged with.
    #[error("what stands there cannot be merged with")]
    Existing {
        /// Why.
        #[source]
        source: ReadDocument,
    },
    /// What was written does not read back as it should.
    #[error("the file would not read back as it was meant")]
    Unfaithful,
}

impl WriteDocument {
    /// The way out.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Name { .. } => {
                "Names are A-Z, a-z, 0-9 and `_`, and begin with no digit: change it with `rename` at the source \
                 (`case: screamingSnake`), leave it out with `select`, or take the format json or yaml"
            }
            Self::NotText { .. } => {
                "Encode it where it is made, such as with the filter `b64encode`, or leave it out with `select`"
            }
            Self::Value { .. } => {
                "Take another format, such as dotenv or json, or leave the key out with `select`"
            }
            Self::Existing { .. } => "Put the line right by hand, or move the file away",
            Self::Unfaithful => {
                "Put what stands beside our keys in order by hand, or write to a file of its own"
            }
        }
    }
}

fn shown(key: &Key) -> String {
    crate::text::shorten(&key.as_str().escape_debug().to_string(), 120)
}

/// A new document with these keys in their order.
pub fn render(
    format: FileFormat,
    data: &BTreeMap<Key, SecretValue>,
    delimiter: &Delimiter,
) -> Result<SecretValue, WriteDocument> {
    let remove = BTreeSet::new();
    let edit = Edit {
        set: data,
        remove: &remove,
    };
    merge(format, b"", edit, delimiter)
}

/// The document after an edit. What is not part of the edit stays byte for byte: other keys, comments, order,
/// blank lines, a byte order mark, and lines that are not understood. New keys go to the end. A key that stood
/// there twice stands there once afterwards, if its value changed. The line ends of the document are kept.
pub fn merge(
    format: FileFormat,
    document: &[u8],
    edit: Edit<'_>,
    delimiter: &Delimiter,
) -> Result<SecretValue, WriteDocument> {
    let existing = |source| WriteDocument::Existing { source };
    let text = text_of(document).map_err(existing)?;
    let mut set: BTreeMap<&str, &str> = BTreeMap::new();
    for (key, value) in edit.set {
        let text = acceptable(format, key, value)?;
        if format == FileFormat::GithubEnv && github_env::holds(text, delimiter) {
            let why = "holds the random delimiter";
            return Err(WriteDocument::Value {
                key: key.clone(),
                why,
            });
        }
        set.insert(key.as_str(), text);
    }
    let remove: BTreeSet<&str> = edit
        .remove
        .iter()
        .map(Key::as_str)
        .filter(|name| !set.contains_key(name))
        .collect();
    let layout = locate(format, text).map_err(existing)?;
    misunderstood(&layout, &set, &remove).map_or(Ok(()), |problem| Err(existing(problem)))?;
    let merged = if is_settled(&layout, &set, &remove) {
        Zeroizing::new(text.to_owned())
    } else if let Some(problem) = layout.fixed.clone() {
        return Err(existing(problem));
    } else if format == FileFormat::Json {
        json::merge(text, &layout, &set, &remove)
    } else {
        splice(format, text, &layout, (&set, &remove, delimiter))
    };
    verify(format, &merged, &layout, (&set, &remove))?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        merged.len() + BYTE_ORDER_MARK.len_utf8(),
    ));
    if document.len() > text.len() {
        bytes.extend_from_slice(BYTE_ORDER_MARK.encode_utf8(&mut [0; 4]).as_bytes());
    }
    bytes.extend_from_slice(merged.as_bytes());
    Ok(SecretValue::new(std::mem::take(&mut *bytes)))
}

/// Whether the format can hold this value under this key.
pub fn check(format: FileFormat, key: &Key, value: &SecretValue) -> Result<(), WriteDocument> {
    acceptable(format, key, value).map(|_| ())
}

/// Whether nothing is left in a document: no key, no comment, no line that is not understood.
pub fn is_blank(format: FileFormat, document: &[u8]) -> bool {
    let Ok(text) = text_of(document) else {
        return false;
    };
    let empty = |layout: Layout| layout.entries.is_empty();
    text.trim().is_empty() || (format == FileFormat::Json && locate(format, text).is_ok_and(empty))
}

/// The value as text, when the format can hold it under this name.
fn acceptable<'a>(
    format: FileFormat,
    key: &Key,
    value: &'a SecretValue,
) -> Result<&'a str, WriteDocument> {
    let name = key.as_str();
    let is_environment = format.holds_variables();
    if is_environment && !key.is_variable() {
        return Err(WriteDocument::Name { key: key.clone() });
    }
    let text = value.expose_text();
    let text = text.filter(|text| !(is_environment && text.contains('\0')));
    let text = text.ok_or_else(|| WriteDocument::NotText { key: key.clone() })?;
    let refusal = match format {
        FileFormat::DockerEnv => docker_env::refusal(name, text),
        FileFormat::GithubEnv => github_env::refusal(name),
        FileFormat::Dotenv | FileFormat::Export | FileFormat::Json | FileFormat::Yaml => None,
    };
    refusal.map_or(Ok(text), |why| {
        Err(WriteDocument::Value {
            key: key.clone(),
            why,
        })
    })
}

/// A line that is about one of the keys and cannot be told apart.
fn misunderstood(
    layout: &Layout,
    set: &BTreeMap<&str, &str>,
    remove: &BTreeSet<&str>,
) -> Option<ReadDocument> {
    let located: BTreeSet<&str> = layout
        .entries
        .iter()
        .map(|entry| entry.name.as_str())
        .collect();
    let concerned = |name: &str| set.contains_key(name) || remove.contains(name);
    layout
        .unknown
        .iter()
        .find(|(name, _)| {
            name.as_deref()
                .is_some_and(|name| concerned(name) && !located.contains(name))
        })
        .map(|(_, problem)| problem.clone())
}

/// Whether the document is as it should be already.
fn is_settled(layout: &Layout, set: &BTreeMap<&str, &str>, remove: &BTreeSet<&str>) -> bool {
    let content = layout.content();
    set.iter()
        .all(|(name, value)| content.get(name) == Some(value))
        && remove.iter().all(|name| !content.contains_key(name))
}

type Changes<'a> = (
    &'a BTreeMap<&'a str, &'a str>,
    &'a BTreeSet<&'a str>,
    &'a Delimiter,
);

/// Replaces values where they stand, cuts lines out, and adds new ones at the end.
fn splice(
    format: FileFormat,
    text: &str,
    layout: &Layout,
    (set, remove, delimiter): Changes<'_>,
) -> Zeroizing<String> {
    let newline = newline_of(text);
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, entry) in layout.entries.iter().enumerate() {
        last.insert(entry.name.as_str(), at);
    }
    let cut = |entry: &Located| (entry.whole.clone(), Zeroizing::default());
    let mut edits: Vec<(Range<usize>, Zeroizing<String>)> = Vec::new();
    let content = layout.content();
    for (at, entry) in layout.entries.iter().enumerate() {
        let name = entry.name.as_str();
        let wanted = set
            .get(name)
            .filter(|value| content.get(name) != Some(value));
        match wanted {
            Some(value) if last.get(name) == Some(&at) => {
                edits.push((entry.value_at.clone(), quote(format, value, delimiter)));
            }
            Some(_) => edits.push(cut(entry)),
            None if remove.contains(name) => edits.push(cut(entry)),
            None => {}
        }
    }
    let mut merged = Zeroizing::new(String::with_capacity(text.len() + 1024));
    let mut at = 0;
    for (range, replacement) in edits {
        merged.push_str(text.get(at..range.start).unwrap_or_default());
        merged.push_str(&replacement);
        at = range.end;
    }
    merged.push_str(text.get(at..).unwrap_or_default());
    for (name, value) in set.iter().filter(|(name, _)| !last.contains_key(*name)) {
        if !merged.is_empty() && !merged.ends_with('\n') {
            merged.push_str(newline);
        }
        merged.push_str(&before_value(format, name));
        merged.push_str(&quote(format, value, delimiter));
        merged.push_str(newline);
    }
    merged
}

/// The line end of the first line.
fn newline_of(text: &str) -> &'static str {
    match text.split_inclusive('\n').next() {
        Some(line) if line.ends_with("\r\n") => "\r\n",
        _ => "\n",
    }
}

/// What stands before a new value.
fn before_value(format: FileFormat, name: &str) -> Zeroizing<String> {
    let text = match format {
        FileFormat::Dotenv | FileFormat::DockerEnv => format!("{name}="),
        FileFormat::Export => format!("export {name}="),
        FileFormat::GithubEnv | FileFormat::Json => name.to_owned(),
        FileFormat::Yaml => format!("{}:", yaml::name(name).as_str()),
    };
    Zeroizing::new(text)
}

fn quote(format: FileFormat, value: &str, delimiter: &Delimiter) -> Zeroizing<String> {
    match format {
        FileFormat::Dotenv => dotenv::quote(value),
        FileFormat::Export => export::quote(value),
        FileFormat::DockerEnv => Zeroizing::new(value.to_owned()),
        FileFormat::GithubEnv => github_env::quote(value, delimiter),
        FileFormat::Json => json::quote(value),
        FileFormat::Yaml => Zeroizing::new(format!(" {}", yaml::quote(value).as_str())),
    }
}

/// Reads the result again: our keys are as wanted, the others as they were.
fn verify(
    format: FileFormat,
    merged: &str,
    before: &Layout,
    (set, remove): (&BTreeMap<&str, &str>, &BTreeSet<&str>),
) -> Result<(), WriteDocument> {
    let mut expected = before.content();
    expected.retain(|name, _| !remove.contains(name));
    expected.extend(set.iter().map(|(name, value)| (*name, *value)));
    let after = locate(format, merged).map_err(|_| WriteDocument::Unfaithful)?;
    let foreign = |layout: &Layout| {
        let names = layout.unknown.iter().map(|(name, _)| name.clone());
        let foreign = |name: &Option<String>| match name.as_deref() {
            Some(name) => !set.contains_key(name) && !remove.contains(name),
            None => true,
        };
        names.filter(foreign).collect::<Vec<_>>()
    };
    (foreign(&after) == foreign(before) && after.content() == expected)
        .then_some(())
        .ok_or(WriteDocument::Unfaithful)
}
