//! Mode pod: one pod cloned from a workload.

use penstock_domain::api::canary::CanaryLabels;
use penstock_domain::canary::{Canary, Trial};
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::NamespaceName;
use penstock_domain::workload::WorkloadId;
use serde_json::Value;

use super::clone::{self, Making, text};
use super::names::{Marks, Owner, Substitutes};
use super::patch::Patch;
use super::refusal::Refusal;
use super::{KubernetesCanaries, Workshop, harm, made_as};
use crate::kubernetes::listing::Listing;
use crate::kubernetes::request::{Address, Resource};
use crate::kubernetes::workloads::resource;

impl KubernetesCanaries {
    /// The Deployment that tries a revision, as it is to be; refused where it could do harm.
    pub(super) async fn pod(
        &self,
        workshop: &Workshop<'_>,
        workload: &WorkloadId,
        labels: CanaryLabels,
    ) -> Result<Value, Fault> {
        let subject = format!("canary of {workload}");
        let address = Address {
            resource: resource(workload.kind),
            namespace: &workload.namespace,
            name: workload.name.as_str(),
        };
        let found = self.get(address, &subject).await?;
        let found = found.filter(|found| text(found, "/metadata/uid") == workload.uid);
        let Some(found) = found else {
            let why = "the workload is gone, or was replaced by another of its name";
            return Err(Fault::new(FaultClass::Conflict, subject, why));
        };
        let refused = |refusal: Refusal| refusal.fault(&subject);
        harm::refuse(workload.kind, &found).map_err(refused)?;
        for claim in harm::claims(&found) {
            let address = Address {
                resource: Resource::PersistentVolumeClaim,
                namespace: &workload.namespace,
                name: claim,
            };
            let claimed = self.get(address, &subject).await?;
            harm::refuse_claim(claim, claimed.as_ref()).map_err(refused)?;
        }
        let canaries = self.flagger_canaries(&workload.namespace).await?;
        let named = (workload.kind, workload.name.as_str());
        harm::refuse_flagger(named, &canaries).map_err(refused)?;
        let patch = Patch::of(&found).map_err(refused)?;
        clone::deployment(&workshop.making(), &found, labels, &patch).map_err(refused)
    }

    /// Whether the canary is what would be made of its workload now. One whose workload is gone, or would be refused, is
    /// looked at as it is.
    pub(super) async fn is_current(
        &self,
        (marks, trial): (&Marks, &Trial),
        canary: &Value,
    ) -> Result<bool, Fault> {
        let Canary::Pod(workload, labels) = &trial.canary else {
            return Ok(true);
        };
        let address = Address {
            resource: resource(workload.kind),
            namespace: &workload.namespace,
            name: workload.name.as_str(),
        };
        let found = self.get(address, &workload.to_string()).await?;
        let found = found.filter(|found| text(found, "/metadata/uid") == workload.uid);
        let Some(found) = found else { return Ok(true) };
        // What it is made as says nothing of its owner.
        let owner = Owner {
            name: String::new(),
            uid: String::new(),
        };
        let making = Making {
            marks,
            owner: &owner,
            substitutes: &Substitutes::of(marks, &trial.candidates),
        };
        let patch = Patch::of(&found);
        let wanted = patch.and_then(|patch| clone::deployment(&making, &found, *labels, &patch));
        Ok(wanted.map_or(true, |wanted| made_as(&wanted) == made_as(canary)))
    }

    /// The Canaries of Flagger's, where there is Flagger.
    async fn flagger_canaries(&self, namespace: &NamespaceName) -> Result<Vec<Value>, Fault> {
        if !self.flagger.served().await? {
            return Ok(Vec::new());
        }
        let listing = Listing {
            resource: Resource::FlaggerCanary,
            namespace: Some(namespace),
            selector: "",
            fields: "",
            metadata_only: false,
        };
        let listed = self.api.list(listing, |canary: Value| Some(canary)).await;
        listed.map_err(|failure| failure.fault("canaries of Flagger"))
    }
}
