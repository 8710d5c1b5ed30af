//! Symmetric keys, and how they are stretched.

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk};
use zeroize::Zeroizing;

/// Bytes of one half of a key.
const HALF: usize = 32;

/// A key that decrypts [encrypted strings](super::enc_string); zeroed when it is dropped.
pub(crate) struct SymmetricKey(Zeroizing<Vec<u8>>);

/// How long a decrypted key is, which tells what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyLength {
    /// 64 bytes: one half encrypts, the other authenticates.
    Usual,
    /// 32 bytes: accounts of long ago, without authentication.
    Legacy,
    /// Longer: a padded COSE key of an account of version 2.
    Cose,
    /// None of these.
    Wrong,
}

impl SymmetricKey {
    /// Takes the bytes of a key: 64, or 32 for one that does not authenticate.
    pub(crate) fn new(bytes: Zeroizing<Vec<u8>>) -> Result<Self, KeyLength> {
        match bytes.len() {
            64 | 32 => Ok(Self(bytes)),
            65.. => Err(KeyLength::Cose),
            _ => Err(KeyLength::Wrong),
        }
    }

    /// What kind of key it is.
    pub(crate) fn kind(&self) -> KeyLength {
        if self.0.len() == HALF {
            KeyLength::Legacy
        } else {
            KeyLength::Usual
        }
    }

    /// The half that encrypts.
    pub(super) fn encrypting(&self) -> &[u8] {
        self.0.get(..HALF).unwrap_or_default()
    }

    /// The half that authenticates, if there is one.
    pub(super) fn authenticating(&self) -> Option<&[u8]> {
        self.0.get(HALF..).filter(|half| !half.is_empty())
    }

    /// A master key of 32 bytes, stretched by HKDF's second half alone: `enc` and `mac` are the infos, and the
    /// master key stands where HKDF has its pseudo-random key (sdk-internal, `keys/utils.rs`).
    pub(crate) fn stretch(master_key: &[u8]) -> Result<Self, Stretch> {
        let mut bytes = Zeroizing::new(vec![0; 2 * HALF]);
        let (encrypting, authenticating) = bytes.split_at_mut(HALF);
        expand(master_key, b"enc", encrypting)?;
        expand(master_key, b"mac", authenticating)?;
        Ok(Self(bytes))
    }

    /// A key of 64 bytes expanded from a pseudo-random key of 32.
    pub(crate) fn expand(pseudo_random: &[u8], info: &[u8]) -> Result<Self, Stretch> {
        let mut bytes = Zeroizing::new(vec![0; 2 * HALF]);
        expand(pseudo_random, info, &mut bytes)?;
        Ok(Self(bytes))
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The cryptographic library refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stretch a key")]
pub(crate) struct Stretch;

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand with SHA-256 (RFC 5869 §2.3).
fn expand(pseudo_random: &[u8], info: &[u8], out: &mut [u8]) -> Result<(), Stretch> {
    Prk::new_less_safe(HKDF_SHA256, pseudo_random)
        .expand(&[info], Length(out.len()))
        .and_then(|output| output.fill(out))
        .map_err(|_| Stretch)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5869 A.1, its second stage.
    #[test]
    fn the_expansion_is_that_of_the_standard() {
        let prk = [
            0x07, 0x77, 0x09, 0x36, 0x2c, 0x2e, 0x32, 0xdf, 0x0d, 0xdc, 0x3f, 0x0d, 0xc4, 0x7b,
            0xba, 0x63, 0x90, 0xb6, 0xc7, 0x3b, 0xb5, 0x0f, 0x9c, 0x31, 0x22, 0xec, 0x84, 0x4a,
            0xd7, 0xc2, 0xb3, 0xe5,
        ];
        let info = [0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9];
        let mut out = [0; 42];
        expand(&prk, &info, &mut out).unwrap();
        assert_eq!(out[..4], [0x3c, 0xb2, 0x5f, 0x25]);
        assert_eq!(out[38..], [0x87, 0x18, 0x58, 0x65]);
    }

    #[test]
    fn a_key_is_told_by_its_length() {
        let of = |length: usize| SymmetricKey::new(Zeroizing::new(vec![7; length]));
        assert_eq!(of(64).ok().unwrap().kind(), KeyLength::Usual);
        assert_eq!(of(32).ok().unwrap().kind(), KeyLength::Legacy);
        assert_eq!(of(80).err(), Some(KeyLength::Cose));
        for length in [0, 16, 33, 63] {
            assert_eq!(of(length).err(), Some(KeyLength::Wrong), "{length}");
        }
    }
}
