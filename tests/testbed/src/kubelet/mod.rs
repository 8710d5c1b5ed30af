//! A kubelet without containers: it reads what a pod is given, and lets the pod live by that.
//!
//! | a value that begins with | what becomes of the pod |
//! |---|---|
//! | `bad` | its containers crash; they are tried again every two seconds with what is then there |
//! | `slow` | its containers run and never get ready |
//! | `flaky` | it gets ready, and restarts once a second later |
//! | `quota`, `unschedulable` | it finds no node |
//! | `image` | its image cannot be pulled |
//! | anything else | it gets ready, or ends well where it need not run for ever |
//!
//! As with a real one, a variable of a Secret or key that is not there is a `CreateContainerConfigError`, a file of such
//! a one leaves containers in the making, and what runs keeps the variables that it was started with.

mod life;
mod node;
mod values;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use kube::{Client, ResourceExt};

use crate::control_plane::{ControlPlane, Part};
use crate::failure::Failure;
use life::Life;

/// How often it looks at its pods.
const LOOK: Duration = Duration::from_millis(100);
/// How often it says that the node is alive.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// The annotation of a pod that says which address it has, such as that of a server of the test. Without it each pod
/// has one that nobody answers at.
pub const POD_ADDRESS: &str = "testbed.penstock.dev/address";

/// A kubelet on a node of its own. Dropping it ends it.
pub struct FakeKubelet {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FakeKubelet {
    /// Makes the node `kubelet` on a control plane that has no other, and takes it from kwok, which would have all pods
    /// get ready at once. Waits until the node takes pods.
    pub async fn start(plane: &ControlPlane) -> Result<Self, Failure> {
        plane.kill_part(Part::Kwok).await?;
        node::make(&plane.client().await?).await?;
        let (endpoint, token) = (plane.endpoint().clone(), plane.admin_token().to_owned());
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::because(error.to_string()))?;
        // A thread of its own: a control plane may serve tests of several runtimes.
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                if let Ok(client) = endpoint.client(&token).await {
                    serve(&client, &asked).await;
                }
            });
        });
        let kubelet = Self {
            stop,
            thread: Some(thread),
        };
        node::await_ready(&plane.client().await?).await?;
        Ok(kubelet)
    }
}

impl Drop for FakeKubelet {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It has nothing to say when it ends.
            drop(thread.join());
        }
    }
}

/// Looks at the pods of the node again and again. What the API server refuses in one look is tried in the next.
async fn serve(client: &Client, stop: &AtomicBool) {
    let mut lives = HashMap::<String, Life>::new();
    let mut heartbeat: Option<Instant> = None;
    let mine = ListParams::default().fields(&format!("spec.nodeName={}", node::NAME));
    let pods: Api<Pod> = Api::all(client.clone());
    while !stop.load(Ordering::Relaxed) {
        if heartbeat.is_none_or(|last| last.elapsed() > HEARTBEAT)
            && node::beat(client).await.is_ok()
        {
            heartbeat = Some(Instant::now());
        }
        if let Ok(list) = pods.list(&mine).await {
            lives.retain(|uid, _| list.items.iter().any(|pod| pod.uid().as_ref() == Some(uid)));
            for pod in list.items {
                let number = lives.len();
                let life = lives.entry(pod.uid().unwrap_or_default());
                let life = life.or_insert_with(|| Life::new(number));
                drop(attend(client, &pod, life).await);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn attend(client: &Client, pod: &Pod, life: &mut Life) -> Result<(), kube::Error> {
    let namespace = pod.namespace().unwrap_or_default();
    let api: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    if pod.metadata.deletion_timestamp.is_some() {
        let now = DeleteParams {
            grace_period_seconds: Some(0),
            ..DeleteParams::default()
        };
        return api.delete(&pod.name_any(), &now).await.map(drop);
    }
    if life.wants_values() {
        life.take(&values::of(client, pod).await?);
    }
    let Some(status) = life.news(pod) else {
        return Ok(());
    };
    let patch = serde_json::json!({"status": status});
    api.patch_status(
        &pod.name_any(),
        &PatchParams::default(),
        &Patch::Strategic(patch),
    )
    .await?;
    life.told(status);
    Ok(())
}
