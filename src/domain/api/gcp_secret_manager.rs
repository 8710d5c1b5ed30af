//! `spec.provider.gcpSecretManager`: Secret Manager of Google Cloud.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::null::null_is_empty;
use super::one_of::one_of;
use super::schema::{Filled, Map, Text, WebAddress, at_most_one, exactly_one};
use super::shared::{ConfigMapKeyRef, SecretKeyRef, ServiceAccountRef};
use super::source::Unusable;

/// A connection to the secrets of one project of Google Cloud.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = at_most_one(
    &["caBundle", "caSecretRef", "caConfigMapRef"],
    "the CA certificates lie in one place",
))]
pub struct GcpSecretManagerProvider {
    /// Project, by its id or number.
    #[schemars(with = "Filled<64>")]
    pub project: String,
    /// Location of regional secrets, such as `europe-west3`. Absent: global secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<64>>")]
    pub location: Option<String>,
    /// What stands between the segments of a path in the names of secrets, which cannot hold a slash: the
    /// secret `shop--DB_URL` is the entry `DB_URL` of the folder `shop`. Letters, digits, `-` and `_`. One that
    /// is part of a namespace's name makes folders of it: keep to the usual one where namespaces share a store.
    /// Absent: `--`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<8>>")]
    pub separator: Option<String>,
    /// Other addresses than Google's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<GcpEndpoints>,
    /// CA certificates (PEM) that the servers' certificates must chain to, instead of the usual ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<65536>>")]
    pub ca_bundle: Option<String>,
    /// CA certificates (PEM) in a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKeyRef>,
    /// CA certificates (PEM) in a ConfigMap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_config_map_ref: Option<ConfigMapKeyRef>,
    /// How to log in. Absent only beside `identity: operator` of a ClusterSecretStore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<GcpAuth>,
}

/// Addresses to use instead of Google's own: Private Service Connect, another universe, an emulator. Each gets
/// the credentials that belong there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GcpEndpoints {
    /// Secret Manager. Absent: `https://secretmanager.googleapis.com`, or that of the location.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<WebAddress>")]
    pub secret_manager: Option<String>,
    /// Where keys and refresh tokens become access tokens. Absent: `https://oauth2.googleapis.com`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<WebAddress>")]
    pub oauth2: Option<String>,
    /// Security Token Service, for workload identity. Absent: `https://sts.googleapis.com`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<WebAddress>")]
    pub sts: Option<String>,
    /// Where a service account is impersonated. Absent: `https://iamcredentials.googleapis.com`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<WebAddress>")]
    pub iam_credentials: Option<String>,
}

/// How to log in to Google Cloud. Exactly one of `credentialsJson`, `workloadIdentity`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(GcpAuth::MEMBERS, "there is exactly one way to log in"))]
pub struct GcpAuth {
    /// With the JSON document of a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_json: Option<GcpCredentialsJson>,
    /// Without a key: with a token of somebody whom Google Cloud trusts (workload identity federation).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload_identity: Option<GcpWorkloadIdentity>,
}

one_of! {
    /// How to log in to Google Cloud.
    GcpAuth => GcpLogin {
        /// With a key.
        CredentialsJson(GcpCredentialsJson) = credentials_json "credentialsJson",
        /// With a federated token.
        WorkloadIdentity(GcpWorkloadIdentity) = workload_identity "workloadIdentity",
    }
}

/// A key in Google's JSON format.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GcpCredentialsJson {
    /// Where the document is kept: a service account's key (`"type": "service_account"`), or what
    /// `gcloud auth application-default login` writes (`"type": "authorized_user"`). Addresses in it are not
    /// followed, and one that is not Google's own is refused.
    pub secret_ref: SecretKeyRef,
}

/// A token of somebody whom Google Cloud trusts, and whose name it is exchanged in. Exactly one of
/// `serviceAccount`, `tokenRef`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(GcpWorkloadIdentity::MEMBERS, "one token is exchanged"))]
pub struct GcpWorkloadIdentity {
    /// Provider of the workload identity pool, as Google writes it:
    /// `//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`, or
    /// `identitynamespace:POOL:PROVIDER` for a cluster of GKE.
    #[schemars(with = "Filled<512>")]
    pub audience: String,
    /// ServiceAccount of Kubernetes whose token is exchanged. The provider's allowed audiences must have one of
    /// its audiences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<ServiceAccountRef>,
    /// A token (JWT) that somebody else puts into a Secret and renews, such as that of a CI job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_ref: Option<SecretKeyRef>,
    /// Service account of Google Cloud to impersonate, by its address `NAME@PROJECT.iam.gserviceaccount.com`.
    /// Absent: none, the federated identity itself has the rights.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub impersonate: Option<String>,
}

one_of! {
    /// Whose token is exchanged.
    GcpWorkloadIdentity => GcpSubject {
        /// That of a ServiceAccount.
        ServiceAccount(ServiceAccountRef) = service_account "serviceAccount",
        /// One that lies in a Secret.
        Token(SecretKeyRef) = token_ref "tokenRef",
    }
}

/// Options of a source in Secret Manager of Google Cloud.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GcpSourceOptions {
    /// Labels that a secret of a folder must have to be read at all. `select.tags` chooses among what was read.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<Text<63>, 8>")]
    pub labels: BTreeMap<String, String>,
    /// What becomes of a folder with a secret whose version is disabled or destroyed: fail (nothing of the
    /// folder is taken, and the condition names the secret) or leaveOut (the secret counts as deleted).
    /// Absent: fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unusable: Option<Unusable>,
}
