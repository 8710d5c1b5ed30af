//! The spec of a store of AWS, checked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use penstock_domain::api::aws::{
    AwsAccessKey, AwsAccessKeyId, AwsAssumeRole, AwsAuth, AwsKubernetesAuth, AwsLogin, AwsProvider,
};
use penstock_domain::api::shared::GoDuration;
use penstock_domain::api::store::Identity;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{Credentials, StoreObject};
use url::Url;

use super::client::{self, Client, Service};
use super::error::AwsError;
use super::keys::Keys;
use super::login::{Base, Login};
use super::profile;
use super::sts::{self, Sts};
use crate::credential_hash::hash_of;
use crate::http::client::{ClientSettings, HttpClient, HttpLayer};
use crate::http::tls::TlsSettings;
use crate::providers::Reached;
use crate::settings::{Named, ReadSettings, trimmed};

/// How sessions are called unless the spec says otherwise.
pub(super) const SESSION_NAME: &str = "penstock";
const MAX_REGION: usize = 32;
const MIN_SESSION: Duration = Duration::from_mins(15);
const MAX_SESSION: Duration = Duration::from_hours(12);

/// A role that trusts a token.
#[derive(Debug, Clone)]
pub(crate) struct WebRole {
    pub(super) arn: String,
    pub(super) session_name: String,
    pub(super) duration: Option<Duration>,
}

/// A role that an identity takes on.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(super) arn: String,
    pub(super) external_id: Option<String>,
    pub(super) session_name: String,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) duration: Option<Duration>,
}

/// A service as requests to it are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServiceName {
    /// In hosts and signatures.
    pub(crate) name: &'static str,
    /// Before the action in `X-Amz-Target`.
    pub(crate) target: &'static str,
}

/// Opens a client: the spec is checked and what it names is fetched; nobody logs in yet. With it comes the name of
/// the credentials, because reads are shared only under equal ones.
pub(crate) async fn open(
    store: &StoreObject,
    provider: &AwsProvider,
    reached: &Reached,
    service: ServiceName,
) -> Result<(Client, [u8; 32]), AwsError> {
    let region = region(provider)?;
    let own = Own {
        store,
        credentials: reached.credentials.as_ref(),
        layer: &reached.http,
    };
    let tls = own.authorities(provider).await?;
    let (base, named) = own.base(provider).await?;
    let role = provider.assume_role.as_ref().map(role).transpose()?;
    let hash = hash(&tls, &named, role.as_ref());
    let client = |host: &str, endpoint: &Option<String>, field| {
        own.client((host, endpoint.as_deref()), field, &tls)
    };
    let sts = client(
        &provider.usual_host("sts"),
        &provider.sts_endpoint,
        sts::FIELD,
    )?;
    let http = client(
        &provider.usual_host(service.name),
        &provider.endpoint,
        client::FIELD,
    )?;
    let login = Login {
        base,
        role,
        sts: Sts {
            http: sts,
            region: region.clone(),
        },
        layer: Arc::clone(&reached.http),
        credentials: Arc::clone(&reached.credentials),
    };
    let service = Service {
        http,
        region,
        name: service.name,
        target: service.target,
    };
    Ok((Client::new(service, login), hash))
}

/// One store, and what it may reach.
struct Own<'a> {
    store: &'a StoreObject,
    credentials: &'a dyn Credentials,
    layer: &'a HttpLayer,
}

impl Own<'_> {
    fn is_operator(&self) -> bool {
        self.store.is_cluster() && self.store.identity == Identity::Operator
    }

    /// The authorities for addresses that the spec names.
    async fn authorities(&self, provider: &AwsProvider) -> Result<TlsSettings, AwsError> {
        let places = (
            &provider.ca_bundle,
            &provider.ca_secret_ref,
            &provider.ca_config_map_ref,
        );
        let ca = match places {
            (None, None, None) => None,
            (Some(bundle), None, None) => Some(bundle.clone().into_bytes()),
            _ if self.is_operator() => {
                return Err(ReadSettings::field(
                    "caBundle",
                    "is the only place of CA certificates with identity: operator",
                )
                .into());
            }
            places => {
                Named::of(self.store, self.credentials)?
                    .authorities(places)
                    .await?
            }
        };
        Ok(TlsSettings {
            ca,
            ..TlsSettings::default()
        })
    }

    /// Whose identity it is, and parts that name it.
    async fn base(&self, provider: &AwsProvider) -> Result<(Base, Vec<SecretValue>), AwsError> {
        let text = |text: &str| SecretValue::from(text);
        match (self.store.identity, &provider.auth) {
            (Identity::Operator, None) => {
                let identity = self.layer.ambient().grant(self.store)?;
                Ok((Base::Operator(identity), vec![text("operator")]))
            }
            (Identity::Operator, Some(_)) => Err(ReadSettings::field(
                "auth",
                "must be left out with identity: operator, which is another identity",
            )
            .into()),
            (Identity::Credentials, None) => Err(ReadSettings::field(
                "auth",
                "is missing: only identity: operator goes without",
            )
            .into()),
            (Identity::Credentials, Some(auth)) => self.named(auth).await,
        }
    }

    async fn named(&self, auth: &AwsAuth) -> Result<(Base, Vec<SecretValue>), AwsError> {
        let named = Named::of(self.store, self.credentials)?;
        let login = auth
            .variant()
            .map_err(|error| ReadSettings::field("auth", error.to_string()))?;
        let text = |text: &str| SecretValue::from(text);
        match login {
            AwsLogin::AccessKey(key) => Ok(with_parts(access_key(&named, key).await?)),
            AwsLogin::CredentialsFile(file) => {
                let field = "auth.credentialsFile";
                let content = named
                    .secret("auth.credentialsFile.secretRef", &file.secret_ref)
                    .await?;
                let profile = file.profile.as_deref().unwrap_or("default");
                let keys = profile::read(&content, profile)
                    .map_err(|problem| ReadSettings::field(field, problem.to_string()))?;
                Ok(with_parts(keys))
            }
            AwsLogin::Kubernetes(kubernetes) => {
                let request = named.token_request(
                    "auth.kubernetes.serviceAccount",
                    &kubernetes.service_account,
                )?;
                let role = web_role(kubernetes)?;
                let parts = vec![
                    text("kubernetes"),
                    text(request.service_account.as_str()),
                    text(&request.audiences.join(" ")),
                    text(&role.arn),
                ];
                Ok((Base::ServiceAccount { request, role }, parts))
            }
            AwsLogin::Profile(profile) => {
                let person = self.layer.ambient().person()?;
                let parts = vec![text("profile"), text(&profile.name)];
                let profile = profile.name.clone();
                Ok((Base::Person { person, profile }, parts))
            }
        }
    }

    /// A client for the usual host, or for what the spec names in its place.
    fn client(
        &self,
        (usual, named): (&str, Option<&str>),
        field: &'static str,
        tls: &TlsSettings,
    ) -> Result<HttpClient, AwsError> {
        let usual = format!("https://{usual}");
        let public = TlsSettings::default();
        // Authorities of one's own are those of addresses of one's own.
        let (address, tls) = match named {
            Some(named) => (named, tls),
            None => (usual.as_str(), &public),
        };
        // What is signed is the path `/`.
        if Url::parse(address).is_ok_and(|url| url.path() != "/") {
            return Err(ReadSettings::field(field, "must not have a path").into());
        }
        self.layer
            .client(&ClientSettings::of(self.store, address, tls))
            .map_err(|source| AwsError::Open { field, source })
    }
}

fn with_parts(keys: Keys) -> (Base, Vec<SecretValue>) {
    let parts = vec![SecretValue::from("keys"), keys.packed()];
    (Base::Keys(keys), parts)
}

fn hash(tls: &TlsSettings, named: &[SecretValue], role: Option<&Role>) -> [u8; 32] {
    let authorities = tls.ca.as_deref().unwrap_or_default();
    let role = role.map(|role| format!("{role:?}")).unwrap_or_default();
    let parts = named.iter().map(SecretValue::expose);
    hash_of([authorities, role.as_bytes()].into_iter().chain(parts))
}

/// The region becomes a part of host names.
fn region(provider: &AwsProvider) -> Result<String, ReadSettings> {
    let region = &provider.region;
    let sound = !region.is_empty()
        && region.len() <= MAX_REGION
        && region
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if sound {
        Ok(region.clone())
    } else {
        let message = "must be the name of a region, such as eu-central-1";
        Err(ReadSettings::field("region", message))
    }
}

async fn access_key(named: &Named<'_>, key: &AwsAccessKey) -> Result<Keys, ReadSettings> {
    let id = match key.variant() {
        Ok(AwsAccessKeyId::Inline(text)) => trimmed(&SecretValue::from(text.expose())),
        Ok(AwsAccessKeyId::Reference(reference)) => {
            named.token("auth.accessKey.idRef", reference).await?
        }
        Err(error) => return Err(ReadSettings::field("auth.accessKey", error.to_string())),
    };
    let secret = named
        .token("auth.accessKey.secretRef", &key.secret_ref)
        .await?;
    let token = match &key.session_token_ref {
        Some(reference) => Some(
            named
                .token("auth.accessKey.sessionTokenRef", reference)
                .await?,
        ),
        None => None,
    };
    Keys::new(&id, &secret, token.as_ref()).ok_or_else(|| {
        ReadSettings::field(
            "auth.accessKey",
            "names a key that is empty or has blanks in it",
        )
    })
}

fn web_role(kubernetes: &AwsKubernetesAuth) -> Result<WebRole, ReadSettings> {
    Ok(WebRole {
        arn: arn("auth.kubernetes.roleArn", &kubernetes.role_arn)?,
        session_name: session_name(
            "auth.kubernetes.sessionName",
            kubernetes.session_name.as_deref(),
        )?,
        duration: duration("auth.kubernetes.duration", kubernetes.duration.as_ref())?,
    })
}

fn role(role: &AwsAssumeRole) -> Result<Role, ReadSettings> {
    Ok(Role {
        arn: arn("assumeRole.roleArn", &role.role_arn)?,
        external_id: role.external_id.clone(),
        session_name: session_name("assumeRole.sessionName", role.session_name.as_deref())?,
        tags: role.tags.clone(),
        duration: duration("assumeRole.duration", role.duration.as_ref())?,
    })
}

fn arn(field: &'static str, text: &str) -> Result<String, ReadSettings> {
    let sound = text.starts_with("arn:") && text.bytes().all(|byte| byte.is_ascii_graphic());
    if sound {
        Ok(text.to_owned())
    } else {
        Err(ReadSettings::field(
            field,
            "must be the ARN of a role, such as arn:aws:iam::123456789012:role/reader",
        ))
    }
}

/// 2 to 64 of the characters that AWS takes (API reference of the Security Token Service, `AssumeRole`).
fn session_name(field: &'static str, text: Option<&str>) -> Result<String, ReadSettings> {
    let text = text.unwrap_or(SESSION_NAME);
    let sound = (2..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_=,.@+-".contains(&byte));
    if sound {
        Ok(text.to_owned())
    } else {
        let message = "must be 2 to 64 letters, digits or one of _ = , . @ + -";
        Err(ReadSettings::field(field, message))
    }
}

fn duration(
    field: &'static str,
    duration: Option<&GoDuration>,
) -> Result<Option<Duration>, ReadSettings> {
    let Some(duration) = duration else {
        return Ok(None);
    };
    duration
        .to_duration()
        .ok()
        .filter(|duration| (MIN_SESSION..=MAX_SESSION).contains(duration))
        .map(Some)
        .ok_or_else(|| ReadSettings::field(field, "must be a duration from 15m to 12h"))
}
