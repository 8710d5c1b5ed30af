//! `spec.provider.ssh`, read and checked.

use std::sync::Arc;
use std::time::Duration;

use penstock_domain::api::ssh::SshProvider;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{Credentials, StoreObject};
use russh::keys::{Algorithm, PrivateKey, PublicKey};

use super::error::SshError;
use crate::credential_hash::hash_of;
use crate::settings::{Named, ReadSettings};

/// The port of SSH.
const PORT: u16 = 22;
/// The most keys that may be pinned.
const MAX_HOST_KEYS: usize = 8;
/// The largest private key: one of 16384 bits has 13 KB.
const MAX_KEY_BYTES: usize = 32 * 1024;

/// What one store says.
pub(super) struct Settings {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    /// The host shows one of these, or is not talked to.
    pub(super) host_keys: Vec<PublicKey>,
    pub(super) private_key: Arc<PrivateKey>,
    /// Where paths start; none is where the user lands.
    pub(super) folder: Option<String>,
    /// How long one answer may take.
    pub(super) patience: Duration,
    pub(super) credential_hash: [u8; 32],
}

impl Settings {
    /// Reads them, and fetches the private key.
    pub(super) async fn read(
        store: &StoreObject,
        provider: &SshProvider,
        credentials: &dyn Credentials,
    ) -> Result<Self, SshError> {
        Self::try_read(store, provider, credentials)
            .await
            .map_err(SshError::Settings)
    }

    async fn try_read(
        store: &StoreObject,
        provider: &SshProvider,
        credentials: &dyn Credentials,
    ) -> Result<Self, ReadSettings> {
        let named = Named::of(store, credentials)?;
        let word = |field, text: &str| {
            let unusual = |letter: char| letter.is_control() || letter.is_whitespace();
            if text.is_empty() || text.chars().any(unusual) {
                return Err(ReadSettings::field(field, "is empty, or holds blanks"));
            }
            Ok(text.to_owned())
        };
        let (host, user) = (word("host", &provider.host)?, word("user", &provider.user)?);
        if host.contains(['/', '@', '[', ']']) {
            let message = "is a name or an address alone: user and port have fields of their own";
            return Err(ReadSettings::field("host", message));
        }
        let port = provider.port.unwrap_or(PORT);
        if port == 0 {
            return Err(ReadSettings::field("port", "is 1 to 65535"));
        }
        let folder = provider.folder.clone();
        if folder
            .iter()
            .any(|folder| folder.is_empty() || folder.contains(char::is_control))
        {
            let message = "is empty, or holds control characters";
            return Err(ReadSettings::field("folder", message));
        }
        let host_keys = host_keys(&provider.host_keys)?;
        let secret = named
            .secret("privateKeyRef", &provider.private_key_ref)
            .await?;
        let private_key = private_key(&secret)?;
        Ok(Self {
            credential_hash: hash_of([host.as_bytes(), user.as_bytes(), secret.expose()]),
            host,
            port,
            user,
            host_keys,
            private_key: Arc::new(private_key),
            folder,
            patience: store.limits.timeout,
        })
    }

    /// The algorithms of the keys that are pinned: those that the host is asked for.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        self.host_keys.iter().map(PublicKey::algorithm).collect()
    }
}

/// The keys that are pinned: at least one, because there is no first contact that would be believed.
fn host_keys(texts: &[String]) -> Result<Vec<PublicKey>, ReadSettings> {
    let wrong = |message: String| ReadSettings::field("hostKeys", message);
    if texts.is_empty() || texts.len() > MAX_HOST_KEYS {
        return Err(wrong(format!(
            "names no key, or more than {MAX_HOST_KEYS}: put in what `cat /etc/ssh/ssh_host_ed25519_key.pub` shows \
             on the host"
        )));
    }
    let read = |(at, text): (usize, &String)| {
        let key = PublicKey::from_openssh(text.trim()).map_err(|_| {
            wrong(format!(
                "[{at}] is no public key: write `ssh-ed25519 AAAA…`, without the host's name in front"
            ))
        })?;
        if is_spoken(&key.algorithm()) {
            Ok(key)
        } else {
            Err(wrong(format!(
                "[{at}] is of a kind that is not supported: pin the host's Ed25519 or ECDSA key"
            )))
        }
    };
    texts.iter().enumerate().map(read).collect()
}

fn is_spoken(algorithm: &Algorithm) -> bool {
    matches!(algorithm, Algorithm::Ed25519 | Algorithm::Ecdsa { .. })
}

fn private_key(secret: &SecretValue) -> Result<PrivateKey, ReadSettings> {
    let wrong = |message: &str| ReadSettings::field("privateKeyRef", message);
    let form = "names no private key in OpenSSH form: it begins with `-----BEGIN OPENSSH PRIVATE KEY-----` and keeps \
                its line breaks (`ssh-keygen -p -f FILE` writes a key in this form)";
    let text = secret
        .expose_text()
        .filter(|text| text.len() <= MAX_KEY_BYTES)
        .ok_or_else(|| wrong(form))?;
    // Stores and forms lose the last line break, or add carriage returns.
    let text = zeroize::Zeroizing::new(format!("{}\n", text.trim().replace('\r', "")));
    let key = PrivateKey::from_openssh(text.as_bytes()).map_err(|_| wrong(form))?;
    if key.is_encrypted() {
        return Err(wrong(
            "names a key with a passphrase: take it off with `ssh-keygen -p -N '' -f FILE`, and let the store of the \
             key protect it",
        ));
    }
    if is_spoken(&key.algorithm()) {
        Ok(key)
    } else {
        Err(wrong(
            "names a key of a kind that is not supported: make one with `ssh-keygen -t ed25519`",
        ))
    }
}
