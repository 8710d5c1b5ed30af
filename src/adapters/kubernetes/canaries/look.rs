//! Looks at a canary: its Deployment or Job, and its pods.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use penstock_domain::canary::{Canary, CanaryView, JobEnd, Trial};
use penstock_domain::fault::Fault;
use penstock_domain::names::SyncId;
use serde_json::Value;

use super::clone::text;
use super::names::{Marks, Role};
use super::seen::{Pod, lacking, refused, views};
use super::{KubernetesCanaries, is_untouched, jobs, label};
use crate::kubernetes::listing::Listing;
use crate::kubernetes::object::MetadataOnly;
use crate::kubernetes::request::{Address, Resource};

/// How long a run that the cluster ended is told before another is made.
const TOLD: SignedDuration = SignedDuration::from_secs(30);
/// A Job that is the canary, and its pods.
pub(super) struct Run {
    pub(super) job: Value,
    pub(super) end: Option<JobEnd>,
    pods: Vec<Pod>,
}

impl KubernetesCanaries {
    pub(super) async fn look_at_pod(
        &self,
        (sync, trial): (&SyncId, &Trial),
        marks: &Marks,
        name: &str,
    ) -> Result<CanaryView, Fault> {
        // What has changed under the trial is not there any more: it is made anew.
        let found = self.own(sync, marks, (Resource::Deployment, name)).await?;
        let Some(deployment) = found.filter(is_untouched) else {
            return Ok(CanaryView::default());
        };
        let current = self.is_current((marks, trial), &deployment).await?;
        if !current || !self.has_candidates((sync, trial), marks).await? {
            return Ok(CanaryView::default());
        }
        let pods = self
            .pods_below(sync, marks, text(&deployment, "/metadata/uid"))
            .await?;
        let lacking = deployment
            .pointer("/spec/template/spec")
            .and_then(|spec| lacking(spec, marks, trial));
        let now = Timestamp::now();
        Ok(CanaryView {
            exists: true,
            pods: views(&pods, lacking.as_deref(), now),
            job: None,
            refused: refused(&deployment),
        })
    }

    /// The pods of the canary: those of the ReplicaSets of its Deployment.
    pub(super) async fn canary_pods(
        &self,
        (sync, trial): (&SyncId, &Trial),
        marks: &Marks,
    ) -> Result<Vec<Pod>, Fault> {
        let Canary::Pod(workload, _) = &trial.canary else {
            return Ok(Vec::new());
        };
        let name = marks.name(Role::Canary, workload.name.as_str());
        match self.own(sync, marks, (Resource::Deployment, &name)).await? {
            Some(deployment) => {
                self.pods_below(sync, marks, text(&deployment, "/metadata/uid"))
                    .await
            }
            None => Ok(Vec::new()),
        }
    }

    async fn pods_below(
        &self,
        sync: &SyncId,
        marks: &Marks,
        deployment: &str,
    ) -> Result<Vec<Pod>, Fault> {
        let selector = marks.selector(Role::Canary);
        let sets = Listing {
            metadata_only: true,
            ..listing(sync, Resource::ReplicaSet, &selector)
        };
        let sets = self.api.list(sets, |set: MetadataOnly| {
            let ours = set.metadata.controller()?.uid == deployment;
            ours.then_some(set.metadata.uid)
        });
        let subject = format!("pods of the canary of {}", sync.name);
        let sets = sets.await.map_err(|failure| failure.fault(&subject))?;
        self.pods_of(sync, &selector, &sets.into_iter().collect())
            .await
    }

    pub(super) async fn look_at_job(
        &self,
        (sync, trial): (&SyncId, &Trial),
        marks: &Marks,
        name: &str,
    ) -> Result<CanaryView, Fault> {
        let Some(run) = self.run(sync, marks, name).await? else {
            return Ok(CanaryView::default());
        };
        let lost = match &run.end {
            None => !self.has_candidates((sync, trial), marks).await?,
            // It says nothing; another run may, after those who look have had time to tell why.
            Some(JobEnd::Cluster(_)) => jobs::ended_before(&run.job, Timestamp::now() - TOLD),
            Some(_) => false,
        };
        if lost {
            return Ok(CanaryView::default());
        }
        let mut pods = views(&run.pods, None, Timestamp::now());
        for pod in &mut pods {
            // A pod of a Job runs until it ends: being ready is no merit.
            pod.ready_since = None;
        }
        Ok(CanaryView {
            exists: true,
            pods,
            job: run.end,
            refused: None,
        })
    }

    /// The Job that is the canary, as nobody has changed it.
    pub(super) async fn run(
        &self,
        sync: &SyncId,
        marks: &Marks,
        name: &str,
    ) -> Result<Option<Run>, Fault> {
        let found = self.own(sync, marks, (Resource::Job, name)).await?;
        let Some(job) = found.filter(is_untouched) else {
            return Ok(None);
        };
        let owners = BTreeSet::from([text(&job, "/metadata/uid").to_owned()]);
        let selector = marks.selector(Role::Canary);
        let pods = self.pods_of(sync, &selector, &owners).await?;
        let statuses: Vec<_> = pods.iter().map(|pod| pod.status.clone()).collect();
        Ok(Some(Run {
            end: jobs::ended(&job, &statuses),
            pods,
            job,
        }))
    }

    /// The Deployment or Job of this trial; one that is on its way out is none.
    pub(super) async fn own(
        &self,
        sync: &SyncId,
        marks: &Marks,
        (resource, name): (Resource, &str),
    ) -> Result<Option<Value>, Fault> {
        let address = Address {
            resource,
            namespace: &sync.namespace,
            name,
        };
        let subject = format!("{} {name}", resource.kind());
        let found = self.get(address, &subject).await?;
        Ok(found.filter(|found| {
            let going = found.pointer("/metadata/deletionTimestamp").is_some();
            let ours = label(found).and_then(Value::as_str) == Some(marks.sync());
            ours && !going
        }))
    }

    /// Pods that one of these objects controls.
    pub(super) async fn pods_of(
        &self,
        sync: &SyncId,
        selector: &str,
        owners: &BTreeSet<String>,
    ) -> Result<Vec<Pod>, Fault> {
        let listed = self
            .api
            .list(listing(sync, Resource::Pod, selector), |pod: Pod| {
                let ours = owners.contains(&pod.metadata.controller()?.uid);
                ours.then_some(pod)
            });
        listed
            .await
            .map_err(|failure| failure.fault(&format!("pods of the canary of {}", sync.name)))
    }
}

fn listing<'a>(sync: &'a SyncId, resource: Resource, selector: &'a str) -> Listing<'a> {
    Listing {
        resource,
        namespace: Some(&sync.namespace),
        selector,
        fields: "",
        metadata_only: false,
    }
}
