//! The Lease object in the operator's namespace.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};

use super::election::LeaseView;

/// Why the lease could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LeaseError {
    /// Somebody else wrote it first: read again.
    #[error("another replica wrote the lease first")]
    LoseRace,
    /// Somebody deleted it: make it again.
    #[error("the lease was deleted")]
    Vanish,
    /// The API server refused or did not answer.
    #[error("the API server did not take the request")]
    Ask(#[source] Box<kube::Error>),
}

/// What is to be written into the lease.
#[derive(Debug, Clone)]
pub(crate) struct LeaseClaim {
    /// The holder from now on; empty releases it.
    pub(crate) holder: String,
    /// How long it lasts.
    pub(crate) duration: Duration,
    /// How often it changed hands.
    pub(crate) transitions: i32,
    /// Since when it has been held; from now on when there is nothing to keep.
    pub(crate) acquired: Option<Timestamp>,
}

/// Where the lease lies.
#[async_trait]
pub(crate) trait Leases: Send + Sync {
    /// The lease, if there is one.
    async fn read(&self) -> Result<Option<LeaseView>, LeaseError>;

    /// Makes it (`expected` is none) or replaces it in exactly that version.
    async fn write(
        &self,
        claim: LeaseClaim,
        expected: Option<&str>,
    ) -> Result<LeaseView, LeaseError>;
}

/// The Lease object of one name.
#[derive(Clone)]
pub struct LeaseObject {
    api: Api<Lease>,
    name: String,
}

impl LeaseObject {
    /// The Lease `name` in `namespace`. The client should serve nothing else, so that a flood of other
    /// requests cannot hold up a renewal.
    pub fn new(client: Client, namespace: &str, name: String) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name,
        }
    }
}

fn view(lease: Lease) -> LeaseView {
    let spec = lease.spec.unwrap_or_default();
    let seconds = u64::try_from(spec.lease_duration_seconds.unwrap_or(0)).unwrap_or(0);
    LeaseView {
        holder: spec.holder_identity.unwrap_or_default(),
        duration: Duration::from_secs(seconds),
        transitions: spec.lease_transitions.unwrap_or(0),
        acquired: spec.acquire_time.map(|time| time.0),
        resource_version: lease.metadata.resource_version.unwrap_or_default(),
    }
}

fn failed(error: kube::Error) -> LeaseError {
    match &error {
        // 409 on replace: another version; on create: it is there already.
        kube::Error::Api(status) if status.code == 409 => LeaseError::LoseRace,
        kube::Error::Api(status) if status.code == 404 => LeaseError::Vanish,
        _ => LeaseError::Ask(Box::new(error)),
    }
}

#[async_trait]
impl Leases for LeaseObject {
    async fn read(&self) -> Result<Option<LeaseView>, LeaseError> {
        let lease = self.api.get_opt(&self.name).await.map_err(failed)?;
        Ok(lease.map(view))
    }

    async fn write(
        &self,
        claim: LeaseClaim,
        expected: Option<&str>,
    ) -> Result<LeaseView, LeaseError> {
        let now = MicroTime(Timestamp::now());
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                resource_version: expected.map(str::to_owned),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(claim.holder),
                lease_duration_seconds: i32::try_from(claim.duration.as_secs()).ok(),
                lease_transitions: Some(claim.transitions),
                acquire_time: Some(claim.acquired.map_or_else(|| now.clone(), MicroTime)),
                renew_time: Some(now),
                ..LeaseSpec::default()
            }),
        };
        let parameters = PostParams::default();
        let written = match expected {
            None => self.api.create(&parameters, &lease).await,
            Some(_) => self.api.replace(&self.name, &parameters, &lease).await,
        };
        written.map(view).map_err(failed)
    }
}
