//! `spec.provider.http`, checked.

use std::collections::BTreeMap;

use http::HeaderName;
use penstock_domain::api::http::{HttpMethod, HttpProvider};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{Credentials, StoreObject};

use super::answer::NotFound;
use super::template::{Spot, Template};
use crate::credential_hash::hash_of;
use crate::http::tls::TlsSettings;
use crate::settings::{Named, ReadSettings};

/// Headers that the HTTP layer sets itself, or that say where and how the request goes.
const REFUSED_HEADERS: [&str; 17] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "forwarded",
    "host",
    "if-match",
    "if-none-match",
    "keep-alive",
    "proxy-authorization",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What a store needs besides the server.
pub(super) struct Settings {
    /// How it is asked.
    pub(super) post: bool,
    /// Query parameters.
    pub(super) query: Vec<(String, String)>,
    /// Headers, filled.
    pub(super) headers: Vec<(HeaderName, SecretValue)>,
    /// The body, filled.
    pub(super) body: Option<SecretValue>,
    /// The answer of a service that has nothing at a path.
    pub(super) not_found: Option<NotFound>,
    /// TLS.
    pub(super) tls: TlsSettings,
}

impl Settings {
    /// Checks the spec and fetches what it names.
    pub(super) async fn read(
        store: &StoreObject,
        provider: &HttpProvider,
        credentials: &dyn Credentials,
    ) -> Result<Self, ReadSettings> {
        let named = Named::of(store, credentials)?;
        let places = (
            &provider.ca_bundle,
            &provider.ca_secret_ref,
            &provider.ca_config_map_ref,
        );
        let post = provider.method.unwrap_or_default() == HttpMethod::Post;
        if provider.body.is_some() && !post {
            return Err(ReadSettings::field("body", "is sent with method: POST"));
        }
        let mut secrets = BTreeMap::new();
        for secret in &provider.secrets {
            let value = named.token("secrets.secretRef", &secret.secret_ref).await?;
            if secrets.insert(secret.name.as_str(), value).is_some() {
                return Err(ReadSettings::field("secrets", "name each secret once"));
            }
        }
        Ok(Self {
            post,
            query: provider.query.clone().into_iter().collect(),
            headers: headers(provider, &secrets)?,
            body: body(provider, &secrets)?,
            not_found: NotFound::of(provider)?,
            tls: TlsSettings {
                ca: named.authorities(places).await?,
                server_name: provider.tls_server_name.clone(),
                identity: None,
            },
        })
    }

    /// Names what was fetched without telling it.
    pub(super) fn credential_hash(&self) -> [u8; 32] {
        let headers = self
            .headers
            .iter()
            .flat_map(|(name, value)| [name.as_str().as_bytes(), value.expose()]);
        let body = self.body.as_ref().map_or(&b""[..], SecretValue::expose);
        let authorities = self.tls.ca.as_deref().unwrap_or_default();
        hash_of([authorities, body].into_iter().chain(headers))
    }
}

fn headers(
    provider: &HttpProvider,
    secrets: &BTreeMap<&str, SecretValue>,
) -> Result<Vec<(HeaderName, SecretValue)>, ReadSettings> {
    let wrong = |message: String| ReadSettings::field("headers", message);
    let mut headers = Vec::with_capacity(provider.headers.len());
    for (text, value) in &provider.headers {
        let name = HeaderName::from_bytes(text.as_bytes())
            .map_err(|_| wrong(format!("`{text}` is no name of a header")))?;
        if REFUSED_HEADERS.contains(&name.as_str()) {
            return Err(wrong(format!("`{name}` is set by the client itself")));
        }
        if headers.iter().any(|(known, _)| *known == name) {
            return Err(wrong(format!("`{name}` is given twice")));
        }
        let filled = Template::parse(value.expose())
            .and_then(|template| template.fill(Spot::Header, |name| secrets.get(name)))
            .map_err(|problem| wrong(format!("`{name}` {problem}")))?;
        headers.push((name, filled));
    }
    Ok(headers)
}

fn body(
    provider: &HttpProvider,
    secrets: &BTreeMap<&str, SecretValue>,
) -> Result<Option<SecretValue>, ReadSettings> {
    let Some(text) = &provider.body else {
        return Ok(None);
    };
    let wrong = |message: String| ReadSettings::field("body", message);
    let template = Template::parse(text.expose()).map_err(|problem| wrong(problem.to_string()))?;
    if !template.is_json() {
        return Err(wrong(
            "must be JSON in which `{{ name }}` stands within strings".to_owned(),
        ));
    }
    let filled = template
        .fill(Spot::JsonString, |name| secrets.get(name))
        .map_err(|problem| wrong(problem.to_string()))?;
    Ok(Some(filled))
}
