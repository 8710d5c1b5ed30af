//! Finds folders, collections and items, and reads what lies in them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use penstock_domain::bundle::{Snapshot, SourceEntry, SourceVersion};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::RemotePath;

use super::document::{Cipher, Organization};
use super::error::{BitwardenError, ItemProblem, OrganizationProblem};
use super::fields::{Item, is_known, may_have, text};
use super::vault::Contents;
use crate::bitwarden_common::enc_string;
use crate::bitwarden_common::keys::SymmetricKey;
use crate::bitwarden_common::names;
use crate::entries::Entries;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) path: &'a RemotePath,
    pub(super) recursive: bool,
    pub(super) field: Option<&'a str>,
}

/// A folder or collection.
struct Container<'a> {
    id: &'a str,
    name: String,
}

impl Container<'_> {
    fn is(&self, segments: &[String]) -> bool {
        names::is(&self.name, segments)
    }

    fn is_below(&self, segments: &[String]) -> bool {
        names::is_below(&self.name, segments)
    }
}

/// What an account may see, under one way of looking: its own folders, or an organisation's collections.
pub(super) struct View<'a> {
    contents: &'a Contents,
    organization: Option<&'a Organization>,
    keys: HashMap<&'a str, Arc<SymmetricKey>>,
    tags: HashMap<&'a str, String>,
}

impl<'a> View<'a> {
    pub(super) fn new(
        contents: &'a Contents,
        organization: Option<&str>,
    ) -> Result<Self, BitwardenError> {
        let organizations = &contents.document.profile.organizations;
        let organization = organization
            .map(|wanted| find_organization(organizations, wanted))
            .transpose()
            .map_err(|problem| BitwardenError::Organization { problem })?;
        Ok(Self {
            contents,
            organization,
            keys: HashMap::new(),
            tags: HashMap::new(),
        })
    }

    /// Answers a source.
    pub(super) fn read(&mut self, asked: Asked<'_>) -> Result<Snapshot, BitwardenError> {
        let containers = self.containers()?;
        let segments = asked.path.segments();
        let here = |container: &&Container<'_>| container.is(segments);
        let below = |container: &&Container<'_>| container.is_below(segments);
        let is_root = segments.is_empty();
        if is_root || containers.iter().any(|c| here(&c) || below(&c)) {
            let mut chosen: Vec<_> = containers
                .iter()
                .filter(|container| here(container) || asked.recursive && below(container))
                .collect();
            chosen.sort_by(|one, other| (&one.name, one.id).cmp(&(&other.name, other.id)));
            return self.folder(&chosen, is_root, asked);
        }
        match self.single(&containers, asked.path)? {
            Some((path, cipher)) => self.item(&path, cipher, asked),
            None => Err(not_found(asked.path, "there is no folder and no item")),
        }
    }

    /// The folders of the account, or the collections of the organisation.
    fn containers(&mut self) -> Result<Vec<Container<'a>>, BitwardenError> {
        let document = &self.contents.document;
        let Some(organization) = self.organization else {
            let key = &self.contents.keys.user_key;
            let folder = |folder: &'a super::document::Folder| {
                container(&folder.id, &folder.name, key)
                    .map_err(|problem| unreadable(format!("folder {}", folder.id), problem))
            };
            return document.folders.iter().map(folder).collect();
        };
        let key = self
            .organization_key(&organization.id)
            .map_err(|problem| unreadable("the organisation".to_owned(), problem))?;
        let own = document.collections.iter();
        own.filter(|collection| collection.organization_id == organization.id)
            .map(|collection| {
                container(&collection.id, &collection.name, &key)
                    .map_err(|problem| unreadable(format!("collection {}", collection.id), problem))
            })
            .collect()
    }

    /// What lies in a folder or collection; `None` is what lies in none.
    fn ciphers(&self, container: Option<&str>) -> impl Iterator<Item = &'a Cipher> + use<'a> {
        let organization = self
            .organization
            .map(|organization| organization.id.clone());
        let container = container.map(str::to_owned);
        let ciphers = self.contents.document.ciphers.iter();
        ciphers.filter(move |cipher| {
            let lies_there = match (&organization, &container) {
                (Some(organization), container) => {
                    cipher.organization_id.as_ref() == Some(organization)
                        && match container {
                            Some(container) => cipher.collection_ids.contains(container),
                            None => cipher.collection_ids.is_empty(),
                        }
                }
                (None, Some(folder)) => cipher.folder_id.as_ref() == Some(folder),
                (None, None) => cipher.folder_id.is_none() && cipher.organization_id.is_none(),
            };
            // Whatever is in the bin is gone.
            lies_there && cipher.deleted_date.is_none()
        })
    }

    /// Every item of some folders, one value each; an item of several collections once, in the first of them.
    fn folder(
        &mut self,
        chosen: &[&Container<'a>],
        with_root: bool,
        asked: Asked<'_>,
    ) -> Result<Snapshot, BitwardenError> {
        let mut seen = BTreeSet::new();
        let mut entries = Entries::default();
        let root = with_root.then_some((None, ""));
        let places = chosen
            .iter()
            .map(|place| (Some(place.id), place.name.as_str()));
        for (id, path) in root.into_iter().chain(places) {
            let mut found = BTreeMap::new();
            for cipher in self.ciphers(id) {
                if !may_have(cipher, asked.field) || !seen.insert(cipher.id.as_str()) {
                    continue;
                }
                let at = |problem| unreadable(format!("item {}", cipher.id), problem);
                let key = self.key(cipher).map_err(at)?;
                let item = Item { cipher, key: &key };
                let Some(value) = item.value(asked.field).map_err(at)? else {
                    continue;
                };
                let order = (
                    item.name().map_err(at)?,
                    revised(cipher),
                    cipher.id.as_str(),
                );
                found.insert(order, (cipher, value));
            }
            for ((name, ..), (cipher, value)) in found {
                let entry = self.entry(name, path, cipher, value)?;
                entries.add(entry).map_err(|_| too_large(asked.path))?;
            }
        }
        Ok(Snapshot {
            entries: entries.into_list(),
            version: None,
        })
    }

    /// The one item that a path names: the last segments are its name, or the last one its id.
    fn single(
        &mut self,
        containers: &[Container<'a>],
        path: &RemotePath,
    ) -> Result<Option<(String, &'a Cipher)>, BitwardenError> {
        if path.is_folder() {
            return Ok(None);
        }
        let segments = path.segments();
        for border in (0..segments.len()).rev() {
            let (folder, name) = segments.split_at(border);
            let name = name.join("/");
            let mut found: BTreeMap<&str, &'a Cipher> = BTreeMap::new();
            let places = containers.iter().filter(|container| container.is(folder));
            let root = folder.is_empty().then_some(None);
            for id in places.map(|place| Some(place.id)).chain(root) {
                for cipher in self.ciphers(id).filter(|cipher| is_known(cipher)) {
                    let at = |problem| unreadable(format!("item {}", cipher.id), problem);
                    let key = self.key(cipher).map_err(at)?;
                    let item = Item { cipher, key: &key };
                    if cipher.id == name || item.name().map_err(at)? == name {
                        found.insert(&cipher.id, cipher);
                    }
                }
            }
            let mut found = found.into_values();
            match (found.next(), found.next()) {
                (Some(cipher), None) => return Ok(Some((folder.join("/"), cipher))),
                (Some(_), Some(_)) => {
                    return Err(BitwardenError::Ambiguous {
                        path: path.to_text(),
                    });
                }
                (None, _) => {}
            }
        }
        Ok(None)
    }

    /// One item: the field that is asked for, or all of them.
    fn item(
        &mut self,
        folder: &str,
        cipher: &'a Cipher,
        asked: Asked<'_>,
    ) -> Result<Snapshot, BitwardenError> {
        let at = |problem| unreadable(format!("item {}", cipher.id), problem);
        let key = self.key(cipher).map_err(at)?;
        let item = Item { cipher, key: &key };
        let values = match asked.field {
            None => item.values().map_err(at)?,
            Some(field) => {
                let value = item.value(Some(field)).map_err(at)?;
                let missing = || not_found(asked.path, "the item has no such field");
                vec![(field.to_owned(), value.ok_or_else(missing)?)]
            }
        };
        let name = item.name().map_err(at)?;
        let slash = if folder.is_empty() { "" } else { "/" };
        let path = format!("{folder}{slash}{name}");
        let mut entries = Entries::default();
        for (name, value) in values {
            let entry = self.entry(name, &path, cipher, value)?;
            entries.add(entry).map_err(|_| too_large(asked.path))?;
        }
        Ok(Snapshot {
            entries: entries.into_list(),
            version: counter(cipher).map(SourceVersion::Counter),
        })
    }

    fn entry(
        &mut self,
        name: String,
        path: &str,
        cipher: &'a Cipher,
        value: SecretValue,
    ) -> Result<SourceEntry, BitwardenError> {
        Ok(SourceEntry {
            name,
            path: path.to_owned(),
            tags: self.tags(cipher)?,
            version: cipher.revision_date.clone(),
            value,
        })
    }

    /// The names of an item's collections, as far as the account may see them.
    fn tags(&mut self, cipher: &'a Cipher) -> Result<BTreeSet<String>, BitwardenError> {
        let mut tags = BTreeSet::new();
        for id in &cipher.collection_ids {
            if let Some(known) = self.tags.get(id.as_str()) {
                tags.insert(known.clone());
                continue;
            }
            let mut collections = self.contents.document.collections.iter();
            let Some(collection) = collections.find(|collection| collection.id == *id) else {
                continue;
            };
            let at = |problem| unreadable(format!("collection {id}"), problem);
            let key = self
                .organization_key(&collection.organization_id)
                .map_err(at)?;
            let name = container(&collection.id, &collection.name, &key)
                .map_err(at)?
                .name;
            self.tags.insert(&collection.id, name.clone());
            tags.insert(name);
        }
        Ok(tags)
    }

    /// The key that opens an item: its own, or that of the account or organisation.
    fn key(&mut self, cipher: &'a Cipher) -> Result<Arc<SymmetricKey>, ItemProblem> {
        let owner = match &cipher.organization_id {
            Some(organization) => Some(self.organization_key(organization)?),
            None => None,
        };
        let outer = owner.as_deref().unwrap_or(&self.contents.keys.user_key);
        match (&cipher.key, &owner) {
            (Some(wrapped), _) => own_key(enc_string::decrypt(wrapped, outer)?).map(Arc::new),
            (None, Some(owner)) => Ok(Arc::clone(owner)),
            (None, None) => Ok(Arc::clone(&self.contents.keys.user_key)),
        }
    }

    fn organization_key(&mut self, id: &str) -> Result<Arc<SymmetricKey>, ItemProblem> {
        let mut organizations = self.contents.document.profile.organizations.iter();
        let organization = organizations
            .find(|organization| organization.id == id && organization.enabled)
            .ok_or(ItemProblem::NoKey)?;
        if let Some(key) = self.keys.get(organization.id.as_str()) {
            return Ok(Arc::clone(key));
        }
        let wrapped = organization.key.as_deref().ok_or(ItemProblem::NoKey)?;
        let private_key = self
            .contents
            .keys
            .private_key
            .as_ref()
            .map_err(|error| *error)?;
        let key = Arc::new(own_key(enc_string::unwrap(wrapped, private_key)?)?);
        self.keys.insert(&organization.id, Arc::clone(&key));
        Ok(key)
    }
}

fn own_key(bytes: zeroize::Zeroizing<Vec<u8>>) -> Result<SymmetricKey, ItemProblem> {
    SymmetricKey::new(bytes).map_err(|_| ItemProblem::Key)
}

fn container<'a>(
    id: &'a str,
    name: &str,
    key: &SymmetricKey,
) -> Result<Container<'a>, ItemProblem> {
    Ok(Container {
        id,
        name: text(&enc_string::decrypt(name, key)?)?,
    })
}

fn find_organization<'a>(
    organizations: &'a [Organization],
    wanted: &str,
) -> Result<&'a Organization, OrganizationProblem> {
    let by_id = organizations
        .iter()
        .find(|organization| organization.id == wanted);
    let mut by_name = organizations
        .iter()
        .filter(|organization| organization.name.as_deref() == Some(wanted));
    let found = match (by_id, by_name.next(), by_name.next()) {
        (Some(found), ..) | (None, Some(found), None) => found,
        (None, Some(_), Some(_)) => return Err(OrganizationProblem::Ambiguous),
        (None, None, _) => return Err(OrganizationProblem::Missing),
    };
    if found.enabled {
        Ok(found)
    } else {
        Err(OrganizationProblem::Disabled)
    }
}

fn unreadable(what: String, problem: ItemProblem) -> BitwardenError {
    BitwardenError::Unreadable { what, problem }
}

fn not_found(path: &RemotePath, message: &str) -> BitwardenError {
    BitwardenError::NotFound {
        path: path.to_text(),
        message: message.to_owned(),
    }
}

fn too_large(path: &RemotePath) -> BitwardenError {
    BitwardenError::TooLarge {
        path: path.to_text(),
    }
}

fn revised(cipher: &Cipher) -> Option<Timestamp> {
    cipher.revision_date.as_deref()?.parse().ok()
}

/// The revision date in milliseconds of the epoch: it only grows, unless an old state was put back.
fn counter(cipher: &Cipher) -> Option<u64> {
    u64::try_from(revised(cipher)?.as_millisecond()).ok()
}
