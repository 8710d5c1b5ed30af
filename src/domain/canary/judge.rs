//! Pure: what a look at a canary, and the answers of its checks, mean for the revision.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::{CanaryPlan, CanaryPod, CanaryView, CheckVerdict, JobEnd, PodTrouble};
use crate::schedule::after;

/// What a trial has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CanaryStep {
    /// The canary is not ready yet.
    Starting,
    /// It is healthy, and watched until then.
    Soaking {
        /// When it has been healthy for long enough.
        until: Timestamp,
    },
    /// The revision may be written.
    Passed,
    /// The revision is rejected; why, in our own words.
    Failed(String),
    /// Something else than the revision is in the way; what.
    Hindered(String),
}

/// What the checks of a trial have said so far. Known to one process only: another one asks anew.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CheckTally(BTreeMap<String, Said>);

#[derive(Debug, Clone, Default, PartialEq)]
struct Said {
    asked: Option<Timestamp>,
    passed: bool,
    failures: u32,
    failed: Option<String>,
    unknown: Option<String>,
    once: bool,
}

impl CheckTally {
    /// Whether the check named `name` is to be asked now.
    pub fn is_due(&self, name: &str, every: Duration, now: Timestamp) -> bool {
        let said = self.0.get(name);
        said.is_none_or(|said| {
            let again = said.asked.is_none_or(|asked| after(asked, every) <= now);
            again && !(said.once && (said.passed || said.failed.is_some()))
        })
    }

    /// Hears an answer. `once`: a check that is not asked again after a verdict.
    pub fn hear(&mut self, name: &str, once: bool, verdict: CheckVerdict, now: Timestamp) {
        let said = self.0.entry(name.to_owned()).or_default();
        said.asked = Some(now);
        said.once = once;
        said.unknown = None;
        match verdict {
            CheckVerdict::Passed => said.passed = true,
            CheckVerdict::Failed(why) => {
                said.failures = said.failures.saturating_add(1);
                said.failed = Some(why);
            }
            CheckVerdict::Inconclusive(why) => said.unknown = Some(why),
            CheckVerdict::Running => said.unknown = Some("still runs".to_owned()),
        }
    }

    fn failed(&self, plan: &CanaryPlan) -> Option<String> {
        plan.checks.iter().find_map(|check| {
            let said = self.0.get(&check.name)?;
            let why = said.failed.as_ref()?;
            (said.failures > check.failure_limit)
                .then(|| format!("check {} failed: {why}", check.name))
        })
    }

    /// A check that has not agreed yet.
    fn open(&self, plan: &CanaryPlan) -> Option<String> {
        plan.checks
            .iter()
            .find_map(|check| match self.0.get(&check.name) {
                Some(Said {
                    unknown: Some(why), ..
                }) => Some(format!("check {}: {why}", check.name)),
                Some(Said { passed: true, .. }) => None,
                _ => Some(format!("check {} has not agreed yet", check.name)),
            })
    }
}

/// Judges a trial that was begun at `begun`. What the cluster or another system causes never rejects a revision.
pub fn judge(
    plan: &CanaryPlan,
    view: &CanaryView,
    tally: &CheckTally,
    (begun, now): (Timestamp, Timestamp),
) -> CanaryStep {
    if !view.exists {
        return CanaryStep::Starting;
    }
    if let Some(end) = &view.job {
        return ended(end, plan, tally);
    }
    if let Some(why) = view.pods.iter().find_map(own_trouble) {
        return CanaryStep::Failed(why);
    }
    if let Some(why) = tally.failed(plan) {
        return CanaryStep::Failed(why);
    }
    let Some(pod) = view.pods.first() else {
        return no_pod(plan, view, (begun, now));
    };
    if let Some(PodTrouble::Cluster(why)) = &pod.trouble {
        return CanaryStep::Hindered(format!("its pod {why}"));
    }
    match pod.ready_since {
        Some(since) => soak(plan, tally, (since, now)),
        None => unready(plan, pod, now),
    }
}

fn ended(end: &JobEnd, plan: &CanaryPlan, tally: &CheckTally) -> CanaryStep {
    match end {
        JobEnd::Failed(why) => CanaryStep::Failed(format!("its job {why}")),
        JobEnd::Cluster(why) => CanaryStep::Hindered(format!("its job {why}")),
        JobEnd::Succeeded => match (tally.failed(plan), tally.open(plan)) {
            (Some(why), _) => CanaryStep::Failed(why),
            (None, Some(why)) => CanaryStep::Hindered(why),
            (None, None) => CanaryStep::Passed,
        },
    }
}

fn own_trouble(pod: &CanaryPod) -> Option<String> {
    match &pod.trouble {
        Some(PodTrouble::Own(why)) => Some(format!("its pod {why}")),
        _ if pod.restarts > 0 => Some(format!("its pod has restarted {} times", pod.restarts)),
        _ => None,
    }
}

fn no_pod(
    plan: &CanaryPlan,
    view: &CanaryView,
    (begun, now): (Timestamp, Timestamp),
) -> CanaryStep {
    match &view.refused {
        Some(why) => CanaryStep::Hindered(format!("its pod cannot be made: {why}")),
        None if now > after(begun, plan.deadline) => {
            CanaryStep::Hindered("has no pod after its deadline".to_owned())
        }
        None => CanaryStep::Starting,
    }
}

/// Its deadline runs from when a node took it: waiting for one is not its fault.
fn unready(plan: &CanaryPlan, pod: &CanaryPod, now: Timestamp) -> CanaryStep {
    let late = |started: Timestamp| now > after(started, plan.deadline);
    if pod.started.is_some_and(late) {
        let seconds = plan.deadline.as_secs();
        return CanaryStep::Failed(format!("its pod is not ready after {seconds}s"));
    }
    CanaryStep::Starting
}

fn soak(plan: &CanaryPlan, tally: &CheckTally, (since, now): (Timestamp, Timestamp)) -> CanaryStep {
    let until = after(since, plan.soak);
    if now < until {
        return CanaryStep::Soaking { until };
    }
    match tally.open(plan) {
        Some(why) => CanaryStep::Hindered(why),
        None => CanaryStep::Passed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canary::{CanaryCheck, CanaryLabels, CanaryMode, CheckQuestion};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn plan(limit: Option<u32>) -> CanaryPlan {
        let check = limit.map(|failure_limit| CanaryCheck {
            name: "health".to_owned(),
            asks: CheckQuestion::Url {
                url: "https://example.com".to_owned(),
                expect_status: Vec::new(),
            },
            every: Duration::from_secs(10),
            failure_limit,
            timeout: Duration::from_secs(1),
        });
        CanaryPlan {
            mode: CanaryMode::Pod {
                workload: None,
                labels: CanaryLabels::Strip,
            },
            soak: Duration::from_mins(2),
            deadline: Duration::from_mins(5),
            checks: check.into_iter().collect(),
        }
    }

    fn with(pod: CanaryPod) -> CanaryView {
        CanaryView {
            exists: true,
            pods: vec![pod],
            ..CanaryView::default()
        }
    }

    fn ready(since: i64) -> CanaryPod {
        CanaryPod {
            started: Some(at(0)),
            ready_since: Some(at(since)),
            ..CanaryPod::default()
        }
    }

    fn step(view: &CanaryView, now: i64) -> CanaryStep {
        judge(&plan(None), view, &CheckTally::default(), (at(0), at(now)))
    }

    #[test]
    fn a_canary_that_stays_ready_for_its_soak_passes() {
        assert_eq!(step(&CanaryView::default(), 1), CanaryStep::Starting);
        let soaking = CanaryStep::Soaking { until: at(130) };
        assert_eq!(step(&with(ready(10)), 129), soaking);
        assert_eq!(step(&with(ready(10)), 130), CanaryStep::Passed);
    }

    #[test]
    fn its_own_crash_rejects_at_once_and_also_after_it_was_ready() {
        let crashed = CanaryPod {
            trouble: Some(PodTrouble::Own("crashes".to_owned())),
            ..CanaryPod::default()
        };
        let failed = |pod| matches!(step(&with(pod), 1), CanaryStep::Failed(_));
        assert!(failed(crashed));
        assert!(failed(CanaryPod {
            restarts: 1,
            ..ready(0)
        }));
    }

    #[test]
    fn what_the_cluster_causes_never_rejects_however_long_it_takes() {
        let pending = CanaryPod {
            trouble: Some(PodTrouble::Cluster("finds no node".to_owned())),
            ..CanaryPod::default()
        };
        let refused = CanaryView {
            exists: true,
            refused: Some("exceeded quota".to_owned()),
            ..CanaryView::default()
        };
        let no_pod = CanaryView {
            exists: true,
            ..CanaryView::default()
        };
        for view in [with(pending), refused, no_pod] {
            let step = step(&view, 1_000_000);
            assert!(matches!(step, CanaryStep::Hindered(_)), "{step:?}");
        }
        // The deadline runs from when a node took it.
        let late = CanaryPod {
            started: Some(at(1_000_000)),
            ..CanaryPod::default()
        };
        assert_eq!(step(&with(late), 1_000_001), CanaryStep::Starting);
    }

    #[test]
    fn one_that_does_not_get_ready_in_time_rejects() {
        let slow = CanaryPod {
            started: Some(at(0)),
            ..CanaryPod::default()
        };
        assert_eq!(step(&with(slow.clone()), 300), CanaryStep::Starting);
        assert!(matches!(step(&with(slow), 301), CanaryStep::Failed(_)));
    }

    #[test]
    fn checks_reject_beyond_their_limit_and_hold_while_nobody_can_say() {
        let plan = plan(Some(1));
        let view = with(ready(0));
        let judged = |tally: &CheckTally| judge(&plan, &view, tally, (at(0), at(500)));
        let mut tally = CheckTally::default();
        assert!(matches!(judged(&tally), CanaryStep::Hindered(_)));
        tally.hear(
            "health",
            false,
            CheckVerdict::Inconclusive("times out".to_owned()),
            at(1),
        );
        assert!(matches!(judged(&tally), CanaryStep::Hindered(_)));
        tally.hear(
            "health",
            false,
            CheckVerdict::Failed("answered 500".to_owned()),
            at(2),
        );
        assert!(matches!(judged(&tally), CanaryStep::Hindered(_)));
        tally.hear("health", false, CheckVerdict::Passed, at(3));
        assert_eq!(judged(&tally), CanaryStep::Passed);
        tally.hear(
            "health",
            false,
            CheckVerdict::Failed("answered 500".to_owned()),
            at(4),
        );
        assert!(matches!(judged(&tally), CanaryStep::Failed(_)));
        assert!(!tally.is_due("health", plan.checks[0].every, at(13)));
        assert!(tally.is_due("health", plan.checks[0].every, at(14)));
    }

    #[test]
    fn a_job_passes_by_its_end() {
        let ends = |end| {
            step(
                &CanaryView {
                    exists: true,
                    job: Some(end),
                    ..CanaryView::default()
                },
                1,
            )
        };
        assert_eq!(ends(JobEnd::Succeeded), CanaryStep::Passed);
        let failed = ends(JobEnd::Failed("ended with 1".to_owned()));
        assert!(matches!(failed, CanaryStep::Failed(_)));
        let hindered = ends(JobEnd::Cluster("was evicted".to_owned()));
        assert!(matches!(hindered, CanaryStep::Hindered(_)));
    }
}
