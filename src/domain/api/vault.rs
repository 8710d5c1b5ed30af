//! `spec.provider.vault`: HashiCorp Vault and OpenBao.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::one_of::one_of;
use super::schema::{Filled, WebAddress, at_most_one, exactly_one};
use super::shared::{ConfigMapKeyRef, MaskedText, SecretKeyRef, ServiceAccountRef};

/// A connection to HashiCorp Vault or OpenBao.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = at_most_one(
    &["caBundle", "caSecretRef", "caConfigMapRef"],
    "the CA certificates lie in one place",
))]
pub struct VaultProvider {
    /// Address of the server, such as `https://vault.example.com:8200`.
    #[schemars(with = "WebAddress")]
    pub address: String,
    /// Namespace within the server (Vault Enterprise, OpenBao). Absent: the root namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub namespace: Option<String>,
    /// Mount of the KV engine that syncs read and write unless they say otherwise. Absent: `secret`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub mount: Option<String>,
    /// Version of the KV engine, 1 or 2. Absent: the server is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2))]
    pub kv_version: Option<u8>,
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
    /// Name that the server's certificate must be valid for. Absent: the host of the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub tls_server_name: Option<String>,
    /// How to log in.
    pub auth: VaultAuth,
}

/// How to log in to Vault. Exactly one of `token`, `appRole`, `kubernetes`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(VaultAuth::MEMBERS, "there is exactly one way to log in"))]
pub struct VaultAuth {
    /// With a token that somebody made. It is renewed while the server allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<VaultTokenAuth>,
    /// With an AppRole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_role: Option<VaultAppRoleAuth>,
    /// With a ServiceAccount of Kubernetes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<VaultKubernetesAuth>,
}

one_of! {
    /// How to log in to Vault.
    VaultAuth => VaultLogin {
        /// With a token.
        Token(VaultTokenAuth) = token "token",
        /// With an AppRole.
        AppRole(VaultAppRoleAuth) = app_role "appRole",
        /// With a ServiceAccount.
        Kubernetes(VaultKubernetesAuth) = kubernetes "kubernetes",
    }
}

/// A token that somebody made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultTokenAuth {
    /// Where the token is kept.
    pub secret_ref: SecretKeyRef,
}

/// An AppRole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(VaultAppRoleAuth::MEMBERS, "the role id is given once"))]
pub struct VaultAppRoleAuth {
    /// Mount of the auth method. Absent: `approle`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub mount: Option<String>,
    /// Role id, written out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub role_id: Option<MaskedText>,
    /// Role id, in a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_id_ref: Option<SecretKeyRef>,
    /// Secret id, in a Secret.
    pub secret_id_ref: SecretKeyRef,
}

one_of! {
    /// The role id of an AppRole.
    VaultAppRoleAuth => RoleId {
        /// Written out.
        Inline(MaskedText) = role_id "roleId",
        /// In a Secret.
        Reference(SecretKeyRef) = role_id_ref "roleIdRef",
    }
}

/// A ServiceAccount, as Vault's `kubernetes` auth method takes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultKubernetesAuth {
    /// Mount of the auth method. Absent: `kubernetes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub mount: Option<String>,
    /// Role of the auth method.
    #[schemars(with = "Filled<253>")]
    pub role: String,
    /// ServiceAccount whose token is shown to Vault.
    pub service_account: ServiceAccountRef,
}
