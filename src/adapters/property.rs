//! One member of a value that is a JSON object: what `field` names in systems whose entries are plain values.

use std::collections::BTreeMap;

use penstock_domain::secret::SecretValue;
use serde_json::value::RawValue;

use crate::http::json;

/// Why there is no such member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoProperty {
    /// The value is no JSON object.
    NoObject,
    /// The object has no such member.
    Missing,
}

/// The member `name` of `value`: a string is its text, anything else is JSON, numbers digit by digit.
pub(crate) fn property(value: &SecretValue, name: &str) -> Result<SecretValue, NoProperty> {
    let members: BTreeMap<String, &RawValue> =
        json::parse(value.expose()).map_err(|_| NoProperty::NoObject)?;
    let raw = members.get(name).ok_or(NoProperty::Missing)?.get();
    let text = if raw.starts_with('"') {
        serde_json::from_str(raw).map_err(|_| NoProperty::NoObject)?
    } else {
        json::compact(raw).map_err(|_| NoProperty::NoObject)?
    };
    Ok(SecretValue::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_its_text_or_its_json() {
        let document = SecretValue::from(r#"{"a": "x\ny", "n": 1.50, "o": {"b" : 1}, "z": null}"#);
        let of = |name: &str| property(&document, name);
        assert_eq!(of("a"), Ok(SecretValue::from("x\ny")));
        assert_eq!(of("n"), Ok(SecretValue::from("1.50")));
        assert_eq!(of("o"), Ok(SecretValue::from(r#"{"b":1}"#)));
        assert_eq!(of("z"), Ok(SecretValue::from("null")));
        assert_eq!(of("b"), Err(NoProperty::Missing));
        for text in ["", "x", "[1]", "\"a\""] {
            let value = SecretValue::from(text);
            assert_eq!(property(&value, "a"), Err(NoProperty::NoObject), "{text}");
        }
    }
}
