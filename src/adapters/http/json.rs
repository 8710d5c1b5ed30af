//! JSON from outside: bounded in depth before it is parsed, and texts that keep what they said.

use serde::de::DeserializeOwned;

/// The deepest nesting of arrays and objects that is read.
pub const MAX_DEPTH: usize = 64;

/// Why a text is not read as JSON. Neither variant holds any of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadJson {
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("is nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// Not JSON, or not of the expected shape.
    #[error("is not the JSON that was expected")]
    Shape,
}

/// Parses `text`, whose depth is checked first: what keeps parts as raw text would not see it.
pub fn parse<'a, T: serde::Deserialize<'a>>(text: &'a [u8]) -> Result<T, ReadJson> {
    check_depth(text)?;
    serde_json::from_slice(text).map_err(|_| ReadJson::Shape)
}

/// As [`parse`], for a value that owns its parts.
pub fn parse_owned<T: DeserializeOwned>(text: &[u8]) -> Result<T, ReadJson> {
    parse(text)
}

/// Whether arrays and objects in `text` nest at most [`MAX_DEPTH`] levels.
pub fn check_depth(text: &[u8]) -> Result<(), ReadJson> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (true, b'"') => in_string = false,
            (false, b'"') => in_string = true,
            (false, b'[' | b'{') => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(ReadJson::TooDeep);
                }
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Writes one JSON value in the shortest form: no blanks between tokens, no needless escapes in strings,
/// numbers digit by digit as they came, members in their order.
pub fn compact(text: &str) -> Result<String, ReadJson> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('"') {
        let (before, from_quote) = rest.split_at_checked(start).ok_or(ReadJson::Shape)?;
        push_tokens(&mut out, before);
        let mut strings = serde_json::Deserializer::from_str(from_quote).into_iter::<String>();
        let string = strings.next().and_then(Result::ok).ok_or(ReadJson::Shape)?;
        out.push_str(&serde_json::to_string(&string).map_err(|_| ReadJson::Shape)?);
        rest = from_quote
            .get(strings.byte_offset()..)
            .ok_or(ReadJson::Shape)?;
    }
    push_tokens(&mut out, rest);
    Ok(out)
}

fn push_tokens(out: &mut String, text: &str) {
    out.extend(text.chars().filter(|letter| !letter.is_ascii_whitespace()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_bounded_outside_strings_only() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(check_depth(nested(MAX_DEPTH).as_bytes()), Ok(()));
        assert_eq!(
            check_depth(nested(MAX_DEPTH + 1).as_bytes()),
            Err(ReadJson::TooDeep)
        );
        assert_eq!(
            check_depth("[".repeat(1_000_000).as_bytes()),
            Err(ReadJson::TooDeep)
        );
        let text = format!(r#"{{"a":"\"{}"}}"#, "[".repeat(1000));
        assert_eq!(check_depth(text.as_bytes()), Ok(()));
        assert_eq!(
            check_depth(&b"[],".repeat(1000)),
            Ok(()),
            "siblings do not add up"
        );
    }

    #[test]
    fn errors_hold_nothing_of_the_text() {
        let error = parse::<u8>(br#""hunter2""#).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    #[test]
    fn numbers_keep_their_digits_and_strings_lose_needless_escapes() {
        for (text, expected) in [
            (
                "12345678901234567890123.4560",
                "12345678901234567890123.4560",
            ),
            ("1e400", "1e400"),
            (r#"{"a" : [ 1, "x\u003cy\u00fc" ] }"#, r#"{"a":[1,"x<yü"]}"#),
            (r#"{ "a b" : " c  d " }"#, r#"{"a b":" c  d "}"#),
            (r#"["a\"b\\", "\n\u0000"]"#, r#"["a\"b\\","\n\u0000"]"#),
            ("null", "null"),
        ] {
            assert_eq!(compact(text).as_deref(), Ok(expected));
        }
        assert_eq!(compact(r#"["open"#), Err(ReadJson::Shape));
    }
}
