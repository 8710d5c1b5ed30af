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

/// How to log in to Vault. Exactly one of `token`, `appRole`, `kubernetes`, `jwt`, `userpass`, `cert`.
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
    /// With a JSON Web Token that the server trusts (auth method `jwt`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt: Option<VaultJwtAuth>,
    /// With a user name and a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userpass: Option<VaultUserpassAuth>,
    /// With a TLS client certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert: Option<VaultCertAuth>,
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
        /// With a JSON Web Token.
        Jwt(VaultJwtAuth) = jwt "jwt",
        /// With a user name and a password.
        Userpass(VaultUserpassAuth) = userpass "userpass",
        /// With a client certificate.
        Cert(VaultCertAuth) = cert "cert",
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
    /// true: the Secret holds the token of a wrapped secret id, which is unwrapped once, after a look at where it
    /// was made. The secret id stays in memory only: whenever the operator restarts or the store changes, the
    /// Secret needs a new token. Absent or false: the Secret holds the secret id itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrapped: Option<bool>,
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

/// A JSON Web Token, as Vault's `jwt` auth method takes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(VaultJwtAuth::MEMBERS, "the token has one origin"))]
pub struct VaultJwtAuth {
    /// Mount of the auth method. Absent: `jwt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub mount: Option<String>,
    /// Role of the auth method. Absent: its default role.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub role: Option<String>,
    /// The token, in a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyRef>,
    /// ServiceAccount whose token it is, made for each login and for the store's audience only. The server needs
    /// no access to the cluster: it trusts the cluster's issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<ServiceAccountRef>,
}

one_of! {
    /// Where a JSON Web Token comes from.
    VaultJwtAuth => JwtOrigin {
        /// A Secret.
        Secret(SecretKeyRef) = secret_ref "secretRef",
        /// A ServiceAccount.
        ServiceAccount(ServiceAccountRef) = service_account "serviceAccount",
    }
}

/// A user name and a password, as Vault's `userpass` auth method takes them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultUserpassAuth {
    /// Mount of the auth method. Absent: `userpass`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub mount: Option<String>,
    /// User name.
    #[schemars(with = "Filled<253>")]
    pub username: String,
    /// Password, in a Secret.
    pub password_ref: SecretKeyRef,
}

/// A client certificate, as Vault's `cert` auth method takes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultCertAuth {
    /// Mount of the auth method. Absent: `cert`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub mount: Option<String>,
    /// Role of the auth method. Absent: whichever takes the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub role: Option<String>,
    /// Certificate, and those it chains to (PEM), in a Secret.
    pub certificate_ref: SecretKeyRef,
    /// Private key (PEM), in a Secret.
    pub key_ref: SecretKeyRef,
}
