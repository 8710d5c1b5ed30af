//! The shape of the workspace: which room may use which, and that no test is forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

type Outcome = Result<(), Box<dyn Error>>;

/// Room → the rooms that it may use.
const ALLOWED: [(&str, &[&str]); 8] = [
    ("penstock-domain", &[]),
    ("penstock-adapters", &["penstock-domain"]),
    ("penstock-observability", &["penstock-domain"]),
    (
        "penstock-controller",
        &["penstock-domain", "penstock-observability"],
    ),
    (
        "penstock-cli",
        &["penstock-domain", "penstock-observability"],
    ),
    (
        "penstock",
        &[
            "penstock-adapters",
            "penstock-cli",
            "penstock-controller",
            "penstock-domain",
            "penstock-observability",
        ],
    ),
    ("penstock-fakes", &[]),
    ("penstock-testbed", &[]),
];

/// What does I/O, or a runtime for it, and so has no place under the domain.
const OUTSIDE: [&str; 12] = [
    "aws-lc-rs",
    "axum",
    "hyper",
    "hyper-util",
    "kube-client",
    "kube-runtime",
    "mio",
    "reqwest",
    "ring",
    "rustls",
    "tokio",
    "tower",
];

#[test]
fn rooms_use_only_the_rooms_that_they_may() -> Outcome {
    let metadata = cargo(&["metadata", "--format-version=1", "--no-deps", "--locked"])?;
    let edges = edges(&serde_json::from_str(&metadata)?);
    let allowed: BTreeMap<&str, BTreeSet<&str>> = ALLOWED
        .into_iter()
        .map(|(room, rooms)| (room, rooms.iter().copied().collect()))
        .collect();
    let rooms: Vec<&str> = edges.keys().map(String::as_str).collect();
    let known: Vec<&str> = allowed.keys().copied().collect();
    assert_eq!(
        rooms, known,
        "every member of the workspace has its line in ALLOWED"
    );
    for (room, uses) in &edges {
        let uses: BTreeSet<&str> = uses.iter().map(String::as_str).collect();
        let forbidden: Vec<_> = uses.difference(&allowed[room.as_str()]).collect();
        assert!(forbidden.is_empty(), "{room} must not use {forbidden:?}");
    }
    Ok(())
}

/// `cargo metadata` would not do: its graph joins the features that all members ask for.
#[test]
fn the_domain_reaches_no_runtime_and_no_network() -> Outcome {
    let arguments =
        "tree --package=penstock-domain --edges=normal --prefix=none --format={p} --locked";
    let tree = cargo(&arguments.split(' ').collect::<Vec<_>>())?;
    let names: BTreeSet<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(
        names.contains("penstock-domain") && names.contains("serde"),
        "{tree}"
    );
    let forbidden: Vec<_> = OUTSIDE
        .into_iter()
        .filter(|name| names.contains(name))
        .collect();
    assert!(
        forbidden.is_empty(),
        "penstock-domain reaches {forbidden:?}"
    );
    Ok(())
}

#[test]
fn every_test_file_is_run() -> Outcome {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut forgotten = unlisted(&tests, "runner.rs")?;
    for entry in fs::read_dir(&tests)? {
        let folder = entry?.path();
        if folder.join("mod.rs").is_file() {
            forgotten.extend(unlisted(&folder, "mod.rs")?);
        }
    }
    assert!(
        forgotten.is_empty(),
        "not listed where they belong: {forgotten:?}"
    );
    Ok(())
}

/// The modules of a folder that its list has no `mod` line for.
fn unlisted(folder: &Path, list: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let text = fs::read_to_string(folder.join(list))?;
    let mut modules = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_module = path.extension().is_some_and(|extension| extension == "rs")
            || path.join("mod.rs").is_file();
        let is_list = path.file_name().is_some_and(|name| name == list);
        if is_module && !is_list {
            modules.extend(
                path.file_stem()
                    .map(|stem| stem.to_string_lossy().into_owned()),
            );
        }
    }
    let listed = |module: &String| {
        text.lines()
            .any(|line| line.trim() == format!("mod {module};"))
    };
    modules.retain(|module| !listed(module));
    Ok(modules)
}

/// Normal dependencies between members; those of tests may go anywhere.
fn edges(metadata: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let array = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages = array(&metadata["packages"]);
    let members: BTreeSet<String> = packages
        .iter()
        .map(|package| text(&package["name"]))
        .collect();
    let uses = |package: &Value| {
        array(&package["dependencies"])
            .iter()
            .filter(|dependency| dependency["kind"].is_null())
            .map(|dependency| text(&dependency["name"]))
            .filter(|name| members.contains(name))
            .collect()
    };
    packages
        .iter()
        .map(|package| (text(&package["name"]), uses(package)))
        .collect()
}

fn cargo(arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
