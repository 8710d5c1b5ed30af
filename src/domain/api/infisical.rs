//! `spec.provider.infisical`: Infisical, its cloud or self-hosted.
#![expect(
    clippy::struct_field_names,
    reason = "client id and client secret are Infisical's own words"
)]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::one_of::one_of;
use super::schema::{Filled, WebAddress, at_most_one, exactly_one};
use super::shared::{ConfigMapKeyRef, MaskedText, SecretKeyRef, ServiceAccountRef};

/// A connection to one project of Infisical.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = exactly_one(InfisicalProvider::MEMBERS, "a store is one project"),
    validation = at_most_one(
        &["caBundle", "caSecretRef", "caConfigMapRef"],
        "the CA certificates lie in one place",
    ),
)]
pub struct InfisicalProvider {
    /// Address of the server, such as `https://app.infisical.com` (cloud, US), `https://eu.infisical.com`
    /// (cloud, EU) or your own.
    #[schemars(with = "WebAddress")]
    pub address: String,
    /// Project, by its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<64>>")]
    pub project_id: Option<String>,
    /// Project, by its slug. Costs one request more, once, and the right to see the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<64>>")]
    pub project_slug: Option<String>,
    /// Environment (its slug) that sources read unless they say otherwise. Absent: each source names its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<64>>")]
    pub environment: Option<String>,
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
    pub auth: InfisicalAuth,
}

one_of! {
    /// The project of a store.
    InfisicalProvider => InfisicalProject {
        /// By its id.
        Id(String) = project_id "projectId",
        /// By its slug.
        Slug(String) = project_slug "projectSlug",
    }
}

/// How to log in to Infisical. Exactly one of `universal`, `kubernetes`, `serviceToken`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(InfisicalAuth::MEMBERS, "there is exactly one way to log in"))]
pub struct InfisicalAuth {
    /// With the client id and client secret of a machine identity (universal auth).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub universal: Option<InfisicalUniversalAuth>,
    /// With a ServiceAccount that a machine identity accepts (Kubernetes auth).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<InfisicalKubernetesAuth>,
    /// With a service token, as older projects have them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_token: Option<InfisicalServiceToken>,
}

one_of! {
    /// How to log in to Infisical.
    InfisicalAuth => InfisicalLogin {
        /// With universal auth.
        Universal(InfisicalUniversalAuth) = universal "universal",
        /// With a ServiceAccount.
        Kubernetes(InfisicalKubernetesAuth) = kubernetes "kubernetes",
        /// With a service token.
        ServiceToken(InfisicalServiceToken) = service_token "serviceToken",
    }
}

/// The client id and client secret of a machine identity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(InfisicalUniversalAuth::MEMBERS, "the client id is given once"))]
pub struct InfisicalUniversalAuth {
    /// Client id, written out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub client_id: Option<MaskedText>,
    /// Client id, in a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id_ref: Option<SecretKeyRef>,
    /// Client secret, in a Secret.
    pub client_secret_ref: SecretKeyRef,
}

one_of! {
    /// The client id of a machine identity.
    InfisicalUniversalAuth => ClientId {
        /// Written out.
        Inline(MaskedText) = client_id "clientId",
        /// In a Secret.
        Reference(SecretKeyRef) = client_id_ref "clientIdRef",
    }
}

/// A ServiceAccount, as the Kubernetes auth of a machine identity takes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InfisicalKubernetesAuth {
    /// Id of the machine identity.
    #[schemars(with = "Filled<64>")]
    pub identity_id: String,
    /// ServiceAccount whose token is shown to Infisical. The identity's allowed audience must be one of its
    /// audiences.
    pub service_account: ServiceAccountRef,
}

/// A service token.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InfisicalServiceToken {
    /// Where the token is kept.
    pub secret_ref: SecretKeyRef,
}

/// Options of a source in Infisical.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InfisicalSourceOptions {
    /// true: what other folders bring in by import is read, too. A secret of the folder itself wins over an
    /// import, and of two imports the last wins. Absent: true for a SecretStore; for a ClusterSecretStore
    /// whatever `allow[].at.follow` names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imports: Option<bool>,
    /// true: Infisical puts the value in the place of a reference such as `${KEY}` or `${dev.folder.KEY}`.
    /// false: the value is taken as it is written. Absent: true for a SecretStore; for a ClusterSecretStore
    /// whatever `allow[].at.follow` names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub references: Option<bool>,
}

/// What leads from one folder of Infisical to others, to other environments and projects.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum Follow {
    /// Imports of folders.
    Imports,
    /// References in values.
    References,
}
