//! The operator's own writes, made straight: no vault, no reads, no decisions.
//!
//! After the fleet has converged its records, Secrets and statuses are taken as they are and written to a
//! fresh namespace: the record is created, the Secret applied, the status patched, one after the other for one
//! sync and [`WIDTH`](super::spread::WIDTH) syncs at a time, with the operator's own account.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DynamicObject, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use super::fleet::{Fleet, create_syncs, name, syncs};
use super::spread::spread;
use crate::failure::Failure;

/// How the operator's records are called.
const RECORD: &str = "penstock-record-";
const MANAGER: &str = "straight";

/// What is written for one sync.
#[derive(Clone)]
struct Writes {
    record: Secret,
    target: Secret,
    status: Value,
}

/// What is written for each sync of a fleet.
pub(super) struct Copies(Arc<Vec<Writes>>);

impl Copies {
    /// Takes what there is. Fails where a sync has no record, no Secret or no status.
    pub(super) async fn take(fleet: &Fleet) -> Result<Self, Failure> {
        let secrets: Api<Secret> = Api::namespaced(fleet.client.clone(), &fleet.namespace);
        let listed = secrets.list(&ListParams::default()).await?;
        let mut secrets = by_name(listed.items);
        let listed = syncs(&fleet.client, &fleet.namespace)
            .list(&ListParams::default())
            .await?;
        let mut syncs = by_name(listed.items);
        let mut copies = Vec::with_capacity(fleet.size.objects);
        for number in 0..fleet.size.objects {
            let name = name(number);
            let record = secrets.remove(&format!("{RECORD}{name}"));
            let writes = record
                .zip(secrets.remove(&name))
                .zip(syncs.remove(&name))
                .map(|((record, target), sync)| Writes::new(record, target, &sync));
            let missing = || Failure::because(format!("{name} has no record or no Secret"));
            copies.push(writes.ok_or_else(missing)?);
        }
        Ok(Self(Arc::new(copies)))
    }

    /// Writes everything to an empty namespace, and measures. The SecretSyncs themselves are made by `admin`
    /// before; `operator` writes.
    pub(super) async fn write(
        &self,
        fleet: &Fleet,
        operator: &Client,
        namespace: &str,
    ) -> Result<Duration, Failure> {
        create_syncs(&fleet.client, namespace, &fleet.size).await?;
        let copies = Arc::clone(&self.0);
        let secrets: Api<Secret> = Api::namespaced(operator.clone(), namespace);
        let syncs = syncs(operator, namespace);
        let start = Instant::now();
        let work = move |number: usize| {
            let writes = copies.get(number).cloned();
            let (secrets, syncs) = (secrets.clone(), syncs.clone());
            async move {
                match writes {
                    Some(writes) => writes.send(&secrets, &syncs).await,
                    None => Ok(()),
                }
            }
        };
        spread(self.0.len(), work).await?;
        Ok(start.elapsed())
    }
}

impl Writes {
    fn new(record: Secret, target: Secret, sync: &DynamicObject) -> Self {
        Self {
            record: bare(record),
            target: bare(target),
            status: sync.data["status"].clone(),
        }
    }

    async fn send(
        &self,
        secrets: &Api<Secret>,
        syncs: &Api<DynamicObject>,
    ) -> Result<(), kube::Error> {
        let name = self.target.name_any();
        secrets.create(&PostParams::default(), &self.record).await?;
        let parameters = PatchParams::apply(MANAGER).force();
        secrets
            .patch(&name, &parameters, &Patch::Apply(&self.target))
            .await?;
        let status = json!({"status": self.status});
        syncs
            .patch_status(&name, &PatchParams::default(), &Patch::Merge(status))
            .await?;
        Ok(())
    }
}

/// The object as it was sent, without what the API server adds.
fn bare(secret: Secret) -> Secret {
    Secret {
        metadata: ObjectMeta {
            name: secret.metadata.name,
            labels: secret.metadata.labels,
            annotations: secret.metadata.annotations,
            ..ObjectMeta::default()
        },
        ..secret
    }
}

fn by_name<K: ResourceExt>(objects: Vec<K>) -> BTreeMap<String, K> {
    let objects = objects.into_iter();
    objects.map(|object| (object.name_any(), object)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_keeps_content_and_labels_and_nothing_of_the_servers() {
        let secret: Secret = serde_json::from_value(json!({
            "metadata": {
                "name": "a", "namespace": "bench", "uid": "u", "resourceVersion": "7",
                "labels": {"l": "1"}, "managedFields": [{"manager": "penstock"}],
            },
            "type": "Opaque",
            "data": {"K": "djE="},
        }))
        .unwrap();
        let copy = serde_json::to_value(bare(secret)).unwrap();
        assert_eq!(copy["metadata"], json!({"name": "a", "labels": {"l": "1"}}));
        assert_eq!(copy["data"], json!({"K": "djE="}));
        assert_eq!(copy["type"], "Opaque");
    }
}
