//! Removing our keys from a target when its sync goes.

use penstock_domain::fault::Fault;
use penstock_domain::ports::Removal;

use super::KubernetesTargets;
use super::document::Document;
use super::place::Place;
use super::write::leftovers;
use crate::kubernetes::request::{Call, DeletePreconditions};

impl KubernetesTargets {
    pub(super) async fn remove_keys(
        &self,
        place: &Place<'_>,
        removal: &Removal,
    ) -> Result<(), Fault> {
        let Some(stored) = self.find(place).await? else {
            return Ok(());
        };
        let another = stored.metadata.uid != removal.uid;
        if another || stored.metadata.deletion_timestamp.is_some() {
            return Ok(());
        }
        let nothing_left = stored.data.keys().all(|key| removal.keys.contains(key));
        if removal.whole && nothing_left {
            let preconditions = DeletePreconditions {
                uid: &stored.metadata.uid,
                resource_version: Some(&stored.metadata.resource_version),
            };
            return self.delete(place, preconditions).await;
        }
        // Labels and annotations go with the keys; what another sync shares, its own manager keeps.
        let release = Document::release(place, &stored);
        let call = Call::apply(place.address(), &place.manager, &release);
        let released = self
            .exchange(place, &call)
            .await
            .map_err(|failure| failure.fault(&place.subject))?;
        let paths = leftovers(&released, &removal.keys);
        self.take_away(place, released, paths).await.map(drop)
    }
}
