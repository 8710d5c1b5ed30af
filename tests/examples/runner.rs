//! The part of GitHub's runner that the steps of a workflow meet: their order and conditions, expressions, shells,
//! `$GITHUB_ENV`, workflow commands, and a log from which masked values are cut out.
//!
//! It is written from the documentation of workflow commands and `FileCommandManager.cs` of `actions/runner`, and
//! knows nothing of what Penstock writes. Unlike the real one it masks no secrets by itself: what a step prints of
//! them shows.
#![expect(
    clippy::unwrap_used,
    reason = "support of tests: what is broken here ends the test"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::checkout::{Checkout, copy};
use crate::cli::shows_value;

/// One job of a workflow, played.
pub(super) struct Job<'a> {
    checkout: &'a Checkout,
    /// What expressions name, by their text.
    context: BTreeMap<String, String>,
    /// The folder that `actions/checkout` brings for a `ref`, by that.
    refs: BTreeMap<String, PathBuf>,
    /// What earlier steps put into `$GITHUB_ENV`.
    variables: BTreeMap<String, String>,
    masks: Vec<String>,
    /// What the page of the run shows.
    pub(super) log: String,
    /// The step that failed first.
    pub(super) failed: Option<String>,
}

impl<'a> Job<'a> {
    /// A job that has done nothing yet.
    pub(super) fn new(checkout: &'a Checkout, context: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            checkout,
            context: context.iter().map(owned).collect(),
            refs: BTreeMap::new(),
            variables: BTreeMap::new(),
            masks: Vec::new(),
            log: String::new(),
            failed: None,
        }
    }

    /// The same, where a `ref` can be checked out.
    pub(super) fn with_ref(mut self, name: &str, folder: PathBuf) -> Self {
        self.refs.insert(name.to_owned(), folder);
        self
    }

    /// Plays the only job of a workflow of the example. No value may show in its log.
    pub(super) fn play(mut self, workflow: &str) -> Self {
        let text = self.checkout.read(workflow).unwrap();
        let workflow: Value = serde_saphyr::from_str(&text).unwrap();
        let jobs = workflow["jobs"].as_object().unwrap();
        assert_eq!(jobs.len(), 1, "a workflow of one job: {text}");
        let job = jobs.values().next().unwrap();
        for step in job["steps"].as_array().unwrap() {
            let whatever_happened = step["if"].as_str().is_some_and(|text| {
                assert_eq!(
                    text, "${{ !cancelled() }}",
                    "the one condition that is known"
                );
                true
            });
            if self.failed.is_none() || whatever_happened {
                self.step(step);
            }
        }
        assert!(
            !shows_value(&self.log),
            "the log shows a value: {}",
            self.log
        );
        self
    }

    fn step(&mut self, step: &Value) {
        if let Some(action) = step["uses"].as_str() {
            assert!(action.starts_with("actions/checkout@"), "{action}");
            return self.check_out(&step["with"]);
        }
        let name = step["name"].as_str().unwrap_or("(no name)").to_owned();
        let file = self.checkout.top().join("github-env");
        fs::write(&file, "").unwrap();
        let summary = self.checkout.top().join("github-summary");
        let path = |path: &PathBuf| path.to_str().unwrap().to_owned();
        let mut variables = self.variables.clone();
        for (name, value) in step["env"].as_object().into_iter().flatten() {
            variables.insert(name.clone(), self.evaluated(value.as_str().unwrap()));
        }
        variables.extend([
            ("CI".to_owned(), "true".to_owned()),
            ("GITHUB_ACTIONS".to_owned(), "true".to_owned()),
            ("GITHUB_ENV".to_owned(), path(&file)),
            ("GITHUB_STEP_SUMMARY".to_owned(), path(&summary)),
        ]);
        let script = self.checkout.top().join("step.sh");
        let text = step["run"].as_str().unwrap();
        assert!(
            !text.contains("${{"),
            "an expression in a script runs whatever somebody else wrote: {text}"
        );
        fs::write(&script, text).unwrap();
        let words = ["bash", "-e", script.to_str().unwrap()];
        let ran = self
            .checkout
            .run_showing(&words, &self.checkout.path("."), &variables);
        self.hear(&ran.printed);
        if ran.status != 0 {
            self.failed.get_or_insert(name);
        }
        let set = environment(&fs::read_to_string(&file).unwrap());
        self.variables.extend(set);
    }

    fn check_out(&self, with: &Value) {
        let Some(reference) = with["ref"].as_str() else {
            return; // The example itself is what has been checked out.
        };
        assert_eq!(
            with["persist-credentials"], false,
            "a stranger's work tree gets no token"
        );
        let from = &self.refs[&self.evaluated(reference)];
        let to = self.checkout.path(with["path"].as_str().unwrap());
        copy(from, &to);
    }

    /// A text with its expressions replaced, which only name something.
    fn evaluated(&self, text: &str) -> String {
        let mut parts = text.split("${{");
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (expression, rest) = part.split_once("}}").unwrap();
            let value = self.context.get(expression.trim());
            assert!(value.is_some(), "{expression} is not in the context");
            whole.push_str(value.unwrap());
            whole.push_str(rest);
        }
        whole
    }

    /// Obeys the workflow commands in what a step printed, and logs the rest without what is masked.
    fn hear(&mut self, printed: &str) {
        for line in printed.split_inclusive('\n') {
            if let Some(mask) = line
                .trim_end_matches(['\n', '\r'])
                .strip_prefix("::add-mask::")
            {
                let mask = mask.replace("%0D", "\r").replace("%0A", "\n");
                self.masks.push(mask.replace("%25", "%"));
                continue;
            }
            assert!(
                !line.starts_with("::"),
                "a command that nobody meant: {line}"
            );
            let hidden = self.masks.iter().fold(line.to_owned(), |line, mask| {
                line.replace(mask.as_str(), "***")
            });
            self.log.push_str(&hidden);
        }
    }

    /// Whether a value is cut out of the log.
    pub(super) fn masks(&self, value: &str) -> bool {
        self.masks.iter().any(|mask| mask == value)
    }

    /// What later steps have of `$GITHUB_ENV`.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }
}

/// The variables that a `$GITHUB_ENV` sets.
fn environment(text: &str) -> BTreeMap<String, String> {
    let mut set = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        // Whichever of the two comes first says what the line is.
        let plain = line
            .split_once('=')
            .filter(|(name, _)| !name.contains("<<"));
        if let Some((name, value)) = plain {
            set.insert(name.to_owned(), value.to_owned());
        } else if !line.is_empty() {
            let (name, end) = line.split_once("<<").unwrap();
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
            set.insert(name.to_owned(), value.join("\n"));
        }
    }
    set
}
