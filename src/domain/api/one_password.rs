//! `spec.provider.onePassword`: 1Password, over a Connect server.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::{Filled, WebAddress, at_most_one};
use super::shared::{ConfigMapKeyRef, SecretKeyRef};

/// A connection to a Connect server of 1Password.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = at_most_one(
    &["caBundle", "caSecretRef", "caConfigMapRef"],
    "the CA certificates lie in one place",
))]
pub struct OnePasswordProvider {
    /// Address of the Connect server, such as `https://connect.example.com`.
    #[schemars(with = "WebAddress")]
    pub address: String,
    /// Vault, by its name or id. Sources then name an item of it in `path`. Absent: `path` is vault and item.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub vault: Option<String>,
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
    pub auth: OnePasswordAuth,
}

/// How to log in to a Connect server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OnePasswordAuth {
    /// An access token of the Connect server, in a Secret.
    pub token_ref: SecretKeyRef,
}
