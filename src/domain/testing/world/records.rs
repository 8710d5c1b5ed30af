//! Records in memory.

use async_trait::async_trait;
use futures::future::pending;

use super::state::{Call, World, conflict};
use crate::fault::{Fault, FaultClass};
use crate::names::SyncId;
use crate::ports::{RecordVersion, Records, StoredRecord};
use crate::record::MAX_SEALED_BYTES;

#[async_trait]
impl Records for World {
    async fn load(&self, sync: &SyncId) -> Result<Option<StoredRecord>, Fault> {
        let mut state = self.state();
        state.calls.push(Call::Load);
        if let Some(fault) = &state.refuse_loads {
            return Err(fault.clone());
        }
        let stored = state.records.get(sync).cloned();
        Ok(stored.map(|(sealed, version)| StoredRecord {
            sealed,
            version: RecordVersion(version.to_string()),
        }))
    }

    async fn save(
        &self,
        sync: &SyncId,
        sealed: Vec<u8>,
        expected: Option<&RecordVersion>,
    ) -> Result<RecordVersion, Fault> {
        let (before, after) = self.count(Call::Save);
        if before {
            pending::<()>().await;
        }
        let saved = {
            let mut state = self.state();
            let standing = state
                .records
                .get(sync)
                .map(|(_, version)| version.to_string());
            if standing.as_deref() != expected.map(|version| version.0.as_str()) {
                return Err(conflict("record"));
            }
            if sealed.len() > MAX_SEALED_BYTES {
                return Err(Fault::new(FaultClass::Invalid, "record", "is too large"));
            }
            let version = state.next_version();
            state.records.insert(sync.clone(), (sealed, version));
            RecordVersion(version.to_string())
        };
        if after {
            pending::<()>().await;
        }
        Ok(saved)
    }

    async fn delete(&self, sync: &SyncId) -> Result<(), Fault> {
        self.count(Call::Forget);
        self.state().records.remove(sync);
        Ok(())
    }
}
