//! SecretSyncs for programs.

use penstock_domain::api::status::PendingPlan;
use penstock_domain::conditions::ConditionType;
use penstock_domain::people::SyncObject;
use serde::Serialize;

use super::state::{State, reason, waits_for};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SyncEntry<'a> {
    namespace: &'a str,
    name: &'a str,
    state: &'static str,
    ready: bool,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    targets: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_plan: Option<&'a PendingPlan>,
}

/// `{"syncs": […]}`, in the order given.
pub fn as_json(syncs: &[SyncObject]) -> Result<String, serde_json::Error> {
    let entries: Vec<_> = syncs.iter().map(entry).collect();
    serde_json::to_string_pretty(&serde_json::json!({"syncs": entries}))
}

fn entry(sync: &SyncObject) -> SyncEntry<'_> {
    let ready = sync.condition(ConditionType::Ready);
    SyncEntry {
        namespace: sync.id.namespace.as_str(),
        name: sync.id.name.as_str(),
        state: State::of(sync).word(),
        ready: sync.is_ready(),
        reason: reason(sync),
        message: ready.map(|ready| ready.message.as_str()),
        revision: sync.status.revision.as_deref(),
        targets: sync.status.summary.as_deref(),
        waits_for: waits_for(sync),
        pending_plan: sync.pending_plan(),
    }
}
