//! What the stand-in holds, and how it behaves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::outage::Outage;

/// Where secrets lie.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The project's id.
    pub project: String,
    /// The location of regional secrets.
    pub location: Option<String>,
}

impl Place {
    /// Global secrets of a project.
    pub fn global(project: &str) -> Self {
        Self {
            project: project.to_owned(),
            location: None,
        }
    }

    /// Secrets of a project in one location.
    pub fn regional(project: &str, location: &str) -> Self {
        Self {
            project: project.to_owned(),
            location: Some(location.to_owned()),
        }
    }

    /// What answers call it: projects are told by their number.
    pub(super) fn name(&self) -> String {
        match &self.location {
            None => format!("projects/{}", Self::NUMBER),
            Some(location) => format!("projects/{}/locations/{location}", Self::NUMBER),
        }
    }

    const NUMBER: u64 = 123_456_789_012;
}

/// A secret.
#[derive(Debug, Clone, Default)]
pub struct Secret {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Aliases of versions.
    pub aliases: BTreeMap<String, usize>,
    /// Its versions; the first has the number 1.
    pub versions: Vec<Version>,
    /// Counts changes, for the etag.
    pub generation: u64,
}

/// A version of a secret.
#[derive(Debug, Clone)]
pub struct Version {
    /// Its bytes.
    pub data: Vec<u8>,
    /// Its state.
    pub state: State,
}

/// The state of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It can be accessed.
    Enabled,
    /// It cannot, until it is enabled.
    Disabled,
    /// It never can again.
    Destroyed,
}

/// What somebody may do.
#[derive(Debug, Clone, Default)]
pub struct Grant {
    /// List secrets and versions, and look at them.
    pub view: bool,
    /// Access values of these secrets; `*` is all.
    pub access: BTreeSet<String>,
    /// Change everything.
    pub admin: bool,
}

impl Grant {
    /// `roles/secretmanager.secretAccessor` and `roles/secretmanager.viewer` on the project.
    pub fn reader() -> Self {
        Self {
            view: true,
            access: ["*".to_owned()].into(),
            admin: false,
        }
    }
}

/// A service account.
#[derive(Debug, Clone, Default)]
pub struct ServiceAccount {
    /// Public keys (DER) by their id.
    pub keys: BTreeMap<String, Vec<u8>>,
    /// Who may impersonate it.
    pub impersonators: BTreeSet<String>,
}

/// A person who has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The client that asked.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// What it got.
    pub refresh_token: String,
}

/// A provider of a workload identity pool.
#[derive(Debug, Clone, Default)]
pub struct Provider {
    /// The tokens that it believes, and whose they are.
    pub tokens: BTreeMap<String, String>,
}

/// How it behaves.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent ways to misbehave"
)]
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
    /// Payloads lose their last byte on the way, their checksums do not.
    pub damage: bool,
    /// Payloads have no checksum.
    pub no_checksums: bool,
    /// The same page follows for ever.
    pub endless: bool,
    /// The API is not enabled in the project.
    pub api_disabled: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            outage: None,
            throttle: None,
            ttl: 3599,
            page: 25_000,
            damage: false,
            no_checksums: false,
            endless: false,
            api_disabled: false,
        }
    }
}

/// All of it.
#[derive(Debug, Default)]
pub struct Model {
    /// The secrets, by their ids.
    pub secrets: BTreeMap<Place, BTreeMap<String, Secret>>,
    /// Service accounts, by their addresses.
    pub accounts: BTreeMap<String, ServiceAccount>,
    /// People, by their addresses.
    pub users: BTreeMap<String, User>,
    /// Providers of workload identity pools, by audience.
    pub providers: BTreeMap<String, Provider>,
    /// What everybody may do.
    pub grants: BTreeMap<String, Grant>,
    /// Whose token the metadata server gives out.
    pub attached: Option<String>,
    /// How it behaves.
    pub behaviour: Behaviour,
    tokens: BTreeMap<String, (String, Instant)>,
    issued: u64,
}

impl Model {
    /// Adds a version to a secret, which is made where it does not exist.
    pub fn put(&mut self, place: &Place, id: &str, value: impl AsRef<[u8]>) {
        let secrets = self.secrets.entry(place.clone()).or_default();
        let secret = secrets.entry(id.to_owned()).or_default();
        secret.generation += 1;
        secret.versions.push(Version {
            data: value.as_ref().to_vec(),
            state: State::Enabled,
        });
    }

    /// A secret that exists.
    ///
    /// # Panics
    ///
    /// Where it does not.
    #[expect(
        clippy::expect_used,
        reason = "for tests, which know what they have put"
    )]
    pub fn secret(&mut self, place: &Place, id: &str) -> &mut Secret {
        let secrets = self.secrets.get_mut(place);
        let secret = secrets.and_then(|secrets| secrets.get_mut(id));
        secret.expect("the secret has been put")
    }

    /// Takes back every token.
    pub fn revoke_all(&mut self) {
        self.tokens.clear();
    }

    /// A new token for somebody.
    pub(super) fn issue(&mut self, principal: &str) -> String {
        self.issued += 1;
        let token = format!("ya29.fake-{}", self.issued);
        let until = Instant::now() + Duration::from_secs(self.behaviour.ttl);
        self.tokens
            .insert(token.clone(), (principal.to_owned(), until));
        token
    }

    /// Whose token it is, while it lives.
    pub(super) fn holder(&self, token: &str) -> Option<String> {
        let (principal, until) = self.tokens.get(token)?;
        (*until > Instant::now()).then(|| principal.clone())
    }
}
