//! SecretSyncs as people see and change them, with the rights of whoever asks.
//!
//! A status that this version does not understand counts as empty, and the rest of the object is shown.

use async_trait::async_trait;
use jiff::Timestamp;
use penstock_domain::api::status::SecretSyncStatus;
use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::{NamespaceName, ObjectName, SyncId};
use penstock_domain::people::{SyncChange, SyncEvent, SyncObject, SyncObjects};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::api_server::ApiServer;
use super::failure::Failure;
use super::listing::Listing;
use super::object::Metadata;
use super::request::{Address, Call, Resource};

/// Who changes a SecretSync in a person's name.
const MANAGER: &str = "penstock-cli";

/// SecretSyncs behind an API server, as a person reaches them.
///
/// RBAC: `get`, `list` and `patch` on `secretsyncs`, `list` on `events`; to approve, what the chart's role
/// `approver` has.
#[derive(Clone)]
pub struct KubernetesSyncObjects {
    api: ApiServer,
}

#[derive(Deserialize)]
struct Sync {
    metadata: SyncMetadata,
    #[serde(default)]
    spec: SyncSpec,
    #[serde(default)]
    status: Value,
}

#[derive(Deserialize)]
struct SyncMetadata {
    #[serde(default)]
    namespace: String,
    #[serde(flatten)]
    rest: Metadata,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SyncSpec {
    suspend: Option<bool>,
}

impl Sync {
    /// None when its names are not those of an object in a namespace.
    fn view(self) -> Option<SyncObject> {
        let metadata = self.metadata.rest;
        Some(SyncObject {
            id: SyncId {
                namespace: NamespaceName::new(self.metadata.namespace).ok()?,
                name: ObjectName::new(metadata.name).ok()?,
            },
            uid: metadata.uid,
            generation: metadata.generation,
            annotations: metadata.annotations,
            deleting: metadata.deletion_timestamp.is_some(),
            suspended: self.spec.suspend.unwrap_or_default(),
            status: serde_json::from_value::<SecretSyncStatus>(self.status).unwrap_or_default(),
        })
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Event {
    metadata: EventMetadata,
    #[serde(rename = "eventTime")]
    time: Option<Timestamp>,
    deprecated_last_timestamp: Option<Timestamp>,
    series: Option<EventSeries>,
    #[serde(rename = "type")]
    kind: String,
    reason: String,
    note: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct EventMetadata {
    creation_timestamp: Option<Timestamp>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct EventSeries {
    last_observed_time: Option<Timestamp>,
}

impl Event {
    fn view(self) -> SyncEvent {
        let last = self.series.and_then(|series| series.last_observed_time);
        SyncEvent {
            at: last
                .or(self.time)
                .or(self.deprecated_last_timestamp)
                .or(self.metadata.creation_timestamp),
            warning: self.kind == "Warning",
            reason: self.reason,
            note: self.note,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SelfReview {
    status: SelfReviewStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SelfReviewStatus {
    user_info: UserInfo,
}

#[derive(Deserialize)]
struct UserInfo {
    username: String,
}

impl KubernetesSyncObjects {
    /// SecretSyncs behind this API server.
    pub fn new(api: ApiServer) -> Self {
        Self { api }
    }
}

#[async_trait]
impl SyncObjects for KubernetesSyncObjects {
    async fn get(&self, sync: &SyncId) -> Result<SyncObject, Fault> {
        let found = self.api.call::<Sync>(&Call::get(address(sync))).await;
        view(sync, found)
    }

    async fn list(&self, namespace: Option<&NamespaceName>) -> Result<Vec<SyncObject>, Fault> {
        let listing = Listing {
            resource: Resource::SecretSync,
            namespace,
            selector: "",
            fields: "",
            metadata_only: false,
        };
        let listed = self.api.list(listing, Sync::view).await;
        let mut syncs = listed.map_err(|failure| {
            let place = namespace.map_or_else(
                || "SecretSyncs of all namespaces".to_owned(),
                |namespace| format!("SecretSyncs of namespace {namespace}"),
            );
            to_a_person(&failure, &place)
        })?;
        syncs.sort_by(|one, other| {
            let names = |sync: &SyncObject| (sync.id.namespace.clone(), sync.id.name.clone());
            names(one).cmp(&names(other))
        });
        Ok(syncs)
    }

    async fn events(&self, sync: &SyncObject) -> Result<Vec<SyncEvent>, Fault> {
        let fields = format!("regarding.uid={}", sync.uid);
        let listing = Listing {
            resource: Resource::Event,
            namespace: Some(&sync.id.namespace),
            selector: "",
            fields: &fields,
            metadata_only: false,
        };
        let listed = self.api.list(listing, |event: Event| Some(event.view()));
        let mut events = listed.await.map_err(|failure| {
            to_a_person(&failure, &format!("Events of {}", subject(&sync.id)))
        })?;
        events.sort_by_key(|event| event.at);
        Ok(events)
    }

    async fn change(&self, sync: &SyncObject, change: &SyncChange) -> Result<SyncObject, Fault> {
        let call = Call::merge(address(&sync.id), MANAGER, &patch(&sync.uid, change));
        view(&sync.id, self.api.call::<Sync>(&call).await)
    }

    async fn user(&self) -> Result<String, Fault> {
        let resource = Resource::SelfReview;
        let body = json!({"apiVersion": resource.api_version(), "kind": resource.kind()});
        let call = Call::review(resource, &body);
        let review = self.api.call::<SelfReview>(&call).await;
        let review = review.map_err(|failure| to_a_person(&failure, "your user name"))?;
        Ok(review.status.user_info.username)
    }
}

fn address(sync: &SyncId) -> Address<'_> {
    Address {
        resource: Resource::SecretSync,
        namespace: &sync.namespace,
        name: sync.name.as_str(),
    }
}

fn subject(sync: &SyncId) -> String {
    format!("SecretSync {}/{}", sync.namespace, sync.name)
}

fn view(sync: &SyncId, answer: Result<Sync, Failure>) -> Result<SyncObject, Fault> {
    let subject = subject(sync);
    let object = answer.map_err(|failure| to_a_person(&failure, &subject))?;
    object.view().ok_or_else(|| {
        Fault::new(
            FaultClass::Unavailable,
            &subject,
            "the API server answers with an object that has no proper name",
        )
    })
}

/// Exactly what changes, on exactly the object that was seen: another uid answers 409.
fn patch(uid: &str, change: &SyncChange) -> Value {
    let mut patch = json!({"metadata": {"uid": uid}});
    if !change.annotations.is_empty() || !change.remove.is_empty() {
        let set = change.annotations.iter();
        let set = set.map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str())));
        let removed = change.remove.iter();
        let removed = removed.map(|name| ((*name).to_owned(), Value::Null));
        let annotations: Map<String, Value> = removed.chain(set).collect();
        patch["metadata"]["annotations"] = Value::Object(annotations);
    }
    if let Some(suspend) = change.suspend {
        patch["spec"] = json!({"suspend": suspend});
    }
    patch
}

/// What refuses the operator refuses a person: the sentence speaks to whoever can do something about it.
pub(super) fn to_a_person(failure: &Failure, subject: &str) -> Fault {
    let (verb, resource) = (failure.verb, failure.resource);
    let fault = failure.fault(subject);
    let forbidden = fault.class == FaultClass::Denied && fault.reason == Reason::Denied;
    match fault.class {
        _ if forbidden && failure.is_unauthorized() => Fault::new(
            FaultClass::Denied,
            subject,
            "the API server does not accept your credentials",
        )
        .hint("Log in to the cluster again, or name another --context"),
        _ if forbidden => Fault::new(
            FaultClass::Denied,
            subject,
            format!("the API server forbids you to {verb} {resource} here"),
        )
        .hint(format!(
            "Ask for `{verb}` on `{resource}`: the chart's roles `penstock-viewer`, `penstock-editor` and \
             `penstock-approver` have it. `kubectl auth whoami` tells who you are"
        )),
        FaultClass::NotFound if resource == Resource::SecretSync => {
            Fault::new(FaultClass::NotFound, subject, "does not exist")
                .hint("`penstock status --all-namespaces` lists those that do")
        }
        _ => fault,
    }
}

#[cfg(test)]
mod tests {
    use penstock_domain::reserved::REFRESH_ANNOTATION;

    use super::*;

    fn read(object: &Value) -> Option<SyncObject> {
        serde_json::from_value::<Sync>(object.clone())
            .unwrap()
            .view()
    }

    #[test]
    fn an_object_is_cut_down_to_what_people_see() {
        let object = json!({
            "metadata": {
                "name": "shop", "namespace": "prod", "uid": "u-1", "generation": 3,
                "resourceVersion": "7", "annotations": {"penstock.dev/refresh": "a"},
            },
            "spec": {"sources": [{"name": "x", "literal": {"a": "t0psecret"}}], "suspend": true},
            "status": {"observedGeneration": 3, "summary": "1/1"},
        });
        let sync = read(&object).unwrap();
        assert_eq!(
            format!("{}/{}", sync.id.namespace, sync.id.name),
            "prod/shop"
        );
        assert!(sync.suspended && sync.is_observed() && !sync.is_ready());
        assert_eq!(sync.status.summary.as_deref(), Some("1/1"));
        assert!(!format!("{sync:?}").contains("t0psecret"));
    }

    #[test]
    fn a_status_of_another_version_hides_nothing_else() {
        let object = json!({
            "metadata": {"name": "shop", "namespace": "prod", "uid": "u-1", "generation": 1},
            "spec": {"suspend": null},
            "status": {"targets": "all of them"},
        });
        let sync = read(&object).unwrap();
        assert_eq!(sync.status, SecretSyncStatus::default());
        assert_eq!(sync.uid, "u-1");
    }

    #[test]
    fn a_change_names_the_object_and_nothing_but_what_changes() {
        let refresh = SyncChange {
            annotations: [(REFRESH_ANNOTATION, "nonce".to_owned())].into(),
            ..SyncChange::default()
        };
        assert_eq!(
            patch("u-1", &refresh),
            json!({"metadata": {"uid": "u-1", "annotations": {"penstock.dev/refresh": "nonce"}}})
        );
        let resume = SyncChange {
            suspend: Some(false),
            ..SyncChange::default()
        };
        assert_eq!(
            patch("u-1", &resume),
            json!({"metadata": {"uid": "u-1"}, "spec": {"suspend": false}})
        );
    }
}
