//! JSON web tokens (RFC 7519), as far as can be told without their key.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

/// How far two clocks may be apart.
const LEEWAY_SECONDS: f64 = 60.0;
/// The longest token that is read.
const MAX_BYTES: usize = 64 * 1024;

/// What a token must fulfil besides being one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenExpectation {
    /// Its issuer.
    pub issuer: Option<String>,
    /// Its audience, or one of them.
    pub audience: Option<String>,
    /// How long it must still be valid.
    pub min_validity: Duration,
}

impl TokenExpectation {
    /// Why `token` does not fulfil it.
    pub(super) fn judge(&self, token: &[u8], now: Timestamp) -> Result<(), String> {
        let claims = claims(token).ok_or("is no JSON web token")?;
        let number = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(value) => value
                .as_f64()
                .map(Some)
                .ok_or(format!("has a claim `{name}` that is no number")),
        };
        let now = now.as_duration().as_secs_f64();
        if let Some(ends) = number("exp")? {
            if ends <= now {
                return Err("has expired".to_owned());
            }
            if ends <= now + self.min_validity.as_secs_f64() {
                let seconds = self.min_validity.as_secs();
                return Err(format!("expires within {seconds} s"));
            }
        }
        if number("nbf")?.is_some_and(|begins| begins > now + LEEWAY_SECONDS) {
            return Err("is not valid yet".to_owned());
        }
        if let Some(issuer) = &self.issuer
            && claims.get("iss").and_then(Value::as_str) != Some(issuer)
        {
            return Err("is of another issuer".to_owned());
        }
        match &self.audience {
            Some(audience) if !is_for(&claims, audience) => {
                Err("is for another audience".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// `aud` is one text or a list of texts (RFC 7519 §4.1.3).
fn is_for(claims: &Map<String, Value>, audience: &str) -> bool {
    match claims.get("aud") {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(all)) => all.iter().any(|one| one.as_str() == Some(audience)),
        _ => false,
    }
}

/// The claims of a signed token in its compact form (RFC 7515 §7.1).
fn claims(token: &[u8]) -> Option<Map<String, Value>> {
    let token = std::str::from_utf8(token).ok()?.trim_ascii();
    if token.len() > MAX_BYTES {
        return None;
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else {
        return None;
    };
    let header = object(header)?;
    URL_SAFE_NO_PAD.decode(signature).ok()?;
    header.get("alg").and_then(Value::as_str)?;
    object(payload)
}

fn object(part: &str) -> Option<Map<String, Value>> {
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(part).ok()?);
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.c2ln", part(r#"{"alg":"RS256"}"#), part(claims))
    }

    fn judge(expectation: &TokenExpectation, token: &str) -> Result<(), String> {
        let now = Timestamp::from_second(1_000_000).unwrap();
        expectation.judge(token.as_bytes(), now)
    }

    #[test]
    fn a_token_is_judged_by_its_times() {
        let hour = TokenExpectation {
            min_validity: Duration::from_hours(1),
            ..TokenExpectation::default()
        };
        for (claims, expected) in [
            ("{}", Ok(())),
            (r#"{"exp": 1003601}"#, Ok(())),
            (r#"{"exp": 1003600}"#, Err("expires within 3600 s")),
            (r#"{"exp": 1000000}"#, Err("has expired")),
            (r#"{"exp": 999999.5}"#, Err("has expired")),
            (
                r#"{"exp": "soon"}"#,
                Err("has a claim `exp` that is no number"),
            ),
            (r#"{"nbf": 1000060}"#, Ok(())),
            (r#"{"nbf": 1000061}"#, Err("is not valid yet")),
        ] {
            let expected = expected.map_err(ToOwned::to_owned);
            assert_eq!(judge(&hour, &token(claims)), expected, "{claims}");
        }
    }

    #[test]
    fn issuer_and_audience_must_be_those_expected() {
        let expectation = TokenExpectation {
            issuer: Some("https://id".to_owned()),
            audience: Some("api".to_owned()),
            min_validity: Duration::ZERO,
        };
        for (claims, expected) in [
            (r#"{"iss": "https://id", "aud": "api"}"#, Ok(())),
            (r#"{"iss": "https://id", "aud": ["web", "api"]}"#, Ok(())),
            (
                r#"{"iss": "https://id", "aud": "ap"}"#,
                Err("is for another audience"),
            ),
            (r#"{"iss": "https://id"}"#, Err("is for another audience")),
            (r#"{"iss": "x", "aud": "api"}"#, Err("is of another issuer")),
        ] {
            let expected = expected.map_err(ToOwned::to_owned);
            assert_eq!(judge(&expectation, &token(claims)), expected, "{claims}");
        }
    }

    #[test]
    fn anything_else_is_no_token() {
        let any = TokenExpectation::default();
        let unsigned = "e30.e30";
        let no_algorithm = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode("{}"));
        for text in [
            "",
            "a.b.c",
            unsigned,
            &no_algorithm,
            "e30.W10.c2ln",
            "\u{0}",
        ] {
            let expected = Err("is no JSON web token".to_owned());
            assert_eq!(judge(&any, text), expected, "{text}");
        }
    }
}
