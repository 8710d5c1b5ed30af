//! Records as entries of a store: one item per sync below a path, with check-and-set as far as the store has it.
//!
//! The store is one of those that people write to by `penstock set`, whatever its kind. An item holds one key,
//! [`KEY`], whose value is the sealed record in base64 behind a mark. A record that is forgotten stays as an empty
//! value, because a store need not be able to delete. Every save is read back. Where a store takes no condition on a
//! write (KV version 1, Infisical), two runs at the same moment may overwrite each other's record; whoever sees it when
//! reading back writes no target, and the next run finds the targets as another's doing and repairs them.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::items::{Item, ItemPlace, ItemState, StoreItems};
use penstock_domain::names::SyncId;
use penstock_domain::ports::{RecordVersion, Records, StoredRecord};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::RemotePath;
use penstock_domain::sync::{SourceOptions, StoreReference};

/// The key of an item that holds the record.
pub const KEY: &str = "PENSTOCK_RECORD";
/// What the value of a record begins with.
const MARK: &str = "penstock-record-1:";
/// The largest sealed record. In base64 it stays below the 1 MiB that an entry of Vault's own storage may have
/// (`max_entry_size` of integrated storage, 1048576 bytes by default).
const MAX_BYTES: usize = 700 * 1024;

/// Keeps records in a store.
pub struct StoreRecords {
    items: Arc<dyn StoreItems>,
    store: StoreReference,
    path: RemotePath,
}

impl StoreRecords {
    /// Records below `path` of `store`, which the namespace of each sync must be allowed to read and write.
    pub fn new(items: Arc<dyn StoreItems>, store: StoreReference, path: RemotePath) -> Self {
        Self { items, store, path }
    }

    /// Where the record of a sync lies. Names of Kubernetes hold no underscore, so no two syncs share an item; dots
    /// become two of them, because some stores take none.
    fn place(&self, sync: &SyncId) -> Result<ItemPlace, Fault> {
        let name = format!("{}_{}", sync.namespace, sync.name).replace('.', "__");
        let path = self.path.join(&name).map_err(|problem| {
            let message = format!("the path of the record {problem}");
            Fault::new(FaultClass::Invalid, subject(sync), message)
        })?;
        Ok(ItemPlace {
            namespace: sync.namespace.clone(),
            store: self.store.clone(),
            environment: None,
            options: SourceOptions::None,
            path,
        })
    }

    async fn read(&self, sync: &SyncId) -> Result<(ItemPlace, Item), Fault> {
        let place = self.place(sync)?;
        let item = self.items.read(&place).await;
        Ok((place, item.map_err(|fault| about(sync, fault))?))
    }
}

fn subject(sync: &SyncId) -> String {
    format!("record of {sync}")
}

fn about(sync: &SyncId, fault: Fault) -> Fault {
    Fault {
        subject: format!("{}: {}", subject(sync), fault.subject),
        ..fault
    }
}

fn conflict(sync: &SyncId) -> Fault {
    Fault::new(
        FaultClass::Conflict,
        subject(sync),
        "somebody else has saved it in the meantime",
    )
}

/// The sealed bytes; none where there is no record, or it was forgotten.
fn sealed(sync: &SyncId, item: &Item) -> Result<Option<Vec<u8>>, Fault> {
    let Some(value) = item.keys.get(KEY).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let text = value.expose_text().and_then(|text| text.strip_prefix(MARK));
    let bytes = text.and_then(|text| STANDARD.decode(text.trim_end()).ok());
    let bytes = bytes.ok_or_else(|| {
        Fault::new(
            FaultClass::Invalid,
            subject(sync),
            format!("the entry holds something else under {KEY}"),
        )
        .hint("Name another path by --record, or remove what lies there")
    })?;
    Ok(Some(bytes))
}

fn version(item: &Item) -> RecordVersion {
    RecordVersion(item.state.as_str().to_owned())
}

#[async_trait]
impl Records for StoreRecords {
    fn max_bytes(&self, _: &SyncId) -> usize {
        MAX_BYTES
    }

    async fn load(&self, sync: &SyncId) -> Result<Option<StoredRecord>, Fault> {
        let (_, item) = self.read(sync).await?;
        Ok(sealed(sync, &item)?.map(|sealed| StoredRecord {
            sealed,
            version: version(&item),
        }))
    }

    async fn save(
        &self,
        sync: &SyncId,
        bytes: Vec<u8>,
        expected: Option<&RecordVersion>,
    ) -> Result<RecordVersion, Fault> {
        if bytes.len() > MAX_BYTES {
            let message = format!("is larger than the {MAX_BYTES} bytes that are kept");
            let fault = Fault::new(FaultClass::Invalid, subject(sync), message);
            return Err(fault.because(Reason::TooLarge));
        }
        let (place, item) = self.read(sync).await?;
        let there = sealed(sync, &item)?.is_some();
        if expected.map(|expected| expected.0.as_str()) != there.then_some(item.state.as_str()) {
            return Err(conflict(sync));
        }
        let value = SecretValue::from(format!("{MARK}{}", STANDARD.encode(&bytes)).as_str());
        let keys = BTreeMap::from([(KEY.to_owned(), value)]);
        let set = self.items.set(&place, &keys, &item.state).await;
        set.map_err(|fault| about(sync, fault))?;
        let (_, now) = self.read(sync).await?;
        if sealed(sync, &now)?.as_ref() == Some(&bytes) {
            Ok(version(&now))
        } else {
            Err(conflict(sync))
        }
    }

    async fn delete(&self, sync: &SyncId) -> Result<(), Fault> {
        let (place, item) = self.read(sync).await?;
        let Some(_) = item.keys.get(KEY).filter(|value| !value.is_empty()) else {
            return Ok(());
        };
        let keys = BTreeMap::from([(KEY.to_owned(), SecretValue::new(Vec::new()))]);
        let set: Result<(), Fault> = self
            .items
            .set(&place, &keys, &ItemState::new(item.state.as_str()))
            .await;
        set.map_err(|fault| about(sync, fault))
    }
}
