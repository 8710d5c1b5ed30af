//! Reads secrets: one by its name, a folder by lists and batches.

use std::collections::{BTreeMap, BTreeSet};

use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::SignedDuration;
use penstock_domain::bundle::{MAX_KEYS, Snapshot, SourceEntry, SourceVersion};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::RemotePath;

use super::remembered::Remembered;
use super::wire::{
    BATCH, Batch, Filter, GET, Get, LIST, List, Listed, MAX_BATCH, MAX_PAGE, Page, Value, Values,
};
use crate::aws::answer::{Failure, Rejection};
use crate::aws::client::Client;
use crate::aws::error::AwsError;
use crate::aws::value::member;
use crate::entries::Entries;

/// How many batches are asked for at once; the store's own limit applies besides.
const CONCURRENT_BATCHES: usize = 8;
/// The most pages of a list. A page may be empty; nobody needs more of them than this.
const MAX_PAGES: usize = 2 * MAX_KEYS / 100 + 100;

/// Reads the secrets of one region.
pub(super) struct Secrets {
    client: Client,
    remembered: Remembered,
}

/// A folder that is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Folder<'a> {
    pub(super) path: &'a RemotePath,
    pub(super) recursive: bool,
    pub(super) field: Option<&'a str>,
    pub(super) tags: &'a BTreeMap<String, String>,
}

/// One version of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version<'a> {
    /// The newest.
    Current,
    /// By its id.
    Id(&'a str),
    /// By a label.
    Stage(&'a str),
}

impl<'a> Version<'a> {
    /// Reads `id:<id>`, `stage:<label>`, an id as AWS makes them, or a label.
    pub(super) fn parse(text: Option<&'a str>) -> Self {
        let Some(text) = text else {
            return Self::Current;
        };
        if let Some(id) = text.strip_prefix("id:") {
            return Self::Id(id);
        }
        if let Some(stage) = text.strip_prefix("stage:") {
            return Self::Stage(stage);
        }
        let mut letters = text.bytes().enumerate();
        let is_uuid = text.len() == 36
            && letters.all(|(index, byte)| match index {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            });
        if is_uuid {
            Self::Id(text)
        } else {
            Self::Stage(text)
        }
    }
}

impl Secrets {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            remembered: Remembered::default(),
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn clock_ahead(&self) -> Option<SignedDuration> {
        self.client.clock_ahead()
    }

    /// One cheap read that needs good keys. Who may read single secrets only may not list; AWS says so to known
    /// identities alone.
    pub(super) async fn check(&self) -> Result<(), AwsError> {
        let input = List {
            max_results: 1,
            filters: &[],
            next_token: None,
        };
        match self.client.read::<Page>(LIST, "the secrets", &input).await {
            Err(error) if error.rejection() == Some(Rejection::Denied) => Ok(()),
            answer => answer.map(|_| ()),
        }
    }

    /// Reads one secret.
    pub(super) async fn single(
        &self,
        path: &RemotePath,
        version: Version<'_>,
        field: Option<&str>,
    ) -> Result<Snapshot, AwsError> {
        let name = path.to_text();
        let value = match self.get(&name, version).await {
            Err(error) if may_have_a_slash(&error) && !is_arn(&name) => {
                // Under its other spelling, or as it was.
                let slashed = format!("/{name}");
                self.get(&slashed, version).await.or(Err(error))?
            }
            answer => answer?,
        };
        let bytes = value.bytes().ok_or_else(|| unbelievable(&name))?;
        let (folder, last) = place(&value.name);
        let (entry_name, entry_value) = match field {
            Some(field) => (field.to_owned(), member(&bytes, field, &name)?),
            None => (last.to_owned(), bytes),
        };
        let entry_path = match field {
            Some(_) => value.name.trim_start_matches('/').to_owned(),
            None => folder.to_owned(),
        };
        let entry = SourceEntry {
            name: entry_name,
            path: entry_path,
            tags: BTreeSet::new(),
            version: value.version_id.clone(),
            value: entry_value,
        };
        Ok(Snapshot {
            entries: vec![entry],
            version: value.version_id.map(SourceVersion::Tag),
        })
    }

    async fn get(&self, name: &str, version: Version<'_>) -> Result<Value, AwsError> {
        let (id, stage) = match version {
            Version::Current => (None, None),
            Version::Id(id) => (Some(id), None),
            Version::Stage(stage) => (None, Some(stage)),
        };
        let input = Get {
            secret_id: name,
            version_id: id,
            version_stage: stage,
        };
        let value: Value = self.client.read(GET, name, &input).await?;
        // Who answers something else than asked for cannot be believed.
        let named = is_arn(name) || value.name == name;
        let versioned = id.is_none_or(|id| value.version_id.as_deref() == Some(id));
        if named && versioned {
            Ok(value)
        } else {
            Err(unbelievable(name))
        }
    }

    /// Reads a folder, completely or not at all. `insist`: every value is read now.
    pub(super) async fn folder(
        &self,
        folder: Folder<'_>,
        insist: bool,
    ) -> Result<Snapshot, AwsError> {
        let what = shown(folder.path);
        match self.folder_once(folder, insist).await {
            // Somebody deleted one between list and batch: what is there now is the answer.
            Err(error) if is_gone(&error) => self.folder_once(folder, insist).await,
            answer => answer,
        }
        .map_err(|error| match error {
            // A folder that will not hold still is no missing folder.
            error if is_gone(&error) => unbelievable(&what),
            other => other,
        })
    }

    async fn folder_once(&self, folder: Folder<'_>, insist: bool) -> Result<Snapshot, AwsError> {
        let what = shown(folder.path);
        let listed = self.list(folder, &what).await?;
        let mut known = BTreeMap::new();
        let mut wanted = Vec::new();
        for (index, secret) in listed.iter().enumerate() {
            let version = secret.current().unwrap_or_default();
            match self.remembered.find(&secret.arn, version) {
                Some(value) if !insist => {
                    known.insert(index, (version.to_owned(), value));
                }
                _ => wanted.push(index),
            }
        }
        let batches: Vec<_> = wanted
            .chunks(MAX_BATCH)
            .map(|batch| self.batch(&listed, batch).boxed())
            .collect();
        let read: Vec<Vec<_>> = stream::iter(batches)
            .buffered(CONCURRENT_BATCHES)
            .try_collect()
            .await?;
        known.extend(read.into_iter().flatten());
        self.remembered
            .keep(known.iter().filter_map(|(index, (version, value))| {
                let secret = listed.get(*index)?;
                Some((secret.arn.as_str(), version.as_str(), value))
            }));
        entries(&listed, known, folder.field, &what)
    }

    /// The secrets of the folder that have a value, in the order of their names.
    async fn list(&self, folder: Folder<'_>, what: &str) -> Result<Vec<Listed>, AwsError> {
        let filters = filters(folder);
        let mut listed: BTreeMap<String, Listed> = BTreeMap::new();
        let mut token: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let input = List {
                max_results: MAX_PAGE,
                filters: &filters,
                next_token: token.as_deref(),
            };
            let page: Page = self.client.read(LIST, what, &input).await?;
            for secret in page.secret_list {
                if !is_wanted(&secret, folder) {
                    continue;
                }
                let name = secret.name.trim_start_matches('/').to_owned();
                // `a` and `/a` are two secrets for AWS and one key for us.
                if listed.insert(name, secret).is_some() {
                    return Err(AwsError::ask(
                        "two secrets of the folder differ by a leading slash only",
                    ));
                }
            }
            if listed.len() > MAX_KEYS {
                return Err(too_large(what));
            }
            let next = page.next_token.filter(|next| !next.is_empty());
            if next.is_some() && next == token {
                break;
            }
            token = next;
            if token.is_none() {
                return Ok(listed.into_values().collect());
            }
        }
        Err(unbelievable(what))
    }

    /// The values of some of the listed secrets, each by its index.
    async fn batch(
        &self,
        listed: &[Listed],
        wanted: &[usize],
    ) -> Result<Vec<(usize, (String, SecretValue))>, AwsError> {
        let mut open: BTreeMap<&str, usize> = wanted
            .iter()
            .filter_map(|index| Some((listed.get(*index)?.name.as_str(), *index)))
            .collect();
        let mut read = Vec::with_capacity(open.len());
        // An answer may hold a part only, where values are large; the rest is asked for again.
        while !open.is_empty() {
            let names: Vec<&str> = open.keys().copied().collect();
            let what = names.first().copied().unwrap_or_default();
            let input = Batch {
                secret_id_list: &names,
            };
            let values: Values = self.client.read(BATCH, what, &input).await?;
            if let Some(error) = values.errors.first() {
                return Err(AwsError::call(
                    GET.permission,
                    asked_name(&names, &error.secret_id),
                    Failure::of_item(&error.error_code),
                ));
            }
            let before = open.len();
            for value in values.secret_values {
                let index = open.remove(value.name.as_str());
                let index = index.ok_or_else(|| unbelievable(what))?;
                let same = listed
                    .get(index)
                    .is_some_and(|secret| secret.arn == value.arn);
                let bytes = value.bytes().filter(|_| same);
                let bytes = bytes.ok_or_else(|| unbelievable(what))?;
                read.push((index, (value.version_id.unwrap_or_default(), bytes)));
            }
            if open.len() == before {
                return Err(unbelievable(what));
            }
        }
        Ok(read)
    }
}

/// What of the names that were asked for an error is about; nothing else of an answer is repeated.
fn asked_name<'a>(names: &[&'a str], told: &str) -> &'a str {
    let same = names.iter().find(|name| **name == told);
    same.or(names.first()).copied().unwrap_or_default()
}

fn entries(
    listed: &[Listed],
    known: BTreeMap<usize, (String, SecretValue)>,
    field: Option<&str>,
    what: &str,
) -> Result<Snapshot, AwsError> {
    let mut entries = Entries::default();
    for (index, (version, value)) in known {
        let Some(secret) = listed.get(index) else {
            continue;
        };
        let (folder, name) = place(&secret.name);
        let value = match field {
            Some(field) => member(&value, field, &secret.name)?,
            None => value,
        };
        let entry = SourceEntry {
            name: name.to_owned(),
            path: folder.to_owned(),
            tags: secret
                .tags
                .iter()
                .flatten()
                .map(super::wire::Tag::text)
                .collect(),
            version: Some(version).filter(|version| !version.is_empty()),
            value,
        };
        entries.add(entry).map_err(|_| too_large(what))?;
    }
    Ok(Snapshot {
        entries: entries.into_list(),
        version: None,
    })
}

/// What AWS filters by: the beginning of names in both spellings, and tags.
fn filters(folder: Folder<'_>) -> Vec<Filter> {
    let mut filters = Vec::new();
    if !folder.path.segments().is_empty() {
        let name = folder.path.to_text();
        filters.push(Filter {
            key: "name",
            values: vec![format!("{name}/"), format!("/{name}/")],
        });
    }
    // Keys and values are filtered apart; which belong together is looked at in the answer.
    if let Some((key, value)) = folder.tags.first_key_value() {
        filters.push(Filter {
            key: "tag-key",
            values: vec![key.clone()],
        });
        if !value.is_empty() {
            filters.push(Filter {
                key: "tag-value",
                values: vec![value.clone()],
            });
        }
    }
    filters
}

/// Filters match beginnings, in some places without regard to case: what is in the folder is decided here.
fn is_wanted(secret: &Listed, folder: Folder<'_>) -> bool {
    let name = secret.name.strip_prefix('/').unwrap_or(&secret.name);
    let prefix = folder.path.to_text();
    let below = if prefix.is_empty() {
        Some(name)
    } else {
        name.strip_prefix(prefix.as_str())
            .and_then(|rest| rest.strip_prefix('/'))
    };
    let inside = below.is_some_and(|below| {
        !below.is_empty() && !below.ends_with('/') && (folder.recursive || !below.contains('/'))
    });
    let tagged = folder
        .tags
        .iter()
        .all(|(key, value)| secret.has(key, value));
    inside && tagged && secret.deleted_date.is_none() && secret.current().is_some()
}

/// Folder and last segment of a name.
fn place(name: &str) -> (&str, &str) {
    let name = name.trim_start_matches('/');
    name.rsplit_once('/').unwrap_or(("", name))
}

fn is_arn(name: &str) -> bool {
    name.starts_with("arn:")
}

/// Who may not read a name may be refused, rather than told that it does not exist.
fn may_have_a_slash(error: &AwsError) -> bool {
    matches!(
        error.rejection(),
        Some(Rejection::Missing | Rejection::Denied)
    )
}

fn is_gone(error: &AwsError) -> bool {
    matches!(
        error.rejection(),
        Some(Rejection::Missing | Rejection::BeingDeleted)
    )
}

fn shown(path: &RemotePath) -> String {
    format!("{}/", path.to_text())
}

fn too_large(what: &str) -> AwsError {
    AwsError::TooLarge {
        what: what.to_owned(),
    }
}

fn unbelievable(what: &str) -> AwsError {
    AwsError::call(GET.permission, what, Failure::unbelievable(200))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_an_id_or_a_label() {
        let id = "01234567-89ab-cdef-0123-456789abcdef";
        for (text, version) in [
            (None, Version::Current),
            (Some(id), Version::Id(id)),
            (Some("AWSPREVIOUS"), Version::Stage("AWSPREVIOUS")),
            (Some("id:mine"), Version::Id("mine")),
            (Some("stage:id:x"), Version::Stage("id:x")),
            (
                Some("01234567-89ab-cdef-0123-456789abcdeg"),
                Version::Stage("01234567-89ab-cdef-0123-456789abcdeg"),
            ),
        ] {
            assert_eq!(Version::parse(text), version);
        }
    }

    #[test]
    fn a_folder_holds_what_is_below_it_on_segment_borders() {
        let listed = |name: &str| Listed {
            arn: "a".to_owned(),
            name: name.to_owned(),
            tags: None,
            secret_versions_to_stages: Some(
                [("1".to_owned(), vec!["AWSCURRENT".to_owned()])].into(),
            ),
            deleted_date: None,
        };
        let inside = |path: &str, recursive, name: &str| {
            let path = RemotePath::parse(path).unwrap();
            let folder = Folder {
                path: &path,
                recursive,
                field: None,
                tags: &BTreeMap::new(),
            };
            is_wanted(&listed(name), folder)
        };
        for name in ["apps/a", "/apps/a"] {
            assert!(
                inside("apps/", false, name) && inside("", true, name),
                "{name}"
            );
            assert!(!inside("", false, name));
        }
        assert!(inside("apps/", true, "apps/b/c") && !inside("apps/", false, "apps/b/c"));
        for name in [
            "apps",
            "apps-evil/a",
            "appsa",
            "Apps/a",
            "apps/",
            "x/apps/a",
        ] {
            assert!(!inside("apps/", true, name), "{name}");
        }
        assert!(inside("", false, "a") && inside("", false, "/a"));
    }
}
