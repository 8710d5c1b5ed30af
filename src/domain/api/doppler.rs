//! `spec.provider.doppler`: Doppler.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::{Filled, WebAddress, at_most_one};
use super::shared::{ConfigMapKeyRef, SecretKeyRef};

/// A connection to Doppler.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = at_most_one(
    &["caBundle", "caSecretRef", "caConfigMapRef"],
    "the CA certificates lie in one place",
))]
pub struct DopplerProvider {
    /// Address of the API. Absent: `https://api.doppler.com`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<WebAddress>")]
    pub address: Option<String>,
    /// Project that sources read unless their `path` names another. Absent: with a service token the one that it is
    /// for; otherwise each source names its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<64>>")]
    pub project: Option<String>,
    /// Config (such as `prd`, or a branch of it) that sources read unless their `environment` names another. Absent:
    /// with a service token the one that it is for; otherwise each source names its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<64>>")]
    pub config: Option<String>,
    /// CA certificates (PEM) that the server's certificate must chain to, instead of the usual ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<65536>>")]
    pub ca_bundle: Option<String>,
    /// CA certificates (PEM) in a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKeyRef>,
    /// CA certificates (PEM) in a ConfigMap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_config_map_ref: Option<ConfigMapKeyRef>,
    /// How to log in.
    pub auth: DopplerAuth,
}

/// How to log in to Doppler.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DopplerAuth {
    /// A service token (of one config) or the token of a service account, in a Secret.
    pub token_ref: SecretKeyRef,
}
