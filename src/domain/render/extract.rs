//! One entry that holds a document becomes the members of the document.

use serde_json::value::RawValue;

use crate::bundle::MAX_KEYS;
use crate::formats::json_node::{Node, ReadLevel, node, text_of};
use crate::formats::{self, FileFormat, ReadDocument};
use crate::secret::SecretValue;
use crate::sync::{Extract, ExtractFormat};

/// The most members or indices in one property path.
const MAX_SEGMENTS: usize = 32;

/// Why a document cannot be taken apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ExtractDocument {
    /// It is not JSON, nests more than 128 deep, or names a member twice.
    #[error("the document is not JSON whose members all have different names")]
    NotJson,
    /// The property path leads nowhere.
    #[error("the JSON document has nothing at `extract.property`")]
    NoProperty,
    /// What is there has no members, and no name of its own.
    #[error("the JSON document is not an object")]
    NotObject,
    /// It has more members than a bundle may have keys.
    #[error("the document has more than {MAX_KEYS} members")]
    TooMany,
    /// It is not an env file.
    #[error(transparent)]
    Dotenv(#[from] ReadDocument),
}

impl From<ReadLevel> for ExtractDocument {
    fn from(problem: ReadLevel) -> Self {
        match problem {
            ReadLevel::NotJson => Self::NotJson,
            ReadLevel::TooMany => Self::TooMany,
        }
    }
}

/// One member of a document. Without a name it is the whole of what the property path leads to, and
/// keeps the name of its entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Its name in the document.
    pub(super) name: Option<String>,
    /// Its value: strings as they are, anything else as its JSON text.
    pub(super) value: SecretValue,
}

/// Takes `document` apart.
pub(super) fn extract(
    document: &SecretValue,
    how: &Extract,
) -> Result<Vec<Member>, ExtractDocument> {
    let format = how.format.unwrap_or_else(|| guess(document));
    let members = match format {
        ExtractFormat::Json => json(document.expose(), &PropertyPath::parse(&how.property))?,
        ExtractFormat::Dotenv => formats::read(FileFormat::Dotenv, document.expose())?
            .into_iter()
            .map(|entry| Member {
                name: Some(entry.name),
                value: entry.value,
            })
            .collect(),
    };
    if members.len() > MAX_KEYS {
        return Err(ExtractDocument::TooMany);
    }
    Ok(members)
}

fn guess(document: &SecretValue) -> ExtractFormat {
    if document.expose().trim_ascii_start().starts_with(b"{") {
        ExtractFormat::Json
    } else {
        ExtractFormat::Dotenv
    }
}

/// A way into a JSON document: `data.users.0.token`. Members and array indices are separated by dots;
/// a dot within a member's name is written `\.`. The empty path is the whole document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyPath(Vec<String>);

impl PropertyPath {
    /// Reads a path. Every text is one; whether it leads anywhere only a document can tell.
    pub fn parse(text: &str) -> Self {
        if text.is_empty() {
            return Self(Vec::new());
        }
        let mut segments = vec![String::new()];
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            match (character, segments.last_mut()) {
                ('\\', Some(segment)) if characters.peek() == Some(&'.') => {
                    segment.extend(characters.next());
                }
                ('.', _) => segments.push(String::new()),
                (other, Some(segment)) => segment.push(other),
                (_, None) => {}
            }
        }
        Self(segments)
    }

    /// Whether the path is short enough and has no empty segment.
    pub fn is_sound(&self) -> bool {
        self.0.len() <= MAX_SEGMENTS && self.0.iter().all(|segment| !segment.is_empty())
    }

    /// Whether it is the whole document.
    pub(super) fn is_whole(&self) -> bool {
        self.0.is_empty()
    }

    /// Where it leads.
    pub(super) fn follow<'a>(&self, whole: &'a RawValue) -> Result<&'a RawValue, ExtractDocument> {
        self.0
            .iter()
            .try_fold(whole, |at, segment| step(at, segment))
    }
}

fn json(document: &[u8], path: &PropertyPath) -> Result<Vec<Member>, ExtractDocument> {
    let at = path.follow(whole(document)?)?;
    members(at, path.is_whole())
}

/// The whole of a document is checked first, so that one which is broken further down yields nothing at all.
pub(super) fn whole(document: &[u8]) -> Result<&RawValue, ExtractDocument> {
    serde_json::from_slice(document).map_err(|_| ExtractDocument::NotJson)
}

/// The members of a part of a document, or the part itself; `is_whole`: there is no entry that it could be.
pub(super) fn members(at: &RawValue, is_whole: bool) -> Result<Vec<Member>, ExtractDocument> {
    match node(at)? {
        Node::Object(members) => members
            .into_iter()
            .map(|(name, raw)| {
                Ok(Member {
                    name: Some(name),
                    value: value_of(raw)?,
                })
            })
            .collect(),
        Node::Array(_) | Node::Scalar if is_whole => Err(ExtractDocument::NotObject),
        Node::Array(_) | Node::Scalar => Ok(vec![Member {
            name: None,
            value: value_of(at)?,
        }]),
    }
}

fn value_of(raw: &RawValue) -> Result<SecretValue, ExtractDocument> {
    let mut text = text_of(raw)?;
    Ok(SecretValue::new(std::mem::take(&mut *text)))
}

fn step<'a>(at: &'a RawValue, segment: &str) -> Result<&'a RawValue, ExtractDocument> {
    let found = match node(at)? {
        Node::Object(members) => members
            .into_iter()
            .find_map(|(name, raw)| (name == segment).then_some(raw)),
        Node::Array(items) => segment
            .parse::<usize>()
            .ok()
            .and_then(|index| items.get(index).copied()),
        Node::Scalar => None,
    };
    found.ok_or(ExtractDocument::NoProperty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(document: &str, property: &str) -> Result<Vec<(String, String)>, ExtractDocument> {
        let how = Extract {
            format: Some(ExtractFormat::Json),
            property: property.to_owned(),
        };
        Ok(extract(&SecretValue::from(document), &how)?
            .into_iter()
            .map(|member| {
                (
                    member.name.unwrap_or_else(|| "-".to_owned()),
                    member.value.expose_text().unwrap().to_owned(),
                )
            })
            .collect())
    }

    #[test]
    fn members_of_an_object_become_entries() {
        let document = r#" {"text": "a\nb\u00fc", "number": 12345678901234567890123.10,
            "yes": true, "nothing": null, "list": [1, "x"], "inner": {"a" :1}} "#;
        assert_eq!(
            members(document, "").unwrap(),
            [
                ("text", "a\nbü"),
                ("number", "12345678901234567890123.10"),
                ("yes", "true"),
                ("nothing", "null"),
                ("list", "[1, \"x\"]"),
                ("inner", "{\"a\" :1}"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    type Found<'a> = Result<(&'a str, &'a str), ExtractDocument>;

    #[test]
    fn a_property_leads_to_members_or_to_one_value() {
        let document = r#"{"a": {"b": [{"c": "x"}, {"d.e": "y"}]}, "0": "zero"}"#;
        let cases: &[(&str, Found<'_>)] = &[
            ("a.b.0", Ok(("c", "x"))),
            ("a.b.0.c", Ok(("-", "x"))),
            ("a.b.1.d\\.e", Ok(("-", "y"))),
            ("0", Ok(("-", "zero"))),
            ("a.b", Ok(("-", r#"[{"c": "x"}, {"d.e": "y"}]"#))),
            ("a.b.2", Err(ExtractDocument::NoProperty)),
            ("a.b.x", Err(ExtractDocument::NoProperty)),
            ("a.x", Err(ExtractDocument::NoProperty)),
            ("a.b.0.c.d", Err(ExtractDocument::NoProperty)),
        ];
        for (property, expected) in cases {
            let expected = expected
                .clone()
                .map(|(name, value)| vec![(name.to_owned(), value.to_owned())]);
            assert_eq!(members(document, property), expected, "{property}");
        }
    }

    #[test]
    fn what_is_no_object_or_ambiguous_is_refused() {
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        let nested = format!("{{\"a\":{deep}}}");
        let cases: &[(&str, ExtractDocument)] = &[
            ("", ExtractDocument::NotJson),
            ("{\"a\":1", ExtractDocument::NotJson),
            ("{\"a\":1} x", ExtractDocument::NotJson),
            ("{\"a\":1,\"a\":2}", ExtractDocument::NotJson),
            ("{\"a\":\"\\ud800\"}", ExtractDocument::NotJson),
            ("\"text\"", ExtractDocument::NotObject),
            ("[1]", ExtractDocument::NotObject),
            ("null", ExtractDocument::NotObject),
        ];
        for (document, expected) in cases {
            assert_eq!(members(document, "").unwrap_err(), *expected, "{document}");
        }
        assert_eq!(
            members(&nested, "").unwrap(),
            vec![("a".to_owned(), deep)],
            "depth costs no stack: deeper levels stay text"
        );
    }

    #[test]
    fn without_a_format_the_first_brace_decides() {
        let how = Extract {
            format: None,
            property: String::new(),
        };
        for document in [" {\"A\": \"1\"}", "A=1", "# {\nA=1"] {
            let members = extract(&SecretValue::from(document), &how).unwrap();
            assert_eq!(members[0].name.as_deref(), Some("A"), "{document}");
            assert_eq!(members[0].value.expose(), b"1", "{document}");
        }
    }

    #[test]
    fn more_members_than_a_bundle_has_keys_are_refused() {
        let list: Vec<String> = (0..=MAX_KEYS).map(|at| format!("\"k{at}\":1")).collect();
        let document = format!("{{{}}}", list.join(","));
        assert_eq!(
            members(&document, "").unwrap_err(),
            ExtractDocument::TooMany
        );
    }

    #[test]
    fn paths_are_sound_when_no_segment_is_empty() {
        for good in ["", "a", "a.0.b", "a\\.b"] {
            assert!(PropertyPath::parse(good).is_sound(), "{good}");
        }
        for bad in [".", "a.", ".a", "a..b", &"a.".repeat(40)] {
            assert!(!PropertyPath::parse(bad).is_sound(), "{bad}");
        }
    }
}
