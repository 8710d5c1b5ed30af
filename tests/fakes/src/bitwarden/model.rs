//! What a Bitwarden holds, and how it behaves.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::ids::uuid_of;
use crate::outage::Outage;
use crate::sealing::Kdf;

/// Everything.
#[derive(Default)]
pub struct Model {
    /// Accounts by their ids.
    pub accounts: BTreeMap<String, Account>,
    /// Organisations by their ids.
    pub organizations: BTreeMap<String, Organization>,
    /// Folders by their ids.
    pub folders: BTreeMap<String, Folder>,
    /// Collections by their ids.
    pub collections: BTreeMap<String, Collection>,
    /// Items by their ids.
    pub ciphers: BTreeMap<String, StoredCipher>,
    /// How it behaves.
    pub behaviour: Behaviour,
    pub(super) tokens: BTreeMap<String, Token>,
    pub(super) logins: VecDeque<Instant>,
    count: u64,
    clock: i64,
}

/// An account, as the server knows it: wrapped keys, and the hash of a hash.
#[derive(Clone)]
pub struct Account {
    /// The address.
    pub email: String,
    /// The secret of its API key; the id is `user.` and the account's id.
    pub client_secret: String,
    /// How the master key is made.
    pub kdf: Kdf,
    /// The user key under the stretched master key.
    pub key: String,
    /// The private key under the user key.
    pub private_key: String,
    /// The public key, DER in base64.
    pub public_key: String,
    /// Changes with password and keys.
    pub security_stamp: String,
    /// Milliseconds of the epoch; grows with whatever it may see.
    pub revision: i64,
    /// Organisations by id, with their keys under the account's public key.
    pub organizations: BTreeMap<String, String>,
}

/// An organisation.
#[derive(Clone)]
pub struct Organization {
    /// In the clear.
    pub name: String,
    /// Whether its subscription lives.
    pub enabled: bool,
}

/// A folder.
#[derive(Clone)]
pub struct Folder {
    /// Whose.
    pub account: String,
    /// Under the user key.
    pub name: String,
}

/// A collection.
#[derive(Clone)]
pub struct Collection {
    /// Whose.
    pub organization: String,
    /// Under the organisation's key.
    pub name: String,
}

/// An item.
#[derive(Clone, Default)]
pub struct StoredCipher {
    /// The account, where it is personal.
    pub account: Option<String>,
    /// The organisation, where it is shared.
    pub organization: Option<String>,
    /// Its collections.
    pub collections: BTreeSet<String>,
    /// Its folder, for each account.
    pub folders: BTreeMap<String, String>,
    /// Everything that clients send: type, name, login …
    pub data: Map<String, Value>,
    /// When it was made.
    pub created: String,
    /// When it was last changed.
    pub revised: String,
    /// When it was put into the bin.
    pub deleted: Option<String>,
}

/// Whose server it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Flavour {
    /// Bitwarden's own.
    #[default]
    Official,
    /// Vaultwarden.
    Vaultwarden,
}

/// How it behaves.
#[expect(clippy::struct_excessive_bools, reason = "independent ways to behave")]
#[derive(Default)]
pub struct Behaviour {
    /// Whose server it is.
    pub flavour: Flavour,
    /// Members begin with capital letters, as older servers have them.
    pub capitals: bool,
    /// Keys are told by `/sync` only, as very old servers do.
    pub keys_in_sync_only: bool,
    /// The login tells nested members only, as newest servers do.
    pub nested_only: bool,
    /// Seconds that a token lives; 0 is the server's usual.
    pub lifetime: u64,
    /// Every request is throttled, for so many seconds.
    pub throttle: Option<u64>,
    /// Whether a throttled answer names the time in the header.
    pub silent_throttle: bool,
    /// The login asks for a second factor.
    pub two_factor: bool,
    /// Something is wrong.
    pub outage: Option<Outage>,
}

pub(super) struct Token {
    pub(super) account: String,
    pub(super) expires: Instant,
}

impl Model {
    /// A new id: the same in every run.
    pub fn id(&mut self, kind: &str) -> String {
        self.count += 1;
        id_of(kind, self.count)
    }

    /// The time, in milliseconds of the epoch: later than whenever it was asked before.
    pub fn now(&mut self) -> i64 {
        self.clock = Timestamp::now().as_millisecond().max(self.clock + 1);
        self.clock
    }

    /// The time as the server writes it, with seven digits.
    pub fn date(&mut self) -> String {
        let now = self.now();
        match Timestamp::from_millisecond(now) {
            Ok(time) => format!("{time:.7}"),
            Err(_) => String::new(),
        }
    }

    /// Something changed that these accounts may see.
    pub fn changed(&mut self, account: Option<&str>, organization: Option<&str>) {
        let now = self.now();
        for (id, known) in &mut self.accounts {
            let sees = account == Some(id)
                || organization.is_some_and(|it| known.organizations.contains_key(it));
            if sees {
                known.revision = now;
            }
        }
    }

    /// Every token dies.
    pub fn revoke_all(&mut self) {
        self.tokens.clear();
    }

    /// The account that a token was given to.
    pub(super) fn account_of(&self, token: &str) -> Option<String> {
        let token = self.tokens.get(token)?;
        (Instant::now() < token.expires).then(|| token.account.clone())
    }

    pub(super) fn lifetime(&self) -> Duration {
        Duration::from_secs(match (self.behaviour.lifetime, self.behaviour.flavour) {
            (0, Flavour::Official) => 3600,
            (0, Flavour::Vaultwarden) => 7200,
            (seconds, _) => seconds,
        })
    }
}

impl StoredCipher {
    /// Whether an account may see it.
    pub(super) fn is_seen_by(&self, id: &str, account: &Account) -> bool {
        match (&self.account, &self.organization) {
            (_, Some(organization)) => account.organizations.contains_key(organization),
            (Some(owner), None) => owner == id,
            (None, None) => false,
        }
    }
}

fn id_of(kind: &str, number: u64) -> String {
    uuid_of(&format!("{kind} {number}"))
}
