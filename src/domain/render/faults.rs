//! Collecting faults, and showing outside names in them.

use crate::conditions::Reason;
use crate::fault::{Fault, FaultClass};

/// The most faults that one rendering reports; a bundle of 10,000 bad names needs no 10,000 sentences.
const MAX_FAULTS: usize = 50;
/// The most characters of an outside name that a message shows.
const MAX_SHOWN: usize = 80;

/// Faults in the order in which they were found, at most [`MAX_FAULTS`] and a count of the rest.
#[derive(Debug, Default)]
pub(super) struct Faults {
    list: Vec<Fault>,
    beyond: usize,
}

impl Faults {
    /// Adds one.
    pub(super) fn push(&mut self, fault: Fault) {
        if self.list.len() < MAX_FAULTS {
            self.list.push(fault);
        } else {
            self.beyond += 1;
        }
    }

    /// `content` when there are no faults, otherwise all of them.
    pub(super) fn or<T>(mut self, content: T) -> Result<T, Vec<Fault>> {
        if self.list.is_empty() {
            return Ok(content);
        }
        if self.beyond > 0 {
            let message = format!("{} more problems are not listed", self.beyond);
            self.list.push(invalid("spec", message, Reason::Invalid));
        }
        Err(self.list)
    }
}

/// A fault that lasts until the spec or the content changes.
pub(super) fn invalid(
    subject: impl Into<String>,
    message: impl Into<String>,
    reason: Reason,
) -> Fault {
    Fault::new(FaultClass::Invalid, subject, message).because(reason)
}

/// The field path of one member of a source: `spec.sources[1].require`.
pub(super) fn source_path(index: usize, field: &str) -> String {
    match field {
        "" => format!("spec.sources[{index}]"),
        field => format!("spec.sources[{index}].{field}"),
    }
}

/// The field path of one entry of a map: `spec.transform.data.DB_URL`, or with brackets where the key
/// is no identifier: `spec.transform.data[app.yaml]`.
pub(crate) fn member_path(parent: &str, key: &str) -> String {
    let identifier = !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if identifier {
        format!("{parent}.{key}")
    } else {
        format!("{parent}[{}]", escaped(key))
    }
}

/// A name from outside as a message shows it: in backticks, control characters escaped, cut when long.
pub(super) fn shown(name: &str) -> String {
    format!("`{}`", escaped(name))
}

/// Several names, in their order, at most eight of them.
pub(super) fn shown_all<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter();
    let shown: Vec<String> = names.by_ref().take(8).map(shown).collect();
    let text = shown.join(", ");
    match names.count() {
        0 => text,
        beyond => format!("{text} and {beyond} more"),
    }
}

fn escaped(name: &str) -> String {
    let mut characters = name.chars();
    let mut text: String = characters
        .by_ref()
        .take(MAX_SHOWN)
        .flat_map(char::escape_debug)
        .collect();
    if characters.next().is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_outside_are_escaped_and_cut() {
        assert_eq!(shown("DB_URL"), "`DB_URL`");
        assert_eq!(shown("a\u{1b}[31m\nb"), "`a\\u{1b}[31m\\nb`");
        assert_eq!(shown(&"x".repeat(500)).chars().count(), MAX_SHOWN + 3);
    }

    #[test]
    fn paths_use_brackets_where_a_key_is_no_identifier() {
        assert_eq!(member_path("spec.a", "DB_URL"), "spec.a.DB_URL");
        assert_eq!(member_path("spec.a", "app.yaml"), "spec.a[app.yaml]");
    }

    #[test]
    fn a_flood_of_faults_is_counted_instead_of_listed() {
        let mut faults = Faults::default();
        for number in 0..1000 {
            faults.push(invalid("spec", format!("{number}"), Reason::Invalid));
        }
        let list = faults.or(()).unwrap_err();
        assert_eq!(list.len(), MAX_FAULTS + 1);
        assert_eq!(
            list.last().unwrap().message,
            "950 more problems are not listed"
        );
    }

    #[test]
    fn many_names_are_summed_up() {
        let names: Vec<String> = (0..10).map(|number| format!("K{number}")).collect();
        let text = shown_all(names.iter().map(String::as_str));
        assert!(text.ends_with("`K7` and 2 more"), "{text}");
    }
}
