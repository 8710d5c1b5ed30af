//! What a pod template uses of Secrets and ConfigMaps.
//!
//! A use is content that reaches a container: an environment variable, or a file of a volume. Containers
//! and init containers count alike, and so does what is marked `optional`. These are no uses, because a
//! pod that runs has nothing to gain from starting again when they change:
//!
//! - `imagePullSecrets`: the kubelet reads them at each pull;
//! - credentials that mount a volume (`csi`, `flexVolume`, `cephfs`, `iscsi`, `rbd` and the like): they
//!   never reach a container;
//! - ephemeral containers: a pod template cannot have any.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{
    Container, EnvFromSource, EnvVar, KeyToPath, PodTemplateSpec, Volume, VolumeProjection,
};

use super::{Use, UsedKeys, UsedObject};

/// What `template` uses, each object once, in the order of kinds and names.
pub fn uses(template: &PodTemplateSpec) -> Vec<Use> {
    let mut found = Found::default();
    if let Some(spec) = &template.spec {
        let init = spec.init_containers.iter().flatten();
        for container in init.chain(&spec.containers) {
            found.container(container);
        }
        for volume in spec.volumes.iter().flatten() {
            found.volume(volume);
        }
    }
    found.into_uses()
}

/// What has been found so far: all keys of an object (`None`) or some.
#[derive(Default)]
struct Found(BTreeMap<UsedObject, Option<BTreeSet<String>>>);

impl Found {
    fn container(&mut self, container: &Container) {
        for source in container.env_from.iter().flatten() {
            self.env_from(source);
        }
        for variable in container.env.iter().flatten() {
            self.variable(variable);
        }
    }

    fn env_from(&mut self, source: &EnvFromSource) {
        if let Some(secret) = &source.secret_ref {
            self.all(UsedObject::Secret(secret.name.clone()));
        }
        if let Some(config_map) = &source.config_map_ref {
            self.all(UsedObject::ConfigMap(config_map.name.clone()));
        }
    }

    fn variable(&mut self, variable: &EnvVar) {
        let Some(from) = &variable.value_from else {
            return;
        };
        if let Some(secret) = &from.secret_key_ref {
            self.some(UsedObject::Secret(secret.name.clone()), [&secret.key]);
        }
        if let Some(config_map) = &from.config_map_key_ref {
            let object = UsedObject::ConfigMap(config_map.name.clone());
            self.some(object, [&config_map.key]);
        }
    }

    fn volume(&mut self, volume: &Volume) {
        if let Some(secret) = &volume.secret {
            let name = secret.secret_name.clone().unwrap_or_default();
            self.items(UsedObject::Secret(name), secret.items.as_deref());
        }
        if let Some(config_map) = &volume.config_map {
            let object = UsedObject::ConfigMap(config_map.name.clone());
            self.items(object, config_map.items.as_deref());
        }
        let projected = volume
            .projected
            .iter()
            .flat_map(|projected| projected.sources.iter().flatten());
        for source in projected {
            self.projection(source);
        }
    }

    fn projection(&mut self, source: &VolumeProjection) {
        if let Some(secret) = &source.secret {
            let object = UsedObject::Secret(secret.name.clone());
            self.items(object, secret.items.as_deref());
        }
        if let Some(config_map) = &source.config_map {
            let object = UsedObject::ConfigMap(config_map.name.clone());
            self.items(object, config_map.items.as_deref());
        }
    }

    /// The items of a volume: without any, every key becomes a file.
    fn items(&mut self, object: UsedObject, items: Option<&[KeyToPath]>) {
        match items {
            None | Some([]) => self.all(object),
            Some(items) => self.some(object, items.iter().map(|item| &item.key)),
        }
    }

    fn all(&mut self, object: UsedObject) {
        self.0.insert(object, None);
    }

    fn some<'a>(&mut self, object: UsedObject, keys: impl IntoIterator<Item = &'a String>) {
        let known = self
            .0
            .entry(object)
            .or_insert_with(|| Some(BTreeSet::new()));
        if let Some(known) = known {
            known.extend(keys.into_iter().cloned());
        }
    }

    /// An empty name is what an old client leaves where it meant none.
    fn into_uses(self) -> Vec<Use> {
        let named = self.0.into_iter().filter(|(object, _)| match object {
            UsedObject::Secret(name) | UsedObject::ConfigMap(name) => !name.is_empty(),
        });
        named
            .map(|(object, keys)| Use {
                object,
                keys: keys.map_or(UsedKeys::All, UsedKeys::Only),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(template: &str) -> String {
        let template: PodTemplateSpec = serde_saphyr::from_str(template).unwrap();
        let lines = uses(&template).into_iter().map(|used| {
            let object = match used.object {
                UsedObject::Secret(name) => format!("Secret {name}"),
                UsedObject::ConfigMap(name) => format!("ConfigMap {name}"),
            };
            match used.keys {
                UsedKeys::All => format!("{object}: all"),
                UsedKeys::Only(keys) => {
                    let keys: Vec<_> = keys.into_iter().collect();
                    format!("{object}: {}", keys.join(" "))
                }
            }
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_way_to_use_a_secret_or_a_config_map_is_found() {
        let found = of("
spec:
  initContainers:
  - name: migrate
    env: [{name: A, valueFrom: {secretKeyRef: {name: init-key, key: DB_URL}}}]
    envFrom: [{configMapRef: {name: init-all}}]
  - name: sidecar
    restartPolicy: Always
    envFrom: [{secretRef: {name: sidecar-all}}]
  containers:
  - name: app
    env:
    - {name: PLAIN, value: x}
    - {name: B, valueFrom: {secretKeyRef: {name: env-keys, key: B}}}
    - {name: C, valueFrom: {secretKeyRef: {name: env-keys, key: C, optional: true}}}
    - {name: D, valueFrom: {configMapKeyRef: {name: env-map, key: D}}}
    - {name: E, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    envFrom:
    - {prefix: X_, secretRef: {name: prefixed}}
    - {secretRef: {name: maybe, optional: true}}
  volumes:
  - {name: a, secret: {secretName: whole-volume}}
  - {name: b, secret: {secretName: some-files, items: [{key: tls.crt, path: c}, {key: tls.key, path: k}]}}
  - {name: c, configMap: {name: map-volume}}
  - {name: d, configMap: {name: map-files, items: [{key: app.yaml, path: app.yaml}]}}
  - name: e
    projected:
      sources:
      - {secret: {name: projected-whole}}
      - {secret: {name: projected-files, items: [{key: x, path: y}]}}
      - {configMap: {name: projected-map, optional: true}}
      - {serviceAccountToken: {path: token}}
");
        insta::assert_snapshot!(found, @r"
        Secret env-keys: B C
        Secret init-key: DB_URL
        Secret maybe: all
        Secret prefixed: all
        Secret projected-files: x
        Secret projected-whole: all
        Secret sidecar-all: all
        Secret some-files: tls.crt tls.key
        Secret whole-volume: all
        ConfigMap env-map: D
        ConfigMap init-all: all
        ConfigMap map-files: app.yaml
        ConfigMap map-volume: all
        ConfigMap projected-map: all
        ");
    }

    #[test]
    fn all_keys_swallow_some_keys_whichever_comes_first() {
        let all = "envFrom: [{secretRef: {name: s}}]";
        let some = "env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: A}}}]";
        for (first, second) in [(all, some), (some, all)] {
            let found = of(&format!(
                "spec:\n  containers:\n  - name: a\n    {first}\n  - name: b\n    {second}\n"
            ));
            assert_eq!(found, "Secret s: all");
        }
    }

    #[test]
    fn a_secret_and_a_config_map_of_one_name_are_two_objects() {
        let found = of("
spec:
  containers:
  - name: a
    envFrom: [{secretRef: {name: same}}, {configMapRef: {name: same}}]
");
        assert_eq!(found, "Secret same: all\nConfigMap same: all");
    }

    #[test]
    fn pull_secrets_mount_credentials_and_empty_names_are_no_uses() {
        let found = of("
spec:
  imagePullSecrets: [{name: pull}]
  serviceAccountName: robot
  containers:
  - name: a
    envFrom: [{secretRef: {name: ''}}]
  volumes:
  - {name: a, csi: {driver: x, nodePublishSecretRef: {name: mount}}}
  - {name: b, secret: {}}
  - {name: c, emptyDir: {}}
");
        assert_eq!(found, "");
    }

    #[test]
    fn an_empty_template_uses_nothing() {
        assert_eq!(of("{}"), "");
    }
}
