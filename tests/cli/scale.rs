//! A bundle of ten thousand keys.

use std::fmt::Write as _;

use super::stage::{Stage, literals, marker};

#[test]
fn ten_thousand_keys_are_planned_written_and_found_unchanged() {
    let stage = Stage::new();
    let mut base = String::new();
    for index in 0..10_000 {
        // Writing to a String cannot fail.
        let _ = writeln!(base, "KEY_{index}={}", marker("v"));
    }
    stage.file("base.env", &base);
    stage.file(
        "app.yaml",
        &literals(&[], "").replace("literal: {}", "file: {path: base.env}"),
    );
    let plan = stage.penstock("plan -f app.yaml -q").ended(2);
    assert!(plan.stdout.contains("10000 to create"), "{}", plan.status);
    stage.penstock("sync -f app.yaml -q").ended(0);
    let again = stage.penstock("plan -f app.yaml -q").ended(0);
    assert!(again.stdout.contains("nothing to do"), "{}", again.status);
}
