//! The plain life of a sync: appear, stay, follow.

use super::lab::{Lab, pairs};
use crate::conditions::{ConditionType, Reason};
use crate::testing::world::Call;

#[test]
fn a_first_sync_is_one_record_write_and_one_target_write() {
    let mut lab = Lab::new();
    let outcome = lab.refresh();
    assert_eq!(lab.content(), pairs(&[("A", "1"), ("B", "1")]));
    lab.assert_ready();
    assert_eq!(lab.status.summary.as_deref(), Some("1/1"));
    let writes: Vec<Call> = lab
        .world
        .take_calls()
        .into_iter()
        .filter(Call::is_write)
        .collect();
    assert_eq!(
        writes,
        [Call::Save, Call::Write("Secret panbot".to_owned())]
    );
    assert!(
        outcome
            .events
            .iter()
            .any(|event| event.message.contains("created A, B")),
        "{:?}",
        outcome.events
    );
}

#[test]
fn an_unchanged_refresh_reads_the_source_and_touches_nothing_else() {
    let mut lab = Lab::new();
    lab.refresh();
    lab.world.take_calls();
    let before = lab.status.clone();
    let outcome = lab.refresh();
    assert_eq!(lab.world.take_calls(), [Call::Read("vault".to_owned())]);
    assert_eq!((lab.status.clone(), outcome.events.len()), (before, 0));
}

#[test]
fn between_refreshes_a_pass_reads_nothing_at_all() {
    let mut lab = Lab::new();
    lab.refresh();
    lab.world.take_calls();
    lab.look();
    assert_eq!(lab.world.take_calls(), []);
}

#[test]
fn a_changed_value_follows_with_two_writes() {
    let mut lab = Lab::new();
    lab.refresh();
    lab.world.take_calls();
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    let outcome = lab.refresh();
    assert_eq!(lab.content(), pairs(&[("A", "2"), ("B", "1")]));
    let writes = lab
        .world
        .take_calls()
        .into_iter()
        .filter(Call::is_write)
        .count();
    assert_eq!(writes, 2);
    assert!(
        outcome
            .events
            .iter()
            .any(|event| event.message.contains("updated A")),
        "{:?}",
        outcome.events
    );
}

#[test]
fn a_restart_of_the_operator_writes_nothing() {
    let mut lab = Lab::new();
    lab.refresh();
    lab.restart();
    lab.world.take_calls();
    let before = lab.status.clone();
    lab.look();
    assert_eq!(lab.world.take_calls(), [Call::Read("vault".to_owned())]);
    assert_eq!(lab.status, before);
}

#[test]
fn a_suspended_sync_neither_reads_nor_writes() {
    let mut lab = Lab::new();
    lab.sync.suspend = true;
    lab.refresh();
    assert_eq!(lab.world.take_calls(), []);
    lab.assert_not_ready(Reason::Suspended);
    assert_eq!(
        lab.condition(ConditionType::Stalled),
        (true, "Suspended".to_owned())
    );
    lab.sync.suspend = false;
    lab.sync.generation += 1;
    lab.refresh();
    lab.assert_ready();
}

#[test]
fn a_refresh_that_was_asked_for_is_confirmed_once() {
    let mut lab = Lab::new();
    lab.refresh();
    lab.refresh = Some("nonce-1".to_owned());
    lab.refresh();
    assert_eq!(lab.status.refresh.as_deref(), Some("nonce-1"));
    let before = lab.status.clone();
    lab.refresh();
    assert_eq!(lab.status, before);
}

#[test]
fn two_targets_take_their_parts() {
    let mut lab = Lab::new();
    let mut second = crate::testing::target("other", "other");
    second.select.keys = [crate::testing::key("B")].into();
    lab.sync.targets.push(second);
    lab.refresh();
    assert_eq!(
        lab.world
            .content("Secret other")
            .unwrap()
            .into_iter()
            .collect::<Vec<_>>(),
        pairs(&[("B", "1")])
    );
    assert_eq!(lab.status.summary.as_deref(), Some("2/2"));
}

#[test]
fn metadata_touched_by_others_is_noted_without_a_write_to_the_target() {
    let mut lab = Lab::new();
    lab.refresh();
    lab.world
        .state()
        .objects
        .get_mut("Secret panbot")
        .unwrap()
        .resource_version = "777".to_owned();
    lab.world.take_calls();
    lab.look();
    assert!(!lab.world.take_calls().iter().any(Call::is_write));
    lab.assert_ready();
    assert_eq!(
        lab.status.targets[0].resource_version.as_deref(),
        Some("777")
    );
    lab.look();
    assert_eq!(lab.world.take_calls(), []);
}
