//! Rule 4: one change, one restart.

use super::lab::Lab;
use crate::api::status::RolloutPhase;
use crate::conditions::{ConditionType, Reason};
use crate::fault::{Fault, FaultClass};
use crate::restart::marker_annotation;
use crate::testing::deployment;
use crate::testing::world::Call;
use crate::workload::{PodView, WorkloadView};
use jiff::Timestamp;

fn pod(started: i64) -> PodView {
    PodView {
        name: "pod".to_owned(),
        started: Timestamp::from_second(started).ok(),
        ready: true,
        trouble: None,
    }
}

/// A synced lab whose Deployments have pods that started long ago.
fn lab(workloads: Vec<WorkloadView>) -> Lab {
    let mut lab = Lab::new();
    for workload in &workloads {
        lab.world
            .state()
            .pods
            .insert(workload.id.uid.clone(), vec![pod(0)]);
    }
    lab.world.state().workloads = workloads;
    lab.refresh();
    lab
}

fn marks(lab: &Lab) -> Vec<Call> {
    lab.world
        .take_calls()
        .into_iter()
        .filter(|call| matches!(call, Call::Mark(_)))
        .collect()
}

fn marked(name: &str) -> Call {
    Call::Mark(format!("Deployment {name}"))
}

fn marker(lab: &Lab, index: usize) -> Option<String> {
    lab.world.state().workloads[index]
        .template_annotations
        .get(&marker_annotation(&lab.sync.id))
        .cloned()
}

/// The workload's controller does its work: pods of the new template replace the old.
fn roll(lab: &Lab) {
    let mut state = lab.world.state();
    state.now += 30;
    let now = state.now;
    let uids: Vec<String> = state
        .workloads
        .iter_mut()
        .filter(|workload| workload.observed_generation < workload.generation)
        .map(|workload| {
            workload.observed_generation = workload.generation;
            workload.id.uid.clone()
        })
        .collect();
    for uid in uids {
        state.pods.insert(uid, vec![pod(now)]);
    }
    state.now += 30;
}

#[test]
fn first_contact_restarts_nothing_and_does_not_even_look() {
    let lab = lab(vec![deployment("api", "panbot", &[])]);
    let calls = lab.world.take_calls();
    assert!(!calls.contains(&Call::List), "{calls:?}");
    assert_eq!(
        lab.condition(ConditionType::RolledOut),
        (true, "NothingToRestart".to_owned())
    );
}

#[test]
fn a_changed_value_restarts_each_user_once_and_then_rests() {
    let mut lab = lab(vec![
        deployment("api", "panbot", &[]),
        deployment("web", "other", &[]),
    ]);
    lab.world.take_calls();
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    lab.refresh();
    assert_eq!(marks(&lab), [marked("api")]);
    assert_eq!(
        lab.condition(ConditionType::RolledOut),
        (false, "RollingOut".to_owned())
    );
    assert!(lab.condition(ConditionType::Reconciling).0);
    lab.look();
    assert_eq!(marks(&lab), [], "progress is watched, nothing is set twice");
    roll(&lab);
    lab.look();
    assert_eq!(
        lab.condition(ConditionType::RolledOut),
        (true, "RolledOut".to_owned())
    );
    lab.world.take_calls();
    lab.look();
    lab.refresh();
    assert_eq!(lab.world.take_calls(), [Call::Read("vault".to_owned())]);
}

#[test]
fn a_key_that_a_workload_does_not_use_does_not_restart_it() {
    let mut lab = lab(vec![
        deployment("api", "panbot", &["A"]),
        deployment("web", "panbot", &["B"]),
    ]);
    lab.world.take_calls();
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    lab.refresh();
    assert_eq!(marks(&lab), [marked("api")]);
}

#[test]
fn a_renamed_key_is_one_restart_although_it_takes_two_reads() {
    let mut lab = lab(vec![deployment("api", "panbot", &[])]);
    lab.world.take_calls();
    lab.world.answer("vault", &[("A", "1"), ("NEW", "1")]);
    for _ in 0..4 {
        lab.refresh();
        roll(&lab);
    }
    assert_eq!(marks(&lab), [marked("api")]);
}

#[test]
fn the_content_going_back_is_a_restart_of_its_own() {
    let mut lab = lab(vec![deployment("api", "panbot", &[])]);
    let mut markers = Vec::new();
    lab.sync.rollout.max_restarts = 9;
    for value in ["2", "1", "2"] {
        lab.world.answer("vault", &[("A", value), ("B", "1")]);
        lab.refresh();
        markers.push(marker(&lab, 0).unwrap());
        roll(&lab);
        lab.look();
    }
    assert_eq!(markers[0], markers[2]);
    assert_ne!(markers[0], markers[1]);
    assert_eq!(marks(&lab).len(), 3);
}

#[test]
fn a_repair_restarts_only_who_started_on_the_tampered_content() {
    for (started, restarts) in [(0, 0), (1, 1)] {
        let mut lab = lab(vec![deployment("api", "panbot", &[])]);
        lab.world.state().now += 100;
        lab.world.edit("Secret panbot", "A", Some("edited"));
        let edited = lab.world.state().now;
        lab.world.state().now += 100;
        if started == 1 {
            lab.world
                .state()
                .pods
                .insert("uid-api".to_owned(), vec![pod(0), pod(edited + 50)]);
        }
        lab.world.take_calls();
        lab.look();
        assert_eq!(marks(&lab).len(), restarts);
        roll(&lab);
        lab.look();
        lab.look();
        assert_eq!(marks(&lab).len(), 0, "once");
    }
}

#[test]
fn pods_that_started_after_the_write_make_a_missing_marker_no_restart() {
    let mut lab = lab(vec![deployment("api", "panbot", &[])]);
    lab.world.take_calls();
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    let now = lab.world.state().now;
    lab.world
        .state()
        .pods
        .insert("uid-api".to_owned(), vec![pod(now + 60)]);
    lab.refresh();
    assert_eq!(marks(&lab), []);
    assert!(lab.condition(ConditionType::RolledOut).0);
}

#[test]
fn a_stripped_marker_is_set_once_more_and_then_contested() {
    let mut lab = lab(vec![deployment("api", "panbot", &[])]);
    lab.world.take_calls();
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    lab.refresh();
    let strip = |lab: &Lab| lab.world.state().workloads[0].template_annotations.clear();
    strip(&lab);
    lab.look();
    assert_eq!(marks(&lab).len(), 2);
    strip(&lab);
    for _ in 0..5 {
        lab.look();
    }
    assert_eq!(marks(&lab), [], "no loop");
    assert_eq!(
        lab.condition(ConditionType::RolledOut),
        (false, Reason::RestartContested.to_string())
    );
}

#[test]
fn what_cannot_or_must_not_be_restarted_is_told_not_claimed() {
    let mut paused = deployment("paused", "panbot", &[]);
    paused.paused = true;
    let mut on_delete = deployment("on-delete", "panbot", &[]);
    on_delete.on_delete = true;
    let mut controlled = deployment("controlled", "panbot", &[]);
    controlled.controlled_by = Some("Operator/x".to_owned());
    let mut opted_out = deployment("opted-out", "panbot", &[]);
    opted_out
        .annotations
        .insert("penstock.dev/reload".to_owned(), "false".to_owned());
    let mut idle = deployment("idle", "panbot", &[]);
    (idle.replicas, idle.existing, idle.updated, idle.available) = (0, 0, 0, 0);
    let mut lab = lab(vec![paused, on_delete, controlled, opted_out, idle]);
    lab.world.take_calls();
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    lab.refresh();
    assert_eq!(marks(&lab), []);
    assert_eq!(
        lab.condition(ConditionType::RolledOut),
        (false, Reason::RestartRefused.to_string())
    );
    let named: Vec<String> = lab
        .status
        .rollout
        .as_ref()
        .unwrap()
        .attention
        .iter()
        .map(|one| one.name.clone())
        .collect();
    assert_eq!(named, ["paused", "on-delete", "controlled"]);

    lab.world.state().workloads[0].paused = false;
    lab.look();
    assert_eq!(
        marks(&lab),
        [marked("paused")],
        "once it is resumed, it is restarted"
    );
}

#[test]
fn the_budget_holds_restarts_back_and_lets_them_go_later() {
    let mut lab = lab(vec![deployment("api", "panbot", &[])]);
    lab.sync.rollout.max_restarts = 2;
    lab.world.take_calls();
    for value in ["2", "3", "4"] {
        lab.world.answer("vault", &[("A", value), ("B", "1")]);
        lab.refresh();
        roll(&lab);
        lab.look();
    }
    assert_eq!(marks(&lab).len(), 2);
    assert_eq!(
        lab.condition(ConditionType::RolledOut),
        (false, Reason::RestartBudgetExhausted.to_string())
    );
    lab.world.state().now += 3700;
    lab.look();
    assert_eq!(marks(&lab).len(), 1);
}

#[test]
fn a_rollout_past_its_deadline_names_the_workload() {
    let mut lab = lab(vec![deployment("api", "panbot", &[])]);
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    lab.refresh();
    lab.world.state().now += 601;
    lab.look();
    assert_eq!(
        lab.condition(ConditionType::RolledOut),
        (false, Reason::RolloutStuck.to_string())
    );
    assert_eq!(
        lab.status.rollout.as_ref().unwrap().attention[0].name,
        "api"
    );
    roll(&lab);
    lab.look();
    assert_eq!(
        lab.status.rollout.as_ref().unwrap().phase,
        Some(RolloutPhase::Complete)
    );
}

#[test]
fn a_new_process_or_leader_restarts_nothing() {
    let mut lab = lab(vec![deployment("api", "panbot", &[])]);
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    lab.refresh();
    lab.restart();
    lab.world.take_calls();
    lab.refresh();
    roll(&lab);
    lab.look();
    lab.restart();
    lab.look();
    assert_eq!(marks(&lab), []);
    assert_eq!(
        lab.condition(ConditionType::RolledOut),
        (true, "RolledOut".to_owned())
    );
}

#[test]
fn where_restarts_are_switched_off_nobody_looks_at_workloads() {
    let mut lab = lab(vec![deployment("api", "panbot", &[])]);
    lab.sync.rollout.restart = false;
    lab.world.take_calls();
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    lab.refresh();
    assert!(!lab.world.take_calls().contains(&Call::List));
    lab.assert_ready();
}

#[test]
fn a_target_under_another_name_restarts_only_who_used_a_key_that_went() {
    let workloads = vec![
        deployment("a", "panbot", &["A"]),
        deployment("b", "panbot", &["B"]),
    ];
    let mut lab = lab(workloads);
    let mut rename = |name: &str, keys: &[&str]| {
        let target = &mut lab.sync.targets[0];
        target.name = crate::names::TargetName::new(name).unwrap();
        target.select.keys = keys.iter().map(|name| crate::testing::key(name)).collect();
        lab.sync.generation += 1;
        lab.refresh();
        marks(&lab)
    };
    assert_eq!(rename("renamed", &[]), []);
    assert_eq!(rename("again", &["A"]), [marked("b")]);
}

#[test]
fn a_change_that_somebody_wrote_into_the_secret_first_is_a_restart_all_the_same() {
    let mut lab = lab(vec![deployment("api", "panbot", &[])]);
    lab.sync.targets[0].repair = false;
    lab.world.state().now += 100;
    lab.world.edit("Secret panbot", "A", Some("2"));
    lab.look();
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    lab.world.take_calls();
    lab.refresh();
    assert_eq!(marks(&lab), [marked("api")]);
    lab.assert_ready();
    // From now on the new content is what counts: going back is tampering, and nobody restarts for it.
    roll(&lab);
    lab.look();
    lab.world.edit("Secret panbot", "A", Some("1"));
    lab.look();
    assert!(lab.condition(ConditionType::Drifted).0);
    assert_eq!(marks(&lab), []);
}

#[test]
fn a_write_that_fails_many_times_costs_one_restart_and_one_piece_of_the_budget() {
    let mut lab = lab(vec![deployment("api", "panbot", &[])]);
    let refused = Fault::new(FaultClass::Conflict, "Secret panbot", "changed in between");
    lab.world.state().refuse_writes = Some(refused);
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    for _ in 0..6 {
        lab.refresh();
    }
    lab.world.state().refuse_writes = None;
    lab.refresh();
    assert_eq!(marks(&lab), [marked("api")]);
    for value in ["3", "4"] {
        roll(&lab);
        lab.world.answer("vault", &[("A", value), ("B", "1")]);
        lab.refresh();
        assert_eq!(marks(&lab), [marked("api")]);
    }
}

#[test]
fn switching_restarts_off_ends_what_is_told_of_a_rollout() {
    let mut lab = lab(vec![deployment("api", "panbot", &[])]);
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    lab.refresh();
    assert!(lab.condition(ConditionType::Reconciling).0);
    lab.sync.rollout.restart = false;
    lab.sync.generation += 1;
    lab.refresh();
    assert!(!lab.condition(ConditionType::Reconciling).0);
    assert_eq!(lab.status.rollout, None);
    let mut conditions = lab.status.conditions.iter();
    assert!(!conditions.any(|one| one.condition_type == ConditionType::RolledOut.as_str()));
    lab.world.take_calls();
    lab.look();
    assert_eq!(lab.world.take_calls(), []);
}

#[test]
fn a_restart_that_nobody_may_look_for_is_owed_and_told_until_somebody_may() {
    let mut lab = lab(vec![
        deployment("api", "panbot", &["A"]),
        deployment("web", "panbot", &["B"]),
    ]);
    let denied = Fault::new(FaultClass::Denied, "workloads", "may not be listed");
    lab.world.state().refuse_lists = Some(denied);
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    for _ in 0..3 {
        lab.refresh();
        let told = lab.condition(ConditionType::RolledOut);
        assert_eq!(told, (false, Reason::Denied.to_string()));
        lab.assert_ready();
    }
    lab.world.take_calls();
    lab.restart();
    lab.refresh();
    assert!(!lab.world.take_calls().iter().any(Call::is_write));
    lab.world.state().refuse_lists = None;
    lab.look();
    assert_eq!(marks(&lab), [marked("api")]);
    roll(&lab);
    lab.look();
    assert!(lab.condition(ConditionType::RolledOut).0);
    lab.world.take_calls();
    lab.look();
    assert_eq!(lab.world.take_calls(), []);
}
