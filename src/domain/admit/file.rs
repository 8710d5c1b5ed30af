//! What belongs to one machine: files, variables of the process, conditions on it. The command line's alone.

use super::place::{CommandLine, Place};
use super::problems::Problems;
use super::words::NO_PARAMETERS;
use crate::api::select::SourceSelect;
use crate::api::source::SkipWhen;
use crate::formats::format_of;
use crate::sync::{FileFormat, FilePlace, Origin};

/// The longest path of a file.
const MAX_PATH_BYTES: usize = 1024;

/// A file that the document names, by its path and, where it says one, its format.
pub(super) fn file_place(
    problems: &mut Problems,
    field: &str,
    (path, format): (&str, Option<FileFormat>),
    place: Place<'_>,
) -> Option<FilePlace> {
    let line = command_line(problems, field, place)?;
    let field = format!("{field}.path");
    if path.is_empty() {
        problems.invalid(field, "is empty");
    } else if path.len() > MAX_PATH_BYTES || path.chars().any(char::is_control) {
        let message = format!("is longer than {MAX_PATH_BYTES} bytes or holds control characters");
        problems.invalid(field, message);
    } else if path.contains("{{") {
        problems.invalid(field, NO_PARAMETERS);
    }
    Some(FilePlace {
        folder: line.folder.to_owned(),
        path: path.to_owned(),
        format: format.unwrap_or_else(|| format_of(path)),
    })
}

/// The variables of the process. Never all of them: what else a machine has in there is nobody's business.
pub(super) fn environment_origin(
    problems: &mut Problems,
    field: &str,
    select: Option<&SourceSelect>,
    place: Place<'_>,
) -> Option<Origin> {
    command_line(problems, &format!("{field}.processEnvironment"), place)?;
    let narrowed =
        select.is_some_and(|select| !select.keys.is_empty() || select.matching.is_some());
    if !narrowed {
        problems.invalid_hint(
            format!("{field}.select"),
            "names no variables, and the whole environment is never taken",
            "Set `select.keys` or `select.matching`, such as `matching: \"^APP_\"`",
        );
    }
    Some(Origin::ProcessEnvironment)
}

/// Whether the source is left out.
pub(super) fn skipped(
    problems: &mut Problems,
    field: &str,
    condition: Option<&SkipWhen>,
    place: Place<'_>,
) -> bool {
    let Some(condition) = condition else {
        return false;
    };
    let field = format!("{field}.skipWhen");
    let Some(line) = command_line(problems, &field, place) else {
        return false;
    };
    if condition.variables_set.is_empty() {
        problems.invalid(format!("{field}.variablesSet"), "is empty");
    }
    let mut variables = condition.variables_set.iter();
    variables.all(|name| line.variables.contains(name))
}

pub(super) fn command_line<'a>(
    problems: &mut Problems,
    field: &str,
    place: Place<'a>,
) -> Option<CommandLine<'a>> {
    match place {
        Place::CommandLine(line) => Some(line),
        Place::Operator => {
            problems.cli_only(field);
            None
        }
    }
}
