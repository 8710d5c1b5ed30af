//! `spec.provider.bitwardenSecretsManager`, checked.

use penstock_domain::api::bitwarden::{
    BitwardenSecretsManagerLogin, BitwardenSecretsManagerProvider, BitwardenSecretsManagerServer,
};
use penstock_domain::stores::{Credentials, StoreObject};

use super::token::AccessToken;
use crate::bitwarden_common::servers::Addresses;
use crate::credential_hash::hash_of;
use crate::http::tls::TlsSettings;
use crate::settings::{Named, ReadSettings};

/// What a store needs.
pub(super) struct Settings {
    /// Where the servers are.
    pub(super) addresses: Addresses,
    /// TLS.
    pub(super) tls: TlsSettings,
    /// The access token.
    pub(super) token: AccessToken,
    /// Names what was fetched without telling it.
    pub(super) credential_hash: [u8; 32],
}

impl Settings {
    /// Checks the spec and fetches what it names.
    pub(super) async fn read(
        store: &StoreObject,
        provider: &BitwardenSecretsManagerProvider,
        credentials: &dyn Credentials,
    ) -> Result<Self, ReadSettings> {
        let named = Named::of(store, credentials)?;
        let addresses = match provider.variant() {
            Ok(BitwardenSecretsManagerServer::Cloud(region)) => Addresses::of_cloud(*region),
            Ok(BitwardenSecretsManagerServer::Own(address)) => Addresses::of_server(address),
            Err(error) => return Err(ReadSettings::field("region", error.to_string())),
        };
        let places = (
            &provider.ca_bundle,
            &provider.ca_secret_ref,
            &provider.ca_config_map_ref,
        );
        let BitwardenSecretsManagerLogin::AccessToken(login) = provider
            .auth
            .variant()
            .map_err(|error| ReadSettings::field("auth", error.to_string()))?;
        let field = "auth.accessToken.secretRef";
        let text = named.token(field, &login.secret_ref).await?;
        let token = AccessToken::parse(text.expose_text().unwrap_or_default())
            .map_err(|error| ReadSettings::field(field, format!("names what {error}")))?;
        let tls = TlsSettings {
            ca: named.authorities(places).await?,
            server_name: None,
            identity: None,
        };
        let authorities = tls.ca.as_deref().unwrap_or_default();
        Ok(Self {
            addresses,
            credential_hash: hash_of([authorities, text.expose()]),
            tls,
            token,
        })
    }
}
