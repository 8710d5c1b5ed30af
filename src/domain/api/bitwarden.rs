//! `spec.provider.bitwarden` and `spec.provider.bitwardenSecretsManager`: Bitwarden's password manager (its cloud,
//! self-hosted, or Vaultwarden) and its Secrets Manager.
#![expect(
    clippy::struct_field_names,
    reason = "client id and client secret are Bitwarden's own words"
)]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::one_of::one_of;
use super::schema::{Filled, WebAddress, at_most_one, exactly_one};
use super::shared::{ConfigMapKeyRef, MaskedText, SecretKeyRef};

/// Bitwarden's clouds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum BitwardenRegion {
    /// bitwarden.com
    #[default]
    Us,
    /// bitwarden.eu
    Eu,
}

/// One account of Bitwarden's password manager: its own folders, or the collections of one organisation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = exactly_one(BitwardenProvider::MEMBERS, "a store is one server"),
    validation = at_most_one(
        &["caBundle", "caSecretRef", "caConfigMapRef"],
        "the CA certificates lie in one place",
    ),
)]
pub struct BitwardenProvider {
    /// Bitwarden's cloud: us (bitwarden.com) or eu (bitwarden.eu).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<BitwardenRegion>,
    /// Address of your own server, Bitwarden or Vaultwarden, such as `https://vault.example.com`: what lies below
    /// it at `/identity` and `/api` is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<WebAddress>")]
    pub address: Option<String>,
    /// Organisation whose items are read, by its name or id; a source's path is then a collection. Absent: a
    /// source's path is one of the account's own folders.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<253>>")]
    pub organization: Option<String>,
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
    pub auth: BitwardenAuth,
    /// Master password of the account: the server knows no keys, so nothing can be decrypted without it. It is
    /// never sent.
    pub master_password_ref: SecretKeyRef,
}

one_of! {
    /// Where an account lives.
    BitwardenProvider => BitwardenServer {
        /// In Bitwarden's cloud.
        Cloud(BitwardenRegion) = region "region",
        /// On a server of one's own.
        Own(String) = address "address",
    }
}

/// How to log in to Bitwarden. Exactly one of `apiKey`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(BitwardenAuth::MEMBERS, "there is exactly one way to log in"))]
pub struct BitwardenAuth {
    /// With the account's personal API key. That of an organisation cannot read items.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<BitwardenApiKey>,
}

one_of! {
    /// How to log in to Bitwarden.
    BitwardenAuth => BitwardenLogin {
        /// With a personal API key.
        ApiKey(BitwardenApiKey) = api_key "apiKey",
    }
}

/// A personal API key: Settings → Security → Keys → API key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(BitwardenApiKey::MEMBERS, "the client id is given once"))]
pub struct BitwardenApiKey {
    /// Client id (`user.…`), written out.
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
    /// The client id of an API key.
    BitwardenApiKey => BitwardenClientId {
        /// Written out.
        Inline(MaskedText) = client_id "clientId",
        /// In a Secret.
        Reference(SecretKeyRef) = client_id_ref "clientIdRef",
    }
}

/// One machine account of Bitwarden Secrets Manager. A source's path is a project.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = exactly_one(BitwardenSecretsManagerProvider::MEMBERS, "a store is one server"),
    validation = at_most_one(
        &["caBundle", "caSecretRef", "caConfigMapRef"],
        "the CA certificates lie in one place",
    ),
)]
pub struct BitwardenSecretsManagerProvider {
    /// Bitwarden's cloud: us (bitwarden.com) or eu (bitwarden.eu).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<BitwardenRegion>,
    /// Address of your own server, such as `https://vault.example.com`: what lies below it at `/identity` and
    /// `/api` is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<WebAddress>")]
    pub address: Option<String>,
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
    pub auth: BitwardenSecretsManagerAuth,
}

one_of! {
    /// Where a machine account lives.
    BitwardenSecretsManagerProvider => BitwardenSecretsManagerServer {
        /// In Bitwarden's cloud.
        Cloud(BitwardenRegion) = region "region",
        /// On a server of one's own.
        Own(String) = address "address",
    }
}

/// How to log in to Bitwarden Secrets Manager. Exactly one of `accessToken`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(BitwardenSecretsManagerAuth::MEMBERS, "there is exactly one way to log in"))]
pub struct BitwardenSecretsManagerAuth {
    /// With an access token of a machine account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token: Option<BitwardenAccessToken>,
}

one_of! {
    /// How to log in to Bitwarden Secrets Manager.
    BitwardenSecretsManagerAuth => BitwardenSecretsManagerLogin {
        /// With an access token.
        AccessToken(BitwardenAccessToken) = access_token "accessToken",
    }
}

/// An access token of a machine account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BitwardenAccessToken {
    /// Where the token (`0.<id>.<secret>:<key>`) is kept.
    pub secret_ref: SecretKeyRef,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(yaml: &str) -> BitwardenProvider {
        serde_saphyr::from_str(yaml).unwrap()
    }

    #[test]
    fn an_account_lives_in_one_place_and_has_one_way_in() {
        let rest = "auth: {apiKey: {clientId: user.1, clientSecretRef: {name: b, key: s}}}\nmasterPasswordRef: {name: b, key: p}\n";
        let cloud = provider(&format!("region: eu\n{rest}"));
        assert_eq!(
            cloud.variant(),
            Ok(BitwardenServer::Cloud(&BitwardenRegion::Eu))
        );
        assert!(matches!(
            cloud.auth.variant(),
            Ok(BitwardenLogin::ApiKey(_))
        ));
        assert!(!format!("{cloud:?}").contains("user.1"));
        assert!(provider(rest).variant().is_err());
        let both = format!("region: us\naddress: https://vault.example.com\n{rest}");
        assert!(provider(&both).variant().is_err());
        let none = BitwardenApiKey::default();
        assert!(none.variant().is_err(), "a client id is given");
    }

    #[test]
    fn a_machine_account_lives_in_one_place_and_has_one_way_in() {
        let yaml = "address: https://vault.example.com\nauth: {accessToken: {secretRef: {name: b, key: t}}}\n";
        let provider: BitwardenSecretsManagerProvider = serde_saphyr::from_str(yaml).unwrap();
        assert!(matches!(
            provider.variant(),
            Ok(BitwardenSecretsManagerServer::Own(_))
        ));
        assert!(provider.auth.variant().is_ok());
        assert!(BitwardenSecretsManagerAuth::default().variant().is_err());
    }
}
