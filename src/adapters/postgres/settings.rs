//! `spec.provider.postgres`, checked.

use penstock_domain::api::postgres::{
    PORT, PostgresChannelBinding, PostgresPooler, PostgresProvider, PostgresServer, PostgresTls,
};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{Credentials, StoreObject};

use super::connection_url::{self, ReadUrl};
use super::error::SUPABASE_POOLER;
use crate::credential_hash::hash_of;
use crate::http::tls::TlsSettings;
use crate::settings::{Named, ReadSettings};

/// The port of Supabase's poolers in transaction mode.
const SUPABASE_TRANSACTION_PORT: u16 = 6543;

/// What a connection needs.
pub(super) struct Settings {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: String,
    pub(super) user: String,
    pub(super) password: SecretValue,
    pub(super) mode: PostgresTls,
    pub(super) tls: TlsSettings,
    pub(super) channel_binding: PostgresChannelBinding,
    /// The channel to listen on.
    pub(super) channel: Option<String>,
}

impl Settings {
    /// Checks the spec and fetches what it names.
    pub(super) async fn read(
        store: &StoreObject,
        provider: &PostgresProvider,
        credentials: &dyn Credentials,
    ) -> Result<Self, ReadSettings> {
        let named = Named::of(store, credentials)?;
        let places = (
            &provider.ca_bundle,
            &provider.ca_secret_ref,
            &provider.ca_config_map_ref,
        );
        let mut settings = server(&named, provider).await?;
        settings.tls = TlsSettings {
            ca: named.authorities(places).await?,
            server_name: provider.tls_server_name.clone(),
            identity: None,
        };
        if settings.mode != PostgresTls::VerifyFull && settings.tls.ca.is_some() {
            return Err(ReadSettings::field(
                "tls",
                "must be verifyFull where the certificate is to be verified",
            ));
        }
        if settings.mode == PostgresTls::Disable
            && settings.channel_binding == PostgresChannelBinding::Require
        {
            return Err(ReadSettings::field(
                "channelBinding",
                "needs TLS to bind the login to",
            ));
        }
        Ok(settings)
    }

    /// Names what was fetched without telling it: reads are shared only under equal credentials.
    pub(super) fn credential_hash(&self) -> [u8; 32] {
        hash_of([
            self.tls.ca.as_deref().unwrap_or_default(),
            self.host.as_bytes(),
            &self.port.to_be_bytes(),
            self.database.as_bytes(),
            self.user.as_bytes(),
            self.password.expose(),
        ])
    }
}

async fn server(named: &Named<'_>, provider: &PostgresProvider) -> Result<Settings, ReadSettings> {
    let (mut settings, url_pools) = match provider.variant() {
        Err(error) => return Err(ReadSettings::field("host", error.to_string())),
        Ok(PostgresServer::Host(host)) => (by_host(named, provider, host).await?, false),
        Ok(PostgresServer::Url(reference)) => {
            let text = named.token("urlRef", reference).await?;
            let access = text
                .expose_text()
                .ok_or(ReadUrl::Shape)
                .and_then(connection_url::read);
            let access = access.map_err(|error| {
                ReadSettings::field("urlRef", format!("names a URL that {error}"))
            })?;
            let pools = access.transaction_pooler;
            let settings = Settings {
                host: access.host,
                port: access.port,
                database: access.database,
                user: access.user,
                password: access.password,
                mode: provider.tls.or(access.tls).unwrap_or_default(),
                tls: TlsSettings::default(),
                channel_binding: provider
                    .channel_binding
                    .or(access.channel_binding)
                    .unwrap_or_default(),
                channel: None,
            };
            (settings, pools)
        }
    };
    let known = settings
        .host
        .to_ascii_lowercase()
        .ends_with(SUPABASE_POOLER)
        && settings.port == SUPABASE_TRANSACTION_PORT;
    let pools = match provider.pooler {
        Some(pooler) => pooler == PostgresPooler::Transaction,
        None => url_pools || known,
    };
    settings.channel = match &provider.notify {
        Some(_) if pools => {
            return Err(ReadSettings::field(
                "notify",
                "does not work here: a pooler in transaction mode passes no notifications on. Connect to the database itself, or to the pooler in session mode (at Supabase port 5432)",
            ));
        }
        Some(notify) if notify.channel.is_empty() || notify.channel.contains('\0') => {
            return Err(ReadSettings::field("notify.channel", "must be a name"));
        }
        notify => notify.as_ref().map(|notify| notify.channel.clone()),
    };
    Ok(settings)
}

async fn by_host(
    named: &Named<'_>,
    provider: &PostgresProvider,
    host: &str,
) -> Result<Settings, ReadSettings> {
    let sound = !host.is_empty()
        && !host.contains(['/', '\\', ',', '@', '?', '#', '%'])
        && !host.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    if !sound {
        return Err(ReadSettings::field(
            "host",
            "must be one host name or address: no socket, no list",
        ));
    }
    let text = |field: &'static str, value: &Option<String>| {
        value
            .clone()
            .filter(|value| !value.is_empty() && !value.contains('\0'))
            .ok_or(ReadSettings::field(field, "must be set beside host"))
    };
    let password = provider.password_ref.as_ref();
    let password = password.ok_or(ReadSettings::field(
        "passwordRef",
        "must be set beside host",
    ))?;
    Ok(Settings {
        host: host.to_owned(),
        port: provider.port.unwrap_or(PORT),
        database: text("database", &provider.database)?,
        user: text("user", &provider.user)?,
        password: named.token("passwordRef", password).await?,
        mode: provider.tls.unwrap_or_default(),
        tls: TlsSettings::default(),
        channel_binding: provider.channel_binding.unwrap_or_default(),
        channel: None,
    })
}
