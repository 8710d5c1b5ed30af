//! Targets that are files on hosts. The command line's alone.

use std::time::Duration;

use super::file::command_line;
use super::place::Place;
use super::problems::Problems;
use super::source::store_reference;
use super::words::{duration, path};
use crate::api::defaults;
use crate::api::shared::StoreRef;
use crate::api::target::Target;
use crate::api::then::{Act, Action};
use crate::formats::format_of;
use crate::sync::{FileFormat, HostCommand, HostFileDestination, StoreKind};

/// The longest command.
const MAX_COMMAND_BYTES: usize = 4096;

/// The longest that a command may take.
const MAX_COMMAND_TIMEOUT: Duration = Duration::from_hours(1);

/// Whether a target in a store is a file on a host: it says so by its options.
pub(super) fn is_host_file(target: &Target) -> bool {
    let options = target.options.as_ref();
    options.is_some_and(|options| options.ssh.is_some())
}

/// Checks a target that is a file on a host.
pub(super) fn host_file(
    problems: &mut Problems,
    field: &str,
    (target, store): (&Target, &StoreRef),
    place: Place<'_>,
) -> Option<HostFileDestination> {
    command_line(problems, &format!("{field}.options.ssh"), place)?;
    let options = target.options.as_ref();
    let several = options.is_some_and(|all| all.vault.is_some() || all.kubernetes.is_some());
    if several {
        problems.invalid(format!("{field}.options"), "belong to one store");
    }
    for (name, set) in [
        ("as", target.layout.is_some()),
        ("naming", target.naming.is_some()),
    ] {
        if set {
            problems.invalid_hint(
                format!("{field}.{name}"),
                "means nothing for a file on a host",
                "Say how the file is written down with `options.ssh.format`",
            );
        }
    }
    let store = store_reference(problems, &format!("{field}.store"), store)?;
    let path = file_path(problems, &format!("{field}.path"), target.path.as_deref());
    let options = options.and_then(|options| options.ssh.as_ref());
    let format = options.and_then(|options| options.format);
    if format == Some(FileFormat::GithubEnv) {
        problems.invalid(
            format!("{field}.options.ssh.format"),
            "is a format of this machine's runner, not of a host",
        );
    }
    let merge = options
        .and_then(|options| options.merge)
        .unwrap_or_default();
    let command = command(problems, &format!("{field}.then"), &target.then);
    if command.is_some() && store.kind == StoreKind::Cluster {
        problems.invalid_hint(
            format!("{field}.then"),
            "runs no command on the host of a ClusterSecretStore, which lends files alone",
            "Name a SecretStore",
        );
    }
    let format = format.unwrap_or_else(|| format_of(&path));
    let mut file = HostFileDestination::new(store, (&path, format), merge);
    file.command = command;
    Some(file)
}

fn file_path(problems: &mut Problems, field: &str, text: Option<&str>) -> String {
    let path = path(problems, field, text);
    if path.is_empty() || path.ends_with('/') {
        problems.invalid(
            field,
            "names no file: write its path, from the store's folder",
        );
    }
    path
}

fn command(problems: &mut Problems, field: &str, actions: &[Action]) -> Option<HostCommand> {
    let [action] = actions else {
        if !actions.is_empty() {
            problems.invalid_hint(
                field,
                "runs one command at most on a host",
                "Join them with `&&`",
            );
        }
        return None;
    };
    let field = format!("{field}[0]");
    let Ok(Act::Command(command)) = action.variant() else {
        problems.unsupported(field, "After a file on a host only a `command` can run");
        return None;
    };
    if action.store.is_some() {
        let message = "runs on the host of the target alone";
        problems.invalid_hint(format!("{field}.store"), message, "Leave it out");
    }
    let field = format!("{field}.command");
    let run = command.run.trim();
    let unusual = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t');
    if run.is_empty() || run.len() > MAX_COMMAND_BYTES || run.chars().any(unusual) {
        let message =
            format!("is empty, longer than {MAX_COMMAND_BYTES} bytes, or holds control characters");
        problems.invalid(format!("{field}.run"), message);
    }
    let limits = (defaults::COMMAND_TIMEOUT, Duration::from_secs(1));
    let field = format!("{field}.timeout");
    let timeout = duration(problems, &field, command.timeout.as_ref(), limits);
    if timeout > MAX_COMMAND_TIMEOUT {
        problems.invalid(field, "is longer than 1h, and the run waits for it");
    }
    Some(HostCommand {
        run: run.to_owned(),
        timeout,
    })
}
