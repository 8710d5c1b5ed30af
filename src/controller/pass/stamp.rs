//! One turn of one ClusterSecretSync: a SecretSync in every namespace that matches.
//!
//! A namespace that no longer matches keeps its SecretSync and its Secrets; so does every namespace when the
//! ClusterSecretSync itself goes. Nothing is ever deleted here.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt as _, stream};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use penstock_domain::admit::admit;
use penstock_domain::api::cluster_sync::{ClusterSecretSync, ClusterSecretSyncStatus};
use penstock_domain::api::secret_sync::SecretSync;
use penstock_domain::names::{NamespaceName, ObjectName, SyncId};
use penstock_domain::report::cluster_sync::{Stamped, Stamping, not_served, refused, stamped};
use penstock_domain::schedule::Next;

use super::status::{Holder, Write, api, write_status};
use super::sync::{API_VERSION, LONGEST_RETRY};
use super::{AFTER_CONFLICT, NextTurn, StoreMemory, TurnEnd, Worker};
use crate::events::Regarding;
use crate::objects::Lean;
use crate::problem::{describe, reason};
use crate::stamping::{RefusedTemplate, Stamp, Template};
use crate::world::{Change, TrackedClusterSync, TrackedSync, Wake};

const KIND: &str = "ClusterSecretSync";
/// Who owns the fields of what is stamped.
const MANAGER: &str = "penstock-cluster-secret-sync";
/// Namespaces that are written at once.
const AT_ONCE: usize = 8;

/// What became of all namespaces in one turn.
#[derive(Default)]
struct Round {
    stamping: Stamping,
    wakes: Vec<Wake>,
    /// Whether a write failed.
    failed: bool,
}

/// What became of one namespace.
struct StampEnd {
    stamped: Stamped,
    wakes: Vec<Wake>,
    failed: bool,
}

impl From<Stamped> for StampEnd {
    fn from(stamped: Stamped) -> Self {
        Self {
            stamped,
            wakes: Vec::new(),
            failed: false,
        }
    }
}

impl Worker {
    /// One turn of one ClusterSecretSync.
    pub(crate) async fn stamp(&self, name: &ObjectName, memory: &mut StoreMemory) -> TurnEnd {
        let Some(sync) = self.world.cluster_sync(name) else {
            return TurnEnd::gone();
        };
        if sync.deleting {
            return TurnEnd::default();
        }
        memory.belong_to(&sync.uid);
        let (former, about) = (sync.status(), (sync.generation, self.clock().now()));
        let mut end = TurnEnd::default();
        let mut failed = false;
        let (status, notes) = if self.stamps {
            match self.stamp_all(&sync).await {
                Ok(round) => {
                    (end.wakes, failed) = (round.wakes, round.failed);
                    stamped(&former, &round.stamping, about)
                }
                Err(RefusedTemplate { reason, message }) => {
                    refused(&former, (reason, message.as_str()), about)
                }
            }
        } else {
            not_served(&former, about)
        };
        self.tell(&regarding(&sync), &notes, &mut memory.repetition);
        let write = self.write_cluster_sync(&sync, &status).await;
        end.rests = matches!(write, Write::Done(_));
        end.next = self.next_stamping(write, failed, memory);
        end
    }

    /// Decides, writes what differs, and says how all namespaces stand.
    async fn stamp_all(&self, sync: &TrackedClusterSync) -> Result<Round, RefusedTemplate> {
        let spec = sync
            .decode()
            .map_err(|unreadable| RefusedTemplate::unreadable(&unreadable))?;
        let template = Template::of(&sync.name, &spec, |object| {
            admit(object)
                .map(drop)
                .map_err(|problems| RefusedTemplate::of_template(&problems))
        })?;
        let known = self.world.stamped(&sync.name, &template.name);
        let mut found: BTreeMap<&NamespaceName, &TrackedSync> = BTreeMap::new();
        for sync in known.iter().filter(|sync| sync.id.name == template.name) {
            found.insert(&sync.id.namespace, sync);
        }
        let namespaces = self.world.namespaces();
        let selected: Vec<&NamespaceName> = namespaces
            .iter()
            .filter(|(_, labels)| template.selects(labels))
            .map(|(name, _)| name)
            .collect();
        let is_left = |found: &TrackedSync| {
            let SyncId { namespace, name } = &found.id;
            found.stamped_by() == Some(sync.name.as_str())
                // What lies in a namespace that is being deleted goes with it.
                && namespaces.contains_key(namespace)
                && (*name != template.name || selected.binary_search(&namespace).is_err())
        };
        let mut orphaned: Vec<SyncId> = known
            .iter()
            .filter(|found| is_left(found))
            .map(|found| found.id.clone())
            .collect();
        orphaned.sort_unstable();
        let mut work = Vec::with_capacity(selected.len());
        for namespace in &selected {
            let stamp = template.stamp(namespace, found.get(namespace).copied());
            work.push(self.write_stamp(&template.name, namespace, stamp));
        }
        let ends: Vec<StampEnd> = stream::iter(work).buffered(AT_ONCE).collect().await; // I/O: what differs
        let mut round = Round::default();
        round.stamping.orphaned = orphaned;
        for (namespace, end) in selected.into_iter().zip(ends) {
            round.wakes.extend(end.wakes);
            round.failed |= end.failed;
            round
                .stamping
                .namespaces
                .push((namespace.clone(), end.stamped));
        }
        Ok(round)
    }

    async fn write_stamp(
        &self,
        name: &ObjectName,
        namespace: &NamespaceName,
        stamp: Stamp,
    ) -> StampEnd {
        if let Stamp::Nothing(stamped) = stamp {
            return stamped.into();
        }
        if !self.may_write() {
            return Stamped::Pending.into();
        }
        match self.send_stamp(name, namespace, stamp).await {
            Ok(written) => StampEnd {
                wakes: written
                    .and_then(|written| self.learn(written))
                    .map_or_else(Vec::new, |(_, wakes)| wakes),
                ..Stamped::Pending.into()
            },
            // It came, went or changed under our hands; the watch brings it, and the next turn decides again.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {
                Stamped::Pending.into()
            }
            Err(error) => StampEnd {
                failed: true,
                ..Stamped::Failed {
                    reason: reason(&error).as_str().to_owned(),
                    message: describe(&error),
                }
                .into()
            },
        }
    }

    async fn send_stamp(
        &self,
        name: &ObjectName,
        namespace: &NamespaceName,
        stamp: Stamp,
    ) -> Result<Option<Lean<SecretSync>>, kube::Error> {
        let api: Api<Lean<SecretSync>> = api(&self.client, Some(namespace.as_str()));
        match stamp {
            Stamp::Nothing(_) => Ok(None),
            // A creation, not an apply: what somebody else made in this moment is not taken over.
            Stamp::Create(object) => {
                let parameters = PostParams {
                    field_manager: Some(MANAGER.to_owned()),
                    ..PostParams::default()
                };
                let whole: Api<SecretSync> =
                    Api::namespaced(self.client.clone(), namespace.as_str());
                whole.create(&parameters, &object).await?;
                Ok(None)
            }
            Stamp::Update(patch) => {
                let parameters = PatchParams {
                    field_manager: Some(MANAGER.to_owned()),
                    ..PatchParams::default()
                };
                let patch = Patch::Merge(patch);
                api.patch(name.as_str(), &parameters, &patch)
                    .await
                    .map(Some)
            }
        }
    }

    async fn write_cluster_sync(
        &self,
        sync: &TrackedClusterSync,
        status: &ClusterSecretSyncStatus,
    ) -> Write<ClusterSecretSync> {
        if !self.may_write() {
            return Write::Overtaken;
        }
        let holder = Holder {
            kind: KIND,
            namespace: None,
            name: sync.name.as_str(),
            uid: &sync.uid,
            resource_version: &sync.resource_version,
        };
        let (client, metrics) = (&self.client, &self.metrics);
        write_status(client, metrics, &holder, &sync.status_value(), status).await
    }

    fn next_stamping(
        &self,
        write: Write<ClusterSecretSync>,
        failed: bool,
        memory: &mut StoreMemory,
    ) -> NextTurn {
        let next = match &write {
            Write::Overtaken => Next::After(AFTER_CONFLICT),
            Write::Failed => RETRY,
            Write::Nothing | Write::Done(_) if failed => RETRY,
            Write::Nothing | Write::Done(_) => Next::Never,
        };
        if let Write::Done(object) = write
            && let Some(sync) = TrackedClusterSync::from_watch(*object)
        {
            let name = Arc::new(sync.name.clone());
            self.world
                .apply(Change::ClusterSync(name, Some(Arc::new(sync))));
        }
        let pause = memory.pause(next, matches!(next, Next::Retry { .. }));
        pause.map_or(NextTurn::WhenWoken, NextTurn::After)
    }
}

const RETRY: Next = Next::Retry {
    at_least: AFTER_CONFLICT,
    at_most: LONGEST_RETRY,
};

fn regarding(sync: &TrackedClusterSync) -> Regarding {
    Regarding {
        api_version: API_VERSION,
        kind: KIND,
        namespace: None,
        name: sync.name.to_string(),
        uid: sync.uid.to_string(),
    }
}
