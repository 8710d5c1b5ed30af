//! Looks, before anything starts, whether the cluster is what the operator needs: reachable, with our
//! definitions installed, and with the rights to watch.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use penstock_domain::api::cluster_sync::ClusterSecretSync;
use penstock_domain::api::secret_sync::SecretSync;
use penstock_domain::api::store::{ClusterSecretStore, SecretStore};
use penstock_domain::reserved::GROUP;

use crate::objects::Outline;
use crate::problem::describe;
use crate::settings::Settings;
use crate::watches::{Watchable, api, feeds, selectors};
use crate::world::{Feed, FeedKind, ObjectKind};

/// Why the operator cannot work in this cluster: what, where, and what to do.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PreflightError {
    /// The API server does not answer.
    #[error(
        "cannot reach the cluster: {why}. Check the kubeconfig, the network and the API server's certificate"
    )]
    ReachCluster {
        /// Why.
        why: String,
    },
    /// Our definitions are missing.
    #[error(
        "the cluster does not know {resource}. Install the definitions: `penstock crd | kubectl apply --server-side -f -`, or the chart"
    )]
    FindDefinition {
        /// Which.
        resource: String,
    },
    /// A right is missing.
    #[error(
        "may not {verbs} {resource} {place}: {why}. Grant these verbs to the operator's ServiceAccount, as the chart does"
    )]
    Ask {
        /// Which verbs are needed.
        verbs: &'static str,
        /// On what.
        resource: String,
        /// Where.
        place: String,
        /// The API server's sentence.
        why: String,
    },
}

/// Asks for one object of everything that will be watched.
pub(crate) async fn preflight(client: &Client, settings: &Settings) -> Result<(), PreflightError> {
    for feed in feeds(settings) {
        match feed.kind {
            FeedKind::Syncs => list::<SecretSync>(client, &feed).await?,
            FeedKind::Stores => list::<SecretStore>(client, &feed).await?,
            FeedKind::ClusterStores => list::<ClusterSecretStore>(client, &feed).await?,
            FeedKind::Targets(ObjectKind::Secret) => list::<Secret>(client, &feed).await?,
            FeedKind::Targets(ObjectKind::ConfigMap) => list::<ConfigMap>(client, &feed).await?,
            FeedKind::ClusterSyncs => list::<ClusterSecretSync>(client, &feed).await?,
            FeedKind::Namespaces => list::<Namespace>(client, &feed).await?,
        }
    }
    if let Some(election) = &settings.election {
        let namespace = settings.operator_namespace.as_str();
        let leases: Api<Outline<Lease>> = Api::namespaced_with(client.clone(), namespace, &());
        let place = format!("in namespace {namespace}");
        let verbs = "get, create and update";
        judge::<Lease>(
            leases.get_opt(&election.lease).await.map(drop),
            verbs,
            place,
        )?;
    }
    Ok(())
}

async fn list<K>(client: &Client, feed: &Feed) -> Result<(), PreflightError>
where
    K: Resource<DynamicType = ()>,
    Outline<K>: Watchable,
{
    let api: Api<Outline<K>> = api(client, feed);
    let place = match &feed.namespace {
        Some(namespace) if feed.kind == FeedKind::Namespaces => format!("called {namespace}"),
        Some(namespace) => format!("in namespace {namespace}"),
        None => "in the whole cluster".to_owned(),
    };
    let (label_selector, field_selector) = selectors(feed);
    let parameters = ListParams {
        label_selector,
        field_selector,
        ..ListParams::default().limit(1)
    };
    judge::<K>(
        api.list(&parameters).await.map(drop),
        "list and watch",
        place,
    )
}

fn judge<K: Resource<DynamicType = ()>>(
    answer: Result<(), kube::Error>,
    verbs: &'static str,
    place: String,
) -> Result<(), PreflightError> {
    let group = K::group(&());
    let separator = if group.is_empty() { "" } else { "." };
    let resource = format!("{}{separator}{group}", K::plural(&()));
    match answer {
        Ok(()) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 && group == GROUP => {
            Err(PreflightError::FindDefinition { resource })
        }
        Err(kube::Error::Api(status)) if matches!(status.code, 401 | 403) => {
            let why = describe(&kube::Error::Api(status));
            Err(PreflightError::Ask {
                verbs,
                resource,
                place,
                why,
            })
        }
        Err(error) => Err(PreflightError::ReachCluster {
            why: describe(&error),
        }),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::response::Status;

    use super::*;

    fn refusal(code: u16) -> Result<(), kube::Error> {
        let status = Status::failure("User \"penstock\" cannot", "Why").with_code(code);
        Err(kube::Error::Api(Box::new(status)))
    }

    #[test]
    fn each_failure_says_what_where_and_what_to_do() {
        let place = || "in namespace prod".to_owned();
        let missing = judge::<SecretSync>(refusal(404), "list and watch", place()).unwrap_err();
        assert!(missing.to_string().contains("secretsyncs.penstock.dev"));
        assert!(missing.to_string().contains("penstock crd"));
        let forbidden = judge::<Secret>(refusal(403), "list and watch", place()).unwrap_err();
        assert_eq!(
            forbidden.to_string(),
            "may not list and watch secrets in namespace prod: User \"penstock\" cannot. Grant these verbs to the operator's ServiceAccount, as the chart does"
        );
        let broken = judge::<Secret>(refusal(503), "list and watch", place()).unwrap_err();
        assert!(broken.to_string().starts_with("cannot reach the cluster"));
        assert_eq!(judge::<Secret>(Ok(()), "list and watch", place()), Ok(()));
    }
}
