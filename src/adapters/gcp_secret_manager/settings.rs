//! `spec.provider.gcpSecretManager`, checked.

use penstock_domain::api::gcp_secret_manager::{
    GcpEndpoints, GcpLogin, GcpSecretManagerProvider, GcpSubject, GcpWorkloadIdentity,
};
use penstock_domain::api::store::Identity;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{Credentials, StoreObject, TokenRequest};

use super::answer::is_letter;
use super::document::{self, Document};
use crate::credential_hash::hash_of;
use crate::flat_names::Separator;
use crate::http::ambient::{CredentialService, OperatorIdentity, ServiceClient};
use crate::http::client::HttpLayer;
use crate::http::tls::TlsSettings;
use crate::settings::{Named, ReadSettings};

/// What a store needs besides the servers.
pub(super) struct Settings {
    /// The segments between the address and `secrets`.
    pub(super) parent: Vec<String>,
    /// The addresses.
    pub(super) addresses: Addresses,
    /// Whether payloads must carry checksums: Google's own always do.
    pub(super) checksums: bool,
    /// TLS.
    pub(super) tls: TlsSettings,
    /// How to log in.
    pub(super) method: Method,
    /// Names what was fetched without telling it.
    pub(super) credential_hash: [u8; 32],
}

/// Where everything is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) secret_manager: String,
    pub(super) oauth2: String,
    pub(super) sts: String,
    pub(super) iam_credentials: String,
}

/// How to log in, with everything that is needed for it.
pub(super) enum Method {
    /// A key.
    Key(Document),
    /// A token that is exchanged.
    Federation {
        audience: String,
        subject: Subject,
        impersonate: Option<String>,
    },
    /// The operator's own identity, which the metadata server knows.
    Metadata(Box<ServiceClient>),
}

/// Whose token is exchanged.
pub(super) enum Subject {
    /// A ServiceAccount of Kubernetes; its token is requested for each login.
    ServiceAccount(TokenRequest),
    /// A token that somebody else renews; when it is refused, it is fetched anew.
    Token(SecretValue),
}

impl Settings {
    /// Checks the spec and fetches what it names.
    pub(super) async fn read(
        store: &StoreObject,
        provider: &GcpSecretManagerProvider,
        credentials: &dyn Credentials,
        layer: &HttpLayer,
    ) -> Result<Self, ReadSettings> {
        let granted = granted(store, layer)?;
        let named = match &granted {
            None => Named::of(store, credentials)?,
            Some(identity) => Named::beside(store, credentials, identity),
        };
        let places = (
            &provider.ca_bundle,
            &provider.ca_secret_ref,
            &provider.ca_config_map_ref,
        );
        let ca = named.authorities(places).await?;
        let (method, login) = match &granted {
            None => method(&named, provider).await?,
            Some(identity) => own_method(identity, provider, layer).await?,
        };
        let authorities = ca.clone().unwrap_or_default();
        let parts = login.iter().map(SecretValue::expose);
        let location = location(provider)?;
        let endpoints = provider.endpoints.clone().unwrap_or_default();
        Ok(Self {
            parent: parent(project(provider)?, location),
            checksums: endpoints.secret_manager.is_none(),
            addresses: addresses(endpoints, location),
            credential_hash: hash_of([authorities.as_slice()].into_iter().chain(parts)),
            tls: TlsSettings {
                ca,
                server_name: None,
                identity: None,
            },
            method,
        })
    }
}

/// The separator of a store.
pub(super) fn separator(provider: &GcpSecretManagerProvider) -> Result<Separator, ReadSettings> {
    Separator::parse(provider.separator.as_deref(), is_letter).ok_or_else(|| {
        ReadSettings::field(
            "separator",
            "must be one to eight letters, digits, `-` and `_`",
        )
    })
}

/// Both are one segment of a path, and a location part of a host name.
fn segment<'a>(field: &'static str, text: &'a str, more: &[u8]) -> Result<&'a str, ReadSettings> {
    let sound = !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || more.contains(&byte));
    if sound {
        Ok(text)
    } else {
        Err(ReadSettings::field(
            field,
            "must consist of lower case letters, digits and `-`",
        ))
    }
}

fn project(provider: &GcpSecretManagerProvider) -> Result<&str, ReadSettings> {
    // Projects of a domain of old: `example.com:shop`.
    segment("project", &provider.project, b"-.:")
}

fn location(provider: &GcpSecretManagerProvider) -> Result<Option<&str>, ReadSettings> {
    let location = provider.location.as_deref();
    location
        .map(|location| segment("location", location, b"-"))
        .transpose()
}

fn parent(project: &str, location: Option<&str>) -> Vec<String> {
    let mut parent = vec!["v1", "projects", project];
    if let Some(location) = location {
        parent.extend(["locations", location]);
    }
    parent.into_iter().map(str::to_owned).collect()
}

fn addresses(endpoints: GcpEndpoints, location: Option<&str>) -> Addresses {
    let google = |service: &str| format!("https://{service}.googleapis.com");
    Addresses {
        secret_manager: endpoints.secret_manager.unwrap_or_else(|| match location {
            None => google("secretmanager"),
            Some(location) => google(&format!("secretmanager.{location}.rep")),
        }),
        oauth2: endpoints.oauth2.unwrap_or_else(|| google("oauth2")),
        sts: endpoints.sts.unwrap_or_else(|| google("sts")),
        iam_credentials: endpoints
            .iam_credentials
            .unwrap_or_else(|| google("iamcredentials")),
    }
}

/// The operator's own identity, where the store is to use it.
fn granted(
    store: &StoreObject,
    layer: &HttpLayer,
) -> Result<Option<OperatorIdentity>, ReadSettings> {
    match store.identity {
        Identity::Credentials => Ok(None),
        Identity::Operator => layer
            .ambient()
            .grant(store)
            .map(Some)
            .map_err(ReadSettings::Ambient),
    }
}

/// The operator logs in by the metadata server; a person at the command line by what
/// `gcloud auth application-default login` wrote, if it did.
async fn own_method(
    identity: &OperatorIdentity,
    provider: &GcpSecretManagerProvider,
    layer: &HttpLayer,
) -> Result<(Method, Vec<SecretValue>), ReadSettings> {
    if provider.auth.is_some() {
        return Err(ReadSettings::field(
            "auth",
            "cannot be set beside identity: operator",
        ));
    }
    let variable = "GOOGLE_APPLICATION_CREDENTIALS";
    if let Ok(person) = layer.ambient().person() {
        let usual = ".config/gcloud/application_default_credentials.json";
        let text = person.file(variable, usual).await;
        if let Some(text) = text.map_err(ReadSettings::Ambient)? {
            let document = document::read(&text).map_err(|problem| {
                let message = format!("is absent, and the document of {variable} {problem}");
                ReadSettings::field("auth", message)
            })?;
            return Ok((Method::Key(document), vec![text]));
        }
    }
    let service = identity.service(layer, CredentialService::GoogleMetadata);
    let service = service.map_err(ReadSettings::Ambient)?;
    let service = service.ok_or_else(|| ReadSettings::field("auth", NO_METADATA))?;
    Ok((Method::Metadata(Box::new(service)), Vec::new()))
}

const NO_METADATA: &str = "is absent, and there is no metadata server";

/// How to log in, and the parts that name it.
async fn method(
    named: &Named<'_>,
    provider: &GcpSecretManagerProvider,
) -> Result<(Method, Vec<SecretValue>), ReadSettings> {
    let auth = provider.auth.as_ref();
    let auth = auth.ok_or_else(|| ReadSettings::field("auth", "must be set"))?;
    let login = auth
        .variant()
        .map_err(|error| ReadSettings::field("auth", error.to_string()))?;
    match login {
        GcpLogin::CredentialsJson(key) => {
            let field = "auth.credentialsJson.secretRef";
            let text = named.secret(field, &key.secret_ref).await?;
            let document = document::read(&text)
                .map_err(|problem| ReadSettings::field(field, format!("the document {problem}")))?;
            Ok((Method::Key(document), vec![text]))
        }
        GcpLogin::WorkloadIdentity(identity) => federation(named, identity).await,
    }
}

async fn federation(
    named: &Named<'_>,
    identity: &GcpWorkloadIdentity,
) -> Result<(Method, Vec<SecretValue>), ReadSettings> {
    let audience = identity.audience.as_str();
    if !["//iam.googleapis.com/", "identitynamespace:"]
        .iter()
        .any(|start| audience.starts_with(start))
    {
        return Err(ReadSettings::field(
            "auth.workloadIdentity.audience",
            "must begin with `//iam.googleapis.com/` or `identitynamespace:`",
        ));
    }
    let impersonate = match identity.impersonate.as_deref() {
        Some(email) if !is_email(email) => {
            return Err(ReadSettings::field(
                "auth.workloadIdentity.impersonate",
                "must be the address of a service account",
            ));
        }
        email => email.map(str::to_owned),
    };
    let subject = identity
        .variant()
        .map_err(|error| ReadSettings::field("auth.workloadIdentity", error.to_string()))?;
    let (subject, shown) = match subject {
        GcpSubject::ServiceAccount(account) => {
            let request = named.token_request("auth.workloadIdentity.serviceAccount", account)?;
            let shown = SecretValue::from(request.service_account.as_str());
            (Subject::ServiceAccount(request), shown)
        }
        GcpSubject::Token(reference) => {
            let field = "auth.workloadIdentity.tokenRef";
            let token = named.token(field, reference).await?;
            (Subject::Token(token.clone()), token)
        }
    };
    let parts = vec![
        SecretValue::from(audience),
        shown,
        SecretValue::from(impersonate.as_deref().unwrap_or_default()),
    ];
    let method = Method::Federation {
        audience: audience.to_owned(),
        subject,
        impersonate,
    };
    Ok((method, parts))
}

/// It is one segment of a path.
fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, domain)| {
        [name, domain].iter().all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(project: &str, location: Option<&str>) -> GcpSecretManagerProvider {
        GcpSecretManagerProvider {
            project: project.to_owned(),
            location: location.map(str::to_owned),
            ..GcpSecretManagerProvider::default()
        }
    }

    #[test]
    fn regional_secrets_have_an_address_and_a_parent_of_their_own() {
        let spec = provider("shop-1", Some("europe-west3"));
        let location = location(&spec).unwrap();
        let found = addresses(GcpEndpoints::default(), location);
        assert_eq!(
            found.secret_manager,
            "https://secretmanager.europe-west3.rep.googleapis.com"
        );
        assert_eq!(found.oauth2, "https://oauth2.googleapis.com");
        let parent = parent(project(&spec).unwrap(), location).join("/");
        assert_eq!(parent, "v1/projects/shop-1/locations/europe-west3");
        let global = addresses(GcpEndpoints::default(), None);
        assert_eq!(
            global.secret_manager,
            "https://secretmanager.googleapis.com"
        );
    }

    #[test]
    fn a_location_is_no_way_to_another_host() {
        for text in ["evil.example/", "a.b", "", "A", "../x", "a@b"] {
            assert!(location(&provider("p", Some(text))).is_err(), "{text}");
        }
        for text in ["../x", "a/b", "", "a%2f"] {
            assert!(project(&provider(text, None)).is_err(), "{text}");
        }
        assert!(project(&provider("example.com:shop", None)).is_ok());
    }

    #[test]
    fn an_address_of_an_account_is_one_segment() {
        assert!(is_email("reader@shop-1.iam.gserviceaccount.com"));
        for text in ["", "@", "a@", "a/b@c", "a@b:generateIdToken", "a@b@c"] {
            assert!(!is_email(text), "{text}");
        }
    }
}
