//! Env files, read exactly: nothing is expanded, nothing is guessed.
//!
//! The grammar, which is the part that shells, Docker Compose and the usual libraries agree on:
//!
//! - Lines end with `\n` or `\r\n`. Blank lines and lines that start with `#` mean nothing; blanks before
//!   a name and the word `export` mean nothing.
//! - A name is `[A-Za-z_][A-Za-z0-9_.-]*`, then `=`. Blanks around `=` mean nothing.
//! - `'…'` is taken as it stands and may span lines.
//! - `"…"` may span lines; `\n` `\r` `\t` `\"` `\\` `\$` are what they look like, any other backslash stays.
//! - Anything else goes to the end of its line, without blanks at the end and without a comment (` #…`).
//! - After a closing quote only blanks and a comment may follow.
//! - `$NAME` and `${NAME}` are text: a value never draws in another one.
//!
//! Anything else is refused with the number of its line, and without its content.

use zeroize::Zeroizing;

/// Where an env file is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReadDotenv {
    /// The document is not UTF-8.
    #[error("the env file is not UTF-8")]
    NotText,
    /// A line has no `=`, or no name before it.
    #[error("line {line} of the env file is not NAME=value")]
    NoAssignment {
        /// Counted from 1.
        line: usize,
    },
    /// A quote is opened and never closed.
    #[error("the quote that line {line} of the env file opens is never closed")]
    OpenQuote {
        /// Counted from 1.
        line: usize,
    },
    /// Something other than a comment follows a closing quote.
    #[error("line {line} of the env file goes on after its closing quote")]
    AfterQuote {
        /// Counted from 1.
        line: usize,
    },
}

/// Names and values in the order of the file; a name that stands there twice comes twice.
pub(super) fn read(document: &[u8]) -> Result<Vec<(String, Zeroizing<String>)>, ReadDotenv> {
    let text = std::str::from_utf8(document).map_err(|_| ReadDotenv::NotText)?;
    let mut reader = Reader {
        rest: text.strip_prefix('\u{feff}').unwrap_or(text),
        line: 1,
    };
    let mut pairs = Vec::new();
    while !reader.rest.is_empty() {
        if let Some(pair) = reader.assignment()? {
            pairs.push(pair);
        }
    }
    Ok(pairs)
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Reader<'a> {
    /// Reads one line (more, when a quote spans them); `None` when it assigns nothing.
    fn assignment(&mut self) -> Result<Option<(String, Zeroizing<String>)>, ReadDotenv> {
        self.skip_blanks();
        let head = self.rest.split('\n').next().unwrap_or_default();
        if head.trim_end().is_empty() || head.starts_with('#') {
            self.next_line();
            return Ok(None);
        }
        let line = self.line;
        let (name, _) = head
            .split_once('=')
            .ok_or(ReadDotenv::NoAssignment { line })?;
        let skipped = name.len() + 1;
        let name = name.trim_matches([' ', '\t']);
        let name = match name.split_once([' ', '\t']) {
            Some(("export", name)) => name.trim_start_matches([' ', '\t']),
            _ => name,
        };
        if !is_name(name) {
            return Err(ReadDotenv::NoAssignment { line });
        }
        self.rest = self.rest.get(skipped..).unwrap_or_default();
        let value = self.value()?;
        Ok(Some((name.to_owned(), value)))
    }

    fn value(&mut self) -> Result<Zeroizing<String>, ReadDotenv> {
        let quote = self.rest.trim_start_matches([' ', '\t']).chars().next();
        match quote {
            Some(quote @ ('\'' | '"')) => {
                self.skip_blanks();
                self.quoted(quote)
            }
            _ => Ok(Zeroizing::new(self.bare().to_owned())),
        }
    }

    fn bare(&mut self) -> &'a str {
        let text = self.next_line();
        let blank_hash = [" #", "\t#"]
            .iter()
            .filter_map(|mark| text.find(mark))
            .min();
        blank_hash
            .and_then(|at| text.get(..at))
            .unwrap_or(text)
            .trim_matches([' ', '\t'])
    }

    fn quoted(&mut self, quote: char) -> Result<Zeroizing<String>, ReadDotenv> {
        let opened = self.line;
        let (value, length) =
            unquote(self.rest, quote).ok_or(ReadDotenv::OpenQuote { line: opened })?;
        let (inside, rest) = self.rest.split_at(length);
        self.line += inside.matches('\n').count();
        self.rest = rest;
        let line = self.line;
        let tail = self.next_line();
        let comment = tail.trim_matches([' ', '\t']);
        let ends = comment.is_empty() || (comment.starts_with('#') && tail != comment);
        ends.then_some(value).ok_or(ReadDotenv::AfterQuote { line })
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    /// The rest of the line, without its end.
    fn next_line(&mut self) -> &'a str {
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        self.line += 1;
        line.strip_suffix('\r').unwrap_or(line)
    }
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
                    '"' | '\\' | '$' => value.push(escaped),
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
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        read(text.as_bytes())
            .unwrap()
            .into_iter()
            .map(|(name, value)| (name, value.as_str().to_owned()))
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
            ("A=\"b\\n\\t\\\"\\\\\\$ \\x\" # c", "b\n\t\"\\$ \\x"),
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
        let cases: &[(&[u8], ReadDotenv)] = &[
            (b"\xff=a", ReadDotenv::NotText),
            (b"A=b\nhunter2", ReadDotenv::NoAssignment { line: 2 }),
            (b"=b", ReadDotenv::NoAssignment { line: 1 }),
            (b"1A=b", ReadDotenv::NoAssignment { line: 1 }),
            (b"A B=c", ReadDotenv::NoAssignment { line: 1 }),
            (b"\nA='b\n\n", ReadDotenv::OpenQuote { line: 2 }),
            (b"A=\"b\\\"", ReadDotenv::OpenQuote { line: 1 }),
            (b"A='b\nc'd", ReadDotenv::AfterQuote { line: 2 }),
            (b"A='b'# c", ReadDotenv::AfterQuote { line: 1 }),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).unwrap_err(), *expected);
        }
    }
}
