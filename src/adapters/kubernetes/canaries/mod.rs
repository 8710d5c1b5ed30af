//! Canaries in Kubernetes: a revision is tried by one pod or one run of a Job before any target is written.
//!
//! - Names and labels follow from the sync and the revision, so that doing a step twice is doing it once and whoever
//!   takes over finds what is there. Everything is owned by the SecretSync: what nobody takes away any more, garbage
//!   collection takes.
//! - The canary uses *candidates*, immutable Secrets and ConfigMaps of its own, in the place of the targets. No object
//!   of the user's is changed, and its own labels let no Service, budget or autoscaler find it.
//! - What a canary does otherwise than its workload is written on the workload (`penstock.dev/canary-patch`), what
//!   may be run as a Job on the CronJob (`penstock.dev/allow-run`); a SecretSync has no say in either.
//! - A canary that could do harm is refused before anything is made.
//! - What is seen of it is split by its cause: what the cluster does to a pod never speaks against a revision.

mod candidates;
mod check;
mod clone;
mod harm;
mod jobs;
mod look;
mod names;
mod patch;
mod pods;
mod refusal;
mod seen;

use std::sync::Arc;

use async_trait::async_trait;
use penstock_domain::canary::{Canary, CanaryCheck, CanaryView, CheckVerdict, JobEnd, Trial};
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::SyncId;
use penstock_domain::ports::Canaries;
use penstock_domain::reserved::{CANARY_LABEL, CANARY_MADE_AS_ANNOTATION, MARKER_FIELD_MANAGER};
use penstock_domain::stores::Credentials;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::api_server::ApiServer;
use super::listing::Listing;
use super::object::MetadataOnly;
use super::request::{Address, Call, DeletePreconditions, Resource};
use super::served::Served;
use crate::http::client::HttpLayer;
use clone::text;
use names::{Marks, Owner, Role, Substitutes};

/// Canaries in Kubernetes.
///
/// RBAC in the namespaces that are served, beside what targets and workloads take: `get`, `list`, `create` and
/// `delete` on `deployments.apps` and `jobs.batch`, `create` and `delete` on `secrets` and `configmaps`; `get` on
/// `cronjobs.batch` and `persistentvolumeclaims`; `list` on `pods` and `replicasets.apps`, and on
/// `canaries.flagger.app` where Flagger is installed.
#[derive(Clone)]
pub struct KubernetesCanaries {
    api: ApiServer,
    http: Arc<HttpLayer>,
    credentials: Arc<dyn Credentials>,
    flagger: Served,
}

/// What everything of a trial is made with.
struct Workshop<'a> {
    sync: &'a SyncId,
    trial: &'a Trial,
    marks: Marks,
    substitutes: Substitutes,
    owner: Owner,
}

impl KubernetesCanaries {
    /// Canaries behind this API server. Checks go through `http`, with what `credentials` finds in the namespace.
    pub fn new(api: ApiServer, http: Arc<HttpLayer>, credentials: Arc<dyn Credentials>) -> Self {
        Self {
            flagger: Served::new(api.clone(), Resource::FlaggerCanary),
            api,
            http,
            credentials,
        }
    }

    async fn workshop<'a>(
        &self,
        sync: &'a SyncId,
        trial: &'a Trial,
    ) -> Result<Workshop<'a>, Fault> {
        let marks = Marks::of(sync, trial);
        Ok(Workshop {
            sync,
            trial,
            substitutes: Substitutes::of(&marks, &trial.candidates),
            marks,
            owner: self.owner(sync).await?,
        })
    }

    /// The SecretSync as owner. It is listed by its name: the operator may list them, and no more.
    async fn owner(&self, sync: &SyncId) -> Result<Owner, Fault> {
        let subject = format!("SecretSync {}", sync.name);
        let listing = Listing {
            resource: Resource::SecretSync,
            namespace: Some(&sync.namespace),
            selector: "",
            fields: &format!("metadata.name={}", sync.name),
            metadata_only: true,
        };
        let found = self
            .api
            .list(listing, |found: MetadataOnly| Some(found.metadata));
        let found = found.await.map_err(|failure| failure.fault(&subject))?;
        match found.into_iter().next() {
            Some(metadata) if metadata.deletion_timestamp.is_none() => Ok(Owner {
                name: metadata.name,
                uid: metadata.uid,
            }),
            Some(_) => Err(Fault::new(
                FaultClass::Conflict,
                subject,
                "is being deleted",
            )),
            None => Err(Fault::new(FaultClass::NotFound, subject, "does not exist")),
        }
    }

    async fn get(&self, address: Address<'_>, subject: &str) -> Result<Option<Value>, Fault> {
        let found = self.api.find::<Value>(&Call::get(address)).await;
        found.map_err(|failure| failure.fault(subject))
    }

    /// Makes a Deployment or Job unless it is there already, as it should be. One of an older template, or that
    /// somebody has changed, gives way to a new one.
    async fn ensure(
        &self,
        workshop: &Workshop<'_>,
        (resource, wanted): (Resource, &Value),
    ) -> Result<(), Fault> {
        let name = text(wanted, "/metadata/name");
        let subject = format!("{} {name}", resource.kind());
        let namespace = &workshop.sync.namespace;
        let create = Call::create(resource, namespace, MARKER_FIELD_MANAGER, wanted);
        let created = self.api.call::<IgnoredAny>(&create.metadata_only()).await;
        match created {
            Ok(_) => return Ok(()),
            Err(failure) if failure.is_conflict() => {}
            Err(failure) => return Err(failure.fault(&subject)),
        }
        let address = Address {
            resource,
            namespace,
            name,
        };
        let Some(found) = self.get(address, &subject).await? else {
            return Err(in_between(&subject));
        };
        if found.pointer("/metadata/deletionTimestamp").is_some() {
            return Err(in_between(&subject));
        }
        if label(&found) != label(wanted) {
            let why = "somebody else's object has the name that a canary needs";
            return Err(Fault::new(FaultClass::Conflict, &subject, why).hint("Delete it"));
        }
        if is_untouched(&found)
            && made_as(&found) == made_as(wanted)
            && owner(&found) == owner(wanted)
        {
            return Ok(());
        }
        let uid = text(&found, "/metadata/uid");
        self.delete(address, uid).await?;
        let create = Call::create(resource, namespace, MARKER_FIELD_MANAGER, wanted);
        let created = self.api.call::<IgnoredAny>(&create.metadata_only()).await;
        created.map(drop).map_err(|failure| failure.fault(&subject))
    }

    /// Deletes a Job that the cluster ended: it says nothing, and another run may.
    async fn clear_interrupted(&self, workshop: &Workshop<'_>, name: &str) -> Result<(), Fault> {
        let run = self.run(workshop.sync, &workshop.marks, name).await?;
        match run {
            Some(run) if matches!(run.end, Some(JobEnd::Cluster(_))) => {
                let address = Address {
                    resource: Resource::Job,
                    namespace: &workshop.sync.namespace,
                    name,
                };
                self.delete(address, text(&run.job, "/metadata/uid")).await
            }
            _ => Ok(()),
        }
    }

    /// Deletes exactly this object, and afterwards what it owns. Absence, and another object in its place, is success.
    async fn delete(&self, address: Address<'_>, uid: &str) -> Result<(), Fault> {
        let preconditions = DeletePreconditions {
            uid,
            resource_version: None,
        };
        let call = Call::delete(address, preconditions);
        match self.api.find::<IgnoredAny>(&call).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.is_conflict() => Ok(()),
            Err(failure) => {
                Err(failure.fault(&format!("{} {}", address.resource.kind(), address.name)))
            }
        }
    }

    /// Deletes all objects of a kind that trials of this sync have made.
    async fn delete_all(&self, sync: &SyncId, resource: Resource) -> Result<(), Fault> {
        let selector = names::everything(sync);
        let listing = Listing {
            resource,
            namespace: Some(&sync.namespace),
            selector: &selector,
            fields: "",
            metadata_only: true,
        };
        let listed = self.api.list(listing, |found: MetadataOnly| {
            let metadata = found.metadata;
            // A label alone is something that anybody can set by mistake.
            let ours = names::is_of_a_trial(&metadata.name);
            (ours && metadata.deletion_timestamp.is_none()).then_some((metadata.name, metadata.uid))
        });
        let subject = format!("{resource} of canaries of {}", sync.name);
        let found = listed.await.map_err(|failure| failure.fault(&subject))?;
        for (name, uid) in found {
            let address = Address {
                resource,
                namespace: &sync.namespace,
                name: &name,
            };
            self.delete(address, &uid).await?;
        }
        Ok(())
    }
}

impl Workshop<'_> {
    fn making(&self) -> clone::Making<'_> {
        clone::Making {
            marks: &self.marks,
            owner: &self.owner,
            substitutes: &self.substitutes,
        }
    }
}

#[async_trait]
impl Canaries for KubernetesCanaries {
    async fn start(&self, sync: &SyncId, trial: &Trial) -> Result<(), Fault> {
        let workshop = self.workshop(sync, trial).await?;
        // What is refused is refused before anything is made.
        let canary = match &trial.canary {
            Canary::Pod(workload, labels) => {
                let wanted = self.pod(&workshop, workload, *labels).await?;
                (Resource::Deployment, wanted)
            }
            Canary::Job(cron_job) => {
                let wanted = self.run_of(&workshop, cron_job, Role::Canary).await?;
                self.clear_interrupted(&workshop, text(&wanted, "/metadata/name"))
                    .await?;
                (Resource::Job, wanted)
            }
        };
        self.make_candidates(&workshop).await?;
        self.ensure(&workshop, (canary.0, &canary.1)).await
    }

    async fn look(&self, sync: &SyncId, trial: &Trial) -> Result<CanaryView, Fault> {
        let marks = Marks::of(sync, trial);
        match &trial.canary {
            Canary::Pod(workload, _) => {
                let name = marks.name(Role::Canary, workload.name.as_str());
                self.look_at_pod((sync, trial), &marks, &name).await
            }
            Canary::Job(cron_job) => {
                let name = marks.name(Role::Canary, cron_job.as_str());
                self.look_at_job((sync, trial), &marks, &name).await
            }
        }
    }

    async fn check(
        &self,
        sync: &SyncId,
        trial: &Trial,
        check: &CanaryCheck,
    ) -> Result<CheckVerdict, Fault> {
        self.ask(sync, trial, check).await
    }

    async fn stop(&self, sync: &SyncId) -> Result<(), Fault> {
        for resource in [
            Resource::Deployment,
            Resource::Job,
            Resource::Secret,
            Resource::ConfigMap,
        ] {
            self.delete_all(sync, resource).await?;
        }
        Ok(())
    }
}

fn label(object: &Value) -> Option<&Value> {
    object.pointer("/metadata/labels")?.get(CANARY_LABEL)
}

fn made_as(object: &Value) -> Option<&Value> {
    object
        .pointer("/metadata/annotations")?
        .get(CANARY_MADE_AS_ANNOTATION)
}

fn owner(object: &Value) -> Option<&Value> {
    object.pointer("/metadata/ownerReferences/0/uid")
}

/// Whether nobody has changed what it is to do since it was made.
fn is_untouched(object: &Value) -> bool {
    object.pointer("/metadata/generation") == Some(&Value::from(1))
}

fn in_between(subject: &str) -> Fault {
    Fault::new(
        FaultClass::Conflict,
        subject,
        "is being made or deleted just now",
    )
}
