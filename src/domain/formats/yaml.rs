//! One YAML mapping from names to values, in block style.
//!
//! A scalar is its text, whatever YAML would make of it elsewhere: `0123`, `no` and `1.10` stay what they are. A
//! list, a mapping, an alias or a tag is not understood. Written values are double-quoted, which no reader takes
//! for anything but text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use granit_parser::{Event, Parser, Span};
use zeroize::Zeroizing;

use super::document::{Layout, Located, ReadDocument};

/// A value behind its colon.
pub(super) fn quote(value: &str) -> Zeroizing<String> {
    let mut quoted = Zeroizing::new(String::with_capacity(value.len() + 8));
    quoted.push('"');
    for character in value.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            // What YAML 1.2 calls not printable, and what older readers take for a line end.
            other
                if other.is_control()
                    || matches!(
                        other,
                        '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}'
                    ) =>
            {
                // Writing into a String does not fail.
                let _ = write!(*quoted, "\\u{:04x}", u32::from(other));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// A name before its colon.
pub(super) fn name(text: &str) -> Zeroizing<String> {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let plain = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if plain {
        Zeroizing::new(text.to_owned())
    } else {
        quote(text)
    }
}

/// What stands where. `value_at` begins after the colon.
pub(super) fn locate(text: &str) -> Result<Layout, ReadDocument> {
    let mut reader = Reader {
        text,
        layout: Layout::default(),
        state: State::Before,
        names: BTreeSet::new(),
        pending: None,
    };
    let options = granit_parser::options! { emit_comments: false };
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|error| ReadDocument::NotYaml {
            line: error.marker().line(),
        })?;
        reader.take(&event, span)?;
    }
    Ok(reader.layout)
}

/// Where in the document the reader is.
#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Nothing has been seen but the start of the stream.
    Before,
    /// In the mapping, where the next node is a name.
    Name,
    /// In the mapping, where the next node is a value.
    Value,
    /// In a value that is more than a scalar, this many levels deep.
    Nested(usize),
    /// The mapping is closed.
    After,
}

/// The state after one more event within a value.
fn deeper(depth: usize, event: &Event<'_>) -> State {
    match event {
        Event::MappingStart(..) | Event::SequenceStart(..) => State::Nested(depth + 1),
        Event::MappingEnd | Event::SequenceEnd if depth == 1 => State::Name,
        Event::MappingEnd | Event::SequenceEnd => State::Nested(depth - 1),
        _ => State::Nested(depth),
    }
}

struct Reader<'a> {
    text: &'a str,
    layout: Layout,
    state: State,
    /// A name that comes twice is an error of YAML.
    names: BTreeSet<String>,
    /// The name whose value is next: with its start and where its colon ends.
    pending: Option<(String, usize, usize)>,
}

impl Reader<'_> {
    fn take(&mut self, event: &Event<'_>, span: Span) -> Result<(), ReadDocument> {
        let line = span.start.line();
        let wrong = Err(ReadDocument::NotYaml { line });
        if let State::Nested(depth) = self.state {
            self.state = deeper(depth, event);
            return Ok(());
        }
        match (self.state, event) {
            (
                _,
                Event::StreamStart | Event::StreamEnd | Event::DocumentEnd | Event::Comment(..),
            )
            | (State::Before, Event::DocumentStart(..)) => Ok(()),
            (State::Before, Event::MappingStart(..)) => {
                self.begin(span);
                Ok(())
            }
            // A document of nothing but comments.
            (State::Before, Event::Scalar(text, ..)) if text.is_empty() || &**text == "~" => Ok(()),
            (State::Name, Event::MappingEnd) => {
                self.state = State::After;
                Ok(())
            }
            (State::Name, Event::Scalar(name, _, 0, None)) => self.name(name, span),
            (State::Value, Event::Scalar(value, _, 0, None)) => {
                // The parser says `~` where nothing stands.
                let absent = span.start.byte_offset() == span.end.byte_offset();
                let value = if absent { "" } else { value };
                self.value(Zeroizing::new(value.to_owned()), span, None);
                Ok(())
            }
            (State::Value, Event::Scalar(..) | Event::Alias(_)) => {
                self.value(
                    Zeroizing::default(),
                    span,
                    Some(ReadDocument::NotScalar { line }),
                );
                Ok(())
            }
            (State::Value, Event::MappingStart(..) | Event::SequenceStart(..)) => {
                self.state = State::Nested(1);
                let problem = ReadDocument::NotScalar { line };
                let name = self.pending.take().map(|(name, ..)| name);
                self.layout.unknown.push((name, problem));
                Ok(())
            }
            _ => wrong,
        }
    }

    fn begin(&mut self, span: Span) {
        let start = self.offset(span.start.byte_offset());
        if self.rest(start).starts_with('{') {
            self.layout.fixed = Some(ReadDocument::FlowStyle);
        }
        self.state = State::Name;
    }

    fn name(&mut self, name: &str, span: Span) -> Result<(), ReadDocument> {
        let line = span.start.line();
        let start = self.offset(span.start.byte_offset());
        let end = self.offset(span.end.byte_offset());
        let blanks = self.rest(end);
        let colon = blanks.len() - blanks.trim_start_matches([' ', '\t']).len();
        if !self.rest(end + colon).starts_with(':') {
            // `? name` on a line of its own.
            self.layout.fixed = Some(ReadDocument::NotYaml { line });
        }
        if !self.names.insert(name.to_owned()) {
            return Err(ReadDocument::NotYaml { line });
        }
        self.pending = Some((name.to_owned(), start, end + colon + 1));
        self.state = State::Value;
        Ok(())
    }

    fn value(&mut self, value: Zeroizing<String>, span: Span, problem: Option<ReadDocument>) {
        self.state = State::Name;
        let Some((name, start, colon)) = self.pending.take() else {
            return;
        };
        let end = self.offset(span.end.byte_offset()).max(colon);
        let written = self.text.get(colon..end).unwrap_or_default();
        let end = colon + written.trim_end().len();
        let line_start = self.text.get(..start).and_then(|text| text.rfind('\n'));
        let rest = self.rest(end);
        let line_end = end + rest.split_inclusive('\n').next().unwrap_or_default().len();
        if let Some(problem) = problem {
            self.layout.unknown.push((Some(name.clone()), problem));
        }
        self.layout.entries.push(Located {
            name,
            value,
            whole: line_start.map_or(0, |at| at + 1)..line_end,
            value_at: colon..end,
        });
    }

    fn rest(&self, at: usize) -> &str {
        self.text.get(at..).unwrap_or_default()
    }

    fn offset(&self, byte: Option<usize>) -> usize {
        byte.unwrap_or(self.text.len())
    }
}
