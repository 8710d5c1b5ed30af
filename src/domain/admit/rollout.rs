//! `spec.rollout`.

use std::time::Duration;

use kube::core::Selector;

use super::metadata::{is_label_value, is_qualified_name};
use super::problems::Problems;
use super::words::{duration, object_name, quoted};
use crate::api::defaults;
use crate::api::rollout::{
    self as api, Approval, OnFailure, OnTampering, Previous, PreviousValue, Scope, StrategyKind,
};
use crate::api::shared::{LabelSelector, WorkloadKind as ApiKind, WorkloadRef};
use crate::sync::{Rollout, WorkloadKind, WorkloadScope};

/// The shortest deadline and budget period: less says nothing about a rollout.
const LEAST: Duration = Duration::from_secs(1);

/// Checks the rollout. Absent, every workload of the namespace that uses a target is restarted once.
pub(super) fn rollout(problems: &mut Problems, rollout: Option<&api::Rollout>) -> Rollout {
    let absent = api::Rollout::default();
    let rollout = rollout.unwrap_or(&absent);
    unsupported(problems, rollout);
    let budget = rollout.budget.clone().unwrap_or_default();
    let max_restarts = budget.max_restarts.unwrap_or(defaults::BUDGET_MAX_RESTARTS);
    if max_restarts == 0 {
        problems.invalid_hint(
            "spec.rollout.budget.maxRestarts",
            "is zero",
            "To restart nothing, say `strategy: {none: {}}`",
        );
    }
    Rollout {
        restart: restarts(problems, rollout.strategy.as_ref()),
        workloads: workloads(problems, rollout.workloads.as_ref()),
        deadline: duration(
            problems,
            "spec.rollout.deadline",
            rollout.deadline.as_ref(),
            (defaults::ROLLOUT_DEADLINE, LEAST),
        ),
        after_tampering: rollout.on_tampering.unwrap_or_default() == OnTampering::Affected,
        max_restarts,
        restart_window: duration(
            problems,
            "spec.rollout.budget.per",
            budget.per.as_ref(),
            (defaults::BUDGET_PER, LEAST),
        ),
    }
}

fn unsupported(problems: &mut Problems, rollout: &api::Rollout) {
    if !rollout.waves.is_empty() {
        problems.unsupported(
            "spec.rollout.waves",
            "Leave it out: all workloads restart together",
        );
    }
    if !rollout.windows.is_empty() {
        problems.unsupported("spec.rollout.windows", "Leave it out, or use `suspend`");
    }
    if rollout.approval == Some(Approval::Required) {
        problems.unsupported("spec.rollout.approval", "Leave it out, or use `suspend`");
    }
    if rollout.on_failure == Some(OnFailure::Rollback) {
        problems.unsupported(
            "spec.rollout.onFailure",
            "Say `hold`, or leave it out: a stuck rollout is reported and waits for a person",
        );
    }
    previous(problems, rollout.previous.as_ref());
}

/// It decides about rollbacks only, of which there are none yet.
fn previous(problems: &mut Problems, previous: Option<&Previous>) {
    let Some(previous) = previous else { return };
    match previous.variant() {
        Ok(PreviousValue::Unknown(_)) => {}
        Ok(_) => problems.unsupported(
            "spec.rollout.previous",
            "Leave it out: no old value is brought back",
        ),
        Err(error) => problems.invalid("spec.rollout.previous", error.to_string()),
    }
}

fn restarts(problems: &mut Problems, strategy: Option<&api::Strategy>) -> bool {
    match strategy.map(api::Strategy::variant) {
        None | Some(Ok(StrategyKind::Restart(_))) => true,
        Some(Ok(StrategyKind::None(_))) => false,
        Some(Ok(StrategyKind::Canary(_))) => {
            problems.unsupported(
                "spec.rollout.strategy.canary",
                "Say `restart: {}` or `none: {}`",
            );
            false
        }
        Some(Err(error)) => {
            problems.invalid("spec.rollout.strategy", error.to_string());
            false
        }
    }
}

fn workloads(problems: &mut Problems, workloads: Option<&api::Workloads>) -> WorkloadScope {
    let field = "spec.rollout.workloads";
    match workloads.map(api::Workloads::variant) {
        None | Some(Ok(Scope::Discover(_))) => WorkloadScope::Discover,
        Some(Ok(Scope::List(list))) => listed(problems, &format!("{field}.list"), list),
        Some(Ok(Scope::Selector(selector))) => {
            selected(problems, &format!("{field}.selector"), selector)
        }
        Some(Err(error)) => {
            problems.invalid(field, error.to_string());
            WorkloadScope::Discover
        }
    }
}

fn listed(problems: &mut Problems, field: &str, list: &[WorkloadRef]) -> WorkloadScope {
    if list.is_empty() {
        problems.invalid_hint(
            field,
            "is empty",
            "To restart nothing, say `strategy: {none: {}}`",
        );
    }
    let mut names = Vec::new();
    for (at, workload) in list.iter().enumerate() {
        let kind = match workload.kind {
            ApiKind::Deployment => WorkloadKind::Deployment,
            ApiKind::StatefulSet => WorkloadKind::StatefulSet,
            ApiKind::DaemonSet => WorkloadKind::DaemonSet,
            ApiKind::Rollout => WorkloadKind::Rollout,
        };
        let field = format!("{field}[{at}]");
        let Some(name) = object_name(problems, &format!("{field}.name"), &workload.name) else {
            continue;
        };
        if names.contains(&(kind, name.clone())) {
            problems.invalid(field, format!("{} `{name}` comes twice", kind.as_str()));
        } else {
            names.push((kind, name));
        }
    }
    WorkloadScope::List(names)
}

fn selected(problems: &mut Problems, field: &str, selector: &LabelSelector) -> WorkloadScope {
    if selector.match_labels.is_empty() && selector.match_expressions.is_empty() {
        problems.invalid_hint(
            field,
            "is empty and would match every workload of the namespace",
            "Say `discover: {}` for those that use a target",
        );
    }
    let equal = selector
        .match_labels
        .iter()
        .map(|(key, value)| (key.as_str(), vec![value.as_str()]));
    let set = selector.match_expressions.iter().map(|requirement| {
        let values = requirement.values.iter().map(String::as_str);
        (requirement.key.as_str(), values.collect())
    });
    for (key, values) in equal.chain(set) {
        if !is_qualified_name(key) {
            problems.invalid(field, format!("{} is no name of a label", quoted(key)));
        }
        for value in values.into_iter().filter(|value| !is_label_value(value)) {
            problems.invalid(field, format!("{} is no value of a label", quoted(value)));
        }
    }
    let kubernetes = k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector::from(selector);
    if let Ok(selector) = Selector::try_from(kubernetes) {
        return WorkloadScope::Selector(selector.to_string());
    }
    problems.invalid(
        field,
        "In and NotIn need values; Exists and DoesNotExist take none",
    );
    WorkloadScope::Discover
}
