//! The verbs against SecretSyncs in memory.

use std::collections::VecDeque;
use std::io::{self, Cursor, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::{NamespaceName, ObjectName, SyncId};
use penstock_domain::people::{SyncChange, SyncEvent, SyncObject, SyncObjects};
use penstock_domain::reserved::{
    APPROVE_ANNOTATION, BY_ANNOTATION, REFRESH_ANNOTATION, RETRY_ANNOTATION,
};
use serde_json::{Value, json};

use super::*;
use crate::arguments::WaitArguments;
use crate::output::Style;

/// One SecretSync; after each change it becomes what `next` says.
struct Cluster {
    now: Mutex<SyncObject>,
    next: Mutex<VecDeque<SyncObject>>,
    changes: Mutex<Vec<SyncChange>>,
}

impl Cluster {
    fn of(now: SyncObject) -> Self {
        Self {
            now: Mutex::new(now),
            next: Mutex::default(),
            changes: Mutex::default(),
        }
    }

    fn then(self, next: SyncObject) -> Self {
        self.next.lock().unwrap().push_back(next);
        self
    }

    fn changes(&self) -> Vec<SyncChange> {
        self.changes.lock().unwrap().clone()
    }
}

#[async_trait]
impl SyncObjects for Cluster {
    async fn get(&self, sync: &SyncId) -> Result<SyncObject, Fault> {
        let now = self.now.lock().unwrap().clone();
        if now.id == *sync {
            return Ok(now);
        }
        Err(Fault::new(
            FaultClass::NotFound,
            "SecretSync",
            "does not exist",
        ))
    }

    async fn list(&self, _: Option<&NamespaceName>) -> Result<Vec<SyncObject>, Fault> {
        Ok(vec![self.now.lock().unwrap().clone()])
    }

    async fn events(&self, _: &SyncObject) -> Result<Vec<SyncEvent>, Fault> {
        Ok(Vec::new())
    }

    async fn change(&self, sync: &SyncObject, change: &SyncChange) -> Result<SyncObject, Fault> {
        self.changes.lock().unwrap().push(change.clone());
        let mut now = self.now.lock().unwrap();
        if let Some(next) = self.next.lock().unwrap().pop_front() {
            *now = next;
        }
        for (name, value) in &change.annotations {
            now.annotations.insert((*name).to_owned(), value.clone());
        }
        // What the operator would do about a refresh.
        now.status.refresh = now.annotations.get(REFRESH_ANNOTATION).cloned();
        assert_eq!(now.uid, sync.uid);
        Ok(now.clone())
    }

    async fn user(&self) -> Result<String, Fault> {
        Ok("ada".to_owned())
    }
}

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// Streams, what goes to them, and what a person answers if there is one.
fn streams(answer: Option<&str>) -> (Streams, Page, Page) {
    let (out, err) = (Page::default(), Page::default());
    let streams = Streams {
        out: Box::new(out.clone()),
        err: Box::new(err.clone()),
        input: Box::new(Cursor::new(answer.unwrap_or_default().to_owned())),
        style: Style::default(),
        error_style: Style::default(),
        person: answer.is_some(),
    };
    (streams, out, err)
}

fn id(name: &str) -> SyncId {
    SyncId {
        namespace: NamespaceName::new("prod").unwrap(),
        name: ObjectName::new(name).unwrap(),
    }
}

fn sync(status: Value) -> SyncObject {
    SyncObject {
        id: id("shop"),
        uid: "u-1".to_owned(),
        generation: 2,
        annotations: [].into(),
        deleting: false,
        suspended: false,
        status: serde_json::from_value(status).unwrap(),
    }
}

fn condition(status: &str, reason: &str) -> Value {
    json!([{
        "type": "Ready", "status": status, "reason": reason, "message": "so it is", "observedGeneration": 2,
        "lastTransitionTime": "2026-11-23T11:55:00Z",
    }])
}

fn ready() -> SyncObject {
    sync(json!({"observedGeneration": 2, "conditions": condition("True", "Synced")}))
}

fn held() -> SyncObject {
    sync(json!({
        "observedGeneration": 2, "conditions": condition("False", "ApprovalRequired"),
        "pendingPlan": {
            "hash": "9f86", "generation": 2, "reason": "ApprovalRequired", "creates": 0, "updates": 0, "deletes": 2,
            "targets": [{"name": "env", "deletes": ["A", "B"]}],
        },
    }))
}

const STAY: WaitArguments = WaitArguments {
    wait: true,
    timeout: Duration::from_secs(5),
};
const GO: WaitArguments = WaitArguments {
    wait: false,
    timeout: Duration::ZERO,
};

#[tokio::test]
async fn a_refresh_is_asked_for_with_a_new_word_each_time() {
    let cluster = Cluster::of(ready());
    let (mut streams, out, _) = streams(None);
    for _ in 0..2 {
        let ending = refresh(&cluster, (Asked::Read, &[id("shop")]), GO, &mut streams)
            .await
            .unwrap();
        assert_eq!(ending, Ending::Done);
    }
    let words: Vec<_> = cluster
        .changes()
        .iter()
        .map(|change| change.annotations[REFRESH_ANNOTATION].clone())
        .collect();
    assert_ne!(words[0], words[1]);
    assert_eq!(out.text(), "prod/shop: a read is asked for\n".repeat(2));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_is_waited_for_tells_how_it_ended() {
    let cluster = Cluster::of(ready());
    let (mut streams, out, _) = streams(None);
    let ending = refresh(&cluster, (Asked::Read, &[id("shop")]), STAY, &mut streams)
        .await
        .unwrap();
    assert_eq!(
        (ending, out.text().as_str()),
        (Ending::Done, "prod/shop: ready (Synced)\n")
    );
    let cluster = Cluster::of(held());
    let ending = refresh(&cluster, (Asked::Read, &[id("shop")]), STAY, &mut streams)
        .await
        .unwrap();
    assert_eq!(ending.status(), 2);
}

#[tokio::test]
async fn nothing_is_asked_of_what_is_suspended_or_of_some_when_one_is_missing() {
    let cluster = Cluster::of(SyncObject {
        suspended: true,
        ..ready()
    });
    let (mut streams, ..) = streams(None);
    let refusal = refresh(&cluster, (Asked::Read, &[id("shop")]), GO, &mut streams)
        .await
        .unwrap_err();
    assert!(
        refusal.to_string().contains("penstock resume shop -n prod"),
        "{refusal}"
    );
    let cluster = Cluster::of(ready());
    let both = [id("shop"), id("other")];
    refresh(&cluster, (Asked::Read, &both), GO, &mut streams)
        .await
        .unwrap_err();
    suspend(&cluster, &both, true, &mut streams)
        .await
        .unwrap_err();
    assert_eq!(cluster.changes(), []);
}

#[tokio::test]
async fn only_what_is_not_suspended_yet_is_suspended() {
    let cluster = Cluster::of(ready());
    let (mut streams, out, _) = streams(None);
    suspend(&cluster, &[id("shop")], false, &mut streams)
        .await
        .unwrap();
    assert_eq!(out.text(), "prod/shop: is not suspended\n");
    assert_eq!(cluster.changes(), []);
    suspend(&cluster, &[id("shop")], true, &mut streams)
        .await
        .unwrap();
    assert_eq!(cluster.changes()[0].suspend, Some(true));
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_approved_by_its_hash_in_the_users_name() {
    let cluster = Cluster::of(held()).then(ready());
    let (mut streams, out, err) = streams(None);
    let ending = approve(&cluster, &id("shop"), (Some("9f86"), STAY), &mut streams)
        .await
        .unwrap();
    assert_eq!(ending, Ending::Done);
    let changes = cluster.changes();
    assert_eq!(changes[0].annotations[APPROVE_ANNOTATION], "9f86.2");
    assert_eq!(changes[0].annotations[BY_ANNOTATION], "ada");
    assert_eq!((changes.len(), changes[0].suspend), (1, None));
    insta::assert_snapshot!(format!("{}---\n{}", err.text(), out.text()));
}

#[tokio::test]
async fn a_person_is_asked_and_may_say_no() {
    for (answer, approved) in [("y\n", 1), ("\n", 0), ("n\n", 0), ("", 0)] {
        let cluster = Cluster::of(held());
        let (mut streams, _, err) = streams(Some(answer));
        let ending = approve(&cluster, &id("shop"), (None, GO), &mut streams)
            .await
            .unwrap();
        assert_eq!(cluster.changes().len(), approved, "{answer:?}");
        assert_eq!(ending.status(), u8::from(approved == 0));
        assert!(err.text().contains("target env would lose A, B"));
    }
}

#[tokio::test]
async fn another_plan_no_plan_or_an_old_plan_is_not_approved() {
    let changed = SyncObject {
        generation: 3,
        ..held()
    };
    let suspended = SyncObject {
        suspended: true,
        ..held()
    };
    for (object, hash, said) in [
        (held(), Some("0000"), "another one by now: 9f86"),
        (held(), None, "penstock approve shop 9f86 -n prod"),
        (ready(), Some("9f86"), "no plan of it waits"),
        (changed, Some("9f86"), "its spec has changed"),
        (suspended, Some("9f86"), "penstock resume"),
    ] {
        let cluster = Cluster::of(object);
        let (mut streams, ..) = streams(None);
        let refusal = approve(&cluster, &id("shop"), (hash, GO), &mut streams)
            .await
            .unwrap_err();
        assert!(refusal.to_string().contains(said), "{refusal}");
        assert_eq!(cluster.changes(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_is_told_when_it_was_too_long() {
    let cluster = Cluster::of(held());
    let (mut streams, ..) = streams(None);
    let refusal = approve(&cluster, &id("shop"), (Some("9f86"), STAY), &mut streams)
        .await
        .unwrap_err();
    assert!(
        refusal.to_string().contains("not done it in time"),
        "{refusal}"
    );
}

#[tokio::test]
async fn the_exit_status_tells_whether_all_is_ready() {
    for (object, status_code) in [(ready(), 0), (held(), 2)] {
        let cluster = Cluster::of(object);
        let (mut streams, ..) = streams(None);
        let form = crate::arguments::OverviewForm::Text;
        let ending = status(&cluster, Wanted::Everywhere, form, &mut streams)
            .await
            .unwrap();
        assert_eq!(ending.status(), status_code);
    }
}

#[tokio::test]
async fn a_retry_lifts_a_rejection_and_has_the_sources_read() {
    let cluster = Cluster::of(ready());
    let (mut streams, out, _) = streams(None);
    refresh(&cluster, (Asked::Retry, &[id("shop")]), GO, &mut streams)
        .await
        .unwrap();
    let changes = cluster.changes();
    let words =
        [RETRY_ANNOTATION, REFRESH_ANNOTATION].map(|name| changes[0].annotations[name].clone());
    assert_eq!(words[0], words[1]);
    assert_eq!(out.text(), "prod/shop: another try is asked for\n");
}

fn with_history() -> SyncObject {
    let one = |revision: &str, outcome: &str| json!({"revision": revision, "at": "2026-11-23T11:55:00Z", "outcome": outcome});
    sync(json!({
        "observedGeneration": 2, "conditions": condition("True", "Synced"), "revision": "r3",
        "history": [one("r3", "InUse"), one("r2", "Rejected"), one("r1", "Kept")],
    }))
}

#[tokio::test]
async fn a_rollback_pins_the_newest_that_is_kept_and_what_is_not_kept_is_refused() {
    let cluster = Cluster::of(with_history());
    let (mut page, out, _) = streams(None);
    rollback(&cluster, &id("shop"), (None, GO), &mut page)
        .await
        .unwrap();
    let change = &cluster.changes()[0];
    assert_eq!(change.annotations["penstock.dev/pin"], "r1");
    assert_eq!(change.annotations[BY_ANNOTATION], "ada");
    assert!(out.text().contains("revision r1 is pinned"));
    for (to, why) in [("r2", "Rejected"), ("r9", "is not known")] {
        let refused = rollback(&cluster, &id("shop"), (Some(to), GO), &mut page).await;
        let told = refused.unwrap_err().to_string();
        assert!(told.contains(why), "{told}");
    }
    assert_eq!(cluster.changes().len(), 1);
}

#[tokio::test]
async fn unpinning_takes_the_pin_away_and_asks_for_a_read() {
    let mut pinned = with_history();
    pinned
        .annotations
        .insert("penstock.dev/pin".to_owned(), "r1".to_owned());
    let cluster = Cluster::of(pinned);
    let (mut page, ..) = streams(None);
    unpin(&cluster, &id("shop"), GO, &mut page).await.unwrap();
    let change = &cluster.changes()[0];
    assert!(change.remove.contains("penstock.dev/pin"));
    assert!(change.annotations.contains_key(REFRESH_ANNOTATION));
}

#[tokio::test]
async fn revocations_add_up_and_are_asked_about() {
    let mut object = with_history();
    object
        .annotations
        .insert("penstock.dev/revoke".to_owned(), "r0".to_owned());
    let cluster = Cluster::of(object);
    let (mut nobody, ..) = streams(None);
    let asked = (&["r1".to_owned()][..], false);
    assert!(
        revoke(&cluster, &id("shop"), asked, &mut nobody)
            .await
            .is_err()
    );
    let (mut person, out, _) = streams(Some("y\n"));
    revoke(&cluster, &id("shop"), asked, &mut person)
        .await
        .unwrap();
    assert_eq!(
        cluster.changes()[0].annotations["penstock.dev/revoke"],
        "r0,r1"
    );
    assert!(out.text().ends_with("revoked\n"));
    let in_use = (&["r3".to_owned()][..], true);
    revoke(&cluster, &id("shop"), in_use, &mut nobody)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_rollout_is_approved_by_its_revision_and_hurried_only_when_asked_for() {
    let waiting = |reason: &str| {
        let mut object = sync(json!({
            "observedGeneration": 2, "revision": "r1",
            "rollout": {"phase": "Waiting", "revision": "r2"},
        }));
        let mut conditions: Vec<penstock_domain::api::status::Condition> =
            serde_json::from_value(condition("False", reason)).unwrap();
        conditions[0].condition_type = "RolledOut".to_owned();
        object.status.conditions = conditions;
        object
    };
    let cluster = Cluster::of(waiting("RolloutApprovalRequired"));
    let (mut page, ..) = streams(None);
    let approve = async |revision, now, page: &mut Streams| {
        approve_rollout(&cluster, &id("shop"), (Some(revision), now, GO), page).await
    };
    assert!(approve("r7", false, &mut page).await.is_err());
    approve("r2", false, &mut page).await.unwrap();
    let change = cluster.changes()[0].clone();
    assert_eq!(change.annotations["penstock.dev/approve-rollout"], "r2");
    assert!(!change.annotations.contains_key("penstock.dev/now"));
    let cluster = Cluster::of(waiting("WaitingForWindow"));
    let asked = |now| (Some("r2"), now, GO);
    assert!(
        approve_rollout(&cluster, &id("shop"), asked(false), &mut page)
            .await
            .is_err()
    );
    approve_rollout(&cluster, &id("shop"), asked(true), &mut page)
        .await
        .unwrap();
    assert_eq!(cluster.changes()[0].annotations["penstock.dev/now"], "r2");
}
