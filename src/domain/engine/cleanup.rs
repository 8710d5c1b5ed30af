//! I/O: what happens when the sync itself goes.

use std::path::Path;

use super::{Engine, unreadable};
use crate::fault::Fault;
use crate::names::SyncId;
use crate::record::{self, Orphan};

impl Engine {
    /// Removes what is ours from targets that said `onDelete: delete`, then forgets the record. Needs no
    /// source. Paths of files start in `folder`. Returns the labels of what was removed.
    pub async fn clean_up(&self, sync: &SyncId, folder: &Path) -> Result<Vec<String>, Fault> {
        let Some(stored) = self.ports.records.load(sync).await? else {
            return Ok(Vec::new());
        };
        let state = record::decode(&stored.sealed, sync, &self.key).map_err(unreadable)?;
        let targets = state
            .targets
            .into_iter()
            .map(|(target, owned)| Orphan { target, owned });
        let mut removed = Vec::new();
        for left in targets
            .chain(state.orphans)
            .filter(|left| left.owned.delete_with_sync)
        {
            if self.remove(sync, folder, &left).await? {
                removed.push(left.owned.label());
            }
        }
        self.fenced()?;
        self.ports.records.delete(sync).await?;
        Ok(removed)
    }
}
