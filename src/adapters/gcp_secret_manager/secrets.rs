//! Reading secrets: one by its name, or those of a folder.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _};
use penstock_domain::bundle::{Snapshot, SourceEntry, SourceVersion};
use penstock_domain::stores::access::RemotePath;

use super::answer::{self, Accessed, Listed, Rejection};
use super::error::GcpError;
use super::login::Login;
use crate::entries::Entries;
use crate::flat_names::{Placed, Separator};
use crate::http::client::{Request, Response};
use crate::oauth::{self, Bearer, LogIn, NoAnswer};
use crate::property::{NoProperty, property};

/// How many secrets one page of a list has.
const PAGE_SIZE: &str = "1000";
/// The most pages of one list.
const MAX_PAGES: usize = 1000;
/// How many values of a folder are asked for at the same time; the store's limits decide how many are under way.
const AT_ONCE: usize = 64;
/// The version that was made last.
const LATEST: &str = "latest";
const REFUSED_HINT: &str = "A token that was given out a moment ago is refused: check the project and its organisation's policies";

/// Secrets of one project.
pub(super) struct Secrets {
    pub(super) client: Bearer<Login>,
    /// The segments between the address and `secrets`.
    pub(super) parent: Vec<String>,
    pub(super) separator: Separator,
    pub(super) checksums: bool,
}

/// One secret that is asked for.
pub(super) struct Single<'a> {
    pub(super) path: &'a RemotePath,
    /// A number, an alias or `latest`.
    pub(super) version: Option<&'a str>,
    /// A member of its JSON.
    pub(super) field: Option<&'a str>,
}

/// A folder that is asked for.
pub(super) struct Folder<'a> {
    pub(super) path: &'a RemotePath,
    pub(super) recursive: bool,
    pub(super) labels: &'a BTreeMap<String, String>,
    /// What cannot be used counts as deleted.
    pub(super) leave_out: bool,
}

/// A secret of a folder, before its value is read.
struct Found {
    id: String,
    placed: Placed,
    tags: BTreeSet<String>,
}

impl Secrets {
    /// Reads one secret.
    pub(super) async fn single(&self, single: &Single<'_>) -> Result<Snapshot, GcpError> {
        let id = self.separator.name_of(single.path);
        let what = format!("secret {id}");
        let accessed = self.access(&id, single.version.unwrap_or(LATEST)).await?;
        let Placed { folder, name } = self.separator.place(&id);
        let (name, value) = match single.field {
            None => (name, accessed.value),
            Some(field) => {
                let member = property(&accessed.value, field);
                let member = member.map_err(|problem| GcpError::Property {
                    what,
                    property: field.to_owned(),
                    object: problem == NoProperty::Missing,
                })?;
                (field.to_owned(), member)
            }
        };
        let entry = SourceEntry {
            name,
            path: folder,
            tags: BTreeSet::new(),
            version: Some(accessed.version.to_string()),
            value,
        };
        Ok(Snapshot {
            entries: vec![entry],
            version: Some(SourceVersion::Counter(accessed.version)),
        })
    }

    /// Reads a folder, completely or not at all.
    pub(super) async fn folder(&self, folder: &Folder<'_>) -> Result<Snapshot, GcpError> {
        let prefix = self.separator.prefix_of(folder.path);
        let mut found = Vec::new();
        for listed in self.list(folder.labels, &prefix).await? {
            let fits = folder
                .labels
                .iter()
                .all(|(key, value)| listed.labels.get(key) == Some(value));
            let placed = self
                .separator
                .within(&prefix, &listed.id, folder.recursive)
                // Unlike elsewhere, names here differ by case.
                .filter(|_| fits && listed.id.starts_with(&prefix));
            if let Some(placed) = placed {
                found.push(Found {
                    tags: answer::tags(&listed.labels),
                    id: listed.id,
                    placed,
                });
            }
        }
        let read = futures::stream::iter(found)
            .map(|found| async move {
                match self.access(&found.id, LATEST).await {
                    Ok(accessed) => Ok(Some((found, accessed))),
                    Err(error) => match error.rejection() {
                        // It never had a version, or has been deleted since the list was made.
                        Some(Rejection::Missing) => Ok(None),
                        Some(Rejection::Unusable) if folder.leave_out => Ok(None),
                        _ => Err(error),
                    },
                }
            })
            .buffer_unordered(AT_ONCE);
        let entries = read.try_fold(Entries::default(), |mut entries, read| {
            let added = read.is_none_or(|(found, accessed)| {
                let entry = SourceEntry {
                    name: found.placed.name,
                    path: found.placed.folder,
                    tags: found.tags,
                    version: Some(accessed.version.to_string()),
                    value: accessed.value,
                };
                entries.add(entry).is_ok()
            });
            futures::future::ready(added.then_some(entries).ok_or_else(|| GcpError::TooLarge {
                what: format!("folder `{}`", folder.path.to_text()),
            }))
        });
        let mut entries = entries.await?.into_list();
        entries.sort_by(|one, other| (&one.path, &one.name).cmp(&(&other.path, &other.name)));
        Ok(Snapshot {
            entries,
            version: None,
        })
    }

    /// One cheap read that needs a live token. Says whether the project's secrets may be listed: who may only
    /// access some of them has a usable store, too.
    pub(super) async fn check(&self) -> Result<bool, GcpError> {
        let request = || Request::get(self.segments(&[])).query("pageSize", "1");
        match self.read(request, answer::page, LIST).await {
            Ok(_) => Ok(true),
            Err(error) => match error.rejection() {
                Some(Rejection::Denied(answer::Denied::Permission)) => Ok(false),
                _ => Err(error),
            },
        }
    }

    /// Lists the secrets whose names begin so, and perhaps others.
    async fn list(
        &self,
        labels: &BTreeMap<String, String>,
        prefix: &str,
    ) -> Result<Vec<Listed>, GcpError> {
        let filter: Vec<String> = labels
            .iter()
            .map(|(key, value)| format!("labels.{key}={value}"))
            .collect();
        let filter = filter.join(" AND ");
        let (mut listed, mut token) = (Vec::new(), None::<String>);
        for _ in 0..MAX_PAGES {
            let request = || {
                let mut request = Request::get(self.segments(&[])).query("pageSize", PAGE_SIZE);
                if !filter.is_empty() {
                    request = request.query("filter", &filter);
                }
                if let Some(token) = &token {
                    request = request.query("pageToken", token);
                }
                request
            };
            let page = self.read(request, answer::page, LIST).await?;
            listed.extend(
                page.secrets
                    .into_iter()
                    .filter(|secret| secret.id.starts_with(prefix)),
            );
            match page.next {
                None => return Ok(listed),
                next if next == token => return Err(GcpError::Endless),
                next => token = next,
            }
        }
        Err(GcpError::Endless)
    }

    async fn access(&self, id: &str, version: &str) -> Result<Accessed, GcpError> {
        let version_access = format!("{version}:access");
        let request = || Request::get(self.segments(&[id, "versions", &version_access]));
        let understand = |body: &[u8]| {
            let accessed = answer::accessed(body, id, self.checksums)?;
            match version.parse::<u64>() {
                // Whoever answers another version than asked for cannot be believed.
                Ok(number) if number != accessed.version => Err(Rejection::Unbelievable(200)),
                _ => Ok(accessed),
            }
        };
        self.read(request, understand, &format!("secret {id}"))
            .await
    }

    /// Reads something and understands its body.
    async fn read<T>(
        &self,
        request: impl Fn() -> Request,
        understand: impl Fn(&[u8]) -> Result<T, Rejection>,
        what: &str,
    ) -> Result<T, GcpError> {
        let http = &self.client.http;
        let refused = |_: &Response| LogIn::Refused {
            host: http.host().to_owned(),
            code: None,
            hint: REFUSED_HINT,
        };
        let answered = self.client.send(|| Ok(request()), refused).await;
        let response = answered.map_err(|error| match error {
            NoAnswer::LogIn(error) => GcpError::LogIn(error),
            NoAnswer::Refused(response) => GcpError::LogIn(refused(&response)),
            NoAnswer::Send(source) => GcpError::Send {
                host: http.host().to_owned(),
                source,
            },
        })?;
        answer::good(response.status.as_u16(), response.body())
            .and_then(understand)
            .map_err(|rejection| {
                let rejection = match rejection {
                    Rejection::Throttled(named) => {
                        let wait = oauth::wait_of(&response, named);
                        http.pause(wait);
                        Rejection::Throttled(Some(wait))
                    }
                    other => other,
                };
                GcpError::read(what, rejection)
            })
    }

    fn segments(&self, below: &[&str]) -> Vec<String> {
        let parent = self.parent.iter().cloned();
        parent
            .chain(
                ["secrets"]
                    .iter()
                    .chain(below)
                    .map(|segment| (*segment).to_owned()),
            )
            .collect()
    }
}

const LIST: &str = "the list of secrets";
