//! The objects of the quick start, as the API server has them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

/// What every object of the quick start is called.
pub(super) const NAME: &str = "shop";

const REVISION: &str = "deployment.kubernetes.io/revision";
const REFRESH: &str = "penstock.dev/refresh";

/// Reads and changes them, as a person with kubectl would.
pub(super) struct Shop {
    client: Client,
    namespace: String,
}

/// A SecretSync as it stands.
pub(super) struct SyncState(Value);

/// The Deployment, its ReplicaSets and its pods.
#[derive(Clone, Debug)]
pub(super) struct AppState {
    /// How often its template changed, counted from one.
    pub(super) revision: u64,
    /// How many templates it has had pods of.
    pub(super) replica_sets: usize,
    /// The pods that are not being ended, by name.
    pub(super) pods: Vec<String>,
    /// When the last of them started.
    started: Option<Timestamp>,
    wanted: usize,
    ready: usize,
    settled: bool,
}

impl Shop {
    pub(super) fn new(client: &Client, namespace: &str) -> Self {
        Self {
            client: client.clone(),
            namespace: namespace.to_owned(),
        }
    }

    /// The SecretSync.
    pub(super) async fn sync(&self) -> Result<SyncState, kube::Error> {
        let object = self.syncs().get(NAME).await?;
        Ok(SyncState(object.data))
    }

    /// Asks for a read now.
    pub(super) async fn refresh(&self, nonce: &str) -> Result<(), kube::Error> {
        let patch = json!({"metadata": {"annotations": {REFRESH: nonce}}});
        let parameters = PatchParams::default();
        self.syncs()
            .patch(NAME, &parameters, &Patch::Merge(patch))
            .await
            .map(drop)
    }

    /// The content of the Secret; none where there is no Secret.
    pub(super) async fn secret(&self) -> Result<Option<BTreeMap<String, Vec<u8>>>, kube::Error> {
        let secret = self.api::<Secret>().get_opt(NAME).await?;
        Ok(secret.map(|secret| {
            let data = secret.data.unwrap_or_default().into_iter();
            data.map(|(key, value)| (key, value.0)).collect()
        }))
    }

    /// Writes one key of the Secret, past everybody.
    pub(super) async fn edit_secret(&self, key: &str, value: &str) -> Result<(), kube::Error> {
        let patch = json!({"stringData": {key: value}});
        let parameters = PatchParams::default();
        self.api::<Secret>()
            .patch(NAME, &parameters, &Patch::Merge(patch))
            .await
            .map(drop)
    }

    /// Deletes the Secret.
    pub(super) async fn delete_secret(&self) -> Result<(), kube::Error> {
        let parameters = DeleteParams::default();
        self.api::<Secret>()
            .delete(NAME, &parameters)
            .await
            .map(drop)
    }

    /// The Deployment with what belongs to it.
    pub(super) async fn app(&self) -> Result<AppState, kube::Error> {
        let selected = ListParams::default().labels("app=shop");
        let (deployments, sets, pods) = (
            self.api::<Deployment>(),
            self.api::<ReplicaSet>(),
            self.api::<Pod>(),
        );
        let (deployment, sets, pods) = tokio::try_join!(
            deployments.get(NAME),
            sets.list(&selected),
            pods.list(&selected)
        )?;
        Ok(AppState::new(&deployment, sets.items.len(), &pods.items))
    }

    /// What the operator told about the SecretSync so far, oldest first: `Repaired  …`.
    pub(super) async fn events(&self) -> Result<Vec<String>, kube::Error> {
        let listed = self.api::<Event>().list(&ListParams::default()).await?;
        let ours = |event: &Event| {
            let regarding = event.regarding.as_ref();
            regarding.is_some_and(|object| object.kind.as_deref() == Some("SecretSync"))
        };
        let mut events: Vec<Event> = listed.items.into_iter().filter(ours).collect();
        events.sort_by_key(|event| event.event_time.as_ref().map(|time| time.0));
        let told = events.into_iter().map(|event| {
            let reason = event.reason.unwrap_or_default();
            format!("{reason}  {}", event.note.unwrap_or_default())
        });
        Ok(told.collect())
    }

    fn syncs(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("penstock.dev", "v1alpha1", "SecretSync");
        let resource = ApiResource::from_gvk_with_plural(&kind, "secretsyncs");
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}

impl SyncState {
    /// Whether a condition stands at `status` (`True`, `False`).
    pub(super) fn is(&self, condition: &str, status: &str) -> bool {
        self.condition(condition)
            .is_some_and(|condition| condition["status"] == status)
    }

    /// Whether the last value of the refresh annotation has been seen to.
    pub(super) fn has_seen(&self, nonce: &str) -> bool {
        self.0["status"]["refresh"] == nonce
    }

    /// Whether nothing is under way: the next write has a reason that is yet to come.
    pub(super) fn is_settled(&self) -> bool {
        let rollout = &self.0["status"]["rollout"]["phase"];
        self.is("Ready", "True")
            && self.is("Reconciling", "False")
            && (rollout.is_null() || rollout == "Complete")
    }

    /// What a condition says: `Ready=True  Synced: 1 of 1 …`.
    pub(super) fn says(&self, condition_type: &str) -> String {
        self.condition(condition_type).map_or_else(
            || format!("no condition {condition_type}"),
            |condition| {
                let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
                let (status, reason) = (text("status"), text("reason"));
                format!("{condition_type}={status}  {reason}: {}", text("message"))
            },
        )
    }

    fn condition(&self, condition: &str) -> Option<&Value> {
        self.conditions()
            .find(|candidate| candidate["type"] == condition)
    }

    fn conditions(&self) -> impl Iterator<Item = &Value> {
        self.0["status"]["conditions"]
            .as_array()
            .into_iter()
            .flatten()
    }
}

/// `Ready=True (Synced) Stale=False (Synced) …`
impl fmt::Display for SyncState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut any = false;
        for condition in self.conditions() {
            let text = |field: &str| condition[field].as_str().unwrap_or("?");
            let gap = if any { " " } else { "" };
            let (kind, status, reason) = (text("type"), text("status"), text("reason"));
            write!(formatter, "{gap}{kind}={status} ({reason})")?;
            any = true;
        }
        if any {
            Ok(())
        } else {
            formatter.write_str("the SecretSync has no status yet")
        }
    }
}

impl AppState {
    fn new(deployment: &Deployment, replica_sets: usize, pods: &[Pod]) -> Self {
        let spec = deployment.spec.as_ref();
        let status = deployment.status.clone().unwrap_or_default();
        let wanted = spec.and_then(|spec| spec.replicas).unwrap_or(1);
        let revision = deployment.annotations().get(REVISION);
        let alive = pods
            .iter()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none());
        let started = alive.clone().filter_map(started).max();
        let pods: Vec<String> = alive.map(ResourceExt::name_any).collect();
        let count = |number: Option<i32>| usize::try_from(number.unwrap_or(0)).unwrap_or(0);
        let seen = status.observed_generation == deployment.metadata.generation;
        Self {
            revision: revision.and_then(|text| text.parse().ok()).unwrap_or(0),
            replica_sets,
            wanted: count(Some(wanted)),
            ready: count(status.ready_replicas),
            settled: seen
                && status.updated_replicas == Some(wanted)
                && status.ready_replicas == Some(wanted)
                && pods.len() == count(Some(wanted)),
            started,
            pods,
        }
    }

    /// Whether its pods are all of the newest template, and ready.
    pub(super) fn is_settled(&self) -> bool {
        self.settled
    }

    /// Whether every pod started at least `age` ago.
    pub(super) fn is_older_than(&self, age: Duration) -> bool {
        let limit = Timestamp::now() - age;
        self.started.is_none_or(|started| started <= limit)
    }

    /// How many of `former`'s pods are still there.
    pub(super) fn shares_pods_with(&self, former: &Self) -> usize {
        let kept = |pod: &&String| former.pods.contains(pod);
        self.pods.iter().filter(kept).count()
    }
}

fn started(pod: &Pod) -> Option<Timestamp> {
    let status = pod.status.as_ref()?;
    status.start_time.as_ref().map(|time| time.0)
}

/// `revision 2, 2 of 2 pods ready`
impl fmt::Display for AppState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            revision,
            ready,
            wanted,
            ..
        } = self;
        write!(
            formatter,
            "revision {revision}, {ready} of {wanted} pods ready"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(status: &Value) -> Deployment {
        let document = json!({
            "metadata": {"generation": 3, "annotations": {REVISION: "2"}},
            "spec": {"replicas": 2, "selector": {}, "template": {}},
            "status": status,
        });
        serde_json::from_value(document).unwrap()
    }

    fn pod(name: &str, going: bool) -> Pod {
        let time = going.then_some("2026-11-22T00:00:00Z");
        let document = json!({"metadata": {"name": name, "deletionTimestamp": time}});
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn a_rollout_is_over_when_only_new_ready_pods_are_left() {
        let done = json!({"observedGeneration": 3, "updatedReplicas": 2, "readyReplicas": 2});
        let (a, b, c) = (pod("a", false), pod("b", false), pod("c", false));
        let settled =
            |status: &Value, pods: &[Pod]| AppState::new(&deployment(status), 2, pods).is_settled();
        assert!(settled(&done, &[a.clone(), b.clone(), pod("old", true)]));
        assert!(!settled(&done, &[a.clone(), b.clone(), c]));
        let old = json!({"observedGeneration": 2, "updatedReplicas": 2, "readyReplicas": 2});
        assert!(!settled(&old, &[a.clone(), b.clone()]));
        let half = json!({"observedGeneration": 3, "updatedReplicas": 1, "readyReplicas": 2});
        assert!(!settled(&half, &[a, b]));
    }

    #[test]
    fn pods_are_as_old_as_the_youngest() {
        let started = |second: &str| -> Pod {
            let time = format!("2026-11-22T00:00:{second}Z");
            serde_json::from_value(json!({"status": {"startTime": time}})).unwrap()
        };
        let pods = [started("00"), started("01")];
        let app = AppState::new(&deployment(&json!({})), 1, &pods);
        assert_eq!(app.started, Some("2026-11-22T00:00:01Z".parse().unwrap()));
        assert!(app.is_older_than(Duration::ZERO));
        assert!(!app.is_older_than(Duration::from_secs(u64::from(u32::MAX))));
    }

    #[test]
    fn pods_that_stayed_are_counted() {
        let state = |names: &[&str]| {
            let pods: Vec<Pod> = names.iter().map(|name| pod(name, false)).collect();
            AppState::new(&deployment(&json!({})), 1, &pods)
        };
        assert_eq!(state(&["b", "c"]).shares_pods_with(&state(&["a", "b"])), 1);
        assert_eq!(state(&["c"]).shares_pods_with(&state(&["a"])), 0);
    }

    #[test]
    fn conditions_are_told_in_one_line() {
        let state = SyncState(json!({"status": {"refresh": "7", "conditions": [
            {"type": "Ready", "status": "True", "reason": "Synced", "message": "1 of 1"},
            {"type": "Stale", "status": "False", "reason": "Synced", "message": ""},
        ]}}));
        assert_eq!(
            state.to_string(),
            "Ready=True (Synced) Stale=False (Synced)"
        );
        assert!(state.is("Ready", "True") && state.has_seen("7") && !state.has_seen("8"));
        assert_eq!(state.says("Ready"), "Ready=True  Synced: 1 of 1");
        assert_eq!(
            SyncState(json!({})).to_string(),
            "the SecretSync has no status yet"
        );
    }
}
