//! From a master password to a master key (sdk-internal, `keys/kdf.rs` and `keys/master_key.rs`).
//!
//! The numbers come from the server, so they have a floor, below which the server lies, and a ceiling, above which
//! it would cost too much.

use std::num::NonZeroU32;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::pbkdf2;
use penstock_domain::secret::SecretValue;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Bytes of a master key.
const LENGTH: usize = 32;
/// Rounds of PBKDF2: the floor is that of the clients, the ceiling that of the server.
const PBKDF2_ROUNDS: std::ops::RangeInclusive<u32> = 5_000..=2_000_000;
/// Rounds of Argon2id.
const ARGON2_ROUNDS: std::ops::RangeInclusive<u32> = 2..=10;
/// MiB of Argon2id.
const ARGON2_MEMORY: std::ops::RangeInclusive<u32> = 16..=1024;
/// Lanes of Argon2id.
const ARGON2_LANES: std::ops::RangeInclusive<u32> = 1..=16;

/// How a master key is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kdf {
    /// PBKDF2 with HMAC-SHA-256.
    Pbkdf2 { rounds: u32 },
    /// Argon2id, version 0x13.
    Argon2id {
        rounds: u32,
        memory: u32,
        lanes: u32,
    },
}

/// Why a master key is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeriveKey {
    /// A number of the server is beyond its bounds.
    #[error("the server names {what} for the master password that nobody should use")]
    Bounds {
        /// Which number.
        what: &'static str,
    },
    /// Another function than the two.
    #[error("the server names a key derivation (number {0}) that is not known here")]
    Unknown(u64),
    /// No memory, or a salt that is too short.
    #[error("the key derivation does not work out")]
    Failed,
}

/// What a server says about the derivation: type, iterations, memory in MiB, parallelism.
pub(super) type Numbers = (u64, Option<u64>, Option<u64>, Option<u64>);

impl Kdf {
    /// Checks what a server says.
    pub(super) fn of((kind, rounds, memory, lanes): Numbers) -> Result<Self, DeriveKey> {
        let within = |value: Option<u64>, range: std::ops::RangeInclusive<u32>, what| {
            let value = value.and_then(|value| u32::try_from(value).ok());
            value
                .filter(|value| range.contains(value))
                .ok_or(DeriveKey::Bounds { what })
        };
        match kind {
            0 => Ok(Self::Pbkdf2 {
                rounds: within(rounds, PBKDF2_ROUNDS, "a number of iterations")?,
            }),
            1 => Ok(Self::Argon2id {
                rounds: within(rounds, ARGON2_ROUNDS, "a number of iterations")?,
                memory: within(memory, ARGON2_MEMORY, "an amount of memory")?,
                lanes: within(lanes, ARGON2_LANES, "a number of lanes")?,
            }),
            other => Err(DeriveKey::Unknown(other)),
        }
    }

    /// Makes the master key. Takes its time: not on a thread that others wait for.
    pub(super) fn master_key(
        self,
        password: &SecretValue,
        salt: &str,
    ) -> Result<Zeroizing<Vec<u8>>, DeriveKey> {
        let mut key = Zeroizing::new(vec![0; LENGTH]);
        match self {
            Self::Pbkdf2 { rounds } => {
                let rounds = NonZeroU32::new(rounds).ok_or(DeriveKey::Failed)?;
                pbkdf2::derive(
                    pbkdf2::PBKDF2_HMAC_SHA256,
                    rounds,
                    salt.as_bytes(),
                    password.expose(),
                    &mut key,
                );
            }
            Self::Argon2id {
                rounds,
                memory,
                lanes,
            } => {
                let params = Params::new(memory * 1024, rounds, lanes, Some(LENGTH))
                    .map_err(|_| DeriveKey::Failed)?;
                Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                    .hash_password_into(
                        password.expose(),
                        &Sha256::digest(salt.as_bytes()),
                        &mut key,
                    )
                    .map_err(|_| DeriveKey::Failed)?;
            }
        }
        Ok(key)
    }
}

/// The salt where the server names none: the address, as the account was made with it.
pub(super) fn salt_of(email: &str) -> String {
    email.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    use super::*;
    use crate::bitwarden_common::enc_string;
    use crate::bitwarden_common::keys::SymmetricKey;

    const USER_KEY: &str = "2.EBESExQVFhcYGRobHB0eHw==|3ZzphQwBqJ80D9n7KS++cOPARrcmbfyTcXupjPuMc03uLBv5sUaANdyqfRfyNMYP5WGTDjZxQZigCqVqVC/c7xi5I7M6i5YtOS5DcOC/gFM=|ozEojNwQrgsAQ4eq/LA+f3que8a6BuZH32iWrYFUOcY=";

    fn base64(bytes: &[u8]) -> String {
        BASE64_STANDARD.encode(bytes)
    }

    #[test]
    fn both_functions_make_the_master_keys_of_the_vectors() {
        let password = SecretValue::from("correct horse 42");
        let salt = salt_of(" Fixture.User@Example.TEST ");
        assert_eq!(salt, "fixture.user@example.test");
        let pbkdf2 = Kdf::of((0, Some(600_000), None, None)).unwrap();
        let key = pbkdf2.master_key(&password, &salt).unwrap();
        assert_eq!(base64(&key), "8zXjCjk/9G1qmZL5DPYYb1fVbGYIWFb3WUzGM6mVlDA=");
        let stretched = SymmetricKey::stretch(&key).unwrap();
        assert_eq!(
            base64(stretched.bytes()),
            "bcKgp17ApCdK0hsAeVWElHwvos37mBieizaCkH7mSm2aBma2aUzpTa/mQmNANeg3Xkpjax1oo9TPUgjHnpJUSA=="
        );
        let user_key = enc_string::decrypt(USER_KEY, &stretched).unwrap();
        assert_eq!(*user_key, (0..=0x3f).collect::<Vec<u8>>());
        let argon2 = Kdf::of((1, Some(3), Some(64), Some(4))).unwrap();
        let key = argon2.master_key(&password, &salt).unwrap();
        assert_eq!(base64(&key), "aTN+zVMnNEZw9NfM4Iz/bwHyHjalLf6wQ0PHKTQcE5s=");
    }

    /// RFC 7914 §11.
    #[test]
    fn the_first_function_is_that_of_the_standard() {
        let kdf = Kdf::Pbkdf2 { rounds: 80_000 };
        let key = kdf
            .master_key(&SecretValue::from("Password"), "NaCl")
            .unwrap();
        assert_eq!(key[..8], [0x4d, 0xdc, 0xd8, 0xf6, 0x0b, 0x98, 0xbe, 0x21]);
    }

    #[test]
    fn numbers_of_the_server_have_floors_and_ceilings() {
        for numbers in [
            (0, Some(4_999), None, None),
            (0, Some(2_000_001), None, None),
            (0, Some(u64::MAX), None, None),
            (0, None, None, None),
            (1, Some(1), Some(64), Some(4)),
            (1, Some(11), Some(64), Some(4)),
            (1, Some(3), Some(15), Some(4)),
            (1, Some(3), Some(1025), Some(4)),
            (1, Some(3), Some(64), Some(0)),
            (1, Some(3), Some(64), Some(17)),
            (1, Some(3), None, Some(4)),
        ] {
            let refused = matches!(Kdf::of(numbers), Err(DeriveKey::Bounds { .. }));
            assert!(refused, "{numbers:?}");
        }
        assert_eq!(
            Kdf::of((2, Some(1), None, None)),
            Err(DeriveKey::Unknown(2))
        );
        assert!(Kdf::of((0, Some(5_000), None, None)).is_ok());
        assert!(Kdf::of((1, Some(2), Some(16), Some(1))).is_ok());
    }
}
