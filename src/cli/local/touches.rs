//! Which hosts, variables and files a run will touch: known from the documents alone, before the first read.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use penstock_domain::api::postgres::{PORT, PostgresProvider};
use penstock_domain::api::store::{Provider, System};
use penstock_domain::names::NamespaceName;
use penstock_domain::stores::StoreObject;
use penstock_domain::sync::{Destination, FilePlace, Origin, StoreKind, StoreReference};
use penstock_domain::validate::Check;
use serde_json::Value;

use super::credentials::{CredentialOrigin, SecretMap};
use super::invocation::ChosenSync;
use crate::documents::{Documents, ObjectId, Problem};
use crate::output::plain;

/// The path that stands for the file which the runner of GitHub Actions named.
const GITHUB_ENV: &str = "$GITHUB_ENV";

/// One thing that will be touched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touch {
    /// A host is connected to.
    Host {
        /// The host, with its port where one is written.
        host: String,
        /// For whom.
        store: String,
    },
    /// A variable is read.
    Variable(String),
    /// The variables that match are read.
    Variables(String),
    /// A file descriptor is read.
    Descriptor(u32),
    /// A file is read.
    ReadFile(String),
    /// The record is kept in a store.
    Record(String),
    /// A file is written.
    WriteFile(String),
    /// A file on a host is written.
    WriteHostFile {
        /// The path, from the folder of the store.
        path: String,
        /// The store.
        store: String,
    },
    /// A command may run on a host.
    RunCommand {
        /// The command.
        run: String,
        /// The store.
        store: String,
    },
    /// An object of the cluster is written.
    WriteObject(String),
}

/// In one line, whatever the names hold.
impl fmt::Display for Touch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::Host { host, store } => format!("connects to {host} ({store})"),
            Self::Variable(name) => format!("reads the variable {name}"),
            Self::Variables(which) => format!("reads the variables {which}"),
            Self::Descriptor(number) => format!("reads the file descriptor {number}"),
            Self::ReadFile(path) => format!("reads the file {path}"),
            Self::Record(place) => format!("keeps the record in {place}"),
            Self::WriteFile(path) => format!("has the file {path} as target"),
            Self::WriteHostFile { path, store } => {
                format!("has the file {path} on a host as target ({store})")
            }
            Self::RunCommand { run, store } => format!(
                "runs a command on a host after a change, if commands are allowed ({store}): {run}"
            ),
            Self::WriteObject(name) => format!("has {name} of the cluster as target"),
        };
        formatter.write_str(&plain(&words))
    }
}

/// Everything that will be touched, each once.
#[derive(Debug, Clone, Default)]
pub struct Touches {
    /// For what is read.
    sources: BTreeSet<Touch>,
    /// For what is written.
    targets: BTreeSet<Touch>,
}

impl Touches {
    /// For a verb that hands contents on instead of writing targets.
    pub fn leave_out_targets(&mut self) {
        self.targets.clear();
    }

    /// Adds one thing that is touched for what is read or remembered.
    pub(super) fn add(&mut self, touch: Touch) {
        self.sources.insert(touch);
    }

    /// Adds all of `others`.
    pub(super) fn join(&mut self, others: Self) {
        self.sources.extend(others.sources);
        self.targets.extend(others.targets);
    }

    /// Whether a cluster is among it, and not only its stores.
    pub fn cluster(&self) -> bool {
        let mut touches = self.targets.iter();
        touches.any(|touch| matches!(touch, Touch::WriteObject(_)))
    }

    /// All of it, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Touch> {
        self.sources.union(&self.targets)
    }
}

/// Follows the chosen syncs to stores, and these to where their credentials come from. A store whose credentials
/// come out of itself, over however many others, is a problem.
pub(super) fn follow(
    syncs: &[ChosenSync],
    documents: &Documents,
    secrets: &SecretMap,
    operator: &NamespaceName,
) -> Result<Touches, Problem> {
    let mut following = Following {
        documents,
        secrets,
        operator,
        touches: BTreeSet::new(),
        done: BTreeSet::new(),
        path: Vec::new(),
    };
    for chosen in syncs {
        following.sources(chosen)?;
    }
    let sources = std::mem::take(&mut following.touches);
    following.done.clear();
    for chosen in syncs {
        following.targets(chosen)?;
    }
    Ok(Touches {
        sources,
        targets: following.touches,
    })
}

type StoreId = (NamespaceName, StoreReference);

/// The same for one store.
pub(super) fn follow_store(
    (namespace, store): (&NamespaceName, &StoreReference),
    documents: &Documents,
    secrets: &SecretMap,
    operator: &NamespaceName,
) -> Result<Touches, Problem> {
    let mut following = Following {
        documents,
        secrets,
        operator,
        touches: BTreeSet::new(),
        done: BTreeSet::new(),
        path: Vec::new(),
    };
    following.store(namespace, store)?;
    Ok(Touches {
        sources: following.touches,
        targets: BTreeSet::new(),
    })
}

struct Following<'a> {
    documents: &'a Documents,
    secrets: &'a SecretMap,
    operator: &'a NamespaceName,
    touches: BTreeSet<Touch>,
    done: BTreeSet<StoreId>,
    /// The stores on the way here.
    path: Vec<StoreId>,
}

impl Following<'_> {
    fn sources(&mut self, chosen: &ChosenSync) -> Result<(), Problem> {
        let namespace = &chosen.sync.id.namespace;
        for source in chosen.sync.sources.iter().filter(|source| !source.skipped) {
            match &source.origin {
                Origin::Store(reference) => self.store(namespace, reference)?,
                Origin::Secret { name, .. } => {
                    let id = ObjectId {
                        namespace: namespace.clone(),
                        name: name.clone(),
                    };
                    let origins: Vec<_> = self.secrets.origins(&id).cloned().collect();
                    for origin in origins {
                        self.origin(namespace, &origin)?;
                    }
                }
                Origin::File { place, .. } => {
                    let path = path(place);
                    self.touch(Touch::ReadFile(path));
                }
                Origin::ProcessEnvironment => {
                    let select = &source.select;
                    let mut which: Vec<String> = select.keys.iter().cloned().collect();
                    which.extend(select.matching.iter().map(|pattern| format!("/{pattern}/")));
                    self.touch(Touch::Variables(which.join(", ")));
                }
                Origin::ConfigMap { .. } | Origin::Literal(_) => {}
            }
        }
        for validator in &chosen.sync.validators {
            if let Check::Elsewhere(check) = &validator.check {
                let address = check.address().map(|text| host_of(text).unwrap_or(text));
                let named = |host: &str| host.to_owned();
                self.touch(Touch::Host {
                    host: address.map_or_else(|| format!("what {} names", validator.key), named),
                    store: format!("validator {}", validator.name),
                });
            }
        }
        Ok(())
    }

    fn targets(&mut self, chosen: &ChosenSync) -> Result<(), Problem> {
        let namespace = &chosen.sync.id.namespace;
        for target in chosen.targets() {
            match &target.destination {
                Destination::File(file) => {
                    self.touch(Touch::WriteFile(path(&file.place)));
                }
                Destination::HostFile(host) => {
                    self.store(namespace, &host.store)?;
                    let store = host.store.to_string();
                    if let Some(command) = &host.command {
                        let (run, store) = (command.run.clone(), store.clone());
                        self.touch(Touch::RunCommand { run, store });
                    }
                    let path = host.file.place.path.clone();
                    self.touch(Touch::WriteHostFile { path, store });
                }
                Destination::Secret(_) | Destination::ConfigMap(_) => {
                    let object = &target.destination;
                    let (kind, name) = (object.kind(), object.object_name());
                    self.touch(Touch::WriteObject(format!("{kind} {namespace}/{name}")));
                }
            }
        }
        Ok(())
    }

    fn touch(&mut self, touch: Touch) {
        self.touches.insert(touch);
    }

    fn store(
        &mut self,
        namespace: &NamespaceName,
        reference: &StoreReference,
    ) -> Result<(), Problem> {
        let home = match reference.kind {
            StoreKind::Namespaced => namespace,
            StoreKind::Cluster => self.operator,
        };
        let id = (home.clone(), reference.clone());
        if self.path.contains(&id) {
            return Err(self.cycle(&id));
        }
        if self.done.contains(&id) {
            return Ok(());
        }
        let documents = self.documents;
        let Some(document) = documents.stores.get(&id) else {
            return Ok(());
        };
        for host in hosts(&document.object.provider) {
            let store = reference.to_string();
            self.touch(Touch::Host { host, store });
        }
        for touch in surroundings(&document.object) {
            self.touch(touch);
        }
        self.path.push(id.clone());
        for (name, key) in key_references(&document.object) {
            if let Some(origin) = self.secrets.origin(&name, &key).cloned() {
                self.origin(&name.namespace, &origin)?;
            }
        }
        self.path.pop();
        self.done.insert(id);
        Ok(())
    }

    fn origin(
        &mut self,
        namespace: &NamespaceName,
        origin: &CredentialOrigin,
    ) -> Result<(), Problem> {
        match origin {
            CredentialOrigin::Variable(name) => self.touch(Touch::Variable(name.clone())),
            CredentialOrigin::Descriptor(number) => self.touch(Touch::Descriptor(*number)),
            CredentialOrigin::Store(entry) => self.store(namespace, &entry.store)?,
        }
        Ok(())
    }

    fn cycle(&self, id: &StoreId) -> Problem {
        let from = self
            .path
            .iter()
            .position(|one| one == id)
            .unwrap_or_default();
        let chain: Vec<String> = self
            .path
            .iter()
            .skip(from)
            .chain([id])
            .map(|(_, reference)| reference.to_string())
            .collect();
        let at = self
            .documents
            .stores
            .get(id)
            .map(|store| store.origin.start());
        let message = format!("gets its credentials out of itself: {}", chain.join(" → "));
        Problem::new(at, id.1.to_string(), message)
            .hint("Let one of them take its credentials from a variable or a Secret document")
    }
}

/// The path of a file. What the runner of GitHub Actions chose lies nowhere near the document.
fn path(place: &FilePlace) -> String {
    if place.path == GITHUB_ENV {
        return place.path.clone();
    }
    place.folder.join(&place.path).display().to_string()
}

/// The keys of Secrets (and ConfigMaps) that a store names: every object of just a `name` and a `key`.
fn key_references(store: &StoreObject) -> Vec<(ObjectId, String)> {
    let mut found = Vec::new();
    walk(&provider(&store.provider), &mut |value| {
        let Some(object) = value.as_object().filter(|object| object.len() == 2) else {
            return;
        };
        let word = |name: &str| object.get(name).and_then(Value::as_str);
        if let (Some(name), Some(key)) = (word("name"), word("key"))
            && let Ok(name) = penstock_domain::names::ObjectName::new(name)
        {
            let id = ObjectId {
                namespace: store.home.clone(),
                name,
            };
            found.push((id, key.to_owned()));
        }
    });
    found
}

/// What a store of a cloud asks of the identity of whoever runs the command, and of the files of that person.
fn surroundings(store: &StoreObject) -> Vec<Touch> {
    let Ok(System::AwsSecretsManager(aws) | System::AwsParameterStore(aws)) =
        store.provider.variant()
    else {
        return Vec::new();
    };
    let name = store.reference.to_string();
    match &aws.auth {
        Some(auth) if auth.profile.is_some() => vec![
            Touch::Variable("AWS_SHARED_CREDENTIALS_FILE".to_owned()),
            Touch::ReadFile("~/.aws/credentials".to_owned()),
        ],
        Some(_) => Vec::new(),
        None => vec![
            Touch::Variables("AWS_*, and the files that they name".to_owned()),
            Touch::Host {
                host: "the credential service of the container or of the instance".to_owned(),
                store: name,
            },
        ],
    }
}

/// The usual hosts of a store of AWS, where its spec names no others.
fn usual_hosts(spec: &Provider) -> Vec<String> {
    let (aws, service) = match spec.variant() {
        Ok(System::AwsSecretsManager(aws)) => (aws, "secretsmanager"),
        Ok(System::AwsParameterStore(aws)) => (aws, "ssm"),
        _ => return Vec::new(),
    };
    let own = aws.endpoint.is_none().then(|| aws.usual_host(service));
    let asks_sts = aws.asks_sts() || aws.auth.is_none();
    let sts = (asks_sts && aws.sts_endpoint.is_none()).then(|| aws.usual_host("sts"));
    own.into_iter().chain(sts).collect()
}

/// The hosts of every address in a provider; its name where it has none, because it then has a usual one.
fn hosts(spec: &Provider) -> Vec<String> {
    if let Some(ssh) = &spec.ssh {
        let host = &ssh.host;
        return vec![match ssh.port {
            Some(port) if host.contains(':') => format!("[{host}]:{port}"),
            Some(port) => format!("{host}:{port}"),
            None => host.clone(),
        }];
    }
    if let Some(postgres) = &spec.postgres {
        return vec![database(postgres)];
    }
    let mut found = usual_hosts(spec);
    let spec = provider(spec);
    walk(&spec, &mut |value| {
        let host = value.as_str().and_then(host_of);
        found.extend(host.map(str::to_owned));
    });
    if found.is_empty() {
        let system = spec.as_object().and_then(|object| object.keys().next());
        found.extend(system.map(|system| format!("the usual address of {system}")));
    }
    found
}

/// The hosts that a provider is asked at without TLS. This machine needs none to talk to itself.
pub fn unencrypted_hosts(spec: &Provider) -> Vec<String> {
    let mut found = Vec::new();
    walk(&provider(spec), &mut |value| {
        let address = value.as_str().filter(|text| text.starts_with("http://"));
        found.extend(
            address
                .and_then(host_of)
                .filter(|host| !is_loopback(host))
                .map(str::to_owned),
        );
    });
    found
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost"
        || name
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

/// The server of a database, or where its address is kept.
fn database(postgres: &PostgresProvider) -> String {
    match (&postgres.host, &postgres.url_ref) {
        (Some(host), _) => format!("{host}:{}", postgres.port.unwrap_or(PORT)),
        (None, Some(url)) => format!("the host in Secret {}, key {}", url.name, url.key),
        (None, None) => "the usual address of postgres".to_owned(),
    }
}

fn provider(provider: &Provider) -> Value {
    serde_json::to_value(provider).unwrap_or_default()
}

fn walk(value: &Value, visit: &mut impl FnMut(&Value)) {
    visit(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        Value::Object(members) => members.values().for_each(|member| walk(member, visit)),
        _ => {}
    }
}

/// The host of an address, without what may stand before it: `https://user:password@host:8200/path`.
fn host_of(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once("://")?;
    let scheme_is_one =
        !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    (scheme_is_one && !host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_asked_without_tls_and_without_a_word() {
        for (host, own) in [
            ("localhost:8200", true),
            ("127.0.0.1", true),
            ("[::1]:8200", true),
            ("vault.example.com", false),
            ("10.0.0.1:80", false),
            ("localhost.example.com", false),
        ] {
            assert_eq!(is_loopback(host), own, "{host}");
        }
    }

    #[test]
    fn a_database_is_told_by_host_and_port_or_by_where_its_url_lies() {
        let told = |postgres| {
            let provider = serde_json::json!({"postgres": postgres});
            hosts(&serde_json::from_value(provider).unwrap())
        };
        let host = serde_json::json!({"host": "db.example.com"});
        assert_eq!(told(host), ["db.example.com:5432"]);
        let host = serde_json::json!({"host": "db.example.com", "port": 6432});
        assert_eq!(told(host), ["db.example.com:6432"]);
        let url = serde_json::json!({"urlRef": {"name": "db", "key": "url"}});
        assert_eq!(told(url), ["the host in Secret db, key url"]);
    }

    #[test]
    fn hosts_are_told_without_logins_and_paths() {
        for (address, host) in [
            (
                "https://vault.example.com:8200",
                Some("vault.example.com:8200"),
            ),
            (
                "https://user:hunter2@db.example.com/x?y",
                Some("db.example.com"),
            ),
            ("https://[::1]:8200/v1", Some("[::1]:8200")),
            ("secret/path", None),
            ("-----BEGIN x://", None),
            ("https://", None),
        ] {
            assert_eq!(host_of(address), host, "{address}");
        }
    }
}
