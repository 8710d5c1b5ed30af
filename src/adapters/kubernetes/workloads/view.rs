//! From a workload of the API server to what the rollout sees of it. Pure.

use std::collections::BTreeSet;

use kube::core::Selector;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::reserved::{CANARY_LABEL, MARKER_FIELD_MANAGER, is_reserved_metadata};
use penstock_domain::sync::WorkloadKind;
use penstock_domain::workload::{WorkloadId, WorkloadView, uses};

use super::super::object::Metadata;
use super::object::{Status, Workload};

/// The longest reason that is taken over from a status.
const MAX_WORD: usize = 64;
/// The longest name of a field manager (Kubernetes: validation of managedFields).
const MAX_MANAGER: usize = 128;
/// The most managers that are named.
const MAX_MANAGERS: usize = 5;
/// The field manager of the controllers that come with Kubernetes.
const KUBERNETES_CONTROLLERS: &str = "kube-controller-manager";
/// The domain of Reloader's annotations, all of which concern restarts.
const RELOADER: &str = "reloader.stakater.com";

impl Workload {
    /// The view; none when it is no business of ours: it is being deleted, takes its pod template from another
    /// workload, or is a canary of ours. The error is what could not be understood.
    pub(super) fn view(
        self,
        kind: WorkloadKind,
        namespace: &NamespaceName,
    ) -> Result<Option<WorkloadView>, &'static str> {
        let Self {
            metadata,
            spec,
            status,
        } = self;
        let ours = metadata.labels.contains_key(CANARY_LABEL);
        if ours || metadata.deletion_timestamp.is_some() || spec.workload_ref.is_some() {
            return Ok(None);
        }
        let name = ObjectName::new(metadata.name.clone()).map_err(|_| "its name")?;
        let template = spec.template.ok_or("its pod template")?;
        let selector = spec.selector.ok_or("its selector")?;
        let selector = Selector::try_from(selector).map_err(|_| "its selector")?;
        let annotations = template.metadata.as_ref().and_then(|metadata| {
            let annotations = metadata.annotations.as_ref()?.iter();
            Some(annotations.filter(|(name, _)| is_reserved_metadata(name)))
        });
        let controlled_by = metadata
            .controller()
            .map(|owner| format!("{}/{}", owner.kind, owner.name));
        let managers = managers(&metadata);
        let counts = Counts::of(kind, spec.replicas, &status);
        Ok(Some(WorkloadView {
            id: WorkloadId {
                kind,
                namespace: namespace.clone(),
                name,
                uid: metadata.uid,
            },
            generation: metadata.generation,
            observed_generation: status.observed_generation.0,
            replicas: counts.wanted,
            updated: counts.updated,
            available: counts.available,
            existing: counts.existing,
            paused: spec.paused || spec.update_strategy.rolling_update.partition > 0,
            on_delete: spec.update_strategy.kind == "OnDelete",
            stalled: stalled(&status),
            controlled_by,
            managers,
            labels: metadata.labels,
            annotations: metadata
                .annotations
                .into_iter()
                .filter(|(name, _)| concerns_restarts(name))
                .collect(),
            template_annotations: annotations
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            uses: uses(&template),
            pod_selector: selector.to_string(),
        }))
    }
}

/// How many pods there should be and are.
struct Counts {
    wanted: i32,
    updated: i32,
    available: i32,
    existing: i32,
}

impl Counts {
    fn of(kind: WorkloadKind, replicas: Option<i32>, status: &Status) -> Self {
        if kind == WorkloadKind::DaemonSet {
            return Self {
                wanted: status.desired_number_scheduled,
                updated: status.updated_number_scheduled,
                available: status.number_available,
                existing: status.current_number_scheduled,
            };
        }
        // A StatefulSet whose two revisions are one has all its pods on the newest template, whatever
        // `updatedReplicas` says (older controllers leave it at 0).
        let settled = kind == WorkloadKind::StatefulSet
            && !status.update_revision.is_empty()
            && status.update_revision == status.current_revision;
        Self {
            wanted: replicas.unwrap_or(1),
            updated: if settled {
                status.replicas
            } else {
                status.updated_replicas
            },
            available: status.available_replicas,
            existing: status.replicas,
        }
    }
}

/// Why a workload itself says that it does not get on: a Deployment's or Rollout's `Progressing=False`,
/// `ReplicaFailure=True` (a quota, an admission policy), or a Rollout that is `Degraded`.
fn stalled(status: &Status) -> Option<String> {
    let failing = |kind: &str, value: &str| {
        let condition = status
            .conditions
            .iter()
            .find(|condition| condition.kind == kind && condition.status == value)?;
        word(&condition.reason).or_else(|| Some(kind.to_owned()))
    };
    failing("Progressing", "False")
        .or_else(|| failing("ReplicaFailure", "True"))
        .or_else(|| (status.phase == "Degraded").then(|| status.phase.clone()))
}

/// Who manages the object itself besides Penstock and Kubernetes' own controllers, whose writes follow from those
/// of others.
fn managers(metadata: &Metadata) -> Vec<String> {
    let others = metadata.managed_fields.iter().filter(|entry| {
        entry.subresource.is_empty()
            && entry.manager != MARKER_FIELD_MANAGER
            && entry.manager != KUBERNETES_CONTROLLERS
    });
    let names: BTreeSet<String> = others
        .filter_map(|entry| manager_name(&entry.manager))
        .collect();
    names.into_iter().take(MAX_MANAGERS).collect()
}

/// A manager's name, if it looks like one (Kubernetes: up to 128 printable characters): nothing else goes into
/// our messages.
fn manager_name(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@".contains(&byte);
    let good = !text.is_empty() && text.len() <= MAX_MANAGER && text.bytes().all(plain);
    good.then(|| text.to_owned())
}

/// A reason of somebody else's, if it is a word as reasons are: nothing else goes into our messages.
pub(in crate::kubernetes) fn word(text: &str) -> Option<String> {
    let good = !text.is_empty()
        && text.len() <= MAX_WORD
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    good.then(|| text.to_owned())
}

fn concerns_restarts(annotation: &str) -> bool {
    let domain = annotation.split_once('/').map_or("", |(domain, _)| domain);
    let reloader = domain
        .strip_suffix(RELOADER)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    reloader || is_reserved_metadata(annotation)
}

/// A workload of which a part makes no sense: what is not understood is not left out silently.
pub(super) fn undecodable(subject: &str, what: &str) -> Fault {
    Fault::new(
        FaultClass::Invalid,
        subject,
        format!("{what} is not what Penstock understands"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn view(kind: WorkloadKind, object: Value) -> Option<WorkloadView> {
        let workload: Workload = serde_json::from_value(object).unwrap();
        workload
            .view(kind, &NamespaceName::new("prod").unwrap())
            .unwrap()
    }

    fn object(spec: &Value, status: &Value) -> Value {
        let mut object = json!({
            "metadata": {
                "name": "api", "uid": "u", "generation": 3,
                "annotations": {
                    "penstock.dev/reload": "false",
                    "secret.reloader.stakater.com/reload": "a",
                    "reloader.stakater.com/auto": "true",
                    "notreloader.stakater.com/x": "1",
                    "example.com/other": "x"}},
            "spec": {
                "selector": {"matchLabels": {"app": "api"},
                             "matchExpressions": [{"key": "tier", "operator": "In", "values": ["a", "b"]}]},
                "template": {
                    "metadata": {"annotations": {"penstock.dev/content-x": "1.0", "other": "x"}},
                    "spec": {"containers": [{"name": "a", "envFrom": [{"secretRef": {"name": "s"}}]}]}}},
            "status": status,
        });
        let more = spec.as_object().unwrap().clone();
        object["spec"].as_object_mut().unwrap().extend(more);
        object
    }

    #[test]
    fn a_deployment_is_seen_with_what_concerns_restarts() {
        let status = json!({"observedGeneration": 3, "replicas": 4, "updatedReplicas": 2,
            "availableReplicas": 3,
            "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]});
        let object = object(&json!({"replicas": 3}), &status);
        let view = view(WorkloadKind::Deployment, object).unwrap();
        assert_eq!(
            (view.replicas, view.updated, view.available, view.existing),
            (3, 2, 3, 4)
        );
        assert_eq!((view.generation, view.observed_generation), (3, 3));
        assert_eq!(view.stalled.as_deref(), Some("ProgressDeadlineExceeded"));
        assert_eq!(view.pod_selector, "app=api,tier in (a,b)");
        assert_eq!(
            view.annotations.keys().collect::<Vec<_>>(),
            [
                "penstock.dev/reload",
                "reloader.stakater.com/auto",
                "secret.reloader.stakater.com/reload"
            ]
        );
        assert_eq!(
            view.template_annotations.keys().collect::<Vec<_>>(),
            ["penstock.dev/content-x"]
        );
        assert_eq!(view.uses.len(), 1);
        assert!(!view.paused && !view.on_delete);
    }

    #[test]
    fn a_stateful_set_on_one_revision_is_up_to_date() {
        let status = |current: &str, updated| {
            json!({"replicas": 2, "updatedReplicas": updated, "currentRevision": current,
                "updateRevision": "r2"})
        };
        let seen = |status| view(WorkloadKind::StatefulSet, object(&json!({}), &status)).unwrap();
        assert_eq!(seen(status("r2", 0)).updated, 2);
        assert_eq!(seen(status("r1", 1)).updated, 1);
    }

    #[test]
    fn what_is_held_back_says_so() {
        let seen = |spec| view(WorkloadKind::StatefulSet, object(&spec, &json!({}))).unwrap();
        assert!(seen(json!({"paused": true})).paused);
        assert!(seen(json!({"updateStrategy": {"type": "OnDelete"}})).on_delete);
        let partition =
            json!({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}});
        assert!(seen(partition).paused);
    }

    #[test]
    fn a_daemon_set_counts_nodes() {
        let status = json!({"desiredNumberScheduled": 5, "currentNumberScheduled": 4,
            "updatedNumberScheduled": 3, "numberAvailable": 2});
        let view = view(WorkloadKind::DaemonSet, object(&json!({}), &status)).unwrap();
        assert_eq!(
            (view.replicas, view.existing, view.updated, view.available),
            (5, 4, 3, 2)
        );
    }

    #[test]
    fn a_rollout_writes_its_generation_as_text_and_may_be_degraded() {
        let status = json!({"observedGeneration": "3", "phase": "Degraded"});
        let view = view(WorkloadKind::Rollout, object(&json!({}), &status)).unwrap();
        assert_eq!(view.observed_generation, 3);
        assert_eq!(view.stalled.as_deref(), Some("Degraded"));
    }

    #[test]
    fn a_rollout_with_the_template_of_a_deployment_a_dying_workload_and_a_canary_are_left_out() {
        let reference = json!({"workloadRef": {"kind": "Deployment", "name": "x"}});
        assert_eq!(
            view(WorkloadKind::Rollout, object(&reference, &json!({}))),
            None
        );
        let mut dying = object(&json!({}), &json!({}));
        dying["metadata"]["deletionTimestamp"] = json!("2026-11-22T10:00:00Z");
        assert_eq!(view(WorkloadKind::Deployment, dying), None);
        let mut canary = object(&json!({}), &json!({}));
        canary["metadata"]["labels"] = json!({"penstock.dev/canary": "00ff"});
        assert_eq!(view(WorkloadKind::Deployment, canary), None);
    }

    #[test]
    fn other_managers_are_named_but_for_controllers_and_what_is_no_name() {
        let managed = |entries: &[(&str, &str)]| {
            let mut object = object(&json!({}), &json!({}));
            let entry = |(manager, subresource): &(&str, &str)| json!({"manager": manager, "operation": "Update", "subresource": subresource});
            object["metadata"]["managedFields"] = entries.iter().map(entry).collect();
            view(WorkloadKind::Deployment, object).unwrap().managers
        };
        let all = [
            ("helm", ""),
            ("argocd-controller", ""),
            ("helm", ""),
            ("somebody", "status"),
            ("kube-controller-manager", ""),
            (MARKER_FIELD_MANAGER, ""),
            ("two words", ""),
        ];
        assert_eq!(managed(&all), ["argocd-controller", "helm"]);
        let many: Vec<String> = (0..20).map(|number| format!("m{number}")).collect();
        let many: Vec<_> = many.iter().map(|name| (name.as_str(), "")).collect();
        assert_eq!(managed(&many).len(), MAX_MANAGERS);
    }

    #[test]
    fn reasons_that_are_no_words_are_not_repeated() {
        for bad in ["", "two words", "quote\"", &"a".repeat(65)] {
            assert_eq!(word(bad), None);
        }
        assert_eq!(
            word("CrashLoopBackOff").as_deref(),
            Some("CrashLoopBackOff")
        );
    }
}
