//! Reads the KV engine: one secret, or a folder as a whole.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, WeakShared};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use penstock_domain::bundle::{MAX_KEYS, Snapshot, SourceEntry, SourceVersion};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::RemotePath;

use super::answer::{self, KvVersion, Mount, Rejection, Secret};
use super::client::{Client, Resource};
use super::error::VaultError;
use super::probe::{Probe, Tagging};
use crate::entries::Entries;

/// How many secrets of one folder are asked for at once; the store's own limit applies besides.
const CONCURRENT_READS: usize = 32;
/// The most folders below one.
pub(super) const MAX_FOLDERS: usize = 1000;
/// Mounts whose version is remembered.
const MAX_MOUNTS: usize = 64;

/// Reads the KV engines of one server.
pub(super) struct Kv {
    client: Arc<Client>,
    given: Option<KvVersion>,
    found: Mutex<HashMap<RemotePath, KvVersion>>,
    /// Questions about mounts that are under way: a thousand first readers ask once.
    asking: Mutex<HashMap<RemotePath, WeakShared<BoxFuture<'static, Found>>>>,
    probe: Probe,
}

type Found = Result<KvVersion, VaultError>;

/// What is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query<'a> {
    pub(super) mount: &'a RemotePath,
    pub(super) path: &'a RemotePath,
    pub(super) recursive: bool,
    pub(super) field: Option<&'a str>,
    pub(super) version: Option<u64>,
}

/// An engine of known version.
#[derive(Clone, Copy)]
pub(super) struct Engine<'a> {
    pub(super) mount: &'a RemotePath,
    pub(super) version: KvVersion,
}

impl Engine<'_> {
    pub(super) fn resource(self, verb: &'static str, path: &RemotePath) -> Resource {
        let verb = match self.version {
            KvVersion::One => None,
            KvVersion::Two => Some(verb.to_owned()),
        };
        let segments = self.mount.segments().iter().cloned();
        Resource {
            segments: segments
                .chain(verb)
                .chain(path.segments().iter().cloned())
                .collect(),
            query: Vec::new(),
            name: self.name(path),
        }
    }

    pub(super) fn name(self, path: &RemotePath) -> String {
        let slash = if path.is_folder() { "/" } else { "" };
        let between = if path.segments().is_empty() { "" } else { "/" };
        format!("{}{between}{}{slash}", self.mount.to_text(), path.to_text())
    }
}

impl Kv {
    pub(super) fn new(client: Client, given: Option<KvVersion>) -> Self {
        Self {
            client: Arc::new(client),
            given,
            found: Mutex::default(),
            asking: Mutex::default(),
            probe: Probe::default(),
        }
    }

    pub(super) fn probe(&self) -> &Probe {
        &self.probe
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Answers one query, completely or not at all.
    pub(super) async fn read(&self, query: Query<'_>) -> Result<Snapshot, VaultError> {
        let engine = Engine {
            mount: query.mount,
            version: self.version(query.mount).await?,
        };
        let snapshot = if query.path.is_folder() || query.recursive {
            self.read_folder(engine, query).await
        } else {
            self.read_one(engine, query).await
        };
        if let Err(error) = &snapshot
            && matches!(
                error.rejection(),
                Some(Rejection::WrongEngine | Rejection::NoRoute)
            )
        {
            // Somebody may have mounted something else there; the next read asks again.
            self.found().remove(query.mount);
        }
        snapshot
    }

    /// The version of the engine at `mount`: as given, as found before, or asked for.
    pub(super) async fn version(&self, mount: &RemotePath) -> Result<KvVersion, VaultError> {
        match self.given.or_else(|| self.found().get(mount).copied()) {
            Some(version) => Ok(version),
            None => self.ask_version(mount).await,
        }
    }

    /// One cheap read that needs a live token: what is mounted or, where that is given, whose token it is.
    pub(super) async fn check(&self, mount: &RemotePath) -> Result<KvVersion, VaultError> {
        let Some(given) = self.given else {
            return self.ask_version(mount).await;
        };
        let resource = Resource {
            segments: ["auth", "token", "lookup-self"].map(str::to_owned).into(),
            query: Vec::new(),
            name: "auth/token/lookup-self".to_owned(),
        };
        match self.client.read(&resource, |_| Ok(())).await {
            // A token that has just been given out may not look itself up: it is good all the same.
            Err(error) if !error.is_denied() => Err(error),
            _ => Ok(given),
        }
    }

    async fn ask_version(&self, mount: &RemotePath) -> Found {
        let version = {
            let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
            let running = asking.get(mount).and_then(WeakShared::upgrade);
            running.unwrap_or_else(|| {
                let question = ask(Arc::clone(&self.client), mount.clone());
                let question = question.boxed().shared();
                asking.retain(|_, running| running.upgrade().is_some());
                asking.extend(question.downgrade().map(|weak| (mount.clone(), weak)));
                question
            })
        }
        .await?;
        let mut found = self.found();
        if found.len() >= MAX_MOUNTS {
            found.clear();
        }
        found.insert(mount.clone(), version);
        Ok(version)
    }

    fn found(&self) -> MutexGuard<'_, HashMap<RemotePath, KvVersion>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn secret(
        &self,
        engine: Engine<'_>,
        path: &RemotePath,
        version: Option<u64>,
    ) -> Result<Secret, VaultError> {
        let mut resource = engine.resource("data", path);
        let understand = match engine.version {
            KvVersion::One => answer::secret_v1,
            KvVersion::Two => answer::secret_v2,
        };
        if let Some(version) = version {
            if engine.version == KvVersion::One {
                return Err(VaultError::ask("KV 1 keeps no versions: remove `version`"));
            }
            resource.query.push(("version", version.to_string()));
        }
        let secret = self.client.read(&resource, understand).await?;
        if version.is_some() && secret.version != version {
            // Whoever answers another version than asked for cannot be believed.
            return Err(VaultError::read(
                resource.name,
                Rejection::Unbelievable(200),
            ));
        }
        Ok(secret)
    }

    async fn read_one(&self, engine: Engine<'_>, query: Query<'_>) -> Result<Snapshot, VaultError> {
        let secret = self.secret(engine, query.path, query.version).await?;
        let version = secret.version;
        let name = engine.name(query.path);
        if let Some(field) = query.field
            && !secret.fields.contains_key(field)
        {
            return Err(VaultError::Field {
                path: name,
                field: field.to_owned(),
            });
        }
        let too_large = |_| VaultError::TooLarge { path: name.clone() };
        let mut tagging = Tagging::default();
        tagging.add(query.path, Some(&secret));
        let mut entries = Entries::default();
        for (field, value) in &secret.fields {
            if query.field.is_none_or(|wanted| wanted == field) {
                let entry = entry(&secret, field, query.path.to_text(), value);
                entries.add(entry).map_err(too_large)?;
            }
        }
        let snapshot = Snapshot {
            entries: entries.into_list(),
            version: version.map(SourceVersion::Counter),
        };
        self.remember(query, tagging, &snapshot);
        Ok(snapshot)
    }

    async fn read_folder(
        &self,
        engine: Engine<'_>,
        query: Query<'_>,
    ) -> Result<Snapshot, VaultError> {
        if query.version.is_some() {
            return Err(VaultError::ask(
                "a folder has no version: remove `version`, or name one secret",
            ));
        }
        let folder = query.path.clone().as_folder();
        let paths = self.list(engine, &folder, query.recursive).await?;
        let secrets: Vec<(RemotePath, Option<Secret>)> = stream::iter(paths)
            .map(|path| self.listed_secret(engine, &folder, path))
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await?;
        let too_large = |_| VaultError::TooLarge {
            path: engine.name(&folder),
        };
        let mut tagging = Tagging::default();
        let mut entries = Entries::default();
        for (path, secret) in &secrets {
            tagging.add(path, secret.as_ref());
            let Some(secret) = secret else { continue };
            match query.field {
                None => {
                    for (field, value) in &secret.fields {
                        let entry = entry(secret, field, path.to_text(), value);
                        entries.add(entry).map_err(too_large)?;
                    }
                }
                // Each secret is one entry of its own name.
                Some(field) => {
                    if let (Some(value), Some((name, parent))) =
                        (secret.fields.get(field), path.segments().split_last())
                    {
                        let entry = entry(secret, name, parent.join("/"), value);
                        entries.add(entry).map_err(too_large)?;
                    }
                }
            }
        }
        let snapshot = Snapshot {
            entries: entries.into_list(),
            version: None,
        };
        self.remember(query, tagging, &snapshot);
        Ok(snapshot)
    }

    /// A secret that a listing named. `None` when the server says that its newest version is deleted, or
    /// that it has none yet. A secret that is simply gone, or that we may not read, spoils the whole read:
    /// without it the answer would look complete and be smaller.
    async fn listed_secret(
        &self,
        engine: Engine<'_>,
        folder: &RemotePath,
        path: RemotePath,
    ) -> Result<(RemotePath, Option<Secret>), VaultError> {
        let error = match self.secret(engine, &path, None).await {
            Ok(secret) => return Ok((path, Some(secret))),
            Err(error) => error,
        };
        match (error.rejection(), engine.version) {
            (Some(Rejection::Deleted | Rejection::Destroyed), _) => Ok((path, None)),
            (Some(Rejection::Missing), KvVersion::Two) => {
                let metadata = engine.resource("metadata", &path);
                match self.client.read(&metadata, answer::never_written).await {
                    Ok(true) => Ok((path, None)),
                    _ => Err(moving(engine, folder)),
                }
            }
            (Some(Rejection::Missing), KvVersion::One) => Err(moving(engine, folder)),
            _ => Err(error),
        }
    }

    /// The paths of all secrets in a folder, in order.
    async fn list(
        &self,
        engine: Engine<'_>,
        top: &RemotePath,
        recursive: bool,
    ) -> Result<Vec<RemotePath>, VaultError> {
        let too_large = || VaultError::TooLarge {
            path: engine.name(top),
        };
        let (mut secrets, mut folders) = (Vec::new(), VecDeque::from([top.clone()]));
        let mut listed = 0_usize;
        while let Some(folder) = folders.pop_front() {
            listed += 1;
            let mut resource = engine.resource("metadata", &folder);
            resource.query.push(("list", "true".to_owned()));
            let names = match self.client.read(&resource, answer::names).await {
                // A folder that was listed a moment ago and is gone now.
                Err(error) if listed > 1 && error.rejection() == Some(Rejection::Missing) => {
                    return Err(moving(engine, top));
                }
                names => names?,
            };
            for name in names {
                let path = folder.join(&name).map_err(|_| {
                    VaultError::ask(format!(
                        "the folder {} holds a name that cannot be part of a path",
                        engine.name(&folder)
                    ))
                })?;
                match path.is_folder() {
                    true if recursive => folders.push_back(path),
                    true => {}
                    false => secrets.push(path),
                }
            }
            if secrets.len() > MAX_KEYS || listed + folders.len() > MAX_FOLDERS {
                return Err(too_large());
            }
        }
        secrets.sort();
        Ok(secrets)
    }
}

/// Asks what is mounted.
async fn ask(client: Arc<Client>, mount: RemotePath) -> Found {
    let name = mount.to_text();
    let segments = ["sys", "internal", "ui", "mounts"].map(str::to_owned);
    let resource = Resource {
        segments: segments
            .into_iter()
            .chain(mount.segments().iter().cloned())
            .collect(),
        query: Vec::new(),
        name: format!("sys/internal/ui/mounts/{name}"),
    };
    let mounted = client
        .read(&resource, |data| answer::mount(data, &name))
        .await;
    let refuse = |message| VaultError::Mount {
        mount: name.clone(),
        message,
    };
    match mounted {
        Ok(Mount::Kv(version)) => Ok(version),
        Ok(Mount::Above) => Err(refuse("ends earlier: move its last segments to the path")),
        Ok(Mount::Other) => Err(refuse(
            "is no KV engine: a scheduled read would make new credentials each time",
        )),
        Err(error) if error.is_denied() => Err(VaultError::SeeMount { mount: name }),
        Err(error) => Err(error),
    }
}

fn moving(engine: Engine<'_>, folder: &RemotePath) -> VaultError {
    VaultError::Moving {
        folder: engine.name(folder),
    }
}

/// One field of a secret as an entry.
fn entry(secret: &Secret, name: &str, path: String, value: &SecretValue) -> SourceEntry {
    SourceEntry {
        name: name.to_owned(),
        path,
        tags: secret.tags.clone(),
        version: secret.version.map(|version| version.to_string()),
        value: value.clone(),
    }
}
