//! Every secret that a machine account may see, how fresh they must be, and which of them are meant.
//!
//! `GET /organizations/{id}/secrets/sync` answers all or nothing: everything where something has changed since a
//! date, nothing where nothing has (`SecretsSyncQuery.cs`). The date is the server's own, from before the last
//! answer; one second early costs a read, one second late would miss a change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use penstock_domain::bundle::{Snapshot, SourceEntry, SourceVersion};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::RemotePath;
use tokio::time::Instant;

use super::client::Client;
use super::document::{self, Project, Secret};
use super::error::BitwardenSmError;
use super::login::Opened;
use crate::bitwarden_common::enc_string;
use crate::bitwarden_common::names;
use crate::entries::Entries;
use crate::http::client::Request;

/// Whatever the server says about changes, nothing older is answered with.
const MAX_AGE: Duration = Duration::from_hours(1);

/// The secrets of one machine account.
pub(super) struct Secrets {
    client: Client,
    /// Orders arrivals and requests.
    clock: AtomicU64,
    /// Held by whoever asks the server: the others wait and use what it finds.
    held: tokio::sync::Mutex<Option<Held>>,
}

struct Held {
    contents: Arc<Contents>,
    /// The server's time before the last look, where it tells the time.
    date: Option<String>,
    /// When everything was asked for.
    begun: u64,
    /// When changes were last asked for.
    checked: u64,
    at: Instant,
}

/// Ciphertext and the key that opens it.
struct Contents {
    secrets: Vec<Secret>,
    opened: Arc<Opened>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) path: &'a RemotePath,
    pub(super) recursive: bool,
    pub(super) note: bool,
}

impl Secrets {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            clock: AtomicU64::new(0),
            held: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Forgets everything and ends the session.
    pub(super) async fn close(&self) {
        self.held.lock().await.take();
        self.client.close().await;
    }

    /// Answers a source. `insist`: as of now, or later.
    pub(super) async fn read(
        &self,
        asked: Asked<'_>,
        insist: bool,
    ) -> Result<Snapshot, BitwardenSmError> {
        let contents = self.contents(insist).await?;
        if let Some(snapshot) = contents.read(asked)? {
            return Ok(snapshot);
        }
        // Nothing lies there: a project without secrets is there all the same.
        let found = self.projects().await?;
        let segments = asked.path.segments();
        let is_there = |(id, name): &(String, String)| {
            is_id(id, segments) || names::is(name, segments) || names::is_below(name, segments)
        };
        if found.iter().any(is_there) {
            return Ok(Snapshot::default());
        }
        Err(BitwardenSmError::NotFound {
            path: asked.path.to_text(),
        })
    }

    /// One cheap read that needs a live token: the names of the projects.
    pub(super) async fn projects(&self) -> Result<Vec<(String, String)>, BitwardenSmError> {
        let request =
            |organization: &str| Request::get(["organizations", organization, "projects"]);
        let (projects, opened) = self
            .client
            .read("the projects", request, document::projects)
            .await?;
        let named = |project: Project| {
            let name = opened.project_name(&project)?;
            Ok((project.id, name))
        };
        projects.into_iter().map(named).collect()
    }

    async fn contents(&self, insist: bool) -> Result<Arc<Contents>, BitwardenSmError> {
        let arrived = self.tick();
        let mut held = self.held.lock().await;
        if let Some(known) = held.as_mut() {
            let answers = if insist { known.begun } else { known.checked };
            if answers > arrived {
                return Ok(Arc::clone(&known.contents));
            }
            if let (false, Some(date)) = (insist, &known.date)
                && known.at.elapsed() < MAX_AGE
            {
                let date = date.clone();
                let begun = self.tick();
                let Some(newer) = self.sync(Some(&date), begun).await? else {
                    known.checked = begun;
                    return Ok(Arc::clone(&known.contents));
                };
                let contents = Arc::clone(&newer.contents);
                *known = newer;
                return Ok(contents);
            }
        }
        let newer = self.sync(None, self.tick()).await?;
        let newer = newer.ok_or(BitwardenSmError::ask("there is nothing new, unasked"))?;
        let contents = Arc::clone(&newer.contents);
        *held = Some(newer);
        Ok(contents)
    }

    async fn sync(&self, date: Option<&str>, begun: u64) -> Result<Option<Held>, BitwardenSmError> {
        let at = Instant::now();
        let asked = Timestamp::now();
        let request = |organization: &str| {
            let request = Request::get(["organizations", organization, "secrets", "sync"]);
            match date {
                Some(date) => request.query("lastSyncedDate", date),
                None => request,
            }
        };
        let understand = |body: &[u8]| document::synced(body, date.is_some());
        let (secrets, opened) = self.client.read("the secrets", request, understand).await?;
        let Some(secrets) = secrets else {
            return Ok(None);
        };
        // `Date` has whole seconds, cut off: this is never later than the server's time when it was asked.
        let ahead = self.client.login().api.clock_ahead();
        let date = ahead.and_then(|ahead| asked.checked_add(ahead).ok());
        let date = date.and_then(|date| Timestamp::from_second(date.as_second() - 1).ok());
        Ok(Some(Held {
            contents: Arc::new(Contents { secrets, opened }),
            date: date.map(|date| date.to_string()),
            begun,
            checked: begun,
            at,
        }))
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }
}

impl Opened {
    fn text(&self, text: &str, what: impl Fn() -> String) -> Result<String, BitwardenSmError> {
        let bytes = enc_string::decrypt(text, &self.key).map_err(|source| {
            BitwardenSmError::Unreadable {
                what: what(),
                source,
            }
        })?;
        String::from_utf8(bytes.to_vec()).map_err(|_| BitwardenSmError::Unreadable {
            what: what(),
            source: enc_string::ReadEncString::Decrypt,
        })
    }

    fn project_name(&self, project: &Project) -> Result<String, BitwardenSmError> {
        self.text(&project.name, || format!("project {}", project.id))
    }

    fn secret_name(&self, secret: &Secret) -> Result<String, BitwardenSmError> {
        self.text(&secret.key, || format!("secret {}", secret.id))
    }
}

fn is_id(id: &str, segments: &[String]) -> bool {
    matches!(segments, [only] if only == id)
}

impl Contents {
    /// What lies at a path; none where no secret does.
    fn read(&self, asked: Asked<'_>) -> Result<Option<Snapshot>, BitwardenSmError> {
        let projects = self.projects()?;
        let segments = asked.path.segments();
        let here = |(id, name): &(&&str, &String)| is_id(id, segments) || names::is(name, segments);
        let below = |(_, name): &(&&str, &String)| names::is_below(name, segments);
        if segments.is_empty()
            || projects
                .iter()
                .any(|project| here(&project) || below(&project))
        {
            // Whoever may name a project can make a second one of the name.
            if projects.iter().filter(here).count() > 1 {
                return Err(ambiguous(asked.path));
            }
            let chosen: BTreeSet<&str> = projects
                .iter()
                .filter(|project| here(project) || asked.recursive && below(project))
                .map(|(id, _)| *id)
                .collect();
            return self.folder(&projects, &chosen, asked).map(Some);
        }
        if asked.path.is_folder() {
            return Ok(None);
        }
        self.single(&projects, asked)
    }

    /// The projects that secrets lie in, by id.
    fn projects(&self) -> Result<BTreeMap<&str, String>, BitwardenSmError> {
        let mut projects = BTreeMap::new();
        for project in self.secrets.iter().filter_map(Secret::project) {
            if !projects.contains_key(project.id.as_str()) {
                let name = self.opened.project_name(project)?;
                projects.insert(project.id.as_str(), name);
            }
        }
        Ok(projects)
    }

    fn folder(
        &self,
        projects: &BTreeMap<&str, String>,
        chosen: &BTreeSet<&str>,
        asked: Asked<'_>,
    ) -> Result<Snapshot, BitwardenSmError> {
        let with_root = asked.path.segments().is_empty();
        let mut found = BTreeMap::new();
        for secret in &self.secrets {
            let project = secret.project().map(|project| project.id.as_str());
            if !project.map_or(with_root, |project| chosen.contains(project)) {
                continue;
            }
            let path = project.and_then(|project| projects.get(project));
            let path = path.map(String::as_str).unwrap_or_default();
            let name = self.opened.secret_name(secret)?;
            // Of two secrets of one name the later one comes later.
            found.insert((path, name, revised(secret), secret.id.as_str()), secret);
        }
        let mut entries = Entries::default();
        for ((path, name, ..), secret) in found {
            let entry = self.entry(secret, name, path, asked)?;
            entries.add(entry).map_err(|_| BitwardenSmError::TooLarge {
                path: asked.path.to_text(),
            })?;
        }
        Ok(Snapshot {
            entries: entries.into_list(),
            version: None,
        })
    }

    /// The one secret that a path names: its last segments are the name, or the last one the id.
    fn single(
        &self,
        projects: &BTreeMap<&str, String>,
        asked: Asked<'_>,
    ) -> Result<Option<Snapshot>, BitwardenSmError> {
        let segments = asked.path.segments();
        for border in (0..segments.len()).rev() {
            let (folder, name) = segments.split_at(border);
            let wanted = name.join("/");
            let mut found = Vec::new();
            for secret in &self.secrets {
                let project = secret.project().map(|project| project.id.as_str());
                let path = project.and_then(|id| Some((id, projects.get(id)?)));
                let lies_there = match path {
                    Some((id, name)) => is_id(id, folder) || names::is(name, folder),
                    None => folder.is_empty(),
                };
                // An id alone names a secret wherever it lies.
                let is_meant = lies_there && self.opened.secret_name(secret)? == wanted
                    || secret.id == wanted && (lies_there || folder.is_empty());
                if is_meant {
                    found.push((secret, path.map(|(_, name)| name.as_str())));
                }
            }
            match found.as_slice() {
                [] => {}
                [(secret, path)] => {
                    let name = self.opened.secret_name(secret)?;
                    let entry = self.entry(secret, name, path.unwrap_or_default(), asked)?;
                    return Ok(Some(Snapshot {
                        entries: vec![entry],
                        version: counter(secret).map(SourceVersion::Counter),
                    }));
                }
                _ => return Err(ambiguous(asked.path)),
            }
        }
        Ok(None)
    }

    fn entry(
        &self,
        secret: &Secret,
        name: String,
        path: &str,
        asked: Asked<'_>,
    ) -> Result<SourceEntry, BitwardenSmError> {
        let text = if asked.note {
            secret.note.as_deref()
        } else {
            Some(secret.value.as_str())
        };
        let value = match text {
            None => SecretValue::from(""),
            Some(text) => {
                let mut bytes = enc_string::decrypt(text, &self.opened.key).map_err(|source| {
                    BitwardenSmError::Unreadable {
                        what: format!("secret {}", secret.id),
                        source,
                    }
                })?;
                SecretValue::new(std::mem::take(&mut *bytes))
            }
        };
        Ok(SourceEntry {
            name,
            path: path.to_owned(),
            tags: Some(path.to_owned())
                .filter(|path| !path.is_empty())
                .into_iter()
                .collect(),
            version: secret.revision_date.clone(),
            value,
        })
    }
}

fn ambiguous(path: &RemotePath) -> BitwardenSmError {
    BitwardenSmError::Ambiguous {
        path: path.to_text(),
    }
}

fn revised(secret: &Secret) -> Option<Timestamp> {
    secret.revision_date.as_deref()?.parse().ok()
}

/// The revision date in milliseconds of the epoch: it only grows, unless an old state was put back.
fn counter(secret: &Secret) -> Option<u64> {
    u64::try_from(revised(secret)?.as_millisecond()).ok()
}
