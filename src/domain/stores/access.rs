//! Who may reach what in a store: the decision that comes before any login, cache or request.
//!
//! A SecretStore serves its own namespace. A ClusterSecretStore serves a namespace only as far as one
//! entry of `spec.allow` says so in every respect; what no entry names is denied.

use std::collections::BTreeMap;

use kube::core::{Selector, SelectorExt as _};

use super::StoreObject;
use crate::api::infisical::Follow;
use crate::api::source::ObjectKind;
use crate::api::store::{Allow, AllowAt, AllowedNamespaces};
use crate::conditions::Reason;
use crate::fault::{Fault, FaultClass};
use crate::names::NamespaceName;

/// The longest path, in bytes.
pub const MAX_PATH_LENGTH: usize = 1024;
/// The most segments of a path.
pub const MAX_PATH_SEGMENTS: usize = 64;

/// A path in a store, taken apart once and compared by segments ever after.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemotePath {
    segments: Vec<String>,
    folder: bool,
}

/// Why a text is no path. Each of these has fooled a check of prefixes somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParsePath {
    /// Longer, or with more segments, than anybody needs.
    #[error("is too long")]
    TooLong,
    /// Two slashes in a row.
    #[error("has an empty segment")]
    EmptySegment,
    /// `.` or `..` stands between slashes.
    #[error("has a segment `.` or `..`")]
    Dots,
    /// A percent sign and two hexadecimal digits: some server on the way would decode it.
    #[error("has a percent-encoded character: write the character itself")]
    Encoded,
    /// A backslash or a control character.
    #[error("has a backslash or a control character")]
    Character,
}

impl RemotePath {
    /// Reads a path: segments between slashes. One leading slash means nothing, one trailing slash means a
    /// folder, and the empty path is the root folder.
    pub fn parse(text: &str) -> Result<Self, ParsePath> {
        if text.len() > MAX_PATH_LENGTH {
            return Err(ParsePath::TooLong);
        }
        let inner = text.strip_prefix('/').unwrap_or(text);
        if inner.is_empty() {
            return Ok(Self {
                segments: Vec::new(),
                folder: true,
            });
        }
        let (inner, folder) = match inner.strip_suffix('/') {
            Some(inner) => (inner, true),
            None => (inner, false),
        };
        let segments: Vec<&str> = inner.split('/').collect();
        if segments.len() > MAX_PATH_SEGMENTS {
            return Err(ParsePath::TooLong);
        }
        for segment in &segments {
            check_segment(segment)?;
        }
        Ok(Self {
            segments: segments.into_iter().map(str::to_owned).collect(),
            folder,
        })
    }

    /// The segments.
    pub fn segments(&self) -> &[String] {
        &self.segments
    }

    /// Whether it means a folder.
    pub fn is_folder(&self) -> bool {
        self.folder
    }

    /// The same path, meant as a folder.
    #[must_use]
    pub fn as_folder(mut self) -> Self {
        self.folder = true;
        self
    }

    /// The path of `name` within this one; a trailing slash of `name` says that it is a folder.
    pub fn join(&self, name: &str) -> Result<Self, ParsePath> {
        let below = Self::parse(name)?;
        if below.segments.is_empty() || name.starts_with('/') {
            return Err(ParsePath::EmptySegment);
        }
        let segments = [self.segments.clone(), below.segments].concat();
        let length: usize = segments.iter().map(|segment| segment.len() + 1).sum();
        if segments.len() > MAX_PATH_SEGMENTS || length > MAX_PATH_LENGTH {
            return Err(ParsePath::TooLong);
        }
        Ok(Self {
            segments,
            folder: below.folder,
        })
    }

    /// The path with slashes between segments, none at either end.
    pub fn to_text(&self) -> String {
        self.segments.join("/")
    }

    /// Whether this path is `prefix` or lies below it. A prefix that means a folder holds what is in the
    /// folder, not an entry that has the folder's name.
    fn is_within(&self, prefix: &Self) -> bool {
        self.segments.starts_with(&prefix.segments)
            && (!prefix.folder || self.folder || self.segments.len() > prefix.segments.len())
    }
}

fn check_segment(segment: &str) -> Result<(), ParsePath> {
    if segment.is_empty() {
        return Err(ParsePath::EmptySegment);
    }
    if segment == "." || segment == ".." {
        return Err(ParsePath::Dots);
    }
    if segment
        .chars()
        .any(|letter| letter == '\\' || letter.is_control())
    {
        return Err(ParsePath::Character);
    }
    let encoded = segment.as_bytes().windows(3).any(|three| match three {
        [b'%', high, low] => high.is_ascii_hexdigit() && low.is_ascii_hexdigit(),
        _ => false,
    });
    if encoded {
        return Err(ParsePath::Encoded);
    }
    Ok(())
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Values are read.
    Read,
    /// Values are written.
    Write,
}

/// What somebody wants to reach, after templates, mapping and references.
#[derive(Debug, Clone)]
pub struct Reach<'a> {
    /// What is to be done.
    pub verb: Verb,
    /// The environment, where the source or target sets one.
    pub environment: Option<&'a str>,
    /// The mount, where the source or target sets one that is not the store's own.
    pub mount: Option<&'a str>,
    /// The table or query, where the store has several.
    pub table: Option<&'a str>,
    /// The kind of object, where the source or target sets one that is not the usual.
    pub kind: Option<ObjectKind>,
    /// What leads elsewhere from what is read.
    pub follow: &'a [Follow],
    /// The remote name. A folder stands for everything below it.
    pub path: &'a RemotePath,
}

impl<'a> Reach<'a> {
    /// Reading `path` with everything else as the store has it.
    pub fn reading(path: &'a RemotePath) -> Self {
        Self {
            verb: Verb::Read,
            environment: None,
            mount: None,
            table: None,
            kind: None,
            follow: &[],
            path,
        }
    }
}

/// Whose object it is that asks.
#[derive(Debug, Clone, Copy)]
pub struct AskingNamespace<'a> {
    /// Its namespace.
    pub name: &'a NamespaceName,
    /// The labels of the namespace, where they are known.
    pub labels: Option<&'a BTreeMap<String, String>>,
}

/// Whether `caller` may reach this in `store`.
pub fn authorise(
    store: &StoreObject,
    caller: AskingNamespace<'_>,
    reach: &Reach<'_>,
) -> Result<(), Fault> {
    let allowed = if store.is_cluster() {
        store.allow.iter().any(|entry| allows(entry, caller, reach))
    } else {
        store.home == *caller.name
    };
    if allowed {
        return Ok(());
    }
    // The sentence tells nothing of the entries: they are the administrator's.
    Err(Fault::new(
        FaultClass::Denied,
        store.reference.to_string(),
        format!(
            "it does not allow namespace {} to {} this path",
            caller.name,
            match reach.verb {
                Verb::Read => "read",
                Verb::Write => "write",
            }
        ),
    )
    .because(Reason::NotAllowed)
    .hint("An administrator can add an entry to its `spec.allow`"))
}

fn allows(entry: &Allow, caller: AskingNamespace<'_>, reach: &Reach<'_>) -> bool {
    let verb = match reach.verb {
        Verb::Read => entry.read,
        Verb::Write => entry.write,
    };
    let at = entry.at.as_ref();
    let text = |list: fn(&AllowAt) -> &Vec<String>, set: Option<&str>| {
        set.is_none_or(|set| at.is_some_and(|at| list(at).iter().any(|allowed| allowed == set)))
    };
    verb == Some(true)
        && is_meant(entry, caller)
        && text(|at| &at.environment, reach.environment)
        && text(|at| &at.mount, reach.mount)
        && text(|at| &at.table, reach.table)
        && reach
            .kind
            .is_none_or(|kind| at.is_some_and(|at| at.kind.contains(&kind)))
        && reach
            .follow
            .iter()
            .all(|way| at.is_some_and(|at| at.follow.contains(way)))
        && entry
            .key_prefixes
            .iter()
            .any(|prefix| holds(prefix, caller.name, reach.path))
}

/// An entry that names namespaces in both ways, or in neither, means nobody.
fn is_meant(entry: &Allow, caller: AskingNamespace<'_>) -> bool {
    match entry.variant() {
        Ok(AllowedNamespaces::Names(names)) => {
            names.iter().any(|name| name == caller.name.as_str())
        }
        Ok(AllowedNamespaces::Selector(selector)) => {
            let selector = Selector::try_from(
                k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector::from(selector),
            );
            caller
                .labels
                .zip(selector.ok())
                .is_some_and(|(labels, selector)| selector.matches(labels))
        }
        Err(_) => false,
    }
}

fn holds(prefix: &str, namespace: &NamespaceName, path: &RemotePath) -> bool {
    if prefix == "/" {
        return true;
    }
    let prefix = insert_namespace(prefix, namespace);
    // A prefix that cannot be read, or that comes down to nothing, holds nothing.
    RemotePath::parse(&prefix)
        .is_ok_and(|prefix| !prefix.segments.is_empty() && path.is_within(&prefix))
}

/// Puts the namespace where `{{ namespace }}` stands, with or without blanks.
fn insert_namespace(prefix: &str, namespace: &NamespaceName) -> String {
    let mut out = String::with_capacity(prefix.len());
    let mut rest = prefix;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else {
            break;
        };
        out.push_str(before);
        if name.trim() == "namespace" {
            out.push_str(namespace.as_str());
        } else {
            out.extend(["{{", name, "}}"]);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests;
