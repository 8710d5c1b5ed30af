//! Regular expressions of a spec: linear by nature, bounded in size by us.

use regex::{Regex, RegexBuilder};

use super::problems::Problems;
use super::words::{NO_PARAMETERS, quoted};

/// The most bytes that one compiled pattern may take, and again as many for its cache.
const MAX_COMPILED_BYTES: usize = 256 * 1024;
/// The longest pattern.
const MAX_PATTERN_BYTES: usize = 512;

/// Compiles a pattern.
pub(super) fn pattern(problems: &mut Problems, field: &str, text: &str) -> Option<Regex> {
    if text.len() > MAX_PATTERN_BYTES {
        problems.invalid(field, format!("is longer than {MAX_PATTERN_BYTES} bytes"));
        return None;
    }
    if text.contains("{{") {
        problems.invalid(field, NO_PARAMETERS);
        return None;
    }
    let compiled = RegexBuilder::new(text)
        .size_limit(MAX_COMPILED_BYTES)
        .dfa_size_limit(MAX_COMPILED_BYTES)
        .build();
    match compiled {
        Ok(regex) => Some(regex),
        Err(regex::Error::CompiledTooBig(_)) => {
            problems.invalid_hint(
                field,
                "is too complex",
                "Use smaller counts, and `[0-9]` instead of `\\d`",
            );
            None
        }
        Err(error) => {
            // The last line says what is wrong; those before it draw the pattern.
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            problems.invalid(
                field,
                format!("is not a regular expression: {}", quoted(reason)),
            );
            None
        }
    }
}

/// Notes a reference in a replacement to a group that `pattern` does not have: it would be replaced by
/// nothing. `$1_x` is such a trap: it names the group `1_x`.
pub(super) fn replacement(problems: &mut Problems, field: &str, pattern: &Regex, with: &str) {
    let mut parts = with.split('$').skip(1);
    while let Some(part) = parts.next() {
        if part.is_empty() {
            // `$$` is a dollar sign; what follows it is plain text.
            parts.next();
            continue;
        }
        let name = if let Some(braced) = part.strip_prefix('{') {
            braced.split_once('}').map(|(name, _)| name)
        } else {
            let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            part.get(..end.unwrap_or(part.len()))
        };
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            continue;
        };
        let known = match name.parse::<usize>() {
            Ok(number) => number < pattern.captures_len(),
            Err(_) => pattern.capture_names().any(|capture| capture == Some(name)),
        };
        if !known {
            problems.invalid_hint(
                field,
                format!(
                    "names the group {}, which the pattern does not have",
                    quoted(name)
                ),
                "`${1}` is the first group, also before letters; `$$` is a dollar sign",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiles(text: &str) -> Result<(), String> {
        let mut problems = Problems::default();
        pattern(&mut problems, "f", text)
            .map(|_| ())
            .ok_or_else(|| problems.to_string())
    }

    #[test]
    fn patterns_compile_within_bounds() {
        assert_eq!(compiles("^(DB|LLM)_"), Ok(()));
        assert_eq!(
            compiles("(a").unwrap_err(),
            "f: is not a regular expression: `unclosed group`"
        );
        assert!(
            compiles(r"\w{500}{50}")
                .unwrap_err()
                .contains("too complex")
        );
        assert!(
            compiles(r"(?=x)").is_err(),
            "no look-ahead: it is not linear"
        );
        assert!(compiles(&"a".repeat(513)).is_err());
    }

    #[test]
    fn replacements_name_groups_that_exist() {
        let regex = Regex::new("^(a)(?P<word>b)").unwrap();
        for (with, good) in [
            ("plain", true),
            ("$1-${2}$word", true),
            ("$0", true),
            ("$$9", true),
            ("cost: 5$", true),
            ("$3", false),
            ("$1_x", false),
            ("${1}_x", true),
            ("${nope}", false),
        ] {
            let mut problems = Problems::default();
            replacement(&mut problems, "f", &regex, with);
            assert_eq!(problems.is_empty(), good, "{with}: {problems}");
        }
    }
}
