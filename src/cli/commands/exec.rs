//! `penstock exec`: a command with the bundle in its environment, and nothing on disk.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use penstock_domain::names::Key;
use penstock_domain::render::is_refused_key;
use penstock_domain::secret::SecretValue;
use penstock_domain::text::key_list;

use crate::exit::{CommandError, Ending};
use crate::local::{Contents, Session};
use crate::output::Streams;

/// The command was found and cannot be run, as shells have it.
const CANNOT_RUN: u8 = 126;
/// There is no such command, as shells have it.
const NOT_FOUND: u8 = 127;

/// Makes the command ready: the environment of this process, and the bundle over it.
pub async fn command(
    session: &Session,
    words: &[OsString],
    streams: &mut Streams,
) -> Result<Command, CommandError> {
    let contents = session.contents().await?;
    let spelt_out = session
        .invocation
        .syncs
        .iter()
        .all(|one| one.only.is_some());
    check_names(&contents, spelt_out)?;
    for fault in &contents.stale {
        streams.tell(format!(
            "warning: {} did not answer; what it last gave is used",
            fault.subject
        ));
    }
    let (program, arguments) = words.split_first().ok_or(CommandError::NoCommand)?;
    let mut command = Command::new(program);
    command.args(arguments);
    for (key, value) in &contents.values {
        if value.expose().contains(&0) {
            let key = key.clone();
            return Err(CommandError::ZeroByte { key });
        }
        command.env(key.as_str(), text(value));
    }
    session.note_reveal(
        &format!("command {}", program.display()),
        contents.values.keys(),
    );
    Ok(command)
}

/// Becomes the command: signals and the exit status are its own from here on. Comes back only when it cannot.
pub fn become_command(mut command: Command, streams: &mut Streams) -> Ending {
    let error = command.exec();
    let program = command.get_program().display().to_string();
    streams.tell(format!("penstock: cannot run {program}: {error}"));
    Ending::Status(match error.kind() {
        std::io::ErrorKind::NotFound => NOT_FOUND,
        _ => CANNOT_RUN,
    })
}

fn text(value: &SecretValue) -> &OsStr {
    OsStr::from_bytes(value.expose())
}

/// Names that are no variables cannot be set, and those that steer programs must be spelt out by a target.
fn check_names(contents: &Contents, spelt_out: bool) -> Result<(), CommandError> {
    let with = |bad: fn(&Key) -> bool| -> Vec<&Key> {
        contents.values.keys().filter(|key| bad(key)).collect()
    };
    let strange = with(|key| !key.is_variable());
    if !strange.is_empty() {
        let keys = key_list(&strange);
        return Err(CommandError::NoVariables { keys });
    }
    let steering = with(|key| is_refused_key(key.as_str()));
    if !steering.is_empty() && !spelt_out {
        let keys = key_list(&steering);
        return Err(CommandError::Steering { keys });
    }
    Ok(())
}
