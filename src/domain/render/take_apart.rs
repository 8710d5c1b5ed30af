//! A part of a JSON document that is itself an answer: which one, and what it holds.

use super::extract::{self, ExtractDocument, PropertyPath};
use crate::bundle::MAX_KEYS;
use crate::formats::{JsonPath, ReadJsonPath};
use crate::secret::SecretValue;

/// Which part of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentPart(Way);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    Property(PropertyPath),
    Path(JsonPath),
}

/// Why a text names no part of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadDocumentPart {
    /// A segment is empty, or there are too many.
    #[error(
        "must be members joined by dots, such as `data.items`, or a JSONPath that begins with `$`"
    )]
    Property,
    /// It begins like a JSONPath.
    #[error("{0}")]
    Path(ReadJsonPath),
}

impl DocumentPart {
    /// What begins with `$` is a JSONPath, anything else is members and indices joined by dots. The empty text is the
    /// whole document.
    pub fn parse(text: &str) -> Result<Self, ReadDocumentPart> {
        if text.starts_with('$') {
            let path = JsonPath::parse(text).map_err(ReadDocumentPart::Path)?;
            return Ok(Self(Way::Path(path)));
        }
        let path = PropertyPath::parse(text);
        if path.is_sound() {
            Ok(Self(Way::Property(path)))
        } else {
            Err(ReadDocumentPart::Property)
        }
    }
}

/// Why a JSON document has no such members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TakeApart {
    /// It is not JSON, or names a member twice.
    #[error("the document is not JSON whose members all have different names")]
    NotJson,
    /// The path leads nowhere.
    #[error("the document has nothing there")]
    Nothing,
    /// The path leads to more than one place.
    #[error("the document has several parts there")]
    Several,
    /// The whole of it is no object.
    #[error("the document is not an object")]
    NotObject,
    /// It has more members than a bundle may have keys.
    #[error("the document has more than {MAX_KEYS} members")]
    TooMany,
}

impl From<ExtractDocument> for TakeApart {
    fn from(problem: ExtractDocument) -> Self {
        match problem {
            ExtractDocument::NotJson | ExtractDocument::Dotenv(_) => Self::NotJson,
            ExtractDocument::NoProperty => Self::Nothing,
            ExtractDocument::NotObject => Self::NotObject,
            ExtractDocument::TooMany => Self::TooMany,
        }
    }
}

/// The members of a part of a JSON document, or that itself, without a name, where it is no object. Strings are their
/// text, anything else is JSON as it stands. Whoever calls has bounded the depth.
pub fn take_apart(
    document: &SecretValue,
    part: &DocumentPart,
) -> Result<Vec<(Option<String>, SecretValue)>, TakeApart> {
    let whole = extract::whole(document.expose())?;
    let (at, is_whole) = match &part.0 {
        Way::Property(path) => (path.follow(whole)?, path.is_whole()),
        Way::Path(path) => {
            let chosen = path.select(whole).map_err(ExtractDocument::from)?;
            match chosen.as_slice() {
                [] => return Err(TakeApart::Nothing),
                [one] => (*one, std::ptr::eq(*one, whole)),
                _ => return Err(TakeApart::Several),
            }
        }
    };
    let members = extract::members(at, is_whole)?;
    if members.len() > MAX_KEYS {
        return Err(TakeApart::TooMany);
    }
    Ok(members
        .into_iter()
        .map(|member| (member.name, member.value))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apart(document: &str, part: &str) -> Result<Vec<(Option<String>, String)>, TakeApart> {
        let part = DocumentPart::parse(part).unwrap();
        let members = take_apart(&SecretValue::from(document), &part)?;
        let text = |value: SecretValue| value.expose_text().unwrap().to_owned();
        Ok(members
            .into_iter()
            .map(|(name, value)| (name, text(value)))
            .collect())
    }

    #[test]
    fn a_part_is_found_by_members_or_by_a_jsonpath() {
        let document = r#"{"d":{"A":"x","B":1.50},"l":[{"k":"A","v":"x"},{"k":"B","v":"y"}]}"#;
        let members = vec![
            (Some("A".to_owned()), "x".to_owned()),
            (Some("B".to_owned()), "1.50".to_owned()),
        ];
        for part in ["d", "$.d", "$['d']"] {
            assert_eq!(apart(document, part), Ok(members.clone()), "{part}");
        }
        for part in ["l.1.v", "$.l[-1].v", "$.l[?@.k == 'B'].v"] {
            assert_eq!(apart(document, part), Ok(vec![(None, "y".to_owned())]));
        }
        assert_eq!(apart(document, "$.l[*].v"), Err(TakeApart::Several));
        assert_eq!(apart(document, "$.l[?@.k == 'C']"), Err(TakeApart::Nothing));
        for whole in ["", "$"] {
            assert_eq!(apart(document, whole).unwrap().len(), 2, "{whole}");
            assert_eq!(apart("[1]", whole), Err(TakeApart::NotObject), "{whole}");
        }
    }

    #[test]
    fn what_names_no_part_is_refused() {
        for text in ["a..b", ".", "a."] {
            assert_eq!(DocumentPart::parse(text), Err(ReadDocumentPart::Property));
        }
        let path = ReadDocumentPart::Path(ReadJsonPath::Syntax(3));
        assert_eq!(DocumentPart::parse("$..a"), Err(path));
    }
}
