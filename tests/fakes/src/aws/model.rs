//! What a region holds, and how it behaves.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::failures::Failure;

/// The one account.
pub(super) const ACCOUNT: &str = "123456789012";

/// What a region holds.
#[derive(Debug)]
pub struct Model {
    /// The region's name.
    pub region: String,
    /// Access keys, by id.
    pub keys: BTreeMap<String, Key>,
    /// Roles, by ARN.
    pub roles: BTreeMap<String, Role>,
    /// Secrets, by name.
    pub secrets: BTreeMap<String, Secret>,
    /// Parameters, by name.
    pub parameters: BTreeMap<String, Parameter>,
    /// What nobody may: an action, such as `secretsmanager:GetSecretValue`, and the beginning of a name.
    pub denied: Vec<(String, String)>,
    /// How it behaves.
    pub behaviour: Behaviour,
    /// Counts what is made.
    pub(super) made: u64,
}

/// How a region behaves.
#[derive(Debug, Default)]
pub struct Behaviour {
    /// So many calls more are asked for patience.
    pub throttle: u32,
    /// What happens instead of answers.
    pub outage: Option<Outage>,
    /// How far its clock is ahead.
    pub clock_ahead: SignedDuration,
    /// A batch answers so many values at the most.
    pub batch: Option<usize>,
    /// A batch fails for these names.
    pub batch_errors: BTreeMap<String, String>,
    /// A batch keeps quiet about these names.
    pub batch_gaps: BTreeSet<String>,
    /// Every page of a list is followed by an empty one.
    pub empty_pages: bool,
    /// How long sessions last, in seconds; otherwise as asked for.
    pub session_seconds: Option<i64>,
}

/// What happens instead of answers.
#[derive(Debug, Clone)]
pub enum Outage {
    /// Something else answers.
    Answers(u16, String),
    /// Connections break.
    HangsUp,
    /// Answers break off in the middle.
    Half,
}

/// An access key.
#[derive(Debug, Clone, Default)]
pub struct Key {
    /// The secret access key.
    pub secret: String,
    /// The session token, where it is a temporary one.
    pub session_token: Option<String>,
    /// When it ends.
    pub ends: Option<Timestamp>,
}

/// A role.
#[derive(Debug, Clone, Default)]
pub struct Role {
    /// The web identity tokens that it trusts.
    pub tokens: BTreeSet<String>,
    /// The keys that it trusts, by id.
    pub keys: BTreeSet<String>,
    /// The word that it asks for.
    pub external_id: Option<String>,
    /// The tags that it asks for.
    pub tags: BTreeMap<String, String>,
}

/// A secret.
#[derive(Debug, Clone, Default)]
pub struct Secret {
    /// Six random letters, another each time that it is made.
    pub suffix: String,
    /// Its versions, by id.
    pub versions: BTreeMap<String, SecretVersion>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// To be deleted.
    pub deleted: bool,
}

/// A version of a secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretVersion {
    /// A text.
    pub text: Option<String>,
    /// Bytes, as base64.
    pub binary: Option<String>,
    /// Its labels.
    pub stages: BTreeSet<String>,
}

/// A parameter.
#[derive(Debug, Clone, Default)]
pub struct Parameter {
    /// `String`, `StringList` or `SecureString`.
    pub kind: String,
    /// Its versions, the first one first.
    pub versions: Vec<ParameterVersion>,
}

/// A version of a parameter.
#[derive(Debug, Clone, Default)]
pub struct ParameterVersion {
    /// The value.
    pub value: String,
    /// Its labels.
    pub labels: BTreeSet<String>,
}

impl Default for Model {
    fn default() -> Self {
        let key = Key {
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            ..Key::default()
        };
        Self {
            region: "eu-central-1".to_owned(),
            keys: [("AKIDEXAMPLE".to_owned(), key)].into(),
            roles: BTreeMap::new(),
            secrets: BTreeMap::new(),
            parameters: BTreeMap::new(),
            denied: Vec::new(),
            behaviour: Behaviour::default(),
            made: 0,
        }
    }
}

impl Model {
    /// Puts a new version of a secret there, and the label of the newest on it.
    pub fn put(&mut self, name: &str, text: &str) {
        let version = SecretVersion {
            text: Some(text.to_owned()),
            ..SecretVersion::default()
        };
        self.put_version(name, version);
    }

    /// The same for bytes, as base64.
    pub fn put_binary(&mut self, name: &str, encoded: &str) {
        let version = SecretVersion {
            binary: Some(encoded.to_owned()),
            ..SecretVersion::default()
        };
        self.put_version(name, version);
    }

    fn put_version(&mut self, name: &str, version: SecretVersion) {
        let id = self.new_id();
        let suffix = format!("{:06}", self.made);
        let secret = self
            .secrets
            .entry(name.to_owned())
            .or_insert_with(|| Secret {
                suffix,
                ..Secret::default()
            });
        secret.push(id, version);
    }

    /// Puts a new version of a parameter there.
    pub fn put_parameter(&mut self, name: &str, kind: &str, value: &str) {
        let parameter = self.parameters.entry(name.to_owned()).or_default();
        kind.clone_into(&mut parameter.kind);
        parameter.versions.push(ParameterVersion {
            value: value.to_owned(),
            labels: BTreeSet::new(),
        });
    }

    /// Forbids an action for names that begin so.
    pub fn deny(&mut self, action: &str, prefix: &str) {
        self.denied.push((action.to_owned(), prefix.to_owned()));
    }

    pub(super) fn permit(&self, action: &str, name: &str) -> Result<(), Failure> {
        let denied = |(denied, prefix): &(String, String)| {
            denied == action && name.starts_with(prefix.as_str())
        };
        if self.denied.iter().any(denied) {
            return Err(Failure::new("AccessDeniedException"));
        }
        Ok(())
    }

    pub(super) fn new_id(&mut self) -> String {
        self.made += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.made)
    }

    pub(super) fn arn(&self, name: &str, secret: &Secret) -> String {
        format!(
            "arn:aws:secretsmanager:{}:{ACCOUNT}:secret:{name}-{}",
            self.region, secret.suffix
        )
    }
}

impl Secret {
    /// A new version becomes the newest, the newest the one before.
    pub(super) fn push(&mut self, id: String, mut version: SecretVersion) {
        let was = self
            .versions
            .iter_mut()
            .find(|(_, version)| version.stages.contains("AWSCURRENT"));
        if let Some((current, before)) = was {
            before.stages.remove("AWSCURRENT");
            let current = current.clone();
            for version in self.versions.values_mut() {
                version.stages.remove("AWSPREVIOUS");
            }
            if let Some(before) = self.versions.get_mut(&current) {
                before.stages.insert("AWSPREVIOUS".to_owned());
            }
        }
        version.stages.insert("AWSCURRENT".to_owned());
        self.versions.insert(id, version);
    }
}
