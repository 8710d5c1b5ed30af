//! What a machine must have before the servers can be built.

use std::fmt;
use std::io;
use std::process::{Command, Stdio};

/// The check is a shell script, because `make` needs it before anything is compiled.
const SCRIPT: &str = include_str!("../../prerequisites.sh");
const NEEDED: [&str; 2] = ["go", "python"];

/// The machine cannot build the servers; the message says what to install.
#[derive(Debug, thiserror::Error)]
pub struct MissingPrerequisites {
    said: String,
    #[source]
    source: Option<io::Error>,
}

impl fmt::Display for MissingPrerequisites {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.said)
    }
}

/// Looks for everything that building the servers needs, and names all that is missing at once.
pub fn check_prerequisites() -> Result<(), MissingPrerequisites> {
    run("sh", &NEEDED)
}

fn run(shell: &str, needed: &[&str]) -> Result<(), MissingPrerequisites> {
    let output = Command::new(shell)
        .args(["-c", SCRIPT, "prerequisites.sh"])
        .args(needed)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| MissingPrerequisites {
            said: "cannot look for what is needed".to_owned(),
            source: Some(source),
        })?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(MissingPrerequisites {
        said: String::from_utf8_lossy(&said).trim().to_owned(),
        source: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_builds_this_is_there() {
        run("sh", &["cargo", "cc"]).unwrap();
    }

    #[test]
    fn what_the_script_does_not_know_is_an_error() {
        let message = run("sh", &["cargo", "gold"]).unwrap_err().to_string();
        assert!(message.contains("what is gold?"), "{message}");
    }

    #[test]
    fn a_machine_without_a_shell_is_told() {
        assert!(
            run("/nonexistent/sh", &NEEDED)
                .unwrap_err()
                .source
                .is_some()
        );
    }
}
