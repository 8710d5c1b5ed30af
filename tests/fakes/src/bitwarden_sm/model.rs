//! What a Secrets Manager holds, and how it behaves.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::ids::uuid_of;
use crate::outage::Outage;

/// One organisation, and everything in it.
#[derive(Default)]
pub struct Model {
    /// The organisation's id.
    pub organization: String,
    /// Projects by their ids; names are ciphertext.
    pub projects: BTreeMap<String, Project>,
    /// Secrets by their ids.
    pub secrets: BTreeMap<String, Secret>,
    /// Machine accounts by their ids.
    pub machines: BTreeMap<String, MachineAccount>,
    /// Access tokens by their ids.
    pub access_tokens: BTreeMap<String, AccessToken>,
    /// How it behaves.
    pub behaviour: Behaviour,
    pub(super) tokens: BTreeMap<String, Token>,
    pub(super) logins: VecDeque<Instant>,
    count: u64,
    clock: i64,
}

/// A project.
#[derive(Clone)]
pub struct Project {
    /// Under the organisation's key.
    pub name: String,
    /// When it was last changed.
    pub revised: String,
}

/// A secret.
#[derive(Clone)]
pub struct Secret {
    /// Its name, under the organisation's key.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Its note; an empty one is encrypted, too.
    pub note: String,
    /// Its project.
    pub project: Option<String>,
    /// When it was made.
    pub created: String,
    /// When it was last changed.
    pub revised: String,
    /// Older values.
    pub versions: Vec<Version>,
}

/// An older value.
#[derive(Clone)]
pub struct Version {
    /// Its id.
    pub id: String,
    /// Under the organisation's key.
    pub value: String,
    /// When it was replaced.
    pub date: String,
}

/// What a machine account may do in a project.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Grant {
    /// Reads.
    pub read: bool,
    /// Writes.
    pub write: bool,
}

/// A machine account.
#[derive(Clone, Default)]
pub struct MachineAccount {
    /// Its projects.
    pub grants: BTreeMap<String, Grant>,
    /// Milliseconds of the epoch; grows with whatever it may see.
    pub revision: i64,
}

/// An access token of a machine account, as the server knows it.
#[derive(Clone)]
pub struct AccessToken {
    /// Whose.
    pub machine: String,
    /// What it logs in with.
    pub client_secret: String,
    /// The organisation's key, under the key part that the server does not have.
    pub encrypted_payload: String,
    /// Whether it has expired or been revoked.
    pub revoked: bool,
}

/// How it behaves.
#[derive(Default)]
pub struct Behaviour {
    /// Seconds that a token lives; 0 is the usual hour.
    pub lifetime: u64,
    /// Every request is throttled, for so many seconds.
    pub throttle: Option<u64>,
    /// Older versions are kept, as newest servers do.
    pub versions: bool,
    /// Something is wrong.
    pub outage: Option<Outage>,
}

pub(super) struct Token {
    pub(super) machine: String,
    pub(super) expires: Instant,
}

impl Model {
    /// A new id: the same in every run.
    pub fn id(&mut self, kind: &str) -> String {
        self.count += 1;
        uuid_of(&format!("{kind} {}", self.count))
    }

    /// The time, in milliseconds of the epoch: later than whenever it was asked before.
    pub fn now(&mut self) -> i64 {
        self.clock = Timestamp::now().as_millisecond().max(self.clock + 1);
        self.clock
    }

    /// The time as the server writes it.
    pub fn date(&mut self) -> String {
        let now = self.now();
        match Timestamp::from_millisecond(now) {
            Ok(time) => format!("{time:.7}"),
            Err(_) => String::new(),
        }
    }

    /// Something changed in a project; whoever may read it is told.
    pub fn changed(&mut self, project: Option<&str>) {
        let now = self.now();
        for machine in self.machines.values_mut() {
            let sees = project.is_none_or(|it| machine.grants.get(it).is_some_and(|it| it.read));
            if sees {
                machine.revision = now;
            }
        }
    }

    /// Every token dies.
    pub fn revoke_all(&mut self) {
        self.tokens.clear();
    }

    pub(super) fn machine_of(&self, token: &str) -> Option<String> {
        let token = self.tokens.get(token)?;
        (Instant::now() < token.expires).then(|| token.machine.clone())
    }

    pub(super) fn grant(&self, machine: &str, project: Option<&str>) -> Grant {
        let machine = self.machines.get(machine);
        let grant = machine.zip(project);
        grant
            .and_then(|(machine, project)| machine.grants.get(project).copied())
            .unwrap_or_default()
    }
}
