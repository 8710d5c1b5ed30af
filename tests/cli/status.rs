//! `penstock status` and `explain` without a cluster: from the record, and a look at sources and targets.
use insta::assert_snapshot;

use super::stage::{Run, Stage, literals, marker};

/// Both verbs, which write nothing anywhere.
fn both(stage: &Stage, more: &str, status: i32) -> String {
    let before = stage.files();
    let overview = stage
        .penstock(&format!("status -q -f app.yaml {more}"))
        .ended(status);
    let explained = stage
        .penstock(&format!("explain app -q -f app.yaml {more}"))
        .ended(0);
    assert_eq!(stage.files(), before, "looking writes nothing");
    format!("{overview}\n\n{explained}")
}

fn synced(values: &[(&str, &str)], more: &str) -> Stage {
    let stage = Stage::new();
    stage.file("app.yaml", &literals(values, more));
    stage.penstock("sync -q -f app.yaml").ended(0);
    stage
}

#[test]
fn before_the_first_sync_it_says_what_to_run() {
    let stage = Stage::new();
    stage.file("app.yaml", &literals(&[("A", &marker("one"))], ""));
    assert_snapshot!(both(&stage, "", 2));
}

#[test]
fn after_a_sync_it_tells_revision_keys_and_targets() {
    let stage = synced(&[("A", &marker("one")), ("B", &marker("two"))], "");
    assert_snapshot!(both(&stage, "", 0));
    stage.file(
        "app.yaml",
        &literals(&[("A", &marker("new")), ("B", &marker("two"))], ""),
    );
    assert_snapshot!("changed", both(&stage, "", 2));
    stage.penstock("sync -q -f app.yaml").ended(0);
    let explained = stage.penstock("explain app -q -f app.yaml").ended(0);
    assert!(explained.stdout.contains("before: "), "{explained}");
}

#[test]
fn for_programs_it_is_json() {
    let stage = synced(&[("A", &marker("one"))], "");
    let run = stage.penstock("status -q -f app.yaml -o json").ended(0);
    let page: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let sync = &page["syncs"][0];
    assert_eq!(
        (&sync["namespace"], &sync["name"], &sync["ready"]),
        (&"default".into(), &"app".into(), &true.into())
    );
    assert_eq!(sync["state"], "ready");
    assert_eq!(sync["targets"], "1/1");
    assert_eq!(sync["keys"][0], "A");
    assert_eq!(sync["targetStates"][0]["keys"], 1);
    assert!(
        sync["accepted"].is_string() && sync["revision"].is_string(),
        "{run}"
    );
}

#[test]
fn a_source_that_fell_back_is_named_and_what_is_in_use_stays() {
    let stage = Stage::new();
    let sync = literals(&[("A", &marker("one"))], "").replace(
        "  targets:",
        "  - {name: file, file: {path: base.env}}\n  targets:",
    );
    stage.file("base.env", &format!("B={}\n", marker("two")));
    stage.file("app.yaml", &sync);
    stage.penstock("sync -q -f app.yaml").ended(0);
    std::fs::remove_file(stage.path("base.env")).unwrap();
    std::fs::create_dir(stage.path("base.env")).unwrap();
    assert_snapshot!(both(&stage, "", 0));
}

#[test]
fn a_rejected_revision_is_told_with_its_objections() {
    let rule = "  validate: [{name: length, key: A, length: {min: 12}}]\n";
    let stage = synced(&[("A", &marker("long-enough"))], rule);
    stage.file("app.yaml", &literals(&[("A", "short")], rule));
    stage.penstock("sync -q -f app.yaml").ended(1);
    assert_snapshot!(both(&stage, "", 2));
}

#[test]
fn what_waits_for_a_person_is_told_with_the_hash() {
    let stage = synced(&[("A", &marker("one"))], "");
    let other = literals(&[("B", &marker("one"))], "")
        .replace("{name: env, file", "{name: env, select: {keys: [A]}, file");
    stage.file("app.yaml", &other);
    assert_snapshot!(both(&stage, "", 2));
}

#[test]
fn what_blocks_and_what_is_suspended_says_so() {
    let stage = Stage::new();
    stage.file("app.env", "A=theirs\n");
    stage.file("app.yaml", &literals(&[("A", &marker("one"))], ""));
    assert_snapshot!("blocked", both(&stage, "", 2));
    stage.file(
        "app.yaml",
        &literals(&[("A", &marker("one"))], "  suspend: true\n"),
    );
    assert_snapshot!("suspended", both(&stage, "", 2));
}

#[test]
fn a_record_that_another_key_sealed_is_told_and_not_taken_for_none() {
    let stage = synced(&[("A", &marker("one"))], "");
    let stage = stage.with(
        "STAGE_KEY",
        "penstock-key-1 other-installation CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=",
    );
    let told = both(&stage, "", 2);
    assert!(
        told.contains("sealed under another installation key"),
        "{told}"
    );
}

#[test]
fn documents_of_strangers_are_told_no_names_of_contents() {
    let stage = synced(&[("A", &marker("one"))], "");
    std::fs::create_dir(stage.path("trusted")).unwrap();
    stage.file("trusted/store.yaml", "");
    let run = |verb: &str| -> Run {
        stage.penstock(&format!("{verb} -q -f app.yaml --trusted-stores trusted"))
    };
    let overview = run("status").ended(0);
    let explained = run("explain app").ended(0);
    let json = run("status -o json").ended(0);
    let key = "5c63a6ca-";
    let own = stage.penstock("status -q -f app.yaml").ended(0);
    assert!(own.stdout.contains(key), "{own}");
    for told in [overview, explained, json] {
        assert!(!told.stdout.contains(key), "no revision: {told}");
        assert!(!told.stdout.contains("\"revision\""), "{told}");
    }
}

#[test]
fn what_is_asked_wrongly_says_what_there_is() {
    let stage = synced(&[("A", &marker("one"))], "");
    assert_snapshot!(
        "no_such_sync",
        stage.penstock("explain apq -q -f app.yaml").ended(1)
    );
    stage.penstock("status -A -f app.yaml").ended(64);
    stage.penstock("status --set a=b").ended(64);
    let offline = stage.penstock("status -f app.yaml --offline").ended(0);
    assert!(offline.stdout.contains("app.env"), "{offline}");
}
