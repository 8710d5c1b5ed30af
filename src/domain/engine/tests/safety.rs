//! Rule 1: nothing is lost, whatever a vault does.

use super::lab::{Lab, pairs, unavailable};
use crate::audit::AuditAction;
use crate::bundle::{Snapshot, SourceVersion};
use crate::conditions::{ConditionType, Reason};
use crate::fault::{Fault, FaultClass};
use crate::sync::OnUnavailable;
use crate::testing::source;
use crate::testing::world::{Call, Death, entry};

const FIVE: &[(&str, &str)] = &[("A", "1"), ("B", "1"), ("C", "1"), ("D", "1"), ("E", "1")];

#[test]
fn a_vault_that_is_down_denies_or_lost_the_path_changes_nothing() {
    let faults = [
        unavailable(),
        Fault::new(FaultClass::Denied, "", "refuses"),
        Fault::new(FaultClass::NotFound, "", "has no such path"),
        Fault::new(FaultClass::Invalid, "", "answers nonsense"),
        Fault::throttled("", "asks for patience", None),
    ];
    for fault in faults {
        let mut lab = Lab::new();
        lab.refresh();
        lab.world.take_calls();
        lab.world.fail("vault", fault.clone());
        for _ in 0..3 {
            lab.refresh();
        }
        assert_eq!(lab.content(), pairs(&[("A", "1"), ("B", "1")]), "{fault}");
        assert!(
            !lab.world.take_calls().iter().any(Call::is_write),
            "{fault}"
        );
        lab.assert_ready();
        assert!(lab.condition(ConditionType::Stale).0, "{fault}");
        lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
        lab.refresh();
        assert!(!lab.condition(ConditionType::Stale).0, "{fault}");
        assert_eq!(lab.content(), pairs(&[("A", "2"), ("B", "1")]), "{fault}");
    }
}

#[test]
fn a_vault_that_was_never_there_leaves_the_sync_not_ready_and_nothing_written() {
    let mut lab = Lab::new();
    lab.world.fail("vault", unavailable());
    lab.refresh();
    lab.assert_not_ready(Reason::SourceUnavailable);
    assert!(lab.condition(ConditionType::Reconciling).0);
    assert_eq!(lab.content(), []);
    assert!(!lab.world.take_calls().iter().any(Call::is_write));
}

#[test]
fn a_path_that_never_existed_stalls_and_says_so() {
    let mut lab = Lab::new();
    lab.world.fail(
        "vault",
        Fault::new(FaultClass::NotFound, "", "has no such path"),
    );
    lab.refresh();
    lab.assert_not_ready(Reason::SourceNotFound);
    assert!(lab.condition(ConditionType::Stalled).0);
}

#[test]
fn a_source_that_is_skipped_takes_nothing_away_and_holds_nothing_up() {
    let mut lab = Lab::new();
    lab.sync.sources.push(source("more"));
    lab.world.answer("more", &[("M", "1")]);
    lab.refresh();
    lab.sync.sources[1].skipped = true;
    lab.sync.generation += 1;
    lab.world.fail("more", unavailable());
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    for _ in 0..3 {
        lab.refresh();
        assert_eq!(lab.content(), pairs(&[("A", "2"), ("B", "1"), ("M", "1")]));
        lab.assert_ready();
        assert!(!lab.condition(ConditionType::Stale).0);
    }
}

#[test]
fn an_empty_answer_waits_for_a_person_however_often_it_comes() {
    let mut lab = Lab::new();
    lab.refresh();
    lab.world.answer("vault", &[]);
    for _ in 0..4 {
        lab.refresh();
        assert_eq!(lab.content(), pairs(&[("A", "1"), ("B", "1")]));
    }
    lab.assert_not_ready(Reason::ApprovalRequired);
    let pending = lab.status.pending_plan.as_ref().unwrap();
    assert_eq!(
        (pending.deletes, pending.targets[0].deletes.clone()),
        (2, vec!["A".to_owned(), "B".to_owned()])
    );
}

#[test]
fn a_key_leaves_after_two_complete_reads_without_it_and_the_news_comes_with_it() {
    let mut lab = Lab::new();
    lab.world.answer("vault", FIVE);
    lab.refresh();
    let renamed = [("A", "1"), ("B", "1"), ("C", "1"), ("D", "1"), ("NEW", "1")];
    lab.world.answer("vault", &renamed);
    lab.refresh();
    assert_eq!(lab.content(), pairs(FIVE), "the first read changes nothing");
    assert_eq!(
        lab.condition(ConditionType::Reconciling),
        (true, "ConfirmingAbsence".to_owned())
    );
    lab.refresh();
    assert_eq!(lab.content(), pairs(&renamed));
    lab.assert_ready();
}

#[test]
fn half_an_answer_that_comes_and_goes_deletes_nothing() {
    let mut lab = Lab::new();
    lab.world.answer("vault", FIVE);
    lab.refresh();
    for _ in 0..3 {
        lab.world.answer("vault", &FIVE[..4]);
        lab.refresh();
        lab.world.answer("vault", FIVE);
        lab.refresh();
    }
    assert_eq!(lab.content(), pairs(FIVE));
    lab.assert_ready();
}

/// Found by a property: a whole answer in between did not start the count anew when nothing else happened.
#[test]
fn short_answers_count_only_when_they_follow_each_other() {
    let mut lab = Lab::new();
    lab.world.answer("vault", FIVE);
    lab.refresh();
    for _ in 0..2 {
        lab.world.answer("vault", &FIVE[..4]);
        lab.refresh();
        assert_eq!(lab.content(), pairs(FIVE));
        lab.world.answer("vault", FIVE);
        lab.refresh();
        lab.refresh();
    }
}

#[test]
fn an_outage_between_two_short_answers_starts_the_count_anew() {
    let mut lab = Lab::new();
    lab.world.answer("vault", FIVE);
    lab.refresh();
    lab.world.answer("vault", &FIVE[..4]);
    lab.refresh();
    lab.restart();
    lab.refresh();
    assert_eq!(lab.content(), pairs(FIVE), "a restart counts anew");
    lab.refresh();
    assert_eq!(lab.content(), pairs(&FIVE[..4]));
}

#[test]
fn losing_more_than_half_waits_for_a_person_and_an_approval_works_once() {
    let mut lab = Lab::new();
    let many: Vec<(String, &str)> = (0..8).map(|index| (format!("K{index}"), "1")).collect();
    let many: Vec<(&str, &str)> = many
        .iter()
        .map(|(key, value)| (key.as_str(), *value))
        .collect();
    lab.world.answer("vault", &many);
    lab.refresh();
    lab.world.answer("vault", &many[..3]);
    lab.refresh();
    lab.refresh();
    lab.assert_not_ready(Reason::ApprovalRequired);
    assert_eq!(lab.content().len(), 8);

    lab.approve_pending();
    lab.refresh();
    assert_eq!(lab.content().len(), 3);
    lab.assert_ready();
    assert_eq!(lab.status.pending_plan, None);

    // The same approval is still on the object; the same loss again must ask again.
    lab.world.answer("vault", &many);
    lab.refresh();
    assert_eq!(lab.content().len(), 8);
    lab.world.answer("vault", &many[..3]);
    lab.refresh();
    lab.refresh();
    lab.assert_not_ready(Reason::ApprovalRequired);
    assert_eq!(lab.content().len(), 8);
}

#[test]
fn an_approval_is_void_when_the_plan_or_the_spec_changes() {
    for spec_changes in [false, true] {
        let mut lab = Lab::new();
        lab.refresh();
        lab.world.answer("vault", &[]);
        lab.refresh();
        lab.refresh();
        lab.approve_pending();
        if spec_changes {
            lab.sync.generation += 1;
        } else {
            lab.world.answer("vault", &[("C", "1")]);
            lab.refresh();
        }
        lab.refresh();
        if spec_changes {
            lab.assert_not_ready(Reason::ApprovalRequired);
            assert_eq!(lab.content(), pairs(&[("A", "1"), ("B", "1")]));
        }
    }
}

#[test]
fn deletions_add_up_within_a_day() {
    let mut lab = Lab::new();
    lab.sync.max_deletes = Some(1);
    lab.world.answer("vault", FIVE);
    lab.refresh();
    for (kept, ready) in [(4, true), (3, false)] {
        lab.world.answer("vault", &FIVE[..kept]);
        lab.refresh();
        lab.refresh();
        assert_eq!(lab.condition(ConditionType::Ready).0, ready, "{kept}");
    }
    assert_eq!(lab.content().len(), 4);
    lab.world.state().now += 25 * 3600;
    lab.refresh();
    assert_eq!(lab.content().len(), 3);
}

#[test]
fn a_source_that_may_be_missing_never_takes_its_keys_away() {
    let mut lab = Lab::new();
    let mut other = source("other");
    other.on_unavailable = OnUnavailable::UseOthers;
    lab.sync.sources.push(other);
    lab.world.answer("other", &[("B", "other"), ("O", "1")]);
    lab.refresh();
    assert_eq!(
        lab.content(),
        pairs(&[("A", "1"), ("B", "other"), ("O", "1")])
    );
    lab.world.fail("other", unavailable());
    lab.world.answer("vault", &[("A", "2"), ("B", "2")]);
    for _ in 0..3 {
        lab.refresh();
    }
    assert_eq!(lab.content(), pairs(&[("A", "2"), ("B", "2"), ("O", "1")]));
    assert!(lab.condition(ConditionType::Stale).0);
}

#[test]
fn one_failing_source_freezes_the_whole_sync_at_its_last_good_content() {
    let mut lab = Lab::new();
    lab.sync.sources.push(source("other"));
    lab.world.answer("other", &[("O", "1")]);
    lab.refresh();
    lab.world.fail("other", unavailable());
    lab.world.answer("vault", &[("A", "2"), ("B", "2")]);
    lab.refresh();
    assert_eq!(lab.content(), pairs(&[("A", "1"), ("B", "1"), ("O", "1")]));
    lab.sync.sources[1].on_unavailable = OnUnavailable::Fail;
    lab.sync.generation += 1;
    lab.refresh();
    lab.assert_not_ready(Reason::SourceUnavailable);
    assert_eq!(lab.content(), pairs(&[("A", "1"), ("B", "1"), ("O", "1")]));
}

#[test]
fn a_version_that_goes_back_waits_for_a_person() {
    let mut lab = Lab::new();
    let versioned = |value: &str, version| Snapshot {
        entries: vec![entry("A", value)],
        version: Some(SourceVersion::Counter(version)),
    };
    let set = |lab: &Lab, value: &str, version| {
        lab.world
            .state()
            .answers
            .insert("vault".to_owned(), Some(Ok(versioned(value, version))));
    };
    set(&lab, "new", 7);
    lab.refresh();
    set(&lab, "old", 6);
    lab.refresh();
    lab.assert_not_ready(Reason::VersionWentBack);
    assert_eq!(lab.content(), pairs(&[("A", "new")]));
    lab.approve_pending();
    lab.refresh();
    assert_eq!(lab.content(), pairs(&[("A", "old")]));
}

#[test]
fn no_value_appears_in_status_events_or_audit() {
    let mut lab = Lab::new();
    lab.world.answer(
        "vault",
        &[("A", "marker-value-one"), ("B", "marker-value-two")],
    );
    let mut told = vec![format!("{:?}", lab.refresh())];
    lab.world
        .edit("Secret panbot", "A", Some("marker-value-three"));
    told.push(format!("{:?}", lab.look()));
    lab.world.answer("vault", &[]);
    told.push(format!("{:?}{:?}", lab.refresh(), lab.refresh()));
    told.push(format!("{:?}{:?}", lab.status, lab.world.state().audit));
    let told = told.concat();
    assert!(!told.contains("marker-value"), "{told}");
    let sealed = lab.world.record().unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("marker-value"));
}

/// What the vault says was not read again: that is no reason to forget what it said.
#[test]
fn a_pass_without_a_read_keeps_the_plan_that_waits() {
    let mut lab = Lab::new();
    lab.world.answer("vault", FIVE);
    lab.refresh();
    lab.world.answer("vault", &[("A", "1")]);
    lab.refresh();
    lab.refresh();
    lab.assert_not_ready(Reason::ApprovalRequired);
    let waits = lab.status.clone();
    assert!(waits.pending_plan.is_some());
    lab.look();
    assert_eq!(lab.status, waits);

    lab.world.edit("Secret panbot", "A", Some("edited"));
    lab.look();
    assert_eq!(lab.content(), pairs(FIVE));
    lab.assert_not_ready(Reason::ApprovalRequired);
    assert_eq!(lab.status.pending_plan, waits.pending_plan);
    assert!(lab.condition(ConditionType::Stalled).0);

    // Nor does a record that cannot be read for a moment.
    let record = lab.world.record().unwrap();
    lab.world.put_record(vec![0; 8]);
    lab.refresh();
    lab.assert_not_ready(Reason::RecordUnreadable);
    assert_eq!(lab.status.pending_plan, waits.pending_plan);
    lab.world.put_record(record);

    // A vault that does not answer has taken nothing back, either.
    lab.world.fail("vault", unavailable());
    lab.refresh();
    assert_eq!(lab.status.pending_plan, waits.pending_plan);
    lab.world.answer("vault", &[("A", "1")]);
    lab.approve_pending();
    lab.refresh();
    assert_eq!(lab.content(), pairs(&[("A", "1")]));
    lab.assert_ready();
    assert_eq!(lab.status.pending_plan, None);
}

/// What was approved is carried through, whatever comes in between; the used approval would not help again.
#[test]
fn an_approved_plan_whose_write_fails_or_dies_is_finished_without_another_approval() {
    for dies in [false, true] {
        let mut lab = Lab::new();
        lab.refresh();
        lab.world.answer("vault", &[]);
        lab.refresh();
        lab.refresh();
        lab.approve_pending();
        if dies {
            lab.world.revive();
            lab.world.state().death = Some(Death::After(0));
            assert!(lab.try_run(true).is_none());
            lab.restart();
        } else {
            lab.world.state().refuse_writes = Some(conflict());
            lab.refresh();
            lab.world.state().refuse_writes = None;
        }
        lab.refresh();
        lab.refresh();
        assert_eq!(lab.content(), [], "{dies}");
        lab.assert_ready();
    }
}

#[test]
fn a_deletion_that_is_tried_twice_counts_once() {
    let mut lab = Lab::new();
    lab.sync.max_deletes = Some(1);
    lab.refresh();
    lab.world.answer("vault", &[("A", "1")]);
    lab.refresh();
    lab.world.state().refuse_writes = Some(conflict());
    lab.refresh();
    lab.world.state().refuse_writes = None;
    lab.refresh();
    assert_eq!(lab.content(), pairs(&[("A", "1")]));
    lab.assert_ready();
}

fn conflict() -> Fault {
    Fault::new(FaultClass::Conflict, "Secret panbot", "changed in between")
}

#[test]
fn a_person_is_named_for_what_they_approved_and_for_nothing_later() {
    let mut lab = Lab::new();
    lab.refresh();
    lab.world.answer("vault", &[]);
    lab.refresh();
    lab.refresh();
    lab.approve_pending();
    let writers = |lab: &mut Lab| -> Vec<Option<String>> {
        lab.world.state().audit.clear();
        lab.refresh();
        let state = lab.world.state();
        let entries = state.audit.iter();
        let writes = entries.filter(|entry| entry.action != AuditAction::Read);
        writes.map(|entry| entry.by.clone()).collect()
    };
    let ada = Some("ada".to_owned());
    assert_eq!(writers(&mut lab), [ada.clone(), ada]);
    lab.world.answer("vault", &[("A", "5")]);
    assert_eq!(writers(&mut lab), [None]);
}

#[test]
fn a_key_that_comes_back_ends_the_wait_for_a_second_read() {
    let mut lab = Lab::new();
    lab.refresh();
    lab.world.answer("vault", &[("A", "1")]);
    lab.refresh();
    assert!(lab.condition(ConditionType::Reconciling).0);
    lab.world.answer("vault", &[("A", "1"), ("B", "1")]);
    lab.refresh();
    assert!(!lab.condition(ConditionType::Reconciling).0);
    assert_eq!(lab.settle(), 1);
}

#[test]
fn passes_in_between_do_not_put_the_second_read_off() {
    let mut lab = Lab::new();
    lab.refresh();
    lab.world.answer("vault", &[("A", "1")]);
    lab.refresh();
    let due = lab.memory.read_due();
    lab.world.edit("Secret panbot", "A", Some("edited"));
    lab.look();
    assert_eq!(lab.memory.read_due(), due);
}

#[test]
fn a_whole_answer_counts_even_when_the_record_could_not_be_read() {
    let mut lab = Lab::new();
    lab.world.answer("vault", FIVE);
    lab.refresh();
    lab.world.answer("vault", &FIVE[..4]);
    lab.refresh();
    lab.world.answer("vault", FIVE);
    lab.world.state().refuse_loads = Some(unavailable());
    lab.refresh();
    lab.world.state().refuse_loads = None;
    lab.world.answer("vault", &FIVE[..4]);
    lab.refresh();
    assert_eq!(lab.content(), pairs(FIVE));
}

#[test]
fn a_clock_that_goes_back_does_not_stop_reads() {
    let mut lab = Lab::new();
    lab.refresh();
    lab.world.state().now -= 500_000;
    lab.world.take_calls();
    lab.look();
    assert_eq!(lab.world.take_calls(), [Call::Read("vault".to_owned())]);
    lab.look();
    assert_eq!(lab.world.take_calls(), []);
}

/// The versions of a partial answer count, and those of who did not answer are not forgotten.
#[test]
fn a_version_that_goes_back_is_noticed_whoever_else_is_away() {
    let set = |lab: &Lab, source: &str, value: &str, version| {
        let snapshot = Snapshot {
            entries: vec![entry(source, value)],
            version: Some(SourceVersion::Counter(version)),
        };
        let mut state = lab.world.state();
        state.answers.insert(source.to_owned(), Some(Ok(snapshot)));
    };
    for away in ["vault", "other"] {
        let mut lab = Lab::new();
        lab.sync.sources.push(source("other"));
        for source in &mut lab.sync.sources {
            source.on_unavailable = OnUnavailable::UseOthers;
        }
        set(&lab, "vault", "1", 7);
        set(&lab, "other", "1", 7);
        lab.refresh();
        lab.restart();
        lab.world.fail(away, unavailable());
        let present = if away == "vault" { "other" } else { "vault" };
        set(&lab, present, "2", 8);
        lab.refresh();
        lab.assert_ready();
        set(&lab, present, "3", 7);
        lab.refresh();
        lab.assert_not_ready(Reason::VersionWentBack);
        set(&lab, present, "2", 8);
        set(&lab, away, "0", 6);
        lab.refresh();
        lab.assert_not_ready(Reason::VersionWentBack);
    }
}

#[test]
fn keep_none_takes_the_values_out_of_the_record_at_once_and_keep_all_puts_them_back() {
    let mut lab = Lab::new();
    lab.refresh();
    lab.world.answer("vault", &[("A", "2"), ("B", "1")]);
    lab.refresh();
    for keep in [false, true] {
        lab.sync.history.keep_values = keep;
        lab.sync.generation += 1;
        lab.refresh();
        let sealed = lab.world.record().unwrap();
        let record = crate::record::decode(&sealed, &lab.sync.id, &lab.engine.key).unwrap();
        assert_eq!(record.current.unwrap().bundle.is_some(), keep);
        assert!(
            record
                .older
                .iter()
                .all(|older| keep || older.bundle.is_none())
        );
        assert_eq!(lab.settle(), 1);
    }
}

#[test]
fn that_a_record_is_made_anew_is_told_when_it_is_made() {
    let mut lab = Lab::new();
    lab.refresh();
    lab.world.state().records.clear();
    lab.world.fail("vault", unavailable());
    let told = |outcome: crate::engine::Outcome| {
        let mut events = outcome.events.into_iter();
        events.any(|event| event.reason == Reason::RecordMissing)
    };
    assert!(!told(lab.refresh()));
    lab.world.answer("vault", &[("A", "1"), ("B", "1")]);
    assert!(told(lab.refresh()));
    assert!(!told(lab.refresh()));
}
