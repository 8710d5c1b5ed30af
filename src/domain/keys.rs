//! The installation key and everything that is derived from it: hashes, salts, seals.
//!
//! Each use has a subkey of its own (HKDF-SHA-256, RFC 5869), named by purpose and namespace, so that
//! a hash of one tenant says nothing about another's and no subkey opens what another sealed.
//! Every hash carries the key's id: under a new key contents are compared instead, and nothing restarts.

use std::fmt::{self, Write as _};

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::names::{Key, NamespaceName, SyncId, TargetName};
use crate::secret::SecretValue;

/// Length of the installation key in bytes.
pub const KEY_LENGTH: usize = 32;

/// Length of an XChaCha20 nonce in bytes (draft-irtf-cfrg-xchacha).
const NONCE_LENGTH: usize = 24;

/// The key that one installation makes once and keeps: see design decision 7 in the crate's page.
pub struct InstallationKey {
    secret: Zeroizing<[u8; KEY_LENGTH]>,
    installation: InstallationId,
    id: KeyId,
}

/// A random name of one installation, without any secret in it; part of every owner tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InstallationId(String);

impl InstallationId {
    /// Takes 8 to 40 lower case letters, digits and hyphens.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let good = (8..=40).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        good.then_some(Self(text))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names an installation key without revealing it: eight hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyId(String);

impl KeyId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One content of a bundle, named by a keyed hash: `<key id>-<16 hexadecimal digits>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Revision(String);

impl Revision {
    /// Reads a revision back from status or a record. No check: an unknown text equals no revision.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The revision as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this revision was named under the key `id`.
    pub fn is_of(&self, id: &KeyId) -> bool {
        self.0
            .strip_prefix(id.as_str())
            .is_some_and(|rest| rest.starts_with('-'))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Keyed hash of one value at one place: 32 hexadecimal digits. Safe to store and to log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ContentHash(String);

impl ContentHash {
    /// The hash as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A sealed text could not be opened: another key, another place, or altered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot open a sealed record: it was made under another key, for another place, or altered"
)]
pub struct OpenSeal;

impl InstallationKey {
    /// Takes key material and the installation's id.
    pub fn new(secret: [u8; KEY_LENGTH], installation: InstallationId) -> Self {
        let secret = Zeroizing::new(secret);
        let id = KeyId(hex(&subkey(&secret, "key-id", "", 4)));
        Self {
            secret,
            installation,
            id,
        }
    }

    /// The installation's id.
    pub fn installation(&self) -> &InstallationId {
        &self.installation
    }

    /// The key's id.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// Hash of one value as it stands under `key` at one target of one sync. Bound to all of them,
    /// so that equal values at two places have different hashes.
    pub fn content_hash(
        &self,
        sync: &SyncId,
        target: &TargetName,
        key: &Key,
        value: &SecretValue,
    ) -> ContentHash {
        let mut mac = self.mac("content", &sync.namespace);
        for part in [sync.name.as_str(), target.as_str(), key.as_str()] {
            absorb(&mut mac, part.as_bytes());
        }
        absorb(&mut mac, value.expose());
        ContentHash(finish(mac, 16))
    }

    /// Names the content of a whole bundle. Keys must come in one order (a `BTreeMap` gives it).
    pub fn revision<'a>(
        &self,
        sync: &SyncId,
        entries: impl IntoIterator<Item = (&'a Key, &'a SecretValue)>,
    ) -> Revision {
        let mut mac = self.mac("revision", &sync.namespace);
        absorb(&mut mac, sync.name.as_str().as_bytes());
        for (key, value) in entries {
            absorb(&mut mac, key.as_str().as_bytes());
            absorb(&mut mac, value.expose());
        }
        Revision(format!("{}-{}", self.id.0, finish(mac, 8)))
    }

    /// Hash over named hashes or other public texts, for markers and plan hashes: `length` bytes, hexadecimal.
    pub fn fingerprint<'a>(
        &self,
        purpose: &str,
        sync: &SyncId,
        parts: impl IntoIterator<Item = &'a str>,
        length: usize,
    ) -> String {
        let mut mac = self.mac(purpose, &sync.namespace);
        absorb(&mut mac, sync.name.as_str().as_bytes());
        for part in parts {
            absorb(&mut mac, part.as_bytes());
        }
        finish(mac, length)
    }

    /// A salt that is always the same for one purpose, sync and label: rendering stays deterministic.
    pub fn salt(&self, sync: &SyncId, label: &str, length: usize) -> Vec<u8> {
        let info = format!("{sync}/{label}");
        subkey(&self.secret, "salt", &info, length)
    }

    /// Seals `plain` for one place. The nonce is derived from key, place and text, so that sealing the
    /// same text twice gives the same bytes and no randomness is needed; equal texts at one place are
    /// the only thing this shows.
    pub fn seal(&self, sync: &SyncId, place: &str, plain: &[u8]) -> Result<Vec<u8>, OpenSeal> {
        let aad = format!("{sync}/{place}");
        let mut mac = self.mac("seal-nonce", &sync.namespace);
        absorb(&mut mac, aad.as_bytes());
        absorb(&mut mac, plain);
        let digest = mac.finalize().into_bytes();
        let nonce: [u8; NONCE_LENGTH] = digest
            .get(..NONCE_LENGTH)
            .and_then(|part| part.try_into().ok())
            .ok_or(OpenSeal)?;
        let sealed = self
            .cipher(&sync.namespace)?
            .encrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: plain,
                    aad: aad.as_bytes(),
                },
            )
            .map_err(|_| OpenSeal)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what [`Self::seal`] made for the same place.
    pub fn open(
        &self,
        sync: &SyncId,
        place: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, OpenSeal> {
        let aad = format!("{sync}/{place}");
        let (nonce, text) = sealed.split_at_checked(NONCE_LENGTH).ok_or(OpenSeal)?;
        let nonce: [u8; NONCE_LENGTH] = nonce.try_into().map_err(|_| OpenSeal)?;
        self.cipher(&sync.namespace)?
            .decrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: text,
                    aad: aad.as_bytes(),
                },
            )
            .map(Zeroizing::new)
            .map_err(|_| OpenSeal)
    }

    fn cipher(&self, namespace: &NamespaceName) -> Result<XChaCha20Poly1305, OpenSeal> {
        let key = Zeroizing::new(subkey(&self.secret, "seal", namespace.as_str(), KEY_LENGTH));
        XChaCha20Poly1305::new_from_slice(&key).map_err(|_| OpenSeal)
    }

    fn mac(&self, purpose: &str, namespace: &NamespaceName) -> Hmac<Sha256> {
        let key = Zeroizing::new(subkey(
            &self.secret,
            purpose,
            namespace.as_str(),
            KEY_LENGTH,
        ));
        new_mac(&key)
    }
}

impl fmt::Debug for InstallationKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "InstallationKey({})", self.id.0)
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn new_mac(key: &[u8]) -> Hmac<Sha256> {
    <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("any key length is good")
}

#[expect(
    clippy::expect_used,
    reason = "HKDF-SHA-256 gives up to 8160 bytes; callers ask for at most 64"
)]
fn subkey(secret: &[u8; KEY_LENGTH], purpose: &str, scope: &str, length: usize) -> Vec<u8> {
    let info = format!("penstock/v1/{purpose}/{scope}");
    let mut out = vec![0; length];
    Hkdf::<Sha256>::new(None, secret)
        .expand(info.as_bytes(), &mut out)
        .expect("short output");
    out
}

/// Every part is preceded by its length, so that no two lists of parts look the same.
fn absorb(mac: &mut Hmac<Sha256>, part: &[u8]) {
    mac.update(&(part.len() as u64).to_be_bytes());
    mac.update(part);
}

fn finish(mac: Hmac<Sha256>, length: usize) -> String {
    let bytes = mac.finalize().into_bytes();
    hex(bytes.get(..length).unwrap_or(&bytes))
}

/// A short digest of a public text (a name), for names that would be too long: ten hexadecimal digits.
pub fn public_digest(text: &str) -> String {
    use sha2::Digest as _;
    let digest = Sha256::digest(text);
    hex(digest.get(..5).unwrap_or(&digest))
}

/// Lower case hexadecimal digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::ObjectName;

    fn key(seed: u8) -> InstallationKey {
        InstallationKey::new(
            [seed; KEY_LENGTH],
            InstallationId::new("test-installation").unwrap(),
        )
    }

    fn sync(namespace: &str, name: &str) -> SyncId {
        SyncId {
            namespace: NamespaceName::new(namespace).unwrap(),
            name: ObjectName::new(name).unwrap(),
        }
    }

    #[test]
    fn a_hash_is_bound_to_namespace_name_target_key_value_and_installation() {
        let target = |name| TargetName::new(name).unwrap();
        let name = |text| Key::new(text).unwrap();
        let value = SecretValue::from("v");
        let hash = |seed, ns, sync_name, t, k, v: &SecretValue| {
            key(seed).content_hash(&sync(ns, sync_name), &target(t), &name(k), v)
        };
        let base = hash(1, "a", "s", "t", "k", &value);
        assert_eq!(base, hash(1, "a", "s", "t", "k", &value));
        for other in [
            hash(2, "a", "s", "t", "k", &value),
            hash(1, "b", "s", "t", "k", &value),
            hash(1, "a", "x", "t", "k", &value),
            hash(1, "a", "s", "x", "k", &value),
            hash(1, "a", "s", "t", "x", &value),
            hash(1, "a", "s", "t", "k", &SecretValue::from("x")),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn a_seal_opens_only_at_its_place_under_its_key_and_unaltered() {
        let id = sync("a", "s");
        let sealed = key(1).seal(&id, "record/7", b"content").unwrap();
        assert_eq!(
            key(1).open(&id, "record/7", &sealed).unwrap().as_slice(),
            b"content"
        );
        assert_eq!(
            key(1).seal(&id, "record/7", b"content").unwrap(),
            sealed,
            "deterministic"
        );
        assert!(key(2).open(&id, "record/7", &sealed).is_err());
        assert!(key(1).open(&sync("b", "s"), "record/7", &sealed).is_err());
        assert!(key(1).open(&id, "record/8", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(key(1).open(&id, "record/7", &altered).is_err(), "byte {at}");
        }
        assert!(key(1).open(&id, "record/7", b"short").is_err());
    }

    #[test]
    fn two_lists_of_parts_never_share_a_revision() {
        let id = sync("a", "s");
        let (ab, c, a, bc) = (
            Key::new("ab").unwrap(),
            SecretValue::from("c"),
            Key::new("a").unwrap(),
            SecretValue::from("bc"),
        );
        assert_ne!(
            key(1).revision(&id, [(&ab, &c)]),
            key(1).revision(&id, [(&a, &bc)])
        );
        assert!(key(1).revision(&id, [(&ab, &c)]).is_of(key(1).id()));
        assert!(!key(1).revision(&id, [(&ab, &c)]).is_of(key(2).id()));
    }
}
