//! JSON Web Tokens as verifiers see them: the signature first, then what the token says.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// What a token says.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

impl Said {
    /// A claim or header member that is a text.
    pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
        value[name].as_str().unwrap_or_default()
    }

    /// Whether it is good now, and for no longer than `longest` seconds after it was made.
    pub(crate) fn is_timely(&self, longest: u32) -> bool {
        // Numbers may have fractions (RFC 7519, "NumericDate"); Microsoft's own libraries write them.
        let time = |name: &str| self.claims[name].as_f64();
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = elapsed.map_or(0.0, |elapsed| elapsed.as_secs_f64());
        let begin = time("iat").or(time("nbf"));
        match (begin, time("exp")) {
            (Some(begin), Some(end)) => {
                // As the real ones, it allows clocks to differ a little.
                begin <= now + 60.0 && now < end && end - begin <= f64::from(longest)
            }
            _ => false,
        }
    }
}

/// The time, in seconds since 1970.
pub(crate) fn seconds() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| {
        i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
    })
}

/// What the token says about itself, before anything is verified.
pub(crate) fn peek(token: &str) -> Option<Said> {
    let mut parts = token.split('.');
    let mut part = || {
        let json = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
        serde_json::from_slice(&json).ok()
    };
    Some(Said {
        header: part()?,
        claims: part()?,
    })
}

/// A token whose holder looks at its claims and cannot verify it, as with most access tokens.
pub(crate) fn sealed_by_nobody(claims: &Value) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let header = r#"{"alg":"RS256","typ":"at+jwt"}"#;
    let claims = part(&claims.to_string());
    format!("{}.{claims}.{}", part(header), part("nobody verifies this"))
}

/// Verifies a token under an RSA public key (DER); `None` where the signature is not that of the key.
pub(crate) fn verify(token: &str, key: &[u8]) -> Option<Said> {
    let said = peek(token)?;
    let parameters: &'static RsaParameters = match Said::text(&said.header, "alg") {
        "RS256" => &RSA_PKCS1_2048_8192_SHA256,
        "PS256" => &RSA_PSS_2048_8192_SHA256,
        _ => return None,
    };
    let (signed, signature) = token.rsplit_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    UnparsedPublicKey::new(parameters, key)
        .verify(signed.as_bytes(), &signature)
        .ok()?;
    Some(said)
}

/// A new RSA key: the private half in PEM (PKCS#8), the public half in DER.
///
/// # Panics
///
/// Where the system has no randomness.
#[expect(clippy::expect_used, reason = "tests cannot go on without a key")]
pub fn new_key() -> (String, Vec<u8>) {
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};

    let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key is generated");
    let der = pair.as_der().expect("a key is written down");
    let body = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
    let lines: Vec<&str> = body
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap_or_default())
        .collect();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        lines.join("\n")
    );
    (pem, pair.public_key().as_ref().to_vec())
}
