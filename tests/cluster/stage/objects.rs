//! Objects of a stage: applying, reading, editing, deleting.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use penstock_domain::api::secret_sync::SecretSync;
use penstock_testbed::{Failure, eventually};
use serde_json::{Value, json};

use super::place::{PATIENCE, Stage};

/// Data of a Secret as text.
pub(super) type Texts = BTreeMap<String, String>;

impl Stage {
    /// Applies documents to the namespace, as a person with kubectl would. `$apps` stands for the stage's
    /// folder in the vault, `$operator` for the operator's namespace, `$namespace` for this one.
    pub(in crate::cluster) async fn apply(
        &self,
        yaml: &str,
    ) -> Result<Vec<DynamicObject>, Failure> {
        let yaml = yaml
            .replace("$apps", &self.apps())
            .replace("$operator", &self.place.operator_namespace)
            .replace("$namespace", &self.place.namespace);
        let applied = self.namespace.apply(&yaml).await?;
        for object in &applied {
            let kind = object.types.as_ref().map(|types| types.kind.as_str());
            if kind == Some("SecretSync") {
                self.show(&object.name_any());
            }
        }
        Ok(applied)
    }

    /// Applies a SecretSync of this name with a spec in YAML.
    pub(in crate::cluster) async fn sync(&self, name: &str, spec: &str) -> Result<(), Failure> {
        let spec: Value =
            serde_saphyr::from_str(spec).map_err(|error| Failure::because(error.to_string()))?;
        let object = json!({
            "apiVersion": "penstock.dev/v1alpha1",
            "kind": "SecretSync",
            "metadata": {"name": name},
            "spec": spec,
        });
        self.apply(&object.to_string()).await.map(drop)
    }

    /// The same, again and again until the API server takes it: definitions that were just changed count a
    /// moment later.
    pub(in crate::cluster) async fn eventually_sync(
        &self,
        name: &str,
        spec: &str,
    ) -> Result<(), Failure> {
        let taken = eventually(format!("{name} is taken"), PATIENCE, || {
            self.sync(name, spec)
        });
        Ok(taken.await?)
    }

    fn show(&self, sync: &str) {
        let mut syncs = self.syncs.lock().unwrap_or_else(PoisonError::into_inner);
        syncs.insert(sync.to_owned());
    }

    /// A Secret, if there is one.
    pub(in crate::cluster) async fn find_secret(
        &self,
        name: &str,
    ) -> Result<Option<Secret>, Failure> {
        Ok(self.namespace.api::<Secret>().get_opt(name).await?)
    }

    /// A Secret that must be there.
    pub(in crate::cluster) async fn secret_object(&self, name: &str) -> Result<Secret, Failure> {
        Ok(self.namespace.api::<Secret>().get(name).await?)
    }

    /// The data of a Secret that must be there; bytes that are no text become U+FFFD.
    pub(in crate::cluster) async fn secret(&self, name: &str) -> Result<Texts, Failure> {
        Ok(texts(&self.secret_object(name).await?))
    }

    /// Waits until a Secret holds exactly this.
    pub(in crate::cluster) async fn await_secret(
        &self,
        name: &str,
        expected: &[(&str, &str)],
    ) -> Result<Secret, Failure> {
        let expected = owned(expected);
        let api = self.namespace.api::<Secret>();
        let found = eventually(
            format!("Secret {name} holds {expected:?}"),
            PATIENCE,
            || async {
                match api.get_opt(name).await {
                    Ok(Some(secret)) if texts(&secret) == expected => Ok(secret),
                    Ok(Some(secret)) => Err(format!("{:?}", texts(&secret))),
                    Ok(None) => Err("no such Secret".to_owned()),
                    Err(error) => Err(error.to_string()),
                }
            },
        );
        Ok(found.await?)
    }

    /// Waits until a Secret is gone.
    pub(in crate::cluster) async fn await_no_secret(&self, name: &str) -> Result<(), Failure> {
        let api = self.namespace.api::<Secret>();
        let gone = eventually(format!("Secret {name} is gone"), PATIENCE, || async {
            match api.get_opt(name).await {
                Ok(None) => Ok(()),
                Ok(Some(_)) => Err("it is there".to_owned()),
                Err(error) => Err(error.to_string()),
            }
        });
        Ok(gone.await?)
    }

    /// The data of a ConfigMap that must be there.
    pub(in crate::cluster) async fn config_map(&self, name: &str) -> Result<Texts, Failure> {
        let map = self.namespace.api::<ConfigMap>().get(name).await?;
        Ok(map.data.unwrap_or_default())
    }

    /// Edits a Secret by hand: sets keys, and removes those without a value.
    pub(in crate::cluster) async fn edit_secret(
        &self,
        name: &str,
        keys: &[(&str, Option<&str>)],
    ) -> Result<Secret, Failure> {
        let (set, removed): (Vec<_>, Vec<_>) = keys.iter().partition(|(_, value)| value.is_some());
        let set: Value = Value::Object(
            set.into_iter()
                .map(|(key, value)| ((*key).to_owned(), json!(value)))
                .collect(),
        );
        let removed: Value = Value::Object(
            removed
                .into_iter()
                .map(|(key, _)| ((*key).to_owned(), Value::Null))
                .collect(),
        );
        let patch = json!({"stringData": set, "data": removed});
        let parameters = PatchParams {
            field_manager: Some("kubectl-edit".to_owned()),
            ..PatchParams::default()
        };
        let api = self.namespace.api::<Secret>();
        Ok(api.patch(name, &parameters, &Patch::Merge(&patch)).await?)
    }

    /// Merges a patch into a SecretSync, as `kubectl patch` or `kubectl annotate` would.
    pub(in crate::cluster) async fn patch_sync(
        &self,
        name: &str,
        patch: Value,
    ) -> Result<SecretSync, Failure> {
        let api = self.namespace.api::<SecretSync>();
        let parameters = PatchParams::default();
        Ok(api.patch(name, &parameters, &Patch::Merge(&patch)).await?)
    }

    /// Deletes a Secret.
    pub(in crate::cluster) async fn delete_secret(&self, name: &str) -> Result<(), Failure> {
        let api = self.namespace.api::<Secret>();
        api.delete(name, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Deletes a SecretSync, and waits until it is gone.
    pub(in crate::cluster) async fn delete_sync(&self, name: &str) -> Result<(), Failure> {
        let api: Api<SecretSync> = self.namespace.api();
        api.delete(name, &DeleteParams::default()).await?;
        let gone = eventually(format!("SecretSync {name} is gone"), PATIENCE, || async {
            match api.get_opt(name).await {
                Ok(None) => Ok(()),
                Ok(Some(sync)) => Err(format!("finalizers {:?}", sync.finalizers())),
                Err(error) => Err(error.to_string()),
            }
        });
        Ok(gone.await?)
    }
}

fn texts(secret: &Secret) -> Texts {
    let data = secret.data.iter().flatten();
    data.map(|(key, value)| (key.clone(), String::from_utf8_lossy(&value.0).into_owned()))
        .collect()
}

fn owned(pairs: &[(&str, &str)]) -> Texts {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(own).collect()
}
