//! For whom tokens of the API server's own are.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use penstock_domain::secret::SecretValue;
use serde::Deserialize;

/// The claims that are looked at (RFC 7519, section 4.1.3).
#[derive(Deserialize)]
struct Claims {
    aud: Audience,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(BTreeSet<String>),
}

/// The audiences of a JSON web token that the API server takes from us: whoever holds a token for one of them can
/// talk to it. Empty when the token is none of that kind; its signature does not matter here.
pub(super) fn audiences(token: &SecretValue) -> BTreeSet<String> {
    let claims = || {
        let payload = token.expose_text()?.trim().split('.').nth(1)?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        serde_json::from_slice::<Claims>(&payload).ok()
    };
    match claims().map(|claims| claims.aud) {
        Some(Audience::One(audience)) => [audience].into(),
        Some(Audience::Many(audiences)) => audiences,
        None => BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> SecretValue {
        let text = format!("e30.{}.c2ln\n", URL_SAFE_NO_PAD.encode(claims));
        SecretValue::from(text.as_str())
    }

    #[test]
    fn one_and_many_audiences_are_found() {
        let one = audiences(&token(r#"{"aud": "a", "sub": "x"}"#));
        assert_eq!(one, ["a".to_owned()].into());
        let many = audiences(&token(r#"{"aud": ["a", "b"]}"#));
        assert_eq!(many, ["a".to_owned(), "b".to_owned()].into());
    }

    #[test]
    fn what_is_no_such_token_has_none() {
        for token in [
            token("{}"),
            token("["),
            SecretValue::from("opaque"),
            SecretValue::from("a.%.b"),
        ] {
            assert!(audiences(&token).is_empty());
        }
    }
}
