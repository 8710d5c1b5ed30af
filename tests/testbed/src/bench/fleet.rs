//! Many SecretSyncs on as many vault paths.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{
    Api, ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchEvent,
    WatchParams,
};
use kube::core::GroupVersionKind;
use kube::{Client, ResourceExt};
use serde_json::{Map, Value, json};

use super::spread::{SpreadError, spread};
use crate::failure::Failure;
use crate::objects::apply;
use crate::openbao::{VaultClient, VaultError};

/// The mount that all paths are in.
const MOUNT: &str = "secret";
/// What all paths begin with.
const FOLDER: &str = "bench";
const STORE: &str = "vault";
/// The API server ends a watch after this; nothing here takes that long.
const WATCHING: u32 = 290;

/// What the fleet is made of.
#[derive(Clone, Debug)]
pub(super) struct Size {
    /// SecretSyncs, vault paths and target Secrets.
    pub(super) objects: usize,
    /// Keys in each.
    pub(super) keys: usize,
    /// How often each sync reads.
    pub(super) interval: Duration,
}

/// The fleet, as seen by somebody with all rights.
#[derive(Clone)]
pub(super) struct Fleet {
    pub(super) client: Client,
    pub(super) namespace: String,
    pub(super) vault: VaultClient,
    pub(super) size: Size,
}

/// The name of one sync, its path and its Secret.
pub(super) fn name(number: usize) -> String {
    format!("sync-{number:05}")
}

/// The SecretSyncs of a namespace.
pub(super) fn syncs(client: &Client, namespace: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("penstock.dev", "v1alpha1", "SecretSync");
    let resource = ApiResource::from_gvk_with_plural(&kind, "secretsyncs");
    Api::namespaced_with(client.clone(), namespace, &resource)
}

/// One SecretSync that reads its own path.
pub(super) fn sync(number: usize, interval: Duration) -> DynamicObject {
    let kind = GroupVersionKind::gvk("penstock.dev", "v1alpha1", "SecretSync");
    let resource = ApiResource::from_gvk_with_plural(&kind, "secretsyncs");
    let name = name(number);
    DynamicObject::new(&name, &resource).data(json!({"spec": {
        "interval": format!("{}s", interval.as_secs()),
        "sources": [{"name": "vault", "store": {"name": STORE}, "path": format!("{FOLDER}/{name}")}],
        "targets": [{"name": "env", "secret": {}}],
    }}))
}

/// What lies on one path, in its `version`: every key has a value of 32 characters.
fn entry(number: usize, keys: usize, version: usize) -> Value {
    let entry: Map<String, Value> = (0..keys)
        .map(|key| {
            let value = format!("{number:010}-{key:010}-{version:010}");
            (format!("KEY_{key:02}"), Value::String(value))
        })
        .collect();
    Value::Object(entry)
}

impl Fleet {
    /// Writes all paths, in their `version`.
    pub(super) async fn fill_vault(&self, version: usize) -> Result<(), SpreadError<VaultError>> {
        let (vault, keys) = (self.vault.clone(), self.size.keys);
        let write = move |number| {
            let vault = vault.clone();
            async move { write_entry(&vault, number, keys, version).await }
        };
        spread(self.size.objects, write).await
    }

    /// The store that all of them read, with a token for these paths alone.
    pub(super) async fn create_store(&self, address: &str, authority: &str) -> Result<(), Failure> {
        let paths = [
            format!("{MOUNT}/data/{FOLDER}"),
            format!("{MOUNT}/metadata/{FOLDER}"),
        ];
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        self.vault.put_read_policy(FOLDER, &paths).await?;
        let token = self.vault.create_token(&[FOLDER], "24h", true).await?;
        let login = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "vault-login"},
            "stringData": {"token": token},
        });
        let store = json!({
            "apiVersion": "penstock.dev/v1alpha1",
            "kind": "SecretStore",
            "metadata": {"name": STORE},
            "spec": {"provider": {"vault": {
                "address": address,
                "caBundle": authority,
                "auth": {"token": {"secretRef": {"name": "vault-login", "key": "token"}}},
            }}},
        });
        let yaml = format!("{login}\n---\n{store}\n");
        apply(&self.client, Some(&self.namespace), &yaml).await?;
        Ok(())
    }

    /// Makes all SecretSyncs.
    pub(super) async fn create_syncs(&self) -> Result<(), SpreadError<kube::Error>> {
        create_syncs(&self.client, &self.namespace, &self.size).await
    }

    /// Waits until all of them are ready, counted from now. `begin` starts whatever makes them so. Gives back
    /// when the first status was written and when the last sync became ready.
    pub(super) async fn converge<B>(&self, begin: B) -> Result<(Duration, Duration), Failure>
    where
        B: Future<Output = Result<(), Failure>>,
    {
        let api = syncs(&self.client, &self.namespace);
        // One object tells the version of the list.
        let listed = api.list_metadata(&ListParams::default().limit(1)).await?;
        let version = listed.metadata.resource_version.unwrap_or_default();
        let watching = WatchParams::default().timeout(WATCHING);
        let mut events = Box::pin(api.watch(&watching, &version).await?);
        let start = Instant::now();
        begin.await?;
        let (mut first, mut ready) = (None, BTreeSet::new());
        while let Some(event) = events.next().await {
            let WatchEvent::Modified(object) = event? else {
                continue;
            };
            first.get_or_insert_with(|| start.elapsed());
            if is_ready(&object) {
                ready.insert(object.name_any());
            }
            if ready.len() == self.size.objects {
                return Ok((first.unwrap_or_default(), start.elapsed()));
            }
        }
        Err(Failure::because(format!(
            "after {WATCHING} s only {} of {} SecretSyncs are ready",
            ready.len(),
            self.size.objects
        )))
    }

    /// Changes one path, asks for a read of its sync, and waits until its Secret has followed. Gives back how
    /// long that took from the request on.
    pub(super) async fn change_one(
        &self,
        number: usize,
        version: usize,
    ) -> Result<Duration, Failure> {
        let keys = self.size.keys;
        let wanted = entry(number, keys, version);
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let listed = secrets
            .list_metadata(&ListParams::default().limit(1))
            .await?;
        let list_version = listed.metadata.resource_version.unwrap_or_default();
        let only = format!("metadata.name={}", name(number));
        let watching = WatchParams::default().fields(&only).timeout(WATCHING);
        let mut events = Box::pin(secrets.watch(&watching, &list_version).await?);
        write_entry(&self.vault, number, keys, version).await?;
        let patch =
            json!({"metadata": {"annotations": {"penstock.dev/refresh": version.to_string()}}});
        let start = Instant::now();
        syncs(&self.client, &self.namespace)
            .patch(&name(number), &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        while let Some(event) = events.next().await {
            if let WatchEvent::Modified(secret) = event?
                && holds(&secret, &wanted)
            {
                return Ok(start.elapsed());
            }
        }
        Err(Failure::because(format!("{} did not follow", name(number))))
    }

    /// Changes all paths, and waits until all Secrets have followed at their own pace. Gives back how long
    /// that took from the last change on.
    pub(super) async fn change_all(&self, version: usize) -> Result<Duration, Failure> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let listed = secrets
            .list_metadata(&ListParams::default().limit(1))
            .await?;
        let list_version = listed.metadata.resource_version.unwrap_or_default();
        let watching = WatchParams::default().timeout(WATCHING);
        let mut events = Box::pin(secrets.watch(&watching, &list_version).await?);
        self.fill_vault(version).await?;
        let start = Instant::now();
        let mark = format!("-{version:010}");
        let mut followed = BTreeSet::new();
        while let Some(event) = events.next().await {
            let WatchEvent::Modified(secret) = event? else {
                continue;
            };
            let data = secret.data.clone().unwrap_or_default();
            if data
                .get("KEY_00")
                .is_some_and(|value| value.0.ends_with(mark.as_bytes()))
            {
                followed.insert(secret.name_any());
            }
            if followed.len() == self.size.objects {
                return Ok(start.elapsed());
            }
        }
        Err(Failure::because(format!(
            "after {WATCHING} s only {} of {} Secrets have followed",
            followed.len(),
            self.size.objects
        )))
    }

    /// The part of the vault's audit log that is about the fleet.
    pub(super) fn paths() -> [String; 2] {
        [
            format!("{MOUNT}/data/{FOLDER}"),
            format!("{MOUNT}/metadata/{FOLDER}"),
        ]
    }
}

/// Makes the SecretSyncs of a fleet in any namespace.
pub(super) async fn create_syncs(
    client: &Client,
    namespace: &str,
    size: &Size,
) -> Result<(), SpreadError<kube::Error>> {
    let (api, interval) = (syncs(client, namespace), size.interval);
    let create = move |number| {
        let api = api.clone();
        async move {
            api.create(&PostParams::default(), &sync(number, interval))
                .await
                .map(drop)
        }
    };
    spread(size.objects, create).await
}

async fn write_entry(
    vault: &VaultClient,
    number: usize,
    keys: usize,
    version: usize,
) -> Result<(), VaultError> {
    let path = format!("{FOLDER}/{}", name(number));
    let entry = entry(number, keys, version);
    vault.put_json(MOUNT, &path, entry).await.map(drop)
}

fn is_ready(sync: &DynamicObject) -> bool {
    let conditions = sync.data["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

fn holds(secret: &Secret, wanted: &Value) -> bool {
    let data = secret.data.clone().unwrap_or_default();
    let wanted = wanted.as_object().into_iter().flatten();
    let mut pairs = wanted.map(|(key, value)| (data.get(key), value.as_str()));
    pairs.all(|(held, value)| held.map(|held| held.0.as_slice()) == value.map(str::as_bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::ByteString;

    use super::*;

    #[test]
    fn every_key_of_every_version_has_a_value_of_its_own() {
        let values = |version| -> Vec<Value> {
            let entry = entry(7, 10, version);
            entry.as_object().unwrap().values().cloned().collect()
        };
        let (one, two) = (values(1), values(2));
        assert_eq!(one.len(), 10);
        assert!(one.iter().all(|value| value.as_str().unwrap().len() == 32));
        assert!(one.iter().all(|value| !two.contains(value)));
    }

    #[test]
    fn a_secret_holds_an_entry_when_all_keys_do() {
        let mut secret = Secret::default();
        let text = |value: &Value| ByteString(value.as_str().unwrap().as_bytes().to_vec());
        let wanted = entry(1, 2, 1);
        let pairs = wanted.as_object().unwrap().iter();
        let data: BTreeMap<_, _> = pairs
            .map(|(key, value)| (key.clone(), text(value)))
            .collect();
        secret.data = Some(data);
        assert!(holds(&secret, &wanted));
        assert!(!holds(&secret, &entry(1, 2, 2)));
    }

    #[test]
    fn a_sync_is_ready_by_its_condition() {
        let mut object = sync(3, Duration::from_secs(20));
        assert_eq!(object.data["spec"]["interval"], "20s");
        assert!(!is_ready(&object));
        object.data["status"] = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        assert!(is_ready(&object));
    }
}
