//! Rule 2 and decision 4: own only what we made; tell our own half-done write from tampering.

use super::lab::{Lab, pairs, unavailable};
use crate::api::status::TargetState;
use crate::conditions::{ConditionType, Reason};
use crate::ports::ObservedObject;
use crate::secret::SecretValue;
use crate::sync::Adopt;
use crate::testing::world::Call;
use crate::testing::{installation_key, key};

fn foreign(lab: &Lab, entries: &[(&str, &str)]) {
    let object = ObservedObject {
        uid: "foreign".to_owned(),
        resource_version: "1".to_owned(),
        data: entries
            .iter()
            .map(|(name, value)| (key(name), SecretValue::from(*value)))
            .collect(),
        ..ObservedObject::default()
    };
    lab.world
        .state()
        .objects
        .insert("Secret panbot".to_owned(), object);
}

#[test]
fn a_foreign_secret_is_left_as_it_is() {
    for entries in [
        &[("A", "theirs")][..],
        &[("X", "theirs")],
        &[("A", "1"), ("B", "1")],
        &[],
    ] {
        let mut lab = Lab::new();
        foreign(&lab, entries);
        lab.refresh();
        lab.assert_not_ready(Reason::ForeignTarget);
        assert_eq!(lab.content(), pairs(entries));
        assert!(lab.condition(ConditionType::Stalled).0);
    }
}

#[test]
fn adoption_takes_over_what_the_spec_allows() {
    let mut lab = Lab::new();
    lab.sync.targets[0].adopt = Adopt::IfEqual;
    foreign(&lab, &[("A", "1"), ("B", "theirs"), ("X", "theirs")]);
    lab.refresh();
    lab.assert_not_ready(Reason::ForeignTarget);
    foreign(&lab, &[("A", "1"), ("X", "theirs")]);
    lab.refresh();
    lab.assert_ready();
    assert_eq!(
        lab.content(),
        pairs(&[("A", "1"), ("B", "1"), ("X", "theirs")])
    );

    let mut lab = Lab::new();
    lab.sync.targets[0].adopt = Adopt::Always;
    foreign(&lab, &[("A", "theirs"), ("X", "theirs")]);
    lab.refresh();
    lab.assert_ready();
    assert_eq!(
        lab.content(),
        pairs(&[("A", "1"), ("B", "1"), ("X", "theirs")])
    );
}

#[test]
fn an_adopted_key_that_is_not_ours_is_never_deleted() {
    let mut lab = Lab::new();
    lab.sync.targets[0].adopt = Adopt::Always;
    foreign(&lab, &[("A", "theirs"), ("X", "theirs")]);
    lab.refresh();
    lab.world.answer("vault", &[("A", "1")]);
    lab.refresh();
    lab.refresh();
    assert_eq!(lab.content(), pairs(&[("A", "1"), ("X", "theirs")]));
}

#[test]
fn the_secret_of_another_sync_is_refused_and_its_owner_named_only_nearby() {
    for (owner, named) in [
        ("test-installation/prod/other", true),
        ("test-installation/elsewhere/other", false),
    ] {
        let mut lab = Lab::new();
        lab.sync.targets[0].adopt = Adopt::Always;
        foreign(&lab, &[("X", "theirs")]);
        lab.world
            .state()
            .objects
            .get_mut("Secret panbot")
            .unwrap()
            .owner = Some(owner.to_owned());
        lab.refresh();
        lab.assert_not_ready(Reason::OwnedByAnother);
        assert_eq!(lab.content(), pairs(&[("X", "theirs")]));
        assert_eq!(
            format!("{:?}", lab.status).contains("SecretSync other"),
            named
        );
    }
}

/// The record decides, not an annotation that anybody may write.
#[test]
fn a_forged_owner_tag_on_our_own_secret_is_repaired() {
    let mut lab = Lab::new();
    lab.refresh();
    lab.world.edit("Secret panbot", "A", Some("edited"));
    lab.world
        .state()
        .objects
        .get_mut("Secret panbot")
        .unwrap()
        .owner = Some("elsewhere/prod/app".to_owned());
    lab.look();
    lab.assert_ready();
    assert_eq!(lab.content(), pairs(&[("A", "1"), ("B", "1")]));
    let owner = lab.world.state().objects["Secret panbot"].owner.clone();
    assert_eq!(owner.as_deref(), Some("test-installation/prod/panbot"));
}

#[test]
fn another_object_of_the_same_name_is_not_ours_because_the_former_was() {
    let mut lab = Lab::new();
    lab.refresh();
    foreign(&lab, &[("X", "theirs")]);
    lab.world
        .state()
        .objects
        .get_mut("Secret panbot")
        .unwrap()
        .owner = Some("test-installation/prod/other".to_owned());
    lab.look();
    lab.assert_not_ready(Reason::OwnedByAnother);
    assert_eq!(lab.content(), pairs(&[("X", "theirs")]));
}

#[test]
fn syncs_that_share_own_different_keys_and_never_the_same() {
    let mut lab = Lab::new();
    lab.sync.targets[0].share_keys = true;
    foreign(&lab, &[("X", "theirs")]);
    lab.world
        .state()
        .objects
        .get_mut("Secret panbot")
        .unwrap()
        .owner = Some("shared".to_owned());
    lab.refresh();
    lab.assert_ready();
    assert_eq!(
        lab.content(),
        pairs(&[("A", "1"), ("B", "1"), ("X", "theirs")])
    );
    lab.world
        .answer("vault", &[("A", "1"), ("B", "1"), ("X", "ours")]);
    lab.refresh();
    lab.assert_not_ready(Reason::ForeignTarget);
    assert_eq!(
        lab.content(),
        pairs(&[("A", "1"), ("B", "1"), ("X", "theirs")])
    );
}

#[test]
fn a_hand_edit_is_repaired_at_once_and_without_the_vault() {
    let mut lab = Lab::new();
    lab.refresh();
    lab.world.fail("vault", unavailable());
    lab.world.edit("Secret panbot", "A", Some("edited"));
    lab.world.take_calls();
    let outcome = lab.look();
    assert_eq!(lab.content(), pairs(&[("A", "1"), ("B", "1")]));
    assert!(
        !lab.world
            .take_calls()
            .contains(&Call::Read("vault".to_owned()))
    );
    assert!(
        outcome
            .events
            .iter()
            .any(|event| event.reason == Reason::Repaired),
        "{:?}",
        outcome.events
    );
    lab.assert_ready();
}

#[test]
fn a_hand_edit_while_the_operator_was_down_is_repaired_at_start() {
    let mut lab = Lab::new();
    lab.refresh();
    lab.world.edit("Secret panbot", "A", Some("edited"));
    lab.world.fail("vault", unavailable());
    lab.restart();
    lab.refresh();
    assert_eq!(lab.content(), pairs(&[("A", "1"), ("B", "1")]));
}

#[test]
fn a_deleted_secret_comes_back_without_the_vault() {
    let mut lab = Lab::new();
    lab.refresh();
    lab.world.fail("vault", unavailable());
    lab.world.state().objects.clear();
    lab.look();
    assert_eq!(lab.content(), pairs(&[("A", "1"), ("B", "1")]));
}

#[test]
fn an_edited_key_that_the_vault_then_drops_goes_all_the_same() {
    let mut lab = Lab::new();
    lab.refresh();
    lab.world.edit("Secret panbot", "B", Some("edited"));
    lab.world.answer("vault", &[("A", "1")]);
    lab.refresh();
    lab.refresh();
    assert_eq!(lab.content(), pairs(&[("A", "1")]));
}

#[test]
fn a_key_that_somebody_adds_stays_and_is_told() {
    let mut lab = Lab::new();
    lab.refresh();
    lab.world.edit("Secret panbot", "X", Some("theirs"));
    lab.look();
    assert_eq!(
        lab.content(),
        pairs(&[("A", "1"), ("B", "1"), ("X", "theirs")])
    );
    assert!(
        lab.status.targets[0]
            .message
            .as_ref()
            .unwrap()
            .contains('X')
    );
    lab.assert_ready();
}

#[test]
fn tampering_that_is_only_reported_stays_until_there_is_news() {
    let mut lab = Lab::new();
    lab.sync.targets[0].repair = false;
    lab.refresh();
    lab.world.edit("Secret panbot", "A", Some("edited"));
    lab.look();
    assert_eq!(lab.content(), pairs(&[("A", "edited"), ("B", "1")]));
    assert_eq!(lab.target_state(), TargetState::Drifted);
    assert!(lab.condition(ConditionType::Drifted).0);
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    lab.refresh();
    assert_eq!(lab.content(), pairs(&[("A", "2"), ("B", "1")]));
    assert!(!lab.condition(ConditionType::Drifted).0);
}

#[test]
fn an_older_record_put_back_stops_all_writes() {
    let mut lab = Lab::new();
    lab.refresh();
    let old = lab.world.record().unwrap();
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    lab.refresh();
    lab.world.put_record(old);
    lab.world.answer("vault", &[("A", "3"), ("B", "1")]);
    lab.refresh();
    lab.assert_not_ready(Reason::RecordRolledBack);
    assert_eq!(lab.content(), pairs(&[("A", "2"), ("B", "1")]));
}

#[test]
fn an_altered_record_stops_all_writes() {
    let mut lab = Lab::new();
    lab.refresh();
    let mut altered = lab.world.record().unwrap();
    *altered.last_mut().unwrap() ^= 1;
    lab.world.put_record(altered);
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    lab.refresh();
    lab.assert_not_ready(Reason::RecordUnreadable);
    assert_eq!(lab.content(), pairs(&[("A", "1"), ("B", "1")]));
}

#[test]
fn a_lost_record_is_made_anew_and_nothing_of_ours_becomes_foreign() {
    let mut lab = Lab::new();
    lab.refresh();
    lab.world.state().records.clear();
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    let outcome = lab.refresh();
    lab.assert_ready();
    assert_eq!(lab.content(), pairs(&[("A", "2"), ("B", "1")]));
    assert!(
        outcome
            .events
            .iter()
            .any(|event| event.reason == Reason::RecordMissing),
        "{:?}",
        outcome.events
    );
}

#[test]
fn under_a_new_installation_key_contents_are_compared_and_nothing_restarts() {
    let mut lab = Lab::new();
    lab.world.state().workloads = vec![crate::testing::deployment("api", "panbot", &[])];
    lab.refresh();
    lab.engine.key = std::sync::Arc::new(installation_key(2));
    lab.restart();
    lab.world.take_calls();
    lab.refresh();
    lab.assert_ready();
    assert_eq!(lab.content(), pairs(&[("A", "1"), ("B", "1")]));
    let calls = lab.world.take_calls();
    assert!(
        !calls
            .iter()
            .any(|call| matches!(call, Call::Mark(_) | Call::Write(_))),
        "{calls:?}"
    );
    assert_eq!(lab.settle(), 1);
}

#[test]
fn a_target_that_the_spec_drops_goes_only_where_it_was_said() {
    for delete in [true, false] {
        let mut lab = Lab::new();
        let mut second = crate::testing::target("other", "other");
        second.delete_with_sync = delete;
        lab.sync.targets.push(second);
        lab.refresh();
        lab.sync.targets.pop();
        lab.sync.generation += 1;
        lab.refresh();
        lab.assert_ready();
        assert_eq!(lab.world.content("Secret other").is_some(), !delete);
    }
}

#[test]
fn what_a_dropped_target_leaves_behind_is_told_once() {
    let mut lab = Lab::new();
    lab.sync
        .targets
        .push(crate::testing::target("other", "other"));
    lab.refresh();
    lab.sync.targets.pop();
    lab.sync.generation += 1;
    let told = |outcome: crate::engine::Outcome| -> Vec<String> {
        let events = outcome.events.into_iter();
        let orphaned = events.filter(|event| event.reason == Reason::Orphaned);
        orphaned.map(|event| event.message).collect()
    };
    let messages = told(lab.refresh());
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(messages[0].contains("Secret other"), "{messages:?}");
    assert_eq!(told(lab.refresh()), [""; 0]);
}

#[test]
fn a_target_under_another_name_keeps_its_secret() {
    for delete in [true, false] {
        let mut lab = Lab::new();
        lab.sync.targets[0].delete_with_sync = delete;
        lab.refresh();
        lab.sync.targets[0].name = crate::names::TargetName::new("renamed").unwrap();
        lab.sync.generation += 1;
        lab.world.take_calls();
        let outcome = lab.refresh();
        let removed = Call::Remove("Secret panbot".to_owned());
        assert!(!lab.world.take_calls().contains(&removed), "{delete}");
        assert_eq!(lab.content(), pairs(&[("A", "1"), ("B", "1")]));
        let orphaned = |event: &&crate::engine::EventNote| event.reason == Reason::Orphaned;
        assert_eq!(outcome.events.iter().find(orphaned), None);
        lab.assert_ready();
    }
}

/// A target of another name on the same Secret, which takes `keys` of the bundle only.
fn rename_and_narrow(lab: &mut Lab, keys: &[&str]) {
    let target = &mut lab.sync.targets[0];
    target.name = crate::names::TargetName::new("renamed").unwrap();
    target.select.keys = keys.iter().map(|name| key(name)).collect();
    lab.sync.generation += 1;
}

#[test]
fn keys_that_a_renamed_target_no_longer_takes_leave_and_foreign_ones_stay() {
    for share in [false, true] {
        let mut lab = Lab::new();
        lab.sync.targets[0].share_keys = share;
        lab.refresh();
        lab.world.edit("Secret panbot", "X", Some("theirs"));
        rename_and_narrow(&mut lab, &["A"]);
        lab.refresh();
        assert_eq!(lab.content(), pairs(&[("A", "1"), ("X", "theirs")]));
        lab.assert_ready();
        lab.settle();
    }
}

#[test]
fn a_value_edited_while_its_target_is_renamed_is_repaired() {
    let mut lab = Lab::new();
    lab.refresh();
    lab.world.edit("Secret panbot", "A", Some("edited"));
    rename_and_narrow(&mut lab, &[]);
    let outcome = lab.refresh();
    assert_eq!(lab.content(), pairs(&[("A", "1"), ("B", "1")]));
    let repaired = |event: &crate::engine::EventNote| event.reason == Reason::Repaired;
    assert!(outcome.events.iter().any(repaired), "{:?}", outcome.events);
}

#[test]
fn a_renamed_target_that_cannot_be_written_yet_forgets_nothing() {
    use crate::sync::Destination;
    for delete in [false, true] {
        let mut lab = Lab::new();
        lab.sync.targets[0].delete_with_sync = delete;
        lab.refresh();
        rename_and_narrow(&mut lab, &["A"]);
        let retype = |lab: &mut Lab, recreate| {
            if let Destination::Secret(secret) = &mut lab.sync.targets[0].destination {
                secret.secret_type =
                    crate::sync::SecretType::Custom("example.com/other".to_owned());
                secret.recreate = recreate;
            }
            lab.sync.generation += 1;
        };
        retype(&mut lab, false);
        lab.refresh();
        lab.refresh();
        lab.assert_not_ready(Reason::TargetImmutable);
        assert_eq!(lab.content(), pairs(&[("A", "1"), ("B", "1")]));
        retype(&mut lab, true);
        lab.refresh();
        lab.assert_ready();
        assert_eq!(lab.content(), pairs(&[("A", "1")]));
    }
}

#[test]
fn two_targets_that_swap_their_secrets_lose_nothing() {
    for delete in [false, true] {
        let mut lab = Lab::new();
        let mut other = crate::testing::target("other", "other");
        other.delete_with_sync = delete;
        lab.sync.targets.push(other);
        lab.sync.targets[0].delete_with_sync = delete;
        lab.refresh();
        let names = [1, 0].map(|at: usize| lab.sync.targets[at].destination.clone());
        for (target, destination) in lab.sync.targets.iter_mut().zip(names) {
            target.destination = destination;
        }
        lab.sync.generation += 1;
        lab.world.take_calls();
        lab.refresh();
        let calls = lab.world.take_calls();
        let removes = calls.iter().any(|call| matches!(call, Call::Remove(_)));
        assert!(!removes, "{calls:?}");
        lab.assert_ready();
        for label in ["Secret panbot", "Secret other"] {
            assert_eq!(lab.world.content(label).unwrap().len(), 2);
        }
        lab.settle();
    }
}

#[test]
fn a_renamed_secret_is_written_before_the_old_one_goes() {
    let mut lab = Lab::new();
    lab.sync.targets[0].delete_with_sync = true;
    lab.refresh();
    lab.sync.targets = vec![crate::testing::target("env", "renamed")];
    lab.sync.generation += 1;
    lab.world.take_calls();
    lab.refresh();
    let writes: Vec<Call> = lab
        .world
        .take_calls()
        .into_iter()
        .filter(Call::is_write)
        .collect();
    let position = |call: &Call| writes.iter().position(|one| one == call);
    assert!(
        position(&Call::Write("Secret renamed".to_owned()))
            < position(&Call::Remove("Secret panbot".to_owned()))
    );
    assert!(lab.world.content("Secret panbot").is_none());
    lab.assert_ready();
}

#[test]
fn cleaning_up_removes_only_what_was_ours_and_said_so() {
    use futures::FutureExt as _;
    let mut lab = Lab::new();
    lab.sync.targets[0].delete_with_sync = true;
    lab.sync
        .targets
        .push(crate::testing::target("kept", "kept"));
    lab.refresh();
    lab.world.edit("Secret panbot", "X", Some("theirs"));
    let removed = lab
        .engine
        .clean_up(&lab.sync.id, std::path::Path::new(""))
        .now_or_never()
        .unwrap()
        .unwrap();
    assert_eq!(removed, ["Secret panbot"]);
    assert_eq!(lab.content(), pairs(&[("X", "theirs")]));
    assert!(lab.world.content("Secret kept").is_some());
    assert!(lab.world.record().is_none());
}

#[test]
fn a_replica_that_lost_the_lease_writes_nothing() {
    let mut lab = Lab::new();
    lab.world.state().fenced = true;
    lab.refresh();
    assert!(!lab.world.take_calls().iter().any(Call::is_write));
}

#[test]
fn an_immutable_secret_is_refused_unless_it_may_be_made_anew() {
    use crate::sync::Destination;
    let mut lab = Lab::new();
    if let Destination::Secret(secret) = &mut lab.sync.targets[0].destination {
        secret.immutable = true;
    }
    lab.refresh();
    lab.assert_ready();
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    lab.refresh();
    lab.assert_not_ready(Reason::TargetImmutable);
    assert_eq!(lab.content(), pairs(&[("A", "1"), ("B", "1")]));
    if let Destination::Secret(secret) = &mut lab.sync.targets[0].destination {
        secret.recreate = true;
    }
    lab.sync.generation += 1;
    lab.refresh();
    lab.assert_ready();
    assert_eq!(lab.content(), pairs(&[("A", "2"), ("B", "1")]));
}

#[test]
fn cleaning_up_leaves_what_somebody_made_in_the_place_of_ours() {
    use futures::FutureExt as _;
    for sync_goes in [false, true] {
        let mut lab = Lab::new();
        lab.sync.targets[0].delete_with_sync = true;
        lab.refresh();
        foreign(&lab, &[("A", "theirs")]);
        if sync_goes {
            let removed = lab.engine.clean_up(&lab.sync.id, &lab.sync.folder);
            assert_eq!(removed.now_or_never().unwrap().unwrap(), [""; 0]);
        } else {
            lab.sync.targets = vec![crate::testing::target("other", "other")];
            lab.sync.generation += 1;
            lab.refresh();
            lab.assert_ready();
        }
        assert_eq!(lab.content(), pairs(&[("A", "theirs")]));
    }
}

#[test]
fn what_cannot_be_removed_is_tried_again_without_writing_the_record() {
    let mut lab = Lab::new();
    lab.sync.targets[0].delete_with_sync = true;
    lab.refresh();
    lab.sync.targets = vec![crate::testing::target("other", "other")];
    lab.sync.generation += 1;
    let denied = crate::fault::Fault::new(crate::fault::FaultClass::Denied, "", "refuses");
    lab.world.state().refuse_removals = Some(denied);
    lab.refresh();
    lab.assert_not_ready(Reason::Denied);
    lab.world.take_calls();
    lab.refresh();
    let calls = lab.world.take_calls();
    assert!(!calls.contains(&Call::Save), "{calls:?}");
    lab.world.state().refuse_removals = None;
    lab.refresh();
    lab.assert_ready();
    assert!(lab.world.content("Secret panbot").is_none());
}

#[test]
fn a_dropped_target_goes_only_when_those_in_its_place_stand() {
    for blocked in [false, true] {
        let mut lab = Lab::new();
        lab.sync.targets[0].delete_with_sync = true;
        lab.refresh();
        lab.sync.targets = vec![crate::testing::target("next", "next")];
        lab.sync.generation += 1;
        if blocked {
            let object = ObservedObject {
                uid: "foreign".to_owned(),
                ..ObservedObject::default()
            };
            let mut state = lab.world.state();
            state.objects.insert("Secret next".to_owned(), object);
        } else {
            lab.world.state().refuse_looks = Some(unavailable());
        }
        lab.refresh();
        assert_eq!(lab.content(), pairs(&[("A", "1"), ("B", "1")]), "{blocked}");
        lab.world.state().refuse_looks = None;
        lab.world.state().objects.remove("Secret next");
        lab.refresh();
        lab.assert_ready();
        assert!(lab.world.content("Secret panbot").is_none());
    }
}

/// A key that we dropped and somebody else then made is theirs, whatever comes in our way afterwards.
#[test]
fn a_dropped_key_that_somebody_made_anew_is_not_ours_again_after_a_hindrance() {
    use crate::sync::{Destination, SecretType};
    let retype = |lab: &mut Lab, name: &str| {
        if let Destination::Secret(secret) = &mut lab.sync.targets[0].destination {
            secret.secret_type = match name {
                "Opaque" => SecretType::Opaque,
                other => SecretType::Custom(other.to_owned()),
            };
        }
        lab.sync.generation += 1;
    };
    for hindrance in ["look", "type", "approval"] {
        let mut lab = Lab::new();
        lab.refresh();
        lab.world.answer("vault", &[("A", "1")]);
        lab.refresh();
        lab.refresh();
        lab.world.edit("Secret panbot", "B", Some("theirs"));
        lab.look();
        lab.assert_ready();
        match hindrance {
            "look" => lab.world.state().refuse_looks = Some(unavailable()),
            "type" => retype(&mut lab, "example.com/other"),
            _ => lab.world.answer("vault", &[]),
        }
        lab.world.edit("Secret panbot", "X", Some("theirs"));
        lab.refresh();
        lab.refresh();
        assert!(!lab.condition(ConditionType::Ready).0, "{hindrance}");
        lab.world.state().refuse_looks = None;
        retype(&mut lab, "Opaque");
        lab.world.answer("vault", &[("A", "1")]);
        lab.refresh();
        lab.refresh();
        lab.assert_ready();
        let expected = pairs(&[("A", "1"), ("B", "theirs"), ("X", "theirs")]);
        assert_eq!(lab.content(), expected, "{hindrance}");
    }
}

#[test]
fn a_sync_that_no_longer_shares_does_not_take_from_others_what_they_share() {
    let mut lab = Lab::new();
    lab.sync.targets[0].share_keys = true;
    lab.refresh();
    lab.world.edit("Secret panbot", "X", Some("theirs"));
    lab.look();
    lab.assert_ready();
    lab.sync.targets[0].share_keys = false;
    lab.sync.generation += 1;
    lab.refresh();
    lab.assert_not_ready(Reason::OwnedByAnother);
    let owner = |lab: &Lab| lab.world.state().objects["Secret panbot"].owner.clone();
    assert_eq!(owner(&lab).as_deref(), Some("shared"));
    lab.world.edit("Secret panbot", "X", None);
    lab.look();
    lab.assert_ready();
    assert_eq!(
        owner(&lab).as_deref(),
        Some("test-installation/prod/panbot")
    );
}
