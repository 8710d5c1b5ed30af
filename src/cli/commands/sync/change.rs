//! `--on-change`: one command, after the targets have changed.

use std::process::{Command, Stdio};

use crate::output::Streams;

/// Runs `command` with `sh -c`; says whether it ended well. It gets the environment of this process and nothing
/// else: values reach it through the targets.
pub(super) fn run(command: &str, streams: &mut Streams) -> bool {
    streams.tell(format!("targets have changed: {command}"));
    let ended = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .status();
    match ended {
        Ok(status) if status.success() => true,
        Ok(status) => {
            streams.tell(format!("--on-change: the command failed ({status})"));
            false
        }
        Err(error) => {
            streams.tell(format!("--on-change: cannot start `sh`: {error}"));
            false
        }
    }
}
