//! `CASES.md` tells the truth: every test that it names is there, and every row says one or why there is none.

use std::fs;
use std::path::Path;

/// Paths of tests in the last cell of a row; `…` stands for the module of the one before.
fn named(cell: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for quoted in cell.split('`').skip(1).step_by(2) {
        let name = match (quoted.strip_prefix("…::"), names.last()) {
            (Some(name), Some(before)) => {
                let module = before.rsplit_once("::").map_or("", |(module, _)| module);
                format!("{module}::{name}")
            }
            _ => quoted.to_owned(),
        };
        names.push(name);
    }
    names
}

fn exists(folder: &Path, test: &str) -> bool {
    let Some((module, name)) = test.rsplit_once("::") else {
        return false;
    };
    let file = format!("{}.rs", module.replace("::", "/"));
    [folder.join(&file), folder.join("eso_matrix").join(&file)]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .any(|source| source.contains(&format!("async fn {name}()")))
}

/// What is wrong with a row, if anything.
fn complaint(folder: &Path, row: &str) -> Option<String> {
    let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
    let [.., expectation, tests] = cells.as_slice() else {
        return Some(format!("no table row: {row}"));
    };
    let names = named(tests);
    if names.is_empty() {
        let excused = tests.starts_with("the same") || expectation.starts_with("not ours");
        return (!excused).then(|| format!("names no test and no reason: {row}"));
    }
    let missing = names.iter().find(|name| !exists(folder, name));
    missing.map(|name| format!("there is no test {name}"))
}

#[test]
fn every_test_that_the_table_of_cases_names_exists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/operator");
    let table = fs::read_to_string(folder.join("CASES.md")).unwrap();
    let mut tables = table.lines().peekable();
    let (mut complaints, mut rows) = (Vec::new(), 0);
    while let Some(line) = tables.next() {
        let is_head = tables.peek().is_some_and(|next| next.starts_with("|---"));
        if line.starts_with("| ") && !is_head {
            rows += 1;
            complaints.extend(complaint(&folder, line));
        }
    }
    assert!(rows > 50, "only {rows} rows were found");
    assert_eq!(complaints, [""; 0]);
}

#[test]
fn a_row_without_a_test_or_a_reason_is_noticed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/operator");
    for (row, good) in [
        ("| 1 | a | b | `kills::no_such_test` |", false),
        (
            "| 1 | a | b | `first_sync::an_outage_of_the_vault_loses_nothing_and_heals` |",
            true,
        ),
        ("| 1 | a | b | – |", false),
        ("| 1 | a | not ours: no | – |", true),
    ] {
        assert_eq!(complaint(&folder, row).is_none(), good, "{row}");
    }
}
