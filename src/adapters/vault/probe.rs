//! Whether what was read before is still so: asked of the metadata of KV 2, which hold no value.
//!
//! A large secret is asked for by `GET metadata/<path>`, a folder by OpenBao's `detailed-metadata/<folder>?list=true`,
//! one request for all secrets in it where reading it is one for each. What both tell of the newest version (number,
//! time, custom metadata) also stands beside its data, so the tag of an answer comes from the answer itself, and no
//! change slips in between. HashiCorp Vault has no detailed list, and a policy may forbid either; the whole is read
//! then, and for a while nobody asks again.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use penstock_domain::bundle::{MAX_KEYS, Snapshot};
use penstock_domain::stores::access::RemotePath;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::answer::{self, KvVersion, Rejection, Secret, Standing};
use super::error::VaultError;
use super::kv::{Engine, Kv, MAX_FOLDERS, Query};
use crate::http::error::SendRequest;
use crate::remembered::Remembered;

/// Whatever the metadata say, no answer is older than this.
const MAX_AGE: Duration = Duration::from_hours(1);
/// Metadata of a secret with a history are about a kilobyte: below this size the secret itself is as cheap.
const WORTH_BYTES: usize = 4096;
/// How long metadata that could not be read are not asked for.
const BLIND: Duration = Duration::from_hours(1);
/// How many such questions are remembered.
const MAX_BLIND: usize = 1024;

/// What decides an answer, apart from the engine's content.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Asked {
    mount: RemotePath,
    path: RemotePath,
    recursive: bool,
    field: Option<String>,
}

/// Names the newest versions of all secrets of an answer.
pub(super) type Tag = [u8; 32];

/// Earlier answers of one server, and where asking for metadata is of no use.
pub(super) struct Probe {
    remembered: Remembered<Asked, Tag>,
    blind: Mutex<HashMap<Asked, Instant>>,
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            remembered: Remembered::new(MAX_AGE),
            blind: Mutex::default(),
        }
    }
}

/// Collects what names the newest versions, secret by secret in the order of paths.
#[derive(Default)]
pub(super) struct Tagging {
    hash: Sha256,
    ends: bool,
    count: usize,
}

impl Tagging {
    /// A secret as it was read. `None`: its newest version is deleted, or there is none.
    pub(super) fn add(&mut self, path: &RemotePath, secret: Option<&Secret>) {
        if let Some(secret) = secret {
            self.ends |= secret.ends || secret.created.is_empty();
            self.mark(
                path,
                (secret.version.unwrap_or_default(), &secret.created),
                &secret.tags,
            );
        }
    }

    fn stand(&mut self, path: &RemotePath, standing: &Standing) {
        if let Standing::Live {
            version,
            created,
            tags,
        } = standing
        {
            self.mark(path, (*version, created), tags);
        }
    }

    fn mark(
        &mut self,
        path: &RemotePath,
        (version, created): (u64, &str),
        tags: &BTreeSet<String>,
    ) {
        self.count += 1;
        let mut part = |bytes: &[u8]| {
            self.hash.update((bytes.len() as u64).to_be_bytes());
            self.hash.update(bytes);
        };
        part(path.to_text().as_bytes());
        part(&version.to_be_bytes());
        part(created.as_bytes());
        part(&(tags.len() as u64).to_be_bytes());
        for tag in tags {
            part(tag.as_bytes());
        }
    }

    /// The tag; none where a version ends by itself, without a word in the metadata.
    fn tag(self) -> Option<Tag> {
        (!self.ends).then(|| self.hash.finalize().into())
    }
}

impl Kv {
    /// As [`Kv::read`], for those who do not insist: the earlier answer, where the metadata are still those of it.
    pub(super) async fn refresh(&self, query: Query<'_>) -> Result<Snapshot, VaultError> {
        let asked = Asked::of(query);
        let Some((tag, snapshot)) = self.probe().remembered.find(&asked) else {
            return self.read(query).await;
        };
        match self.look(query).await {
            Ok(now) if now == Some(tag) => return Ok((*snapshot).clone()),
            Ok(_) => {}
            Err(error) if is_blind(&error) => {
                self.probe().remembered.keep(&asked, None, &snapshot);
                self.probe().note_blind(asked);
            }
            Err(error) => return Err(error),
        }
        self.read(query).await
    }

    /// Keeps an answer where asking whether it still holds would be cheaper than asking for it.
    pub(super) fn remember(&self, query: Query<'_>, tagging: Tagging, snapshot: &Snapshot) {
        let asked = Asked::of(query);
        let worth = if is_folder(query) {
            tagging.count > 1
        } else {
            snapshot.bytes() >= WORTH_BYTES
        };
        let probe = self.probe();
        let tag = tagging
            .tag()
            .filter(|_| worth && query.version.is_none() && !probe.is_blind(&asked));
        probe.remembered.keep(&asked, tag, snapshot);
    }

    /// The tag that an answer of now would have.
    async fn look(&self, query: Query<'_>) -> Result<Option<Tag>, VaultError> {
        let engine = Engine {
            mount: query.mount,
            version: KvVersion::Two,
        };
        let mut tagging = Tagging::default();
        if is_folder(query) {
            for (path, standing) in self.stand_in(engine, query).await? {
                tagging.stand(&path, &standing);
            }
        } else {
            let resource = engine.resource("metadata", query.path);
            let standing = self.client().peek(&resource, answer::standing).await?;
            tagging.stand(query.path, &standing);
        }
        Ok(tagging.tag())
    }

    /// How each secret of a folder stands, in the order of paths.
    async fn stand_in(
        &self,
        engine: Engine<'_>,
        query: Query<'_>,
    ) -> Result<BTreeMap<RemotePath, Standing>, VaultError> {
        let top = query.path.clone().as_folder();
        let unlike = || VaultError::read(engine.name(&top), Rejection::WrongEngine);
        let (mut found, mut folders) = (BTreeMap::new(), VecDeque::from([top.clone()]));
        let mut listed = 0_usize;
        while let Some(folder) = folders.pop_front() {
            listed += 1;
            let mut resource = engine.resource("detailed-metadata", &folder);
            resource.query.push(("list", "true".to_owned()));
            let names = self.client().peek(&resource, answer::standings).await?;
            for (name, standing) in names {
                let path = folder.join(&name).map_err(|_| unlike())?;
                match (path.is_folder(), standing) {
                    (true, _) if query.recursive => folders.push_back(path),
                    (true, _) => {}
                    (false, Some(standing)) => drop(found.insert(path, standing)),
                    (false, None) => return Err(unlike()),
                }
            }
            if found.len() > MAX_KEYS || listed + folders.len() > MAX_FOLDERS {
                return Err(unlike());
            }
        }
        Ok(found)
    }
}

impl Probe {
    fn is_blind(&self, asked: &Asked) -> bool {
        let blind = self.blind();
        blind
            .get(asked)
            .is_some_and(|until| *until > Instant::now())
    }

    fn note_blind(&self, asked: Asked) {
        let (mut blind, now) = (self.blind(), Instant::now());
        if blind.len() >= MAX_BLIND {
            blind.retain(|_, until| *until > now);
        }
        if blind.len() < MAX_BLIND {
            blind.insert(asked, now + BLIND);
        }
    }

    fn blind(&self) -> MutexGuard<'_, HashMap<Asked, Instant>> {
        self.blind.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked {
    fn of(query: Query<'_>) -> Self {
        Self {
            mount: query.mount.clone(),
            path: query.path.clone(),
            recursive: query.recursive,
            field: query.field.map(str::to_owned),
        }
    }
}

fn is_folder(query: Query<'_>) -> bool {
    query.path.is_folder() || query.recursive
}

/// Whether it is the metadata that cannot be had, and not the server.
fn is_blind(error: &VaultError) -> bool {
    match error {
        VaultError::Send { source, .. } => *source == SendRequest::TooLarge,
        _ => matches!(
            error.rejection(),
            Some(
                Rejection::Denied
                    | Rejection::Missing
                    | Rejection::NoRoute
                    | Rejection::WrongEngine
                    | Rejection::BadRequest
            )
        ),
    }
}
