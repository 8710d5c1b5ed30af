//! The node, which must say again and again that it is alive.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use crate::eventually::eventually;
use crate::failure::Failure;

/// The name of the node.
pub(super) const NAME: &str = "kubelet";
/// The namespace in which nodes say that they are alive.
const LEASES: &str = "kube-node-lease";
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(1);

pub(super) async fn make(client: &Client) -> Result<(), Failure> {
    let nodes: Api<Node> = Api::all(client.clone());
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NAME,
        "labels": {"kubernetes.io/hostname": NAME, "kubernetes.io/os": "linux"}}});
    let apply = PatchParams::apply("testbed").force();
    nodes.patch(NAME, &apply, &Patch::Apply(&node)).await?;
    let room = json!({"cpu": "1000", "memory": "1Ti", "pods": "20000"});
    let now = Timestamp::now().to_string();
    let status = json!({"status": {"capacity": room, "allocatable": room, "conditions": [
        {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "no containers",
         "lastHeartbeatTime": now, "lastTransitionTime": now}]}});
    nodes
        .patch_status(NAME, &PatchParams::default(), &Patch::Strategic(&status))
        .await?;
    beat(client).await?;
    Ok(())
}

pub(super) async fn beat(client: &Client) -> Result<(), kube::Error> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), LEASES);
    let now = Timestamp::now();
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": NAME},
        "spec": {"holderIdentity": NAME, "leaseDurationSeconds": 40, "renewTime": format!("{now:.6}")}});
    let apply = PatchParams::apply("testbed").force();
    leases
        .patch(NAME, &apply, &Patch::Apply(&lease))
        .await
        .map(drop)
}

/// Waits until nothing keeps pods away any more.
pub(super) async fn await_ready(client: &Client) -> Result<(), Failure> {
    let nodes: Api<Node> = Api::all(client.clone());
    eventually("the node takes pods", PATIENCE, || async {
        let node = nodes.get(NAME).await.map_err(|error| error.to_string())?;
        let taints = node.spec.and_then(|spec| spec.taints).unwrap_or_default();
        if taints.is_empty() {
            Ok(())
        } else {
            Err(format!("{taints:?}"))
        }
    })
    .await?;
    Ok(())
}
