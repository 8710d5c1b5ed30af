//! Deployments that use Secrets.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::api::ListParams;
use penstock_testbed::{Failure, eventually};
use serde_json::{Value, json};

use super::place::{PATIENCE, Stage};

/// The annotation in which the Deployment controller counts rollouts.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// How a Deployment uses a Secret.
#[derive(Clone, Copy, Debug)]
pub(in crate::cluster) enum Usage<'a> {
    /// All of it, as environment.
    EnvFrom(&'a str),
    /// Some keys, as environment.
    Keys(&'a str, &'a [&'a str]),
    /// All of it, as a volume.
    Volume(&'a str),
}

impl Stage {
    /// Applies a Deployment of two replicas that uses Secrets, and waits until both are available.
    pub(in crate::cluster) async fn deploy(
        &self,
        name: &str,
        usages: &[Usage<'_>],
    ) -> Result<(), Failure> {
        self.deploy_changed(name, usages, |_| {}).await?;
        self.is_rolled_out(name).await
    }

    /// The same with changes to the object, and without waiting.
    pub(in crate::cluster) async fn deploy_changed(
        &self,
        name: &str,
        usages: &[Usage<'_>],
        change: impl FnOnce(&mut Value),
    ) -> Result<(), Failure> {
        let mut object = deployment(name, usages);
        change(&mut object);
        self.namespace.apply(&object.to_string()).await?;
        Ok(())
    }

    /// A Deployment as it stands.
    pub(in crate::cluster) async fn deployment(&self, name: &str) -> Result<Deployment, Failure> {
        Ok(self.namespace.api::<Deployment>().get(name).await?)
    }

    /// Waits until all replicas are of the present template, and available.
    pub(in crate::cluster) async fn is_rolled_out(&self, name: &str) -> Result<(), Failure> {
        let api = self.namespace.api::<Deployment>();
        let done = eventually(format!("{name} is rolled out"), PATIENCE, || async {
            let found = api.get(name).await.map_err(|error| error.to_string())?;
            let wanted = found.spec.as_ref().and_then(|spec| spec.replicas);
            let generation = found.metadata.generation;
            let status = found.status.unwrap_or_default();
            let done = status.observed_generation == generation
                && status.updated_replicas == wanted
                && status.available_replicas == wanted
                && status.replicas == wanted;
            if done {
                Ok(())
            } else {
                Err(format!("{status:?}"))
            }
        });
        Ok(done.await?)
    }

    /// How often a Deployment was rolled out since it was made, as its controller counts.
    pub(in crate::cluster) async fn restarts(&self, name: &str) -> Result<u64, Failure> {
        let deployment = self.deployment(name).await?;
        let revision = deployment.annotations().get(REVISION);
        let revision = revision.and_then(|text| text.parse::<u64>().ok());
        revision
            .and_then(|revision| revision.checked_sub(1))
            .ok_or_else(|| Failure::because(format!("nobody controls the Deployment {name}")))
    }

    /// Waits until a Deployment was rolled out this often in all, and runs.
    pub(in crate::cluster) async fn await_restarts(
        &self,
        name: &str,
        expected: u64,
    ) -> Result<(), Failure> {
        let reached = eventually(
            format!("{name} was restarted {expected} times"),
            PATIENCE,
            || async {
                match self.restarts(name).await {
                    Ok(count) if count == expected => Ok(()),
                    Ok(count) => Err(format!("{count} times")),
                    Err(error) => Err(error.to_string()),
                }
            },
        );
        reached.await?;
        self.is_rolled_out(name).await
    }

    /// Waits until every pod of a Deployment is seen to have started before now: a pod says so in whole seconds,
    /// and the operator, which cannot know whose clock is right, allows two more.
    pub(in crate::cluster) async fn started_before_now(&self, name: &str) -> Result<(), Failure> {
        let pods = self.namespace.api::<Pod>();
        let ours = ListParams::default().labels(&format!("app={name}"));
        let old = eventually(format!("pods of {name} are old"), PATIENCE, || async {
            let pods = pods.list(&ours).await.map_err(|error| error.to_string())?;
            let border = Timestamp::now() - SignedDuration::from_secs(4);
            let young = pods.items.into_iter().filter_map(|pod| {
                let started = pod.status.and_then(|status| status.start_time);
                let old = started.as_ref().is_some_and(|started| started.0 < border);
                (!old).then_some((pod.metadata.name, started))
            });
            match young.collect::<Vec<_>>() {
                young if young.is_empty() => Ok(()),
                young => Err(format!("{young:?}")),
            }
        });
        Ok(old.await?)
    }

    /// How many ReplicaSets a Deployment has: one for each template that it ever had.
    pub(in crate::cluster) async fn replica_sets(&self, name: &str) -> Result<usize, Failure> {
        let all = self.namespace.api::<ReplicaSet>();
        let all = all
            .list(&ListParams::default().labels(&format!("app={name}")))
            .await?;
        Ok(all.items.len())
    }
}

fn deployment(name: &str, usages: &[Usage<'_>]) -> Value {
    let mut container = json!({"name": "app", "image": "any", "env": [], "envFrom": []});
    let mut volumes = Vec::new();
    for usage in usages {
        match usage {
            Usage::EnvFrom(secret) => push(
                &mut container["envFrom"],
                json!({"secretRef": {"name": secret}}),
            ),
            Usage::Keys(secret, keys) => {
                for key in *keys {
                    let source = json!({"secretKeyRef": {"name": secret, "key": key}});
                    push(
                        &mut container["env"],
                        json!({"name": key, "valueFrom": source}),
                    );
                }
            }
            Usage::Volume(secret) => {
                volumes.push(json!({"name": secret, "secret": {"secretName": secret}}));
            }
        }
    }
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [container], "volumes": volumes},
            },
        },
    })
}

fn push(list: &mut Value, item: Value) {
    if let Some(list) = list.as_array_mut() {
        list.push(item);
    }
}
