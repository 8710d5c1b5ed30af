//! `examples/circleci/`: the steps of the configuration, as they stand in it, with the variables of the context.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Outcome;
use super::checkout::Checkout;
use super::console::follow_readme;
use crate::cli::marker;

/// The shell of a step on Linux, as CircleCI documents it.
const SHELL: [&str; 4] = ["bash", "-eo", "pipefail", "-c"];

fn context() -> BTreeMap<String, String> {
    let password = format!("{} p/w", marker("password"));
    [
        ("APP_DB_USER", "app".to_owned()),
        ("APP_DB_PASSWORD", password),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

#[test]
fn every_step_of_the_job_runs() -> Outcome {
    let checkout = Checkout::of("circleci");
    let config = checkout.read(".circleci/config.yml").unwrap_or_default();
    let config: Value = serde_saphyr::from_str(&config)?;
    let steps = config["jobs"]["deploy"]["steps"].as_array().cloned();
    let steps = steps.unwrap_or_default();
    let commands: Vec<&str> = steps
        .iter()
        .filter_map(|step| step["run"]["command"].as_str())
        .collect();
    assert_eq!(commands.len(), 4, "install, plan, sync, exec: {commands:?}");
    let mut printed = String::new();
    for command in commands {
        let [shell, flags, option, text] = SHELL;
        let words = [shell, flags, option, text, command];
        let ran = checkout.run(&words, &checkout.path("."), &context());
        printed.push_str(&ran.ended(0).printed);
    }
    assert!(printed.contains("3 to create"), "{printed}");
    assert!(
        printed.contains("deploying with a DATABASE_URL of"),
        "{printed}"
    );
    let written = checkout.read("app.env").unwrap_or_default();
    let url = format!(
        "DATABASE_URL=postgres://app:{}%20p%2Fw@db/app\n",
        marker("password")
    );
    assert!(written.contains(&url), "the password is encoded for a URL");
    Ok(())
}

#[test]
fn without_the_context_nothing_is_written_and_the_job_says_what_it_lacks() {
    let checkout = Checkout::of("circleci");
    let ran = checkout.shell("penstock sync -f penstock.yaml").ended(1);
    assert!(ran.printed.contains("DB_USER"), "{ran}");
    assert!(checkout.read("app.env").is_none());
}

#[test]
fn what_the_readme_says_works() {
    follow_readme(&Checkout::of("circleci"));
}
