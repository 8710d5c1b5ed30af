//! What people read, as snapshots.

use jiff::Timestamp;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::{NamespaceName, ObjectName, SyncId};
use penstock_domain::people::{SyncEvent, SyncObject};
use serde_json::{Value, json};

use super::*;
use crate::output::Style;

const NOW: &str = "2026-11-23T12:00:00Z";

fn sync(name: &str, status: Value) -> SyncObject {
    SyncObject {
        id: SyncId {
            namespace: NamespaceName::new("prod").unwrap(),
            name: ObjectName::new(name).unwrap(),
        },
        uid: format!("uid-{name}"),
        generation: 2,
        annotations: [].into(),
        deleting: false,
        suspended: false,
        status: serde_json::from_value(status).unwrap(),
    }
}

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": 2,
        "lastTransitionTime": "2026-11-23T11:55:00Z",
    })
}

fn well() -> SyncObject {
    let message = "2 of 2 targets hold the current content";
    sync(
        "shop",
        json!({
            "observedGeneration": 2, "revision": "1a-00c0ffee00c0ffee", "summary": "2/2",
            "record": {"counter": 7},
            "conditions": [
                condition("Ready", "True", "Synced", message),
                condition("Reconciling", "False", "Synced", "nothing is under way"),
                condition("Stalled", "False", "Synced", "nothing waits for a person"),
                condition("RolledOut", "True", "RolledOut", "every workload runs on it"),
            ],
            "sources": [{"name": "vault", "state": "Ready", "version": "12"}],
            "targets": [
                {"name": "env", "state": "Synced", "keyCount": 1, "revision": "1a-00c0ffee00c0ffee"},
                {"name": "old", "state": "Synced", "keyCount": 2, "revision": "1a-0ddba11000000000"},
            ],
            "rollout": {"phase": "Complete", "revision": "1a-00c0ffee00c0ffee", "counts": {
                "total": 2, "updated": 2, "restarting": 0, "waiting": 0, "failed": 0, "skipped": 0}},
        }),
    )
}

fn held() -> SyncObject {
    let message =
        "target env: would lose 5 of its 8 keys: K4, K5, K6, K7, K8. Nothing was written.";
    sync(
        "half",
        json!({
            "observedGeneration": 2, "revision": "1a-00c0ffee00c0ffee", "summary": "0/1",
            "conditions": [
                condition("Ready", "False", "ApprovalRequired", message),
                condition("Stalled", "True", "ApprovalRequired", message),
            ],
            "targets": [{"name": "env", "state": "Pending", "keyCount": 8,
                "message": "waits for approval, see status.pendingPlan"}],
            "pendingPlan": {
                "hash": "9f86d081884c7d65", "generation": 2, "reason": "ApprovalRequired",
                "creates": 0, "updates": 1, "deletes": 5,
                "targets": [{"name": "env", "deletes": ["K4", "K5", "K6", "K7", "K8\u{1b}[2J"]}],
            },
        }),
    )
}

fn stuck() -> SyncObject {
    let message = "Deployment api does not become healthy";
    sync(
        "stuck",
        json!({
            "observedGeneration": 2, "revision": "1a-00c0ffee00c0ffee", "summary": "1/1",
            "conditions": [
                condition("Ready", "True", "Synced", "1 of 1 targets hold the current content"),
                condition("Stale", "True", "SourceUnavailable", "the last good content stays in use: source vault: \
                    does not answer"),
                condition("RolledOut", "False", "RolloutStuck", message),
            ],
            "sources": [{"name": "vault", "state": "Unavailable"}],
            "targets": [{"name": "env", "state": "Synced", "keyCount": 1}],
            "rollout": {"phase": "Stuck", "counts": {
                "total": 3, "updated": 2, "restarting": 0, "waiting": 0, "failed": 1, "skipped": 0},
                "attention": [{"kind": "Deployment", "name": "api", "reason": "RolloutStuck",
                    "message": "does not become healthy: 1 of 2 pods is not ready"}]},
        }),
    )
}

fn unseen() -> SyncObject {
    sync("new", json!({}))
}

fn all() -> Vec<SyncObject> {
    let suspended = SyncObject {
        suspended: true,
        ..sync("rests", well_status())
    };
    vec![well(), held(), stuck(), unseen(), suspended]
}

fn well_status() -> Value {
    serde_json::to_value(well().status).unwrap()
}

fn explain(sync: &SyncObject, told: Told<'_>) -> String {
    explanation(sync, told, NOW.parse().unwrap(), Style::default())
}

fn event(at: &str, warning: bool, reason: &str, note: &str) -> SyncEvent {
    SyncEvent {
        at: Some(at.parse::<Timestamp>().unwrap()),
        warning,
        reason: reason.to_owned(),
        note: note.to_owned(),
    }
}

#[test]
fn the_table_shows_each_sync_and_what_it_waits_for() {
    insta::assert_snapshot!(table(&all(), true, Style::default()));
}

#[test]
fn within_one_namespace_it_is_not_repeated() {
    insta::assert_snapshot!(table(&[well(), held()], false, Style::default()));
}

#[test]
fn programs_get_the_same_as_people() {
    insta::assert_snapshot!(as_json(&[well(), held(), unseen()]).unwrap());
}

#[test]
fn a_sync_that_is_well_needs_few_words() {
    insta::assert_snapshot!(explain(&well(), Told::Events(&[])));
}

#[test]
fn a_plan_that_waits_is_shown_with_the_way_to_approve_it() {
    let events = [
        event(
            "2026-11-23T09:00:00Z",
            false,
            "TargetWritten",
            "Secret half-env: 8 keys",
        ),
        event(
            "2026-11-23T11:59:00Z",
            true,
            "ApprovalRequired",
            "Ready: would lose 5 of its 8 keys",
        ),
    ];
    insta::assert_snapshot!(explain(&held(), Told::Events(&events)));
}

#[test]
fn a_workload_that_is_stuck_and_a_vault_that_is_away_are_both_told() {
    let denied = Fault::new(
        FaultClass::Denied,
        "Events",
        "the API server forbids you to list events here",
    );
    insta::assert_snapshot!(explain(&stuck(), Told::Unknown(&denied)));
}

#[test]
fn what_the_operator_has_not_seen_is_said() {
    insta::assert_snapshot!(explain(&unseen(), Told::Events(&[])));
    let suspended = SyncObject {
        suspended: true,
        generation: 3,
        ..well()
    };
    insta::assert_snapshot!(explain(&suspended, Told::Events(&[])));
}

#[test]
fn history_begins_with_what_is_in_use() {
    insta::assert_snapshot!(revisions(&well(), Style::default()));
    insta::assert_snapshot!(revisions(&unseen(), Style::default()));
}

#[test]
fn one_line_says_how_it_is() {
    let lines: Vec<String> = all()
        .iter()
        .map(|sync| state_line(sync, Style::default()))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}
