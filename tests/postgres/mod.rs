//! The Postgres adapter on a real PostgreSQL, through the registry: store object in, snapshot or fault out.
//!
//! Each case has a database and a role of its own. Where the server is not built, cases end early.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "support of tests: what is broken here ends the test"
)]

mod contract;
mod fleet;
mod notices;
mod places;
mod reading;
mod unhappy;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use penstock_adapters::http::client::HttpLayer;
use penstock_adapters::registry::Registry;
use penstock_domain::api::postgres::PostgresProvider;
use penstock_domain::api::store::{Allow, Identity, Provider};
use penstock_domain::bundle::Snapshot;
use penstock_domain::fault::Fault;
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::ports::{Freshness, Sources};
use penstock_domain::stores::{StoreLimits, StoreObject};
use penstock_domain::sync::{SourceOptions, StoreKind, StoreReference, ValidatedSource};
use penstock_domain::testing::{self, sync_id};
use penstock_testbed::{Failure, Postgres, PostgresClient, PostgresError, shared_postgres};
use serde_json::{Value, json};

use crate::one_store::{self, Secrets};

type Outcome = Result<(), Failure>;

const SOON: Duration = Duration::from_mins(1);
const PASSWORD: &str = "t0psecret-reader";

/// The server, or none where this machine has not built it or cannot run it.
async fn server() -> Result<Option<&'static Postgres>, &'static PostgresError> {
    match shared_postgres().await {
        Ok(server) => Ok(Some(server)),
        Err(error) if error.is_missing() => {
            tell_once(error);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn tell_once(error: &PostgresError) {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        let message = format!("\nskipping all cases that need a database: {error}\n\n");
        drop(std::io::stderr().write_all(message.as_bytes()));
    });
}

/// A database with a role that may connect to it, a SecretStore `db` of namespace `prod` that logs in as it, and its
/// registry.
struct Case {
    admin: PostgresClient,
    role: String,
    store: StoreObject,
    secrets: Arc<Secrets>,
    registry: Registry,
}

impl Case {
    /// `lists` is what the store lists: `tables`, `queries`, and whatever else is to be set.
    async fn new(server: &Postgres, lists: Value) -> Result<Self, Failure> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "case_{}_{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let superuser = server.client("postgres").await?;
        superuser.run(&format!("CREATE DATABASE {name}")).await?;
        superuser
            .run(&format!(
                "CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}' NOSUPERUSER"
            ))
            .await?;
        let mut provider = json!({
            "host": "127.0.0.1",
            "port": server.port(),
            "database": name,
            "user": name,
            "passwordRef": {"name": "db", "key": "password"},
            "caBundle": server.certificate_authority(),
        });
        merge(&mut provider, lists);
        let store = store(provider);
        let secrets = Arc::new(Secrets::default());
        secrets.set("password", PASSWORD);
        Ok(Self {
            admin: server.client(&name).await?,
            role: name,
            registry: registry(&store, &secrets, &["127.0.0.0/8"]),
            secrets,
            store,
        })
    }

    /// The same with changes to the provider.
    fn changed(self, changes: Value) -> Self {
        let mut provider = serde_json::to_value(self.store.provider.postgres.unwrap()).unwrap();
        merge(&mut provider, changes);
        let store = store(provider);
        Self {
            registry: registry(&store, &self.secrets, &["127.0.0.0/8"]),
            store,
            ..self
        }
    }

    fn with_timeout(mut self, timeout: Duration) -> Self {
        self.store.limits.timeout = timeout;
        self.registry = registry(&self.store, &self.secrets, &["127.0.0.0/8"]);
        self
    }

    /// The same with the limits that its store has now.
    fn changed_limits(mut self) -> Self {
        self.registry = registry(&self.store, &self.secrets, &["127.0.0.0/8"]);
        self
    }

    /// The same store as a ClusterSecretStore with these entries.
    fn of_cluster(mut self, allow: Vec<Allow>) -> Self {
        self.store.reference.kind = StoreKind::Cluster;
        self.store.home = NamespaceName::new("penstock").unwrap();
        self.store.allow = allow;
        self.registry = registry(&self.store, &self.secrets, &[]);
        self
    }

    /// Runs statements as superuser; `{role}` is the role.
    async fn run(&self, sql: &str) -> Outcome {
        Ok(self.admin.run(&sql.replace("{role}", &self.role)).await?)
    }

    /// A table of keys and values that the role may read.
    async fn settings(&self, rows: &[(&str, &str)]) -> Outcome {
        self.run(
            "CREATE TABLE settings (key text, value text, updated_at timestamptz DEFAULT now()); \
             GRANT SELECT ON settings TO {role}",
        )
        .await?;
        for (key, value) in rows {
            let sql = "INSERT INTO settings (key, value) VALUES ($1, $2)";
            self.admin.bind(sql, &[key, value]).await?;
        }
        Ok(())
    }

    fn source(&self) -> ValidatedSource {
        ValidatedSource {
            origin: penstock_domain::sync::Origin::Store(self.store.reference.clone()),
            path: String::new(),
            ..testing::source("db")
        }
    }

    async fn read(&self, source: &ValidatedSource) -> Result<Snapshot, Fault> {
        let sync = sync_id("prod", "shop");
        self.registry.read(&sync, source, Freshness::Now).await
    }

    /// `path/name=value`, for each entry of the store's only table.
    async fn lines(&self) -> Result<Vec<String>, Fault> {
        self.read(&self.source()).await.map(|read| lines(&read))
    }

    async fn fault(&self, source: &ValidatedSource) -> Fault {
        match self.read(source).await {
            Ok(_) => panic!("it can be read"),
            Err(fault) => fault,
        }
    }
}

/// A list of one table of keys and values, `settings`.
fn settings() -> Value {
    json!({"tables": [{
        "name": "settings", "table": "settings", "keyValue": {"key": "key", "value": "value"},
    }]})
}

fn table(name: &str) -> SourceOptions {
    SourceOptions::Postgres {
        table: Some(name.to_owned()),
        query: None,
        parameters: BTreeMap::new(),
        columns: Vec::new(),
    }
}

fn query(name: &str, parameters: &[(&str, &str)]) -> SourceOptions {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    SourceOptions::Postgres {
        table: None,
        query: Some(name.to_owned()),
        parameters: parameters.iter().map(owned).collect(),
        columns: Vec::new(),
    }
}

fn lines(snapshot: &Snapshot) -> Vec<String> {
    let entries = snapshot.entries.iter();
    entries
        .map(|entry| {
            let value = String::from_utf8_lossy(entry.value.expose()).into_owned();
            format!("{}/{}={value}", entry.path, entry.name)
        })
        .collect()
}

fn merge(base: &mut Value, changes: Value) {
    let (Some(base), Value::Object(changes)) = (base.as_object_mut(), changes) else {
        panic!("objects are merged");
    };
    for (name, value) in changes {
        if value.is_null() {
            base.remove(&name);
        } else {
            base.insert(name, value);
        }
    }
}

fn store(provider: Value) -> StoreObject {
    let provider: PostgresProvider = serde_json::from_value(provider).unwrap();
    StoreObject {
        reference: StoreReference {
            kind: StoreKind::Namespaced,
            name: ObjectName::new("db").unwrap(),
        },
        home: NamespaceName::new("prod").unwrap(),
        uid: "u".to_owned(),
        generation: 1,
        provider: Provider {
            postgres: Some(provider),
            ..Provider::default()
        },
        limits: StoreLimits {
            timeout: Duration::from_secs(20),
            ..StoreLimits::default()
        },
        identity: Identity::Credentials,
        allow: Vec::new(),
    }
}

fn registry(store: &StoreObject, secrets: &Arc<Secrets>, allowed: &[&str]) -> Registry {
    let allowed: Vec<_> = allowed.iter().map(|range| range.parse().unwrap()).collect();
    one_store::registry(
        store.clone(),
        HttpLayer::new(allowed),
        Arc::clone(secrets) as _,
    )
}
