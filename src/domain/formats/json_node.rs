//! One level of a JSON document; deeper levels stay text, so that numbers keep their digits.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::bundle::MAX_KEYS;

/// Why a level cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReadLevel {
    /// It is not JSON, or names a member twice.
    #[error("the document is not JSON whose members all have different names")]
    NotJson,
    /// It has more members than a bundle may have keys.
    #[error("the document has more than {MAX_KEYS} members")]
    TooMany,
}

/// One level of a document.
pub(crate) enum Node<'a> {
    /// An object, its members in the order of the text.
    Object(Vec<(String, &'a RawValue)>),
    /// An array.
    Array(Vec<&'a RawValue>),
    /// Anything else.
    Scalar,
}

/// The level that a text begins with.
pub(crate) fn node(raw: &RawValue) -> Result<Node<'_>, ReadLevel> {
    let text = raw.get();
    if !text.starts_with(['{', '[']) {
        return Ok(Node::Scalar);
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let node =
        serde::Deserializer::deserialize_any(&mut reader, Level).map_err(|_| ReadLevel::NotJson)?;
    let count = match &node {
        Node::Object(members) => members.len(),
        Node::Array(items) => items.len(),
        Node::Scalar => 0,
    };
    if count > MAX_KEYS {
        return Err(ReadLevel::TooMany);
    }
    Ok(node)
}

/// Strings as they are, anything else as the document writes it.
pub(crate) fn text_of(raw: &RawValue) -> Result<Zeroizing<String>, ReadLevel> {
    if raw.get().starts_with('"') {
        serde_json::from_str(raw.get())
            .map(Zeroizing::new)
            .map_err(|_| ReadLevel::NotJson)
    } else {
        Ok(Zeroizing::new(raw.get().to_owned()))
    }
}

struct Level;

impl<'a> Visitor<'a> for Level {
    type Value = Node<'a>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Node<'a>, A::Error> {
        let mut members: Vec<(String, &'a RawValue)> = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        while members.len() <= MAX_KEYS
            && let Some((name, raw)) = map.next_entry::<String, &'a RawValue>()?
        {
            if !seen.insert(name.clone()) {
                return Err(serde::de::Error::custom("a member comes twice"));
            }
            members.push((name, raw));
        }
        Ok(Node::Object(members))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut sequence: A) -> Result<Node<'a>, A::Error> {
        let mut items = Vec::new();
        while items.len() <= MAX_KEYS
            && let Some(raw) = sequence.next_element::<&'a RawValue>()?
        {
            items.push(raw);
        }
        Ok(Node::Array(items))
    }
}
