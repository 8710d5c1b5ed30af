//! A copy of one example, as somebody has it who has just cloned the repository, and commands that are run in it.
#![expect(
    clippy::unwrap_used,
    reason = "support of tests: what is broken here ends the test"
)]

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::cli::shows_value;

/// Where all examples lie.
pub(super) fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// A work tree of git that holds one example, and a home without anything.
pub(super) struct Checkout {
    folder: TempDir,
    example: PathBuf,
}

/// What commands printed, on both streams in the order in which they did, and how they ended.
pub(super) struct Ran {
    pub(super) command: String,
    pub(super) status: i32,
    pub(super) printed: String,
}

impl Checkout {
    /// A copy of `examples/<name>`.
    pub(super) fn of(name: &str) -> Self {
        let folder = TempDir::with_prefix("penstock-example-").unwrap();
        let example = folder.path().join("examples").join(name);
        copy(&examples().join(name), &example);
        let programs = folder.path().join("bin");
        fs::create_dir(&programs).unwrap();
        symlink(env!("CARGO_BIN_EXE_penstock"), programs.join("penstock")).unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        let checkout = Self { folder, example };
        checkout.repository(checkout.top());
        checkout
    }

    /// Makes a folder a work tree of git, with everything that is not ignored in its index.
    pub(super) fn repository(&self, folder: &Path) {
        for arguments in [&["init", "--quiet"][..], &["add", "examples"]] {
            let mut git = Command::new("git");
            git.args(arguments).current_dir(folder);
            git.env("HOME", self.top().join("home"));
            assert!(git.status().unwrap().success(), "git {arguments:?}");
        }
    }

    /// The top of the work tree.
    pub(super) fn top(&self) -> &Path {
        self.folder.path()
    }

    /// Where a file of the example lies.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.example.join(name)
    }

    /// What a file of the example holds; none when there is none.
    pub(super) fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path(name)).ok()
    }

    /// Puts a file into the example.
    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Fills in, in every file of the example, what a reader has to.
    pub(super) fn fill_in(&self, place: &str, value: &str) {
        let mut filled = 0;
        for path in files(&self.example) {
            let text = fs::read_to_string(&path).unwrap();
            if text.contains(place) {
                fs::write(&path, text.replace(place, value)).unwrap();
                filled += 1;
            }
        }
        assert!(filled > 0, "no file has a place {place}");
    }

    /// Puts a shell script where the commands find it before any other program of that name.
    pub(super) fn stand_in(&self, name: &str, script: &str) {
        let path = self.top().join("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs a program in a folder, with no variables but a path, a home and `variables`. No value may show.
    pub(super) fn run(
        &self,
        words: &[&str],
        folder: &Path,
        variables: &BTreeMap<String, String>,
    ) -> Ran {
        let ran = self.run_showing(words, folder, variables);
        assert!(!shows_value(&ran.printed), "a value was printed: {ran}");
        ran
    }

    /// The same, where whoever reads on hides values first.
    pub(super) fn run_showing(
        &self,
        words: &[&str],
        folder: &Path,
        variables: &BTreeMap<String, String>,
    ) -> Ran {
        let programs = std::env::var("PATH").unwrap_or_default();
        let (mut reader, writer) = io::pipe().unwrap();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .current_dir(folder)
            .env_clear()
            .env(
                "PATH",
                format!("{}:{programs}", self.top().join("bin").display()),
            )
            .env("HOME", self.top().join("home"))
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(writer.try_clone().unwrap())
            .stderr(writer);
        let mut child = command.spawn().unwrap();
        // Its ends of the pipe stay open as long as the command lives.
        drop(command);
        let mut printed = Vec::new();
        reader.read_to_end(&mut printed).unwrap();
        Ran {
            command: words.join(" "),
            status: child.wait().unwrap().code().unwrap_or(-1),
            printed: String::from_utf8(printed).unwrap(),
        }
    }

    /// Runs lines of a shell in the folder of the example.
    pub(super) fn shell(&self, lines: &str) -> Ran {
        self.run(&["bash", "-c", lines], &self.example, &BTreeMap::new())
    }
}

impl Ran {
    /// The same, which must have ended so.
    pub(super) fn ended(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            command,
            status,
            printed,
        } = self;
        write!(formatter, "$ {command}\n{printed}[{status}]")
    }
}

/// Copies a folder with all below it, links as links.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry
            .map(|entry| (entry.path(), entry.file_name()))
            .unwrap();
        if path.is_symlink() {
            symlink(fs::read_link(&path).unwrap(), to.join(name)).unwrap();
        } else if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

/// Every file below a folder, in the order of the paths.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
