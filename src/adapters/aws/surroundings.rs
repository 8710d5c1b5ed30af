//! Keys of the process's own surroundings, in the order of the AWS SDKs (SDKs and Tools Reference Guide, "Default
//! credential provider chain"), without the files of a person: variables, a web identity, a container's
//! credentials, the instance.

use penstock_domain::secret::SecretValue;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::error::AwsError;
use super::keys::Keys;
use super::settings::{SESSION_NAME, WebRole};
use super::sts::{Sts, grant};
use crate::http::ambient::{CredentialService, OperatorIdentity, ServiceClient};
use crate::http::client::{HttpLayer, Request, Response};
use crate::http::json;
use crate::session::Grant;

const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
const CONTAINER_TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
const CONTAINER: &str = "the credential service of the container";
const INSTANCE: &str = "the metadata service of the instance";

/// Looks for keys in the surroundings that were granted.
pub(super) struct Surroundings<'a> {
    pub(super) identity: &'a OperatorIdentity,
    pub(super) layer: &'a HttpLayer,
    pub(super) sts: &'a Sts,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    access_key_id: Zeroizing<String>,
    secret_access_key: Zeroizing<String>,
    token: Zeroizing<String>,
    expiration: String,
}

impl Surroundings<'_> {
    /// The keys of the first place that has any. A place that is named and fails is an error: nobody is to act as
    /// somebody else because of a stumble.
    pub(super) async fn keys(&self) -> Result<Grant, AwsError> {
        if let Some(keys) = self.variables()? {
            return Ok(Grant::unknown(&keys.packed()));
        }
        if let Some(token) = self.identity.file(TOKEN_FILE).await? {
            return self.web_identity(&token).await;
        }
        if let Some(service) = self
            .identity
            .service(self.layer, CredentialService::AwsContainer)?
        {
            return self.container(&service).await;
        }
        match self
            .identity
            .service(self.layer, CredentialService::AwsInstance)?
        {
            Some(service) => instance(&service).await,
            None => Err(AwsError::NoIdentity),
        }
    }

    fn variables(&self) -> Result<Option<Keys>, AwsError> {
        let value = |name| self.identity.secret(name);
        let (id, secret) = (value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY"));
        match (id, secret) {
            (Some(id), Some(secret)) => {
                let token = value("AWS_SESSION_TOKEN");
                let keys = Keys::new(&id, &secret, token.as_ref());
                keys.map(Some).ok_or(AwsError::NoIdentity)
            }
            _ => Ok(None),
        }
    }

    async fn web_identity(&self, token: &SecretValue) -> Result<Grant, AwsError> {
        let variable = |name| self.identity.variable(name).map(str::to_owned);
        let role = WebRole {
            arn: variable("AWS_ROLE_ARN").ok_or(AwsError::NoIdentity)?,
            session_name: variable("AWS_ROLE_SESSION_NAME")
                .unwrap_or_else(|| SESSION_NAME.to_owned()),
            duration: None,
        };
        self.sts.assume_with_token(&role, token).await
    }

    /// Amazon ECS and EKS Pod Identity: the token of the variable, or of the file, goes into a header as it is.
    async fn container(&self, service: &ServiceClient) -> Result<Grant, AwsError> {
        let file = self.identity.file(CONTAINER_TOKEN_FILE).await?;
        let token = file.or_else(|| self.identity.secret("AWS_CONTAINER_AUTHORIZATION_TOKEN"));
        let mut request = service.get(&[]);
        if let Some(token) = token {
            let token = crate::settings::trimmed(&token);
            request = request
                .credential("authorization", &token)
                .map_err(|source| failed(service, source))?;
        }
        let response = send(service, &request).await?;
        document(&response, CONTAINER)
    }
}

/// Amazon EC2, version 2 of its protocol: a session first, then the name of the role, then its keys (EC2 User
/// Guide, "Use the Instance Metadata Service").
async fn instance(service: &ServiceClient) -> Result<Grant, AwsError> {
    let open = service
        .put(&["latest", "api", "token"])
        .header("x-aws-ec2-metadata-token-ttl-seconds", "21600")
        .map_err(|source| failed(service, source))?;
    // Outside of EC2 nobody listens there.
    let session = match send(service, &open).await {
        Ok(response) => SecretValue::new(good(&response, INSTANCE)?),
        Err(AwsError::Send { .. }) => return Err(AwsError::NoIdentity),
        Err(error) => return Err(error),
    };
    let ask = |segments: &[&str]| {
        service
            .get(segments)
            .credential("x-aws-ec2-metadata-token", &session)
            .map_err(|source| failed(service, source))
    };
    let place = ["latest", "meta-data", "iam", "security-credentials"];
    let [a, b, c, d] = place;
    let response = send(service, &ask(&[a, b, c, d, ""])?).await?;
    if response.status == http::StatusCode::NOT_FOUND {
        return Err(AwsError::NoIdentity);
    }
    let roles = good(&response, INSTANCE)?;
    let role = std::str::from_utf8(roles)
        .unwrap_or_default()
        .lines()
        .next();
    let role = role.unwrap_or_default().trim().to_owned();
    drop(response);
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
    if role.is_empty() || role.starts_with('.') || !role.bytes().all(sound) {
        return Err(AwsError::NoIdentity);
    }
    let response = send(service, &ask(&[a, b, c, d, &role])?).await?;
    document(&response, INSTANCE)
}

async fn send(service: &ServiceClient, request: &Request) -> Result<Response, AwsError> {
    let response = service.http.send(request).await;
    response.map_err(|source| failed(service, source))
}

fn failed(service: &ServiceClient, source: crate::http::error::SendRequest) -> AwsError {
    AwsError::Send {
        host: service.http.host().to_owned(),
        field: "auth",
        source,
    }
}

fn good<'a>(response: &'a Response, service: &'static str) -> Result<&'a [u8], AwsError> {
    let status = response.status.as_u16();
    if status == 200 && !response.body().is_empty() {
        Ok(response.body())
    } else {
        Err(AwsError::Surroundings { service, status })
    }
}

fn document(response: &Response, service: &'static str) -> Result<Grant, AwsError> {
    let body = good(response, service)?;
    let understood = json::parse_owned::<Document>(body)
        .ok()
        .and_then(|document| {
            let value = |text: &Zeroizing<String>| SecretValue::from(text.as_str());
            let keys = Keys::new(
                &value(&document.access_key_id),
                &value(&document.secret_access_key),
                Some(&value(&document.token)),
            )?;
            grant(&keys, &document.expiration)
        });
    let status = response.status.as_u16();
    understood.ok_or(AwsError::Surroundings { service, status })
}
