//! `spec.provider.azureKeyVault`: secrets of Azure Key Vault.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::null::null_is_empty;
use super::one_of::one_of;
use super::schema::{Filled, Map, Text, WebAddress, at_most_one, exactly_one};
use super::shared::{ConfigMapKeyRef, SecretKeyRef, ServiceAccountRef};
use super::source::Unusable;

/// A connection to one key vault.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = at_most_one(
        &["caBundle", "caSecretRef", "caConfigMapRef"],
        "the CA certificates lie in one place",
    ),
    validation = at_most_one(&["cloud", "authority"], "a vault lies in one cloud"),
)]
pub struct AzureKeyVaultProvider {
    /// Address of the vault, such as `https://shop.vault.azure.net`.
    #[schemars(with = "WebAddress")]
    pub vault_url: String,
    /// Azure's cloud: public, china or usGovernment. Absent: public.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud: Option<AzureCloud>,
    /// A cloud that is none of these. Absent: the vault's address must be one of `cloud`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<AzureAuthority>,
    /// What stands between the segments of a path in the names of secrets, which cannot hold a slash: the
    /// secret `shop--DB-URL` is the entry `DB_URL` of the folder `shop`. Letters, digits and `-`. One that is part
    /// of a namespace's name makes folders of it: keep to the usual one where namespaces share a store.
    /// Absent: `--`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<8>>")]
    pub separator: Option<String>,
    /// How a key is called in the vault, whose names have no `_`: underscores (`DB_URL` is `DB-URL` there, and
    /// every `-` is a `_` here) or verbatim (keys are the vault's names). Names in a vault do not differ by case.
    /// Absent: underscores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<AzureNames>,
    /// Client id of the user-assigned managed identity to be, beside `identity: operator` of a
    /// ClusterSecretStore. Absent: the only one, or the system-assigned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<64>>")]
    pub managed_identity_client_id: Option<String>,
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
    pub auth: Option<AzureAuth>,
}

/// Azure's clouds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum AzureCloud {
    /// `vault.azure.net`, `login.microsoftonline.com`.
    #[default]
    Public,
    /// `vault.azure.cn`, `login.chinacloudapi.cn`.
    China,
    /// `vault.usgovcloudapi.net`, `login.microsoftonline.us`.
    UsGovernment,
}

/// Who gives out tokens in a cloud that is none of Azure's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureAuthority {
    /// Address of the authority, such as `https://login.example.com`. It gets the credentials.
    #[schemars(with = "WebAddress")]
    pub address: String,
    /// Whom tokens are for, such as `https://vault.example.com`.
    #[schemars(with = "WebAddress")]
    pub resource: String,
}

/// How keys are called in a vault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum AzureNames {
    /// `_` here is `-` there, and the other way round.
    #[default]
    Underscores,
    /// The same here and there.
    Verbatim,
}

/// How to log in to Azure. Exactly one of `clientSecret`, `clientCertificate`, `workloadIdentity`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(AzureAuth::MEMBERS, "there is exactly one way to log in"))]
pub struct AzureAuth {
    /// With a client secret of an application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<AzureClientSecret>,
    /// With a certificate of an application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<AzureClientCertificate>,
    /// With a ServiceAccount of Kubernetes that an application or a managed identity trusts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload_identity: Option<AzureWorkloadIdentity>,
}

one_of! {
    /// How to log in to Azure.
    AzureAuth => AzureLogin {
        /// With a client secret.
        ClientSecret(AzureClientSecret) = client_secret "clientSecret",
        /// With a certificate.
        ClientCertificate(AzureClientCertificate) = client_certificate "clientCertificate",
        /// With a ServiceAccount.
        WorkloadIdentity(AzureWorkloadIdentity) = workload_identity "workloadIdentity",
    }
}

/// A client secret of an application.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureClientSecret {
    /// Tenant (directory) of the application, by its id or domain.
    #[schemars(with = "Filled<253>")]
    pub tenant_id: String,
    /// Client id of the application.
    #[schemars(with = "Filled<64>")]
    pub client_id: String,
    /// Where the client secret (its value, not its id) is kept.
    pub secret_ref: SecretKeyRef,
}

/// A certificate of an application, with its RSA key. PFX files are not read: convert them to PEM.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureClientCertificate {
    /// Tenant (directory) of the application, by its id or domain.
    #[schemars(with = "Filled<253>")]
    pub tenant_id: String,
    /// Client id of the application.
    #[schemars(with = "Filled<64>")]
    pub client_id: String,
    /// Where the certificate is kept (PEM), as it was uploaded.
    pub certificate_ref: SecretKeyRef,
    /// Where its private key is kept (PEM, RSA). May be the same place.
    pub key_ref: SecretKeyRef,
}

/// A ServiceAccount that an application or a managed identity trusts by a federated credential.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureWorkloadIdentity {
    /// Tenant (directory) of the application or identity, by its id or domain.
    #[schemars(with = "Filled<253>")]
    pub tenant_id: String,
    /// Client id of the application or identity.
    #[schemars(with = "Filled<64>")]
    pub client_id: String,
    /// ServiceAccount whose token is shown to Azure. The federated credential's audience must be one of its
    /// audiences; Azure proposes `api://AzureADTokenExchange`.
    pub service_account: ServiceAccountRef,
}

/// Options of a source in Azure Key Vault.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureSourceOptions {
    /// Tags that a secret of a folder must have to be read at all. `select.tags` chooses among what was read.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schemars(with = "Map<Text<256>, 8>")]
    pub tags: BTreeMap<String, String>,
    /// What becomes of a folder with a secret that is disabled, expired or not yet valid: fail (nothing of the
    /// folder is taken, and the condition names the secret) or leaveOut (the secret counts as deleted).
    /// Absent: fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unusable: Option<Unusable>,
}
