//! The pods of one workload, and what is wrong with them.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{ContainerStatus, PodStatus};
use penstock_domain::fault::Fault;
use penstock_domain::sync::WorkloadKind;
use penstock_domain::workload::{PodView, WorkloadView};
use serde::Deserialize;

use super::view::word;
use crate::kubernetes::api_server::ApiServer;
use crate::kubernetes::listing::Listing;
use crate::kubernetes::object::{Metadata, MetadataOnly};
use crate::kubernetes::request::Resource;

/// What every container waits for at its start; no trouble.
const STARTING: [&str; 2] = ["ContainerCreating", "PodInitializing"];

#[derive(Deserialize)]
struct Pod {
    metadata: Metadata,
    #[serde(default)]
    status: PodStatus,
}

/// The pods that belong to `workload`: its selector finds them *and* they are owned by it, directly or
/// through a ReplicaSet of its own. Two workloads may have selectors that overlap.
pub(super) async fn pods(api: &ApiServer, workload: &WorkloadView) -> Result<Vec<PodView>, Fault> {
    let owners = owners(api, workload).await?;
    let listed = api.list(listing(Resource::Pod, workload), |pod: Pod| {
        let owner = pod.metadata.controller()?;
        owners.contains(&owner.uid).then(|| pod.view()).flatten()
    });
    listed
        .await
        .map_err(|failure| failure.fault(&format!("pods of {}", workload.id)))
}

/// The uids of whatever owns the pods of `workload` as controller.
async fn owners(api: &ApiServer, workload: &WorkloadView) -> Result<BTreeSet<String>, Fault> {
    let uid = workload.id.uid.clone();
    match workload.id.kind {
        WorkloadKind::StatefulSet | WorkloadKind::DaemonSet => Ok(BTreeSet::from([uid])),
        WorkloadKind::Deployment | WorkloadKind::Rollout => {
            let listing = Listing {
                metadata_only: true,
                ..listing(Resource::ReplicaSet, workload)
            };
            let listed = api.list(listing, |set: MetadataOnly| {
                let ours = set.metadata.controller()?.uid == uid;
                ours.then_some(set.metadata.uid)
            });
            let sets = listed
                .await
                .map_err(|failure| failure.fault(&format!("replica sets of {}", workload.id)))?;
            Ok(sets.into_iter().collect())
        }
    }
}

fn listing(resource: Resource, workload: &WorkloadView) -> Listing<'_> {
    Listing {
        resource,
        namespace: Some(&workload.id.namespace),
        selector: &workload.pod_selector,
        fields: "",
        metadata_only: false,
    }
}

impl Pod {
    /// None for a pod that is finished or on its way out.
    fn view(self) -> Option<PodView> {
        let phase = self.status.phase.as_deref();
        let finished = matches!(phase, Some("Succeeded" | "Failed"));
        if finished || self.metadata.deletion_timestamp.is_some() {
            return None;
        }
        Some(PodView {
            ready: condition(&self.status, "Ready").is_some_and(|(status, _)| status == "True"),
            trouble: trouble(&self.status),
            started: self.status.start_time.map(|time| time.0),
            name: self.metadata.name,
        })
    }
}

/// Why a pod does not get on: what a container waits for or died of, else why it is on no node.
fn trouble(status: &PodStatus) -> Option<String> {
    let init = status.init_container_statuses.iter().flatten();
    let containers = status.container_statuses.iter().flatten();
    let container = init.chain(containers).find_map(container_trouble);
    container.or_else(|| {
        let (scheduled, reason) = condition(status, "PodScheduled")?;
        (scheduled == "False").then(|| word(reason)).flatten()
    })
}

fn container_trouble(container: &ContainerStatus) -> Option<String> {
    let state = container.state.as_ref()?;
    let waiting = state.waiting.as_ref().and_then(|waiting| {
        let reason = waiting.reason.as_deref()?;
        (!STARTING.contains(&reason)).then_some(reason)
    });
    let died = || {
        let terminated = state.terminated.as_ref()?;
        (terminated.exit_code != 0).then(|| terminated.reason.as_deref().unwrap_or("Error"))
    };
    waiting.or_else(died).and_then(word)
}

/// Status and reason of a condition.
fn condition<'a>(status: &'a PodStatus, kind: &str) -> Option<(&'a str, &'a str)> {
    let conditions = status.conditions.iter().flatten();
    let condition = conditions
        .into_iter()
        .find(|condition| condition.type_ == kind)?;
    Some((
        &condition.status,
        condition.reason.as_deref().unwrap_or_default(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn view(status: &Value) -> Option<PodView> {
        let pod: Pod =
            serde_json::from_value(json!({"metadata": {"name": "p"}, "status": status})).unwrap();
        pod.view()
    }

    fn trouble_of(status: &Value) -> Option<String> {
        view(status).unwrap().trouble
    }

    #[test]
    fn a_ready_pod_has_a_start_and_no_trouble() {
        let pod = view(&json!({
            "phase": "Running", "startTime": "2026-11-22T10:00:00Z",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "a", "image": "", "imageID": "", "ready": true,
                "restartCount": 0, "state": {"running": {}}}]}))
        .unwrap();
        assert!(pod.ready);
        assert_eq!(pod.trouble, None);
        assert_eq!(pod.started.unwrap().to_string(), "2026-11-22T10:00:00Z");
    }

    #[test]
    fn what_a_container_waits_for_or_died_of_is_its_trouble() {
        let container = |state: &Value| {
            json!({"phase": "Pending", "containerStatuses": [{"name": "a", "image": "", "imageID": "",
                "ready": false, "restartCount": 3, "state": state}]})
        };
        for reason in [
            "CrashLoopBackOff",
            "CreateContainerConfigError",
            "ImagePullBackOff",
        ] {
            let waiting =
                container(&json!({"waiting": {"reason": reason, "message": "key hunter2"}}));
            assert_eq!(trouble_of(&waiting).as_deref(), Some(reason));
        }
        for starting in STARTING {
            let waiting = container(&json!({"waiting": {"reason": starting}}));
            assert_eq!(trouble_of(&waiting), None);
        }
        let died = container(&json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}));
        assert_eq!(trouble_of(&died).as_deref(), Some("OOMKilled"));
        let done = container(&json!({"terminated": {"exitCode": 0, "reason": "Completed"}}));
        assert_eq!(trouble_of(&done), None);
    }

    #[test]
    fn a_pod_on_no_node_says_why() {
        let status = json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]});
        assert_eq!(trouble_of(&status).as_deref(), Some("Unschedulable"));
    }

    #[test]
    fn finished_pods_are_left_out() {
        for phase in ["Succeeded", "Failed"] {
            assert_eq!(view(&json!({"phase": phase})), None);
        }
    }
}
