//! Takes what a secret or a parameter holds apart.

use std::collections::BTreeMap;

use penstock_domain::secret::SecretValue;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::error::AwsError;
use crate::http::json;

/// The member `field` of the JSON object in `value`: a text without its quotes, anything else as it is written.
/// `what` names the secret in errors.
pub(crate) fn member(
    value: &SecretValue,
    field: &str,
    what: &str,
) -> Result<SecretValue, AwsError> {
    let no_object = || AwsError::NoObject {
        what: what.to_owned(),
    };
    let text = value.expose();
    if !text.trim_ascii_start().starts_with(b"{") {
        return Err(no_object());
    }
    let members: BTreeMap<String, &RawValue> = json::parse(text).map_err(|_| no_object())?;
    let raw = members.get(field).map(|raw| raw.get());
    match raw {
        None | Some("null") => Err(AwsError::NoField {
            what: what.to_owned(),
            field: field.to_owned(),
        }),
        Some(raw) if raw.starts_with('"') => {
            let text: Zeroizing<String> = serde_json::from_str(raw).map_err(|_| no_object())?;
            Ok(SecretValue::from(text.as_str()))
        }
        Some(raw) => {
            let text = Zeroizing::new(json::compact(raw).map_err(|_| no_object())?);
            Ok(SecretValue::from(text.as_str()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_taken_as_it_is_written() {
        let value =
            SecretValue::from(r#" {"a":"x\ny","n":01e2,"port":5432,"o":{ "k" : [1] },"z":null}"#);
        assert!(member(&value, "a", "s").is_err(), "01e2 is no number");
        let value = SecretValue::from(r#"{"a":"x\ny","port":5432.10,"o":{ "k" : [1] },"z":null}"#);
        for (field, expected) in [("a", "x\ny"), ("port", "5432.10"), ("o", r#"{"k":[1]}"#)] {
            assert_eq!(
                member(&value, field, "s").unwrap(),
                SecretValue::from(expected)
            );
        }
        for field in ["z", "b", ""] {
            let error = member(&value, field, "s").unwrap_err();
            assert!(matches!(error, AwsError::NoField { .. }), "{field}");
        }
        for text in ["", "hunter2", "[1]", "{", r#""{}""#] {
            let error = member(&SecretValue::from(text), "a", "s").unwrap_err();
            assert!(matches!(error, AwsError::NoObject { .. }), "{text}");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }
}
