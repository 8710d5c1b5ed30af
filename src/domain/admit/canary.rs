//! `spec.rollout.strategy.canary`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::problems::Problems;
use super::rollout::kind_of;
use super::validate::{is_header_name, is_ours, is_web_address};
use super::words::{duration, member, object_name, quoted, unique};
use crate::api::canary::{
    self as api, Canary, Check, CheckKind, PodHttpCheck, PrometheusCheck, UrlCheck, WebhookCheck,
};
use crate::api::defaults;
use crate::api::shared::{MaskedText, SecretKeyRef, WorkloadRef};
use crate::api::then::HttpMethod;
use crate::canary::{CanaryCheck, CanaryMode, CanaryPlan, CheckQuestion, NumberCondition};
use crate::names::{Key, ObjectName};
use crate::sync::WorkloadKind;

const FIELD: &str = "spec.rollout.strategy.canary";
/// The shortest soak, deadline and pause between two tries.
const LEAST: Duration = Duration::from_secs(1);
/// The longest that one try may take: the sync waits for it.
const LONGEST_TIMEOUT: Duration = Duration::from_mins(1);

/// Checks the canary.
pub(super) fn canary(problems: &mut Problems, canary: &Canary) -> Option<CanaryPlan> {
    let time = |problems: &mut Problems, name: &str, text, bounds| {
        duration(problems, &format!("{FIELD}.{name}"), text, bounds)
    };
    let soak = (defaults::CANARY_SOAK, Duration::ZERO);
    let deadline = (defaults::CANARY_DEADLINE, LEAST);
    let names = canary.checks.iter().map(|check| check.name.as_str());
    unique(problems, names, |at| format!("{FIELD}.checks[{at}].name"));
    let mode = mode(problems, canary);
    let listed = canary.checks.iter().enumerate();
    let checks: Vec<CanaryCheck> = listed
        .filter_map(|(at, one)| check(problems, &format!("{FIELD}.checks[{at}]"), one))
        .collect();
    let mode = mode?;
    suits(problems, &mode, canary, &checks);
    Some(CanaryPlan {
        mode,
        soak: time(problems, "soak", canary.soak.as_ref(), soak),
        deadline: time(problems, "deadline", canary.deadline.as_ref(), deadline),
        checks,
    })
}

fn mode(problems: &mut Problems, canary: &Canary) -> Option<CanaryMode> {
    let workload = match &canary.workload {
        None => None,
        Some(named) => Some(workload(problems, named)?),
    };
    match canary.mode {
        api::CanaryMode::Pod => Some(CanaryMode::Pod {
            workload,
            labels: canary.labels.unwrap_or_default(),
        }),
        api::CanaryMode::Job => {
            let field = format!("{FIELD}.cronJob");
            let Some(name) = &canary.cron_job else {
                problems.invalid(field, "mode job runs an existing CronJob: name it");
                return None;
            };
            let cron_job = object_name(problems, &field, name)?;
            Some(CanaryMode::Job { cron_job })
        }
        api::CanaryMode::Workload => {
            let Some(workload) = workload else {
                let message = "mode workload restarts one workload of yours first: name it";
                problems.invalid(format!("{FIELD}.workload"), message);
                return None;
            };
            Some(CanaryMode::Workload { workload })
        }
    }
}

fn workload(problems: &mut Problems, named: &WorkloadRef) -> Option<(WorkloadKind, ObjectName)> {
    let name = object_name(problems, &format!("{FIELD}.workload.name"), &named.name)?;
    Some((kind_of(named.kind), name))
}

/// What does not go with a mode.
fn suits(problems: &mut Problems, mode: &CanaryMode, written: &Canary, checks: &[CanaryCheck]) {
    let pod = matches!(mode, CanaryMode::Pod { .. });
    if written.labels.is_some() && !pod {
        problems.invalid(format!("{FIELD}.labels"), "belong to mode pod");
    }
    if matches!(mode, CanaryMode::Job { .. }) && written.soak.is_some() {
        problems.invalid(format!("{FIELD}.soak"), "a job ends: nothing soaks");
    }
    if matches!(mode, CanaryMode::Workload { .. }) && !checks.is_empty() {
        problems.unsupported(
            format!("{FIELD}.checks"),
            "In mode workload its own probes decide: leave the checks out, or use mode pod",
        );
    }
    let asks_pod = |check: &&CanaryCheck| matches!(check.asks, CheckQuestion::PodHttp { .. });
    if let Some(check) = checks.iter().find(asks_pod).filter(|_| !pod) {
        let message = format!(
            "{} asks a pod, which mode pod alone has",
            quoted(&check.name)
        );
        problems.invalid(format!("{FIELD}.checks"), message);
    }
}

fn check(problems: &mut Problems, field: &str, check: &Check) -> Option<CanaryCheck> {
    let asks = match check.variant() {
        Ok(CheckKind::Http(asks)) => Some(pod_http(problems, &format!("{field}.http"), asks)),
        Ok(CheckKind::CronJob(asks)) => {
            object_name(problems, &format!("{field}.cronJob.name"), &asks.name)
                .map(CheckQuestion::CronJob)
        }
        Ok(CheckKind::Prometheus(asks)) => {
            prometheus(problems, &format!("{field}.prometheus"), asks)
        }
        Ok(CheckKind::Webhook(asks)) => webhook(problems, &format!("{field}.webhook"), asks),
        Ok(CheckKind::Url(asks)) => url(problems, &format!("{field}.url"), asks),
        Err(error) => {
            problems.invalid(field, error.to_string());
            None
        }
    };
    let timeout = duration(
        problems,
        &format!("{field}.timeout"),
        check.timeout.as_ref(),
        (defaults::CHECK_TIMEOUT, LEAST),
    );
    let once = matches!(asks, Some(CheckQuestion::CronJob(_)));
    if timeout > LONGEST_TIMEOUT && !once {
        let message = format!("is longer than {}s", LONGEST_TIMEOUT.as_secs());
        problems.invalid(format!("{field}.timeout"), message);
    }
    Some(CanaryCheck {
        name: check.name.clone(),
        asks: asks?,
        every: duration(
            problems,
            &format!("{field}.every"),
            check.every.as_ref(),
            (defaults::CHECK_EVERY, LEAST),
        ),
        failure_limit: check.failure_limit.unwrap_or_default(),
        timeout,
    })
}

fn pod_http(problems: &mut Problems, field: &str, asks: &PodHttpCheck) -> CheckQuestion {
    let path = asks.path.clone().unwrap_or_else(|| "/".to_owned());
    if !path.starts_with('/') || path.chars().any(|c| c.is_whitespace() || c.is_control()) {
        let message = "must start with `/` and hold no spaces";
        problems.invalid(format!("{field}.path"), message);
    }
    if asks.port == 0 {
        problems.invalid(format!("{field}.port"), "is zero");
    }
    CheckQuestion::PodHttp {
        port: asks.port,
        path,
        scheme: asks.scheme.unwrap_or_default(),
        headers: headers(problems, field, &asks.header),
        expect_status: asks.expect_status.clone(),
    }
}

fn prometheus(
    problems: &mut Problems,
    field: &str,
    asks: &PrometheusCheck,
) -> Option<CheckQuestion> {
    address(problems, &format!("{field}.address"), &asks.address)?;
    let Some(condition) = NumberCondition::parse(&asks.success_condition) else {
        problems.invalid_hint(
            format!("{field}.successCondition"),
            "is not a condition that this version can judge",
            "Write `result.all(x, x < 0.05)` or `result.exists(x, x >= 1)`, with <, <=, >, >=, == or !=",
        );
        return None;
    };
    Some(CheckQuestion::Prometheus {
        address: asks.address.clone(),
        query: asks.query.clone(),
        condition,
        authorization: authorization(problems, field, asks.authorization.as_ref())?,
    })
}

fn webhook(problems: &mut Problems, field: &str, asks: &WebhookCheck) -> Option<CheckQuestion> {
    address(problems, &format!("{field}.url"), &asks.url)?;
    let method = asks.method.unwrap_or(HttpMethod::Post);
    if method == HttpMethod::Get && asks.body.is_some() {
        problems.invalid(format!("{field}.body"), "a GET has no body: set method");
    }
    Some(CheckQuestion::Webhook {
        url: asks.url.clone(),
        method,
        headers: headers(problems, field, &asks.header),
        authorization: authorization(problems, field, asks.authorization.as_ref())?,
        body: asks.body.clone(),
    })
}

fn url(problems: &mut Problems, field: &str, asks: &UrlCheck) -> Option<CheckQuestion> {
    address(problems, &format!("{field}.url"), &asks.url)?;
    Some(CheckQuestion::Url {
        url: asks.url.clone(),
        expect_status: asks.expect_status.clone(),
    })
}

fn address(problems: &mut Problems, field: &str, text: &str) -> Option<()> {
    if is_web_address(text) {
        return Some(());
    }
    problems.invalid(field, "is no address of the web");
    None
}

/// The Secret and key of an `Authorization` header; the outer none is a mistake.
#[expect(clippy::option_option, reason = "absent and wrong are two things")]
fn authorization(
    problems: &mut Problems,
    field: &str,
    named: Option<&SecretKeyRef>,
) -> Option<Option<(ObjectName, Key)>> {
    let Some(named) = named else {
        return Some(None);
    };
    let field = format!("{field}.authorization");
    let name = object_name(problems, &format!("{field}.name"), &named.name)?;
    let key = problems.name(&format!("{field}.key"), Key::new(named.key.as_str()))?;
    Some(Some((name, key)))
}

fn headers(
    problems: &mut Problems,
    field: &str,
    written: &BTreeMap<String, MaskedText>,
) -> BTreeMap<String, MaskedText> {
    let mut headers = BTreeMap::new();
    for (name, value) in written {
        let field = member(&format!("{field}.header"), name);
        if !is_header_name(name) {
            problems.invalid(field, "is no name of a header");
        } else if is_ours(name) {
            problems.invalid(field, "is set by the request itself: leave it out");
        } else {
            headers.insert(name.to_ascii_lowercase(), value.clone());
        }
    }
    headers
}
