//! Items of stores, for people.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::items::{Item, ItemPlace, ItemState, StoreItems};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::StoreObject;
use penstock_domain::stores::access::{AskingNamespace, Reach, Verb, authorise};

use super::{Registry, not_found};
use crate::open::{ItemAddress, OpenedItems, OpenedStore, StoreQuery};
use crate::providers;

/// A store that was found, whose caller may do what it asks, and that is open.
struct Authorised {
    store: Arc<StoreObject>,
    opened: Arc<dyn OpenedStore>,
    query: StoreQuery,
}

impl Authorised {
    fn subject(&self) -> String {
        self.store.reference.to_string()
    }

    fn address(&self) -> ItemAddress<'_> {
        ItemAddress {
            environment: self.query.environment.as_deref(),
            options: &self.query.options,
            path: &self.query.path,
        }
    }

    fn items(&self) -> Result<&dyn OpenedItems, Fault> {
        self.opened.items().ok_or_else(|| {
            let message = "this kind of store cannot be listed or changed item by item yet";
            Fault::new(FaultClass::NotSupported, self.subject(), message)
                .hint("Use the store's own tools; it can be read all the same")
        })
    }

    /// What a sync would read there, as one item that cannot be changed.
    async fn snapshot(&self) -> Result<Item, Fault> {
        let snapshot = match self.opened.read(&self.subject(), &self.query).await {
            Ok(snapshot) => Some(snapshot),
            Err(failure) if failure.fault.class == FaultClass::NotFound => None,
            Err(failure) => return Err(failure.fault),
        };
        let exists = snapshot.is_some();
        let snapshot = snapshot.unwrap_or_default();
        let tags = snapshot.entries.iter().flat_map(|entry| entry.tags.clone());
        Ok(Item {
            exists,
            tags: tags.collect(),
            version: snapshot.version.map(|version| version.to_string()),
            keys: snapshot
                .entries
                .into_iter()
                .map(|entry| (entry.name, entry.value))
                .collect(),
            state: ItemState::new("read only"),
        })
    }
}

impl Registry {
    async fn authorised(&self, place: &ItemPlace, verb: Verb) -> Result<Authorised, Fault> {
        let catalog = &self.reached.catalog;
        let store = catalog
            .find(&place.namespace, &place.store)
            .ok_or_else(|| not_found(&place.store))?;
        let query = StoreQuery {
            environment: place.environment.clone(),
            path: place.path.clone(),
            recursive: false,
            field: None,
            version: None,
            options: place.options.clone(),
            on_behalf_of: providers::needs_consent(&store)?.then(|| place.namespace.clone()),
        };
        let query = self.allowed(place, &store, (query, verb))?;
        let opened = self.open(&store, &self.place(&store)).await;
        Ok(Authorised {
            opened: opened.map_err(|failure| failure.fault)?,
            store,
            query,
        })
    }

    /// The query in the meaning that the caller may have.
    fn allowed(
        &self,
        place: &ItemPlace,
        store: &StoreObject,
        (query, verb): (StoreQuery, Verb),
    ) -> Result<StoreQuery, Fault> {
        let labels = self.reached.catalog.namespace_labels(&place.namespace);
        let caller = AskingNamespace {
            name: &place.namespace,
            labels: labels.as_deref(),
        };
        let mut proposals = providers::propose(store, query)?;
        // An item is what lies there itself: nothing that leads elsewhere is followed.
        proposals.sort_by_key(|proposal| proposal.follow.len());
        let mut refused = None;
        for proposal in proposals {
            let reach = Reach {
                verb,
                ..proposal.reach()
            };
            match authorise(store, caller, &reach) {
                Ok(()) => return Ok(proposal.query),
                Err(fault) => refused = refused.or(Some(fault)),
            }
        }
        Err(refused.unwrap_or_else(|| not_found(&store.reference)))
    }
}

#[async_trait]
impl StoreItems for Registry {
    async fn read(&self, place: &ItemPlace) -> Result<Item, Fault> {
        let store = self.authorised(place, Verb::Read).await?;
        match store.opened.items() {
            None => store.snapshot().await,
            Some(items) => {
                let item = items.read(&store.subject(), store.address()).await;
                item.map_err(|failure| failure.fault)
            }
        }
    }

    async fn list(&self, place: &ItemPlace) -> Result<Vec<String>, Fault> {
        let store = self.authorised(place, Verb::Read).await?;
        let names = store.items()?.list(&store.subject(), store.address()).await;
        names.map_err(|failure| failure.fault)
    }

    async fn set(
        &self,
        place: &ItemPlace,
        keys: &BTreeMap<String, SecretValue>,
        seen: &ItemState,
    ) -> Result<(), Fault> {
        // Whoever sets some keys learns whether the others are as they were.
        self.authorised(place, Verb::Read).await?;
        let store = self.authorised(place, Verb::Write).await?;
        let items = store.items()?;
        let set = items
            .set(&store.subject(), store.address(), keys, seen)
            .await;
        self.shared
            .forget(&store.store.home, &store.store.reference);
        set.map_err(|failure| failure.fault)
    }
}
