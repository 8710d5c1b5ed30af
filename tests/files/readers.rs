//! python-dotenv, Node's dotenv, `node --env-file`, a POSIX shell and Python's JSON and YAML read what was written.
//!
//! What a reader is known to read differently is left out of its file: that is the table in
//! `src/domain/formats/dotenv.rs`, and what is not in that table must be read as it was written.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use penstock_domain::formats::FileFormat;
use penstock_testbed::{Failure, cache_directory};

use super::values::{file, must_equal, named, values};
use super::{Outcome, skipped};

/// Versions of Node's dotenv: the one that most projects have, and the newest.
const NODE_PACKAGES: [&str; 2] = ["dotenv@16.6.1", "dotenv@18.0.10"];

fn output<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<Vec<u8>, Failure> {
    let mut command = Command::new(program);
    let output = command.args(arguments).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(io::Error::other(format!("{program} failed: {said}")).into());
    }
    Ok(output.stdout)
}

/// Whether a program says yes to a question; its absence is a no.
fn answers(program: &str, arguments: &[&str]) -> bool {
    output(program, arguments).is_ok()
}

/// How a value stands in a dotenv file.
struct Written {
    /// In double quotes, with backslashes before these characters.
    escapes: String,
}

fn written(value: &str) -> Result<Written, Failure> {
    let one = BTreeMap::from([("V".to_owned(), value.to_owned())]);
    let text = fs::read_to_string(file(FileFormat::Dotenv, &one)?.path())?;
    let quoted = text.trim_start_matches("V=");
    let mut escapes = String::new();
    if quoted.starts_with('"') {
        let mut characters = quoted.chars();
        while let Some(character) = characters.next() {
            if character == '\\' {
                escapes.extend(characters.next());
            }
        }
    }
    Ok(Written { escapes })
}

fn suited(is_suited: impl Fn(&str, &Written) -> bool) -> Result<BTreeMap<String, String>, Failure> {
    let mut kept = Vec::new();
    for value in values() {
        let form = written(&value)?;
        if is_suited(&value, &form) {
            kept.push(value);
        }
    }
    assert!(
        kept.len() > 400,
        "too many values are left out: {}",
        kept.len()
    );
    Ok(named(&kept))
}

fn json(output: &[u8]) -> Result<BTreeMap<String, String>, Failure> {
    // python-dotenv says null of what it does not understand.
    let found: BTreeMap<String, Option<String>> = serde_json::from_slice(output)?;
    let known = found
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    Ok(known.collect())
}

const PYTHON: &str = "import dotenv, json, sys; \
    print(json.dumps(dotenv.dotenv_values(sys.argv[1], interpolate=sys.argv[2] == 'yes')))";

#[test]
fn python_dotenv_reads_env_files() -> Outcome {
    if !answers("python3", &["-c", "import dotenv; dotenv.dotenv_values"]) {
        skipped(
            "python-dotenv",
            "python3 cannot import it (`pip install python-dotenv`)",
        );
        return Ok(());
    }
    for interpolate in ["no", "yes"] {
        let expected = suited(|value, written| {
            let expands = interpolate == "yes" && value.contains("${");
            let misread = written.escapes.contains(['$', '`']) || value.ends_with('\\');
            !expands && !misread
        })?;
        let file = file(FileFormat::Dotenv, &expected)?;
        let path = file.path().display().to_string();
        let found = json(&output("python3", &["-c", PYTHON, &path, interpolate])?)?;
        must_equal(
            &format!("python-dotenv, interpolate {interpolate},"),
            &found,
            &expected,
        );
    }
    Ok(())
}

/// The folder where a package of Node is installed, or why it is not.
fn node_package(package: &str) -> Result<PathBuf, String> {
    let folder = cache_directory().map_err(|error| error.to_string())?;
    let folder = folder.join("clients").join(package);
    let module = folder.join("node_modules").join("dotenv");
    if !module.is_dir() {
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let prefix = folder.display().to_string();
        let install = [
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
            &prefix,
            package,
        ];
        output("npm", &install).map_err(|error| error.to_string())?;
    }
    Ok(module)
}

const NODE: &str = "const [file, module] = process.argv.slice(1); \
    const text = require('fs').readFileSync(file, 'utf8'); \
    process.stdout.write(JSON.stringify(require(module).parse(text)))";

#[test]
fn node_dotenv_reads_env_files() -> Outcome {
    if !answers("node", &["--version"]) {
        skipped("Node's dotenv", "there is no node");
        return Ok(());
    }
    for package in NODE_PACKAGES {
        let module = match node_package(package) {
            Ok(module) => module,
            Err(why) => {
                skipped(package, &why);
                continue;
            }
        };
        let expected =
            suited(|_, written| written.escapes.chars().all(|one| one == 'n' || one == 'r'))?;
        let file = file(FileFormat::Dotenv, &expected)?;
        let (path, module) = (
            file.path().display().to_string(),
            module.display().to_string(),
        );
        let found = json(&output("node", &["-e", NODE, &path, &module])?)?;
        must_equal(package, &found, &expected);
    }
    Ok(())
}

#[test]
fn node_itself_reads_env_files() -> Outcome {
    let empty = file(FileFormat::Dotenv, &BTreeMap::new())?;
    let option = |path: &Path| format!("--env-file={}", path.display());
    if !answers("node", &[&option(empty.path()), "-e", "0"]) {
        skipped("node --env-file", "there is no node that knows it");
        return Ok(());
    }
    let expected = suited(|_, written| written.escapes.is_empty())?;
    let file = file(FileFormat::Dotenv, &expected)?;
    let print = "process.stdout.write(JSON.stringify(process.env))";
    let found = json(&output("node", &[&option(file.path()), "-e", print])?)?;
    must_equal("node --env-file", &found, &expected);
    Ok(())
}

/// The variables that a shell has after it has read the file.
fn sourced(path: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let script = "set -a; . \"$1\"; env -0";
    let path = path.display().to_string();
    let output = output("sh", &["-c", script, "sh", &path])?;
    let text = String::from_utf8(output)?;
    let pairs = text.split('\0').filter_map(|line| line.split_once('='));
    Ok(pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}

#[test]
fn a_shell_reads_env_files_and_exports() -> Outcome {
    if !answers("sh", &["-c", "env -0"]) {
        skipped("sh", "there is no `env -0`");
        return Ok(());
    }
    let expected = suited(|value, _| !value.contains('\r'))?;
    let file_of = file(FileFormat::Dotenv, &expected)?;
    must_equal("sh", &sourced(file_of.path())?, &expected);
    let expected = named(&values());
    let file_of = file(FileFormat::Export, &expected)?;
    must_equal("sh", &sourced(file_of.path())?, &expected);
    Ok(())
}

#[test]
fn python_reads_json_and_yaml() -> Outcome {
    let expected = named(&values());
    let load = |format: FileFormat, module: &str, load: &str| -> Outcome {
        let name = format!("Python's {module}");
        if !answers("python3", &["-c", &format!("import {module}")]) {
            skipped(&name, "python3 cannot import it");
            return Ok(());
        }
        let file = file(format, &expected)?;
        let path = file.path().display().to_string();
        let script = format!(
            "import sys, json, {module}; print(json.dumps({load}(open(sys.argv[1], encoding='utf-8', newline=''))))"
        );
        must_equal(
            &name,
            &json(&output("python3", &["-c", &script, &path])?)?,
            &expected,
        );
        Ok(())
    };
    load(FileFormat::Json, "json", "json.load")?;
    load(FileFormat::Yaml, "yaml", "yaml.safe_load")
}
