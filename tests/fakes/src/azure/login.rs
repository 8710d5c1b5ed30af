//! The authority: the client credentials flow with a secret, a certificate or a federated token; the metadata service.

use serde_json::{Value, json};

use super::failures::{oauth, unauthorized};
use super::model::{Application, Model};
use crate::jwt::{self, Said};
use crate::server::{Reply, Request};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Assertions of more than a day are refused.
const LONGEST: u32 = 24 * 3600;

pub(super) fn token(
    model: &mut Model,
    request: &Request,
    body: &[u8],
    tenant: &str,
) -> Result<Reply, Reply> {
    if !tenant.eq_ignore_ascii_case(&model.tenant) {
        return Err(oauth(400, "invalid_request", 90_002));
    }
    let form = request.header("content-type").unwrap_or_default();
    if !form.starts_with("application/x-www-form-urlencoded") {
        return Err(oauth(400, "invalid_request", 900_144));
    }
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(body)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let field = |name: &str| {
        let mut fields = fields.iter();
        let found = fields.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    if field("grant_type") != "client_credentials" {
        return Err(oauth(400, "unsupported_grant_type", 70_003));
    }
    // `//.default` is Azure's own answer to resources that end in a slash.
    let scope = field("scope").split(' ').next().unwrap_or_default();
    if scope.trim_end_matches("/.default").trim_end_matches('/') != model.resource {
        return Err(oauth(400, "invalid_scope", 70_011));
    }
    let client = field("client_id");
    let application = model.applications.get(client);
    let application = application.ok_or_else(|| oauth(400, "unauthorized_client", 700_016))?;
    match (field("client_secret"), field("client_assertion_type")) {
        ("", ASSERTION_TYPE) => {
            let audience = format!("{}/{tenant}/oauth2/v2.0/token", model.address);
            asserted(application, (client, &audience), field("client_assertion"))?;
        }
        (secret, "") if application.secrets.contains(secret) => {}
        (secret, "") if application.expired.contains(secret) => {
            return Err(oauth(401, "invalid_client", 7_000_222));
        }
        _ => return Err(oauth(401, "invalid_client", 7_000_215)),
    }
    let client = client.to_owned();
    Ok(granted(model, &client))
}

fn asserted(
    application: &Application,
    (client, audience): (&str, &str),
    assertion: &str,
) -> Result<(), Reply> {
    if application.federated.contains(assertion) {
        return Ok(());
    }
    let said = jwt::peek(assertion);
    // Microsoft's own libraries name a certificate by its SHA-1, in the header of old.
    let thumbprint = said
        .as_ref()
        .map(|said| {
            // Written with padding by some.
            let name = |name: &str| Said::text(&said.header, name).trim_end_matches('=');
            [name("x5t#S256"), name("x5t")]
        })
        .and_then(|names| names.into_iter().find(|name| !name.is_empty()))
        .unwrap_or_default();
    if thumbprint.is_empty() {
        return Err(oauth(401, "invalid_client", 700_213));
    }
    let wrong = || oauth(401, "invalid_client", 700_027);
    let key = application.certificates.get(thumbprint);
    let said = key.and_then(|key| jwt::verify(assertion, key));
    let said = said.ok_or_else(wrong)?;
    let claim = |name: &str| Said::text(&said.claims, name);
    if claim("aud") != audience
        || claim("iss") != client
        || claim("sub") != client
        || claim("jti").is_empty()
    {
        return Err(oauth(401, "invalid_client", 50_027));
    }
    if !said.is_timely(LONGEST) {
        return Err(oauth(401, "invalid_client", 700_024));
    }
    Ok(())
}

fn granted(model: &mut Model, client: &str) -> Reply {
    let body = json!({
        "token_type": "Bearer", "expires_in": model.behaviour.ttl, "ext_expires_in": model.behaviour.ttl,
        "access_token": model.issue(client),
    });
    Reply::json(200, &body)
}

/// What libraries ask for before they log in.
pub(super) fn configuration(model: &Model, tenant: &str) -> Reply {
    let own = format!("{}/{tenant}", model.address);
    let body = json!({
        "issuer": format!("{own}/v2.0"),
        "authorization_endpoint": format!("{own}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{own}/oauth2/v2.0/token"),
        "device_authorization_endpoint": format!("{own}/oauth2/v2.0/devicecode"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "tenant_region_scope": "WW",
    });
    Reply::json(200, &body)
}

/// The instance metadata service: numbers are texts there.
pub(super) fn metadata(model: &mut Model, request: &Request) -> Result<Reply, Reply> {
    let refused = |text: &str| {
        let body = json!({"error": "invalid_request", "error_description": text});
        Reply::json(400, &body)
    };
    if request.header("metadata") != Some("true") {
        return Err(refused("Required metadata header not specified"));
    }
    let resource = request.parameter("resource").unwrap_or_default();
    if resource.trim_end_matches('/') != model.resource {
        return Err(refused("Invalid resource"));
    }
    let attached = model.attached.clone();
    let asked = request.parameter("client_id");
    let client = attached.filter(|known| asked.is_none_or(|asked| asked == known));
    let client = client.ok_or_else(|| refused("Identity not found"))?;
    let body: Value = json!({
        "access_token": model.issue(&client), "client_id": client,
        "expires_in": model.behaviour.ttl.to_string(), "resource": resource, "token_type": "Bearer",
    });
    Ok(Reply::json(200, &body))
}

/// Whose token a request carries.
pub(super) fn bearer(model: &Model, request: &Request) -> Result<String, Reply> {
    let token = request
        .header("authorization")
        .and_then(|header| header.strip_prefix("Bearer "));
    token.and_then(|token| model.holder(token)).ok_or_else(|| {
        let authority = model.behaviour.challenge.clone();
        let authority = authority.unwrap_or_else(|| format!("{}/{}", model.address, model.tenant));
        let resource = &model.resource;
        unauthorized(&format!(
            "Bearer authorization=\"{authority}\", resource=\"{resource}\""
        ))
    })
}
