//! `export NAME='value'` lines for a POSIX shell (`. file`, `source file`, `eval "$(…)"`).
//!
//! Written values are one single-quoted word, in which a shell changes nothing; a quote is `'\''`. What is read
//! is an assignment with or without `export` whose value is one word of quoted and plain parts. Whatever a shell
//! would expand, split or run is not understood.

use zeroize::Zeroizing;

use super::document::{Layout, Located, ReadDocument, is_variable_name, without_end};

const BLANKS: [char; 2] = [' ', '\t'];

/// A value as one word of a shell.
pub(super) fn quote(value: &str) -> Zeroizing<String> {
    let mut word = Zeroizing::new(String::with_capacity(value.len() + 16));
    word.push('\'');
    for character in value.chars() {
        match character {
            '\'' => word.push_str("'\\''"),
            other => word.push(other),
        }
    }
    word.push('\'');
    word
}

/// What stands where.
pub(super) fn locate(text: &str) -> Result<Layout, ReadDocument> {
    let mut layout = Layout::default();
    let (mut at, mut number) = (0, 1);
    while at < text.len() {
        let rest = text.get(at..).unwrap_or_default();
        let line = rest.split_inclusive('\n').next().unwrap_or_default();
        let taken = statement(line, rest, at, number, &mut layout)?;
        let consumed = rest.get(..taken).unwrap_or_default();
        number += consumed.matches('\n').count();
        at += taken.max(1);
    }
    Ok(layout)
}

/// Reads one line (more, when a quote spans them) and tells how many bytes it took.
fn statement(
    line: &str,
    rest: &str,
    at: usize,
    number: usize,
    layout: &mut Layout,
) -> Result<usize, ReadDocument> {
    let content = without_end(line);
    let trimmed = content.trim_start_matches(BLANKS);
    if trimmed.is_empty() || trimmed.starts_with('#') {
        return Ok(line.len());
    }
    let unknown = |name: Option<String>, problem: ReadDocument, layout: &mut Layout| {
        if spans_lines(content) {
            return Err(problem);
        }
        layout.unknown.push((name, problem));
        Ok(line.len())
    };
    let name = trimmed.split_once('=').and_then(|(before, _)| {
        let name = match before.split_once(BLANKS) {
            Some(("export", name)) => name.trim_start_matches(BLANKS),
            _ => before,
        };
        is_variable_name(name).then_some((name, before))
    });
    let Some((name, before)) = name else {
        let problem = ReadDocument::NoAssignment { line: number };
        return unknown(None, problem, layout);
    };
    let start = content.len() - trimmed.len() + before.len() + 1;
    let (value, end) = match word(rest, start) {
        Ok(found) => found,
        Err(WordProblem::Open) => return Err(ReadDocument::OpenQuote { line: number }),
        Err(WordProblem::Expands) => {
            let problem = ReadDocument::Expansion { line: number };
            return unknown(Some(name.to_owned()), problem, layout);
        }
    };
    let tail = rest.get(end..).unwrap_or_default();
    let tail = tail.split_inclusive('\n').next().unwrap_or_default();
    let comment = without_end(tail).trim_matches(BLANKS);
    if !(comment.is_empty() || (comment.starts_with('#') && tail.starts_with(BLANKS))) {
        let problem = ReadDocument::AfterQuote { line: number };
        if spans_lines(without_end(tail)) || end > content.len() {
            return Err(problem);
        }
        return unknown(Some(name.to_owned()), problem, layout);
    }
    layout.entries.push(Located {
        name: name.to_owned(),
        value,
        whole: at..at + end + tail.len(),
        value_at: at + start..at + end,
    });
    Ok(end + tail.len())
}

/// Whether a line that is not understood may go on in the next one.
fn spans_lines(line: &str) -> bool {
    line.matches('\'').count() % 2 == 1
        || line.matches('"').count() % 2 == 1
        || line.ends_with('\\')
        || line.contains("<<")
}

enum WordProblem {
    Open,
    Expands,
}

/// The word that begins at `start`: its value and where it ends.
fn word(text: &str, start: usize) -> Result<(Zeroizing<String>, usize), WordProblem> {
    let mut value = Zeroizing::new(String::new());
    let mut at = start;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let Some(first) = rest.chars().next() else {
            return Ok((value, at));
        };
        match first {
            ' ' | '\t' | '\n' | '\r' => return Ok((value, at)),
            '\'' => {
                let inside = rest.get(1..).unwrap_or_default();
                let (inside, _) = inside.split_once('\'').ok_or(WordProblem::Open)?;
                value.push_str(inside);
                at += inside.len() + 2;
            }
            '"' => at += double_quoted(rest, &mut value)?,
            '\\' => {
                let next = rest.chars().nth(1).ok_or(WordProblem::Open)?;
                if next != '\n' {
                    value.push(next);
                }
                at += 1 + next.len_utf8();
            }
            plain if plain.is_ascii_alphanumeric() || "_./:@%+,=-^".contains(plain) => {
                value.push(plain);
                at += 1;
            }
            plain if !plain.is_ascii() => {
                value.push(plain);
                at += plain.len_utf8();
            }
            _ => return Err(WordProblem::Expands),
        }
    }
}

/// Adds what stands in the double quotes that `text` begins with, and tells how many bytes they took.
fn double_quoted(text: &str, value: &mut Zeroizing<String>) -> Result<usize, WordProblem> {
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok(at + 1),
            '$' | '`' => return Err(WordProblem::Expands),
            '\\' => match characters.next().ok_or(WordProblem::Open)?.1 {
                '\n' => {}
                escaped @ ('"' | '\\' | '$' | '`') => value.push(escaped),
                other => value.extend(['\\', other]),
            },
            other => value.push(other),
        }
    }
    Err(WordProblem::Open)
}

#[cfg(test)]
mod tests {
    use super::super::{FileFormat, read};
    use super::*;

    fn value_of(text: &str) -> Result<String, ReadDocument> {
        let entries = read(FileFormat::Export, text.as_bytes())?;
        Ok(entries[0].value.expose_text().unwrap().to_owned())
    }

    #[test]
    fn a_word_is_what_a_shell_makes_of_it() {
        for (text, expected) in [
            ("export A=b", "b"),
            ("A=b", "b"),
            ("  export  A='b c' # note", "b c"),
            ("export A='it'\\''s'", "it's"),
            ("A=\"a\\\"b\\$c\\\\d\\e\"", "a\"b$c\\d\\e"),
            ("A=a'b'\"c\"\\ d", "abc d"),
            ("A='x\ny'", "x\ny"),
            ("A=", ""),
            ("A=b\\\nc", "bc"),
            ("export A=ü\r\n", "ü"),
        ] {
            assert_eq!(value_of(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_a_shell_would_expand_or_run_is_refused() {
        for (text, expected) in [
            ("A=$B", ReadDocument::Expansion { line: 1 }),
            ("A=\"$(x)\"", ReadDocument::Expansion { line: 1 }),
            ("\nA=`x`", ReadDocument::Expansion { line: 2 }),
            ("A=*", ReadDocument::Expansion { line: 1 }),
            ("A=~/x", ReadDocument::Expansion { line: 1 }),
            ("A=b; rm x", ReadDocument::Expansion { line: 1 }),
            ("A=b rm", ReadDocument::AfterQuote { line: 1 }),
            ("A='b'#c", ReadDocument::Expansion { line: 1 }),
            ("set -a", ReadDocument::NoAssignment { line: 1 }),
            ("export A", ReadDocument::NoAssignment { line: 1 }),
            ("A-B=1", ReadDocument::NoAssignment { line: 1 }),
            ("A='b", ReadDocument::OpenQuote { line: 1 }),
            ("cat <<E\nA=1\nE", ReadDocument::NoAssignment { line: 1 }),
        ] {
            assert_eq!(value_of(text), Err(expected), "{text}");
        }
    }
}
