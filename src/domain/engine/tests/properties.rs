//! Whatever happens in whatever order: the promises that hold for every history.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::lab::{Lab, unavailable};
use crate::conditions::ConditionType;
use crate::diff::KeyChange;
use crate::sync::OnUnavailable;
use crate::testing::deployment;
use crate::testing::world::{Call, Death};
use crate::workload::PodView;

/// Something that happens outside.
#[derive(Debug, Clone)]
enum Happening {
    /// The vault holds this from now on.
    Vault(BTreeMap<String, String>),
    /// The vault is down.
    Down,
    /// The vault gives only some of what it holds, once.
    Half(usize),
    /// Somebody edits the Secret.
    Edit(String, Option<String>),
    /// Somebody deletes the Secret.
    Delete,
    /// The process dies at the n-th write of its next pass and starts anew.
    Die(usize, bool),
    /// The process starts anew.
    Restart,
    /// A refresh.
    Refresh,
    /// A pass that a watch has caused.
    Look,
}

fn content() -> impl Strategy<Value = BTreeMap<String, String>> {
    proptest::collection::btree_map("[A-E]", "[a-c]{1,3}", 0..5)
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => content().prop_map(Happening::Vault),
        1 => Just(Happening::Down),
        1 => (0usize..4).prop_map(Happening::Half),
        2 => ("[A-EX]", proptest::option::of("[x-z]{1,2}")).prop_map(|(key, value)| Happening::Edit(key, value)),
        1 => Just(Happening::Delete),
        2 => (0usize..4, any::<bool>()).prop_map(|(at, after)| Happening::Die(at, after)),
        1 => Just(Happening::Restart),
        6 => Just(Happening::Refresh),
        3 => Just(Happening::Look),
    ]
}

struct History {
    lab: Lab,
    vault: BTreeMap<String, String>,
    up: bool,
}

impl History {
    fn new() -> Self {
        let lab = Lab::new();
        let started = jiff::Timestamp::from_second(0).ok();
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
        let vault = [("A", "1"), ("B", "1")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        Self {
            lab,
            vault,
            up: true,
        }
    }

    fn set(&self, entries: &BTreeMap<String, String>) {
        let entries: Vec<(&str, &str)> = entries
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        self.lab.world.answer("vault", &entries);
    }

    fn happen(&mut self, happening: &Happening) {
        match happening {
            Happening::Vault(entries) => {
                self.vault.clone_from(entries);
                self.up = true;
                self.set(entries);
            }
            Happening::Down => {
                self.up = false;
                self.lab.world.fail("vault", unavailable());
            }
            Happening::Half(kept) if self.up => {
                self.set(&self.vault.clone().into_iter().take(*kept).collect());
                self.lab.refresh();
                self.set(&self.vault.clone());
            }
            Happening::Edit(key, value) => {
                self.lab.world.edit("Secret panbot", key, value.as_deref());
            }
            Happening::Delete => self.lab.world.state().objects.clear(),
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
            Happening::Half(_) | Happening::Look => drop(self.lab.look()),
        }
    }

    /// Everything calms down: the vault answers, nobody interferes, workloads roll, a person approves.
    fn calm(&mut self) {
        self.set(&self.vault.clone());
        for _ in 0..8 {
            self.lab.world.state().now += 4000;
            self.lab.refresh();
            for workload in &mut self.lab.world.state().workloads {
                workload.observed_generation = workload.generation;
            }
            if self.lab.status.pending_plan.is_some() {
                self.lab.approve_pending();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn when_all_is_calm_the_target_holds_what_the_vault_holds_and_nothing_is_left_to_do(
        happenings in proptest::collection::vec(happening(), 0..25),
    ) {
        let mut history = History::new();
        for happening in &happenings {
            history.happen(happening);
        }
        history.calm();
        let lab = &mut history.lab;
        let mut held = lab.world.content("Secret panbot").unwrap_or_default();
        held.remove("X");
        // What somebody put under a key that we did not own stays theirs; the sync says so and does not touch it.
        if lab.condition(ConditionType::Ready).0 {
            let ours: BTreeMap<_, _> = held.iter().filter(|(key, _)| history.vault.contains_key(*key)).collect();
            prop_assert_eq!(ours, history.vault.iter().collect::<BTreeMap<_, _>>());
        }
        prop_assert!(
            lab.condition(ConditionType::Ready).0 || format!("{:?}", lab.status).contains("ForeignTarget"),
            "{:#?}", lab.status
        );
        lab.world.take_calls();
        lab.refresh();
        let writes = lab.world.take_calls().into_iter().filter(Call::is_write).count();
        prop_assert_eq!(writes, 0, "a plan after apply is empty");
    }

    #[test]
    fn a_key_that_nobody_of_us_made_is_never_touched(
        happenings in proptest::collection::vec(happening(), 0..25),
    ) {
        let mut history = History::new();
        history.lab.refresh();
        history.lab.world.edit("Secret panbot", "THEIRS", Some("theirs"));
        for happening in happenings.iter().filter(|one| !matches!(one, Happening::Delete)) {
            history.happen(happening);
            let held = history.lab.world.content("Secret panbot").unwrap_or_default();
            prop_assert_eq!(held.get("THEIRS").map(String::as_str), Some("theirs"), "after {:?}", happening);
        }
    }

    #[test]
    fn no_key_leaves_while_the_vault_is_not_whole(
        happenings in proptest::collection::vec(happening(), 0..12),
        answers in proptest::collection::vec(0usize..3, 1..8),
    ) {
        let mut history = History::new();
        for happening in happenings.iter().filter(|one| !matches!(one, Happening::Edit(..) | Happening::Delete)) {
            history.happen(happening);
        }
        history.calm();
        let before: Vec<String> = history.lab.content().into_iter().map(|(key, _)| key).collect();
        history.lab.sync.sources[0].on_unavailable = OnUnavailable::UseOthers;
        for answer in answers {
            match answer {
                0 => history.lab.world.fail("vault", unavailable()),
                1 => history.set(&BTreeMap::new()),
                _ => history.set(&history.vault.clone()),
            }
            history.lab.refresh();
            let after: Vec<String> = history.lab.content().into_iter().map(|(key, _)| key).collect();
            prop_assert_eq!(&before, &after, "an empty or failed answer took a key");
        }
    }

    #[test]
    fn restarts_never_outnumber_changes_and_repairs(
        happenings in proptest::collection::vec(happening(), 0..25),
    ) {
        let mut history = History::new();
        history.lab.sync.rollout.max_restarts = 1000;
        history.lab.refresh();
        let mut contents = 0;
        let mut last = history.lab.content();
        history.lab.world.take_calls();
        for happening in &happenings {
            history.happen(happening);
            let now = history.lab.content();
            contents += usize::from(now != last);
            last = now;
        }
        let marks = history.lab.world.take_calls().into_iter().filter(|call| matches!(call, Call::Mark(_))).count();
        prop_assert!(marks <= contents, "{} restarts for {} changes", marks, contents);
    }

    #[test]
    fn one_change_is_applied_once_whatever_the_order_of_the_answer(
        entries in proptest::collection::btree_map("[A-H]", "[a-c]{1,3}", 1..8),
        seed: u64,
    ) {
        let forward: Vec<(&str, &str)> = entries.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let mut shuffled = forward.clone();
        let length = shuffled.len();
        for (index, step) in (0..length).rev().zip([seed, seed >> 7, seed >> 13, seed >> 29].into_iter().cycle()) {
            let other = usize::try_from(step % (index as u64 + 1)).unwrap_or(0);
            shuffled.swap(index, other);
        }
        let (mut one, mut other) = (Lab::new(), Lab::new());
        one.world.answer("vault", &forward);
        other.world.answer("vault", &shuffled);
        one.refresh();
        other.refresh();
        prop_assert_eq!(one.content(), other.content());
        prop_assert_eq!(&one.status.revision, &other.status.revision);
    }
}

#[test]
fn every_verdict_of_a_key_is_reached_by_these_histories() {
    // The properties above would say little if their histories never reached a verdict.
    let mut reached = std::collections::BTreeSet::new();
    let mut lab = Lab::new();
    lab.refresh();
    lab.world.edit("Secret panbot", "X", Some("theirs"));
    lab.world.answer("vault", &[("A", "2"), ("C", "1")]);
    for _ in 0..2 {
        let outcome = lab.refresh();
        for event in outcome.events {
            for (word, verdict) in [
                ("created", KeyChange::Create),
                ("updated", KeyChange::Update),
                ("deleted", KeyChange::Delete),
            ] {
                if event.message.contains(word) {
                    reached.insert(verdict);
                }
            }
        }
    }
    assert_eq!(reached.len(), 3, "{reached:?}");
}
