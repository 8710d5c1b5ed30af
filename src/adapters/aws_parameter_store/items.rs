//! Folders of parameters for people: what stands in one, and how its parameters are set.
//!
//! An item is a folder, and a key of it one parameter. Parameter Store has no check-and-set: the folder is read once
//! more right before it is written, a new parameter is only made where there is none (`Overwrite` off), and what
//! somebody writes to an existing one in between is lost. Several keys are several calls: when one fails, those
//! before it are written, and whoever tries again finds them equal.

use std::collections::{BTreeMap, BTreeSet};

use penstock_domain::items::{Item, ItemState};
use penstock_domain::keys::hex;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::RemotePath;
use serde::de::IgnoredAny;
use sha2::{Digest as _, Sha256};

use super::parameters::{Folder, Parameters, rootless};
use super::wire::{PUT, Parameter, Put, SECURE};
use crate::aws::error::AwsError;

/// The largest value of a parameter of the advanced tier (User Guide, "Managing parameter tiers").
const MAX_VALUE: usize = 8192;
/// What AWS answers where there is a parameter already.
const EXISTS: &str = "ParameterAlreadyExists";

impl Parameters {
    /// What stands in a folder, not in those below it.
    pub(super) async fn item(&self, path: &RemotePath) -> Result<Item, AwsError> {
        let found = self.standing(path).await?;
        let keys = found.iter().map(|(name, parameter)| {
            let value = SecretValue::from(parameter.value.as_str());
            (last(name).to_owned(), value)
        });
        Ok(Item {
            exists: !found.is_empty(),
            keys: keys.collect(),
            version: None,
            tags: BTreeSet::new(),
            state: state(&found),
        })
    }

    /// The names in a folder. AWS tells what is below it only one by one.
    pub(super) async fn names(&self, path: &RemotePath) -> Result<Vec<String>, AwsError> {
        let found = self.parameters(of(path, true), false).await?;
        let prefix = path.to_text();
        let names = found.keys().filter_map(|name| {
            let below = name.strip_prefix(prefix.as_str())?.trim_start_matches('/');
            Some(match below.split_once('/') {
                Some((folder, _)) => format!("{folder}/"),
                None => below.to_owned(),
            })
        });
        let names: BTreeSet<String> = names.collect();
        Ok(names.into_iter().collect())
    }

    /// Sets parameters of the folder that was seen, and leaves the others alone.
    pub(super) async fn set(
        &self,
        path: &RemotePath,
        keys: &BTreeMap<String, SecretValue>,
        seen: &ItemState,
    ) -> Result<(), AwsError> {
        let found = self.standing(path).await?;
        let folder = path.to_text();
        if state(&found) != *seen {
            return Err(AwsError::Changed { what: folder });
        }
        let mut writes = Vec::with_capacity(keys.len());
        for (key, value) in keys {
            let text = text_of(key, value)?;
            let name = if folder.is_empty() {
                key.clone()
            } else {
                format!("{folder}/{key}")
            };
            let earlier = found.get(&name);
            if earlier.is_none_or(|earlier| earlier.value.as_str() != text) {
                writes.push((name, text, earlier));
            }
        }
        for (name, text, earlier) in writes {
            self.put(&name, text, earlier).await?;
        }
        Ok(())
    }

    async fn put(
        &self,
        name: &str,
        text: &str,
        earlier: Option<&Parameter>,
    ) -> Result<(), AwsError> {
        let rooted = format!("/{name}");
        let input = Put {
            name: earlier.map_or(rooted.as_str(), |earlier| earlier.name.as_str()),
            value: text,
            kind: earlier.map_or(SECURE, |earlier| earlier.kind.as_str()),
            overwrite: earlier.is_some(),
        };
        let written = self
            .client()
            .write::<IgnoredAny>(PUT, &rooted, &input)
            .await;
        match written {
            Err(error) if error.code() == Some(EXISTS) => Err(AwsError::Changed { what: rooted }),
            written => written.map(drop),
        }
    }

    async fn standing(&self, path: &RemotePath) -> Result<BTreeMap<String, Parameter>, AwsError> {
        self.parameters(of(path, false), true).await
    }
}

fn of(path: &RemotePath, recursive: bool) -> Folder<'_> {
    Folder {
        path,
        recursive,
        field: None,
        label: None,
    }
}

fn last(name: &str) -> &str {
    let name = rootless(name);
    name.rsplit_once('/').map_or(name, |(_, last)| last)
}

/// Names, versions and values; a parameter that was deleted and made anew has an old number again.
fn state(found: &BTreeMap<String, Parameter>) -> ItemState {
    let mut digest = Sha256::new();
    for (name, parameter) in found {
        digest.update(name.len().to_be_bytes());
        digest.update(name);
        digest.update(parameter.version.to_be_bytes());
        digest.update(parameter.value.len().to_be_bytes());
        digest.update(parameter.value.as_bytes());
    }
    ItemState::new(hex(&digest.finalize()))
}

/// What Parameter Store would take.
fn text_of<'a>(key: &str, value: &'a SecretValue) -> Result<&'a str, AwsError> {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if key.is_empty() || !key.bytes().all(sound) {
        return Err(AwsError::ask(
            "a name of a parameter has letters, digits, `_`, `.` and `-` only",
        ));
    }
    let text = value.expose_text().ok_or_else(|| {
        AwsError::ask("a parameter holds text only: encode the value, in base64 for example")
    })?;
    if text.is_empty() || text.len() > MAX_VALUE {
        return Err(AwsError::ask("a parameter holds 1 to 8,192 bytes"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_parameter_store_would_not_take_is_refused_before() {
        let text = |key: &str, value: &[u8]| text_of(key, &SecretValue::new(value)).is_ok();
        assert!(text("A_b.c-1", b"x"));
        for key in ["", "a/b", "a b", "\u{fc}", "a:1"] {
            assert!(!text(key, b"x"), "{key}");
        }
        for value in [&b""[..], b"\xff", &[b'x'; MAX_VALUE + 1]] {
            assert!(!text("A", value), "{}", value.len());
        }
    }
}
