//! `spec.provider.kubernetes`: Secrets and ConfigMaps of another namespace or cluster.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::one_of::one_of;
use super::schema::{Filled, NamespaceName, WebAddress, at_most_one, exactly_one};
use super::shared::{ConfigMapKeyRef, SecretKeyRef};

/// Secrets and ConfigMaps of another namespace or cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = at_most_one(
    &["kubeconfigRef", "server"],
    "there is one other cluster, or none for another namespace of this one",
))]
pub struct KubernetesProvider {
    /// Namespace to read and write, there. The objects (or the namespace, to write) must carry the
    /// annotation penstock.dev/accept-from when they are of this cluster.
    #[schemars(with = "NamespaceName")]
    pub namespace: String,
    /// Another cluster, by a kubeconfig in a Secret. Only inline certificates and tokens are read from it;
    /// commands, files and proxies in it are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubeconfig_ref: Option<SecretKeyRef>,
    /// Another cluster, by address and token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<KubernetesServer>,
}

/// Another cluster, by address and token.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(KubernetesServer::MEMBERS, "the cluster's CA certificates lie in exactly one place"))]
pub struct KubernetesServer {
    /// Address of the API server.
    #[schemars(with = "WebAddress")]
    pub address: String,
    /// CA certificates (PEM) of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<65536>>")]
    pub ca_bundle: Option<String>,
    /// CA certificates (PEM) in a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKeyRef>,
    /// CA certificates (PEM) in a ConfigMap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_config_map_ref: Option<ConfigMapKeyRef>,
    /// Token to log in with, in a Secret.
    pub token_ref: SecretKeyRef,
}

one_of! {
    /// Where the CA certificates of a cluster lie.
    KubernetesServer => CaCertificates {
        /// Written out.
        Bundle(String) = ca_bundle "caBundle",
        /// In a Secret.
        Secret(SecretKeyRef) = ca_secret_ref "caSecretRef",
        /// In a ConfigMap.
        ConfigMap(ConfigMapKeyRef) = ca_config_map_ref "caConfigMapRef",
    }
}
