//! Where a target lies and under which name we write it.

use std::collections::BTreeMap;

use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::SyncId;
use penstock_domain::reserved::field_manager;
use penstock_domain::sync::{Destination, ValidatedTarget};

use crate::kubernetes::request::{Address, Resource};

/// Where a target lies, and what its spec wants of the object apart from content.
pub(super) struct Place<'a> {
    pub(super) resource: Resource,
    sync: &'a SyncId,
    name: &'a str,
    /// Our field manager at this target.
    pub(super) manager: String,
    /// The target in messages: `Secret panbot-env`.
    pub(super) subject: String,
    /// The type, of a Secret.
    pub(super) secret_type: Option<&'a str>,
    pub(super) labels: &'a BTreeMap<String, String>,
    pub(super) annotations: &'a BTreeMap<String, String>,
    pub(super) immutable: bool,
}

impl<'a> Place<'a> {
    /// Where `target` lies; a file lies nowhere here.
    pub(super) fn new(sync: &'a SyncId, target: &'a ValidatedTarget) -> Result<Self, Fault> {
        let name = target.destination.object_name();
        let kind = target.destination.kind();
        let common = |resource, labels, annotations, immutable| Self {
            resource,
            sync,
            name,
            manager: field_manager(sync, &target.name),
            subject: format!("{kind} {name}"),
            secret_type: None,
            labels,
            annotations,
            immutable,
        };
        Ok(match &target.destination {
            Destination::Secret(secret) => Self {
                secret_type: Some(secret.secret_type.as_str()),
                ..common(
                    Resource::Secret,
                    &secret.labels,
                    &secret.annotations,
                    secret.immutable,
                )
            },
            Destination::ConfigMap(map) => common(
                Resource::ConfigMap,
                &map.labels,
                &map.annotations,
                map.immutable,
            ),
            Destination::File(_) | Destination::HostFile(_) => {
                let subject = format!("{kind} {name}");
                let message = "is no object of Kubernetes";
                return Err(Fault::new(FaultClass::NotSupported, subject, message));
            }
        })
    }

    pub(super) fn namespace(&self) -> &'a penstock_domain::names::NamespaceName {
        &self.sync.namespace
    }

    pub(super) fn address(&self) -> Address<'_> {
        Address {
            resource: self.resource,
            namespace: &self.sync.namespace,
            name: self.name,
        }
    }
}
