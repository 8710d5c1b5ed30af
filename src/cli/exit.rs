//! How a process ends. The numbers are part of the interface; `--help` of each verb says which it uses.

use std::error::Error;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use penstock_domain::formats::WriteDocument;
use penstock_domain::names::Key;

use crate::documents::Problems;
use crate::local::FindContent;

/// The process was asked wrongly (`EX_USAGE` of sysexits.h). Not 2, which `plan` means otherwise.
const USAGE: u8 = 64;

/// How a verb ended that did what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All is well, or there was nothing to do: 0.
    Done,
    /// Something failed, and has been told: 1.
    Failed,
    /// Changes are pending: 2.
    Changes,
    /// With `--strict`: a source did not answer, and what it last gave stays in use: 3.
    Stale,
    /// A person stopped it: 130, as shells have it.
    Interrupted,
    /// The status of something else.
    Status(u8),
}

impl Ending {
    /// The exit status.
    pub fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Changes => 2,
            Self::Stale => 3,
            Self::Interrupted => 130,
            Self::Status(status) => status,
        }
    }
}

/// Why a verb could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Standard output does not take it.
    #[error("cannot write to standard output")]
    Print(#[source] io::Error),
    /// A person cannot be asked.
    #[error("cannot ask")]
    Ask(#[source] io::Error),
    /// Signals cannot be listened for.
    #[error("cannot listen for signals")]
    ListenForSignals(#[source] io::Error),
    /// The documents say what this run may not do.
    #[error(transparent)]
    Documents(#[from] Problems),
    /// There is nothing to hand on.
    #[error(transparent)]
    Content(#[from] FindContent),
    /// A value does not fit into the form that was asked for.
    #[error(transparent)]
    Form(#[from] WriteDocument),
    /// No command was named.
    #[error("no command was named: put it after `--`")]
    NoCommand,
    /// A value holds a zero byte, which ends every variable.
    #[error("the value of {key} holds a zero byte, and no variable can")]
    ZeroByte {
        /// Its key.
        key: Key,
    },
    /// Keys are no names of variables.
    #[error(
        "these keys are no names of variables: {keys}. Change them with `rename` at the source, or leave them out by a target's `select`"
    )]
    NoVariables {
        /// The keys.
        keys: String,
    },
    /// Keys would steer the command.
    #[error(
        "these variables would steer the command, not only tell it something: {keys}. If that is wanted, spell them out in a target's `select.keys` and name that target by --target"
    )]
    Steering {
        /// The keys.
        keys: String,
    },
    /// A manifest does not become YAML.
    #[error("cannot write a manifest as YAML")]
    WriteYaml(#[source] serde_saphyr::ser_error::Error),
    /// A file cannot be written.
    #[error("cannot write {path}")]
    WriteFile {
        /// Its path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A report does not become JSON.
    #[error("cannot write the plan as JSON")]
    WriteJson(#[source] serde_json::Error),
}

/// Ends as the verb did, or says on standard error what failed, where, and (as far as the error knows) what to
/// do.
pub fn conclude(outcome: Result<Ending, Box<dyn Error>>) -> ExitCode {
    match outcome {
        Ok(ending) => ExitCode::from(ending.status()),
        Err(error) => {
            tell(&explain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// Ends after an argument was refused, or after help or version was asked for.
pub fn refuse(error: &clap::Error) -> ExitCode {
    // Nothing is left to do when neither standard output nor standard error takes it.
    drop(error.print());
    if error.use_stderr() {
        ExitCode::from(USAGE)
    } else {
        ExitCode::SUCCESS
    }
}

/// The error and its causes in one line: `what: why: why`.
pub fn explain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let sentence = error.to_string();
        // Some libraries repeat the cause in their own sentence.
        if !line.contains(&sentence) {
            line.push_str(": ");
            line.push_str(&sentence);
        }
        cause = error.source();
    }
    line
}

fn tell(line: &str) {
    drop(writeln!(io::stderr(), "penstock: {line}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot listen on [::]:8080")]
    struct Outer(#[source] io::Error);

    #[test]
    fn causes_follow_what_they_caused() {
        let error = Outer(io::Error::other("address in use"));
        assert_eq!(
            explain(&error),
            "cannot listen on [::]:8080: address in use"
        );
    }

    #[test]
    fn a_failure_is_1_and_success_is_0() {
        assert_eq!(conclude(Ok(Ending::Done)), ExitCode::SUCCESS);
        let failure = conclude(Err(Outer(io::Error::other("in a test")).into()));
        assert_eq!(failure, ExitCode::FAILURE);
    }
}
