//! `spec.rollout.strategy.canary`: trying a revision where it can hurt nobody.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::null::null_is_empty;
use super::one_of::one_of;
use super::schema::{
    EntryName, Filled, List, Map, ObjectName, StatusCode, Text, WebAddress, at_least, exactly_one,
};
use super::shared::{GoDuration, MaskedText, SecretKeyRef, WorkloadRef};
use super::then::HttpMethod;

/// A canary that must survive the new revision before anything else gets it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.mode != 'job' || has(self.cronJob)")
        .message("mode job runs an existing CronJob: set cronJob to its name"),
    validation = Rule::new("self.mode == 'job' || !has(self.cronJob)")
        .message("cronJob belongs to mode job; to run a CronJob as a check of another mode, use checks[].cronJob"),
    validation = Rule::new("self.mode != 'workload' || has(self.workload)")
        .message("mode workload restarts one workload of yours first: set workload to it"),
)]
pub struct Canary {
    /// pod (one pod cloned from a workload's template), job (an existing CronJob is run) or workload (one
    /// workload of yours restarts first). There is no default: a canary can take queue work, run
    /// migrations or claim leadership, so choose what is harmless.
    pub mode: CanaryMode,
    /// Mode pod: the workload to clone; absent: the first of the rollout, by kind and name. Mode workload:
    /// the one that restarts first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<WorkloadRef>,
    /// Mode job: the CronJob of this namespace to run. It must carry the annotation
    /// penstock.dev/allow-run with the name of this sync.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ObjectName>")]
    pub cron_job: Option<String>,
    /// How long the canary must stay healthy. Absent: 2m.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soak: Option<GoDuration>,
    /// How long the canary may take to become ready, or the job to end. Absent: 5m.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<GoDuration>,
    /// Mode pod: strip (the canary gets none of the workload's labels, so that no Service sends it
    /// traffic) or keep (for workloads that a NetworkPolicy selects; a readiness gate keeps traffic away).
    /// Absent: strip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<CanaryLabels>,
    /// What must hold during the soak, besides being ready without a restart.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(
        with = "List<Check, 16>",
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub checks: Vec<Check>,
}

/// What the canary is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum CanaryMode {
    /// One pod cloned from a workload's template.
    Pod,
    /// One run of an existing CronJob.
    Job,
    /// One workload that restarts first.
    Workload,
}

/// What becomes of the labels of a cloned pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum CanaryLabels {
    /// None are kept.
    #[default]
    Strip,
    /// All are kept, behind a readiness gate that never comes true.
    Keep,
}

/// One check of the canary. Exactly one of `http`, `cronJob`, `prometheus`, `webhook`, `url`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(Check::MEMBERS, "a check asks exactly one thing"))]
pub struct Check {
    /// Name of the check, unique in the list. Conditions use it.
    #[schemars(with = "EntryName")]
    pub name: String,
    /// A request to a port of the canary's pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<PodHttpCheck>,
    /// One run of a CronJob of this namespace against the new revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron_job: Option<CronJobCheck>,
    /// A query to Prometheus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<PrometheusCheck>,
    /// A request that asks a system of yours for a verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookCheck>,
    /// A GET of an address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<UrlCheck>,
    /// How often it is asked during the soak; `cronJob` runs once. Absent: 10s.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = at_least("1s", "a check asks again and again"))]
    pub every: Option<GoDuration>,
    /// Failures that are tolerated. Absent: 0, the first failure rejects the revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub failure_limit: Option<u32>,
    /// How long one try may take. Absent: 10s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
}

one_of! {
    /// What a check asks.
    Check => CheckKind {
        /// A port of the pod.
        Http(PodHttpCheck) = http "http",
        /// A CronJob.
        CronJob(CronJobCheck) = cron_job "cronJob",
        /// Prometheus.
        Prometheus(PrometheusCheck) = prometheus "prometheus",
        /// A system of yours.
        Webhook(WebhookCheck) = webhook "webhook",
        /// An address.
        Url(UrlCheck) = url "url",
    }
}

/// A request to a port of the canary's pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodHttpCheck {
    /// Port of the pod.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// Path of the request. Absent: `/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<1024>>")]
    pub path: Option<String>,
    /// http or https (whose certificate is not verified, as the kubelet does not). Absent: http.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<Scheme>,
    /// Headers of the request.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<Text<4096>, 32>")]
    pub header: BTreeMap<String, MaskedText>,
    /// Status codes that count as well. Absent or empty: 200 to 399, as for a probe of the kubelet.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<StatusCode, 16>")]
    pub expect_status: Vec<u16>,
}

/// How a pod is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum Scheme {
    /// Plain HTTP.
    #[default]
    Http,
    /// TLS, certificate not verified.
    Https,
}

/// One run of a CronJob.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CronJobCheck {
    /// Name of the CronJob, of this namespace. It must carry the annotation penstock.dev/allow-run with
    /// the name of this sync.
    #[schemars(with = "ObjectName")]
    pub name: String,
}

/// A query to Prometheus.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrometheusCheck {
    /// Address of Prometheus, up to `/api/v1`.
    #[schemars(with = "WebAddress")]
    pub address: String,
    /// PromQL query; `{{ namespace }}`, `{{ name }}` and `{{ revision }}` are replaced.
    #[schemars(with = "Filled<4096>")]
    pub query: String,
    /// CEL expression over `result`, the list of the query's numbers, that must be true, such as
    /// `result.all(x, x < 0.05)`. An empty result says nothing.
    #[schemars(with = "Filled<1024>")]
    pub success_condition: String,
    /// Whole value of the `Authorization` header, from a Secret of this namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization: Option<SecretKeyRef>,
}

/// A request that asks for a verdict: 200 to 299 is a yes, 400 to 499 (but 429) a no, all else says nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookCheck {
    /// Address of the request.
    #[schemars(with = "WebAddress")]
    pub url: String,
    /// GET, POST, PUT or PATCH. Absent: POST.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<HttpMethod>,
    /// Headers of the request.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<Text<4096>, 32>")]
    pub header: BTreeMap<String, MaskedText>,
    /// Whole value of the `Authorization` header, from a Secret of this namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization: Option<SecretKeyRef>,
    /// Body of the request; `{{ namespace }}`, `{{ name }}` and `{{ revision }}` are replaced. Absent: a
    /// JSON object with these three.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<16384>>")]
    pub body: Option<MaskedText>,
}

/// A GET of an address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UrlCheck {
    /// Address to get.
    #[schemars(with = "WebAddress")]
    pub url: String,
    /// Status codes that count as well. Absent or empty: 200 to 299.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<StatusCode, 16>")]
    pub expect_status: Vec<u16>,
}
