//! JSONPath (RFC 9535), as much of it as chooses something by name, place or content.
//!
//! `$.data['a.b'][0][-1][*][?@.key == 'DB_URL' && @.active != false].value`: names, indices, wildcards, and filters of
//! existence and of comparison with a text, a whole number, `true`, `false` or `null`. Descendants (`..`), slices,
//! unions, `||`, `!`, functions and comparisons of order are refused.

use std::iter::Peekable;
use std::str::CharIndices;

use serde_json::value::RawValue;

use super::json_node::{Node, ReadLevel, node, text_of};

/// The most steps in one path, those of its filters included.
const MAX_STEPS: usize = 32;

/// Why a text is no such path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadJsonPath {
    /// Something that is not understood stands at this character, counted from 1.
    #[error("is not understood from character {0} on")]
    Syntax(usize),
    /// It has more than 32 steps.
    #[error("has more than {MAX_STEPS} steps")]
    TooLong,
}

/// A path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JsonPath(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(i64),
    Every,
    /// Children of which all of these hold.
    Where(Vec<Test>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Test {
    /// From the child on; names and indices only.
    path: Vec<Step>,
    /// Absent: there is something at the path.
    compared: Option<(Equality, Literal)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Equality {
    Same,
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Literal {
    Text(String),
    Number(i64),
    /// `true`, `false` or `null`.
    Word(&'static str),
}

impl JsonPath {
    /// Reads a path. `$` alone is the whole document.
    pub(crate) fn parse(text: &str) -> Result<Self, ReadJsonPath> {
        let mut reader = Reader::of(text);
        reader.expect('$')?;
        let steps = reader.steps()?;
        match reader.characters.peek() {
            None => Ok(Self(steps)),
            Some(_) => Err(reader.lost()),
        }
    }

    /// What the path chooses in a document, in the document's order.
    pub(crate) fn select<'a>(&self, whole: &'a RawValue) -> Result<Vec<&'a RawValue>, ReadLevel> {
        let mut chosen = vec![whole];
        for step in &self.0 {
            let mut next = Vec::new();
            for at in chosen {
                step.follow(at, &mut next)?;
            }
            chosen = next;
        }
        Ok(chosen)
    }
}

impl Step {
    fn follow<'a>(&self, at: &'a RawValue, found: &mut Vec<&'a RawValue>) -> Result<(), ReadLevel> {
        match self {
            Self::Name(_) | Self::Index(_) => found.extend(self.child(at)?),
            Self::Every => found.extend(children(at)?),
            Self::Where(tests) => {
                for child in children(at)? {
                    let mut holds = true;
                    for test in tests {
                        holds = holds && test.holds(child)?;
                    }
                    if holds {
                        found.push(child);
                    }
                }
            }
        }
        Ok(())
    }

    /// The one child that a name or an index leads to.
    fn child<'a>(&self, at: &'a RawValue) -> Result<Option<&'a RawValue>, ReadLevel> {
        Ok(match (self, node(at)?) {
            (Self::Name(wanted), Node::Object(members)) => members
                .into_iter()
                .find_map(|(name, raw)| (name == *wanted).then_some(raw)),
            (Self::Index(index), Node::Array(items)) => {
                let place = usize::try_from(index.unsigned_abs()).ok();
                let place = match index {
                    0.. => place,
                    _ => place.and_then(|back| items.len().checked_sub(back)),
                };
                place.and_then(|place| items.get(place).copied())
            }
            _ => None,
        })
    }
}

fn children(at: &RawValue) -> Result<Vec<&RawValue>, ReadLevel> {
    Ok(match node(at)? {
        Node::Object(members) => members.into_iter().map(|(_, raw)| raw).collect(),
        Node::Array(items) => items,
        Node::Scalar => Vec::new(),
    })
}

impl Test {
    fn holds(&self, child: &RawValue) -> Result<bool, ReadLevel> {
        let mut at = Some(child);
        for step in &self.path {
            at = match at {
                Some(here) => step.child(here)?,
                None => None,
            };
        }
        Ok(match (&self.compared, at) {
            (None, at) => at.is_some(),
            (Some((equality, _)), None) => *equality == Equality::Other,
            (Some((equality, literal)), Some(at)) => {
                literal.is(at)? == (*equality == Equality::Same)
            }
        })
    }
}

impl Literal {
    fn is(&self, raw: &RawValue) -> Result<bool, ReadLevel> {
        Ok(match self {
            Self::Text(text) => raw.get().starts_with('"') && **text == **text_of(raw)?,
            Self::Number(number) => raw.get().parse() == Ok(*number),
            Self::Word(word) => raw.get() == *word,
        })
    }
}

struct Reader<'a> {
    characters: Peekable<CharIndices<'a>>,
    text: &'a str,
    steps: usize,
}

impl<'a> Reader<'a> {
    fn of(text: &'a str) -> Self {
        Self {
            characters: text.char_indices().peekable(),
            text,
            steps: 0,
        }
    }

    /// Nothing that can stand here.
    fn lost(&mut self) -> ReadJsonPath {
        let at = self
            .characters
            .peek()
            .map_or(self.text.len(), |(at, _)| *at);
        let before = self.text.get(..at).unwrap_or_default();
        ReadJsonPath::Syntax(before.chars().count() + 1)
    }

    fn take(&mut self, wanted: char) -> bool {
        self.characters
            .next_if(|(_, found)| *found == wanted)
            .is_some()
    }

    fn expect(&mut self, wanted: char) -> Result<(), ReadJsonPath> {
        if self.take(wanted) {
            Ok(())
        } else {
            Err(self.lost())
        }
    }

    fn blanks(&mut self) {
        while self
            .characters
            .next_if(|(_, found)| matches!(found, ' ' | '\t' | '\n' | '\r'))
            .is_some()
        {}
    }

    fn steps(&mut self) -> Result<Vec<Step>, ReadJsonPath> {
        let mut steps = Vec::new();
        loop {
            let step = if self.take('.') {
                if self.take('*') {
                    Step::Every
                } else {
                    Step::Name(self.shorthand()?)
                }
            } else if self.take('[') {
                self.blanks();
                let step = self.bracketed()?;
                self.blanks();
                self.expect(']')?;
                step
            } else {
                return Ok(steps);
            };
            self.steps += 1;
            if self.steps > MAX_STEPS {
                return Err(ReadJsonPath::TooLong);
            }
            steps.push(step);
        }
    }

    /// A name without quotes: `[A-Za-z_]` and anything beyond ASCII, digits later on.
    fn shorthand(&mut self) -> Result<String, ReadJsonPath> {
        let mut name = String::new();
        while let Some((_, letter)) = self.characters.next_if(|(_, letter)| {
            letter.is_ascii_alphabetic()
                || *letter == '_'
                || !letter.is_ascii()
                || (letter.is_ascii_digit() && !name.is_empty())
        }) {
            name.push(letter);
        }
        if name.is_empty() {
            return Err(self.lost());
        }
        Ok(name)
    }

    fn bracketed(&mut self) -> Result<Step, ReadJsonPath> {
        match self.characters.peek() {
            Some((_, '*')) => {
                self.characters.next();
                Ok(Step::Every)
            }
            Some((_, '\'' | '"')) => Ok(Step::Name(self.quoted()?)),
            Some((_, '?')) => {
                self.characters.next();
                Ok(Step::Where(self.tests()?))
            }
            _ => Ok(Step::Index(self.number()?)),
        }
    }

    /// A text between quotes of either kind, with the escapes of JSON and `\'`.
    fn quoted(&mut self) -> Result<String, ReadJsonPath> {
        let Some((_, quote)) = self.characters.next() else {
            return Err(self.lost());
        };
        let mut json = String::from('"');
        loop {
            match self.characters.next() {
                None => return Err(self.lost()),
                Some((_, end)) if end == quote => break,
                Some((_, '"')) => json.push_str("\\\""),
                Some((_, '\\')) => match self.characters.next() {
                    Some((_, '\'')) if quote == '\'' => json.push('\''),
                    Some((_, '\'')) | None => return Err(self.lost()),
                    Some((_, escaped)) => json.extend(['\\', escaped]),
                },
                Some((_, letter)) => json.push(letter),
            }
        }
        json.push('"');
        serde_json::from_str(&json).map_err(|_| self.lost())
    }

    fn number(&mut self) -> Result<i64, ReadJsonPath> {
        let mut digits = String::new();
        if self.take('-') {
            digits.push('-');
        }
        while let Some((_, digit)) = self.characters.next_if(|(_, digit)| digit.is_ascii_digit()) {
            digits.push(digit);
        }
        let number: i64 = digits.parse().map_err(|_| self.lost())?;
        // No leading zeros, and no `-0`.
        if number.to_string() == digits {
            Ok(number)
        } else {
            Err(self.lost())
        }
    }

    fn tests(&mut self) -> Result<Vec<Test>, ReadJsonPath> {
        let mut tests = Vec::new();
        loop {
            self.blanks();
            tests.push(self.test()?);
            self.blanks();
            if !self.take('&') {
                return Ok(tests);
            }
            self.expect('&')?;
        }
    }

    fn test(&mut self) -> Result<Test, ReadJsonPath> {
        self.expect('@')?;
        let path = self.steps()?;
        if !path
            .iter()
            .all(|step| matches!(step, Step::Name(_) | Step::Index(_)))
        {
            return Err(self.lost());
        }
        self.blanks();
        let equality = if self.take('=') {
            Equality::Same
        } else if self.take('!') {
            Equality::Other
        } else {
            return Ok(Test {
                path,
                compared: None,
            });
        };
        self.expect('=')?;
        self.blanks();
        let compared = Some((equality, self.literal()?));
        Ok(Test { path, compared })
    }

    fn literal(&mut self) -> Result<Literal, ReadJsonPath> {
        match self.characters.peek() {
            Some((_, '\'' | '"')) => self.quoted().map(Literal::Text),
            Some((_, '-' | '0'..='9')) => self.number().map(Literal::Number),
            _ => {
                let word = self.shorthand()?;
                let known = ["true", "false", "null"]
                    .into_iter()
                    .find(|known| *known == word);
                known.map(Literal::Word).ok_or_else(|| self.lost())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{
        "a": {"b c": 1.50, "d": [10, 20, 30], "e'": "quote"},
        "list": [
            {"key": "DB_URL", "value": "one", "version": 1},
            {"key": "OTHER", "value": "two", "version": 2, "old": true},
            {"key": "nu\u006cl", "value": null}
        ]
    }"#;

    fn select(path: &str) -> Vec<&'static str> {
        let whole: &RawValue = serde_json::from_str(DOCUMENT).unwrap();
        let found = JsonPath::parse(path).unwrap().select(whole).unwrap();
        found.into_iter().map(RawValue::get).collect()
    }

    #[test]
    fn names_indices_wildcards_and_filters_choose() {
        let cases: &[(&str, &[&str])] = &[
            ("$.a['b c']", &["1.50"]),
            ("$['a'][\"b c\"]", &["1.50"]),
            ("$.a['e\\'']", &["\"quote\""]),
            ("$.a[\"e'\"]", &["\"quote\""]),
            ("$.a.d[0]", &["10"]),
            ("$.a.d[-1]", &["30"]),
            ("$.a.d[-3]", &["10"]),
            ("$.a.d[-4]", &[]),
            ("$.a.d[3]", &[]),
            ("$.a.d[*]", &["10", "20", "30"]),
            ("$.a.d.*", &["10", "20", "30"]),
            ("$.a.d[?@ == 20]", &["20"]),
            ("$.a.d.x", &[]),
            ("$.a[0]", &[]),
            ("$.list[?@.key=='DB_URL'].value", &["\"one\""]),
            ("$.list[? @.key == \"null\" ].value", &["null"]),
            ("$.list[?@.value == null].key", &["\"nu\\u006cl\""]),
            ("$.list[?@.old].value", &["\"two\""]),
            ("$.list[?@.old == true].value", &["\"two\""]),
            ("$.list[?@.version == 1].value", &["\"one\""]),
            ("$.list[?@.version != 1].value", &["\"two\"", "null"]),
            ("$.list[?@.version != 1 && @.version].value", &["\"two\""]),
            ("$.list[?@.version == '1'].value", &[]),
            ("$.*[?@.key=='OTHER']['value']", &["\"two\""]),
            ("$[?@[0].key == 'DB_URL'][1].value", &["\"two\""]),
        ];
        for (path, expected) in cases {
            assert_eq!(select(path), *expected, "{path}");
        }
        assert_eq!(select("$"), [DOCUMENT]);
    }

    #[test]
    fn what_is_not_understood_is_refused_at_its_place() {
        for (path, at) in [
            ("", 1),
            ("a", 1),
            ("$a", 2),
            ("$.", 3),
            ("$..a", 3),
            ("$.a-b", 4),
            ("$.1", 3),
            ("$[1:2]", 4),
            ("$[1,2]", 4),
            ("$[01]", 5),
            ("$[-0]", 5),
            ("$['a", 5),
            ("$['a'", 6),
            ("$[?@.a > 1]", 8),
            ("$[?@.a == b]", 12),
            ("$[?@.a == 'x' || @.b]", 15),
            ("$[?@[*] == 1]", 8),
            ("$[?length(@) == 1]", 4),
            ("$[?$.a]", 4),
            ("$.ü ", 4),
        ] {
            assert_eq!(
                JsonPath::parse(path),
                Err(ReadJsonPath::Syntax(at)),
                "{path}"
            );
        }
        assert!(JsonPath::parse(&format!("${}", ".a".repeat(32))).is_ok());
        let long = format!("${}[?@.a]", ".a".repeat(31));
        assert_eq!(JsonPath::parse(&long), Err(ReadJsonPath::TooLong));
    }

    #[test]
    fn a_level_that_names_a_member_twice_is_no_answer() {
        let whole: &RawValue = serde_json::from_str(r#"{"a":{"b":1,"b":2}}"#).unwrap();
        let path = JsonPath::parse("$.a.b").unwrap();
        assert_eq!(path.select(whole).unwrap_err(), ReadLevel::NotJson);
    }
}
