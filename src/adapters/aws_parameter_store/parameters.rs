//! Reads parameters: one by its name, a path page by page.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use penstock_domain::bundle::{MAX_BYTES, MAX_KEYS, Snapshot, SourceEntry, SourceVersion};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::RemotePath;

use super::wire::{Filter, GET, Get, Got, LIST, List, MAX_PAGE, Page, Parameter};
use crate::aws::answer::{Failure, Rejection};
use crate::aws::client::Client;
use crate::aws::error::AwsError;
use crate::aws::value::member;
use crate::entries::Entries;

/// The most pages of one path. A page may be empty and have another after it; nobody needs more than this.
const MAX_PAGES: usize = 2 * MAX_KEYS / 10 + 100;

/// Reads the parameters of one region.
pub(super) struct Parameters {
    client: Client,
}

/// What pins a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version<'a> {
    /// By its number.
    Number(u64),
    /// By a label; one never begins with a digit.
    Label(&'a str),
}

impl<'a> Version<'a> {
    /// Reads a number from 1, or a label (User Guide, "Working with parameter labels").
    pub(super) fn parse(text: Option<&'a str>) -> Result<Option<Self>, AwsError> {
        let Some(text) = text else {
            return Ok(None);
        };
        let number = text.parse().ok().filter(|number| *number > 0);
        if let Some(number) = number {
            return Ok(Some(Self::Number(number)));
        }
        let sound = text.len() <= 100
            && text.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
        if sound {
            Ok(Some(Self::Label(text)))
        } else {
            Err(AwsError::ask(
                "`version` must be the number of a version, from 1, or a label",
            ))
        }
    }
}

/// A path that is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Folder<'a> {
    pub(super) path: &'a RemotePath,
    pub(super) recursive: bool,
    pub(super) field: Option<&'a str>,
    pub(super) label: Option<&'a str>,
}

impl Parameters {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn clock_ahead(&self) -> Option<SignedDuration> {
        self.client.clock_ahead()
    }

    /// One cheap read that needs good keys. Who may read some paths only may not read the root; AWS says so to
    /// known identities alone.
    pub(super) async fn check(&self) -> Result<(), AwsError> {
        let input = List {
            path: "/",
            recursive: false,
            with_decryption: false,
            max_results: 1,
            parameter_filters: &[],
            next_token: None,
        };
        match self.client.read::<Page>(LIST, "/", &input).await {
            Err(error) if error.rejection() == Some(Rejection::Denied) => Ok(()),
            answer => answer.map(|_| ()),
        }
    }

    /// Reads one parameter.
    pub(super) async fn single(
        &self,
        path: &RemotePath,
        version: Option<Version<'_>>,
        field: Option<&str>,
    ) -> Result<Snapshot, AwsError> {
        let name = path.to_text();
        let rooted = format!("/{name}");
        let parameter = match self.get(&rooted, version).await {
            // Without a hierarchy a name needs no slash.
            Err(error)
                if error.rejection() == Some(Rejection::Missing) && path.segments().len() == 1 =>
            {
                self.get(&name, version).await.or(Err(error))?
            }
            answer => answer?,
        };
        let counter = parameter.version;
        let mut entry = entry(&parameter, field)?;
        if let Some(field) = field {
            field.clone_into(&mut entry.name);
            entry.path = name;
        }
        Ok(Snapshot {
            entries: vec![entry],
            version: Some(SourceVersion::Counter(counter)),
        })
    }

    async fn get(&self, name: &str, version: Option<Version<'_>>) -> Result<Parameter, AwsError> {
        let selector = match version {
            None => name.to_owned(),
            Some(Version::Number(number)) => format!("{name}:{number}"),
            Some(Version::Label(label)) => format!("{name}:{label}"),
        };
        let input = Get {
            name: &selector,
            with_decryption: true,
        };
        let Got { parameter } = self.client.read(GET, &selector, &input).await?;
        // Who answers something else than asked for cannot be believed.
        let versioned = match version {
            Some(Version::Number(number)) => parameter.version == number,
            _ => true,
        };
        if rootless(&parameter.name) == rootless(name) && versioned {
            Ok(parameter)
        } else {
            Err(unbelievable(&selector))
        }
    }

    /// Reads a path, completely or not at all.
    pub(super) async fn folder(&self, folder: Folder<'_>) -> Result<Snapshot, AwsError> {
        let path = format!("/{}", folder.path.to_text());
        let found = self.parameters(folder, true).await?;
        entries(found, folder.field, &path)
    }

    /// The parameters of a path, by their names without the first slash.
    pub(super) async fn parameters(
        &self,
        folder: Folder<'_>,
        with_decryption: bool,
    ) -> Result<BTreeMap<String, Parameter>, AwsError> {
        let path = format!("/{}", folder.path.to_text());
        let filter = folder.label.map(|label| Filter {
            key: "Label",
            option: "Equals",
            values: [label],
        });
        let mut found: BTreeMap<String, Parameter> = BTreeMap::new();
        let (mut token, mut bytes): (Option<String>, usize) = (None, 0);
        for _ in 0..MAX_PAGES {
            let input = List {
                path: &path,
                recursive: folder.recursive,
                with_decryption,
                max_results: MAX_PAGE,
                parameter_filters: filter.as_slice(),
                next_token: token.as_deref(),
            };
            let page: Page = self.client.read(LIST, &path, &input).await?;
            for parameter in page.parameters {
                if !is_inside(&parameter.name, folder) {
                    return Err(unbelievable(&path));
                }
                bytes += parameter.name.len() + parameter.value.len();
                let name = parameter.name.trim_start_matches('/').to_owned();
                if found.insert(name, parameter).is_some() {
                    return Err(unbelievable(&path));
                }
            }
            if found.len() > MAX_KEYS || bytes > MAX_BYTES {
                return Err(too_large(&path));
            }
            let next = page.next_token.filter(|next| !next.is_empty());
            if next.is_some() && next == token {
                break;
            }
            token = next;
            if token.is_none() {
                return Ok(found);
            }
        }
        Err(unbelievable(&path))
    }
}

fn entries(
    found: BTreeMap<String, Parameter>,
    field: Option<&str>,
    path: &str,
) -> Result<Snapshot, AwsError> {
    let mut entries = Entries::default();
    for parameter in found.into_values() {
        let entry = entry(&parameter, field)?;
        entries.add(entry).map_err(|_| too_large(path))?;
    }
    Ok(Snapshot {
        entries: entries.into_list(),
        version: None,
    })
}

fn entry(parameter: &Parameter, field: Option<&str>) -> Result<SourceEntry, AwsError> {
    let value = SecretValue::from(parameter.value.as_str());
    let value = match field {
        Some(field) => member(&value, field, &parameter.name)?,
        None => value,
    };
    let name = parameter.name.trim_start_matches('/');
    let (folder, last) = name.rsplit_once('/').unwrap_or(("", name));
    Ok(SourceEntry {
        name: last.to_owned(),
        path: folder.to_owned(),
        tags: BTreeSet::new(),
        version: Some(parameter.version.to_string()),
        value,
    })
}

/// A name of one segment is the same parameter with a slash before it and without.
pub(super) fn rootless(name: &str) -> &str {
    name.strip_prefix('/').unwrap_or(name)
}

/// Whether a parameter may be answered for the path. What lies elsewhere was not asked for, and whoever answers it
/// answers another question.
fn is_inside(name: &str, folder: Folder<'_>) -> bool {
    let name = rootless(name);
    let prefix = folder.path.to_text();
    let below = if prefix.is_empty() {
        Some(name)
    } else {
        name.strip_prefix(prefix.as_str())
            .and_then(|rest| rest.strip_prefix('/'))
    };
    below.is_some_and(|below| !below.is_empty() && (folder.recursive || !below.contains('/')))
}

fn too_large(what: &str) -> AwsError {
    AwsError::TooLarge {
        what: what.to_owned(),
    }
}

fn unbelievable(what: &str) -> AwsError {
    AwsError::call(LIST.permission, what, Failure::unbelievable(200))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_number_or_a_label() {
        let parse = |text| Version::parse(Some(text)).ok().flatten();
        assert_eq!(Version::parse(None).ok(), Some(None));
        assert_eq!(parse("3"), Some(Version::Number(3)));
        assert_eq!(parse("prod-1.x"), Some(Version::Label("prod-1.x")));
        for text in ["", "0", "-1", "3a", "a:b", "a/b", "a b", &"x".repeat(101)] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
