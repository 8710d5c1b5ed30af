//! Checks that many fields share: durations, paths, plain words, names without duplicates.

use std::collections::BTreeSet;
use std::time::Duration;

use super::problems::Problems;
use crate::api::shared::GoDuration;
use crate::names::{Key, ObjectName};
use crate::reserved::is_reserved_object;
use crate::text::shorten;

/// The longest duration that a spec may hold: a year. Beyond it time arithmetic has nothing to win.
const MAX_DURATION: Duration = Duration::from_hours(24 * 365);
/// The longest path.
const MAX_PATH_BYTES: usize = 1024;
/// The longest word: an environment, a field, a version.
const MAX_WORD_BYTES: usize = 512;

/// What `{{` means where no parameters are.
pub(super) const NO_PARAMETERS: &str =
    "holds `{{`, which a parameter that `spec.parameters` declares would replace";

/// The duration, or `default` where it is absent. It must lie within `least` and a year.
pub(super) fn duration(
    problems: &mut Problems,
    field: &str,
    text: Option<&GoDuration>,
    (default, least): (Duration, Duration),
) -> Duration {
    let Some(text) = text else { return default };
    match text.to_duration() {
        Ok(duration) if duration < least => {
            problems.invalid(field, format!("is shorter than {}s", least.as_secs()));
            default
        }
        Ok(duration) if duration > MAX_DURATION => {
            problems.invalid(field, "is longer than a year (8760h)");
            default
        }
        Ok(duration) => duration,
        Err(error) => {
            problems.invalid(field, error.to_string());
            default
        }
    }
}

/// A path in a store's words: no leading slash, no empty, `.` or `..` segment. A slash at the end means a
/// folder and stays; the root is empty.
pub(super) fn path(problems: &mut Problems, field: &str, text: Option<&str>) -> String {
    let Some(text) = text else {
        return String::new();
    };
    let plain = text.strip_prefix('/').unwrap_or(text);
    let segments = plain.strip_suffix('/').unwrap_or(plain);
    let bad_segment = |segment: &str| matches!(segment, "" | "." | "..");
    if text.len() > MAX_PATH_BYTES {
        problems.invalid(field, format!("is longer than {MAX_PATH_BYTES} bytes"));
    } else if text.chars().any(char::is_control) {
        problems.invalid(field, "holds control characters");
    } else if text.contains("{{") {
        problems.invalid(field, NO_PARAMETERS);
    } else if !plain.is_empty() && segments.split('/').any(bad_segment) {
        problems.invalid_hint(
            field,
            "holds an empty segment, `.` or `..`",
            "Write the path that is meant, from the root of the mount",
        );
    }
    plain.to_owned()
}

/// A word that goes to a store as it stands: not empty, no control characters.
pub(super) fn word(problems: &mut Problems, field: &str, text: Option<&String>) -> Option<String> {
    let text = text?;
    if text.is_empty() {
        problems.invalid(field, "is empty");
    } else if text.len() > MAX_WORD_BYTES {
        problems.invalid(field, format!("is longer than {MAX_WORD_BYTES} bytes"));
    } else if text.chars().any(char::is_control) {
        problems.invalid(field, "holds control characters");
    } else if text.contains("{{") {
        problems.invalid(field, NO_PARAMETERS);
    }
    Some(text.clone())
}

/// Text in which this version replaces nothing: `{{` would be taken literally one day and replaced the next.
pub(super) fn literal(problems: &mut Problems, field: &str, text: Option<&String>) -> String {
    let text = text.cloned().unwrap_or_default();
    if text.contains("{{") {
        problems.invalid(field, NO_PARAMETERS);
    }
    text
}

/// The name of an object, which must not be one of ours.
pub(super) fn object_name(problems: &mut Problems, field: &str, text: &str) -> Option<ObjectName> {
    if text.contains("{{") {
        problems.invalid(field, NO_PARAMETERS);
        return None;
    }
    let name = problems.name(field, ObjectName::new(text))?;
    if is_reserved_object(name.as_str()) {
        problems.invalid_hint(
            field,
            "names an object of Penstock's own",
            "Records, candidates and the installation key are never source or target",
        );
        return None;
    }
    Some(name)
}

/// Keys of a list, without the bad ones.
pub(super) fn keys(problems: &mut Problems, field: &str, texts: &[String]) -> Vec<Key> {
    let items = texts.iter().enumerate();
    items
        .filter_map(|(at, text)| problems.name(&format!("{field}[{at}]"), Key::new(text.as_str())))
        .collect()
}

/// Notes each name that comes a second time. `path` gives the field of the item at an index.
pub(super) fn unique<'a>(
    problems: &mut Problems,
    names: impl IntoIterator<Item = &'a str>,
    path: impl Fn(usize) -> String,
) {
    let mut seen = BTreeSet::new();
    for (at, name) in names.into_iter().enumerate() {
        if !seen.insert(name) {
            let message = format!("{} comes twice in the list", quoted(name));
            problems.invalid(path(at), message);
        }
    }
}

/// A text of the spec as a message shows it: in backticks, escaped, cut when long.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", shorten(&text.escape_debug().to_string(), 120))
}

/// The path of one entry of a map, in brackets where the key is no identifier.
pub(super) fn member(parent: &str, key: &str) -> String {
    crate::render::member_path(parent, key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem_of(check: impl FnOnce(&mut Problems)) -> Option<String> {
        let mut problems = Problems::default();
        check(&mut problems);
        problems
            .as_slice()
            .first()
            .map(|problem| problem.message.clone())
    }

    #[test]
    fn paths_are_normalised_or_refused() {
        for (text, expected) in [
            ("/", ""),
            ("", ""),
            ("/apps/panbot", "apps/panbot"),
            ("apps/panbot/", "apps/panbot/"),
            ("a b/c.d", "a b/c.d"),
        ] {
            let mut problems = Problems::default();
            assert_eq!(path(&mut problems, "f", Some(text)), expected);
            assert!(problems.is_empty(), "{text}: {problems}");
        }
        for bad in [
            "//",
            "a//b",
            "../a",
            "a/..",
            "a/./b",
            ".",
            "a\nb",
            "{{ t }}/x",
            "/../",
            "a//",
        ] {
            let problem = problem_of(|problems| {
                path(problems, "f", Some(bad));
            });
            assert!(problem.is_some(), "{bad}");
        }
        let long = "a".repeat(1025);
        assert!(
            problem_of(|problems| {
                path(problems, "f", Some(&long));
            })
            .is_some()
        );
    }

    #[test]
    fn durations_have_a_floor_and_a_ceiling() {
        let read = |text: &str| {
            let mut problems = Problems::default();
            let bounds = (Duration::from_mins(10), Duration::from_secs(10));
            let read = duration(&mut problems, "f", Some(&text.into()), bounds);
            (read.as_secs(), problems.is_empty())
        };
        assert_eq!(read("1h30m"), (5400, true));
        assert_eq!(read("10s"), (10, true));
        for bad in ["9s", "0s", "8761h", "999999999h", "10", "x"] {
            assert_eq!(read(bad), (600, false), "{bad}");
        }
    }
}
