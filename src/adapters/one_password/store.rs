//! One opened Connect server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::SignedDuration;
use penstock_domain::api::one_password::OnePasswordProvider;
use penstock_domain::bundle::{MAX_KEYS, Snapshot, SourceEntry, SourceVersion};
use penstock_domain::fault::Fault;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::RemotePath;
use penstock_domain::stores::{Capabilities, Capability, Credentials, StoreObject};
use penstock_domain::sync::SourceOptions;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::answer::{self, Item, Summary, Vault};
use super::settings::{NO_NAME, Settings, is_id, is_name};
use crate::asking::{AskSystem, Asking, Refusal, Words, wait_of};
use crate::entries::Entries;
use crate::http::client::{ClientSettings, HttpLayer, Request};
use crate::open::{Adapter, OpenedStore, Proposal, StoreFailure, StoreQuery};
use crate::providers::Reached;
use crate::remembered::Remembered;

const WORDS: Words = Words {
    provider: "onePassword",
    product: "a Connect server",
    credential_hint: "The access token is unknown or revoked, or belongs to another Connect server",
    denied_hint: "Give the access token the vault, with the right to read",
    missing_hint: "Check the vault and the item (its title, letter for letter, or its id), and whether the access token has the vault",
    request_hint: "Check the ids in `path`: they have 26 lower case letters and digits",
};

/// Whatever a list says, no answer is older than this.
const MAX_AGE: Duration = Duration::from_hours(1);
/// How many items of one vault are asked for at once; the store's own limit applies besides.
const CONCURRENT_READS: usize = 16;
/// Vaults whose ids are remembered.
const MAX_VAULTS: usize = 256;

/// Names the versions of all items of a vault.
type Tag = [u8; 32];

/// A Connect server that has been opened: settings checked, the token fetched, nobody asked yet.
pub struct OnePasswordStore {
    asking: Asking,
    authorization: SecretValue,
    vault: Option<String>,
    /// Ids of vaults, by name.
    vaults: Mutex<HashMap<String, String>>,
    remembered: Remembered<(String, Option<String>), Tag>,
    credential_hash: [u8; 32],
}

/// What a path means.
struct Place {
    vault: String,
    /// None: all of them.
    item: Option<String>,
}

impl OnePasswordStore {
    async fn connect(
        store: &StoreObject,
        provider: &OnePasswordProvider,
        layer: &HttpLayer,
        credentials: &Arc<dyn Credentials>,
    ) -> Result<Self, AskSystem> {
        let settings = Settings::read(store, provider, credentials.as_ref()).await?;
        let credential_hash = settings.credential_hash();
        let http = layer
            .client(&ClientSettings::of(store, &provider.address, &settings.tls))
            .map_err(AskSystem::Open)?;
        Ok(Self {
            asking: Asking { http },
            authorization: SecretValue::new([b"Bearer ", settings.token.expose()].concat()),
            vault: provider.vault.clone(),
            vaults: Mutex::default(),
            remembered: Remembered::new(MAX_AGE),
            credential_hash,
        })
    }

    /// What a query means.
    fn mean(provider: &OnePasswordProvider, query: StoreQuery) -> Result<Proposal, AskSystem> {
        if query.options != SourceOptions::None {
            return Err(AskSystem::ask("a store of 1Password has no options"));
        }
        if query.environment.is_some() {
            return Err(AskSystem::ask(
                "1Password has no environments: remove `environment`, or name another vault",
            ));
        }
        if query.version.is_some() {
            return Err(AskSystem::ask(
                "Connect cannot read an older version of an item: remove `version`",
            ));
        }
        let place = Self::place(provider.vault.as_deref(), &query.path)?;
        let query = StoreQuery {
            path: if place.item.is_none() {
                query.path.as_folder()
            } else {
                query.path
            },
            recursive: false,
            ..query
        };
        Ok(Proposal::of(query))
    }

    fn place(own: Option<&str>, path: &RemotePath) -> Result<Place, AskSystem> {
        let names: Vec<&str> = path.segments().iter().map(String::as_str).collect();
        let (vault, item) = match (own, names.as_slice()) {
            (Some(vault), []) => (vault, None),
            (None, [vault]) => (*vault, None),
            (Some(vault), [item]) if !path.is_folder() => (vault, Some((*item).to_owned())),
            (None, [vault, item]) if !path.is_folder() => (*vault, Some((*item).to_owned())),
            (Some(_), _) => {
                return Err(AskSystem::ask(
                    "`path` must be an item of the store's vault (one whose title holds a `/` by its id), or absent for all of them",
                ));
            }
            (None, _) => {
                return Err(AskSystem::ask(
                    "`path` must be a vault, or a vault and an item of it (one whose title holds a `/` by its id)",
                ));
            }
        };
        if !is_name(vault) || !item.as_deref().is_none_or(is_name) {
            return Err(AskSystem::ask(format!("`path` {NO_NAME}")));
        }
        Ok(Place {
            vault: vault.to_owned(),
            item,
        })
    }

    async fn answer(&self, query: &StoreQuery, insist: bool) -> Result<Snapshot, AskSystem> {
        let place = Self::place(self.vault.as_deref(), &query.path)?;
        let vault = self.vault_id(&place.vault).await?;
        let field = query.field.as_deref();
        let answer = match &place.item {
            Some(item) => self.one(&vault, item, field).await,
            None => self.all(&vault, (&place.vault, field), insist).await,
        };
        if answer
            .as_ref()
            .is_err_and(|error| error.refusal() == Some(&Refusal::Missing))
        {
            // Another vault may have its name by now.
            self.vaults().remove(&place.vault);
        }
        answer
    }

    async fn one(
        &self,
        vault: &str,
        name: &str,
        field: Option<&str>,
    ) -> Result<Snapshot, AskSystem> {
        let what = format!("item {name}");
        let item = self.item_named(vault, name, &what).await?;
        let version = item.version;
        let found = item.entries(field);
        if let (Some(field), true) = (field, found.is_empty()) {
            return Err(AskSystem::read(
                what,
                Refusal::NoPart(format!("field {field} with a value")),
            ));
        }
        if field.is_some() && found.len() > 1 {
            return Err(AskSystem::ask(format!(
                "several sections of {what} have that field: name one as `section.field`"
            )));
        }
        let mut entries = Entries::default();
        for entry in found {
            entries
                .add(entry)
                .map_err(|_| AskSystem::too_large(&what))?;
        }
        Ok(Snapshot {
            entries: entries.into_list(),
            version: (version > 0).then_some(SourceVersion::Counter(version)),
        })
    }

    /// What looks like an id may still be a title.
    async fn item_named(&self, vault: &str, name: &str, what: &str) -> Result<Item, AskSystem> {
        if is_id(name) {
            let found = self.item(vault, name, what).await;
            match &found {
                Err(error) if error.refusal() == Some(&Refusal::Missing) => {}
                _ => return found,
            }
        }
        let filter = format!("title eq \"{name}\"");
        let listed: Vec<Summary> = self
            .ask(&["vaults", vault, "items"], Some(filter), what)
            .await?;
        let only = answer::only(listed, name).map_err(|refusal| AskSystem::read(what, refusal))?;
        self.item(vault, &only.id, what).await
    }

    async fn item(&self, vault: &str, id: &str, what: &str) -> Result<Item, AskSystem> {
        if !is_id(id) {
            return Err(AskSystem::read(what, Refusal::Unbelievable(200)));
        }
        let item: Item = self
            .ask(&["vaults", vault, "items", id], None, what)
            .await?;
        if item.id != id {
            return Err(AskSystem::read(what, Refusal::Unbelievable(200)));
        }
        Ok(item)
    }

    /// All items of a vault. With a field, each item that has it is one entry of the item's title.
    async fn all(
        &self,
        vault: &str,
        (name, field): (&str, Option<&str>),
        insist: bool,
    ) -> Result<Snapshot, AskSystem> {
        let what = format!("vault {name}");
        let listed: Vec<Summary> = self.ask(&["vaults", vault, "items"], None, &what).await?;
        let mut listed: Vec<Summary> = listed.into_iter().filter(Summary::is_active).collect();
        if listed.len() > MAX_KEYS {
            return Err(AskSystem::too_large(what));
        }
        listed.sort_by(|one, other| (&one.title, &one.id).cmp(&(&other.title, &other.id)));
        let (asked, tag) = ((vault.to_owned(), field.map(str::to_owned)), tag(&listed));
        if let Some((earlier, snapshot)) = self.remembered.find(&asked)
            && !insist
            && earlier == tag
        {
            return Ok(Arc::unwrap_or_clone(snapshot));
        }
        let items: Vec<Item> = stream::iter(listed)
            .map(|summary| self.listed(vault, summary, &what))
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await?;
        let mut entries = Entries::default();
        for item in items {
            let title = item.title.clone();
            for entry in item.entries(field) {
                let entry = match field {
                    None => entry,
                    Some(_) => SourceEntry {
                        name: title.clone(),
                        path: String::new(),
                        ..entry
                    },
                };
                entries
                    .add(entry)
                    .map_err(|_| AskSystem::too_large(&what))?;
            }
        }
        let snapshot = Snapshot {
            entries: entries.into_list(),
            version: None,
        };
        self.remembered.keep(&asked, Some(tag), &snapshot);
        Ok(snapshot)
    }

    /// An item that the list has named. One that is gone or another by now spoils the whole: without it the answer
    /// would look complete and be smaller, or be remembered under a version that it is not.
    async fn listed(&self, vault: &str, summary: Summary, what: &str) -> Result<Item, AskSystem> {
        let item = match self.item(vault, &summary.id, what).await {
            Err(error) if error.refusal() == Some(&Refusal::Missing) => None,
            found => Some(found?),
        };
        item.filter(|item| item.version == summary.version)
            .ok_or_else(|| AskSystem::read(what, Refusal::Stumbled(200)))
    }

    async fn vault_id(&self, name: &str) -> Result<String, AskSystem> {
        if is_id(name) {
            return Ok(name.to_owned());
        }
        if let Some(id) = self.vaults().get(name) {
            return Ok(id.clone());
        }
        let what = format!("vault {name}");
        let filter = format!("name eq \"{name}\"");
        let listed: Vec<Vault> = self.ask(&["vaults"], Some(filter), &what).await?;
        let id =
            answer::only_vault(listed, name).map_err(|refusal| AskSystem::read(&what, refusal))?;
        if !is_id(&id) {
            return Err(AskSystem::read(what, Refusal::Unbelievable(200)));
        }
        let mut vaults = self.vaults();
        if vaults.len() >= MAX_VAULTS {
            vaults.clear();
        }
        vaults.insert(name.to_owned(), id.clone());
        Ok(id)
    }

    fn vaults(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.vaults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        filter: Option<String>,
        what: &str,
    ) -> Result<T, AskSystem> {
        let segments = ["v1"].iter().chain(segments).copied();
        let mut request = Request::get(segments);
        if let Some(filter) = filter {
            request = request.query("filter", filter);
        }
        let request = request
            .header("accept", "application/json")
            .and_then(|request| request.credential("authorization", &self.authorization))
            .map_err(|source| self.asking.failed(source))?;
        let response = self.asking.send(&request).await?;
        answer::good(response.status.as_u16(), response.body())
            .and_then(answer::document)
            .map_err(|refusal| match refusal {
                Refusal::Throttled(_) => Refusal::Throttled(Some(wait_of(&response))),
                other => other,
            })
            .map_err(|refusal| AskSystem::read(what, refusal))
    }

    async fn look(&self) -> Result<Capabilities, AskSystem> {
        match &self.vault {
            Some(name) if is_id(name) => {
                let what = format!("vault {name}");
                drop(self.ask::<Vault>(&["vaults", name], None, &what).await?);
            }
            Some(name) => {
                self.vaults().remove(name);
                self.vault_id(name).await?;
            }
            None => {
                drop(
                    self.ask::<Vec<Vault>>(&["vaults"], None, "the vaults")
                        .await?,
                );
            }
        }
        Ok(Capabilities::from([
            Capability::Read,
            Capability::List,
            Capability::Tags,
            Capability::Probe,
        ]))
    }
}

/// What the list of a vault says of its items' versions.
fn tag(listed: &[Summary]) -> Tag {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    for item in listed {
        part(item.id.as_bytes());
        part(item.title.as_bytes());
        part(&item.version.to_be_bytes());
        part(item.updated_at.as_bytes());
        part(&(item.tags.len() as u64).to_be_bytes());
        for tag in &item.tags {
            part(tag.as_bytes());
        }
    }
    hash.finalize().into()
}

#[async_trait]
impl Adapter for OnePasswordStore {
    type Provider = OnePasswordProvider;

    fn propose(
        subject: &str,
        provider: &OnePasswordProvider,
        query: StoreQuery,
    ) -> Result<Vec<Proposal>, Fault> {
        Self::mean(provider, query)
            .map(|proposal| vec![proposal])
            .map_err(|error| error.fault(subject, &WORDS))
    }

    async fn open(
        store: &StoreObject,
        provider: &OnePasswordProvider,
        reached: &Reached,
    ) -> Result<Arc<dyn OpenedStore>, StoreFailure> {
        let opened = Self::connect(store, provider, &reached.http, &reached.credentials).await;
        opened
            .map(|opened| Arc::new(opened) as _)
            .map_err(|error| error.fault(&store.reference.to_string(), &WORDS).into())
    }
}

#[async_trait]
impl OpenedStore for OnePasswordStore {
    fn credential_hash(&self) -> [u8; 32] {
        self.credential_hash
    }

    async fn read(&self, subject: &str, query: &StoreQuery) -> Result<Snapshot, StoreFailure> {
        let answer = self.answer(query, true).await;
        answer.map_err(|error| error.failure(subject, &WORDS))
    }

    async fn refresh(&self, subject: &str, query: &StoreQuery) -> Result<Snapshot, StoreFailure> {
        let answer = self.answer(query, false).await;
        answer.map_err(|error| error.failure(subject, &WORDS))
    }

    async fn probe(&self, subject: &str) -> Result<Capabilities, StoreFailure> {
        let looked = self.look().await;
        looked.map_err(|error| error.failure(subject, &WORDS))
    }

    fn clock_ahead(&self) -> Option<SignedDuration> {
        self.asking.http.clock_ahead()
    }

    async fn close(&self) {}
}
