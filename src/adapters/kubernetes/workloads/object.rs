//! Workloads as they come from the API server: the fields of four kinds that matter, in one type.

use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::kubernetes::object::Metadata;

/// A Deployment, StatefulSet, DaemonSet or Rollout.
#[derive(Deserialize)]
pub(super) struct Workload {
    pub(super) metadata: Metadata,
    pub(super) spec: Spec,
    #[serde(default)]
    pub(super) status: Status,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Spec {
    pub(super) replicas: Option<i32>,
    pub(super) paused: bool,
    pub(super) selector: Option<LabelSelector>,
    pub(super) template: Option<PodTemplateSpec>,
    /// StatefulSet and DaemonSet.
    pub(super) update_strategy: UpdateStrategy,
    /// Rollout: the template lies in another object.
    pub(super) workload_ref: Option<IgnoredAny>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct UpdateStrategy {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) rolling_update: RollingUpdate,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct RollingUpdate {
    /// StatefulSet: pods below this ordinal stay on the old template.
    pub(super) partition: i32,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Status {
    pub(super) observed_generation: Generation,
    pub(super) replicas: i32,
    pub(super) updated_replicas: i32,
    pub(super) available_replicas: i32,
    /// StatefulSet: the template of pods that have not been updated, and of those that have.
    pub(super) current_revision: String,
    pub(super) update_revision: String,
    /// DaemonSet, in place of replicas.
    pub(super) desired_number_scheduled: i32,
    pub(super) current_number_scheduled: i32,
    pub(super) updated_number_scheduled: i32,
    pub(super) number_available: i32,
    pub(super) conditions: Vec<Condition>,
    /// Rollout.
    pub(super) phase: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) reason: String,
}

/// `observedGeneration`: a number, or, of a Rollout, text.
#[derive(Clone, Copy, Default)]
pub(super) struct Generation(pub(super) i64);

impl<'de> Deserialize<'de> for Generation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Wire {
            Number(i64),
            Text(String),
        }
        Wire::deserialize(deserializer).map(|wire| match wire {
            Wire::Number(number) => Self(number),
            Wire::Text(text) => Self(text.parse().unwrap_or_default()),
        })
    }
}
