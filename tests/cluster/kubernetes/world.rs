//! Targets on the real server, and what other people do to them.
#![expect(clippy::unwrap_used, reason = "what other people do must succeed")]

use std::collections::BTreeMap;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use penstock_adapters::kubernetes::KubernetesTargets;
use penstock_domain::names::{Key, NamespaceName, ObjectName, TargetName};
use penstock_domain::ports::{Observation, Precondition, Targets, Write, Written};
use penstock_domain::secret::SecretValue;
use penstock_domain::sync::{
    Adopt, ConfigMapDestination, Destination, SecretDestination, SecretType, TargetSelection,
    ValidatedTarget,
};
use penstock_domain::testing::contract::target::TargetWorld;
use penstock_testbed::{Failure, Filter};
use serde_json::{Value, json};

use super::{Corner, testbed};

/// The contract asks for Secrets and ConfigMaps here.
const NO_FILES: &str = "a cluster holds no files";

/// A corner with targets in it.
pub(super) struct World {
    pub(super) targets: KubernetesTargets,
    pub(super) corner: Corner,
}

impl World {
    pub(super) fn new(corner: Corner) -> Self {
        Self {
            targets: KubernetesTargets::new(corner.api.clone()),
            corner,
        }
    }

    pub(super) fn secrets(&self) -> Api<Secret> {
        self.corner.namespace.api()
    }

    pub(super) fn config_maps(&self) -> Api<ConfigMap> {
        self.corner.namespace.api()
    }
}

fn base64(value: &SecretValue) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(value.expose())
}

/// The `data` and `binaryData` that set `value` under `key`, or take it away.
fn fields(destination: &Destination, key: &Key, value: Option<&SecretValue>) -> Value {
    let key = key.as_str();
    match (destination, value) {
        (Destination::Secret(_), value) => json!({"data": {key: value.map(base64)}}),
        (Destination::ConfigMap(_), None) => {
            json!({"data": {key: null}, "binaryData": {key: null}})
        }
        (Destination::ConfigMap(_), Some(value)) => match value.expose_text() {
            Some(text) => json!({"data": {key: text}, "binaryData": {key: null}}),
            None => json!({"data": {key: null}, "binaryData": {key: base64(value)}}),
        },
        (Destination::File(_) | Destination::HostFile(_), _) => unreachable!("{NO_FILES}"),
    }
}

#[async_trait]
impl TargetWorld for World {
    fn targets(&self) -> &dyn Targets {
        &self.targets
    }

    fn namespace(&self) -> NamespaceName {
        self.corner.name.clone()
    }

    async fn plant(&self, destination: &Destination, data: &BTreeMap<Key, SecretValue>) {
        let name = destination.object_name();
        let by = PostParams {
            field_manager: Some("kubectl-create".to_owned()),
            ..PostParams::default()
        };
        let metadata = json!({"metadata": {"name": name}});
        match destination {
            Destination::Secret(_) => {
                let secret = serde_json::from_value(metadata).unwrap();
                self.secrets().create(&by, &secret).await.map(drop)
            }
            Destination::ConfigMap(_) => {
                let map = serde_json::from_value(metadata).unwrap();
                self.config_maps().create(&by, &map).await.map(drop)
            }
            Destination::File(_) | Destination::HostFile(_) => unreachable!("{NO_FILES}"),
        }
        .unwrap();
        for (key, value) in data {
            self.edit(destination, key, Some(value)).await;
        }
    }

    async fn edit(&self, destination: &Destination, key: &Key, value: Option<&SecretValue>) {
        let name = destination.object_name();
        let by = PatchParams {
            field_manager: Some("kubectl-edit".to_owned()),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(fields(destination, key, value));
        match destination {
            Destination::Secret(_) => self.secrets().patch(name, &by, &patch).await.map(drop),
            Destination::ConfigMap(_) => {
                self.config_maps().patch(name, &by, &patch).await.map(drop)
            }
            Destination::File(_) | Destination::HostFile(_) => unreachable!("{NO_FILES}"),
        }
        .unwrap();
    }

    async fn delete(&self, destination: &Destination) {
        let name = destination.object_name();
        let plain = DeleteParams::default();
        match destination {
            Destination::Secret(_) => self.secrets().delete(name, &plain).await.map(drop),
            Destination::ConfigMap(_) => self.config_maps().delete(name, &plain).await.map(drop),
            Destination::File(_) | Destination::HostFile(_) => unreachable!("{NO_FILES}"),
        }
        .unwrap();
    }
}

impl World {
    pub(super) async fn observe(&self, target: &ValidatedTarget) -> Result<Observation, Failure> {
        let sync = self.corner.sync("sync")?;
        Ok(self.targets.observe(&sync, target).await?)
    }

    /// Writes `data` over what is there now.
    pub(super) async fn write(
        &self,
        target: &ValidatedTarget,
        data: &BTreeMap<Key, SecretValue>,
        remove: &[&str],
    ) -> Result<Written, Failure> {
        let precondition = match self.observe(target).await? {
            Observation::Absent => Precondition::Absent,
            Observation::Present(object) => Precondition::Unchanged {
                uid: object.uid,
                resource_version: object.resource_version,
            },
        };
        let remove: Result<_, _> = remove.iter().map(|&key| Key::new(key)).collect();
        let write = Write {
            data: data.clone(),
            remove: remove?,
            owner: "test-installation/ns/sync".to_owned(),
            precondition,
            recreate: false,
        };
        let sync = self.corner.sync("sync")?;
        Ok(self.targets.write(&sync, target, write).await?)
    }

    /// Writes since the last reset.
    pub(super) fn writes(&self) -> usize {
        self.corner.proxy.count(&Filter::writes())
    }
}

/// A world in a namespace of its own.
pub(super) async fn world(prefix: &str) -> Result<Option<World>, Failure> {
    let Some(testbed) = testbed().await? else {
        return Ok(None);
    };
    Ok(Some(World::new(Corner::new(testbed, prefix).await?)))
}

pub(super) fn secret(name: &str) -> Result<ValidatedTarget, Failure> {
    target(Destination::Secret(SecretDestination {
        name: ObjectName::new(name)?,
        secret_type: SecretType::Opaque,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        immutable: false,
        recreate: false,
    }))
}

pub(super) fn config_map(name: &str) -> Result<ValidatedTarget, Failure> {
    target(Destination::ConfigMap(ConfigMapDestination {
        name: ObjectName::new(name)?,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        immutable: false,
        recreate: false,
    }))
}

fn target(destination: Destination) -> Result<ValidatedTarget, Failure> {
    Ok(ValidatedTarget {
        name: TargetName::new("target")?,
        destination,
        select: TargetSelection::default(),
        adopt: Adopt::Never,
        share_keys: false,
        delete_with_sync: false,
        repair: true,
    })
}

pub(super) fn data(entries: &[(&str, &[u8])]) -> Result<BTreeMap<Key, SecretValue>, Failure> {
    let entry = |(key, value): &(&str, &[u8])| Ok((Key::new(*key)?, SecretValue::new(*value)));
    entries.iter().map(entry).collect()
}
