//! Env files, read and written exactly: nothing is expanded, nothing is guessed.
//!
//! The grammar, which is the part that shells, Docker Compose and the usual libraries agree on:
//!
//! - Lines end with `\n` or `\r\n`. Blank lines and lines that start with `#` mean nothing; blanks before
//!   a name and the word `export` mean nothing.
//! - A name is `[A-Za-z_][A-Za-z0-9_.-]*`, then `=`. Blanks around `=` mean nothing.
//! - `'…'` is taken as it stands and may span lines.
//! - `"…"` may span lines; `\n` `\r` `\t` `\"` `\\` `\$` `` \` `` are what they look like, any other backslash stays.
//! - Anything else goes to the end of its line, without blanks at the end and without a comment (` #…`).
//! - After a closing quote only blanks and a comment may follow.
//! - `$NAME` and `${NAME}` are text: a value never draws in another one.
//!
//! Anything else is refused with the number of its line, and without its content.
//!
//! Readers differ in what they do within quotes, so the writer takes the first form that the most of them read
//! alike: bare, then `'…'`, then `"…"` without escapes, then `"…"` with escapes. What is left to know:
//!
//! | value holds | who reads it differently |
//! |---|---|
//! | both `'` and one of `"` `\` `$` `` ` `` | Node's dotenv and `--env-file` keep the backslashes; python-dotenv those before `$` and `` ` `` |
//! | `\\` | Node's, as above |
//! | `\` at its end | Node's, as above; python-dotenv takes the closing quote for a part of the value |
//! | a carriage return | shells keep `\r` and `\n` as they stand, `node --env-file` `\r` |
//! | `${…}` | python-dotenv expands it even in quotes, unless `interpolate=False` |
//!
//! A shell that sources the file never runs or expands anything of a value.

use std::ops::Range;

use zeroize::Zeroizing;

use super::document::{Layout, Located, ReadDocument, without_end};

/// What stands where in an env file.
pub(super) fn locate(text: &str) -> Result<Layout, ReadDocument> {
    let mut reader = Reader {
        text,
        at: 0,
        line: 1,
        layout: Layout::default(),
    };
    while reader.at < text.len() {
        reader.assignment()?;
    }
    Ok(reader.layout)
}

/// A value as it stands behind `NAME=`.
pub(super) fn quote(value: &str) -> Zeroizing<String> {
    let holds = |characters: &[char]| value.contains(characters);
    if value.bytes().all(is_plain) {
        Zeroizing::new(value.to_owned())
    } else if !holds(&['\'', '\r']) && !value.contains("\\\\") && !value.ends_with('\\') {
        Zeroizing::new(format!("'{value}'"))
    } else if !holds(&['"', '\\', '$', '`', '\r']) {
        Zeroizing::new(format!("\"{value}\""))
    } else {
        escaped(value)
    }
}

fn escaped(value: &str) -> Zeroizing<String> {
    let returns = value.contains('\r');
    let mut quoted = Zeroizing::new(String::with_capacity(value.len() * 2 + 2));
    quoted.push('"');
    for character in value.chars() {
        match character {
            '"' | '\\' | '$' | '`' => quoted.extend(['\\', character]),
            '\r' => quoted.push_str("\\r"),
            // Beside a carriage return a line end would be taken for a part of `\r\n`.
            '\n' if returns => quoted.push_str("\\n"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// Whether every reader and every shell takes this byte as it stands.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_./:@%+,=-".contains(&byte)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    layout: Layout,
}

impl<'a> Reader<'a> {
    /// Reads one line (more, when a quote spans them).
    fn assignment(&mut self) -> Result<(), ReadDocument> {
        let (start, line) = (self.at, self.line);
        self.skip_blanks();
        let head = self.rest().split('\n').next().unwrap_or_default();
        if head.trim_end().is_empty() || head.starts_with('#') {
            self.next_line();
            return Ok(());
        }
        let problem = ReadDocument::NoAssignment { line };
        let Some((before, after)) = head.split_once('=') else {
            self.layout.unknown.push((None, problem));
            self.next_line();
            return Ok(());
        };
        let Some(name) = name_of(before) else {
            // Whatever its quote spans is part of it, and nobody knows how far that is.
            if after.trim_start_matches(BLANKS).starts_with(['\'', '"']) {
                return Err(problem);
            }
            self.layout.unknown.push((None, problem));
            self.next_line();
            return Ok(());
        };
        let (name, skipped) = (name.to_owned(), before.len() + 1);
        self.at += skipped;
        match self.value()? {
            Ok((value, value_at)) => self.layout.entries.push(Located {
                name,
                value,
                whole: start..self.at,
                value_at,
            }),
            Err(problem) => self.layout.unknown.push((Some(name), problem)),
        }
        Ok(())
    }

    /// The value and where it stands, or what is wrong with the line; the rest of the line is consumed.
    #[expect(
        clippy::type_complexity,
        reason = "an open quote ends the reading, a wrong tail only the line"
    )]
    fn value(
        &mut self,
    ) -> Result<Result<(Zeroizing<String>, Range<usize>), ReadDocument>, ReadDocument> {
        self.skip_blanks();
        match self.rest().chars().next() {
            Some(quote @ ('\'' | '"')) => self.quoted(quote),
            _ => Ok(Ok(self.bare())),
        }
    }

    fn bare(&mut self) -> (Zeroizing<String>, Range<usize>) {
        let start = self.at;
        let before = self.text.get(..start).unwrap_or_default();
        let text = without_end(self.next_line());
        if text.starts_with('#') && before.ends_with(BLANKS) {
            // The blank belongs to the comment: without it a new value would swallow it.
            return (Zeroizing::default(), start - 1..start - 1);
        }
        let comment = [" #", "\t#"]
            .iter()
            .filter_map(|mark| text.find(mark))
            .min();
        let value = comment.and_then(|at| text.get(..at)).unwrap_or(text);
        let value = value.trim_end_matches(BLANKS);
        (Zeroizing::new(value.to_owned()), start..start + value.len())
    }

    #[expect(
        clippy::type_complexity,
        reason = "an open quote ends the reading, a wrong tail only the line"
    )]
    fn quoted(
        &mut self,
        quote: char,
    ) -> Result<Result<(Zeroizing<String>, Range<usize>), ReadDocument>, ReadDocument> {
        let line = self.line;
        let (value, length) =
            unquote(self.rest(), quote).ok_or(ReadDocument::OpenQuote { line })?;
        let span = self.at..self.at + length;
        let inside = self.text.get(span.clone()).unwrap_or_default();
        self.line += inside.matches('\n').count();
        self.at = span.end;
        let line = self.line;
        let tail = without_end(self.next_line());
        let comment = tail.trim_matches(BLANKS);
        let ends = comment.is_empty() || (comment.starts_with('#') && tail != comment);
        Ok(if ends {
            Ok((value, span))
        } else {
            Err(ReadDocument::AfterQuote { line })
        })
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(BLANKS).len();
    }

    /// The rest of the line, with its end.
    fn next_line(&mut self) -> &'a str {
        let line = self.rest().split_inclusive('\n').next().unwrap_or_default();
        self.at += line.len();
        self.line += 1;
        line
    }
}

const BLANKS: [char; 2] = [' ', '\t'];

/// The name before a `=`.
fn name_of(before: &str) -> Option<&str> {
    let name = before.trim_matches(BLANKS);
    let name = match name.split_once(BLANKS) {
        Some(("export", name)) => name.trim_start_matches(BLANKS),
        _ => name,
    };
    is_name(name).then_some(name)
}

/// The text within the quotes that `text` starts with, and how many bytes it took with both quotes.
fn unquote(text: &str, quote: char) -> Option<(Zeroizing<String>, usize)> {
    let mut value = Zeroizing::new(String::with_capacity(text.len().min(4096)));
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            end if end == quote => return Some((value, at + quote.len_utf8())),
            '\\' if quote == '"' => {
                let (_, escaped) = characters.next()?;
                match escaped {
                    'n' => value.push('\n'),
                    'r' => value.push('\r'),
                    't' => value.push('\t'),
                    '"' | '\\' | '$' | '`' => value.push(escaped),
                    other => value.extend(['\\', other]),
                }
            }
            other => value.push(other),
        }
    }
    None
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::super::{FileFormat, read};
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        read(FileFormat::Dotenv, text.as_bytes())
            .unwrap()
            .into_iter()
            .map(|entry| (entry.name, entry.value.expose_text().unwrap().to_owned()))
            .collect()
    }

    #[test]
    fn one_line_each() {
        let cases: &[(&str, &str)] = &[
            ("A=b", "b"),
            ("A=", ""),
            ("A=b=c==", "b=c=="),
            ("A = b ", "b"),
            ("  export A=b", "b"),
            ("export\tA=b", "b"),
            ("A=b # comment", "b"),
            ("A=b#c", "b#c"),
            ("A=#c", "#c"),
            ("A= # c", ""),
            ("A=b c  d", "b c  d"),
            ("A=b\r\n", "b"),
            ("A='b # \"c\" $D \\n'", "b # \"c\" $D \\n"),
            ("A=\"b\\n\\t\\\"\\\\\\$\\` \\x\" # c", "b\n\t\"\\$` \\x"),
            ("A=\"\"", ""),
            ("A='b'   ", "b"),
            ("A=${B}", "${B}"),
            ("A=b'c'", "b'c'"),
            ("A=ü", "ü"),
            ("\u{feff}A=b", "b"),
        ];
        for (text, expected) in cases {
            let expected = vec![("A".to_owned(), (*expected).to_owned())];
            assert_eq!(pairs(text), expected, "{text}");
        }
    }

    #[test]
    fn quotes_span_lines_and_order_is_kept() {
        let text = "# head\n\nKEY=\"-----BEGIN\nabc\n-----END\"\n  # c\nB='x\ny'\nKEY=2";
        let found = pairs(text);
        assert_eq!(
            found,
            [
                ("KEY", "-----BEGIN\nabc\n-----END"),
                ("B", "x\ny"),
                ("KEY", "2")
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn what_is_no_env_file_is_refused_by_line_and_without_content() {
        let cases: &[(&[u8], ReadDocument)] = &[
            (b"\xff=a", ReadDocument::NotText),
            (b"A=b\nhunter2", ReadDocument::NoAssignment { line: 2 }),
            (b"=b", ReadDocument::NoAssignment { line: 1 }),
            (b"1A=b", ReadDocument::NoAssignment { line: 1 }),
            (b"A B='c", ReadDocument::NoAssignment { line: 1 }),
            (b"\nA='b\n\n", ReadDocument::OpenQuote { line: 2 }),
            (b"A=\"b\\\"", ReadDocument::OpenQuote { line: 1 }),
            (b"A='b\nc'd", ReadDocument::AfterQuote { line: 2 }),
            (b"A='b'# c", ReadDocument::AfterQuote { line: 1 }),
        ];
        for (text, expected) in cases {
            assert_eq!(read(FileFormat::Dotenv, text).unwrap_err(), *expected);
        }
    }

    #[test]
    fn the_form_that_most_readers_share_is_taken() {
        let cases = [
            ("", ""),
            ("a.b/c:d@e=1", "a.b/c:d@e=1"),
            ("a b", "'a b'"),
            ("p#q $r `s` \"t\"", "'p#q $r `s` \"t\"'"),
            ("C:\\dir", "'C:\\dir'"),
            ("-----BEGIN\nabc\n", "'-----BEGIN\nabc\n'"),
            ("it's", "\"it's\""),
            ("it's $5", "\"it's \\$5\""),
            ("a\\\\b", "\"a\\\\\\\\b\""),
            ("a\\", "\"a\\\\\""),
            ("a\r\nb", "\"a\\r\\nb\""),
        ];
        for (value, expected) in cases {
            assert_eq!(quote(value).as_str(), expected, "{value:?}");
        }
    }
}
