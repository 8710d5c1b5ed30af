//! Password hashes that come out the same each time.

use std::sync::Mutex;
use std::sync::PoisonError;

use zeroize::Zeroizing;

use crate::keys::InstallationKey;
use crate::names::SyncId;
use crate::render::derive::hmac_sha256;

/// The highest cost: about a quarter of a second (rule 11 of the design).
const MAX_COST: u32 = 12;
/// The lowest cost that the format knows; lower ones are for tests.
const MIN_COST: u32 = 4;
/// The cost where none is given.
pub(super) const DEFAULT_COST: u32 = 10;
/// Rounds that one rendering may spend: eight hashes of the highest cost, 32 of the usual one.
const MAX_ROUNDS: u64 = 8 << MAX_COST;
/// bcrypt looks at 72 bytes, one of them the end; more would be cut off silently.
const MAX_PASSWORD: usize = 71;

/// Why a password is not hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum HashPassword {
    /// The cost is out of bounds.
    #[error("the cost of bcrypt must be {MIN_COST} to {MAX_COST}")]
    Cost,
    /// bcrypt would ignore the rest.
    #[error("the password is longer than the {MAX_PASSWORD} bytes that bcrypt looks at")]
    TooLong,
    /// bcrypt would ignore what follows.
    #[error("the password holds a zero byte, where bcrypt stops")]
    ZeroByte,
    /// One rendering hashes too much.
    #[error("the templates of this sync hash more passwords than one rendering may")]
    Budget,
}

/// Hashes passwords with salts derived from the installation key.
pub(super) struct PasswordHasher {
    seed: Zeroizing<Vec<u8>>,
    rounds: Mutex<u64>,
}

impl PasswordHasher {
    /// A hasher for one rendering of one sync.
    pub(super) fn new(key: &InstallationKey, sync: &SyncId) -> Self {
        Self {
            seed: Zeroizing::new(key.salt(sync, "password-hash", 32)),
            rounds: Mutex::new(MAX_ROUNDS),
        }
    }

    /// The hash in the form `$2y$…`, which Apache, nginx and libxcrypt read. The salt depends on user and
    /// password, so that a new password has a new salt.
    pub(super) fn hash(
        &self,
        user: &str,
        password: &[u8],
        cost: u32,
    ) -> Result<String, HashPassword> {
        if !(MIN_COST..=MAX_COST).contains(&cost) {
            return Err(HashPassword::Cost);
        }
        if password.len() > MAX_PASSWORD {
            return Err(HashPassword::TooLong);
        }
        if password.contains(&0) {
            return Err(HashPassword::ZeroByte);
        }
        self.spend(1 << cost)?;
        let parts =
            ::bcrypt::non_truncating_hash_with_salt(password, cost, self.salt(user, password))
                .map_err(|_| HashPassword::TooLong)?;
        Ok(parts.format_for_version(::bcrypt::Version::TwoY))
    }

    fn salt(&self, user: &str, password: &[u8]) -> [u8; 16] {
        let length = (user.len() as u64).to_be_bytes();
        let message = Zeroizing::new([&length, user.as_bytes(), password].concat());
        let digest = hmac_sha256(&self.seed, &message);
        let mut salt = [0; 16];
        for (to, from) in salt.iter_mut().zip(digest.iter()) {
            *to = *from;
        }
        salt
    }

    fn spend(&self, rounds: u64) -> Result<(), HashPassword> {
        let mut left = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left.checked_sub(rounds).ok_or(HashPassword::Budget)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixtures::{installation_key, sync_id};

    fn hasher() -> PasswordHasher {
        PasswordHasher::new(&installation_key(1), &sync_id())
    }

    #[test]
    fn equal_input_gives_an_equal_hash_that_verifies() {
        let hash = hasher().hash("bob", b"hunter2", 4).unwrap();
        assert_eq!(hash, hasher().hash("bob", b"hunter2", 4).unwrap());
        assert!(hash.starts_with("$2y$04$"), "{hash}");
        assert!(::bcrypt::verify("hunter2", &hash).unwrap());
        let others = [
            hasher().hash("eve", b"hunter2", 4).unwrap(),
            hasher().hash("bob", b"hunter3", 4).unwrap(),
            PasswordHasher::new(&installation_key(2), &sync_id())
                .hash("bob", b"hunter2", 4)
                .unwrap(),
        ];
        for other in others {
            assert_ne!(salt_of(&other), salt_of(&hash));
        }
    }

    fn salt_of(hash: &str) -> String {
        hash.chars().skip(7).take(22).collect()
    }

    #[test]
    fn what_bcrypt_would_cut_or_cannot_pay_is_refused() {
        let cases: &[(&[u8], u32, HashPassword)] = &[
            (&[b'x'; 72], 4, HashPassword::TooLong),
            (b"a\0b", 4, HashPassword::ZeroByte),
            (b"x", 13, HashPassword::Cost),
            (b"x", 3, HashPassword::Cost),
        ];
        for (password, cost, expected) in cases {
            assert_eq!(hasher().hash("", password, *cost), Err(*expected));
        }
        assert!(hasher().hash("", &[b'x'; 71], 4).is_ok());
        let spent = hasher();
        spent.spend(MAX_ROUNDS - 31).unwrap();
        assert!(spent.hash("", b"x", 4).is_ok());
        assert_eq!(spent.hash("", b"x", 4), Err(HashPassword::Budget));
    }
}
