//! Base64 of whole values.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::secret::SecretValue;
use crate::sync::Decode;

const LENIENT_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// The standard alphabet (RFC 4648 §4); writes padding, reads with or without.
pub(super) const STANDARD: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, LENIENT_PADDING);

/// The URL alphabet (RFC 4648 §5); writes no padding, reads with or without.
pub(super) const URL_SAFE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    LENIENT_PADDING.with_encode_padding(false),
);

/// A value is not what `decode` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not {alphabet}")]
pub(super) struct DecodeValue {
    /// What it should have been.
    alphabet: &'static str,
}

/// Decodes one value. Line ends within base64 mean nothing and are skipped (tools wrap at 76 characters);
/// with [`Decode::Auto`] a value that is base64 of neither alphabet stays as it stands.
pub(super) fn decode(value: &SecretValue, how: Decode) -> Result<SecretValue, DecodeValue> {
    let (engine, alphabet) = match how {
        Decode::Base64 => (STANDARD, "base64"),
        Decode::Base64Url => (URL_SAFE, "base64 of the URL alphabet"),
        Decode::Auto => return Ok(guess(value)),
    };
    let text: zeroize::Zeroizing<Vec<u8>> = zeroize::Zeroizing::new(
        value
            .expose()
            .iter()
            .copied()
            .filter(|byte| !matches!(byte, b'\r' | b'\n'))
            .collect(),
    );
    engine
        .decode(&*text)
        .map(SecretValue::new)
        .map_err(|_| DecodeValue { alphabet })
}

fn guess(value: &SecretValue) -> SecretValue {
    [STANDARD, URL_SAFE]
        .iter()
        .find_map(|engine| engine.decode(value.expose()).ok())
        .map_or_else(|| value.clone(), SecretValue::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_decode_as_their_source_says() {
        let cases: &[(Decode, &str, Option<&[u8]>)] = &[
            (Decode::Base64, "aGk=", Some(b"hi")),
            (Decode::Base64, "aGk", Some(b"hi")),
            (Decode::Base64, "aGVs\nbG8=\r\n", Some(b"hello")),
            (Decode::Base64, "", Some(b"")),
            (Decode::Base64, "+/+/", Some(b"\xfb\xff\xbf")),
            (Decode::Base64, "-_-_", None),
            (Decode::Base64, "aGk=x", None),
            (Decode::Base64, "not base64", None),
            (Decode::Base64Url, "-_-_", Some(b"\xfb\xff\xbf")),
            (Decode::Base64Url, "+/+/", None),
            (Decode::Auto, "+/+/", Some(b"\xfb\xff\xbf")),
            (Decode::Auto, "-_-_", Some(b"\xfb\xff\xbf")),
            (Decode::Auto, "pass word", Some(b"pass word")),
        ];
        for (how, text, expected) in cases {
            let decoded = decode(&SecretValue::from(*text), *how);
            assert_eq!(
                decoded.as_ref().map(SecretValue::expose).ok(),
                *expected,
                "{how:?} {text}"
            );
        }
    }
}
