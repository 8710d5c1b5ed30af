//! Logging in with a personal API key, and opening the account's keys.
//!
//! `POST /connect/token` with `grant_type=client_credentials` (src/Identity of the server; Vaultwarden's
//! `src/api/identity.rs`). There is no refresh token for it: a token that ends is followed by another login.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use penstock_domain::ports::Offload as _;
use penstock_domain::secret::SecretValue;
use serde::Deserialize;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::document::{self, Unlock};
use super::error::BitwardenError;
use super::kdf::{DeriveKey, Kdf, Numbers, salt_of};
use crate::bitwarden_common::answer::{self, Rejection};
use crate::bitwarden_common::enc_string::{self, ReadEncString};
use crate::bitwarden_common::keys::{KeyLength, SymmetricKey};
use crate::bitwarden_common::logins;
use crate::bitwarden_common::requests::{self, token_request};
use crate::blocking::BlockingThread;
use crate::credential_hash::hash_of;
use crate::http::client::{HttpClient, Request, Response};
use crate::http::error::SendRequest;
use crate::session::{Grant, Issuer, Renewal, Token, lease};

const REFUSED: &str = "Check client id and client secret: Settings → Security → Keys → API key of the account; after a change of the master password or by \"Rotate API key\" it is another";
const INTERACTIVE: &str = "The server asks for more than an API key: check that client id and client secret are those of a personal API key";
const FRESH: &str = "A token that was given out a moment ago is refused: look at the server, and at what stands before it";

/// After a refused login nobody knocks again for so long: two a minute stay far below the server's limit of ten.
const AFTER_REFUSAL: Duration = Duration::from_secs(35);
/// The client that we say we are: Vaultwarden leaves SSH keys out for clients before 2024.12.
const CLIENT_VERSION: &str = "2025.12.0";
/// `LinuxDesktop` (src/Core/Enums/DeviceType.cs), which servers of every age know.
const DEVICE_TYPE: &str = "8";

/// Everything needed to log in.
pub(super) struct Login {
    pub(super) identity: HttpClient,
    pub(super) identity_address: String,
    pub(super) api: HttpClient,
    pub(super) client_id: SecretValue,
    pub(super) client_secret: SecretValue,
    pub(super) master_password: SecretValue,
    pub(super) unlocked: Mutex<Option<Arc<Unlocked>>>,
}

/// The keys of an account.
pub(super) struct Unlocked {
    /// Names what they were opened from.
    from: [u8; 32],
    pub(super) user_key: Arc<SymmetricKey>,
    /// PKCS#8, DER; why not, where it cannot be read. Only organisations need it.
    pub(super) private_key: Result<Zeroizing<Vec<u8>>, ReadEncString>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: Zeroizing<String>,
    expires_in: u64,
    token_type: String,
    #[serde(default, rename = "Key", alias = "key")]
    key: Option<String>,
    #[serde(default, rename = "PrivateKey", alias = "privateKey")]
    private_key: Option<String>,
    #[serde(default, rename = "Kdf", alias = "kdf")]
    kdf: Option<u64>,
    #[serde(default, rename = "KdfIterations", alias = "kdfIterations")]
    iterations: Option<u64>,
    #[serde(default, rename = "KdfMemory", alias = "kdfMemory")]
    memory: Option<u64>,
    #[serde(default, rename = "KdfParallelism", alias = "kdfParallelism")]
    parallelism: Option<u64>,
    #[serde(default, rename = "AccountKeys", alias = "accountKeys")]
    account_keys: Option<AccountKeys>,
    #[serde(
        default,
        rename = "UserDecryptionOptions",
        alias = "userDecryptionOptions"
    )]
    options: Option<DecryptionOptions>,
}

#[derive(Deserialize)]
struct AccountKeys {
    #[serde(
        default,
        rename = "publicKeyEncryptionKeyPair",
        alias = "PublicKeyEncryptionKeyPair"
    )]
    pair: Option<KeyPair>,
}

#[derive(Deserialize)]
struct KeyPair {
    #[serde(default, rename = "wrappedPrivateKey", alias = "WrappedPrivateKey")]
    wrapped_private_key: Option<String>,
}

#[derive(Deserialize)]
struct DecryptionOptions {
    #[serde(
        default,
        rename = "MasterPasswordUnlock",
        alias = "masterPasswordUnlock"
    )]
    unlock: Option<Unlock>,
}

/// What opens an account besides the password.
#[derive(Default)]
struct Wrapped {
    numbers: Option<Numbers>,
    salt: Option<String>,
    key: Option<String>,
    private_key: Option<String>,
}

impl Wrapped {
    /// Nested members first, then flat ones: newest servers leave the flat ones null.
    fn of(granted: Granted) -> Self {
        let unlock = granted.options.and_then(|options| options.unlock);
        let pair = granted.account_keys.and_then(|keys| keys.pair);
        let flat = granted.kdf.map(|kind| {
            let rest = (granted.iterations, granted.memory, granted.parallelism);
            (kind, rest.0, rest.1, rest.2)
        });
        let mut wrapped = Self::default();
        wrapped.take(unlock);
        wrapped.numbers = wrapped.numbers.or(flat);
        wrapped.key = wrapped.key.or(granted.key);
        wrapped.private_key = pair
            .and_then(|pair| pair.wrapped_private_key)
            .or(granted.private_key);
        wrapped
    }

    fn take(&mut self, unlock: Option<Unlock>) {
        if let Some(unlock) = unlock {
            self.numbers = self.numbers.or(Some(unlock.kdf.numbers()));
            self.salt = self.salt.take().or(unlock.salt);
            self.key = self.key.take().or(unlock.master_key_encrypted_user_key);
        }
    }

    fn is_whole(&self) -> bool {
        self.numbers.is_some() && self.salt.is_some() && self.key.is_some()
    }

    /// What older servers tell elsewhere.
    fn complete(&mut self, document: document::Document) {
        self.take(document.user_decryption.and_then(|user| user.unlock));
        let profile = document.profile;
        self.salt = self.salt.take().or(Some(salt_of(&profile.email)));
        self.key = self.key.take().or(profile.key);
        self.private_key = self.private_key.take().or(profile.private_key);
    }

    fn name(&self) -> [u8; 32] {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let parts = [
            format!("{:?}", self.numbers),
            text(&self.salt),
            text(&self.key),
            text(&self.private_key),
        ];
        hash_of(parts.iter().map(String::as_bytes))
    }
}

impl Login {
    /// The keys, after a login.
    pub(super) fn unlocked(&self) -> Option<Arc<Unlocked>> {
        self.unlocked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Drops the keys, which are zeroed with their last holder.
    pub(super) fn lock(&self) {
        self.unlocked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    /// Sends a request to the API; what is not an answer is an error.
    pub(super) async fn send(
        &self,
        request: Request,
        token: &SecretValue,
    ) -> Result<Response, BitwardenError> {
        let send = async {
            let request = request
                .header("bitwarden-client-name", "cli")?
                .header("bitwarden-client-version", CLIENT_VERSION)?
                .header("device-type", DEVICE_TYPE)?;
            requests::send(&self.api, request, Some(token)).await
        };
        send.await.map_err(|source| failed(&self.api, source))
    }

    /// What a refused token means that the server has just given out.
    pub(super) fn refused_token() -> BitwardenError {
        BitwardenError::LogIn { hint: FRESH }
    }

    async fn exchange(&self) -> Result<Granted, BitwardenError> {
        logins::take(&self.identity_address).map_err(|wait| BitwardenError::LoginPace { wait })?;
        let text = |value: &'static str, secret: &SecretValue| {
            secret
                .expose_text()
                .map(|text| Zeroizing::new(text.to_owned()))
                .ok_or(BitwardenError::LogIn { hint: value })
        };
        let (id, secret) = (
            text(REFUSED, &self.client_id)?,
            text(REFUSED, &self.client_secret)?,
        );
        let device = device_identifier(&self.client_id);
        let request = token_request(&[
            ("grant_type", "client_credentials"),
            ("scope", "api"),
            ("client_id", &id),
            ("client_secret", &secret),
            ("deviceType", DEVICE_TYPE),
            ("deviceIdentifier", &device),
            ("deviceName", "penstock"),
        ]);
        let send = async { requests::send(&self.identity, request?, None).await };
        let response = send
            .await
            .map_err(|source| failed(&self.identity, source))?;
        answer::granted(response.status.as_u16(), response.body())
            .and_then(answer::read::<Granted>)
            .and_then(believable)
            .map_err(|rejection| match rejection {
                Rejection::Credentials => BitwardenError::LogIn { hint: REFUSED },
                Rejection::Interactive => BitwardenError::LogIn { hint: INTERACTIVE },
                other => BitwardenError::read("the login", other, &response),
            })
    }

    /// Opens the account's keys, unless they are open already.
    async fn unlock(&self, wrapped: Wrapped) -> Result<(), BitwardenError> {
        let from = wrapped.name();
        if self
            .unlocked()
            .is_some_and(|unlocked| unlocked.from == from)
        {
            return Ok(());
        }
        let (Some(numbers), Some(salt), Some(key)) = (wrapped.numbers, wrapped.salt, wrapped.key)
        else {
            return Err(BitwardenError::Account {
                format: "the server names no key that a master password opens",
            });
        };
        let kdf = Kdf::of(numbers).map_err(BitwardenError::Derive)?;
        let (answer, answered) = oneshot::channel();
        let password = self.master_password.clone();
        let work = move || {
            // Whoever asked may be gone.
            drop(answer.send(open(kdf, &password, &salt, &key)));
        };
        BlockingThread::of_the_process().run(Box::new(work)).await;
        let user_key = answered
            .await
            .map_err(|_| BitwardenError::Derive(DeriveKey::Failed))??;
        let private_key = match &wrapped.private_key {
            Some(text) => enc_string::decrypt(text, &user_key),
            None => Err(ReadEncString::Malformed),
        };
        let unlocked = Arc::new(Unlocked {
            from,
            user_key: Arc::new(user_key),
            private_key,
        });
        *self.unlocked.lock().unwrap_or_else(PoisonError::into_inner) = Some(unlocked);
        Ok(())
    }
}

/// From the password to the key of the account. Takes its time.
fn open(
    kdf: Kdf,
    password: &SecretValue,
    salt: &str,
    key: &str,
) -> Result<SymmetricKey, BitwardenError> {
    let master = kdf
        .master_key(password, salt)
        .map_err(BitwardenError::Derive)?;
    let failed = |_| BitwardenError::Derive(DeriveKey::Failed);
    let user_key = match enc_string::decrypt(key, &SymmetricKey::stretch(&master).map_err(failed)?)
    {
        // Accounts of long ago: under the master key as it is, and without a mac.
        Err(ReadEncString::Unauthenticated) => {
            let plain =
                SymmetricKey::new(master).map_err(|_| BitwardenError::Derive(DeriveKey::Failed))?;
            enc_string::decrypt(key, &plain)
        }
        other => other,
    };
    let user_key = user_key.map_err(|error| match error {
        ReadEncString::Mac | ReadEncString::Decrypt => BitwardenError::MasterPassword,
        ReadEncString::Cose => VERSION_TWO,
        _ => BitwardenError::Account {
            format: "the account's key is wrapped in a way that is not read here",
        },
    })?;
    SymmetricKey::new(user_key).map_err(|length| match length {
        KeyLength::Cose => VERSION_TWO,
        _ => BitwardenError::Account {
            format: "the account's key has a length that no key has",
        },
    })
}

const VERSION_TWO: BitwardenError = BitwardenError::Account {
    format: "the account has version 2 of Bitwarden's encryption (COSE, type 7), which is not read here",
};

fn believable(granted: Granted) -> Result<Granted, Rejection> {
    if granted.token_type.eq_ignore_ascii_case("bearer") && !granted.access_token.is_empty() {
        Ok(granted)
    } else {
        Err(Rejection::Unbelievable(200))
    }
}

fn failed(http: &HttpClient, source: SendRequest) -> BitwardenError {
    BitwardenError::Send {
        host: http.host().to_owned(),
        source,
    }
}

/// One device for each API key: a new one at every start would mail the owner every time.
fn device_identifier(client_id: &SecretValue) -> String {
    let hash = hash_of([b"penstock device".as_slice(), client_id.expose()]);
    let mut bytes = [0; 16];
    for (byte, hashed) in bytes.iter_mut().zip(hash) {
        *byte = hashed;
    }
    // Version 8: made from whatever one likes (RFC 9562 §5.8).
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = penstock_domain::keys::hex(&bytes);
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
    [
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ]
    .join("-")
}

#[async_trait]
impl Issuer for Login {
    type Error = BitwardenError;

    async fn log_in(&self) -> Result<Grant, BitwardenError> {
        let granted = self.exchange().await?;
        let token = SecretValue::from(granted.access_token.as_str());
        let lease = lease(granted.expires_in);
        let mut wrapped = Wrapped::of(granted);
        if !wrapped.is_whole() {
            let response = self
                .send(
                    Request::get(["sync"]).query("excludeDomains", "true"),
                    &token,
                )
                .await?;
            let document = answer::good(response.status.as_u16(), response.body())
                .and_then(document::document)
                .map_err(|rejection| BitwardenError::read("the vault", rejection, &response))?;
            wrapped.complete(document);
        }
        self.unlock(wrapped).await?;
        Ok(Grant {
            token,
            lease,
            limit: None,
            renewable: false,
            uses: None,
        })
    }

    /// There is nothing to renew with.
    async fn renew(&self, _token: &Token) -> Renewal {
        Renewal::Ends
    }

    /// The server has no way to give back one token: it dies by itself within two hours.
    async fn revoke(&self, _token: &SecretValue) {}

    fn is_given(&self) -> bool {
        false
    }

    fn wait_after(&self, error: &BitwardenError) -> Duration {
        match error {
            BitwardenError::LoginPace { wait } => *wait,
            _ if error.blames_credentials() => AFTER_REFUSAL,
            BitwardenError::Account { .. } | BitwardenError::Derive(_) => AFTER_REFUSAL,
            // An outage: the pace of all logins holds, too.
            _ => Duration::from_secs(5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_one_identifier_for_ever() {
        let of = |id: &str| device_identifier(&SecretValue::from(id));
        assert_eq!(of("user.1"), of("user.1"));
        assert_ne!(of("user.1"), of("user.2"));
        let groups: Vec<_> = of("user.1").split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12]);
    }
}
