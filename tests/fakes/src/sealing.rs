//! What Bitwarden's clients do before they send anything: keys, and strings encrypted under them.
//!
//! The servers never see a key. So a stand-in is filled by somebody who owns the account, and this is what an owner
//! needs. It is written for itself, from the formats alone; the tested clients have their own.

use std::fmt;
use std::num::NonZeroU32;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::cipher::{AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{KeySize, OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PrivateDecryptingKey};
use aws_lc_rs::{hmac, pbkdf2, rand};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

/// The library refuses, or there is no randomness.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("encrypt something")]
pub struct Seal;

/// A symmetric key: 32 bytes encrypt, 32 authenticate.
#[derive(Clone, PartialEq, Eq)]
pub struct SealKey(Vec<u8>);

impl fmt::Debug for SealKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SealKey(***)")
    }
}

impl SealKey {
    /// A key of 64 bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// A new one.
    pub fn generate() -> Result<Self, Seal> {
        let mut bytes = vec![0; 64];
        rand::fill(&mut bytes).map_err(|_| Seal)?;
        Ok(Self(bytes))
    }

    /// From a master key of 32 bytes: each half is the first block of HKDF-Expand.
    pub fn stretched(master: &[u8]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, master);
        let half = |info: &str| hmac::sign(&key, format!("{info}\u{1}").as_bytes());
        Self([half("enc").as_ref(), half("mac").as_ref()].concat())
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Encrypts text: `2.<iv>|<ciphertext>|<mac>`.
    pub fn seal(&self, plain: impl AsRef<[u8]>) -> Result<String, Seal> {
        let mut iv = [0; 16];
        rand::fill(&mut iv).map_err(|_| Seal)?;
        self.seal_with(plain.as_ref(), iv)
    }

    /// The same with a vector of one's own, for what must come out the same every time.
    pub fn seal_with(&self, plain: &[u8], iv: [u8; 16]) -> Result<String, Seal> {
        let (encrypting, authenticating) = self.0.split_at_checked(32).ok_or(Seal)?;
        let mut bytes = plain.to_vec();
        let key = UnboundCipherKey::new(&AES_256, encrypting).map_err(|_| Seal)?;
        let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).map_err(|_| Seal)?;
        let context = EncryptionContext::Iv128(FixedLength::from(iv));
        key.less_safe_encrypt(&mut bytes, context)
            .map_err(|_| Seal)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, authenticating);
        let mac = hmac::sign(&key, &[iv.as_slice(), &bytes].concat());
        let [iv, bytes, mac] =
            [iv.as_slice(), &bytes, mac.as_ref()].map(|part| BASE64_STANDARD.encode(part));
        Ok(format!("2.{iv}|{bytes}|{mac}"))
    }
}

/// How a master key is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kdf {
    /// PBKDF2 with HMAC-SHA-256.
    Pbkdf2(u32),
    /// Argon2id.
    Argon2id {
        /// Rounds.
        iterations: u32,
        /// MiB.
        memory: u32,
        /// Lanes.
        parallelism: u32,
    },
}

impl Kdf {
    /// The master key.
    pub fn master_key(self, password: &str, salt: &str) -> Result<Vec<u8>, Seal> {
        let mut key = vec![0; 32];
        match self {
            Self::Pbkdf2(iterations) => pbkdf2::derive(
                pbkdf2::PBKDF2_HMAC_SHA256,
                NonZeroU32::new(iterations).ok_or(Seal)?,
                salt.as_bytes(),
                password.as_bytes(),
                &mut key,
            ),
            Self::Argon2id {
                iterations,
                memory,
                parallelism,
            } => {
                let params = Params::new(memory * 1024, iterations, parallelism, Some(32));
                Argon2::new(
                    Algorithm::Argon2id,
                    Version::V0x13,
                    params.map_err(|_| Seal)?,
                )
                .hash_password_into(
                    password.as_bytes(),
                    &Sha256::digest(salt.as_bytes()),
                    &mut key,
                )
                .map_err(|_| Seal)?;
            }
        }
        Ok(key)
    }
}

/// An RSA key of an account.
pub struct RsaKey {
    /// PKCS#8, DER.
    pub private: Vec<u8>,
    /// SubjectPublicKeyInfo, DER, in base64.
    pub public: String,
    key: OaepPublicEncryptingKey,
}

impl RsaKey {
    /// A new one of 2,048 bits.
    pub fn generate() -> Result<Self, Seal> {
        let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).map_err(|_| Seal)?;
        let public = private.public_key();
        let der = AsDer::<PublicKeyX509Der<'_>>::as_der(&public);
        Ok(Self {
            public: BASE64_STANDARD.encode(der.map_err(|_| Seal)?.as_ref()),
            private: AsDer::<Pkcs8V1Der<'_>>::as_der(&private)
                .map_err(|_| Seal)?
                .as_ref()
                .to_vec(),
            key: OaepPublicEncryptingKey::new(public).map_err(|_| Seal)?,
        })
    }

    /// Wraps a key for the owner of this one: `4.<ciphertext>`.
    pub fn wrap(&self, key: &SealKey) -> Result<String, Seal> {
        let mut out = vec![0; self.key.ciphertext_size()];
        let wrapped = self
            .key
            .encrypt(&OAEP_SHA1_MGF1SHA1, key.bytes(), &mut out, None)
            .map_err(|_| Seal)?;
        Ok(format!("4.{}", BASE64_STANDARD.encode(wrapped)))
    }
}

/// Whether a text has the form of an encrypted string; the servers ask no more.
pub(crate) fn is_sealed(text: &str) -> bool {
    let Some((kind, rest)) = text.split_once('.') else {
        return false;
    };
    let parts: Vec<_> = rest.split('|').collect();
    let expected = match kind {
        "0" | "5" | "6" => 2,
        "2" => 3,
        "3" | "4" | "7" => 1,
        _ => return false,
    };
    parts.len() == expected
        && parts
            .iter()
            .all(|part| !part.is_empty() && BASE64_STANDARD.decode(part).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors that the tested client reads.
    #[test]
    fn what_is_sealed_here_is_what_the_vectors_say() {
        let iv = std::array::from_fn(|index| 0x10 + u8::try_from(index).unwrap_or_default());
        let user_key = SealKey::of(&(0..=0x3f).collect::<Vec<u8>>());
        assert_eq!(
            user_key.seal_with(b"db-password", iv).unwrap(),
            "2.EBESExQVFhcYGRobHB0eHw==|1zdeJ/hdKUwEADHS4nJnIA==|WykyjIIYiwRcguDgZEBhZDWtHbxiKc4XCxXSzmXXmfA="
        );
        let master = Kdf::Pbkdf2(600_000)
            .master_key("correct horse 42", "fixture.user@example.test")
            .unwrap();
        assert_eq!(
            SealKey::stretched(&master)
                .seal_with(user_key.bytes(), iv)
                .unwrap(),
            "2.EBESExQVFhcYGRobHB0eHw==|3ZzphQwBqJ80D9n7KS++cOPARrcmbfyTcXupjPuMc03uLBv5sUaANdyqfRfyNMYP5WGTDjZxQZigCqVqVC/c7xi5I7M6i5YtOS5DcOC/gFM=|ozEojNwQrgsAQ4eq/LA+f3que8a6BuZH32iWrYFUOcY="
        );
    }

    #[test]
    fn the_form_of_a_string_is_told() {
        let key = SealKey::generate().unwrap();
        assert!(is_sealed(&key.seal("").unwrap()));
        for text in ["", "plain", "2.a|b", "1.AAAA|AAAA|AAAA", "2.||", "9.AAAA"] {
            assert!(!is_sealed(text), "{text}");
        }
    }
}
