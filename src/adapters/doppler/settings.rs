//! `spec.provider.doppler`, checked.

use penstock_domain::api::doppler::DopplerProvider;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{Credentials, StoreObject};

use crate::credential_hash::hash_of;
use crate::http::tls::TlsSettings;
use crate::settings::{Named, ReadSettings};

pub(super) const USUAL_ADDRESS: &str = "https://api.doppler.com";

/// What a store needs besides the server.
pub(super) struct Settings {
    /// The token.
    pub(super) token: SecretValue,
    /// TLS.
    pub(super) tls: TlsSettings,
}

impl Settings {
    /// Checks the spec and fetches what it names.
    pub(super) async fn read(
        store: &StoreObject,
        provider: &DopplerProvider,
        credentials: &dyn Credentials,
    ) -> Result<Self, ReadSettings> {
        let named = Named::of(store, credentials)?;
        let places = (
            &provider.ca_bundle,
            &provider.ca_secret_ref,
            &provider.ca_config_map_ref,
        );
        let token = named
            .token("auth.tokenRef", &provider.auth.token_ref)
            .await?;
        if token.is_empty() {
            return Err(ReadSettings::field("auth.tokenRef", "names an empty key"));
        }
        Ok(Self {
            token,
            tls: TlsSettings {
                ca: named.authorities(places).await?,
                server_name: None,
                identity: None,
            },
        })
    }

    /// Names what was fetched without telling it.
    pub(super) fn credential_hash(&self) -> [u8; 32] {
        hash_of([
            self.tls.ca.as_deref().unwrap_or_default(),
            self.token.expose(),
        ])
    }
}

/// Whether a text can be the name of a project or config: both are slugs.
pub(super) fn is_slug(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}
