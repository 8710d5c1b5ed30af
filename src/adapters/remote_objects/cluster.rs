//! Another cluster, over the common HTTP layer.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use penstock_domain::api::kubernetes::{CaCertificates, KubernetesProvider, KubernetesServer};
use penstock_domain::api::shared::{ConfigMapKeyRef, SecretKeyRef};
use penstock_domain::api::store::Identity;
use penstock_domain::bundle::Snapshot;
use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{Capabilities, Capability, Credentials, DataKind, StoreObject};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::items::changed;
use super::kubeconfig::{self, Access};
use super::query::ObjectQuery;
use crate::credential_hash::hash_of;
use crate::http::client::{ClientSettings, HttpClient, HttpLayer, Request, Response};
use crate::http::error::SendRequest;
use crate::http::json;
use crate::http::tls::TlsSettings;
use crate::open::{OpenedItems, OpenedStore, StoreFailure, StoreQuery};

/// A store that reads one namespace of another cluster.
pub struct OtherCluster {
    http: HttpClient,
    /// The `Authorization` header; none where a client certificate says who we are.
    authorization: Option<SecretValue>,
    namespace: NamespaceName,
    credential_hash: [u8; 32],
}

/// A Secret or ConfigMap, as far as its content goes (`k8s.io/api/core/v1`).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    kind: String,
    #[serde(default)]
    data: Option<BTreeMap<String, Zeroizing<String>>>,
    #[serde(default)]
    binary_data: Option<BTreeMap<String, Zeroizing<String>>>,
}

/// The API server's own shape of a failure (`k8s.io/apimachinery/pkg/apis/meta/v1`).
#[derive(Deserialize)]
struct Status {
    kind: String,
    #[serde(default)]
    reason: String,
}

impl OtherCluster {
    /// Opens a store: fetches what it names, and sends nothing yet.
    pub async fn open(
        store: &StoreObject,
        provider: &KubernetesProvider,
        layer: &HttpLayer,
        credentials: &Arc<dyn Credentials>,
    ) -> Result<Self, Fault> {
        let subject = store.reference.to_string();
        if store.identity == Identity::Operator {
            return Err(Fault::new(
                FaultClass::Invalid,
                subject,
                "the operator's own identity goes to its own API server alone: set `identity: credentials`",
            ));
        }
        let fetch = Fetch { store, credentials };
        let namespace = NamespaceName::new(provider.namespace.as_str())
            .map_err(|error| fetch.wrong("namespace", &error.to_string()))?;
        let access = match (&provider.kubeconfig_ref, &provider.server) {
            (Some(reference), None) => fetch.kubeconfig(reference).await?,
            (None, Some(server)) => fetch.server(server).await?,
            _ => return Err(fetch.wrong("server", "set one of kubeconfigRef, server")),
        };
        let http = layer
            .client(&ClientSettings::of(store, &access.address, &access.tls))
            .map_err(|error| error.fault(&subject))?;
        Ok(Self {
            http,
            credential_hash: hash(&access),
            authorization: access
                .token
                .map(|token| SecretValue::new([b"Bearer ", token.expose()].concat())),
            namespace,
        })
    }

    async fn get(
        &self,
        subject: &str,
        wanted: &ObjectQuery,
    ) -> Result<BTreeMap<String, SecretValue>, StoreFailure> {
        let request = Request::get(self.path_of(wanted))
            .header("accept", "application/json")
            .map_err(|error| self.failed(subject, &error))?;
        let object = wanted.object(&self.namespace);
        let response = self.ask(subject, request, &object).await?;
        let status = response.status.as_u16();
        content(wanted.kind, response.body()).ok_or_else(|| unbelievable(subject, status))
    }

    /// Sends a request about `object`, in our name, and hands on what succeeds.
    pub(super) async fn ask(
        &self,
        subject: &str,
        mut request: Request,
        object: &str,
    ) -> Result<Response, StoreFailure> {
        let failed = |error: SendRequest| self.failed(subject, &error);
        if let Some(authorization) = &self.authorization {
            request = request
                .credential("authorization", authorization)
                .map_err(failed)?;
        }
        let response = self.http.send(&request).await.map_err(failed)?;
        match response.status.as_u16() {
            200 | 201 => Ok(response),
            status => Err(refusal(subject, object, status, &response)),
        }
    }

    pub(super) fn failed(&self, subject: &str, error: &SendRequest) -> StoreFailure {
        StoreFailure {
            blames_credentials: matches!(error, SendRequest::Verify(_) | SendRequest::Credential),
            fault: error.fault(subject, self.http.host()),
        }
    }

    pub(super) fn namespace(&self) -> &NamespaceName {
        &self.namespace
    }

    /// Where an object lies.
    pub(super) fn path_of(&self, wanted: &ObjectQuery) -> Vec<String> {
        let plural = match wanted.kind {
            DataKind::Secret => "secrets",
            DataKind::ConfigMap => "configmaps",
        };
        self.path([plural, wanted.name.as_str()])
    }

    /// Where all Secrets lie.
    pub(super) fn path_of_all(&self) -> Vec<String> {
        self.path(["secrets"])
    }

    fn path<const N: usize>(&self, rest: [&str; N]) -> Vec<String> {
        let namespace = ["api", "v1", "namespaces", self.namespace.as_str()];
        let segments = namespace.into_iter().chain(rest);
        segments.map(str::to_owned).collect()
    }
}

#[async_trait::async_trait]
impl OpenedStore for OtherCluster {
    fn credential_hash(&self) -> [u8; 32] {
        self.credential_hash
    }

    async fn read(&self, subject: &str, query: &StoreQuery) -> Result<Snapshot, StoreFailure> {
        let wanted = ObjectQuery::of(subject, query)?;
        let data = self.get(subject, &wanted).await?;
        Ok(wanted.snapshot(subject, data)?)
    }

    async fn probe(&self, subject: &str) -> Result<Capabilities, StoreFailure> {
        let wanted = ObjectQuery::probe(subject)?;
        match self.get(subject, &wanted).await {
            // Whether it is there does not matter: we may ask.
            Err(failure) if failure.fault.class != FaultClass::NotFound => Err(failure),
            _ => Ok(Capabilities::from([Capability::Read])),
        }
    }

    fn items(&self) -> Option<&dyn OpenedItems> {
        Some(self)
    }

    async fn close(&self) {}
}

fn hash(access: &Access) -> [u8; 32] {
    let identity = access.tls.identity.as_ref();
    hash_of([
        access.address.as_bytes(),
        access.tls.ca.as_deref().unwrap_or_default(),
        access
            .token
            .as_ref()
            .map(SecretValue::expose)
            .unwrap_or_default(),
        identity
            .map(|identity| identity.certificates.as_slice())
            .unwrap_or_default(),
        identity
            .map(|identity| identity.key.expose())
            .unwrap_or_default(),
    ])
}

/// What an object holds; `None` when the body is none of its kind.
fn content(kind: DataKind, body: &[u8]) -> Option<BTreeMap<String, SecretValue>> {
    let object: Object = json::parse_owned(body).ok()?;
    let data = object.data.unwrap_or_default().into_iter();
    match (kind, object.kind.as_str()) {
        (DataKind::Secret, "Secret") => data.map(decoded).collect(),
        (DataKind::ConfigMap, "ConfigMap") => {
            let texts = data.map(|(key, text)| Some((key, SecretValue::new(text.as_bytes()))));
            let bytes = object.binary_data.unwrap_or_default();
            texts.chain(bytes.into_iter().map(decoded)).collect()
        }
        _ => None,
    }
}

pub(super) fn decoded((key, text): (String, Zeroizing<String>)) -> Option<(String, SecretValue)> {
    let bytes = STANDARD.decode(text.as_bytes()).ok()?;
    Some((key, SecretValue::new(bytes)))
}

pub(super) fn unbelievable(subject: &str, status: u16) -> StoreFailure {
    Fault::new(
        FaultClass::Unavailable,
        subject,
        format!("the answer is not that of an API server (status {status})"),
    )
    .into()
}

fn refusal(subject: &str, object: &str, status: u16, response: &Response) -> StoreFailure {
    let own: Option<Status> = json::parse_owned(response.body()).ok();
    let own = own.filter(|own| own.kind == "Status");
    let of = |class, message: &str| Fault::new(class, object, message);
    match status {
        401 => StoreFailure {
            fault: Fault::new(FaultClass::Denied, subject, "the login is refused")
                .because(Reason::CredentialsRefused)
                .hint("Check the token or certificate, and whether it has expired"),
            blames_credentials: true,
        },
        403 => of(
            FaultClass::Denied,
            "the other cluster does not let it be read",
        )
        .hint("Grant `get` on it there")
        .into(),
        404 if own.as_ref().is_some_and(|own| own.reason == "NotFound") => of(
            FaultClass::NotFound,
            "it does not exist in the other cluster",
        )
        .into(),
        409 if own
            .as_ref()
            .is_some_and(|own| matches!(own.reason.as_str(), "Conflict" | "AlreadyExists")) =>
        {
            changed(object).into()
        }
        422 if own.as_ref().is_some_and(|own| own.reason == "Invalid") => of(
            FaultClass::Invalid,
            "the other cluster does not accept the change",
        )
        .hint("See whether it is immutable, or of a type that asks for certain keys")
        .into(),
        429 => Fault::throttled(
            subject,
            "the API server asks for patience",
            response.retry_after,
        )
        .into(),
        _ => unbelievable(subject, status),
    }
}

struct Fetch<'a> {
    store: &'a StoreObject,
    credentials: &'a Arc<dyn Credentials>,
}

impl Fetch<'_> {
    fn wrong(&self, field: &str, message: &str) -> Fault {
        Fault::new(
            FaultClass::Invalid,
            format!("{} spec.provider.kubernetes.{field}", self.store.reference),
            message,
        )
    }

    async fn kubeconfig(&self, reference: &SecretKeyRef) -> Result<Access, Fault> {
        let text = self.secret("kubeconfigRef", reference).await?;
        let access = text
            .expose_text()
            .ok_or(kubeconfig::ReadKubeconfig::Shape)
            .and_then(kubeconfig::read);
        access.map_err(|error| self.wrong("kubeconfigRef", &format!("the kubeconfig {error}")))
    }

    async fn server(&self, server: &KubernetesServer) -> Result<Access, Fault> {
        let authorities = server
            .variant()
            .map_err(|error| self.wrong("server", &error.to_string()))?;
        let ca = match authorities {
            CaCertificates::Bundle(bundle) => bundle.clone().into_bytes(),
            CaCertificates::Secret(reference) => {
                let value = self.secret("server.caSecretRef", reference).await?;
                value.expose().to_vec()
            }
            CaCertificates::ConfigMap(reference) => self.config_map(reference).await?.into_bytes(),
        };
        let token = self.secret("server.tokenRef", &server.token_ref).await?;
        Ok(Access {
            address: server.address.clone(),
            tls: TlsSettings {
                ca: Some(ca),
                ..TlsSettings::default()
            },
            token: Some(SecretValue::new(token.expose().trim_ascii())),
        })
    }

    async fn secret(&self, field: &str, reference: &SecretKeyRef) -> Result<SecretValue, Fault> {
        let name = ObjectName::new(reference.name.as_str())
            .map_err(|error| self.wrong(field, &error.to_string()))?;
        self.credentials
            .secret_key(&self.store.home, &name, &reference.key)
            .await
    }

    async fn config_map(&self, reference: &ConfigMapKeyRef) -> Result<String, Fault> {
        let name = ObjectName::new(reference.name.as_str())
            .map_err(|error| self.wrong("server.caConfigMapRef", &error.to_string()))?;
        self.credentials
            .config_map_key(&self.store.home, &name, &reference.key)
            .await
    }
}
