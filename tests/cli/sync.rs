//! `penstock sync`.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use insta::assert_snapshot;

use super::stage::{Stage, literals, marker, shows_value};

fn five() -> Vec<(&'static str, String)> {
    ["A", "B", "C", "D", "E"]
        .map(|key| (key, marker(key)))
        .into()
}

fn sync_of(values: &[(&str, String)]) -> String {
    let values: Vec<(&str, &str)> = values
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    literals(&values, "")
}

#[test]
fn a_sync_writes_says_what_it_wrote_and_the_next_one_does_nothing() {
    let stage = Stage::new();
    stage.file("app.yaml", &sync_of(&five()));
    assert_snapshot!("first_sync", stage.penstock("sync -f app.yaml").ended(0));
    let written = stage.read("app.env").unwrap();
    assert!(written.contains(&marker("A")), "it has the values");
    let files = stage.files();
    assert_snapshot!("second_sync", stage.penstock("sync -f app.yaml").ended(0));
    assert_eq!(
        stage.files(),
        files,
        "unchanged costs nothing, the record included"
    );
}

#[test]
fn deletions_need_a_yes_where_nobody_can_be_asked() {
    let stage = Stage::new();
    stage.file("app.yaml", &sync_of(&five()));
    stage.penstock("sync -f app.yaml").ended(0);
    stage.file("app.yaml", &sync_of(&five()[1..]));
    let before = stage.read("app.env");
    assert_snapshot!(
        "deletion_refused",
        stage.penstock("sync -f app.yaml -q").ended(1)
    );
    assert_eq!(stage.read("app.env"), before);
    stage.penstock("sync -f app.yaml -q --yes").ended(0);
    assert!(!stage.read("app.env").unwrap().contains("A="));
    stage.penstock("plan -f app.yaml").ended(0);
}

#[test]
fn what_a_guard_holds_needs_the_hash_of_its_plan_and_no_yes_helps() {
    let stage = Stage::new();
    stage.file("app.yaml", &sync_of(&five()));
    stage.penstock("sync -f app.yaml").ended(0);
    stage.file("app.yaml", &sync_of(&five()[4..]));
    let held = stage.penstock("sync -f app.yaml -q --yes").ended(1);
    let (_, hash) = held.stdout.split_once("--approve ").unwrap();
    let hash = hash.split('`').next().unwrap().to_owned();
    stage
        .penstock("sync -f app.yaml -q --yes --approve 0000000000000000")
        .ended(1);
    assert!(stage.read("app.env").unwrap().contains("A="));
    stage
        .penstock(&format!("sync -f app.yaml -q --yes --approve {hash}"))
        .ended(0);
    assert!(!stage.read("app.env").unwrap().contains("A="));
}

#[test]
fn a_command_runs_once_and_only_after_a_change() {
    let stage = Stage::new();
    stage.file("app.yaml", &sync_of(&five()));
    let sync = "sync -f app.yaml -q --on-change 'echo x >> ran'";
    stage.penstock(sync).ended(0);
    stage.penstock(sync).ended(0);
    assert_eq!(stage.read("ran").as_deref(), Some("x\n"));
    stage.file(
        "app.yaml",
        &sync_of(&five()[..0]).replace("literal: {}", "literal: {Z: z}"),
    );
    stage.file(
        "app.yaml",
        &sync_of(
            &[("A", marker("other"))]
                .into_iter()
                .chain(five().into_iter().skip(1))
                .collect::<Vec<_>>(),
        ),
    );
    stage
        .penstock("sync -f app.yaml -q --on-change 'exit 3'")
        .ended(1);
}

#[test]
fn one_sync_that_fails_leaves_the_others_alone() {
    let stage = Stage::new();
    let broken = sync_of(&five())
        .replace("name: app}", "name: broken}")
        .replace("app.env", "broken.env");
    stage.file("all/a.yaml", &broken);
    stage.file("all/b.yaml", &sync_of(&five()));
    stage.file("all/broken.env", "A=theirs\n");
    assert_snapshot!(stage.penstock("sync -f all -q").ended(1));
    assert!(stage.read("all/app.env").unwrap().contains(&marker("A")));
    assert_eq!(stage.read("all/broken.env").as_deref(), Some("A=theirs\n"));
}

#[test]
fn targets_and_sources_are_chosen_by_name() {
    let stage = Stage::new();
    let two = sync_of(&five()).replace(
        "  targets:\n",
        "  - {name: extra, literal: {X: x}}\n  targets:\n  - {name: other, file: {path: other.env}}\n",
    );
    stage.file("app.yaml", &two);
    stage.penstock("sync -f app.yaml -q --target env").ended(0);
    assert!(stage.read("other.env").is_none() && stage.read("app.env").unwrap().contains("X="));
    stage.penstock("sync -f app.yaml -q").ended(0);
    assert!(stage.read("other.env").is_some());
    // What a skipped source gave stays, and so does what belongs to targets that are not meant.
    stage
        .penstock("sync -f app.yaml -q --skip extra --target env")
        .ended(0);
    assert!(
        stage.read("app.env").unwrap().contains("X=")
            && stage.read("other.env").unwrap().contains("X=")
    );
    assert_snapshot!(
        stage
            .penstock("sync -f app.yaml --target evn --skip extra2 --only apq")
            .ended(1)
    );
}

#[test]
fn somebody_elses_change_is_repaired() {
    let stage = Stage::new();
    stage.file("app.yaml", &sync_of(&five()));
    stage.penstock("sync -f app.yaml -q").ended(0);
    let good = stage.read("app.env");
    stage.file(
        "app.env",
        &good.clone().unwrap().replace(&marker("A"), "tampered"),
    );
    assert_snapshot!(stage.penstock("sync -f app.yaml -q").ended(0));
    assert_eq!(stage.read("app.env"), good);
}

#[test]
fn two_syncs_at_once_lose_nothing() {
    let stage = Stage::new();
    stage.file("app.yaml", &sync_of(&five()));
    let run = || {
        let mut command = stage.command("sync -f app.yaml -q");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let mut children = [run(), run(), run()];
    let well = children
        .iter_mut()
        .filter_map(|child| child.wait().unwrap().code())
        .filter(|code| *code == 0);
    assert!(well.count() >= 1);
    for (key, value) in five() {
        assert!(stage.read("app.env").unwrap().contains(&value), "{key}");
    }
    stage.penstock("sync -f app.yaml -q").ended(0);
    stage.penstock("plan -f app.yaml -q").ended(0);
}

#[test]
fn watch_goes_on_until_it_is_interrupted() {
    let stage = Stage::new();
    stage.file("app.yaml", &sync_of(&five()));
    let mut child = stage
        .command("sync -f app.yaml --watch --on-change 'echo changed'")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let mut lines = stdout.lines().map(Result::unwrap);
    assert!(
        lines.any(|line| line == "changed"),
        "the first round has run"
    );
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let stderr = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
    assert!(
        stderr.contains("interrupted: every target holds either its old or its new content"),
        "{stderr}"
    );
    stage.penstock("plan -f app.yaml").ended(0);
}

#[test]
fn a_dry_run_is_the_plan() {
    let stage = Stage::new();
    stage.file("app.yaml", &sync_of(&five()));
    let before = stage.files();
    let dry = stage.penstock("sync -f app.yaml -q --dry-run").ended(2);
    assert_eq!(
        dry.stdout,
        stage.penstock("plan -f app.yaml -q").ended(2).stdout
    );
    assert_eq!(stage.files(), before);
}

/// The versions of the values in `app.env`; none where there is no file.
fn versions(stage: &Stage) -> Option<BTreeSet<String>> {
    let text = stage.read("app.env")?;
    let lines: Vec<&str> = text.lines().filter(|line| line.contains('=')).collect();
    assert_eq!(lines.len(), 500, "no half of a file");
    let version = |line: &&str| {
        let version = line.rsplit('-').next().unwrap_or_default();
        version.trim_end_matches(['"', '\'']).to_owned()
    };
    Some(lines.iter().map(version).collect())
}

#[test]
fn killed_at_any_moment_it_leaves_the_old_or_the_new() {
    let stage = Stage::new();
    stage.file(
        "app.yaml",
        &literals(&[], "").replace("literal: {}", "file: {path: base.env}"),
    );
    let mut seen = BTreeSet::new();
    for version in 0..8_usize {
        let base: Vec<String> = (0..500)
            .map(|key| format!("K{key}={}-{version}\n", marker("v")))
            .collect();
        stage.file("base.env", &base.concat());
        let mut child = stage
            .command("sync -f app.yaml -q")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The plan is printed just before the writing begins; what the run says afterwards comes when it is over.
        let stdout = BufReader::new(child.stdout.take().unwrap());
        assert!(
            stdout
                .lines()
                .map(Result::unwrap)
                .any(|line| line.starts_with("Plan:"))
        );
        if version % 2 == 1 {
            child.kill().unwrap();
        }
        child.wait().unwrap();
        if let Some(versions) = versions(&stage) {
            assert_eq!(versions.len(), 1, "old or new, never both");
            seen.extend(versions);
        }
    }
    stage.penstock("sync -f app.yaml -q").ended(0);
    assert_eq!(versions(&stage), Some(BTreeSet::from(["7".to_owned()])));
    assert!(seen.len() >= 4, "those that were not killed have written");
    stage.penstock("plan -f app.yaml -q").ended(0);
}

#[test]
fn reads_writes_and_reveals_are_in_the_audit_trail() {
    let stage = Stage::new();
    stage.file("app.yaml", &sync_of(&five()));
    stage.penstock("sync -f app.yaml -q --audit trail").ended(0);
    stage
        .penstock("exec -f app.yaml -q --audit trail -- true")
        .ended(0);
    let trail = stage.read("trail").unwrap();
    assert!(!shows_value(&trail), "{trail}");
    let actions: Vec<String> = trail
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["action"].to_string())
        .collect();
    assert_eq!(actions, ["\"read\"", "\"write\"", "\"read\"", "\"reveal\""]);
}
