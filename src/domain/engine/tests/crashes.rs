//! The process dies before or after every write it ever makes; the next one finishes the work.

use super::lab::{Lab, pairs};
use crate::api::status::RolloutPhase;
use crate::conditions::Reason;
use crate::testing::deployment;
use crate::testing::world::{Call, Death};
use crate::workload::PodView;
use jiff::Timestamp;

/// A synced lab with one Deployment, and news in the vault.
fn about_to_change() -> Lab {
    let mut lab = Lab::new();
    let started = Timestamp::from_second(0).ok();
    let pod = PodView {
        name: "pod".to_owned(),
        started,
        ready: true,
        trouble: None,
    };
    lab.world
        .state()
        .pods
        .insert("uid-api".to_owned(), vec![pod]);
    lab.world.state().workloads = vec![deployment("api", "panbot", &[])];
    lab.refresh();
    lab.world
        .answer("vault", &[("A", "2"), ("B", "1"), ("C", "1")]);
    lab.world.take_calls();
    lab
}

/// Every way to die in a pass of three writes: record, target, marker.
fn deaths() -> impl Iterator<Item = Death> {
    (0..3).flat_map(|number| [Death::Before(number), Death::After(number)])
}

#[test]
fn killed_at_any_write_of_a_change_the_next_process_finishes_it_with_one_restart() {
    for death in deaths() {
        let mut lab = about_to_change();
        lab.world.revive();
        lab.world.state().death = Some(death);
        assert!(lab.try_run(true).is_none(), "{death:?} must kill");
        lab.restart();
        let mut events = Vec::new();
        for _ in 0..3 {
            events.extend(lab.refresh().events);
        }
        assert_eq!(
            lab.content(),
            pairs(&[("A", "2"), ("B", "1"), ("C", "1")]),
            "{death:?}"
        );
        lab.assert_ready();
        let marks = lab
            .world
            .take_calls()
            .into_iter()
            .filter(|call| matches!(call, Call::Mark(_)))
            .count();
        assert_eq!(marks, 1, "{death:?}");
        let repaired = events.iter().any(|event| event.reason == Reason::Repaired);
        assert!(
            !repaired,
            "{death:?}: our own interrupted write is no tampering"
        );
        lab.world.state().workloads[0].observed_generation = 99;
        lab.refresh();
        assert_eq!(
            lab.status.rollout.as_ref().unwrap().phase,
            Some(RolloutPhase::Complete),
            "{death:?}"
        );
    }
}

#[test]
fn killed_at_any_write_of_a_first_sync_the_next_process_finishes_it() {
    for death in deaths().take(4) {
        let mut lab = Lab::new();
        lab.world.state().death = Some(death);
        assert!(lab.try_run(true).is_none(), "{death:?} must kill");
        lab.restart();
        lab.refresh();
        assert_eq!(lab.content(), pairs(&[("A", "1"), ("B", "1")]), "{death:?}");
        lab.assert_ready();
        assert_eq!(lab.settle(), 1, "{death:?}");
    }
}

#[test]
fn the_vault_moving_on_between_death_and_restart_is_no_tampering() {
    for death in deaths() {
        let mut lab = about_to_change();
        lab.world.revive();
        lab.world.state().death = Some(death);
        assert!(lab.try_run(true).is_none());
        lab.restart();
        lab.world
            .answer("vault", &[("A", "3"), ("B", "1"), ("C", "1")]);
        let events = lab.refresh().events;
        assert_eq!(
            lab.content(),
            pairs(&[("A", "3"), ("B", "1"), ("C", "1")]),
            "{death:?}"
        );
        assert!(
            !events.iter().any(|event| event.reason == Reason::Repaired),
            "{death:?}"
        );
        lab.assert_ready();
    }
}

#[test]
fn an_edit_between_death_and_restart_is_tampering() {
    let mut lab = about_to_change();
    lab.world.revive();
    lab.world.state().death = Some(Death::After(0));
    assert!(lab.try_run(true).is_none());
    lab.restart();
    lab.world.edit("Secret panbot", "A", Some("edited"));
    let events = lab.refresh().events;
    assert_eq!(lab.content(), pairs(&[("A", "2"), ("B", "1"), ("C", "1")]));
    assert!(events.iter().any(|event| event.reason == Reason::Repaired));
}

#[test]
fn a_conflict_at_the_target_is_tried_again_and_loses_nothing() {
    use crate::fault::{Fault, FaultClass};
    let mut lab = about_to_change();
    lab.world.state().refuse_writes = Some(Fault::new(
        FaultClass::Conflict,
        "Secret panbot",
        "changed in the meantime",
    ));
    lab.refresh();
    assert!(
        lab.world
            .take_calls()
            .iter()
            .all(|call| !matches!(call, Call::Mark(_))),
        "nobody restarts before the write"
    );
    lab.world.state().refuse_writes = None;
    lab.refresh();
    assert_eq!(lab.content(), pairs(&[("A", "2"), ("B", "1"), ("C", "1")]));
    assert_eq!(
        lab.world
            .take_calls()
            .into_iter()
            .filter(|call| matches!(call, Call::Mark(_)))
            .count(),
        1
    );
    lab.assert_ready();
}

#[test]
fn killed_while_a_target_takes_fewer_keys_the_next_process_removes_them() {
    for death in [Death::After(0), Death::Before(1)] {
        let mut lab = Lab::new();
        lab.refresh();
        lab.sync.targets[0].select.keys = [crate::testing::key("A")].into();
        lab.sync.generation += 1;
        lab.world.revive();
        lab.world.state().death = Some(death);
        assert!(lab.try_run(true).is_none());
        lab.restart();
        let events = lab.refresh().events;
        assert_eq!(lab.content(), pairs(&[("A", "1")]));
        let repaired = events.iter().any(|event| event.reason == Reason::Repaired);
        assert!(!repaired, "{events:?}");
        assert_eq!(lab.settle(), 1);
    }
}

#[test]
fn killed_before_the_first_write_and_overtaken_by_the_vault_nothing_restarts() {
    let mut lab = Lab::new();
    let pod = PodView {
        name: "pod".to_owned(),
        started: Timestamp::from_second(0).ok(),
        ready: false,
        trouble: None,
    };
    lab.world.state().workloads = vec![deployment("api", "panbot", &[])];
    let pods = [("uid-api".to_owned(), vec![pod])];
    lab.world.state().pods.extend(pods);
    lab.world.state().death = Some(Death::After(0));
    assert!(lab.try_run(true).is_none());
    lab.restart();
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    lab.refresh();
    assert_eq!(lab.content(), pairs(&[("A", "2"), ("B", "1")]));
    let calls = lab.world.take_calls();
    assert!(
        !calls.iter().any(|call| matches!(call, Call::Mark(_))),
        "{calls:?}"
    );
}
