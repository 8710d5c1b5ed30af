//! The life of a new revision: held back, tried, promoted in waves, or taken back.

use std::time::Duration;

use jiff::Timestamp;

use super::lab::{Lab, unavailable};
use crate::api::rollout::{OnFailure, WindowHold};
use crate::api::status::{RevisionOutcome, RolloutPhase};
use crate::audit::AuditAction;
use crate::canary::{
    CanaryCheck, CanaryLabels, CanaryMode, CanaryPlan, CanaryPod, CanaryView, CheckQuestion,
    CheckVerdict, PodTrouble,
};
use crate::conditions::{ConditionType, Reason};
use crate::fault::{Fault, FaultClass};
use crate::restart::marker_annotation;
use crate::sync::{ChangeWindow, Previous, RulesDigest, Schedule, WaveMembers, WavePlan};
use crate::testing::deployment;
use crate::testing::world::{Call, Death};
use crate::validate::{Check, LocalCheck, Validator};
use crate::workload::PodView;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn pod(started: i64, trouble: Option<&str>) -> PodView {
    PodView {
        name: "pod".to_owned(),
        started: Some(at(started)),
        ready: trouble.is_none(),
        trouble: trouble.map(ToOwned::to_owned),
    }
}

/// A synced lab that rolls back, with healthy Deployments whose pods started long ago.
fn lab(names: &[&str]) -> Lab {
    let mut lab = Lab::new();
    lab.sync.rollout.on_failure = OnFailure::Rollback;
    lab.sync.rollout.max_restarts = 9;
    for name in names {
        let workload = deployment(name, "panbot", &[]);
        let mut state = lab.world.state();
        state
            .pods
            .insert(workload.id.uid.clone(), vec![pod(0, None)]);
        state.workloads.push(workload);
    }
    lab.settle();
    lab.world.take_calls();
    lab
}

fn canary_plan() -> CanaryPlan {
    CanaryPlan {
        mode: CanaryMode::Pod {
            workload: None,
            labels: CanaryLabels::Strip,
        },
        soak: Duration::from_mins(1),
        deadline: Duration::from_mins(5),
        checks: Vec::new(),
    }
}

fn ready_canary(since: i64) -> CanaryView {
    CanaryView {
        pods: vec![CanaryPod {
            started: Some(at(since)),
            ready_since: Some(at(since)),
            ..CanaryPod::default()
        }],
        ..CanaryView::default()
    }
}

fn crashing_canary() -> CanaryView {
    CanaryView {
        pods: vec![CanaryPod {
            trouble: Some(PodTrouble::Own("crashes (CrashLoopBackOff)".to_owned())),
            ..CanaryPod::default()
        }],
        ..CanaryView::default()
    }
}

impl Lab {
    fn news(&mut self, value: &str) {
        self.world.answer("vault", &[("A", value), ("B", "1")]);
        self.refresh();
    }

    fn value(&self) -> String {
        let content = self.content();
        let found = content.iter().find(|(key, _)| key == "A");
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    fn waits(&self, seconds: i64) {
        self.world.state().now += seconds;
    }

    fn marked(&self) -> Vec<String> {
        let calls = self.world.take_calls();
        let marks = calls.into_iter().filter_map(|call| match call {
            Call::Mark(workload) => Some(workload.replace("Deployment ", "")),
            _ => None,
        });
        marks.collect()
    }

    /// The controllers of marked workloads replace their pods: by healthy ones, or by such with `trouble`.
    fn replace_pods(&self, trouble: Option<&str>) {
        let annotation = marker_annotation(&self.sync.id);
        let mut state = self.world.state();
        state.now += 5;
        let now = state.now;
        let mut replaced = Vec::new();
        for workload in &mut state.workloads {
            if workload.observed_generation < workload.generation {
                assert!(workload.template_annotations.contains_key(&annotation));
                workload.observed_generation = workload.generation;
                workload.available = if trouble.is_some() { 1 } else { 2 };
                replaced.push(workload.id.uid.clone());
            }
        }
        for uid in replaced {
            state.pods.insert(uid, vec![pod(now, trouble)]);
        }
        state.now += 30;
    }

    fn phase(&self) -> RolloutPhase {
        let rollout = self.status.rollout.as_ref().expect("a rollout");
        rollout.phase.expect("a phase")
    }

    fn tells(&self, condition: ConditionType) -> (bool, String) {
        self.condition(condition)
    }

    fn history(&self) -> Vec<RevisionOutcome> {
        self.status.history.iter().map(|one| one.outcome).collect()
    }

    fn in_use(&self) -> String {
        self.status.revision.clone().expect("a revision")
    }
}

fn told(holds: bool, reason: Reason) -> (bool, String) {
    (holds, reason.to_string())
}

#[test]
fn a_workload_that_crashes_on_a_new_value_brings_the_old_one_back_everywhere() {
    let mut lab = lab(&["api", "web"]);
    lab.news("bad");
    assert_eq!(lab.marked(), ["api", "web"]);
    lab.replace_pods(Some("CrashLoopBackOff"));
    let outcome = lab.look();
    assert_eq!(lab.phase(), RolloutPhase::RollingBack);
    assert!(
        outcome
            .events
            .iter()
            .any(|one| one.reason == Reason::RolledBack)
    );
    lab.look();
    assert_eq!(lab.value(), "1");
    assert_eq!(lab.marked(), ["api", "web"]);
    lab.replace_pods(None);
    lab.look();
    assert_eq!(lab.phase(), RolloutPhase::RolledBack);
    assert_eq!(
        lab.tells(ConditionType::RolledOut),
        told(false, Reason::RolledBack)
    );
    lab.refresh();
    assert_eq!(
        lab.tells(ConditionType::Ready),
        told(false, Reason::RevisionRejected)
    );
    assert_eq!(
        lab.tells(ConditionType::Stalled),
        told(true, Reason::RevisionRejected)
    );
    assert_eq!((lab.value().as_str(), lab.marked().len()), ("1", 0));
}

#[test]
fn what_was_rejected_by_a_workload_stays_rejected_until_a_person_or_the_rules_say_otherwise() {
    let mut lab = lab(&["api"]);
    lab.news("bad");
    lab.replace_pods(Some("CrashLoopBackOff"));
    lab.look();
    lab.look();
    lab.replace_pods(None);
    lab.look();
    lab.world.take_calls();
    for _ in 0..3 {
        lab.restart();
        lab.refresh();
        let writes = lab
            .world
            .take_calls()
            .iter()
            .filter(|call| call.is_write())
            .count();
        assert_eq!((lab.value().as_str(), writes), ("1", 0));
    }
    lab.news("2");
    assert_eq!(lab.value(), "2", "other news is no rejected revision");
    lab.replace_pods(None);
    lab.look();
    lab.news("bad");
    assert_eq!(lab.value(), "2", "the content came back to it");
    lab.wishes.retry = Some("1".to_owned());
    lab.refresh();
    assert_eq!(lab.value(), "bad");
}

#[test]
fn after_a_bad_wave_only_who_had_the_bad_value_is_restarted() {
    let mut lab = lab(&["api", "batch", "web"]);
    lab.sync.rollout.waves = vec![
        one_wave("edge", "api"),
        WavePlan {
            name: "rest".to_owned(),
            members: WaveMembers::Rest,
            max_parallel: 9,
            pause: Duration::ZERO,
        },
    ];
    lab.news("bad");
    assert_eq!(lab.marked(), ["api"]);
    // One pod of another workload happens to start while the bad value is there.
    let now = lab.world.state().now;
    let mut pods = vec![pod(0, None), pod(now + 2, None)];
    lab.world
        .state()
        .pods
        .insert("uid-batch".to_owned(), std::mem::take(&mut pods));
    lab.replace_pods(Some("CreateContainerConfigError"));
    lab.look();
    lab.look();
    assert_eq!(lab.value(), "1");
    assert_eq!(lab.marked(), ["api", "batch"]);
    lab.replace_pods(None);
    lab.look();
    assert_eq!(lab.phase(), RolloutPhase::RolledBack);
}

fn one_wave(name: &str, member: &str) -> WavePlan {
    let workload = deployment(member, "panbot", &[]);
    WavePlan {
        name: name.to_owned(),
        members: WaveMembers::One(workload.id.kind, workload.id.name),
        max_parallel: 1,
        pause: Duration::ZERO,
    }
}

#[test]
fn waves_go_one_after_the_other_as_many_at_a_time_as_they_say_and_pause_between() {
    let mut lab = lab(&["a", "b", "c", "d"]);
    lab.sync.rollout.waves = vec![
        WavePlan {
            pause: Duration::from_mins(10),
            ..one_wave("first", "d")
        },
        WavePlan {
            name: "rest".to_owned(),
            members: WaveMembers::Rest,
            max_parallel: 2,
            pause: Duration::ZERO,
        },
    ];
    lab.news("2");
    assert_eq!(lab.marked(), ["d"]);
    assert_eq!(
        lab.status.rollout.as_ref().unwrap().wave.as_deref(),
        Some("first")
    );
    lab.look();
    assert_eq!(lab.marked(), [""; 0], "one at a time");
    lab.replace_pods(None);
    lab.look();
    assert_eq!(lab.marked(), [""; 0], "it pauses");
    assert!(lab.tells(ConditionType::RolledOut).1.contains("RollingOut"));
    lab.restart();
    lab.waits(300);
    lab.look();
    assert_eq!(
        lab.marked(),
        [""; 0],
        "a restart of the operator does not end the pause"
    );
    lab.waits(301);
    lab.look();
    assert_eq!(lab.marked(), ["a", "b"]);
    lab.replace_pods(None);
    lab.look();
    assert_eq!(lab.marked(), ["c"]);
    lab.replace_pods(None);
    lab.look();
    assert_eq!(lab.phase(), RolloutPhase::Complete);
    assert_eq!(lab.settle(), 1);
}

#[test]
fn what_the_cluster_causes_is_no_reason_to_take_anything_back() {
    for trouble in ["ImagePullBackOff", "Unschedulable", "OOMKilled"] {
        let mut lab = lab(&["api"]);
        lab.news("2");
        lab.replace_pods(Some(trouble));
        lab.look();
        lab.waits(10_000);
        lab.look();
        assert_eq!(lab.phase(), RolloutPhase::Stuck, "{trouble}");
        assert_eq!(lab.value(), "2");
    }
}

#[test]
fn pods_that_run_and_do_not_get_ready_in_time_are_a_reason() {
    let mut lab = lab(&["api"]);
    lab.news("2");
    lab.replace_pods(Some(""));
    let unready = PodView {
        trouble: None,
        ready: false,
        ..pod(lab.world.state().now - 30, None)
    };
    lab.world
        .state()
        .pods
        .insert("uid-api".to_owned(), vec![unready]);
    lab.look();
    assert_eq!(lab.phase(), RolloutPhase::Restarting);
    lab.waits(601);
    lab.look();
    assert_eq!(lab.phase(), RolloutPhase::RollingBack);
}

#[test]
fn a_workload_that_was_broken_before_says_nothing_about_the_value() {
    let mut lab = lab(&["api"]);
    lab.world.state().workloads[0].available = 0;
    lab.news("2");
    lab.replace_pods(Some("CrashLoopBackOff"));
    lab.waits(10_000);
    lab.look();
    assert_eq!(
        (lab.phase(), lab.value().as_str()),
        (RolloutPhase::Stuck, "2")
    );
}

#[test]
fn hold_stops_and_waits_for_a_person_who_may_pin_the_old_one() {
    let mut lab = lab(&["api", "web"]);
    lab.sync.rollout.on_failure = OnFailure::Hold;
    lab.sync.rollout.waves = vec![
        one_wave("edge", "api"),
        WavePlan {
            members: WaveMembers::Rest,
            ..one_wave("rest", "web")
        },
    ];
    let old = lab.in_use();
    lab.news("bad");
    lab.replace_pods(Some("CrashLoopBackOff"));
    lab.look();
    lab.look();
    assert_eq!(
        (lab.phase(), lab.value().as_str()),
        (RolloutPhase::Held, "bad")
    );
    assert_eq!(
        lab.tells(ConditionType::RolledOut),
        told(false, Reason::RolloutHeld)
    );
    assert_eq!(lab.marked(), ["api"], "the next wave does not begin");
    lab.wishes.pin = Some(old.clone());
    lab.look();
    assert_eq!((lab.value().as_str(), lab.in_use()), ("1", old));
}

#[test]
fn old_values_that_are_dead_do_not_come_back() {
    let bad = |lab: &mut Lab| {
        lab.news("bad");
        lab.replace_pods(Some("CrashLoopBackOff"));
        lab.look();
    };
    let mut refused = lab(&["api"]);
    let pattern = regex::bytes::Regex::new("^bad$").unwrap();
    refused.sync.validators = vec![Validator {
        name: "llm".to_owned(),
        key: crate::testing::key("A"),
        check: Check::Here(LocalCheck::Matching(pattern)),
        every: None,
        timeout: Duration::from_secs(1),
    }];
    let mut ended = lab(&["api"]);
    ended.sync.rollout.previous = Previous::ValidFor(Duration::from_secs(1));
    let mut dead = lab(&["api"]);
    dead.sync.rollout.previous = Previous::Invalid;
    for lab in [&mut refused, &mut ended, &mut dead] {
        bad(lab);
        assert_eq!(
            (lab.phase(), lab.value().as_str()),
            (RolloutPhase::Held, "bad")
        );
        assert_eq!(
            lab.tells(ConditionType::RolledOut),
            told(false, Reason::RollbackUnsafe)
        );
    }
}

#[test]
fn whoever_dies_during_a_rollback_is_followed_by_one_who_ends_it_and_restarts_nobody_twice() {
    for write in 0..12 {
        for death in [Death::Before(write), Death::After(write)] {
            let mut lab = lab(&["api", "web"]);
            lab.news("bad");
            lab.replace_pods(Some("CrashLoopBackOff"));
            lab.world.take_calls();
            lab.world.revive();
            lab.world.state().death = Some(death);
            for _ in 0..4 {
                if lab.try_run(false).is_none() {
                    lab.restart();
                }
            }
            lab.replace_pods(None);
            lab.look();
            lab.refresh();
            lab.refresh();
            let mut marked = lab.marked();
            marked.sort();
            assert_eq!(lab.value(), "1", "{death:?}");
            assert_eq!(marked, ["api", "web"], "{death:?}");
            assert_eq!(lab.phase(), RolloutPhase::RolledBack, "{death:?}");
        }
    }
}

#[test]
fn a_canary_is_tried_before_anything_is_written() {
    let mut lab = lab(&["api"]);
    lab.sync.rollout.canary = Some(canary_plan());
    lab.news("2");
    assert_eq!(lab.value(), "1");
    assert_eq!(lab.phase(), RolloutPhase::Canary);
    assert!(lab.tells(ConditionType::Reconciling).0);
    let (trial, _) = lab.world.state().canary.clone().expect("a canary");
    assert_eq!(
        trial.candidates[0].data[&crate::testing::key("A")].expose(),
        b"2"
    );
    let now = lab.world.state().now;
    lab.world.state().canary.as_mut().unwrap().1.pods = ready_canary(now).pods;
    lab.look();
    assert_eq!(
        (lab.phase(), lab.value().as_str()),
        (RolloutPhase::Soaking, "1")
    );
    lab.waits(61);
    lab.look();
    assert_eq!(lab.value(), "2");
    assert!(lab.world.state().canary.is_none(), "it goes away");
    assert_eq!(lab.marked(), ["api"]);
    lab.replace_pods(None);
    lab.look();
    assert_eq!(lab.phase(), RolloutPhase::Complete);
    assert_eq!(lab.settle(), 1);
}

#[test]
fn a_canary_that_crashes_rejects_the_value_and_nobody_else_has_seen_it() {
    let mut lab = lab(&["api"]);
    lab.sync.rollout.canary = Some(canary_plan());
    lab.world.state().canaries_are = crashing_canary();
    lab.news("bad");
    lab.look();
    assert!(lab.world.state().canary.is_none());
    assert_eq!(
        lab.tells(ConditionType::Ready),
        told(false, Reason::RevisionRejected)
    );
    for _ in 0..3 {
        lab.restart();
        lab.refresh();
    }
    let calls = lab.world.take_calls();
    let tried = calls
        .iter()
        .filter(|call| matches!(call, Call::Try(_)))
        .count();
    let written = calls
        .iter()
        .any(|call| matches!(call, Call::Write(_) | Call::Mark(_)));
    assert_eq!((tried, written, lab.value().as_str()), (1, false, "1"));
    assert_eq!(
        lab.history(),
        [RevisionOutcome::InUse, RevisionOutcome::Rejected]
    );
    lab.world.state().canaries_are = ready_canary(0);
    lab.news("3");
    lab.look();
    assert_eq!(lab.value(), "3");
}

#[test]
fn while_a_canary_runs_a_hand_edit_is_repaired_and_a_vault_that_is_down_stops_nothing() {
    let mut lab = lab(&["api"]);
    lab.sync.rollout.canary = Some(canary_plan());
    lab.world.state().canaries_are = ready_canary(2_000_000);
    lab.news("2");
    lab.world.edit("Secret panbot", "A", Some("edited"));
    lab.look();
    assert_eq!(lab.value(), "1");
    lab.world.fail("vault", unavailable());
    lab.refresh();
    assert!(lab.tells(ConditionType::Stale).0);
    assert_eq!(
        lab.phase(),
        RolloutPhase::Soaking,
        "{:#?}",
        lab.status.conditions
    );
    lab.waits(1_000_100);
    lab.look();
    assert_eq!(lab.value(), "2");
}

#[test]
fn a_newer_change_takes_the_place_of_the_one_that_is_tried() {
    let mut lab = lab(&["api"]);
    lab.sync.rollout.canary = Some(canary_plan());
    lab.news("2");
    let first = lab.status.rollout.as_ref().unwrap().revision.clone();
    lab.news("3");
    let second = lab.status.rollout.as_ref().unwrap().revision.clone();
    assert_ne!(first, second);
    let (trial, _) = lab.world.state().canary.clone().expect("a canary");
    assert_eq!(Some(trial.revision.to_string()), second);
    lab.news("1");
    assert!(
        lab.world.state().canary.is_none(),
        "the sources are back at what is in use"
    );
    assert_eq!(lab.phase(), RolloutPhase::Complete);
}

#[test]
fn a_canary_that_cannot_be_made_holds_the_change_and_rejects_nothing() {
    let mut lab = lab(&["api"]);
    lab.sync.rollout.canary = Some(canary_plan());
    let refusal = Fault::new(FaultClass::Denied, "canary", "is not switched on here");
    lab.world.state().refuse_canaries = Some(refusal);
    lab.news("2");
    assert_eq!(lab.value(), "1");
    assert_eq!(
        lab.tells(ConditionType::RolledOut),
        told(false, Reason::CanaryHindered)
    );
    lab.world.state().refuse_canaries = None;
    lab.world.state().canaries_are = ready_canary(0);
    lab.look();
    lab.look();
    assert_eq!(lab.value(), "2");
}

#[test]
fn checks_decide_about_a_canary_that_is_ready() {
    let mut lab = lab(&["api"]);
    lab.sync.rollout.canary = Some(CanaryPlan {
        checks: vec![CanaryCheck {
            name: "health".to_owned(),
            asks: CheckQuestion::Url {
                url: "https://example.com".to_owned(),
                expect_status: Vec::new(),
            },
            every: Duration::from_secs(10),
            failure_limit: 0,
            timeout: Duration::from_secs(1),
        }],
        ..canary_plan()
    });
    lab.world.state().canaries_are = ready_canary(0);
    let unknown = CheckVerdict::Inconclusive("times out".to_owned());
    lab.world
        .state()
        .checks
        .insert("health".to_owned(), unknown);
    lab.news("2");
    lab.look();
    assert_eq!(lab.value(), "1");
    let failed = CheckVerdict::Failed("answered 500".to_owned());
    lab.world.state().checks.insert("health".to_owned(), failed);
    lab.waits(30);
    lab.look();
    assert_eq!(
        lab.tells(ConditionType::Ready),
        told(false, Reason::RevisionRejected)
    );
}

fn window(hold: WindowHold) -> ChangeWindow {
    ChangeWindow {
        // 1970-01-12: the lab begins at 13:46:40 UTC.
        opens: Schedule(cronexpr::parse_crontab("0 20 * * * UTC").unwrap()),
        duration: Duration::from_hours(1),
        hold,
    }
}

#[test]
fn a_closed_window_holds_the_write_and_not_the_repair() {
    let mut lab = lab(&["api"]);
    lab.sync.rollout.windows = vec![window(WindowHold::Write)];
    lab.news("2");
    assert_eq!(lab.value(), "1");
    assert_eq!(
        lab.tells(ConditionType::RolledOut),
        told(false, Reason::WaitingForWindow)
    );
    lab.assert_ready();
    assert!(!lab.tells(ConditionType::Reconciling).0);
    lab.world.edit("Secret panbot", "A", Some("edited"));
    lab.look();
    assert_eq!(lab.value(), "1");
    let status = lab.status.clone();
    lab.look();
    lab.refresh();
    assert_eq!(lab.status, status, "nothing changes while nothing happens");
    lab.world.state().now = 1_000_000 - 1_000_000 % 86_400 + 20 * 3_600;
    lab.look();
    assert_eq!(lab.value(), "2");
}

#[test]
fn a_window_for_restarts_lets_the_write_through() {
    let mut lab = lab(&["api"]);
    lab.sync.rollout.windows = vec![window(WindowHold::Restart)];
    lab.news("2");
    assert_eq!((lab.value().as_str(), lab.marked().len()), ("2", 0));
    assert_eq!(
        lab.tells(ConditionType::RolledOut),
        told(false, Reason::WaitingForWindow)
    );
    lab.world.state().now = 1_000_000 - 1_000_000 % 86_400 + 20 * 3_600;
    lab.look();
    assert_eq!(lab.marked(), ["api"]);
}

#[test]
fn in_an_emergency_a_person_skips_window_and_soak_for_one_revision() {
    let mut lab = lab(&["api"]);
    lab.sync.rollout.windows = vec![window(WindowHold::Write)];
    lab.sync.rollout.canary = Some(canary_plan());
    let now = lab.world.state().now;
    lab.world.state().canaries_are = ready_canary(now);
    lab.news("2");
    let revision = lab.status.rollout.as_ref().unwrap().revision.clone();
    lab.wishes.now = revision;
    lab.look();
    assert_eq!(lab.value(), "1", "the canary must be ready all the same");
    lab.look();
    assert_eq!(lab.value(), "2");
    lab.replace_pods(None);
    lab.look();
    lab.news("3");
    assert_eq!(lab.value(), "2", "it is about one revision");
}

#[test]
fn a_rollout_that_needs_approval_waits_for_the_one_that_names_its_revision() {
    let mut lab = lab(&["api"]);
    lab.sync.rollout.approval = true;
    lab.news("2");
    assert_eq!(lab.value(), "1");
    assert_eq!(
        lab.tells(ConditionType::RolledOut),
        told(false, Reason::RolloutApprovalRequired)
    );
    let revision = lab.status.rollout.as_ref().unwrap().revision.clone();
    lab.wishes.approve_rollout = Some("another".to_owned());
    lab.look();
    assert_eq!(lab.value(), "1");
    lab.wishes.approve_rollout = revision;
    lab.look();
    assert_eq!(lab.value(), "2");
}

#[test]
fn a_pinned_revision_stays_whatever_the_sources_bring_and_goes_with_the_pin() {
    let mut lab = lab(&["api"]);
    let old = lab.in_use();
    lab.news("2");
    lab.replace_pods(None);
    lab.look();
    lab.wishes.pin = Some(old.clone());
    lab.look();
    assert_eq!((lab.value().as_str(), lab.in_use()), ("1", old.clone()));
    assert_eq!(lab.status.pinned, Some(old));
    lab.replace_pods(None);
    lab.look();
    lab.news("3");
    assert_eq!(lab.value(), "1");
    lab.world.take_calls();
    lab.assert_ready();
    lab.restart();
    lab.refresh();
    assert_eq!(lab.value(), "1");
    lab.wishes.pin = None;
    lab.refresh();
    assert_eq!(lab.value(), "3");
    assert_eq!(lab.status.pinned, None);
}

#[test]
fn what_is_not_kept_cannot_be_pinned_and_what_is_in_use_stays() {
    let mut lab = lab(&["api"]);
    lab.wishes.pin = Some("never-seen".to_owned());
    lab.look();
    assert_eq!(lab.value(), "1");
    lab.assert_not_ready(Reason::PinNotPossible);
}

#[test]
fn a_revoked_revision_is_purged_and_never_comes_back() {
    let mut lab = lab(&["api"]);
    let leaked = lab.in_use();
    lab.news("2");
    lab.replace_pods(None);
    lab.look();
    assert_eq!(
        lab.history(),
        [RevisionOutcome::InUse, RevisionOutcome::Kept]
    );
    lab.wishes.revoke = Some(format!(" {leaked} ,other"));
    lab.look();
    assert_eq!(lab.history(), [RevisionOutcome::InUse]);
    lab.news("1");
    assert_eq!(lab.value(), "2");
    lab.assert_not_ready(Reason::RevisionRevoked);
    lab.wishes.revoke = None;
    lab.restart();
    lab.refresh();
    assert_eq!(lab.value(), "2", "the record remembers");
    lab.wishes.pin = Some(leaked);
    lab.look();
    lab.assert_not_ready(Reason::PinNotPossible);
}

#[test]
fn forgetting_drops_what_is_older_once() {
    let mut lab = lab(&["api"]);
    lab.news("2");
    lab.replace_pods(None);
    lab.look();
    lab.wishes.forget = Some("1".to_owned());
    lab.look();
    assert_eq!(lab.history(), [RevisionOutcome::InUse]);
    lab.news("3");
    lab.replace_pods(None);
    lab.look();
    assert_eq!(
        lab.history(),
        [RevisionOutcome::InUse, RevisionOutcome::Kept]
    );
}

#[test]
fn history_names_what_changed_and_never_a_value() {
    let mut lab = lab(&["api"]);
    lab.news("t0psecret-9");
    assert_eq!(lab.status.history[0].changed, ["A"]);
    let text = serde_json::to_string(&lab.status).unwrap();
    assert!(!text.contains("t0psecret-9"));
}

#[test]
fn an_edit_of_the_rules_lifts_a_rejection_of_a_canary() {
    let mut lab = lab(&["api"]);
    lab.sync.rollout.canary = Some(canary_plan());
    lab.world.state().canaries_are = crashing_canary();
    lab.news("2");
    lab.look();
    lab.world.state().canaries_are = ready_canary(0);
    lab.refresh();
    assert_eq!(lab.value(), "1");
    lab.sync.generation += 1;
    lab.sync.rules = RulesDigest("others".to_owned());
    lab.refresh();
    lab.look();
    assert_eq!(lab.value(), "2");
}

#[test]
fn a_canary_that_could_not_be_removed_is_removed_later_and_holds_nothing_up() {
    let mut lab = lab(&["api"]);
    lab.sync.rollout.canary = Some(canary_plan());
    lab.world.state().canaries_are = ready_canary(0);
    lab.news("2");
    lab.world.state().refuse_stops = Some(unavailable());
    lab.look();
    assert_eq!(lab.value(), "2");
    assert!(lab.world.state().canary.is_some());
    lab.world.state().refuse_stops = None;
    lab.look();
    assert!(lab.world.state().canary.is_none());
    lab.replace_pods(None);
    lab.look();
    assert_eq!(lab.phase(), RolloutPhase::Complete);
}

#[test]
fn a_canary_that_no_status_tells_of_is_found_by_the_next_process() {
    let mut lab = lab(&["api"]);
    lab.sync.rollout.canary = Some(canary_plan());
    lab.look();
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    lab.world.revive();
    lab.world.state().death = Some(Death::After(0));
    assert!(lab.try_run(true).is_none());
    assert!(lab.world.state().canary.is_some());
    lab.world.answer("vault", &[("A", "1"), ("B", "1")]);
    lab.restart();
    lab.refresh();
    assert!(lab.world.state().canary.is_none());
    lab.world.take_calls();
    lab.refresh();
    assert_eq!(lab.world.take_calls(), [Call::Read("vault".to_owned())]);
}

#[test]
fn who_decides_about_a_revision_is_named_once() {
    let mut lab = lab(&["api"]);
    let old = lab.in_use();
    lab.sync.rollout.approval = true;
    lab.news("2");
    let revision = lab.status.rollout.as_ref().unwrap().revision.clone();
    lab.wishes.approve_rollout = revision;
    lab.look();
    lab.look();
    lab.wishes.pin = Some(old);
    lab.look();
    lab.wishes.revoke = Some("leaked".to_owned());
    lab.look();
    lab.look();
    let state = lab.world.state();
    let decisions = [
        AuditAction::Approve,
        AuditAction::Rollback,
        AuditAction::Purge,
    ];
    let told = state
        .audit
        .iter()
        .filter(|entry| decisions.contains(&entry.action));
    let told: Vec<_> = told
        .map(|entry| (entry.action, entry.by.as_deref()))
        .collect();
    assert_eq!(told, decisions.map(|action| (action, Some("ada"))));
}
