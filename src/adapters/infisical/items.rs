//! Folders for people: an item is a folder, its keys are the secrets that lie right in it.
//!
//! Imports and references are left as they are: whoever changes a folder sees what stands in it. Version 4 of the
//! API sets several secrets in one step, all of them or none; on version 3 they are set one after the other, and
//! what was set before a failure stays. Neither takes a condition: the folder is read once more right before it is
//! written, and what somebody writes in between is lost.

use std::collections::BTreeMap;

use penstock_domain::bundle::Snapshot;
use penstock_domain::items::{Item, ItemState};
use penstock_domain::keys::hex;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::RemotePath;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::answer::{self, Asked, Outcome, Rejection};
use super::client::{Change, ChangeMethod, Resource};
use super::error::InfisicalError;
use super::secrets::{NO_API, Secrets};

/// The most names of one folder.
const MAX_NAMES: usize = 10_000;

/// A folder of an environment.
pub(super) struct Folder<'a> {
    pub(super) environment: &'a str,
    pub(super) path: &'a RemotePath,
}

impl<'a> Folder<'a> {
    fn body(&self) -> Body<'a> {
        Body {
            environment: self.environment,
            secret_path: Some(self.path()),
            ..Body::default()
        }
    }

    fn asked(&self) -> Asked {
        Asked {
            environment: self.environment.to_owned(),
            folder: self.path.clone().as_folder(),
            recursive: false,
            imports: false,
            references: false,
        }
    }

    fn path(&self) -> String {
        format!("/{}", self.path.clone().as_folder().to_text())
    }

    fn name(&self) -> String {
        format!("{}:{}", self.environment, self.path())
    }
}

impl Secrets {
    /// What lies in a folder.
    pub(super) async fn item(&self, folder: &Folder<'_>) -> Result<Item, InfisicalError> {
        let snapshot = self.standing(folder).await?;
        let state = ItemState::new(digest(snapshot.as_ref()));
        let exists = snapshot.is_some();
        let entries = snapshot.unwrap_or_default().entries;
        Ok(Item {
            exists,
            tags: entries
                .iter()
                .flat_map(|entry| entry.tags.iter().cloned())
                .collect(),
            version: None,
            keys: entries
                .into_iter()
                .map(|entry| (entry.name, entry.value))
                .collect(),
            state,
        })
    }

    /// The folders in a folder.
    pub(super) async fn names(&self, folder: &Folder<'_>) -> Result<Vec<String>, InfisicalError> {
        let id = self.project_id().await?;
        let mut refused = None;
        for (version, project) in [("v2", "projectId"), ("v1", "workspaceId")] {
            let resource = Resource {
                segments: ["api", version, "folders"].map(str::to_owned).into(),
                query: vec![
                    (project, id.to_owned()),
                    ("environment", folder.environment.to_owned()),
                    ("path", folder.path()),
                ],
                name: folder.name(),
                tag: None,
            };
            match self.client().read(&resource, answer::folders).await {
                Err(error) if error.concerns_one_api() => drop(refused.get_or_insert(error)),
                Err(error) => return Err(error),
                Ok(names) if names.len() > MAX_NAMES => {
                    let path = folder.name();
                    return Err(InfisicalError::TooLarge { path });
                }
                Ok(names) => {
                    let mut names: Vec<String> =
                        names.into_iter().map(|name| format!("{name}/")).collect();
                    names.sort();
                    return Ok(names);
                }
            }
        }
        Err(refused.unwrap_or(NO_API))
    }

    /// Sets secrets of the folder that was seen, which is made where it is missing.
    pub(super) async fn set(
        &self,
        folder: &Folder<'_>,
        keys: &BTreeMap<String, SecretValue>,
        expected: &ItemState,
    ) -> Result<(), InfisicalError> {
        let texts: Vec<(&str, &str)> = keys
            .iter()
            .map(|(name, value)| Ok((name.as_str(), kept(name, value)?)))
            .collect::<Result<_, InfisicalError>>()?;
        let standing = self.standing(folder).await?;
        if ItemState::new(digest(standing.as_ref())) != *expected {
            let path = folder.name();
            return Err(InfisicalError::Changed { path });
        }
        if standing.is_none() {
            self.make(folder).await?;
        }
        let id = self.project_id().await?;
        let all = Body {
            project_id: Some(id),
            mode: Some("upsert"),
            secrets: Some(texts.iter().map(Secret::of).collect()),
            ..folder.body()
        };
        let all = all.change(ChangeMethod::Patch, &["v4", "secrets", "batch"], folder)?;
        match self.client().change(&all, answer::outcome).await {
            Err(error) if error.concerns_one_api() => {}
            outcome => return settled(outcome?, folder),
        }
        let entries = standing.unwrap_or_default().entries;
        for (name, text) in texts {
            let method = if entries.iter().any(|entry| entry.name == name) {
                ChangeMethod::Patch
            } else {
                ChangeMethod::Post
            };
            let one = Body {
                workspace_id: Some(id),
                secret_value: Some(text),
                kind: Some("shared"),
                ..folder.body()
            };
            let one = one.change(method, &["v3", "secrets", "raw", name], folder)?;
            settled(self.client().change(&one, answer::outcome).await?, folder)?;
        }
        Ok(())
    }

    /// The secrets of a folder; none where there is no folder.
    async fn standing(&self, folder: &Folder<'_>) -> Result<Option<Snapshot>, InfisicalError> {
        match self.list(&folder.asked(), true).await {
            Ok(snapshot) => Ok(Some(snapshot)),
            Err(error) if error.rejection() == Some(&Rejection::Missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a folder and those above it that are missing. A folder that is there is no mistake.
    async fn make(&self, folder: &Folder<'_>) -> Result<(), InfisicalError> {
        let segments = folder.path.segments();
        for (depth, name) in segments.iter().enumerate() {
            let above = segments.get(..depth).unwrap_or_default().join("/");
            let above = RemotePath::parse(&above)
                .map_err(|_| InfisicalError::ask("the path is no path of folders"))?;
            let parent = Folder {
                environment: folder.environment,
                path: &above,
            };
            let known = self.names(&parent).await?;
            if !known.contains(&format!("{name}/")) {
                self.make_in(&parent, name).await?;
            }
        }
        Ok(())
    }

    async fn make_in(&self, parent: &Folder<'_>, name: &str) -> Result<(), InfisicalError> {
        let id = self.project_id().await?;
        let (path, environment) = (parent.path(), parent.environment);
        let new = Body {
            project_id: Some(id),
            environment,
            path: Some(&path),
            name: Some(name),
            ..Body::default()
        };
        let old = Body {
            project_id: None,
            workspace_id: Some(id),
            ..new.clone()
        };
        let new = new.change(ChangeMethod::Post, &["v2", "folders"], parent)?;
        let made = match self.client().change(&new, answer::outcome).await {
            Err(error) if error.concerns_one_api() => {
                let old = old.change(ChangeMethod::Post, &["v1", "folders"], parent)?;
                self.client().change(&old, answer::outcome).await
            }
            made => made,
        };
        settled(made?, parent)
    }
}

/// The body of a change. What is absent is not sent.
#[derive(Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace_id: Option<&'a str>,
    environment: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_value: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secrets: Option<Vec<Secret<'a>>>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Secret<'a> {
    secret_key: &'a str,
    secret_value: &'a str,
}

impl<'a> Secret<'a> {
    fn of((name, text): &(&'a str, &'a str)) -> Self {
        Self {
            secret_key: name,
            secret_value: text,
        }
    }
}

impl Body<'_> {
    fn change(
        &self,
        method: ChangeMethod,
        segments: &[&str],
        folder: &Folder<'_>,
    ) -> Result<Change, InfisicalError> {
        let texts = self.secrets.iter().flatten();
        let lengths = texts.map(|secret| secret.secret_key.len() + secret.secret_value.len() + 64);
        let length: usize = lengths.sum::<usize>() + self.secret_value.map_or(0, str::len) + 1024;
        // With room for all, escaped, so that no copy is left behind by growing.
        let mut body = Zeroizing::new(Vec::with_capacity(6 * length));
        serde_json::to_writer(&mut *body, self)
            .map_err(|_| InfisicalError::ask("the change does not become JSON"))?;
        Ok(Change {
            method,
            segments: ["api"]
                .iter()
                .chain(segments)
                .map(|segment| (*segment).to_owned())
                .collect(),
            body,
            name: folder.name(),
        })
    }
}

fn settled(outcome: Outcome, folder: &Folder<'_>) -> Result<(), InfisicalError> {
    match outcome {
        Outcome::Done => Ok(()),
        Outcome::Pending => Err(InfisicalError::Pending {
            path: folder.name(),
        }),
    }
}

/// The value as Infisical keeps it: it takes blanks away at both ends, all but one line end behind the value
/// (`backend/src/lib/schemas.ts`). Whoever writes another value would read this one back.
fn kept<'a>(name: &str, value: &'a SecretValue) -> Result<&'a str, InfisicalError> {
    let refuse = |message| {
        let name = name.to_owned();
        Err(InfisicalError::Value { name, message })
    };
    if name.is_empty() || name.trim() != name || name.contains([':', '/']) {
        return refuse("is no name for a secret of Infisical: it must hold neither `:` nor `/`");
    }
    let Some(text) = value.expose_text() else {
        return refuse(
            "the value is no text, and Infisical takes nothing else: encode it, in base64 for example",
        );
    };
    let inner = text.strip_suffix('\n').unwrap_or(text);
    if inner.trim() != inner {
        return refuse(
            "the value begins or ends with blanks, which Infisical takes away: encode it, in base64 for example",
        );
    }
    Ok(text)
}

/// Names, versions and values; none for no folder.
fn digest(snapshot: Option<&Snapshot>) -> String {
    let Some(snapshot) = snapshot else {
        return "none".to_owned();
    };
    let mut digest = Sha256::new();
    for entry in &snapshot.entries {
        let version = entry.version.as_deref().unwrap_or_default();
        for part in [
            entry.name.as_bytes(),
            version.as_bytes(),
            entry.value.expose(),
        ] {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
    }
    hex(&digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_come_back_as_something_else_is_refused_and_not_quoted() {
        for (name, value, good) in [
            ("A", "x", true),
            ("A", "", true),
            ("A", "-----BEGIN\nx\n-----END\n", true),
            ("A", " x", false),
            ("A", "x ", false),
            ("A", "x\n\n", false),
            ("A", "\n", true),
            ("", "x", false),
            ("A:B", "x", false),
            ("A/B", "x", false),
            (" A", "x", false),
        ] {
            let kept = kept(name, &SecretValue::from(value)).map(str::to_owned);
            assert_eq!(kept.is_ok(), good, "{name:?} {value:?}");
        }
        let error = kept("KEY", &SecretValue::new(vec![0xff, b'x'])).unwrap_err();
        let fault = error.fault("store s");
        assert!(fault.message.contains("KEY"), "{fault}");
    }
}
