//! Whatever happens in whatever order to rollouts: who may start on what, how often, and that it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::lab::{Lab, unavailable};
use crate::api::rollout::OnFailure;
use crate::api::status::RolloutPhase;
use crate::canary::{CanaryLabels, CanaryMode, CanaryPlan, CanaryPod, CanaryView, PodTrouble};
use crate::restart::marker_annotation;
use crate::sync::{WaveMembers, WavePlan};
use crate::testing::deployment;
use crate::testing::world::Death;
use crate::workload::PodView;

const WORKLOADS: [&str; 3] = ["api", "batch", "web"];

/// Something that happens outside.
#[derive(Debug, Clone)]
enum Happening {
    /// The vault brings a value: what begins with `bad` crashes, `stuck` finds no node.
    News(&'static str),
    /// The vault is down.
    Down,
    /// Seconds go by.
    Wait(i64),
    /// Controllers replace the pods of marked workloads.
    Replace,
    /// The process dies at the n-th write of its next pass and starts anew.
    Die(usize, bool),
    /// The process starts anew.
    Restart,
    /// A refresh.
    Refresh,
    /// A pass that something else has caused.
    Look,
}

fn happening() -> impl Strategy<Value = Happening> {
    let values = prop::sample::select(vec!["1", "2", "3", "bad-1", "bad-2", "stuck-1"]);
    prop_oneof![
        4 => values.prop_map(Happening::News),
        1 => Just(Happening::Down),
        3 => prop::sample::select(vec![5i64, 61, 700]).prop_map(Happening::Wait),
        5 => Just(Happening::Replace),
        2 => (0usize..5, any::<bool>()).prop_map(|(at, after)| Happening::Die(at, after)),
        1 => Just(Happening::Restart),
        4 => Just(Happening::Refresh),
        5 => Just(Happening::Look),
    ]
}

struct Fleet {
    lab: Lab,
    canary: bool,
    /// The values that anybody was marked while they stood there.
    started_on: BTreeSet<String>,
    /// How often each workload was marked.
    marks: BTreeMap<String, usize>,
    /// Markers as they were after the last look.
    markers: BTreeMap<String, String>,
    news: usize,
}

impl Fleet {
    fn new(canary: bool, waves: bool) -> Self {
        let mut lab = Lab::new();
        lab.sync.rollout.on_failure = OnFailure::Rollback;
        lab.sync.rollout.max_restarts = 1000;
        if canary {
            lab.sync.rollout.canary = Some(CanaryPlan {
                mode: CanaryMode::Pod {
                    workload: None,
                    labels: CanaryLabels::Strip,
                },
                soak: Duration::from_secs(30),
                deadline: Duration::from_mins(5),
                checks: Vec::new(),
            });
        }
        if waves {
            let first = deployment("web", "panbot", &[]);
            let one = |name: &str, members| WavePlan {
                name: name.to_owned(),
                members,
                max_parallel: 1,
                pause: Duration::from_secs(10),
            };
            let edge = WaveMembers::One(first.id.kind, first.id.name);
            lab.sync.rollout.waves = vec![one("edge", edge), one("rest", WaveMembers::Rest)];
        }
        for name in WORKLOADS {
            let workload = deployment(name, "panbot", &[]);
            let pod = pod(Some(0), None);
            let mut state = lab.world.state();
            state.pods.insert(workload.id.uid.clone(), vec![pod]);
            state.workloads.push(workload);
        }
        lab.settle();
        Self {
            lab,
            canary,
            started_on: BTreeSet::new(),
            marks: BTreeMap::new(),
            markers: BTreeMap::new(),
            news: 0,
        }
    }

    fn happen(&mut self, happening: &Happening) {
        match happening {
            Happening::News(value) => {
                self.news += 1;
                self.lab.world.answer("vault", &[("A", value), ("B", "1")]);
            }
            Happening::Down => self.lab.world.fail("vault", unavailable()),
            Happening::Wait(seconds) => self.lab.world.state().now += seconds,
            Happening::Replace => self.replace(),
            Happening::Die(number, after) => {
                self.lab.world.revive();
                let death = if *after {
                    Death::After(*number)
                } else {
                    Death::Before(*number)
                };
                self.lab.world.state().death = Some(death);
                self.lab.try_run(true);
                self.lab.restart();
            }
            Happening::Restart => self.lab.restart(),
            Happening::Refresh => drop(self.lab.refresh()),
            Happening::Look => drop(self.lab.look()),
        }
        self.note();
    }

    /// Pods and canaries live by the value that they are given.
    fn replace(&self) {
        let value = self.value();
        let mut state = self.lab.world.state();
        state.now += 3;
        let now = state.now;
        let trouble = trouble(&value);
        let mut replaced = Vec::new();
        for workload in &mut state.workloads {
            if workload.observed_generation < workload.generation {
                workload.observed_generation = workload.generation;
                workload.available = if trouble.is_some() { 1 } else { 2 };
                replaced.push(workload.id.uid.clone());
            }
        }
        for uid in replaced {
            let started = (trouble != Some("Unschedulable")).then_some(now);
            state.pods.insert(uid, vec![pod(started, trouble)]);
        }
        if let Some((trial, view)) = &mut state.canary {
            let given = trial.candidates[0].data[&crate::testing::key("A")].clone();
            let given = String::from_utf8_lossy(given.expose()).into_owned();
            *view = canary(&given, now);
        }
        state.now += 20;
    }

    fn value(&self) -> String {
        let content = self.lab.content();
        let found = content.into_iter().find(|(key, _)| key == "A");
        found.map(|(_, value)| value).unwrap_or_default()
    }

    fn note(&mut self) {
        let value = self.value();
        let annotation = marker_annotation(&self.lab.sync.id);
        let state = self.lab.world.state();
        for workload in &state.workloads {
            let name = workload.id.name.to_string();
            let Some(marker) = workload.template_annotations.get(&annotation) else {
                continue;
            };
            if self.markers.get(&name) != Some(marker) {
                self.markers.insert(name.clone(), marker.clone());
                *self.marks.entry(name).or_default() += 1;
                self.started_on.insert(value.clone());
            }
        }
    }

    /// Everything calms down on a good value.
    fn calm(&mut self) {
        self.lab.world.revive();
        self.lab.world.answer("vault", &[("A", "9"), ("B", "1")]);
        for _ in 0..40 {
            self.lab.world.state().now += 45;
            self.lab.refresh();
            self.note();
            self.replace();
            self.lab.look();
            self.note();
        }
    }
}

fn trouble(value: &str) -> Option<&'static str> {
    if value.starts_with("bad") {
        Some("CrashLoopBackOff")
    } else if value.starts_with("stuck") {
        Some("Unschedulable")
    } else {
        None
    }
}

fn canary(value: &str, now: i64) -> CanaryView {
    let at = Timestamp::from_second(now).ok();
    let own = match trouble(value) {
        Some("Unschedulable") => Some(PodTrouble::Cluster("finds no node".to_owned())),
        Some(why) => Some(PodTrouble::Own(why.to_owned())),
        None => None,
    };
    CanaryView {
        exists: true,
        pods: vec![CanaryPod {
            started: at,
            ready_since: at.filter(|_| own.is_none()),
            trouble: own,
            ..CanaryPod::default()
        }],
        ..CanaryView::default()
    }
}

fn pod(started: Option<i64>, trouble: Option<&str>) -> PodView {
    PodView {
        name: "pod".to_owned(),
        started: started.and_then(|second| Timestamp::from_second(second).ok()),
        ready: trouble.is_none(),
        trouble: trouble.map(ToOwned::to_owned),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_workload_starts_on_what_a_canary_rejects_and_everything_ends_well(
        happenings in proptest::collection::vec(happening(), 0..30),
        waves: bool,
    ) {
        let mut fleet = Fleet::new(true, waves);
        for happening in &happenings {
            fleet.happen(happening);
            prop_assert!(!fleet.value().starts_with("bad"), "written before it was tried");
            prop_assert!(fleet.canary);
        }
        fleet.calm();
        prop_assert!(!fleet.started_on.iter().any(|value| value.starts_with("bad")));
        prop_assert_eq!(fleet.value(), "9");
        let rollout = fleet.lab.status.rollout.clone().unwrap_or_default();
        prop_assert_eq!(rollout.phase, Some(RolloutPhase::Complete), "{:#?}", fleet.lab.status);
        prop_assert!(fleet.lab.world.state().canary.is_none());
    }

    #[test]
    fn without_a_canary_it_ends_well_all_the_same_and_nobody_restarts_in_a_loop(
        happenings in proptest::collection::vec(happening(), 0..30),
        waves: bool,
    ) {
        let mut fleet = Fleet::new(false, waves);
        for happening in &happenings {
            fleet.happen(happening);
        }
        fleet.calm();
        prop_assert_eq!(fleet.value(), "9");
        let rollout = fleet.lab.status.rollout.clone().unwrap_or_default();
        prop_assert_eq!(rollout.phase, Some(RolloutPhase::Complete), "{:#?}", fleet.lab.status);
        // Each change is one restart, and one back where it was bad; calming down is one more.
        let most = 2 * fleet.news + 2;
        prop_assert!(fleet.marks.values().all(|count| *count <= most), "{:?}", fleet.marks);
        let rejected: Vec<_> = fleet.lab.status.history.iter().filter_map(|one| one.message.as_ref()).collect();
        prop_assert!(!rejected.iter().any(|why| why.contains("Unschedulable")), "{:?}", rejected);
    }
}
