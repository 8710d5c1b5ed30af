//! Text with credentials in it.

use penstock_domain::secret::SecretValue;

/// A text in which `{{ name }}` stands for a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(String),
}

/// Why a text is no template, or cannot be filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fill {
    /// `{{` without `}}`, or something else between them than a name.
    #[error("must hold nothing between `{{{{` and `}}}}` but a name of `secrets`")]
    Braces,
    /// Nobody has this name.
    #[error("names `{0}`, which is not one of `secrets`")]
    Unknown(String),
    /// What is filled in is no text.
    #[error("holds `{0}`, whose value is no text")]
    NoText(String),
}

/// Where a value is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    /// As it is.
    Header,
    /// Within a string of JSON.
    JsonString,
}

impl Template {
    /// Reads a template.
    pub(super) fn parse(text: &str) -> Result<Self, Fill> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) = after.split_once("}}").ok_or(Fill::Braces)?;
            let name = name.trim();
            let is_name = !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !is_name {
                return Err(Fill::Braces);
            }
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Name(name.to_owned()));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    /// The text with what `find` has under each name.
    pub(super) fn fill<'a>(
        &self,
        place: Spot,
        find: impl Fn(&str) -> Option<&'a SecretValue>,
    ) -> Result<SecretValue, Fill> {
        let mut filled = zeroize::Zeroizing::new(Vec::new());
        for part in &self.0 {
            match part {
                Part::Text(text) => filled.extend_from_slice(text.as_bytes()),
                Part::Name(name) => {
                    let value = find(name).ok_or_else(|| Fill::Unknown(name.clone()))?;
                    match place {
                        Spot::Header => filled.extend_from_slice(value.expose()),
                        Spot::JsonString => {
                            let text = value
                                .expose_text()
                                .ok_or_else(|| Fill::NoText(name.clone()))?;
                            let quoted = serde_json::Value::from(text).to_string();
                            let inner = quoted.get(1..quoted.len() - 1).unwrap_or_default();
                            filled.extend_from_slice(inner.as_bytes());
                        }
                    }
                }
            }
        }
        Ok(SecretValue::new(std::mem::take(&mut *filled)))
    }

    /// Whether it is JSON in which every name stands within a string: with a letter in its place, it is JSON
    /// there and nowhere else.
    pub(super) fn is_json(&self) -> bool {
        let letter = SecretValue::from("x");
        self.fill(Spot::JsonString, |_| Some(&letter))
            .is_ok_and(|text| {
                serde_json::from_slice::<serde::de::IgnoredAny>(text.expose()).is_ok()
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str, place: Spot) -> Result<String, Fill> {
        let value = SecretValue::from("a\"b\\{{ c }}");
        let filled = Template::parse(text)?.fill(place, |name| (name == "token").then_some(&value));
        filled.map(|filled| filled.expose_text().unwrap().to_owned())
    }

    #[test]
    fn names_are_filled_in_once_and_escaped_in_strings() {
        let header = fill("Bearer {{ token }}{{token}}", Spot::Header).unwrap();
        assert_eq!(header, "Bearer a\"b\\{{ c }}a\"b\\{{ c }}");
        let body = fill(r#"{"t":"{{ token }}"}"#, Spot::JsonString).unwrap();
        let parsed: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(parsed["t"], "a\"b\\{{ c }}");
    }

    #[test]
    fn anything_but_a_known_name_is_refused() {
        for text in [
            "{{",
            "{{ token",
            "{{}}",
            "{{ a b }}",
            "{{ token | upper }}",
            "{{ a.b }}",
        ] {
            assert_eq!(fill(text, Spot::Header), Err(Fill::Braces), "{text}");
        }
        assert_eq!(
            fill("{{ other }}", Spot::Header),
            Err(Fill::Unknown("other".to_owned()))
        );
        let bytes = SecretValue::new(vec![0xff]);
        let template = Template::parse("{{ t }}").unwrap();
        assert_eq!(
            template.fill(Spot::JsonString, |_| Some(&bytes)),
            Err(Fill::NoText("t".to_owned()))
        );
    }

    #[test]
    fn a_body_is_json_with_names_in_strings_only() {
        let is_json = |text: &str| Template::parse(text).unwrap().is_json();
        for text in [
            r#"{"a":"{{ t }}"}"#,
            r#""{{ t }}""#,
            "{}",
            r#"{"{{ t }}":1}"#,
        ] {
            assert!(is_json(text), "{text}");
        }
        for text in [
            r#"{"a":{{ t }}}"#,
            r#"{"a":"x"{{ t }}}"#,
            "{{ t }}",
            "a=1",
            "",
        ] {
            assert!(!is_json(text), "{text}");
        }
    }
}
