//! I/O: what happens when the sync itself goes.

use super::{Engine, unreadable};
use crate::fault::Fault;
use crate::names::SyncId;
use crate::record;

impl Engine {
    /// Removes what is ours from targets that said `onDelete: delete`, then forgets the record. Needs no
    /// source. Returns the labels of what was removed.
    pub async fn clean_up(&self, sync: &SyncId) -> Result<Vec<String>, Fault> {
        let Some(stored) = self.ports.records.load(sync).await? else {
            return Ok(Vec::new());
        };
        let state = record::decode(&stored.sealed, sync, &self.key).map_err(unreadable)?;
        let orphans = state
            .orphans
            .iter()
            .map(|orphan| (&orphan.target, &orphan.owned));
        let mut removed = Vec::new();
        for (name, owned) in state
            .targets
            .iter()
            .chain(orphans)
            .filter(|(_, owned)| owned.delete_with_sync)
        {
            self.remove(sync.clone(), name, owned).await?;
            removed.push(owned.label());
        }
        self.fenced()?;
        self.ports.records.delete(sync).await?;
        Ok(removed)
    }
}
