//! Secrets, ConfigMaps and tokens of ServiceAccounts, read by name: what stores log in with, and what serves
//! as a source.
//!
//! A resourceVersion is passed on as an opaque text. It does not order what was read: it changes with every
//! label, and differs between a cluster and its restored copy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::{Key, NamespaceName, ObjectName};
use penstock_domain::reserved::{ACCEPT_FROM_ANNOTATION, GROUP, RECORD_LABEL, is_reserved_object};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{Credentials, DataKind, DataObject, DataObjects, TokenRequest};
use serde::Deserialize;
use serde_json::json;

use super::api_server::ApiServer;
use super::audience::audiences;
use super::object::{ConfigMap, MetadataOnly, Secret, Text};
use super::request::{Address, Call, Resource};

/// Reads Secrets and ConfigMaps, and asks for tokens of ServiceAccounts.
///
/// RBAC in the namespaces that are served: `get` on `secrets` and `configmaps`. For each ServiceAccount that
/// a store may log in with: `get` on it, and `create` on `serviceaccounts/token` under its name.
#[derive(Clone)]
pub struct KubernetesReaders {
    api: ApiServer,
    /// What a token must not be for.
    cluster_audiences: Arc<BTreeSet<String>>,
}

#[derive(Deserialize)]
struct IssuedToken {
    status: IssuedTokenStatus,
}

#[derive(Deserialize)]
struct IssuedTokenStatus {
    token: Text,
}

impl KubernetesReaders {
    /// Readers behind this API server.
    pub fn new(api: ApiServer) -> Self {
        Self {
            api,
            cluster_audiences: Arc::default(),
        }
    }

    /// The same readers, which give no store a token that is good where `own_token`, the operator's, is.
    #[must_use]
    pub fn guarding(self, own_token: &SecretValue) -> Self {
        Self {
            cluster_audiences: Arc::new(audiences(own_token)),
            ..self
        }
    }

    async fn secret(&self, address: Address<'_>, subject: &str) -> Result<Option<Secret>, Fault> {
        if is_reserved_object(address.name) {
            return Err(reserved(subject));
        }
        let found = self.api.find::<Secret>(&Call::get(address)).await;
        let found = found.map_err(|failure| failure.fault(subject))?;
        let ours = |secret: &Secret| {
            secret.type_name.starts_with(GROUP) || secret.metadata.labels.contains_key(RECORD_LABEL)
        };
        match found {
            Some(secret) if ours(&secret) => Err(reserved(subject)),
            found => Ok(found),
        }
    }

    async fn config_map(
        &self,
        address: Address<'_>,
        subject: &str,
    ) -> Result<Option<ConfigMap>, Fault> {
        if is_reserved_object(address.name) {
            return Err(reserved(subject));
        }
        let found = self.api.find::<ConfigMap>(&Call::get(address)).await;
        found.map_err(|failure| failure.fault(subject))
    }

    /// Whether the ServiceAccount lets itself be used by the store. One that says nothing does not.
    async fn consent(&self, request: &TokenRequest, subject: &str) -> Result<(), Fault> {
        let address = Address {
            resource: Resource::ServiceAccount,
            namespace: &request.namespace,
            name: request.service_account.as_str(),
        };
        let call = Call::get(address).metadata_only();
        let account = self.api.call::<MetadataOnly>(&call).await;
        let account = account.map_err(|failure| failure.fault(subject))?;
        let listed = account.metadata.annotations.get(ACCEPT_FROM_ANNOTATION);
        let mut listed = listed.into_iter().flat_map(|list| list.split(','));
        if listed.any(|store| store.trim() == request.store.as_str()) {
            return Ok(());
        }
        let message = format!(
            "it does not consent to being used by the store {}",
            request.store
        );
        Err(Fault::new(FaultClass::Denied, subject, message)
            .because(Reason::NotAllowed)
            .hint(format!(
                "Annotate it with `{ACCEPT_FROM_ANNOTATION}: {}`",
                request.store
            )))
    }
}

#[async_trait]
impl Credentials for KubernetesReaders {
    async fn secret_key(
        &self,
        namespace: &NamespaceName,
        name: &ObjectName,
        key: &str,
    ) -> Result<SecretValue, Fault> {
        let (address, subject) = place(DataKind::Secret, namespace, name);
        let secret = self.secret(address, &subject).await?;
        let mut data = secret.ok_or_else(|| absent(&subject))?.data;
        let value = Key::new(key).ok().and_then(|key| data.remove(&key));
        value
            .map(|value| value.0)
            .ok_or_else(|| no_key(&subject, key))
    }

    async fn config_map_key(
        &self,
        namespace: &NamespaceName,
        name: &ObjectName,
        key: &str,
    ) -> Result<String, Fault> {
        let (address, subject) = place(DataKind::ConfigMap, namespace, name);
        let map = self.config_map(address, &subject).await?;
        let map = map.ok_or_else(|| absent(&subject))?;
        let missing = || no_key(&subject, key);
        let key = Key::new(key).map_err(|_| missing())?;
        if map.binary_data.contains_key(&key) {
            let message = format!("its key `{key}` is not text");
            return Err(Fault::new(FaultClass::Invalid, &subject, message));
        }
        let text = map.data.get(&key).and_then(|text| text.0.expose_text());
        text.map(str::to_owned).ok_or_else(missing)
    }

    async fn service_account_token(&self, request: &TokenRequest) -> Result<SecretValue, Fault> {
        let subject = format!("ServiceAccount {}", request.service_account);
        if request.audiences.is_empty() {
            // Without one, the token would be good for the API server itself.
            return Err(Fault::new(
                FaultClass::Invalid,
                &subject,
                "a token for a store must name its audience",
            ));
        }
        if let Some(audience) = request
            .audiences
            .iter()
            .find(|audience| self.cluster_audiences.contains(*audience))
        {
            let message = format!("a token for `{audience}` would open the cluster itself");
            return Err(Fault::new(FaultClass::Denied, &subject, message)
                .because(Reason::NotAllowed)
                .hint("Leave `audiences` out, or name what the store alone expects"));
        }
        self.consent(request, &subject).await?;
        let address = Address {
            resource: Resource::ServiceAccountToken,
            namespace: &request.namespace,
            name: request.service_account.as_str(),
        };
        let body = json!({
            "apiVersion": Resource::ServiceAccountToken.api_version(),
            "kind": Resource::ServiceAccountToken.kind(),
            "spec": {
                "audiences": request.audiences,
                "expirationSeconds": request.lifetime_seconds,
            },
        });
        let call = Call::create_below(address, "token", &body);
        let issued = self.api.call::<IssuedToken>(&call).await;
        issued
            .map(|issued| issued.status.token.0)
            .map_err(|failure| failure.fault(&subject))
    }
}

#[async_trait]
impl DataObjects for KubernetesReaders {
    async fn get(
        &self,
        namespace: &NamespaceName,
        kind: DataKind,
        name: &ObjectName,
    ) -> Result<Option<DataObject>, Fault> {
        let (address, subject) = place(kind, namespace, name);
        let found = match kind {
            DataKind::Secret => {
                let secret = self.secret(address, &subject).await?;
                secret.map(|secret| {
                    let values = secret.data.into_iter().map(|(key, value)| (key, value.0));
                    (secret.metadata, values.collect())
                })
            }
            DataKind::ConfigMap => {
                let map = self.config_map(address, &subject).await?;
                map.map(|map| {
                    let text = map.data.into_iter().map(|(key, value)| (key, value.0));
                    let bytes = map.binary_data.into_iter();
                    let bytes = bytes.map(|(key, value)| (key, value.0));
                    (map.metadata, text.chain(bytes).collect())
                })
            }
        };
        Ok(
            found.map(|(mut metadata, data): (_, BTreeMap<Key, _>)| DataObject {
                accept_from: metadata.annotations.remove(ACCEPT_FROM_ANNOTATION),
                resource_version: metadata.resource_version,
                data: data
                    .into_iter()
                    .map(|(key, value)| (key.into(), value))
                    .collect(),
            }),
        )
    }
}

fn place<'a>(
    kind: DataKind,
    namespace: &'a NamespaceName,
    name: &'a ObjectName,
) -> (Address<'a>, String) {
    let resource = match kind {
        DataKind::Secret => Resource::Secret,
        DataKind::ConfigMap => Resource::ConfigMap,
    };
    let address = Address {
        resource,
        namespace,
        name: name.as_str(),
    };
    (address, format!("{} {name}", resource.kind()))
}

fn absent(subject: &str) -> Fault {
    Fault::new(FaultClass::NotFound, subject, "does not exist")
}

fn no_key(subject: &str, key: &str) -> Fault {
    Fault::new(
        FaultClass::NotFound,
        subject,
        format!("it has no key `{key}`"),
    )
}

fn reserved(subject: &str) -> Fault {
    Fault::new(
        FaultClass::Denied,
        subject,
        "it is Penstock's own and never read as a source or as credentials",
    )
}
