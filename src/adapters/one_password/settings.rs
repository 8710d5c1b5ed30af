//! `spec.provider.onePassword`, checked.

use penstock_domain::api::one_password::OnePasswordProvider;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{Credentials, StoreObject};

use crate::credential_hash::hash_of;
use crate::http::tls::TlsSettings;
use crate::settings::{Named, ReadSettings};

/// What a store needs besides the server.
pub(super) struct Settings {
    /// The access token.
    pub(super) token: SecretValue,
    /// TLS.
    pub(super) tls: TlsSettings,
}

impl Settings {
    /// Checks the spec and fetches what it names.
    pub(super) async fn read(
        store: &StoreObject,
        provider: &OnePasswordProvider,
        credentials: &dyn Credentials,
    ) -> Result<Self, ReadSettings> {
        let named = Named::of(store, credentials)?;
        let places = (
            &provider.ca_bundle,
            &provider.ca_secret_ref,
            &provider.ca_config_map_ref,
        );
        if !provider.vault.as_deref().is_none_or(is_name) {
            return Err(ReadSettings::field("vault", NO_NAME));
        }
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

pub(super) const NO_NAME: &str =
    "holds a `\"`, a `\\` or a control character, which no filter can carry: use the id";

/// Whether a text can stand in a filter.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text
            .chars()
            .any(|letter| letter == '"' || letter == '\\' || letter.is_control())
}

/// Whether a text can be an id: `^[\da-z]{26}$` in the API's own document.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 26
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}
