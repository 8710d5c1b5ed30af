//! Reading secrets: one by its name, or those of a folder.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};
use penstock_domain::api::azure_key_vault::AzureNames;
use penstock_domain::bundle::{Snapshot, SourceEntry, SourceVersion};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::RemotePath;

use super::answer::{self, Listed, Rejection, Secret, Unusable};
use super::challenge::{self, Expected, WrongToken};
use super::error::AzureError;
use super::login::Login;
use super::names::{key_of, name_of};
use super::remembered::Remembered;
use crate::entries::Entries;
use crate::flat_names::{Placed, Separator};
use crate::http::client::{Request, Response};
use crate::oauth::{self, Bearer, LogIn, NoAnswer};
use crate::property::{NoProperty, property};

const API_VERSION: &str = "7.4";
/// How many secrets one page of a list has: the most that a vault gives.
const PAGE_SIZE: &str = "25";
/// The most pages of one list.
const MAX_PAGES: usize = 2000;
/// How many values of a folder are asked for at the same time; the store's limits decide how many are under way.
const AT_ONCE: usize = 64;

/// Secrets of one vault.
pub(super) struct Secrets {
    pub(super) client: Bearer<Login>,
    /// Host and port of the vault.
    pub(super) authority: String,
    pub(super) expected: Expected,
    pub(super) separator: Separator,
    pub(super) names: AzureNames,
    pub(super) remembered: Remembered,
}

/// One secret that is asked for.
pub(super) struct Single<'a> {
    pub(super) path: &'a RemotePath,
    /// 32 hexadecimal digits.
    pub(super) version: Option<&'a str>,
    /// A member of its JSON.
    pub(super) field: Option<&'a str>,
}

/// A folder that is asked for.
pub(super) struct Folder<'a> {
    pub(super) path: &'a RemotePath,
    pub(super) recursive: bool,
    pub(super) tags: &'a BTreeMap<String, String>,
    /// What cannot be used counts as deleted.
    pub(super) leave_out: bool,
}

/// A secret of a folder, before its value is read.
struct Found {
    listed: Listed,
    placed: Placed,
}

impl Secrets {
    /// Reads one secret.
    pub(super) async fn single(&self, single: &Single<'_>) -> Result<Snapshot, AzureError> {
        let asked = self.separator.name_of(single.path);
        let secret = self.get(&asked, single.version).await?;
        // The vault answers what its owner says is not to be used (yet, or any more).
        if let Some(why) = secret.attributes.unusable(self.now()) {
            return Err(AzureError::read(named(&asked), Rejection::Unusable(why)));
        }
        let Placed { folder, name } = self.separator.place(&secret.name);
        let (name, value) = match single.field {
            None => (key_of(self.names, &name), secret.value),
            Some(field) => {
                let member = property(&secret.value, field);
                let member = member.map_err(|problem| AzureError::Property {
                    what: named(&asked),
                    property: field.to_owned(),
                    object: problem == NoProperty::Missing,
                })?;
                (field.to_owned(), member)
            }
        };
        let entry = SourceEntry {
            name,
            path: folder,
            tags: answer::tags(&secret.tags, secret.content_type.as_deref()),
            version: Some(secret.version.clone()),
            value,
        };
        Ok(Snapshot {
            entries: vec![entry],
            version: Some(SourceVersion::Tag(secret.version)),
        })
    }

    /// Reads a folder, completely or not at all. `insist`: no earlier answer will do.
    pub(super) async fn folder(
        &self,
        folder: &Folder<'_>,
        insist: bool,
    ) -> Result<Snapshot, AzureError> {
        let now = self.now();
        let prefix = self.separator.prefix_of(folder.path);
        let mut found = Vec::new();
        for listed in self.list(&prefix).await? {
            let fits = folder
                .tags
                .iter()
                .all(|(key, value)| listed.tags.get(key) == Some(value));
            let placed = self
                .separator
                .within(&prefix, &listed.name, folder.recursive);
            let Some(placed) = placed.filter(|_| fits) else {
                continue;
            };
            match listed.attributes.unusable(now) {
                Some(_) if folder.leave_out => {}
                Some(why) => {
                    let what = named(&listed.name);
                    return Err(AzureError::read(what, Rejection::Unusable(why)));
                }
                None => found.push(Found { listed, placed }),
            }
        }
        let read = futures::stream::iter(found)
            .map(|found| self.value(found, folder, insist))
            .buffer_unordered(AT_ONCE);
        let entries =
            read.try_fold(Entries::default(), |mut entries, entry| {
                let added = entry.is_none_or(|entry| entries.add(entry).is_ok());
                futures::future::ready(added.then_some(entries).ok_or_else(|| {
                    AzureError::TooLarge {
                        what: format!("folder `{}`", folder.path.to_text()),
                    }
                }))
            });
        let mut entries = entries.await?.into_list();
        entries.sort_by(|one, other| (&one.path, &one.name).cmp(&(&other.path, &other.name)));
        Ok(Snapshot {
            entries,
            version: None,
        })
    }

    /// The entry of a secret; none where it has been deleted since the list was made, or counts as deleted.
    async fn value(
        &self,
        found: Found,
        folder: &Folder<'_>,
        insist: bool,
    ) -> Result<Option<SourceEntry>, AzureError> {
        let Found { listed, placed } = found;
        let updated = listed.attributes.updated;
        let known = self.remembered.find(&listed.name, updated);
        let (version, value) = match known.filter(|_| !insist) {
            Some(known) => known,
            None => match self.current(&listed).await {
                Ok(read) => read,
                Err(error) => {
                    return match error.rejection() {
                        Some(Rejection::Missing) => Ok(None),
                        Some(Rejection::Unusable(_)) if folder.leave_out => Ok(None),
                        _ => Err(error),
                    };
                }
            },
        };
        Ok(Some(SourceEntry {
            name: key_of(self.names, &placed.name),
            path: placed.folder,
            tags: answer::tags(&listed.tags, listed.content_type.as_deref()),
            version: Some(version),
            value,
        }))
    }

    async fn current(&self, listed: &Listed) -> Result<(String, SecretValue), AzureError> {
        let secret = self.get(&listed.name, None).await?;
        let now = self.now();
        if let Some(why) = secret.attributes.unusable(now) {
            return Err(AzureError::read(
                named(&listed.name),
                Rejection::Unusable(why),
            ));
        }
        let updated = secret.attributes.updated;
        let read = (secret.version.as_str(), &secret.value);
        self.remembered.keep(&listed.name, (updated, now), read);
        Ok((secret.version, secret.value))
    }

    /// One cheap read that needs a live token. Says whether the secrets may be listed: who may only read them by name
    /// has a usable store, too.
    pub(super) async fn check(&self) -> Result<bool, AzureError> {
        let request = || first_page("1");
        let understand = |body: &[u8]| answer::page(body, &self.authority);
        match self.read(request, understand, LIST).await {
            Ok(_) => Ok(true),
            Err(error) => match error.rejection() {
                Some(Rejection::Denied(answer::Denied::Permission)) => Ok(false),
                _ => Err(error),
            },
        }
    }

    /// Lists the secrets whose names begin so.
    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, AzureError> {
        let (mut listed, mut next) = (Vec::new(), None::<String>);
        for _ in 0..MAX_PAGES {
            let request = || match &next {
                None => first_page(PAGE_SIZE),
                Some(query) => Request::get(["secrets"]).raw_query(query),
            };
            let understand = |body: &[u8]| answer::page(body, &self.authority);
            let page = self.read(request, understand, LIST).await?;
            let begins = |name: &str| {
                let start = name.get(..prefix.len());
                start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
            };
            let secrets = page.secrets.into_iter();
            listed.extend(secrets.filter(|secret| begins(&secret.name)));
            match page.next {
                None => return Ok(listed),
                link if link == next => return Err(AzureError::Endless),
                link => next = link,
            }
        }
        Err(AzureError::Endless)
    }

    async fn get(&self, name: &str, version: Option<&str>) -> Result<Secret, AzureError> {
        let request = || {
            Request::get(["secrets", name].into_iter().chain(version))
                .query("api-version", API_VERSION)
        };
        let understand = |body: &[u8]| answer::secret(body, name, version);
        self.read(request, understand, &named(name)).await
    }

    /// Reads something and understands its body.
    async fn read<T>(
        &self,
        request: impl Fn() -> Request,
        understand: impl Fn(&[u8]) -> Result<T, Rejection>,
        what: &str,
    ) -> Result<T, AzureError> {
        let http = &self.client.http;
        let refused = |response: &Response| self.refused(response);
        let answered = self.client.send(|| Ok(request()), refused).await;
        let response = answered.map_err(|error| match error {
            NoAnswer::LogIn(error) => AzureError::LogIn(error),
            NoAnswer::Refused(response) => AzureError::LogIn(self.refused(&response)),
            NoAnswer::Send(source) => AzureError::Send {
                host: http.host().to_owned(),
                source,
            },
        })?;
        answer::good(response.status.as_u16(), response.body())
            .and_then(understand)
            .map_err(|rejection| match rejection {
                Rejection::Throttled => AzureError::Throttled {
                    wait: oauth::wait_of(&response, None),
                },
                other => AzureError::read(what, other),
            })
    }

    /// What a refused token means, by the vault's own words.
    fn refused(&self, response: &Response) -> LogIn {
        let hint = match challenge::judge(response.challenge.as_deref(), &self.expected) {
            WrongToken::Authority => {
                "The vault trusts another authority than this cloud's: check vaultUrl and cloud"
            }
            WrongToken::Tenant => "The vault belongs to another directory: check tenantId",
            WrongToken::Resource => {
                "The vault wants tokens for another resource: check cloud, or authority.resource"
            }
            WrongToken::Unknown => {
                "A token that was given out a moment ago is refused: check the vault's directory and its conditional access"
            }
            WrongToken::NoChallenge => "Check that vaultUrl leads to a vault",
        };
        LogIn::Refused {
            host: self.client.http.host().to_owned(),
            code: None,
            hint,
        }
    }

    /// The time as the vault has it, in seconds.
    fn now(&self) -> i64 {
        let ahead = self.client.http.clock_ahead();
        let ahead = ahead.unwrap_or(SignedDuration::ZERO).as_secs();
        Timestamp::now().as_second().saturating_add(ahead)
    }
}

impl Unusable {
    /// The end of "the secret …".
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::Disabled => "is disabled",
            Self::NotYetValid => "is not valid yet",
            Self::Expired => "has expired",
        }
    }
}

/// The names of a path's segments in the vault.
pub(super) fn in_the_vault(names: AzureNames, path: &RemotePath) -> Option<RemotePath> {
    if path.segments().is_empty() {
        return Some(path.clone());
    }
    let segments: Vec<String> = path
        .segments()
        .iter()
        .map(|segment| name_of(names, segment))
        .collect();
    let parsed = RemotePath::parse(&segments.join("/")).ok()?;
    Some(if path.is_folder() {
        parsed.as_folder()
    } else {
        parsed
    })
}

fn first_page(size: &str) -> Request {
    Request::get(["secrets"])
        .query("api-version", API_VERSION)
        .query("maxresults", size)
}

fn named(name: &str) -> String {
    format!("secret {name}")
}

const LIST: &str = "the list of secrets";
