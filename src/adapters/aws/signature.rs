//! AWS Signature Version 4.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use penstock_domain::secret::SecretValue;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::keys::Keys;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Where a signature is good.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

/// What is signed: a POST to `/` without a query, as the JSON and query protocols send.
#[derive(Clone, Copy)]
pub(super) struct Signed<'a> {
    /// Headers by lower case names, in the order of the names; `host` and `x-amz-date` among them.
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a [u8],
}

/// `20150830T123600Z`
pub(super) fn date_of(now: Timestamp) -> String {
    now.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The `Authorization` header of a request.
pub(super) fn authorization(
    keys: &Keys,
    scope: Scope<'_>,
    date: &str,
    request: Signed<'_>,
) -> SecretValue {
    authorization_of("POST", keys, scope, (date, request))
}

fn authorization_of(
    method: &str,
    keys: &Keys,
    scope: Scope<'_>,
    (date, request): (&str, Signed<'_>),
) -> SecretValue {
    let day = date.get(..8).unwrap_or(date);
    let Scope { region, service } = scope;
    let place = format!("{day}/{region}/{service}/aws4_request");
    let names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let mut canonical = Zeroizing::new(format!("{method}\n/\n\n"));
    for (name, value) in request.headers {
        canonical.extend([name, ":", value.trim(), "\n"]);
    }
    canonical.extend(["\n", &names, "\n", &hex(&Sha256::digest(request.body))]);
    let canonical = hex(&Sha256::digest(canonical.as_bytes()));
    let text = format!("{ALGORITHM}\n{date}\n{place}\n{canonical}");
    let key = signing_key(&keys.secret, day, scope);
    let signature = hex(&*mac(&*key, text.as_bytes()));
    let head = [b"AWS4-HMAC-SHA256 Credential=", keys.id.expose()].concat();
    let tail = format!("/{place}, SignedHeaders={names}, Signature={signature}");
    SecretValue::new([&head, tail.as_bytes()].concat())
}

fn signing_key(secret: &SecretValue, day: &str, scope: Scope<'_>) -> Zeroizing<[u8; 32]> {
    let start = Zeroizing::new([b"AWS4", secret.expose()].concat());
    let mut key = mac(&start, day.as_bytes());
    for part in [scope.region, scope.service, "aws4_request"] {
        key = mac(&*key, part.as_bytes());
    }
    key
}

/// HMAC takes a key of any length; the empty result of a refusal would verify nowhere.
fn mac(key: &[u8], text: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) {
        mac.update(text);
        out.copy_from_slice(&mac.finalize().into_bytes());
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of Amazon's test suite for Signature Version 4.
    fn keys(token: Option<&str>) -> Keys {
        let token = token.map(SecretValue::from);
        Keys::new(
            &SecretValue::from("AKIDEXAMPLE"),
            &SecretValue::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            token.as_ref(),
        )
        .unwrap()
    }

    const SUITE: Scope<'_> = Scope {
        region: "us-east-1",
        service: "service",
    };
    const HOST: (&str, &str) = ("host", "example.amazonaws.com");
    const DATE: (&str, &str) = ("x-amz-date", "20150830T123600Z");
    /// Of `post-sts-token/post-sts-header-before` of the suite.
    const TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

    fn signature(method: &str, headers: &[(&str, &str)], body: &str) -> String {
        let request = Signed {
            headers,
            body: body.as_bytes(),
        };
        let header = authorization_of(method, &keys(None), SUITE, (DATE.1, request));
        let header = header.expose_text().unwrap();
        let (head, signature) = header.rsplit_once("Signature=").unwrap();
        let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            head,
            format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={}, ",
                names.join(";")
            )
        );
        signature.to_owned()
    }

    #[test]
    fn the_vectors_of_amazons_test_suite_come_out_bit_for_bit() {
        let form = ("content-type", "application/x-www-form-urlencoded");
        for (name, signed, expected) in [
            (
                "get-vanilla",
                signature("GET", &[HOST, DATE], ""),
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "post-vanilla",
                signature("POST", &[HOST, DATE], ""),
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "post-x-www-form-urlencoded",
                signature("POST", &[form, HOST, DATE], "Param1=value1"),
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
            (
                "post-sts-header-before",
                signature("POST", &[HOST, DATE, ("x-amz-security-token", TOKEN)], ""),
                "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
            ),
        ] {
            assert_eq!(signed, expected, "{name}");
        }
    }

    #[test]
    fn the_key_of_the_documentation_is_derived() {
        let scope = Scope {
            region: "us-east-1",
            service: "iam",
        };
        let key = signing_key(&keys(None).secret, "20120215", scope);
        assert_eq!(
            hex(&*key),
            "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"
        );
    }

    #[test]
    fn dates_are_in_the_basic_form_of_iso_8601() {
        let at: Timestamp = "2015-08-30T12:36:00Z".parse().unwrap();
        assert_eq!(date_of(at), DATE.1);
    }
}
