//! The contract of targets.
#![expect(
    clippy::unwrap_used,
    reason = "support of tests: what is broken here ends the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use penstock_adapters::http::client::HttpLayer;
use penstock_adapters::open::HostAccess;
use penstock_adapters::registry::Registry;
use penstock_domain::api::shared::SecretKeyRef;
use penstock_domain::api::ssh::SshProvider;
use penstock_domain::api::store::{Identity, Provider};
use penstock_domain::fault::FaultClass;
use penstock_domain::formats::{self, Delimiter, Edit, FileFormat};
use penstock_domain::names::{Key, NamespaceName, ObjectName};
use penstock_domain::ports::Targets;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{StoreLimits, StoreObject};
use penstock_domain::sync::{Destination, HostFileDestination, StoreKind, StoreReference};
use penstock_domain::testing;
use penstock_domain::testing::contract::target::{CASES, TargetWorld};
use penstock_testbed::Sshd;

use super::host::{Outcome, host};
use crate::one_store::{self, Secrets};

/// A folder on the host.
struct World {
    registry: Registry,
    folder: PathBuf,
    format: FileFormat,
}

fn layer() -> HttpLayer {
    HttpLayer::new(["127.0.0.0/8".parse().unwrap()])
}

fn namespace() -> NamespaceName {
    NamespaceName::new("prod").unwrap()
}

fn reference() -> StoreReference {
    StoreReference {
        kind: StoreKind::Namespaced,
        name: ObjectName::new("vps").unwrap(),
    }
}

fn registry(host: &Sshd, folder: &Path, layer: HttpLayer) -> Registry {
    let provider = SshProvider {
        host: "127.0.0.1".to_owned(),
        port: Some(host.port()),
        user: host.user().to_owned(),
        host_keys: vec![host.host_key().unwrap()],
        private_key_ref: SecretKeyRef {
            name: "vps".to_owned(),
            key: "private-key".to_owned(),
        },
        folder: Some(folder.display().to_string()),
    };
    let store = StoreObject {
        reference: reference(),
        home: namespace(),
        uid: "u".to_owned(),
        generation: 1,
        provider: Provider {
            ssh: Some(provider),
            ..Provider::default()
        },
        limits: StoreLimits::default(),
        identity: Identity::Credentials,
        allow: Vec::new(),
    };
    let secrets = Secrets::of("private-key", &host.private_key().unwrap());
    one_store::registry(store, layer, secrets)
}

impl World {
    fn new(host: &Sshd, format: FileFormat) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = host.folder().join(format!("contract-{number}"));
        fs::create_dir_all(&folder).unwrap();
        let access = HostAccess {
            writes: true,
            allow_commands: false,
        };
        Self {
            registry: registry(host, &folder, layer().reaching_hosts(access)),
            folder,
            format,
        }
    }

    fn path(&self, destination: &Destination) -> PathBuf {
        self.folder.join(&destination.file().unwrap().place.path)
    }
}

fn delimiter() -> Delimiter {
    Delimiter::from_random([1; 16])
}

#[async_trait]
impl TargetWorld for World {
    fn targets(&self) -> &dyn Targets {
        &self.registry
    }

    fn namespace(&self) -> NamespaceName {
        namespace()
    }

    fn destinations(&self) -> Vec<Destination> {
        let file = HostFileDestination::new(reference(), ("a", self.format), true);
        vec![Destination::HostFile(file)]
    }

    fn holds_bytes(&self) -> bool {
        false
    }

    fn keeps_identity(&self) -> bool {
        false
    }

    async fn plant(&self, destination: &Destination, data: &BTreeMap<Key, SecretValue>) {
        let document = formats::render(self.format, data, &delimiter()).unwrap();
        fs::write(self.path(destination), document.expose()).unwrap();
    }

    async fn edit(&self, destination: &Destination, key: &Key, value: Option<&SecretValue>) {
        let path = self.path(destination);
        let document = fs::read(&path).unwrap();
        let set = value.map(|value| (key.clone(), value.clone()));
        let (set, remove) = (set.into_iter().collect(), BTreeSet::from([key.clone()]));
        let edit = Edit {
            set: &set,
            remove: &remove,
        };
        let document = formats::merge(self.format, &document, edit, &delimiter()).unwrap();
        fs::write(path, document.expose()).unwrap();
    }

    async fn delete(&self, destination: &Destination) {
        fs::remove_file(self.path(destination)).unwrap();
    }
}

#[tokio::test]
#[expect(
    clippy::print_stdout,
    reason = "the last name is that of the case which fails"
)]
async fn the_contract_of_targets_holds() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    for format in [FileFormat::Dotenv, FileFormat::Json, FileFormat::Yaml] {
        for case in CASES {
            println!("{format:?}: {}", case.name);
            let world = World::new(host, format);
            (case.run)(&world).await;
            world.registry.close().await;
        }
    }
    Ok(())
}

/// The operator's registry reaches no host, whatever a document says.
#[tokio::test]
async fn the_operator_refuses_files_on_hosts() -> Outcome {
    let Some(host) = host().await? else {
        return Ok(());
    };
    let registry = registry(host, &host.folder(), layer());
    let mut target = testing::target("env", "unused");
    target.destination = Destination::HostFile(HostFileDestination::new(
        reference(),
        ("a", FileFormat::Dotenv),
        true,
    ));
    let sync = testing::sync_id("prod", "app");
    let fault = registry.observe(&sync, &target).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::NotSupported);
    assert!(fault.message.contains("CLI only"), "{fault}");
    Ok(())
}
