//! What the cluster knows of a SecretSync, for a command line that would write its targets.

use kube::{Api, Client, Error};
use penstock_domain::api::secret_sync::SecretSync;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::SyncId;

/// Whether the SecretSync `id` is there, and if so, whether it is suspended. `None`: there is none, or the cluster
/// has no such kind.
pub async fn is_suspended(client: &Client, id: &SyncId) -> Result<Option<bool>, Fault> {
    let syncs: Api<SecretSync> = Api::namespaced(client.clone(), id.namespace.as_str());
    let found = syncs.get_opt(id.name.as_str()).await;
    let sync = found.map_err(|error| fault(id, &error))?;
    Ok(sync.map(|sync| sync.spec.suspend.unwrap_or_default()))
}

/// What the API server says may quote the object; only its class is told.
fn fault(id: &SyncId, error: &Error) -> Fault {
    let subject = format!("SecretSync {id}");
    match error {
        Error::Api(status) if status.code == 401 || status.code == 403 => {
            let fault = Fault::new(
                FaultClass::Denied,
                subject,
                "the API server does not show it",
            );
            fault.hint("Grant `get` on secretsyncs.penstock.dev, or leave the cluster's targets out with --target")
        }
        _ => Fault::new(
            FaultClass::Unavailable,
            subject,
            "the API server gives no usable answer",
        ),
    }
}
