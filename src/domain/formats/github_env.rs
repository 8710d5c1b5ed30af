//! The file that `$GITHUB_ENV` names, as the runner of GitHub Actions reads it (actions/runner,
//! `FileCommandManager.cs`): `NAME=value` lines, or `NAME<<delimiter`, the lines of the value, and the delimiter
//! on a line of its own.
//!
//! A value is always written between delimiters, and the delimiter is random: whoever chooses a value cannot end
//! it early and set variables of their own. `$GITHUB_PATH` is never written: see the file target.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::document::{Layout, Located, ReadDocument, lines};
use crate::names::Key;
use crate::secret::SecretValue;

/// Ends a value. Made of random bytes, anew for every document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delimiter(String);

impl Delimiter {
    /// A delimiter of 128 random bits.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        let mut text = String::from("penstock_");
        for byte in bytes {
            // Writing into a String does not fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }
}

/// What stands behind a name: the delimiter, the value, the delimiter.
pub(super) fn quote(value: &str, delimiter: &Delimiter) -> Zeroizing<String> {
    let Delimiter(delimiter) = delimiter;
    if value.is_empty() {
        return Zeroizing::new(format!("<<{delimiter}\n{delimiter}"));
    }
    Zeroizing::new(format!("<<{delimiter}\n{value}\n{delimiter}"))
}

/// Why the runner would not take this: it refuses `NODE_OPTIONS` and keeps its own variables to itself.
pub(super) fn refusal(name: &str) -> Option<&'static str> {
    let kept = name == "NODE_OPTIONS" || name.starts_with("GITHUB_") || name.starts_with("RUNNER_");
    kept.then_some("would set what the runner of GitHub Actions does not let be set")
}

/// Whether a value would end early.
pub(super) fn holds(value: &str, delimiter: &Delimiter) -> bool {
    value.split('\n').any(|line| line == delimiter.0)
}

/// What stands where.
pub(super) fn locate(text: &str) -> Result<Layout, ReadDocument> {
    let mut layout = Layout::default();
    let mut rest = lines(text).enumerate();
    while let Some((number, (start, line))) = rest.next() {
        let number = number + 1;
        let content = line.strip_suffix('\n').unwrap_or(line);
        if content.is_empty() {
            continue;
        }
        let equals = content.find('=').unwrap_or(usize::MAX);
        let heredoc = content.find("<<").unwrap_or(usize::MAX);
        let name_end = equals.min(heredoc);
        let Some(name) = content.get(..name_end).filter(|name| !name.is_empty()) else {
            let problem = ReadDocument::NoAssignment { line: number };
            layout.unknown.push((None, problem));
            continue;
        };
        let value_start = start + name_end;
        if equals < heredoc {
            let value = content.get(equals + 1..).unwrap_or_default();
            layout.entries.push(Located {
                name: name.to_owned(),
                value: Zeroizing::new(value.to_owned()),
                whole: start..start + line.len(),
                value_at: value_start..start + content.len(),
            });
            continue;
        }
        let delimiter = content.get(heredoc + 2..).unwrap_or_default();
        let problem = ReadDocument::OpenDelimiter { line: number };
        let body = start + line.len();
        let (_, (close, closing)) = rest
            .find(|(_, (_, line))| line.strip_suffix('\n').unwrap_or(line) == delimiter)
            .ok_or(problem)?;
        let value = text.get(body..close).unwrap_or_default();
        let value = value.strip_suffix('\n').unwrap_or(value);
        layout.entries.push(Located {
            name: name.to_owned(),
            value: Zeroizing::new(value.to_owned()),
            whole: start..close + closing.len(),
            value_at: value_start..close + delimiter.len(),
        });
    }
    Ok(layout)
}

/// The workflow commands that make the runner hide these values in its log, one per line of each value, for
/// standard output. To be printed before anything else learns the values, and only under `GITHUB_ACTIONS`.
pub fn masks(data: &BTreeMap<Key, SecretValue>) -> Zeroizing<String> {
    let mut commands = Zeroizing::new(String::new());
    let texts = data.values().filter_map(SecretValue::expose_text);
    for line in texts.flat_map(|text| text.split(['\n', '\r'])) {
        if line.trim().is_empty() {
            continue;
        }
        commands.push_str("::add-mask::");
        // The escaping of command data: actions/runner, `ActionCommand.cs`. Line ends do not occur.
        for character in line.chars() {
            match character {
                '%' => commands.push_str("%25"),
                other => commands.push(other),
            }
        }
        commands.push('\n');
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_value_is_masked_and_blank_ones_are_not() {
        let data = BTreeMap::from([
            (
                Key::new("A").unwrap(),
                SecretValue::from("one\r\n\n  \ntwo 5%\n"),
            ),
            (Key::new("B").unwrap(), SecretValue::from("")),
        ]);
        assert_eq!(
            masks(&data).as_str(),
            "::add-mask::one\n::add-mask::two 5%25\n"
        );
    }

    #[test]
    fn the_file_is_read_as_the_runner_does() {
        let text = "A=1<<x\n\nB<<E\none\nA=2\nE\nC<<E\nE\n";
        let layout = locate(text).unwrap();
        let found: Vec<_> = layout
            .entries
            .iter()
            .map(|entry| (entry.name.as_str(), entry.value.as_str()))
            .collect();
        assert_eq!(found, [("A", "1<<x"), ("B", "one\nA=2"), ("C", "")]);
        let open = locate("\nA<<E\nx\n").map(|_| ()).unwrap_err();
        assert_eq!(open, ReadDocument::OpenDelimiter { line: 2 });
    }
}
