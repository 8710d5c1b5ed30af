//! A folder of one's own, and the binary run in it.
#![expect(
    clippy::unwrap_used,
    reason = "support of tests: what is broken here ends the test"
)]

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// What every marker holds.
const MARK: &str = "hunter2";

/// The installation key of all stages, so that hashes are the same in every run.
const KEY: &str = "penstock-key-1 stage-installation BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// A value that must never be printed.
pub(crate) fn marker(name: &str) -> String {
    format!("{MARK}-{name}")
}

/// Whether `text` shows a value, as it is or in base64, which hides nothing.
pub(crate) fn shows_value(text: &str) -> bool {
    use base64::Engine as _;
    // The three ways in which base64 can begin within a longer text.
    let encoded = (0..3).map(|shift| {
        let padded = format!("{}{MARK}", "x".repeat(shift));
        let text = base64::engine::general_purpose::STANDARD.encode(padded);
        // Only the digits that depend on the marker alone.
        let from = (shift * 8).div_ceil(6);
        let to = (shift + MARK.len()) * 8 / 6;
        text.get(from..to).unwrap().to_owned()
    });
    text.contains(MARK) || encoded.into_iter().any(|part| text.contains(&part))
}

/// A folder with documents, in which the binary runs.
pub(super) struct Stage {
    folder: TempDir,
    variables: BTreeMap<String, String>,
}

/// What one run printed, and how it ended.
#[derive(Debug)]
pub(super) struct Run {
    command: String,
    pub(super) status: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Stage {
    /// An empty folder, and an installation key.
    pub(super) fn new() -> Self {
        let stage = Self {
            folder: TempDir::with_prefix("penstock-cli-").unwrap(),
            variables: BTreeMap::new(),
        };
        stage
            .with("PENSTOCK_KEY", "env:STAGE_KEY")
            .with("STAGE_KEY", KEY)
    }

    /// The same with a variable.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same without a variable.
    pub(super) fn without(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    /// Puts a file there.
    pub(super) fn file(&self, name: &str, text: &str) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// What a file holds; none when there is none.
    pub(super) fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path(name)).ok()
    }

    /// Where a file lies.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `penstock` with these words. No value may show.
    pub(super) fn penstock(&self, words: &str) -> Run {
        self.run(words, "").without_values()
    }

    /// The same, with text on standard input.
    pub(super) fn penstock_reading(&self, words: &str, input: &str) -> Run {
        self.run(words, input).without_values()
    }

    /// The same, for a run that is meant to show values.
    pub(super) fn penstock_revealing(&self, words: &str) -> Run {
        self.run(words, "")
    }

    fn run(&self, words: &str, input: &str) -> Run {
        let mut child = self
            .command(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A run that reads none of it has closed the pipe.
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        let output = child.wait_with_output().unwrap();
        self.heard(words, &output)
    }

    /// The command, ready to be started.
    pub(super) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_penstock"));
        command
            .args(split(words))
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path().join("home"))
            .envs(&self.variables);
        command
    }

    fn heard(&self, words: &str, output: &Output) -> Run {
        let folder = self.folder.path().display().to_string();
        let text = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            text.replace(&folder, "<stage>")
        };
        Run {
            command: words.to_owned(),
            status: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// Every file below the folder, by its path.
    pub(super) fn files(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        collect(self.folder.path(), self.folder.path(), &mut files);
        files
    }
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let content = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            files.insert(name, content);
        }
    }
}

/// Words between blanks; what stands in single quotes is one word.
fn split(words: &str) -> Vec<String> {
    words
        .split('\'')
        .enumerate()
        .flat_map(|(index, part)| {
            if index % 2 == 1 {
                vec![part.to_owned()]
            } else {
                part.split_whitespace().map(str::to_owned).collect()
            }
        })
        .collect()
}

impl Run {
    fn without_values(self) -> Self {
        assert!(!shows_value(&self.stdout), "a value on stdout: {self}");
        assert!(!shows_value(&self.stderr), "a value on stderr: {self}");
        self
    }

    /// The same, without `words` in what was typed.
    pub(super) fn hiding(mut self, words: &str) -> Self {
        self.command = self.command.replace(words, "…");
        self
    }

    /// The same, which must have ended so.
    pub(super) fn ended(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }
}

impl fmt::Display for Run {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "$ penstock {}", self.command)?;
        if !self.stdout.is_empty() {
            write!(formatter, "--- stdout\n{}", self.stdout)?;
        }
        if !self.stderr.is_empty() {
            write!(formatter, "--- stderr\n{}", self.stderr)?;
        }
        write!(formatter, "--- status {}", self.status)
    }
}

/// A sync of literals into `app.env`, with more lines for its spec.
pub(super) fn literals(values: &[(&str, &str)], more: &str) -> String {
    let values: Vec<String> = values
        .iter()
        .map(|(key, value)| format!("{key}: \"{value}\""))
        .collect();
    format!(
        "apiVersion: penstock.dev/v1alpha1
kind: SecretSync
metadata: {{name: app}}
spec:
  sources:
  - {{name: base, literal: {{{}}}}}
  targets:
  - {{name: env, file: {{path: app.env}}}}
{more}",
        values.join(", ")
    )
}
