//! Encrypted strings: `<type>.<part>|<part>|…`, each part in base64 (sdk-internal, `crates/bitwarden-crypto`,
//! `enc_string/`).
//!
//! | type | parts | read |
//! |---|---|---|
//! | 0 | iv, ciphertext | AES-256-CBC without authentication: under a key that has none, and no other |
//! | 1 | | no: AES-128, which nobody reads any more |
//! | 2 | iv, ciphertext, mac | AES-256-CBC with HMAC-SHA-256 over iv and ciphertext, checked first |
//! | 3, 5 | ciphertext (, mac) | RSA-OAEP with SHA-256; the mac is obsolete and ignored |
//! | 4, 6 | ciphertext (, mac) | RSA-OAEP with SHA-1 |
//! | 7 | COSE_Encrypt0 | no: accounts of version 2 |
//!
//! A string without a type is one of long ago: two parts are type 0, three are type 1.

use aws_lc_rs::cipher::{
    AES_256, DecryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey,
    PrivateDecryptingKey,
};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use super::keys::SymmetricKey;

/// Bytes of an initialisation vector, and of a block.
const BLOCK: usize = 16;
/// Bytes of a mac.
const MAC: usize = 32;

/// Why an encrypted string is not read. It holds nothing of the string but its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadEncString {
    /// No such string.
    #[error("is not an encrypted string")]
    Malformed,
    /// AES-128, removed everywhere.
    #[error("is encrypted as type 1, which no client reads any more")]
    Removed,
    /// A COSE message.
    #[error("is encrypted as type 7 (COSE), which is not read here")]
    Cose,
    /// A type that is not known.
    #[error("is encrypted as type {0}, which is not known here")]
    Unknown(u32),
    /// No mac where the key asks for one: somebody may have changed it.
    #[error("is encrypted without authentication (type 0), under a key that asks for it")]
    Unauthenticated,
    /// Symmetric where asymmetric is expected, or the other way round.
    #[error("is encrypted for another kind of key")]
    OtherKind,
    /// The mac is wrong: another key, or changed on the way.
    #[error("does not belong to this key, or has been changed")]
    Mac,
    /// What comes out makes no sense.
    #[error("cannot be decrypted")]
    Decrypt,
}

/// An encrypted string, taken apart.
enum Parts<'a> {
    Plain {
        iv: &'a str,
        text: &'a str,
    },
    Authenticated {
        iv: &'a str,
        text: &'a str,
        mac: &'a str,
    },
    Wrapped {
        algorithm: &'static OaepAlgorithm,
        text: &'a str,
    },
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Result<Self, ReadEncString> {
        let (kind, rest) = match text.split_once('.') {
            Some((kind, rest)) => {
                let sound = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_digit());
                let kind = kind.parse().ok().filter(|_| sound);
                (kind.ok_or(ReadEncString::Malformed)?, rest)
            }
            // Base64 has no dots, so there is no type.
            None if text.split('|').count() == 2 => (0, text),
            None if text.split('|').count() == 3 => (1, text),
            None => return Err(ReadEncString::Malformed),
        };
        let mut parts = rest.split('|');
        let parts = (parts.next(), parts.next(), parts.next(), parts.next());
        match (kind, parts) {
            (0, (Some(iv), Some(text), None, None)) => Ok(Self::Plain { iv, text }),
            (1, _) => Err(ReadEncString::Removed),
            (2, (Some(iv), Some(text), Some(mac), None)) => {
                Ok(Self::Authenticated { iv, text, mac })
            }
            (3, (Some(text), None, ..)) | (5, (Some(text), Some(_), None, _)) => {
                let algorithm = &OAEP_SHA256_MGF1SHA256;
                Ok(Self::Wrapped { algorithm, text })
            }
            (4, (Some(text), None, ..)) | (6, (Some(text), Some(_), None, _)) => {
                let algorithm = &OAEP_SHA1_MGF1SHA1;
                Ok(Self::Wrapped { algorithm, text })
            }
            (7, _) => Err(ReadEncString::Cose),
            (0..=6, _) => Err(ReadEncString::Malformed),
            (other, _) => Err(ReadEncString::Unknown(other)),
        }
    }
}

fn decoded(text: &str) -> Result<Vec<u8>, ReadEncString> {
    BASE64_STANDARD
        .decode(text)
        .map_err(|_| ReadEncString::Malformed)
}

fn fixed<const N: usize>(text: &str) -> Result<[u8; N], ReadEncString> {
    decoded(text)?
        .try_into()
        .map_err(|_| ReadEncString::Malformed)
}

/// Decrypts a string under a symmetric key. The mac is compared in constant time, before anything is decrypted.
pub(crate) fn decrypt(text: &str, key: &SymmetricKey) -> Result<Zeroizing<Vec<u8>>, ReadEncString> {
    let (iv, ciphertext) = match (Parts::of(text)?, key.authenticating()) {
        (Parts::Wrapped { .. }, _) | (Parts::Authenticated { .. }, None) => {
            return Err(ReadEncString::OtherKind);
        }
        (Parts::Plain { .. }, Some(_)) => return Err(ReadEncString::Unauthenticated),
        (Parts::Plain { iv, text }, None) => (fixed::<BLOCK>(iv)?, decoded(text)?),
        (Parts::Authenticated { iv, text, mac }, Some(half)) => {
            let (iv, text, mac) = (fixed::<BLOCK>(iv)?, decoded(text)?, fixed::<MAC>(mac)?);
            let signed = Zeroizing::new([&iv, text.as_slice()].concat());
            let half = hmac::Key::new(hmac::HMAC_SHA256, half);
            hmac::verify(&half, &signed, &mac).map_err(|_| ReadEncString::Mac)?;
            (iv, text)
        }
    };
    if ciphertext.is_empty() || !ciphertext.len().is_multiple_of(BLOCK) {
        return Err(ReadEncString::Malformed);
    }
    let mut bytes = Zeroizing::new(ciphertext);
    let failed = |_| ReadEncString::Decrypt;
    let cipher = UnboundCipherKey::new(&AES_256, key.encrypting())
        .and_then(PaddedBlockDecryptingKey::cbc_pkcs7)
        .map_err(failed)?;
    let context = DecryptionContext::Iv128(FixedLength::from(iv));
    let length = cipher.decrypt(&mut bytes, context).map_err(failed)?.len();
    bytes.truncate(length);
    Ok(bytes)
}

/// Encrypts under a key that authenticates, with an initialisation vector that is used once: type 2.
pub(crate) fn encrypt(plain: &[u8], key: &SymmetricKey) -> Result<String, ReadEncString> {
    let half = key.authenticating().ok_or(ReadEncString::OtherKind)?;
    let failed = |_| ReadEncString::Decrypt;
    // The padding must not move the bytes: what stays behind would not be zeroed.
    let mut bytes = Zeroizing::new(Vec::with_capacity(plain.len() + BLOCK));
    bytes.extend_from_slice(plain);
    let cipher = UnboundCipherKey::new(&AES_256, key.encrypting())
        .and_then(PaddedBlockEncryptingKey::cbc_pkcs7)
        .map_err(failed)?;
    let context = cipher.encrypt(&mut *bytes).map_err(failed)?;
    let DecryptionContext::Iv128(iv) = context else {
        return Err(ReadEncString::Decrypt);
    };
    let signed = [iv.as_ref(), bytes.as_slice()].concat();
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, half), &signed);
    let [iv, text, mac] =
        [iv.as_ref(), bytes.as_slice(), mac.as_ref()].map(|part| BASE64_STANDARD.encode(part));
    Ok(format!("2.{iv}|{text}|{mac}"))
}

/// Decrypts a string under an RSA key (PKCS#8, DER).
pub(crate) fn unwrap(text: &str, private_key: &[u8]) -> Result<Zeroizing<Vec<u8>>, ReadEncString> {
    let Parts::Wrapped { algorithm, text } = Parts::of(text)? else {
        return Err(ReadEncString::OtherKind);
    };
    let key = PrivateDecryptingKey::from_pkcs8(private_key).map_err(|_| ReadEncString::Decrypt)?;
    let key = OaepPrivateDecryptingKey::new(key).map_err(|_| ReadEncString::Decrypt)?;
    let ciphertext = decoded(text)?;
    if ciphertext.len() != key.key_size_bytes() {
        return Err(ReadEncString::Malformed);
    }
    let mut bytes = Zeroizing::new(vec![0; key.min_output_size()]);
    let length = key
        .decrypt(algorithm, &ciphertext, &mut bytes, None)
        .map_err(|_| ReadEncString::Mac)?
        .len();
    bytes.truncate(length);
    Ok(bytes)
}

#[cfg(test)]
mod tests;
