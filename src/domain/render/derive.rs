//! Keys derived from a seed: HKDF (RFC 5869) and HMAC (RFC 2104), both with SHA-256.

use base64::Engine as _;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::decode::{STANDARD, URL_SAFE};
use crate::keys::hex;
use crate::secret::SecretValue;
use crate::sync::{Derivation, DerivationFunction, Encoding};

/// Why nothing can be derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum DeriveKey {
    /// The seed has no bytes; what it gives would be the same everywhere.
    #[error("the seed is empty")]
    EmptySeed,
    /// HKDF gives at most 8160 bytes.
    #[error("the length is more than the function gives")]
    Length,
}

/// Derives a value from `seed`.
pub(super) fn derive(seed: &SecretValue, how: &Derivation) -> Result<SecretValue, DeriveKey> {
    if seed.is_empty() {
        return Err(DeriveKey::EmptySeed);
    }
    let bytes = match &how.function {
        DerivationFunction::HkdfSha256 { info, salt, length } => {
            hkdf_sha256(seed.expose(), salt.as_bytes(), info.as_bytes(), *length)?
        }
        DerivationFunction::HmacSha256 { message } => {
            hmac_sha256(seed.expose(), message.as_bytes())
        }
    };
    Ok(encode(bytes, how.encode))
}

/// An empty salt is no salt: RFC 5869 §2.2 takes a row of zeros for both.
fn hkdf_sha256(
    seed: &[u8],
    salt: &[u8],
    info: &[u8],
    length: usize,
) -> Result<Zeroizing<Vec<u8>>, DeriveKey> {
    let mut out = Zeroizing::new(vec![0; length]);
    Hkdf::<Sha256>::new(Some(salt), seed)
        .expand(info, &mut out)
        .map_err(|_| DeriveKey::Length)?;
    Ok(out)
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
pub(super) fn hmac_sha256(key: &[u8], message: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key length is good");
    mac.update(message);
    Zeroizing::new(mac.finalize().into_bytes().to_vec())
}

fn encode(mut bytes: Zeroizing<Vec<u8>>, encoding: Encoding) -> SecretValue {
    match encoding {
        Encoding::Base64Url => SecretValue::new(URL_SAFE.encode(&*bytes)),
        Encoding::Base64 => SecretValue::new(STANDARD.encode(&*bytes)),
        Encoding::Hex => SecretValue::new(hex(&bytes)),
        Encoding::Raw => SecretValue::new(std::mem::take(&mut *bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Key;

    fn unhex(text: &str) -> Vec<u8> {
        text.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    fn range(from: u8, to: u8) -> Vec<u8> {
        (from..=to).collect()
    }

    /// RFC 5869, appendix A, the three cases of SHA-256.
    #[test]
    fn hkdf_gives_what_its_rfc_says() {
        let cases = [
            (
                vec![0x0b; 22],
                range(0, 12),
                range(0xf0, 0xf9),
                "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
            ),
            (
                range(0, 0x4f),
                range(0x60, 0xaf),
                range(0xb0, 0xff),
                "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c\
                 59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71\
                 cc30c58179ec3e87c14c01d5c1f3434f1d87",
            ),
            (
                vec![0x0b; 22],
                Vec::new(),
                Vec::new(),
                "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
            ),
        ];
        for (seed, salt, info, expected) in cases {
            let expected = unhex(expected);
            let out = hkdf_sha256(&seed, &salt, &info, expected.len()).unwrap();
            assert_eq!(*out, expected);
        }
        assert_eq!(
            hkdf_sha256(b"seed", b"", b"", 255 * 32 + 1),
            Err(DeriveKey::Length)
        );
    }

    /// RFC 4231, §4.2 to §4.4, §4.7 and §4.8.
    #[test]
    fn hmac_gives_what_its_rfc_says() {
        let cases: &[(Vec<u8>, &[u8], &str)] = &[
            (
                vec![0x0b; 20],
                b"Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe".to_vec(),
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                vec![0xaa; 20],
                &[0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                vec![0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                vec![0xaa; 131],
                b"This is a test using a larger than block-size key and a larger than block-size \
                  data. The key needs to be hashed before being used by the HMAC algorithm.",
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ];
        for (key, message, expected) in cases {
            assert_eq!(*hmac_sha256(key, message), unhex(expected));
        }
    }

    #[test]
    fn bytes_are_written_as_the_encoding_says() {
        let derivation = |encode| Derivation {
            from: Key::new("SEED").unwrap(),
            function: DerivationFunction::HmacSha256 {
                message: "what do ya want for nothing?".to_owned(),
            },
            encode,
        };
        let seed = SecretValue::from("Jefe");
        let text = |encode| {
            let value = derive(&seed, &derivation(encode)).unwrap();
            value.expose_text().map(str::to_owned)
        };
        assert_eq!(
            text(Encoding::Hex).unwrap(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            text(Encoding::Base64).unwrap(),
            "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="
        );
        assert_eq!(
            text(Encoding::Base64Url).unwrap(),
            "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM"
        );
        assert_eq!(derive(&seed, &derivation(Encoding::Raw)).unwrap().len(), 32);
        assert_eq!(
            derive(&SecretValue::from(""), &derivation(Encoding::Raw)),
            Err(DeriveKey::EmptySeed)
        );
    }
}
