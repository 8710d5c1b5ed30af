//! What the vault holds for a stage.

use penstock_testbed::{Door, Failure, VaultClient};
use serde_json::{Value, json};

use super::leaks::{MARKER, holds_marker};
use super::place::{MOUNT, Stage};

impl Stage {
    /// The stage's folder in the vault: what `$apps` stands for.
    pub(in crate::cluster) fn apps(&self) -> String {
        format!("apps/{}", self.place.namespace)
    }

    fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.apps())
    }

    /// Writes an entry below the stage's folder, as a whole. Every value must hold [`MARKER`].
    pub(in crate::cluster) async fn put(
        &self,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Result<u64, Failure> {
        let fields = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)));
        self.put_json(path, Value::Object(fields.collect())).await
    }

    /// Writes an entry as any JSON object. Every string in it must hold [`MARKER`], plain or in base64.
    pub(in crate::cluster) async fn put_json(
        &self,
        path: &str,
        fields: Value,
    ) -> Result<u64, Failure> {
        if let Some(plain) = unmarked(&fields) {
            let message = format!("{path}: the value {plain:?} lacks {MARKER:?}");
            return Err(Failure::because(message));
        }
        Ok(self.vault.put_json(MOUNT, &self.at(path), fields).await?)
    }

    /// Puts tags on an entry: the custom metadata that OpenBao keeps beside its versions.
    pub(in crate::cluster) async fn tag(
        &self,
        path: &str,
        tags: &[(&str, &str)],
    ) -> Result<(), Failure> {
        let tags = tags
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)));
        let tags = Value::Object(tags.collect());
        let path = format!("{MOUNT}/metadata/{}", self.at(path));
        self.vault
            .post(&path, json!({"custom_metadata": tags}))
            .await?;
        Ok(())
    }

    /// Deletes the newest version of an entry.
    pub(in crate::cluster) async fn delete_entry(&self, path: &str) -> Result<(), Failure> {
        Ok(self.vault.delete(MOUNT, &self.at(path)).await?)
    }

    /// Removes an entry with all its versions, as if it had never been.
    pub(in crate::cluster) async fn purge_entry(&self, path: &str) -> Result<(), Failure> {
        Ok(self.vault.purge(MOUNT, &self.at(path)).await?)
    }

    /// How often the vault was asked for an entry, or for those below it.
    pub(in crate::cluster) fn reads(&self, path: &str) -> Result<usize, Failure> {
        let path = format!("{MOUNT}/data/{}", self.at(path));
        Ok(self.testbed.openbao.count("read", &path)?)
    }

    /// The vault, with all rights.
    pub(in crate::cluster) fn vault(&self) -> &VaultClient {
        &self.vault
    }

    /// The token that the stage's store logs in with.
    pub(in crate::cluster) fn vault_token(&self) -> &str {
        &self.place.vault_token
    }

    /// Moves the door between store and vault. Only with [`Setup::gated`](super::Setup::gated).
    pub(in crate::cluster) async fn set_door(&self, door: Door) -> Result<(), Failure> {
        let gate = self.gate.as_ref();
        let gate = gate.ok_or_else(|| Failure::because("this case asked for no gate"))?;
        Ok(gate.set(door).await?)
    }
}

/// A string that does not hold the marker, if there is one. Numbers and truth values tell nothing.
fn unmarked(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => (!holds_marker(text)).then_some(text),
        Value::Array(items) => items.iter().find_map(unmarked),
        Value::Object(members) => members.values().find_map(unmarked),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}
