//! The seam of a pass: looking writes nothing, and carrying out does what was seen. As the command line runs it,
//! which keeps no status.

use std::collections::{BTreeMap, BTreeSet};

use futures::FutureExt as _;

use super::lab::{Lab, pairs};
use crate::api::status::SecretSyncStatus;
use crate::conditions::Reason;
use crate::diff::KeyChange;
use crate::engine::{Memory, OnHold, Outcome, PassRequest, Prepared, Reading, Wishes};
use crate::fault::{Fault, FaultClass};
use crate::names::TargetName;
use crate::testing::target;
use crate::testing::world::Call;

/// What the command line asks: nothing is remembered but the record.
fn ask<T>(
    lab: &Lab,
    only: Option<&BTreeSet<TargetName>>,
    work: impl FnOnce(PassRequest<'_>) -> T,
) -> T {
    work(PassRequest {
        sync: &lab.sync,
        status: &SecretSyncStatus::default(),
        seen: &BTreeMap::new(),
        approval: None,
        refresh: None,
        wishes: Wishes::default(),
        on_hold: OnHold::Plan,
        only,
    })
}

/// A reviewer sees what a change would do, and what it waits for; nothing of it is written.
#[test]
fn a_plan_shows_a_change_that_waits_and_says_for_what() {
    let mut lab = Lab::new();
    lab.settle();
    lab.sync.rollout.approval = true;
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    let mut memory = Memory::default();
    let prepared = look(&lab, None, &mut memory);
    let plan = prepared.plan().expect("a plan");
    assert!(!plan.is_empty());
    let held = plan.held.as_ref().expect("it waits");
    assert_eq!(held.reason, Reason::RolloutApprovalRequired);
    assert_eq!(plan.writes().count(), 0);
}

/// Looks, as often as it takes for keys that are gone to be gone twice.
fn look(lab: &Lab, only: Option<&BTreeSet<TargetName>>, memory: &mut Memory) -> Prepared {
    lab.world.state().now += 1;
    ask(lab, only, |request| {
        let looking = async {
            let mut prepared = None;
            for _ in 0..2 {
                let gathered = lab.engine.read(&lab.sync, Reading::Now, memory).await;
                prepared = Some(lab.engine.prepare(request, gathered, memory).await);
            }
            prepared
        };
        looking.now_or_never().flatten().unwrap()
    })
}

fn run(lab: &Lab, only: Option<&BTreeSet<TargetName>>) -> Outcome {
    let mut memory = Memory::default();
    let prepared = look(lab, only, &mut memory);
    ask(lab, only, |request| {
        let work = async {
            let outcome = lab.engine.carry_out(request, prepared, &mut memory).await;
            let targets: Vec<TargetName> = lab
                .sync
                .targets
                .iter()
                .map(|one| one.name.clone())
                .collect();
            lab.engine.confirm(&lab.sync.id, &targets).await.unwrap();
            outcome
        };
        work.now_or_never().unwrap()
    })
}

#[test]
fn looking_writes_nothing_and_sees_what_carrying_out_does() {
    let lab = Lab::new();
    run(&lab, None);
    lab.world.answer("vault", &[("A", "2"), ("C", "1")]);
    lab.world.take_calls();
    let prepared = look(&lab, None, &mut Memory::default());
    assert!(!lab.world.take_calls().iter().any(Call::is_write));
    let plan = prepared.plan().unwrap();
    let of = |change| {
        plan.targets[0]
            .with(change)
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (
            of(KeyChange::Update),
            of(KeyChange::Create),
            of(KeyChange::Delete)
        ),
        (vec!["A".into()], vec!["C".into()], vec!["B".into()])
    );
    run(&lab, None);
    assert_eq!(lab.content(), pairs(&[("A", "2"), ("C", "1")]));
    assert!(
        look(&lab, None, &mut Memory::default())
            .plan()
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_run_that_changes_nothing_writes_nothing() {
    let lab = Lab::new();
    run(&lab, None);
    lab.world.take_calls();
    run(&lab, None);
    assert!(!lab.world.take_calls().iter().any(Call::is_write));
}

#[test]
fn what_was_confirmed_is_told_from_a_write_that_was_interrupted() {
    let lab = Lab::new();
    run(&lab, None);
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    run(&lab, None);
    // Somebody puts the former value back: without the note it would look like our write that never happened.
    lab.world.edit("Secret panbot", "A", Some("1"));
    let prepared = look(&lab, None, &mut Memory::default());
    assert!(prepared.plan().unwrap().targets[0].tampering.is_some());
    run(&lab, None);
    assert_eq!(lab.content(), pairs(&[("A", "2"), ("B", "1")]));
}

#[test]
fn targets_that_are_not_meant_are_neither_written_nor_given_up() {
    let mut lab = Lab::new();
    lab.sync.targets.push(target("other", "other"));
    run(&lab, None);
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    let only = BTreeSet::from([TargetName::new("env").unwrap()]);
    run(&lab, Some(&only));
    assert_eq!(lab.content(), pairs(&[("A", "2"), ("B", "1")]));
    let other = lab.world.content("Secret other").unwrap();
    assert_eq!(other.get("A").map(String::as_str), Some("1"));
    run(&lab, None);
    let other = lab.world.content("Secret other").unwrap();
    assert_eq!(
        other.get("A").map(String::as_str),
        Some("2"),
        "it is still ours"
    );
}

#[test]
fn where_no_target_can_be_looked_at_nothing_is_accepted_and_no_record_is_written() {
    let lab = Lab::new();
    let down = || Fault::new(FaultClass::Unavailable, "Secret panbot", "is silent");
    lab.world.state().refuse_looks = Some(down());
    run(&lab, None);
    assert_eq!(lab.world.record(), None, "a first run accepts nothing");

    lab.world.state().refuse_looks = None;
    run(&lab, None);
    let record = lab.world.record();
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    lab.world.state().refuse_looks = Some(down());
    run(&lab, None);
    assert_eq!(lab.world.record(), record, "nor does a later one");

    lab.world.state().refuse_looks = None;
    run(&lab, None);
    assert_eq!(lab.content(), pairs(&[("A", "2"), ("B", "1")]));
}
