//! Verifies AWS Signature Version 4.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::failures::Failure;
use super::model::Model;
use crate::ids::hex;
use crate::server::Request;

const MAX_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Who signed: the id of the key.
pub(super) fn verify(
    model: &Model,
    request: &Request,
    body: &[u8],
    service: &str,
) -> Result<String, Failure> {
    let missing = || Failure::new("MissingAuthenticationTokenException");
    let bad = || Failure::new("InvalidSignatureException");
    let header = request.header("authorization").ok_or_else(missing)?;
    let rest = header
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .ok_or_else(missing)?;
    let parts: BTreeMap<&str, &str> = rest
        .split(',')
        .filter_map(|part| part.trim().split_once('='))
        .collect();
    let part = |name: &str| parts.get(name).copied().ok_or_else(bad);
    let (credential, names, signature) = (
        part("Credential")?,
        part("SignedHeaders")?,
        part("Signature")?,
    );
    let (id, scope) = credential.split_once('/').ok_or_else(bad)?;
    let date = request.header("x-amz-date").ok_or_else(bad)?;
    let day = date.get(..8).ok_or_else(bad)?;
    if scope != format!("{day}/{}/{service}/aws4_request", model.region) {
        return Err(bad());
    }
    let key = model
        .keys
        .get(id)
        .ok_or_else(|| Failure::new("UnrecognizedClientException"))?;
    if key.session_token.as_deref() != request.header("x-amz-security-token") {
        return Err(Failure::new("UnrecognizedClientException"));
    }
    check_names(request, names)?;
    let expected = signature_of(request, body, (&key.secret, names), (date, scope));
    if expected != signature {
        return Err(bad());
    }
    let now = Timestamp::now() + model.behaviour.clock_ahead;
    let signed = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", date)
        .ok()
        .and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC).ok())
        .ok_or_else(bad)?
        .timestamp();
    if now.duration_since(signed).abs() > MAX_SKEW {
        return Err(bad());
    }
    if key.ends.is_some_and(|ends| ends <= now) {
        return Err(Failure::new("ExpiredTokenException"));
    }
    Ok(id.to_owned())
}

/// The host and every header of Amazon's must be signed, names in order.
fn check_names(request: &Request, names: &str) -> Result<(), Failure> {
    let names: Vec<&str> = names.split(';').collect();
    let own = request.headers.keys().map(http::HeaderName::as_str);
    let must = own.filter(|name| *name == "host" || name.starts_with("x-amz-"));
    let all = must.into_iter().all(|name| names.contains(&name));
    if all && names.is_sorted() && names.contains(&"host") {
        Ok(())
    } else {
        Err(Failure::new("InvalidSignatureException"))
    }
}

fn signature_of(
    request: &Request,
    body: &[u8],
    (secret, names): (&str, &str),
    (date, scope): (&str, &str),
) -> String {
    let mut canonical = format!("{}\n{}\n\n", request.method, request.path);
    for name in names.split(';') {
        let value = request.header(name).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(canonical, "{name}:{}", value.trim());
    }
    let _ = write!(canonical, "\n{names}\n{}", hex(&Sha256::digest(body)));
    let digest = hex(&Sha256::digest(canonical.as_bytes()));
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}");
    let start = format!("AWS4{secret}").into_bytes();
    let key = scope
        .split('/')
        .fold(start, |key, part| mac(&key, part.as_bytes()));
    hex(&mac(&key, text.as_bytes()))
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}
