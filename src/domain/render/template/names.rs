//! Finds, without rendering, the filters, tests and calls of a template that do not exist.
//!
//! MiniJinja resolves them when it comes to them, which is too late for `admit`: a typo in a rarely taken
//! branch would show up months later. Its syntax tree is not public, so this reads tokens; it runs on
//! templates that MiniJinja has already parsed and needs no grammar of its own.

use super::filters::{FILTERS, TESTS};

/// A word that a template uses and that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown<'a> {
    /// After `|` or in `{% filter … %}`.
    Filter(&'a str),
    /// After `is`.
    Test(&'a str),
    /// Before `(`.
    Function(&'a str),
    /// After `.` and before `(`.
    Method(&'a str),
}

/// The first word of `source` that does not exist.
pub(super) fn first_unknown(source: &str) -> Option<Unknown<'_>> {
    let mut rest = source;
    while let Some((_, after)) = rest.split_once('{') {
        rest = if let Some(comment) = after.strip_prefix('#') {
            after_mark(comment, "#}")
        } else if let Some(expression) = after.strip_prefix('{') {
            let (tokens, left) = tokens(expression, "}}");
            if let Some(unknown) = check(&tokens, false) {
                return Some(unknown);
            }
            left
        } else if let Some(statement) = after.strip_prefix('%') {
            let (tokens, left) = tokens(statement, "%}");
            if let Some(unknown) = check(&tokens, true) {
                return Some(unknown);
            }
            match first_word(&tokens) {
                Some("raw") => after_mark(after_mark(left, "endraw"), "%}"),
                _ => left,
            }
        } else {
            after
        };
    }
    None
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Text,
    Mark(char),
}

fn after_mark<'a>(text: &'a str, mark: &str) -> &'a str {
    text.split_once(mark).map_or("", |(_, rest)| rest)
}

/// The tokens up to `close`, and what follows it. Braces within are counted, as in `{{ {"a": {}} }}`.
fn tokens<'a>(text: &'a str, close: &str) -> (Vec<Token<'a>>, &'a str) {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut depth = 0_usize;
    while let Some(next) = rest.chars().next() {
        if depth == 0
            && let Some(left) = rest.strip_prefix(close)
        {
            return (tokens, left);
        }
        let end = match next {
            '"' | '\'' => {
                tokens.push(Token::Text);
                string_length(rest, next)
            }
            next if next.is_alphanumeric() || next == '_' => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
                let end = end.unwrap_or(rest.len());
                tokens.extend(rest.get(..end).map(Token::Word));
                end
            }
            next => {
                match next {
                    '{' => depth += 1,
                    '}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                if !next.is_whitespace() {
                    tokens.push(Token::Mark(next));
                }
                next.len_utf8()
            }
        };
        rest = rest.get(end..).unwrap_or_default();
    }
    (tokens, rest)
}

/// Bytes of the string that `text` starts with, both quotes included.
fn string_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            end if end == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn first_word<'a>(tokens: &[Token<'a>]) -> Option<&'a str> {
    tokens.iter().find_map(|token| match token {
        Token::Word(word) => Some(*word),
        _ => None,
    })
}

fn check<'a>(tokens: &[Token<'a>], statement: bool) -> Option<Unknown<'a>> {
    let at = |index: usize| tokens.get(index).copied();
    let before = |index: usize, back: usize| index.checked_sub(back).and_then(at);
    let filter_statement = statement && first_word(tokens) == Some("filter");
    let mut words = tokens
        .iter()
        .enumerate()
        .filter_map(|(index, token)| match token {
            Token::Word(word) => Some((index, *word)),
            _ => None,
        })
        .enumerate();
    words.find_map(|(count, (index, word))| {
        let previous = before(index, 1);
        let test = |back| {
            before(index, back) == Some(Token::Word("is"))
                && before(index, back + 1) != Some(Token::Mark('.'))
        };
        if previous == Some(Token::Mark('|')) || (filter_statement && count == 1) {
            return (!FILTERS.contains(&word)).then_some(Unknown::Filter(word));
        }
        if (test(1) && word != "not") || (previous == Some(Token::Word("not")) && test(2)) {
            return (!TESTS.contains(&word)).then_some(Unknown::Test(word));
        }
        if at(index + 1) != Some(Token::Mark('(')) || is_keyword(word) {
            return None;
        }
        if previous != Some(Token::Mark('.')) {
            return Some(Unknown::Function(word));
        }
        (before(index, 2) != Some(Token::Word("loop"))).then_some(Unknown::Method(word))
    })
}

fn is_keyword(word: &str) -> bool {
    matches!(
        word,
        "and" | "or" | "not" | "in" | "is" | "if" | "else" | "elif" | "for" | "set" | "with"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_exist_are_passed_over() {
        for source in [
            "plain { text } with { and | pipes",
            "{{ A | urlencode }}{{- B|default('x|y') | upper -}}",
            "{% if A is defined and B is not defined %}x{% endif %}",
            "{% if not (A is defined) %}x{% elif (A) %}y{% endif %}",
            "{% for k, v in keys | items %}{{ loop.cycle('a', 'b') }}{% endfor %}",
            "{# {{ a | nope }} #}{% raw %}{{ a | nope }}{% endraw %}{{ A | trim }}",
            "{{ {'a': {'b': 1}} | json }}{{ '}}' | upper }}",
            "{% filter upper %}x{% endfilter %}",
            "{{ \"a\\\"| nope\" }}",
            "{{ A.is.x }}",
        ] {
            assert_eq!(first_unknown(source), None, "{source}");
        }
    }

    #[test]
    fn words_that_do_not_exist_are_found_in_any_branch() {
        let cases: &[(&str, Unknown<'_>)] = &[
            ("{{ A | nope }}", Unknown::Filter("nope")),
            (
                "{% if false %}{{ A | upper|nope('x') }}{% endif %}",
                Unknown::Filter("nope"),
            ),
            ("{% filter nope %}x{% endfilter %}", Unknown::Filter("nope")),
            ("{% if A is nope %}{% endif %}", Unknown::Test("nope")),
            ("{{ A is not nope }}", Unknown::Test("nope")),
            ("{{ env('HOME') }}", Unknown::Function("env")),
            ("{{ A.upper() }}", Unknown::Method("upper")),
            ("{{ {'a': {}} }}{{ A|nope }}", Unknown::Filter("nope")),
            (
                "{% raw %}{{ x | y }}{% endraw %}{{ A|nope }}",
                Unknown::Filter("nope"),
            ),
        ];
        for (source, expected) in cases {
            assert_eq!(first_unknown(source), Some(*expected), "{source}");
        }
    }
}
