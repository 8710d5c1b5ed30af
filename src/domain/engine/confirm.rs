//! I/O: closes intents of the record, for callers that keep no status.

use super::{Engine, unreadable};
use crate::fault::Fault;
use crate::names::{SyncId, TargetName};
use crate::record::{self, Before};
use crate::report::Findings;

impl Engine {
    /// Notes in the record that `targets` hold what was intended for them.
    ///
    /// The operator's status confirms writes and saves this second write of the record. The command line keeps no
    /// status: without this note, the next run could not tell an interrupted write from somebody's change.
    pub async fn confirm(&self, sync: &SyncId, targets: &[TargetName]) -> Result<(), Fault> {
        let Some(stored) = self.ports.records.load(sync).await? else {
            return Ok(());
        };
        let former = record::decode(&stored.sealed, sync, &self.key).map_err(unreadable)?;
        let mut state = former.clone();
        for name in targets {
            if let Some(owned) = state.targets.get_mut(name) {
                owned.before = Before::Keys(owned.keys.clone());
            }
        }
        if state == former {
            return Ok(());
        }
        // What the record cannot hold was told when it was saved with the intent.
        let mut told = Findings::default();
        let version = Some(&stored.version);
        self.save(sync, &mut state, version, &mut told).await?;
        Ok(())
    }
}
