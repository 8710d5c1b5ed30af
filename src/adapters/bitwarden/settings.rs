//! `spec.provider.bitwarden`, checked.

use penstock_domain::api::bitwarden::{
    BitwardenApiKey, BitwardenClientId, BitwardenLogin, BitwardenProvider, BitwardenServer,
};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{Credentials, StoreObject};

use crate::bitwarden_common::servers::Addresses;
use crate::credential_hash::hash_of;
use crate::http::tls::TlsSettings;
use crate::settings::{Named, ReadSettings, trimmed};

/// What a store needs.
pub(super) struct Settings {
    /// Where the servers are.
    pub(super) addresses: Addresses,
    /// The organisation, by name or id.
    pub(super) organization: Option<String>,
    /// TLS.
    pub(super) tls: TlsSettings,
    /// The API key.
    pub(super) client_id: SecretValue,
    /// Its secret.
    pub(super) client_secret: SecretValue,
    /// The master password.
    pub(super) master_password: SecretValue,
}

impl Settings {
    /// Checks the spec and fetches what it names.
    pub(super) async fn read(
        store: &StoreObject,
        provider: &BitwardenProvider,
        credentials: &dyn Credentials,
    ) -> Result<Self, ReadSettings> {
        let named = Named::of(store, credentials)?;
        let addresses = match provider.variant() {
            Ok(BitwardenServer::Cloud(region)) => Addresses::of_cloud(*region),
            Ok(BitwardenServer::Own(address)) => Addresses::of_server(address),
            Err(error) => return Err(ReadSettings::field("region", error.to_string())),
        };
        let places = (
            &provider.ca_bundle,
            &provider.ca_secret_ref,
            &provider.ca_config_map_ref,
        );
        let BitwardenLogin::ApiKey(key) = provider
            .auth
            .variant()
            .map_err(|error| ReadSettings::field("auth", error.to_string()))?;
        let client_id = client_id(&named, key).await?;
        check_client_id(&client_id)?;
        let password = named
            .secret("masterPasswordRef", &provider.master_password_ref)
            .await?;
        Ok(Self {
            addresses,
            organization: provider.organization.clone(),
            tls: TlsSettings {
                ca: named.authorities(places).await?,
                server_name: None,
                identity: None,
            },
            client_id,
            client_secret: named
                .token("auth.apiKey.clientSecretRef", &key.client_secret_ref)
                .await?,
            master_password: without_line_end(&password),
        })
    }

    /// Names what was fetched without telling it: reads are shared only under equal credentials.
    pub(super) fn credential_hash(&self) -> [u8; 32] {
        hash_of([
            self.tls.ca.as_deref().unwrap_or_default(),
            self.client_id.expose(),
            self.client_secret.expose(),
            self.master_password.expose(),
        ])
    }
}

async fn client_id(named: &Named<'_>, key: &BitwardenApiKey) -> Result<SecretValue, ReadSettings> {
    match key.variant() {
        Ok(BitwardenClientId::Inline(text)) => Ok(trimmed(&SecretValue::from(text.expose()))),
        Ok(BitwardenClientId::Reference(reference)) => {
            named.token("auth.apiKey.clientIdRef", reference).await
        }
        Err(error) => Err(ReadSettings::field("auth.apiKey", error.to_string())),
    }
}

/// The key of an organisation opens its directory (scope `api.organization`) and no vault.
fn check_client_id(id: &SecretValue) -> Result<(), ReadSettings> {
    let field = "auth.apiKey.clientId";
    match id.expose_text() {
        Some(text) if text.starts_with("user.") => Ok(()),
        Some(text) if text.starts_with("organization.") => Err(ReadSettings::field(
            field,
            "is that of an organisation, which manages members and cannot read items: make an account for Penstock, add it to the collections, and use its personal API key (user.…); or use Bitwarden Secrets Manager",
        )),
        _ => Err(ReadSettings::field(
            field,
            "is none: that of a personal API key begins with `user.`",
        )),
    }
}

/// A password may begin or end in blanks; what editors and `echo` leave behind is one line end.
fn without_line_end(password: &SecretValue) -> SecretValue {
    let bytes = password.expose();
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    SecretValue::new(bytes.strip_suffix(b"\r").unwrap_or(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_an_organisation_is_refused_with_the_way_out() {
        let check = |text: &str| check_client_id(&SecretValue::from(text));
        assert!(check("user.8d1f").is_ok());
        let ReadSettings::Field { message, .. } = check("organization.8d1f").unwrap_err() else {
            unreachable!()
        };
        assert!(message.contains("personal API key"), "{message}");
        for text in ["", "8d1f", "User.8d1f", "installation.8d1f"] {
            assert!(check(text).is_err(), "{text}");
        }
    }

    #[test]
    fn one_line_end_is_not_part_of_a_password_and_blanks_are() {
        for (text, expected) in [
            ("a b ", "a b "),
            (" a\n", " a"),
            ("a\r\n", "a"),
            ("a\n\n", "a\n"),
            ("", ""),
        ] {
            let password = without_line_end(&SecretValue::from(text));
            assert_eq!(password, SecretValue::from(expected), "{text:?}");
        }
    }
}
