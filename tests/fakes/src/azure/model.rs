//! What the stand-in holds, and how it behaves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::jwt::seconds;
use crate::outage::Outage;

/// A secret.
#[derive(Debug, Clone, Default)]
pub struct Secret {
    /// Its name, in the case that it was made in.
    pub name: String,
    /// Its versions, the newest last.
    pub versions: Vec<Version>,
    /// Whether the vault keeps it for a certificate.
    pub managed: bool,
}

/// A version of a secret.
#[derive(Debug, Clone, Default)]
pub struct Version {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Its value.
    pub value: String,
    /// Its content type.
    pub content_type: Option<String>,
    /// Whether it may be read.
    pub enabled: bool,
    /// From when on it is valid; for information only.
    pub not_before: Option<i64>,
    /// Until when it is valid; for information only.
    pub expires: Option<i64>,
    /// When it was made.
    pub created: i64,
    /// When it was last changed.
    pub updated: i64,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A secret that was deleted.
#[derive(Debug, Clone)]
pub(super) struct Deleted {
    pub(super) secret: Secret,
    /// How often it is still being deleted when somebody looks.
    pub(super) being: u32,
}

/// An application of the directory.
#[derive(Debug, Clone, Default)]
pub struct Application {
    /// Its client secrets.
    pub secrets: BTreeSet<String>,
    /// Client secrets that have expired.
    pub expired: BTreeSet<String>,
    /// Public keys (DER) of its certificates, by the certificates' thumbprints: see [`thumbprints`].
    pub certificates: BTreeMap<String, Vec<u8>>,
    /// Tokens that its federated credentials take.
    pub federated: BTreeSet<String>,
}

/// What somebody may do in the vault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rights {
    /// Read values.
    pub get: bool,
    /// List names.
    pub list: bool,
    /// Write, delete, recover, purge.
    pub set: bool,
}

/// What a certificate (DER) is found by: its SHA-256 and its SHA-1, in base64url.
pub fn thumbprints(certificate: &[u8]) -> [String; 2] {
    use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    [&SHA256, &SHA1_FOR_LEGACY_USE_ONLY]
        .map(|algorithm| URL_SAFE_NO_PAD.encode(digest(algorithm, certificate)))
}

impl Rights {
    /// `Key Vault Secrets User`.
    pub fn reader() -> Self {
        Self {
            get: true,
            list: true,
            set: false,
        }
    }
}

/// How it behaves.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// What stands in the place of every answer.
    pub outage: Option<Outage>,
    /// Every request is one too many; what is told is the wait in seconds, if any.
    pub throttle: Option<Option<u64>>,
    /// How long a token lives, in seconds.
    pub ttl: u64,
    /// The most secrets of one page.
    pub page: usize,
    /// Where the next page is said to be.
    pub link: Option<String>,
    /// The authority that challenges name, if not the own.
    pub challenge: Option<String>,
    /// The vault takes none of the tokens that the authority gives out.
    pub dead_on_arrival: bool,
    /// How often a deleted secret is still being deleted when somebody looks.
    pub slow_delete: u32,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            outage: None,
            throttle: None,
            ttl: 3599,
            page: 25,
            link: None,
            challenge: None,
            dead_on_arrival: false,
            slow_delete: 1,
        }
    }
}

/// All of it.
#[derive(Debug)]
pub struct Model {
    /// Where it is reached.
    pub address: String,
    /// The directory's id.
    pub tenant: String,
    /// Whom tokens are for.
    pub resource: String,
    /// The applications, by client id.
    pub applications: BTreeMap<String, Application>,
    /// What each may do.
    pub rights: BTreeMap<String, Rights>,
    /// The client id of the managed identity that the metadata service gives out.
    pub attached: Option<String>,
    /// How it behaves.
    pub behaviour: Behaviour,
    /// By their names in lower case.
    pub secrets: BTreeMap<String, Secret>,
    pub(super) deleted: BTreeMap<String, Deleted>,
    tokens: BTreeMap<String, (String, Instant)>,
    issued: u64,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            address: String::new(),
            tenant: "00000000-0000-4000-8000-0000000000aa".to_owned(),
            resource: "https://vault.azure.net".to_owned(),
            applications: BTreeMap::new(),
            rights: BTreeMap::new(),
            attached: None,
            behaviour: Behaviour::default(),
            secrets: BTreeMap::new(),
            deleted: BTreeMap::new(),
            tokens: BTreeMap::new(),
            issued: 0,
        }
    }
}

impl Model {
    /// Adds a version to a secret, which is made where it does not exist; it was changed a minute ago.
    pub fn put(&mut self, name: &str, value: &str) -> &mut Version {
        let then = seconds() - 60;
        let version = Version {
            id: self.new_id(),
            value: value.to_owned(),
            enabled: true,
            created: then,
            updated: then,
            ..Version::default()
        };
        self.add(name, version)
    }

    /// Adds a version as it is.
    pub(super) fn add(&mut self, name: &str, version: Version) -> &mut Version {
        let secret = self.secrets.entry(name.to_ascii_lowercase());
        let secret = secret.or_insert_with(|| Secret {
            name: name.to_owned(),
            ..Secret::default()
        });
        secret.versions.push(version);
        let newest = secret.versions.len() - 1;
        &mut secret.versions[newest]
    }

    /// The newest version of a secret that exists.
    ///
    /// # Panics
    ///
    /// Where it does not.
    #[expect(
        clippy::expect_used,
        reason = "for tests, which know what they have put"
    )]
    pub fn newest(&mut self, name: &str) -> &mut Version {
        let secret = self.secrets.get_mut(&name.to_ascii_lowercase());
        let version = secret.and_then(|secret| secret.versions.last_mut());
        version.expect("the secret has been put")
    }

    /// Takes back every token.
    pub fn revoke_all(&mut self) {
        self.tokens.clear();
    }

    pub(super) fn new_id(&mut self) -> String {
        self.issued += 1;
        format!("{:032x}", 0x00c0_ffee_0000 + self.issued)
    }

    /// A new token for somebody.
    pub(super) fn issue(&mut self, client: &str) -> String {
        self.issued += 1;
        let token = format!("ey.fake.{}", self.issued);
        let until = Instant::now() + Duration::from_secs(self.behaviour.ttl);
        self.tokens
            .insert(token.clone(), (client.to_owned(), until));
        token
    }

    /// Whose token it is, while it lives.
    pub(super) fn holder(&self, token: &str) -> Option<String> {
        let (client, until) = self.tokens.get(token)?;
        let alive = *until > Instant::now() && !self.behaviour.dead_on_arrival;
        alive.then(|| client.clone())
    }
}
