//! Where records lie: one place for each sync.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use penstock_adapters::files::FileRecords;
use penstock_adapters::files::record::FOLDER;
use penstock_adapters::kubernetes::KubernetesRecords;
use penstock_adapters::registry::Registry;
use penstock_adapters::store_records::StoreRecords;
use penstock_cli::arguments::RecordPlace;
use penstock_cli::local::{ChosenSync, NoRecords, StoreEntry};
use penstock_domain::fault::Fault;
use penstock_domain::items::StoreItems;
use penstock_domain::names::SyncId;
use penstock_domain::ports::{RecordVersion, Records, StoredRecord};
use penstock_domain::stores::access::RemotePath;

use super::OpenWorld;
use super::cluster::Cluster;

/// The records of all syncs, each in its place.
pub(super) struct RecordPlaces {
    places: BTreeMap<SyncId, Arc<dyn Records>>,
    /// Folders that hold records: never source or target.
    pub(super) folders: Vec<PathBuf>,
}

impl RecordPlaces {
    /// Where `place` says, with `stores` for those that lie in one; else beside the objects for a sync that has any, and beside the document otherwise.
    pub(super) fn of(
        syncs: &[ChosenSync],
        place: Option<&RecordPlace>,
        cluster: Option<&Cluster>,
        stores: &Arc<Registry>,
    ) -> Result<Self, OpenWorld> {
        let mut records = Self {
            places: BTreeMap::new(),
            folders: Vec::new(),
        };
        for chosen in syncs {
            let port: Arc<dyn Records> = match place {
                Some(RecordPlace::None) => Arc::new(NoRecords),
                Some(RecordPlace::Cluster) => in_cluster(cluster)?,
                Some(RecordPlace::Store(entry)) => in_store(entry, stores)?,
                Some(RecordPlace::Folder(folder)) => records.in_folder(folder.clone()),
                // Contents that are handed on need no cluster, and do without its record.
                None if has_objects(chosen) && cluster.is_none() => Arc::new(NoRecords),
                None if has_objects(chosen) => in_cluster(cluster)?,
                None => records.in_folder(chosen.sync.folder.join(FOLDER)),
            };
            records.places.insert(chosen.sync.id.clone(), port);
        }
        Ok(records)
    }

    fn in_folder(&mut self, folder: PathBuf) -> Arc<dyn Records> {
        if !self.folders.contains(&folder) {
            self.folders.push(folder.clone());
        }
        Arc::new(FileRecords::new(folder))
    }

    fn place(&self, sync: &SyncId) -> &dyn Records {
        match self.places.get(sync) {
            Some(place) => &**place,
            // Nobody asks for a sync that was not chosen; whoever did would find nothing and keep nothing.
            None => &NoRecords,
        }
    }
}

fn in_cluster(cluster: Option<&Cluster>) -> Result<Arc<dyn Records>, OpenWorld> {
    let cluster = cluster.ok_or(OpenWorld::NoCluster)?;
    Ok(Arc::new(KubernetesRecords::new(cluster.api.clone())))
}

fn in_store(entry: &StoreEntry, stores: &Arc<Registry>) -> Result<Arc<dyn Records>, OpenWorld> {
    let path = RemotePath::parse(&entry.path).map_err(OpenWorld::RecordPath)?;
    let items = Arc::clone(stores) as Arc<dyn StoreItems>;
    Ok(Arc::new(StoreRecords::new(
        items,
        entry.store.clone(),
        path,
    )))
}

fn has_objects(chosen: &ChosenSync) -> bool {
    let mut targets = chosen.sync.targets.iter();
    targets.any(|target| target.destination.is_object())
}

#[async_trait]
impl Records for RecordPlaces {
    fn max_bytes(&self, sync: &SyncId) -> usize {
        self.place(sync).max_bytes(sync)
    }

    async fn load(&self, sync: &SyncId) -> Result<Option<StoredRecord>, Fault> {
        self.place(sync).load(sync).await
    }

    async fn save(
        &self,
        sync: &SyncId,
        sealed: Vec<u8>,
        expected: Option<&RecordVersion>,
    ) -> Result<RecordVersion, Fault> {
        self.place(sync).save(sync, sealed, expected).await
    }

    async fn delete(&self, sync: &SyncId) -> Result<(), Fault> {
        self.place(sync).delete(sync).await
    }
}
