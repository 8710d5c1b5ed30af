//! Whether this cluster serves a kind that somebody may have installed: Argo Rollouts, Canaries of Flagger.

use std::sync::Arc;
use std::time::Duration;

use penstock_domain::fault::Fault;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::api_server::ApiServer;
use super::request::{Call, Resource};

/// How long an answer is believed: a definition that is installed later is seen after this long.
const BELIEVED_FOR: Duration = Duration::from_mins(5);

/// Looks once in a while whether a kind is served. It asks what there is, and does not try: the bare 404
/// of a missing definition looks like that of a broken proxy.
#[derive(Clone)]
pub(super) struct Served {
    api: ApiServer,
    resource: Resource,
    known: Arc<Mutex<Option<Known>>>,
}

struct Known {
    served: bool,
    until: Instant,
}

#[derive(Deserialize)]
struct GroupList {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    versions: Vec<GroupVersion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupVersion {
    group_version: String,
}

#[derive(Deserialize)]
struct ResourceList {
    resources: Vec<ServedResource>,
}

#[derive(Deserialize)]
struct ServedResource {
    name: String,
}

impl Served {
    pub(super) fn new(api: ApiServer, resource: Resource) -> Self {
        Self {
            api,
            resource,
            known: Arc::default(),
        }
    }

    /// Whether the kind is served. Callers that ask at the same time share one look.
    pub(super) async fn served(&self) -> Result<bool, Fault> {
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref().filter(|known| Instant::now() < known.until) {
            return Ok(known.served);
        }
        let served = self.look().await?;
        *known = Some(Known {
            served,
            until: Instant::now() + BELIEVED_FOR,
        });
        Ok(served)
    }

    async fn look(&self) -> Result<bool, Fault> {
        let wanted = self.resource.api_version();
        let subject = wanted;
        let groups = self.api.call::<GroupList>(&Call::discover("/apis")).await;
        let groups = groups.map_err(|failure| failure.fault(subject))?;
        let mut versions = groups.groups.iter().flat_map(|group| &group.versions);
        if !versions.any(|version| version.group_version == wanted) {
            return Ok(false);
        }
        let call = Call::discover(&format!("/apis/{wanted}"));
        let resources = self.api.call::<ResourceList>(&call).await;
        let resources = resources.map_err(|failure| failure.fault(subject))?;
        let mut names = resources.resources.iter().map(|resource| &resource.name);
        Ok(names.any(|name| name == self.resource.plural()))
    }
}
