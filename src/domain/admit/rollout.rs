//! `spec.rollout`.

use std::time::Duration;

use kube::core::Selector;

use super::canary::canary;
use super::metadata::{is_label_value, is_qualified_name};
use super::problems::Problems;
use super::waves::waves;
use super::windows::windows;
use super::words::{duration, object_name, quoted};
use crate::api::defaults;
use crate::api::rollout::{self as api, Approval, OnTampering, PreviousValue, Scope, StrategyKind};
use crate::api::shared::{LabelSelector, WorkloadKind as ApiKind, WorkloadRef};
use crate::canary::CanaryPlan;
use crate::sync::{Previous, Rollout, WorkloadKind, WorkloadScope};

/// The shortest deadline and budget period: less says nothing about a rollout.
const LEAST: Duration = Duration::from_secs(1);

/// Checks the rollout. Absent, every workload of the namespace that uses a target is restarted once.
pub(super) fn rollout(problems: &mut Problems, rollout: Option<&api::Rollout>) -> Rollout {
    let absent = api::Rollout::default();
    let rollout = rollout.unwrap_or(&absent);
    let budget = rollout.budget.clone().unwrap_or_default();
    let max_restarts = budget.max_restarts.unwrap_or(defaults::BUDGET_MAX_RESTARTS);
    if max_restarts == 0 {
        problems.invalid_hint(
            "spec.rollout.budget.maxRestarts",
            "is zero",
            "To restart nothing, say `strategy: {none: {}}`",
        );
    }
    let (restart, canary) = strategy(problems, rollout.strategy.as_ref());
    let deadline = duration(
        problems,
        "spec.rollout.deadline",
        rollout.deadline.as_ref(),
        (defaults::ROLLOUT_DEADLINE, LEAST),
    );
    let windows = windows(problems, &rollout.windows);
    let checked = Rollout {
        restart,
        workloads: workloads(problems, rollout.workloads.as_ref()),
        deadline,
        after_tampering: rollout.on_tampering.unwrap_or_default() == OnTampering::Affected,
        max_restarts,
        restart_window: duration(
            problems,
            "spec.rollout.budget.per",
            budget.per.as_ref(),
            (defaults::BUDGET_PER, LEAST),
        ),
        waves: waves(problems, &rollout.waves, canary.as_ref()),
        canary,
        on_failure: rollout.on_failure.unwrap_or_default(),
        previous: previous(problems, rollout.previous.as_ref()),
        windows,
        approval: rollout.approval == Some(Approval::Required),
    };
    fits(problems, &checked);
    checked
}

/// What cannot go together.
fn fits(problems: &mut Problems, rollout: &Rollout) {
    if !rollout.restart && !rollout.waves.is_empty() {
        problems.invalid_hint(
            "spec.rollout.waves",
            "are restarts, and `strategy: {none: {}}` restarts nothing",
            "Leave one of them out",
        );
    }
    if let Previous::ValidFor(valid) = rollout.previous {
        let canary = rollout.canary.as_ref();
        let trial = canary.map(|canary| canary.soak + canary.deadline);
        let longest = trial.unwrap_or_default() + rollout.deadline;
        if valid < longest {
            problems.invalid_hint(
                "spec.rollout.previous.validFor",
                format!("is shorter than the {}s that canary and deadline may take", longest.as_secs()),
                "Shorten soak and deadlines, or say `invalid: {}`: then the new value goes everywhere at once",
            );
        }
        if rollout.approval || !rollout.windows.is_empty() {
            problems.invalid_hint(
                "spec.rollout.previous.validFor",
                "ends while a change waits for a window or an approval",
                "Leave windows and approval out, or let the old value live on at its source",
            );
        }
    }
}

fn previous(problems: &mut Problems, previous: Option<&api::Previous>) -> Previous {
    let field = "spec.rollout.previous";
    match previous.map(api::Previous::variant) {
        None | Some(Ok(PreviousValue::Unknown(_))) => Previous::Unknown,
        Some(Ok(PreviousValue::Valid(_))) => Previous::Valid,
        Some(Ok(PreviousValue::Invalid(_))) => Previous::Invalid,
        Some(Ok(PreviousValue::ValidFor(time))) => {
            let field = format!("{field}.validFor");
            Previous::ValidFor(duration(problems, &field, Some(time), (LEAST, LEAST)))
        }
        Some(Err(error)) => {
            problems.invalid(field, error.to_string());
            Previous::Unknown
        }
    }
}

/// Whether workloads are restarted, and what a revision must survive before.
fn strategy(
    problems: &mut Problems,
    strategy: Option<&api::Strategy>,
) -> (bool, Option<CanaryPlan>) {
    match strategy.map(api::Strategy::variant) {
        None | Some(Ok(StrategyKind::Restart(_))) => (true, None),
        Some(Ok(StrategyKind::None(_))) => (false, None),
        Some(Ok(StrategyKind::Canary(written))) => (true, canary(problems, written)),
        Some(Err(error)) => {
            problems.invalid("spec.rollout.strategy", error.to_string());
            (false, None)
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
        let kind = kind_of(workload.kind);
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

/// A kind of workload in the words of the domain.
pub(super) fn kind_of(kind: ApiKind) -> WorkloadKind {
    match kind {
        ApiKind::Deployment => WorkloadKind::Deployment,
        ApiKind::StatefulSet => WorkloadKind::StatefulSet,
        ApiKind::DaemonSet => WorkloadKind::DaemonSet,
        ApiKind::Rollout => WorkloadKind::Rollout,
    }
}

fn selected(problems: &mut Problems, field: &str, selector: &LabelSelector) -> WorkloadScope {
    let hint = "Say `discover: {}` for those that use a target";
    match label_selector(problems, field, selector, hint) {
        Some(selector) => WorkloadScope::Selector(selector.to_string()),
        None => WorkloadScope::Discover,
    }
}

/// A selector of labels that selects something less than everything; `hint` says how to mean everything.
pub(super) fn label_selector(
    problems: &mut Problems,
    field: &str,
    selector: &LabelSelector,
    hint: &'static str,
) -> Option<Selector> {
    if selector.match_labels.is_empty() && selector.match_expressions.is_empty() {
        problems.invalid_hint(
            field,
            "is empty and would match every workload of the namespace",
            hint,
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
        return Some(selector);
    }
    problems.invalid(
        field,
        "In and NotIn need values; Exists and DoesNotExist take none",
    );
    None
}
