//! How a process ends: 0 when all went well, 1 when something failed, 2 when it was asked wrongly.

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// The process was asked wrongly.
const USAGE: u8 = 2;

/// Ends well, or says on standard error what failed, where, and (as far as the error knows) what to do.
pub fn conclude(outcome: Result<(), Box<dyn Error>>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
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
        assert_eq!(conclude(Ok(())), ExitCode::SUCCESS);
        let failure = conclude(Err(Outer(io::Error::other("in a test")).into()));
        assert_eq!(failure, ExitCode::FAILURE);
    }
}
