//! What a value must pass before anything of it is written.

use std::time::Duration;

use regex::bytes::Regex;

use super::lab::Lab;
use crate::api::status::ConditionStatus;
use crate::conditions::{ConditionType, Reason};
use crate::sync::RulesDigest;
use crate::testing::key;
use crate::testing::world::{Call, Death};
use crate::validate::{Check, LocalCheck, RemoteCheck, Validator, Verdict};

fn remote(name: &str) -> Validator {
    Validator {
        name: name.to_owned(),
        key: key("A"),
        check: Check::Elsewhere(RemoteCheck::Connect {
            address: None,
            tls: false,
        }),
        every: None,
        timeout: Duration::from_secs(1),
    }
}

fn pattern(pattern: &str) -> Validator {
    Validator {
        check: Check::Here(LocalCheck::Matching(Regex::new(pattern).unwrap())),
        ..remote("pattern")
    }
}

/// A settled sync whose value `A` is `1`, with `validators`.
fn lab(validators: Vec<Validator>) -> Lab {
    let mut lab = Lab::new();
    lab.sync.validators = validators;
    lab.settle();
    lab.world.take_calls();
    lab
}

fn refused() -> Verdict {
    Verdict::Failed("is refused by api.example.com (401)".to_owned())
}

fn unknown() -> Verdict {
    Verdict::Inconclusive {
        why: "could not be tried".to_owned(),
        retry_after: None,
    }
}

impl Lab {
    fn says(&self, verdict: Verdict) {
        let mut state = self.world.state();
        state.verdicts.insert("llm".to_owned(), verdict);
    }

    fn brings(&self, value: &str) {
        self.world.answer("vault", &[("A", value), ("B", "1")]);
    }

    fn a(&self) -> String {
        let content = self.content();
        let found = content.iter().find(|(key, _)| key == "A");
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    fn asked(&self) -> usize {
        let calls = self.world.take_calls();
        let asks = calls.iter().filter(|call| matches!(call, Call::Ask(_)));
        asks.count()
    }

    fn reason(&self, wanted: ConditionType) -> (ConditionStatus, String) {
        let mut conditions = self.status.conditions.iter();
        let found = conditions.find(|one| one.condition_type == wanted.as_str());
        let found = found.expect("the condition is set");
        (found.status, found.reason.clone())
    }

    fn is_ready(&self) -> bool {
        self.reason(ConditionType::Ready) == is(ConditionStatus::True, Reason::Synced)
    }
}

fn is(status: ConditionStatus, reason: Reason) -> (ConditionStatus, String) {
    (status, reason.to_string())
}

#[test]
fn a_value_that_fails_is_not_written_and_the_old_one_stays() {
    let mut lab = lab(vec![pattern("^[0-9]$")]);
    lab.brings("two");
    lab.refresh();
    assert_eq!(lab.a(), "1");
    let ready = is(ConditionStatus::False, Reason::ValidationFailed);
    assert_eq!(lab.reason(ConditionType::Ready), ready);
    let stalled = is(ConditionStatus::True, Reason::ValidationFailed);
    assert_eq!(lab.reason(ConditionType::Stalled), stalled);
    lab.brings("3");
    lab.settle();
    assert!(lab.is_ready());
    assert_eq!(lab.a(), "3");
}

#[test]
fn a_rejected_value_is_asked_about_once_and_stays_rejected() {
    let mut lab = lab(vec![remote("llm")]);
    lab.says(refused());
    lab.brings("2");
    lab.refresh();
    assert_eq!(lab.asked(), 1);
    lab.says(Verdict::Passed);
    for _ in 0..3 {
        lab.restart();
        lab.refresh();
        assert_eq!((lab.asked(), lab.a().as_str()), (0, "1"));
    }
    let ready = is(ConditionStatus::False, Reason::RevisionRejected);
    assert_eq!(lab.reason(ConditionType::Ready), ready);
    assert!(lab.settle() <= 1, "a rejection that stands writes nothing");
    // The content leaves, comes back, and is still rejected.
    lab.brings("1");
    lab.settle();
    assert!(lab.is_ready());
    lab.brings("2");
    lab.settle();
    assert_eq!((lab.asked(), lab.a().as_str()), (0, "1"));
}

#[test]
fn a_retry_or_other_rules_lift_a_rejection_once() {
    let mut lab = lab(vec![remote("llm")]);
    lab.says(refused());
    lab.brings("2");
    lab.refresh();
    lab.asked();
    lab.wishes.retry = Some("1".to_owned());
    lab.refresh();
    assert_eq!(lab.asked(), 1, "it is asked again");
    lab.refresh();
    assert_eq!(lab.asked(), 0, "and once only");
    lab.sync.rules = RulesDigest("others".to_owned());
    lab.sync.generation += 1;
    lab.says(Verdict::Passed);
    lab.settle();
    assert!(lab.is_ready());
    assert_eq!(lab.a(), "2");
}

#[test]
fn an_inconclusive_verdict_holds_the_write_and_never_rejects() {
    let mut lab = lab(vec![remote("llm")]);
    lab.says(unknown());
    lab.brings("2");
    for _ in 0..5 {
        let outcome = lab.look();
        assert_eq!(lab.a(), "1");
        assert!(outcome.failed || lab.asked() == 0);
        lab.refresh();
    }
    let ready = is(ConditionStatus::False, Reason::ValidationInconclusive);
    assert_eq!(lab.reason(ConditionType::Ready), ready);
    let (stalled, _) = lab.reason(ConditionType::Stalled);
    assert_eq!(stalled, ConditionStatus::False);
    lab.says(Verdict::Passed);
    lab.look();
    assert_eq!(lab.a(), "2", "the next pass reads again and writes");
}

#[test]
fn a_bad_value_does_not_keep_a_hand_edit_from_being_repaired() {
    let mut lab = lab(vec![remote("llm")]);
    lab.says(refused());
    lab.brings("2");
    lab.refresh();
    lab.world.edit("Secret panbot", "A", Some("mine"));
    lab.look();
    assert_eq!(lab.a(), "1");
}

#[test]
fn what_looks_wrong_already_is_not_sent_anywhere() {
    let mut lab = lab(vec![pattern("^[0-9]$"), remote("llm")]);
    lab.asked();
    lab.brings("two");
    lab.refresh();
    assert_eq!(lab.asked(), 0);
}

#[test]
fn a_value_that_has_passed_is_not_asked_about_again_while_another_validator_is_silent() {
    let mut lab = lab(vec![remote("llm"), remote("db")]);
    {
        let mut state = lab.world.state();
        state.verdicts.insert("db".to_owned(), unknown());
    }
    lab.brings("2");
    lab.refresh();
    assert_eq!(lab.asked(), 2);
    lab.refresh();
    assert_eq!(lab.asked(), 1, "only the silent one");
}

#[test]
fn a_first_content_is_validated_too() {
    let mut lab = Lab::new();
    lab.sync.validators = vec![remote("llm")];
    lab.says(refused());
    lab.refresh();
    assert_eq!(lab.content(), []);
    lab.restart();
    lab.world.take_calls();
    lab.refresh();
    assert_eq!(lab.asked(), 0, "the rejection is in the record");
}

#[test]
fn a_process_that_dies_around_the_rejection_leaves_the_old_value() {
    for death in [Death::Before(0), Death::After(0)] {
        let mut lab = lab(vec![remote("llm")]);
        lab.says(refused());
        lab.brings("2");
        lab.world.revive();
        lab.world.state().death = Some(death);
        assert!(lab.try_run(true).is_none(), "it dies");
        lab.restart();
        lab.settle();
        assert_eq!(lab.a(), "1");
        let ready = is(ConditionStatus::False, Reason::RevisionRejected);
        assert_eq!(lab.reason(ConditionType::Ready), ready, "{death:?}");
    }
}

#[test]
fn a_value_in_use_is_asked_about_again_and_only_a_condition_tells() {
    let every = Validator {
        every: Some(Duration::from_secs(30)),
        ..remote("llm")
    };
    let mut lab = lab(vec![every]);
    lab.says(refused());
    lab.look();
    assert_eq!(lab.asked(), 0, "its time has not come");
    lab.world.state().now += 60;
    lab.look();
    let calls = lab.world.take_calls();
    assert!(calls.contains(&Call::Ask("llm".to_owned())));
    assert!(!calls.iter().any(Call::is_write), "{calls:?}");
    let unhealthy = is(ConditionStatus::False, Reason::ValueUnhealthy);
    assert_eq!(lab.reason(ConditionType::ValueHealthy), unhealthy);
    assert!(lab.is_ready(), "what is written is what should be");
    lab.says(unknown());
    lab.world.state().now += 60;
    lab.look();
    assert_eq!(lab.reason(ConditionType::ValueHealthy), unhealthy);
    lab.says(Verdict::Passed);
    lab.world.state().now += 60;
    lab.look();
    let healthy = is(ConditionStatus::True, Reason::ValuesHealthy);
    assert_eq!(lab.reason(ConditionType::ValueHealthy), healthy);
}

#[test]
fn a_key_that_a_rejected_read_had_is_not_absent_twice_in_a_row() {
    let mut lab = lab(vec![remote("llm")]);
    let lacks = |lab: &Lab| lab.world.answer("vault", &[("A", "1")]);
    lacks(&lab);
    lab.refresh();
    lab.says(refused());
    lab.brings("2");
    lab.refresh();
    lab.says(Verdict::Passed);
    lacks(&lab);
    lab.refresh();
    assert_eq!(lab.content().len(), 2, "one complete read lacks B, not two");
    lab.refresh();
    assert_eq!(lab.content().len(), 1);
}

#[test]
fn a_rejection_does_not_replace_a_record_that_another_key_sealed() {
    let mut lab = lab(vec![remote("llm")]);
    let sealed = lab.world.record();
    lab.engine.key = std::sync::Arc::new(crate::testing::installation_key(2));
    lab.says(refused());
    lab.brings("2");
    lab.restart();
    lab.refresh();
    assert_eq!(lab.world.record(), sealed);
    assert_eq!(lab.a(), "1");
}

#[test]
fn where_no_value_is_in_use_or_kept_nobody_looks_for_one_again_and_again() {
    let every = Validator {
        every: Some(Duration::from_secs(30)),
        ..remote("llm")
    };
    let mut rejected = Lab::new();
    rejected.sync.validators = vec![every.clone()];
    rejected.says(refused());
    rejected.refresh();
    let mut unkept = Lab::new();
    unkept.sync.validators = vec![every];
    unkept.sync.history.keep_values = false;
    unkept.settle();
    for mut lab in [rejected, unkept] {
        lab.world.state().now += 60;
        let outcome = lab.look();
        let pause = outcome.next.pause(0, 0).expect("it runs again");
        assert!(pause >= Duration::from_secs(30), "{:?}", outcome.next);
    }
}
