//! Who did what, for the audit trail: the user of this machine, and what verbs do with items of stores.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use penstock_domain::audit::{AuditAction, AuditEntry};
use penstock_domain::fault::Fault;
use penstock_domain::items::{Item, ItemPlace, ItemState, StoreItems};
use penstock_domain::ports::Audit;
use penstock_domain::secret::SecretValue;

/// Names the user of this machine in entries that name nobody.
pub struct ByUser {
    trail: Arc<dyn Audit>,
    user: String,
}

impl ByUser {
    /// Entries go to `trail`. `name` is what the user is called, which nobody vouches for: the number counts.
    pub fn new(trail: Arc<dyn Audit>, name: Option<&str>) -> Self {
        let uid = rustix::process::getuid().as_raw();
        let user = match name {
            Some(name) => format!("uid {uid} ({name})"),
            None => format!("uid {uid}"),
        };
        Self { trail, user }
    }
}

impl Audit for ByUser {
    fn record(&self, entry: AuditEntry) {
        let by = entry.by.or_else(|| Some(self.user.clone()));
        self.trail.record(AuditEntry { by, ..entry });
    }
}

/// What a person is shown of what is read.
enum Shown {
    /// No value.
    Nothing,
    /// The value of one key.
    One(String),
    /// All of them.
    All,
}

/// Items of stores, with one entry for every read and every write.
pub struct AccountableItems<'a> {
    items: &'a dyn StoreItems,
    trail: &'a dyn Audit,
    shown: Shown,
}

impl<'a> AccountableItems<'a> {
    /// Entries go to `trail`.
    pub fn new(items: &'a dyn StoreItems, trail: &'a dyn Audit) -> Self {
        Self {
            items,
            trail,
            shown: Shown::Nothing,
        }
    }

    /// What is read is shown to a person: one key, or all of them.
    #[must_use]
    pub fn revealing(mut self, key: Option<&str>) -> Self {
        self.shown = key.map_or(Shown::All, |key| Shown::One(key.to_owned()));
        self
    }

    fn note(
        &self,
        action: AuditAction,
        place: &ItemPlace,
        (keys, fault): (Vec<String>, Option<&Fault>),
    ) {
        self.trail.record(AuditEntry {
            sync: None,
            by: None,
            action,
            object: format!("{place}, namespace {}", place.namespace),
            keys,
            revision: None,
            failure: fault.map(|fault| fault.reason),
        });
    }
}

#[async_trait]
impl StoreItems for AccountableItems<'_> {
    async fn read(&self, place: &ItemPlace) -> Result<Item, Fault> {
        let item = self.items.read(place).await;
        let names = item.iter().flat_map(|item| item.keys.keys());
        let (action, keys) = match &self.shown {
            Shown::Nothing => (AuditAction::Read, names.cloned().collect()),
            Shown::All => (AuditAction::Reveal, names.cloned().collect()),
            Shown::One(key) => (
                AuditAction::Reveal,
                names.filter(|name| *name == key).cloned().collect(),
            ),
        };
        self.note(action, place, (keys, item.as_ref().err()));
        item
    }

    async fn list(&self, place: &ItemPlace) -> Result<Vec<String>, Fault> {
        let names = self.items.list(place).await;
        self.note(AuditAction::Read, place, (Vec::new(), names.as_ref().err()));
        names
    }

    async fn set(
        &self,
        place: &ItemPlace,
        keys: &BTreeMap<String, SecretValue>,
        seen: &ItemState,
    ) -> Result<(), Fault> {
        let set = self.items.set(place, keys, seen).await;
        let names = keys.keys().cloned().collect();
        self.note(AuditAction::Write, place, (names, set.as_ref().err()));
        set
    }
}
