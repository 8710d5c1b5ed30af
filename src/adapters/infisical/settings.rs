//! `spec.provider.infisical`, checked.

use penstock_domain::api::infisical::{
    ClientId, InfisicalLogin, InfisicalProject, InfisicalProvider, InfisicalUniversalAuth,
};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{Credentials, StoreObject, TokenRequest};

use crate::credential_hash::hash_of;
use crate::http::tls::TlsSettings;
use crate::settings::{Named, ReadSettings, trimmed};

/// What a store needs besides the server.
pub(super) struct Settings {
    /// The project.
    pub(super) project: ProjectName,
    /// The store's own environment.
    pub(super) environment: Option<String>,
    /// TLS.
    pub(super) tls: TlsSettings,
    /// How to log in.
    pub(super) method: Method,
}

/// How the spec names the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ProjectName {
    /// By its id.
    Id(String),
    /// By its slug.
    Slug(String),
}

/// How to log in, with everything that is needed for it.
pub(super) enum Method {
    /// A machine identity's client id and client secret.
    Universal {
        client_id: SecretValue,
        client_secret: SecretValue,
    },
    /// A ServiceAccount of Kubernetes; its token is requested for each login.
    Kubernetes {
        identity_id: String,
        request: TokenRequest,
    },
    /// A service token, as far as it is sent.
    ServiceToken(SecretValue),
}

impl Settings {
    /// Checks the spec and fetches what it names.
    pub(super) async fn read(
        store: &StoreObject,
        provider: &InfisicalProvider,
        credentials: &dyn Credentials,
    ) -> Result<Self, ReadSettings> {
        let named = Named::of(store, credentials)?;
        let places = (
            &provider.ca_bundle,
            &provider.ca_secret_ref,
            &provider.ca_config_map_ref,
        );
        let project = project(provider)?;
        let method = method(&named, provider).await?;
        if let (ProjectName::Slug(_), Method::ServiceToken(_)) = (&project, &method) {
            return Err(ReadSettings::field(
                "projectSlug",
                "cannot be looked up with a service token: set projectId",
            ));
        }
        Ok(Self {
            project,
            environment: provider.environment.clone(),
            tls: TlsSettings {
                ca: named.authorities(places).await?,
                server_name: None,
                identity: None,
            },
            method,
        })
    }

    /// Names what was fetched without telling it: reads are shared only under equal credentials.
    pub(super) fn credential_hash(&self) -> [u8; 32] {
        let login: [&[u8]; 2] = match &self.method {
            Method::Universal {
                client_id,
                client_secret,
            } => [client_id.expose(), client_secret.expose()],
            Method::Kubernetes {
                identity_id,
                request,
            } => [
                identity_id.as_bytes(),
                request.service_account.as_str().as_bytes(),
            ],
            Method::ServiceToken(token) => [token.expose(), b""],
        };
        let authorities = self.tls.ca.as_deref().unwrap_or_default();
        hash_of([authorities].into_iter().chain(login))
    }
}

fn project(provider: &InfisicalProvider) -> Result<ProjectName, ReadSettings> {
    let (field, name, project) = match provider.variant() {
        Ok(InfisicalProject::Id(id)) => ("projectId", id, ProjectName::Id(id.clone())),
        Ok(InfisicalProject::Slug(slug)) => ("projectSlug", slug, ProjectName::Slug(slug.clone())),
        Err(error) => return Err(ReadSettings::field("projectId", error.to_string())),
    };
    // Both are one segment of a path.
    let sound = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if sound {
        Ok(project)
    } else {
        Err(ReadSettings::field(
            field,
            "must consist of letters, digits, `-` and `_`",
        ))
    }
}

async fn method(named: &Named<'_>, provider: &InfisicalProvider) -> Result<Method, ReadSettings> {
    let login = provider
        .auth
        .variant()
        .map_err(|error| ReadSettings::field("auth", error.to_string()))?;
    match login {
        InfisicalLogin::Universal(universal) => Ok(Method::Universal {
            client_id: client_id(named, universal).await?,
            client_secret: named
                .token(
                    "auth.universal.clientSecretRef",
                    &universal.client_secret_ref,
                )
                .await?,
        }),
        InfisicalLogin::Kubernetes(kubernetes) => Ok(Method::Kubernetes {
            identity_id: kubernetes.identity_id.clone(),
            request: named.token_request(
                "auth.kubernetes.serviceAccount",
                &kubernetes.service_account,
            )?,
        }),
        InfisicalLogin::ServiceToken(token) => {
            let field = "auth.serviceToken.secretRef";
            let token = named.token(field, &token.secret_ref).await?;
            sent_part(&token).map(Method::ServiceToken).ok_or_else(|| {
                ReadSettings::field(field, "names no service token: one begins with `st.`")
            })
        }
    }
}

async fn client_id(
    named: &Named<'_>,
    universal: &InfisicalUniversalAuth,
) -> Result<SecretValue, ReadSettings> {
    match universal.variant() {
        Ok(ClientId::Inline(text)) => Ok(trimmed(&SecretValue::from(text.expose()))),
        Ok(ClientId::Reference(reference)) => {
            named.token("auth.universal.clientIdRef", reference).await
        }
        Err(error) => Err(ReadSettings::field("auth.universal", error.to_string())),
    }
}

/// Of `st.<id>.<secret>.<key>` the first three parts are sent: the key is for decrypting on the client's side,
/// as projects of old did.
fn sent_part(token: &SecretValue) -> Option<SecretValue> {
    let mut parts = token.expose_text()?.splitn(4, '.');
    let (kind, id, secret) = (parts.next()?, parts.next()?, parts.next()?);
    (kind == "st" && !id.is_empty() && !secret.is_empty())
        .then(|| SecretValue::from(format!("st.{id}.{secret}").as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_parts_of_a_service_token_are_sent() {
        let sent = |text: &str| sent_part(&SecretValue::from(text));
        for text in ["st.id.secret", "st.id.secret.key", "st.id.secret.key.x"] {
            assert_eq!(
                sent(text),
                Some(SecretValue::from("st.id.secret")),
                "{text}"
            );
        }
        for text in [
            "",
            "st",
            "st.id",
            "st..secret",
            "st.id.",
            "ey.J.x",
            "ST.id.s",
        ] {
            assert_eq!(sent(text), None, "{text}");
        }
    }

    #[test]
    fn a_project_is_one_segment() {
        let of = |id: &str| {
            project(&InfisicalProvider {
                project_id: Some(id.to_owned()),
                ..InfisicalProvider::default()
            })
        };
        assert!(of("0b6c1a2e-0000-4000-8000-000000000001").is_ok());
        for id in ["", "a/b", "..", "a b", "a?b", "%2e"] {
            assert!(of(id).is_err(), "{id}");
        }
        assert!(project(&InfisicalProvider::default()).is_err());
    }
}
