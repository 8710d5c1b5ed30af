//! Secrets and ConfigMaps as targets, by server-side apply (design decisions 3 and 5).
//!
//! - Each target has a field manager of its own, so that two syncs which share an object leave each
//!   other's keys alone. Only `data` is applied, never `stringData`.
//! - An apply takes every field by force: a person's edit moves ownership away from us, and what is ours
//!   is written in our record, not in `managedFields`.
//! - For the same reason a key that we drop may survive because somebody co-owns it. What the answer still
//!   shows goes by a JSON patch that tests the version first.
//! - Each write names the object that it is about: uid and resourceVersion, or none.
//! - There are no ownerReferences: deleting a CRD would collect every Secret.

mod document;
mod place;
mod remove;
mod stored;
mod write;

use async_trait::async_trait;
use penstock_domain::fault::Fault;
use penstock_domain::names::SyncId;
use penstock_domain::ports::{Observation, Removal, Targets, Write, Written};
use penstock_domain::sync::ValidatedTarget;

use super::api_server::ApiServer;
use super::failure::Failure;
use super::object::{ConfigMap, Secret};
use super::request::{Call, Resource};
use place::Place;
use stored::Stored;

/// Targets in Kubernetes.
///
/// RBAC on `secrets` and `configmaps` of the namespaces that are served: `get` to observe, `patch` and
/// `create` to write (an apply on a missing object needs both), `delete` for `recreate` and for clean-up.
#[derive(Clone)]
pub struct KubernetesTargets {
    api: ApiServer,
}

impl KubernetesTargets {
    /// Targets behind this API server.
    pub fn new(api: ApiServer) -> Self {
        Self { api }
    }

    /// Sends a request whose answer is the object at `place`.
    async fn exchange(&self, place: &Place<'_>, call: &Call) -> Result<Stored, Failure> {
        match place.resource {
            Resource::ConfigMap => self.api.call::<ConfigMap>(call).await.map(Stored::from),
            _ => self.api.call::<Secret>(call).await.map(Stored::from),
        }
    }

    async fn find(&self, place: &Place<'_>) -> Result<Option<Stored>, Fault> {
        match self.exchange(place, &Call::get(place.address())).await {
            Ok(stored) => Ok(Some(stored)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure.fault(&place.subject)),
        }
    }
}

#[async_trait]
impl Targets for KubernetesTargets {
    async fn observe(&self, sync: &SyncId, target: &ValidatedTarget) -> Result<Observation, Fault> {
        let place = Place::new(sync, target)?;
        let stored = self.find(&place).await?;
        Ok(stored.map_or(Observation::Absent, |stored| {
            Observation::Present(stored.observed(&place))
        }))
    }

    async fn write(
        &self,
        sync: &SyncId,
        target: &ValidatedTarget,
        write: Write,
    ) -> Result<Written, Fault> {
        self.write_object(&Place::new(sync, target)?, write).await
    }

    async fn remove(
        &self,
        sync: &SyncId,
        target: &ValidatedTarget,
        removal: Removal,
    ) -> Result<(), Fault> {
        self.remove_keys(&Place::new(sync, target)?, &removal).await
    }
}
