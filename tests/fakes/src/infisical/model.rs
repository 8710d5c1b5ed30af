//! What an Infisical holds, and how it behaves.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use tokio::time::Instant;

use crate::ids::uuid_of;
use crate::outage::Outage;

/// The content of one server.
#[derive(Debug, Default)]
pub struct Model {
    /// Projects by id.
    pub projects: BTreeMap<String, Project>,
    /// Machine identities by id.
    pub identities: BTreeMap<String, Identity>,
    /// Service tokens by what is sent of them (`st.<id>.<secret>`).
    pub service_tokens: BTreeMap<String, ServiceToken>,
    /// How it behaves.
    pub behaviour: Behaviour,
    pub(super) tokens: BTreeMap<String, AccessToken>,
    pub(super) failures: BTreeMap<String, Failures>,
    /// Tags of lists by actor and parameters, with the time when they were given out.
    pub(super) etags: BTreeMap<String, (String, Instant)>,
    pub(super) count: u64,
}

/// A project.
#[derive(Debug, Default, Clone)]
pub struct Project {
    /// Its slug.
    pub slug: String,
    /// Its environments by slug.
    pub environments: BTreeMap<String, Environment>,
    /// Slugs of its tags by id.
    pub tags: BTreeMap<String, String>,
}

/// An environment: folders by path, `/` always among them.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The folders.
    pub folders: BTreeMap<String, Folder>,
}

impl Default for Environment {
    fn default() -> Self {
        Self {
            folders: BTreeMap::from([("/".to_owned(), Folder::default())]),
        }
    }
}

/// A folder.
#[derive(Debug, Default, Clone)]
pub struct Folder {
    /// Its secrets by name.
    pub secrets: BTreeMap<String, Secret>,
    /// What it imports, the last with precedence.
    pub imports: Vec<Import>,
}

/// An import of another folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The environment's slug.
    pub environment: String,
    /// The folder.
    pub path: String,
}

/// A secret with its versions, the first first.
#[derive(Debug, Default, Clone)]
pub struct Secret {
    /// The versions.
    pub versions: Vec<Version>,
    /// Slugs of its tags.
    pub tags: BTreeSet<String>,
    /// A user's own value, which version 3 lists beside the shared one.
    pub personal: Option<String>,
}

/// One version of a secret.
#[derive(Debug, Default, Clone)]
pub struct Version {
    /// The value, as it is kept.
    pub value: String,
    /// The comment.
    pub comment: String,
}

/// A machine identity.
#[derive(Debug, Default, Clone)]
pub struct Identity {
    /// The client id of its universal auth.
    pub client_id: String,
    /// The client secrets of its universal auth.
    pub client_secrets: BTreeSet<String>,
    /// The tokens of ServiceAccounts that its Kubernetes auth accepts.
    pub service_accounts: BTreeSet<String>,
    /// TTL of access tokens in seconds; 0 is for ever.
    pub ttl: u64,
    /// Maximum TTL of access tokens in seconds; 0 is none.
    pub max_ttl: u64,
    /// How often an access token may be used; 0 is without limit.
    pub uses: u64,
    /// What it may do, in which project. It is a member of the projects that stand here.
    pub grants: Vec<Grant>,
}

/// Failed logins of one identity.
#[derive(Debug, Default)]
pub(super) struct Failures {
    pub(super) recent: Vec<Instant>,
    pub(super) locked_until: Option<Instant>,
}

/// What an identity may do somewhere.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Grant {
    /// The project's id.
    pub project: String,
    /// The environment's slug; `*` is all.
    pub environment: String,
    /// A folder, with everything below it.
    pub path: String,
    /// Whether values may be read; otherwise names only.
    #[serde(default = "yes")]
    pub read_value: bool,
    /// Whether secrets and folders may be written.
    #[serde(default)]
    pub write: bool,
}

fn yes() -> bool {
    true
}

impl Grant {
    /// Reads everything of a project.
    pub fn reader(project: &str) -> Self {
        Self {
            project: project.to_owned(),
            environment: "*".to_owned(),
            path: "/".to_owned(),
            read_value: true,
            write: false,
        }
    }

    /// Whether it is about this place.
    pub(super) fn covers(&self, project: &str, environment: &str, path: &str) -> bool {
        self.project == project
            && (self.environment == "*" || self.environment == environment)
            && is_within(path, &self.path)
    }
}

/// Whether a folder is `top` or lies below it.
pub(super) fn is_within(path: &str, top: &str) -> bool {
    top == "/"
        || path
            .strip_prefix(top)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A service token.
#[derive(Debug, Default, Clone)]
pub struct ServiceToken {
    /// The project's id.
    pub project: String,
    /// Where it may read.
    pub scopes: Vec<Scope>,
}

/// Where a service token may read.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The environment's slug.
    pub environment: String,
    /// The folder; `**` at the end stands for everything below.
    pub path: String,
}

/// An access token that was given out.
#[derive(Debug, Clone)]
pub(super) struct AccessToken {
    pub(super) identity: String,
    pub(super) created: Instant,
    pub(super) renewed: Instant,
    pub(super) uses: u64,
}

/// How a server behaves.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of a server that is made to behave in one way or another"
)]
pub struct Behaviour {
    /// There is `/api/v4/secrets`, and `/api/v1/projects`.
    pub v4: bool,
    /// There is `/api/v3/secrets/raw`.
    pub v3: bool,
    /// Version 3 has been removed: 410, and not 404.
    pub v3_gone: bool,
    /// Lists have a tag.
    pub etag: bool,
    /// Version 4 knows `include_imports` only, as its first releases did.
    pub old_spelling: bool,
    /// What answers, in the place of the server.
    pub outage: Option<Outage>,
    /// Requests that are refused with 429 before anything else, each naming so many seconds.
    pub throttle: Option<u64>,
    /// A throttled answer says so in headers, too.
    pub limit_headers: bool,
    /// Answers tell in headers how many of so many requests are left (`@fastify/rate-limit`).
    pub quota: Option<(u64, u64)>,
    /// Expired tokens are refused by the JWT library, and not by a look at the token's row.
    pub expires_in_jwt: bool,
    /// Access tokens are good for nothing: they are bound to other addresses.
    pub refuses_tokens: bool,
    /// A policy guards every write.
    pub approval: bool,
    /// Lists leave out so many of the last secrets, and say nothing.
    pub forgets: usize,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            v4: true,
            v3: true,
            v3_gone: false,
            etag: true,
            old_spelling: false,
            outage: None,
            throttle: None,
            limit_headers: true,
            quota: None,
            expires_in_jwt: false,
            refuses_tokens: false,
            approval: false,
            forgets: 0,
        }
    }
}

impl Model {
    /// The folder, made with all above it where it is not there.
    pub fn folder(&mut self, project: &str, environment: &str, path: &str) -> &mut Folder {
        let project = self.projects.entry(project.to_owned()).or_default();
        let environment = project
            .environments
            .entry(environment.to_owned())
            .or_default();
        let mut at = String::new();
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            at.push('/');
            at.push_str(segment);
            environment.folders.entry(at.clone()).or_default();
        }
        if at.is_empty() {
            at.push('/');
        }
        environment.folders.entry(at).or_default()
    }

    /// Puts a value there as it is: a new version, or a new secret.
    pub fn put(&mut self, place: (&str, &str, &str), name: &str, value: &str) {
        let (project, environment, path) = place;
        let folder = self.folder(project, environment, path);
        let secret = folder.secrets.entry(name.to_owned()).or_default();
        secret.versions.push(Version {
            value: value.to_owned(),
            comment: String::new(),
        });
        self.changed(project);
    }

    /// Every access token that was given out dies.
    pub fn revoke_all(&mut self) {
        self.tokens.clear();
    }

    /// How many access tokens live.
    pub fn living_tokens(&self) -> usize {
        self.tokens.len()
    }

    /// Something of a project has changed: what was said about it under a tag is said no more.
    pub fn changed(&mut self, project: &str) {
        let prefix = format!("{project} ");
        self.etags.retain(|key, _| !key.starts_with(&prefix));
    }

    /// A number that was not given out before.
    pub(super) fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
}

/// An id in the form of all of them, of a kind and a text.
pub(super) fn id_of(kind: &str, text: &str) -> String {
    uuid_of(&format!("{kind} {text}"))
}
