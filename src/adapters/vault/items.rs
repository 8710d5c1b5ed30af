//! Single secrets of the KV engine: looked at as a whole, and changed key by key.
//!
//! KV 2 takes a write only for the version that was seen (`options.cas`; 0: there is none yet). KV 1 has nothing of
//! the kind: the secret is read once more right before it is written, and what somebody writes in between is lost.
//! Values that are no text (numbers, objects) are written back as the JSON that they came as.

use std::collections::{BTreeMap, BTreeSet};

use penstock_domain::items::{Item, ItemState};
use penstock_domain::keys::hex;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::RemotePath;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::answer::{self, KvVersion, Rejection, Secret};
use super::error::VaultError;
use super::kv::{Engine, Kv};

/// The most names of one folder.
const MAX_NAMES: usize = 10_000;

/// A secret as it came.
struct Seen {
    /// None where there is no secret, or its newest version is deleted.
    secret: Option<Secret>,
    state: ItemState,
}

impl Kv {
    /// What lies at `path`.
    pub(super) async fn item(
        &self,
        mount: &RemotePath,
        path: &RemotePath,
    ) -> Result<Item, VaultError> {
        let engine = self.engine(mount, path).await?;
        let Seen { secret, state } = self.seen(engine, path).await?;
        let exists = secret.is_some();
        let secret = secret.unwrap_or_else(|| Secret {
            fields: BTreeMap::new(),
            version: None,
            tags: BTreeSet::new(),
            created: String::new(),
            ends: false,
        });
        let keys = secret.fields.iter().map(|(name, raw)| {
            let value = answer::plain_value(raw)
                .map_err(|rejection| VaultError::read(engine.name(path), rejection))?;
            Ok((name.clone(), value))
        });
        Ok(Item {
            exists,
            keys: keys.collect::<Result<_, VaultError>>()?,
            version: secret.version.map(|version| version.to_string()),
            tags: secret.tags,
            state,
        })
    }

    /// The names in a folder.
    pub(super) async fn names(
        &self,
        mount: &RemotePath,
        path: &RemotePath,
    ) -> Result<Vec<String>, VaultError> {
        let folder = path.clone().as_folder();
        let engine = Engine {
            mount,
            version: self.version(mount).await?,
        };
        let mut resource = engine.resource("metadata", &folder);
        resource.query.push(("list", "true".to_owned()));
        let mut names = self.client().read(&resource, answer::names).await?;
        if names.len() > MAX_NAMES {
            return Err(VaultError::TooLarge {
                path: engine.name(&folder),
            });
        }
        names.sort();
        Ok(names)
    }

    /// Sets keys of the secret that was seen, and keeps the others.
    pub(super) async fn set(
        &self,
        mount: &RemotePath,
        path: &RemotePath,
        keys: &BTreeMap<String, SecretValue>,
        expected: &ItemState,
    ) -> Result<(), VaultError> {
        let engine = self.engine(mount, path).await?;
        let changed = || VaultError::Changed {
            path: engine.name(path),
        };
        let now = self.seen(engine, path).await?;
        if now.state != *expected {
            return Err(changed());
        }
        let mut fields = now.secret.map(|secret| secret.fields).unwrap_or_default();
        for (name, value) in keys {
            fields.insert(name.clone(), as_json(name, value)?);
        }
        let body = body(engine.version, &fields, expected);
        let written = self
            .client()
            .write(&engine.resource("data", path), body)
            .await;
        let Err(VaultError::Write { rejection, .. }) = &written else {
            return written;
        };
        if rejection.0 != Rejection::BadRequest {
            return written;
        }
        // It may be that the version is another one by now, for which there is no status of its own. It may even
        // be our own write, whose first answer was lost.
        let then = self.seen(engine, path).await?;
        match then.secret {
            Some(secret) if secret.fields == fields => Ok(()),
            _ if then.state != *expected => Err(changed()),
            _ => written,
        }
    }

    async fn engine<'a>(
        &self,
        mount: &'a RemotePath,
        path: &RemotePath,
    ) -> Result<Engine<'a>, VaultError> {
        if path.is_folder() {
            return Err(VaultError::ask(
                "the path of a folder is not that of a secret",
            ));
        }
        Ok(Engine {
            mount,
            version: self.version(mount).await?,
        })
    }

    async fn seen(&self, engine: Engine<'_>, path: &RemotePath) -> Result<Seen, VaultError> {
        let resource = engine.resource("data", path);
        let understand = |data: &_| answer::raw_secret(engine.version, data);
        let secret = match self.client().read(&resource, understand).await {
            Ok(secret) => Some(secret),
            Err(error) => match error.rejection() {
                Some(Rejection::Missing | Rejection::Deleted | Rejection::Destroyed) => None,
                _ => return Err(error),
            },
        };
        let state = match (engine.version, &secret) {
            (KvVersion::One, secret) => ItemState::new(digest(secret.as_ref())),
            (KvVersion::Two, Some(secret)) => counted(secret.version.unwrap_or_default()),
            (KvVersion::Two, None) => counted(self.newest(engine, path).await?),
        };
        Ok(Seen { secret, state })
    }

    /// The version that a write must name where there is no secret to be read: that of a deleted one counts on.
    async fn newest(&self, engine: Engine<'_>, path: &RemotePath) -> Result<u64, VaultError> {
        let metadata = engine.resource("metadata", path);
        match self.client().read(&metadata, answer::newest_version).await {
            // Without the right to look, it is taken for new; the server then refuses if it is not.
            Err(error)
                if matches!(
                    error.rejection(),
                    Some(Rejection::Missing | Rejection::Denied)
                ) =>
            {
                Ok(0)
            }
            found => found,
        }
    }
}

fn counted(version: u64) -> ItemState {
    ItemState::new(version.to_string())
}

/// Names and values; none for no secret.
fn digest(secret: Option<&Secret>) -> String {
    let Some(secret) = secret else {
        return "none".to_owned();
    };
    let mut digest = Sha256::new();
    for (name, value) in &secret.fields {
        digest.update(name.len().to_be_bytes());
        digest.update(name);
        digest.update(value.len().to_be_bytes());
        digest.update(value.expose());
    }
    hex(&digest.finalize())
}

fn as_json(name: &str, value: &SecretValue) -> Result<SecretValue, VaultError> {
    let text = value.expose_text().ok_or_else(|| {
        VaultError::ask(format!(
            "the value of {name} is no text, and Vault takes nothing else: encode it, in base64 for example"
        ))
    })?;
    serde_json::to_vec(text)
        .map(SecretValue::new)
        .map_err(|_| VaultError::ask(format!("the value of {name} does not become JSON")))
}

/// The body of a write. KV 1 takes the map itself.
fn body(
    version: KvVersion,
    fields: &BTreeMap<String, SecretValue>,
    expected: &ItemState,
) -> Zeroizing<Vec<u8>> {
    let length: usize = fields
        .iter()
        .map(|(name, value)| 6 * name.len() + value.len() + 8)
        .sum();
    // With room for all, so that no copy is left behind by growing.
    let mut body = Zeroizing::new(Vec::with_capacity(length + 64));
    if version == KvVersion::Two {
        body.extend_from_slice(br#"{"options":{"cas":"#);
        body.extend_from_slice(expected.as_str().as_bytes());
        body.extend_from_slice(br#"},"data":"#);
    }
    body.push(b'{');
    for (index, (name, value)) in fields.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(
            serde_json::Value::from(name.as_str())
                .to_string()
                .as_bytes(),
        );
        body.push(b':');
        body.extend_from_slice(value.expose());
    }
    body.push(b'}');
    if version == KvVersion::Two {
        body.push(b'}');
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> BTreeMap<String, SecretValue> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), SecretValue::from(*value));
        pairs.iter().map(own).collect()
    }

    #[test]
    fn a_body_is_what_each_version_takes_and_keeps_json_as_it_is() {
        let fields = fields(&[("n\"", "1.50"), ("s", r#""a\nb""#)]);
        let text = |version| {
            let body = body(version, &fields, &counted(3));
            String::from_utf8(body.to_vec()).unwrap()
        };
        let map = r#"{"n\"":1.50,"s":"a\nb"}"#;
        assert_eq!(text(KvVersion::One), map);
        assert_eq!(
            text(KvVersion::Two),
            format!(r#"{{"options":{{"cas":3}},"data":{map}}}"#)
        );
    }

    #[test]
    fn states_of_a_store_without_versions_differ_with_every_key_and_value() {
        let state = |pairs: &[(&str, &str)]| {
            digest(Some(&Secret {
                fields: fields(pairs),
                version: None,
                tags: BTreeSet::new(),
                created: String::new(),
                ends: false,
            }))
        };
        let states = [
            digest(None),
            state(&[]),
            state(&[("a", "bc")]),
            state(&[("ab", "c")]),
            state(&[("a", "b"), ("c", "")]),
        ];
        for (index, one) in states.iter().enumerate() {
            assert!(!states[index + 1..].contains(one), "{index}");
        }
    }

    #[test]
    fn a_value_that_is_no_text_is_refused_and_not_quoted() {
        let error = as_json("KEY", &SecretValue::new(vec![0xff, b'x'])).unwrap_err();
        assert!(error.to_string().contains("KEY"), "{error}");
    }
}
