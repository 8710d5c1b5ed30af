//! Secrets of another cluster for people: an item is a Secret, its keys are the Secret's. ConfigMaps are read by syncs
//! only.
//!
//! A change names the `resourceVersion` that was seen, so that the API server refuses it where somebody was faster
//! (`kubernetes.io/docs/reference/using-api/api-concepts`, "Conflicts"); it is a JSON merge patch (RFC 7386), which leaves
//! every other key as it is. What lists asks for metadata alone, and gets no value.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::items::{Item, ItemState};
use penstock_domain::names::Key;
use penstock_domain::reserved::OWNER_ANNOTATION;
use penstock_domain::secret::SecretValue;
use penstock_domain::sync::SourceOptions;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::cluster::{OtherCluster, decoded, unbelievable};
use super::query::ObjectQuery;
use crate::http::client::Request;
use crate::http::json;
use crate::open::{ItemAddress, OpenedItems, StoreFailure, StoreQuery};

/// Names that one answer brings at most (`limit`).
const PAGE: &str = "500";
/// The most names of one namespace.
const MAX_NAMES: usize = 10_000;
/// Answers with metadata alone.
const METADATA_ONLY: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
/// The type of Secrets that are made.
const TYPE: &str = "Opaque";
/// The state of an item that does not exist.
const ABSENT: &str = "";

/// A Secret, as far as people look at it.
#[derive(Deserialize)]
struct Standing {
    kind: String,
    metadata: Metadata,
    #[serde(default)]
    data: Option<BTreeMap<String, Zeroizing<String>>>,
    #[serde(default)]
    immutable: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    name: String,
    #[serde(default)]
    resource_version: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// A page of names.
#[derive(Deserialize)]
struct Names {
    kind: String,
    metadata: ListMetadata,
    items: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct ListMetadata {
    #[serde(default, rename = "continue")]
    next: String,
}

/// What is sent to make or change a Secret. What is absent is not sent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Change<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    metadata: ChangedMetadata<'a>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    secret_type: Option<&'a str>,
    data: BTreeMap<&'a str, Zeroizing<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangedMetadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_version: Option<&'a str>,
}

impl Change<'_> {
    fn body(&self) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
        let lengths = self
            .data
            .iter()
            .map(|(key, text)| key.len() + text.len() + 8);
        // With room for all, so that no copy is left behind by growing.
        let mut body = Zeroizing::new(Vec::with_capacity(lengths.sum::<usize>() + 1024));
        serde_json::to_writer(&mut *body, self)?;
        Ok(body)
    }
}

/// What is asked about, in the words of a source.
fn wanted(subject: &str, at: ItemAddress<'_>) -> Result<ObjectQuery, Fault> {
    check(subject, at)?;
    let query = StoreQuery {
        environment: at.environment.map(str::to_owned),
        path: at.path.clone(),
        recursive: false,
        field: None,
        version: None,
        options: SourceOptions::None,
        on_behalf_of: None,
    };
    ObjectQuery::of(subject, &query)
}

fn check(subject: &str, at: ItemAddress<'_>) -> Result<(), Fault> {
    if *at.options == SourceOptions::None {
        return Ok(());
    }
    let message = "a store of Kubernetes has no mounts";
    Err(Fault::new(FaultClass::Invalid, subject, message))
}

impl OtherCluster {
    /// The Secret; none where there is none.
    async fn standing(
        &self,
        subject: &str,
        wanted: &ObjectQuery,
    ) -> Result<Option<Standing>, StoreFailure> {
        let request = Request::get(self.path_of(wanted));
        let answer = self
            .ask(subject, request, &wanted.object(self.namespace()))
            .await;
        let response = match answer {
            Err(failure) if failure.fault.class == FaultClass::NotFound => return Ok(None),
            answer => answer?,
        };
        let standing: Option<Standing> = json::parse_owned(response.body()).ok();
        let standing = standing
            .filter(|one| one.kind == "Secret" && !one.metadata.resource_version.is_empty());
        let status = response.status.as_u16();
        standing
            .map(Some)
            .ok_or_else(|| unbelievable(subject, status))
    }

    async fn send(
        &self,
        subject: &str,
        (request, object): (Request, &str),
    ) -> Result<(), StoreFailure> {
        match self.ask(subject, request, object).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.fault.class == FaultClass::Denied => Err(StoreFailure {
                fault: Fault {
                    hint: Some("Grant `get`, `create` and `patch` on Secrets there".to_owned()),
                    ..failure.fault
                },
                ..failure
            }),
            Err(failure) => Err(failure),
        }
    }
}

/// What must not be changed by hand.
fn refuse_change(object: &str, standing: &Standing) -> Result<(), Fault> {
    if standing.immutable {
        let message = "it is immutable, and cannot be changed";
        return Err(Fault::new(FaultClass::Invalid, object, message)
            .hint("Make another one, and let sources name that"));
    }
    if standing.metadata.annotations.contains_key(OWNER_ANNOTATION) {
        let message = "it is the target of a SecretSync, which would undo the change";
        return Err(Fault::new(FaultClass::Invalid, object, message)
            .hint("Change it at the source of that SecretSync"));
    }
    Ok(())
}

fn names_are_keys(object: &str, keys: &BTreeMap<String, SecretValue>) -> Result<(), Fault> {
    let is_key = |name: &str| Key::new(name).is_ok_and(|key| key.is_kubernetes());
    match keys.keys().find(|name| !is_key(name)) {
        None => Ok(()),
        Some(name) => {
            let message = format!("`{}` cannot be a key of a Secret", name.escape_debug());
            Err(Fault::new(FaultClass::Invalid, object, message)
                .hint("Use letters, digits, `-`, `_` and `.`"))
        }
    }
}

#[async_trait]
impl OpenedItems for OtherCluster {
    async fn read(&self, subject: &str, at: ItemAddress<'_>) -> Result<Item, StoreFailure> {
        let wanted = wanted(subject, at)?;
        let Some(standing) = self.standing(subject, &wanted).await? else {
            return Ok(Item {
                exists: false,
                keys: BTreeMap::new(),
                version: None,
                tags: BTreeSet::new(),
                state: ItemState::new(ABSENT),
            });
        };
        let data = standing.data.unwrap_or_default().into_iter();
        let keys: Option<BTreeMap<String, SecretValue>> = data.map(decoded).collect();
        Ok(Item {
            exists: true,
            keys: keys.ok_or_else(|| unbelievable(subject, 200))?,
            version: None,
            tags: BTreeSet::new(),
            state: ItemState::new(standing.metadata.resource_version),
        })
    }

    async fn list(&self, subject: &str, at: ItemAddress<'_>) -> Result<Vec<String>, StoreFailure> {
        check(subject, at)?;
        if !at.path.segments().is_empty() || at.environment.is_some() {
            let message = "a namespace has no folders and no environments: list it as `/`";
            return Err(Fault::new(FaultClass::Invalid, subject, message).into());
        }
        let object = format!("the Secrets of namespace {}", self.namespace());
        let (mut names, mut next) = (Vec::new(), String::new());
        loop {
            let mut request = Request::get(self.path_of_all())
                .query("limit", PAGE)
                .header("accept", METADATA_ONLY)
                .map_err(|error| self.failed(subject, &error))?;
            if !next.is_empty() {
                request = request.query("continue", next);
            }
            let response = self.ask(subject, request, &object).await?;
            let page: Option<Names> = json::parse_owned(response.body()).ok();
            let page = page.filter(|page| page.kind == "PartialObjectMetadataList");
            let page = page.ok_or_else(|| unbelievable(subject, response.status.as_u16()))?;
            names.extend(page.items.into_iter().map(|item| item.metadata.name));
            if names.len() > MAX_NAMES {
                let message = format!("has more than {MAX_NAMES} Secrets");
                return Err(Fault::new(FaultClass::Invalid, subject, message).into());
            }
            if page.metadata.next.is_empty() {
                names.sort();
                return Ok(names);
            }
            next = page.metadata.next;
        }
    }

    async fn set(
        &self,
        subject: &str,
        at: ItemAddress<'_>,
        keys: &BTreeMap<String, SecretValue>,
        seen: &ItemState,
    ) -> Result<(), StoreFailure> {
        let wanted = wanted(subject, at)?;
        let object = wanted.object(self.namespace());
        names_are_keys(&object, keys)?;
        let standing = self.standing(subject, &wanted).await?;
        let version = standing
            .as_ref()
            .map_or(ABSENT, |one| &one.metadata.resource_version);
        if version != seen.as_str() {
            return Err(changed(&object).into());
        }
        if let Some(standing) = &standing {
            refuse_change(&object, standing)?;
        }
        let made = standing.is_none();
        let encoded = |value: &SecretValue| Zeroizing::new(STANDARD.encode(value.expose()));
        let change = Change {
            api_version: made.then_some("v1"),
            kind: made.then_some("Secret"),
            metadata: ChangedMetadata {
                name: made.then_some(wanted.name.as_str()),
                resource_version: (!made).then_some(version),
            },
            secret_type: made.then_some(TYPE),
            data: keys
                .iter()
                .map(|(key, value)| (key.as_str(), encoded(value)))
                .collect(),
        };
        let body = change.body().map_err(|_| {
            Fault::new(
                FaultClass::Invalid,
                &object,
                "the change does not become JSON",
            )
        })?;
        let request = if made {
            Request::post(self.path_of_all(), body)
        } else {
            Request::patch(self.path_of(&wanted), body)
                .header("content-type", "application/merge-patch+json")
                .map_err(|error| self.failed(subject, &error))?
        };
        self.send(subject, (request, &object)).await
    }
}

/// Somebody was faster.
pub(super) fn changed(object: &str) -> Fault {
    let message = "somebody else has changed it in the meantime";
    Fault::new(FaultClass::Conflict, object, message).hint("Nothing was written; look at it again")
}
