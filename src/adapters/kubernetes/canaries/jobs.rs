//! Mode job, and the check `cronJob`: one run of a CronJob that allows it.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::PodStatus;
use penstock_domain::canary::JobEnd;
use penstock_domain::fault::Fault;
use penstock_domain::names::ObjectName;
use penstock_domain::reserved::ALLOW_RUN_ANNOTATION;
use serde_json::Value;

use super::clone;
use super::names::Role;
use super::refusal::Refusal;
use super::seen::{container_statuses, interrupted};
use super::{KubernetesCanaries, Workshop, harm};
use crate::kubernetes::request::{Address, Resource};
use crate::kubernetes::workloads::view::word;

/// The reason of a Job that ran out of time.
const OUT_OF_TIME: &str = "DeadlineExceeded";

impl KubernetesCanaries {
    /// The Job that is one run of a CronJob, as it is to be; refused where the CronJob does not allow it.
    pub(super) async fn run_of(
        &self,
        workshop: &Workshop<'_>,
        cron_job: &ObjectName,
        role: Role<'_>,
    ) -> Result<Value, Fault> {
        let subject = format!("CronJob {cron_job}");
        let address = Address {
            resource: Resource::CronJob,
            namespace: &workshop.sync.namespace,
            name: cron_job.as_str(),
        };
        let refused = |refusal: Refusal| refusal.fault(&subject);
        let found = self.get(address, &subject).await?;
        let found = found
            .ok_or_else(|| Refusal::new("does not exist", "Make it, or name another"))
            .map_err(refused)?;
        allowed(&found, workshop.sync.name.as_str()).map_err(refused)?;
        let pod = found.pointer("/spec/jobTemplate/spec/template/spec");
        harm::refuse_node(pod.unwrap_or(&Value::Null)).map_err(refused)?;
        clone::job(&workshop.making(), &found, role).map_err(refused)
    }
}

fn allowed(cron_job: &Value, sync: &str) -> Result<(), Refusal> {
    let annotations = cron_job.pointer("/metadata/annotations");
    let listed = annotations.and_then(|all| all.get(ALLOW_RUN_ANNOTATION)?.as_str());
    let mut listed = listed.into_iter().flat_map(|list| list.split(','));
    if listed.any(|name| name.trim() == sync) {
        return Ok(());
    }
    let why = "it does not allow this SecretSync to run it";
    Err(Refusal::new(
        why,
        format!("Annotate it with `{ALLOW_RUN_ANNOTATION}: {sync}`"),
    ))
}

/// How a Job ended; none while it has not. `pods` are those that are still there.
pub(super) fn ended(job: &Value, pods: &[PodStatus]) -> Option<JobEnd> {
    if condition(job, "Complete").is_some() {
        return Some(JobEnd::Succeeded);
    }
    let reason = condition(job, "Failed")?;
    if let Some(cause) = pods.iter().find_map(interrupted) {
        return Some(JobEnd::Cluster(cause));
    }
    if let Some(end) = pods.iter().find_map(exit) {
        return Some(JobEnd::Failed(end));
    }
    let ran = pods.iter().any(|pod| pod.start_time.is_some());
    Some(match reason {
        OUT_OF_TIME if ran => JobEnd::Failed("did not end in its time".to_owned()),
        OUT_OF_TIME => JobEnd::Cluster("had no pod that ran in its time".to_owned()),
        // Its pod has gone before anybody could look at it: nothing is known of the revision.
        _ => JobEnd::Cluster("failed, and left no pod that says why".to_owned()),
    })
}

/// Whether a Job that has failed did so before `then`.
pub(super) fn ended_before(job: &Value, then: Timestamp) -> bool {
    let conditions = job.pointer("/status/conditions").and_then(Value::as_array);
    let mut conditions = conditions.into_iter().flatten();
    let failed = conditions.find(|one| one["type"] == "Failed" && one["status"] == "True");
    let since = failed.and_then(|one| one["lastTransitionTime"].as_str());
    since
        .and_then(|since| since.parse::<Timestamp>().ok())
        .is_some_and(|since| since < then)
}

/// The reason of a condition that holds.
fn condition<'a>(job: &'a Value, kind: &str) -> Option<&'a str> {
    let conditions = job.pointer("/status/conditions").and_then(Value::as_array);
    let mut conditions = conditions.into_iter().flatten();
    let found = conditions.find(|one| one["type"] == kind && one["status"] == "True")?;
    Some(found["reason"].as_str().unwrap_or_default())
}

/// How a container of a pod that has failed ended, in words.
fn exit(pod: &PodStatus) -> Option<String> {
    container_statuses(pod).find_map(|container| {
        let terminated = container.state.as_ref()?.terminated.as_ref()?;
        if terminated.exit_code == 0 {
            return None;
        }
        let reason = terminated.reason.as_deref().and_then(word);
        let reason = reason.filter(|reason| reason != "Error");
        let reason = reason
            .map(|reason| format!(" ({reason})"))
            .unwrap_or_default();
        Some(format!(
            "ended with status {}{reason}",
            terminated.exit_code
        ))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn job(kind: &str, reason: &str) -> Value {
        json!({"kind": "Job", "status": {"conditions": [{"type": kind, "status": "True", "reason": reason}]}})
    }

    fn pod(status: Value) -> PodStatus {
        serde_json::from_value(status).unwrap()
    }

    fn exited(code: i32, reason: &str) -> Value {
        json!({"phase": "Failed", "startTime": "2026-11-22T10:00:00Z", "containerStatuses": [
            {"name": "a", "image": "", "imageID": "", "ready": false, "restartCount": 0,
             "state": {"terminated": {"exitCode": code, "reason": reason}}}]})
    }

    #[test]
    fn a_job_allows_those_whom_it_names() {
        let cron_job =
            |value: &str| json!({"metadata": {"annotations": {ALLOW_RUN_ANNOTATION: value}}});
        assert!(allowed(&cron_job("shop"), "shop").is_ok());
        assert!(allowed(&cron_job("other, shop"), "shop").is_ok());
        for no in ["", "*", "true", "shop2", "sho"] {
            assert!(allowed(&cron_job(no), "shop").is_err(), "{no}");
        }
        assert!(allowed(&json!({"metadata": {}}), "shop").is_err());
    }

    #[test]
    fn only_what_its_own_container_does_speaks_against_the_revision() {
        let failed = job("Failed", "BackoffLimitExceeded");
        let late = job("Failed", "DeadlineExceeded");
        let evicted =
            json!({"phase": "Failed", "reason": "Evicted", "startTime": "2026-11-22T10:00:00Z"});
        let mut disrupted = exited(137, "Error");
        disrupted["conditions"] = json!([{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]);
        for (job, pods, end) in [
            (&job("Suspended", ""), vec![exited(1, "Error")], None),
            (&job("Complete", ""), vec![], Some("succeeded")),
            (
                &failed,
                vec![exited(3, "Error")],
                Some("failed: ended with status 3"),
            ),
            (
                &failed,
                vec![exited(137, "OOMKilled")],
                Some("failed: ended with status 137 (OOMKilled)"),
            ),
            (
                &failed,
                vec![exited(1, "two words")],
                Some("failed: ended with status 1"),
            ),
            (
                &failed,
                vec![evicted],
                Some("cluster: was evicted from its node"),
            ),
            (
                &failed,
                vec![disrupted],
                Some("cluster: was interrupted by the cluster"),
            ),
            (
                &failed,
                vec![],
                Some("cluster: failed, and left no pod that says why"),
            ),
            (
                &late,
                vec![json!({"phase": "Pending"})],
                Some("cluster: had no pod that ran in its time"),
            ),
            (
                &late,
                vec![json!({"phase": "Running", "startTime": "2026-11-22T10:00:00Z"})],
                Some("failed: did not end in its time"),
            ),
        ] {
            let pods: Vec<_> = pods.into_iter().map(pod).collect();
            let told = ended(job, &pods).map(|end| match end {
                JobEnd::Succeeded => "succeeded".to_owned(),
                JobEnd::Failed(why) => format!("failed: {why}"),
                JobEnd::Cluster(why) => format!("cluster: {why}"),
            });
            assert_eq!(told.as_deref(), end);
        }
    }
}
