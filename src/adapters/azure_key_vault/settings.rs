//! `spec.provider.azureKeyVault`, checked.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use penstock_domain::api::azure_key_vault::{
    AzureCloud, AzureKeyVaultProvider, AzureLogin, AzureNames,
};
use penstock_domain::api::store::Identity;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{Credentials, StoreObject, TokenRequest};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::challenge::Expected;
use super::names::is_letter;
use crate::credential_hash::hash_of;
use crate::flat_names::Separator;
use crate::http::ambient::{CredentialService, OperatorIdentity, ServiceClient};
use crate::http::client::HttpLayer;
use crate::http::tls::TlsSettings;
use crate::jwt::SigningKey;
use crate::settings::{Named, ReadSettings};

/// What a store needs besides the vault.
pub(super) struct Settings {
    /// Whom tokens are got from, and for what.
    pub(super) expected: Expected,
    /// TLS.
    pub(super) tls: TlsSettings,
    /// How to log in.
    pub(super) method: Method,
    /// Names what was fetched without telling it.
    pub(super) credential_hash: [u8; 32],
}

/// How to log in, with everything that is needed for it.
pub(super) enum Method {
    /// An application, which proves itself.
    Client { client_id: String, proof: Proof },
    /// The operator's own managed identity.
    Managed {
        service: Box<ServiceClient>,
        kind: ManagedKind,
        /// Which one, where there are several.
        client_id: Option<String>,
    },
}

/// Where a managed identity is asked for.
pub(super) enum ManagedKind {
    /// The instance metadata service of a machine.
    Instance,
    /// The service beside an app; the header proves that it is the app that asks.
    App { header: SecretValue },
}

/// How an application proves itself.
pub(super) enum Proof {
    /// By a client secret.
    Secret(SecretValue),
    /// By an assertion that the certificate's key signs.
    Certificate {
        key: SigningKey,
        /// SHA-256 of the certificate, in base64url.
        thumbprint: String,
    },
    /// By the token of a ServiceAccount, requested for each login.
    ServiceAccount(TokenRequest),
    /// By the token of the operator's own ServiceAccount that Azure's webhook lays down, read for each login.
    OwnFile(OperatorIdentity),
}

/// The file of the operator's own federated token.
pub(super) const TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";

/// The operator's own identity: the workload identity of its pod, else the managed identity of its app or machine.
async fn own(
    named: &Named<'_>,
    identity: &OperatorIdentity,
    provider: &AzureKeyVaultProvider,
    layer: &HttpLayer,
) -> Result<Settings, ReadSettings> {
    if provider.auth.is_some() {
        return Err(ReadSettings::field(
            "auth",
            "cannot be set beside identity: operator",
        ));
    }
    let (authority, resource) = cloud(provider)?;
    let places = (
        &provider.ca_bundle,
        &provider.ca_secret_ref,
        &provider.ca_config_map_ref,
    );
    let ca = named.authorities(places).await?;
    let wanted = provider.managed_identity_client_id.clone();
    let client = wanted
        .clone()
        .or_else(|| identity.variable("AZURE_CLIENT_ID").map(str::to_owned));
    let tenant = identity.variable("AZURE_TENANT_ID");
    let (tenant, method) = match (identity.variable(TOKEN_FILE), &client, tenant) {
        (Some(_), Some(client_id), Some(tenant)) => {
            let method = Method::Client {
                client_id: client_id.clone(),
                proof: Proof::OwnFile(identity.clone()),
            };
            (Some(tenant_segment(tenant)?), method)
        }
        _ => (None, managed(identity, wanted, layer)?),
    };
    let parts: [&[u8]; 2] = [
        ca.as_deref().unwrap_or_default(),
        client.as_deref().unwrap_or_default().as_bytes(),
    ];
    Ok(Settings {
        credential_hash: hash_of(parts),
        expected: Expected {
            authority,
            tenant,
            resource,
        },
        method,
        tls: TlsSettings {
            ca,
            server_name: None,
            identity: None,
        },
    })
}

fn managed(
    identity: &OperatorIdentity,
    client_id: Option<String>,
    layer: &HttpLayer,
) -> Result<Method, ReadSettings> {
    let service = |service| {
        identity
            .service(layer, service)
            .map_err(ReadSettings::Ambient)
    };
    let (service, kind) = match (
        service(CredentialService::AzureApp)?,
        identity.secret("IDENTITY_HEADER"),
    ) {
        (Some(service), Some(header)) => (Some(service), ManagedKind::App { header }),
        _ => (
            service(CredentialService::AzureInstance)?,
            ManagedKind::Instance,
        ),
    };
    let service = service.ok_or_else(|| {
        ReadSettings::field("auth", "is absent, and there is no managed identity")
    })?;
    Ok(Method::Managed {
        service: Box::new(service),
        kind,
        client_id,
    })
}

impl Settings {
    /// Checks the spec and fetches what it names.
    pub(super) async fn read(
        store: &StoreObject,
        provider: &AzureKeyVaultProvider,
        credentials: &dyn Credentials,
        layer: &HttpLayer,
    ) -> Result<Self, ReadSettings> {
        if store.identity == Identity::Operator {
            let granted = layer.ambient().grant(store);
            let identity = granted.map_err(ReadSettings::Ambient)?;
            let named = Named::beside(store, credentials, &identity);
            return own(&named, &identity, provider, layer).await;
        }
        let named = Named::of(store, credentials)?;
        let places = (
            &provider.ca_bundle,
            &provider.ca_secret_ref,
            &provider.ca_config_map_ref,
        );
        let (authority, resource) = cloud(provider)?;
        let ca = named.authorities(places).await?;
        let auth = provider.auth.as_ref();
        let auth = auth.ok_or_else(|| ReadSettings::field("auth", "must be set"))?;
        let login = auth
            .variant()
            .map_err(|error| ReadSettings::field("auth", error.to_string()))?;
        let (tenant, client_id, (proof, shown)) = match login {
            AzureLogin::ClientSecret(auth) => {
                let field = "auth.clientSecret.secretRef";
                let secret = named.token(field, &auth.secret_ref).await?;
                let proof = (Proof::Secret(secret.clone()), secret);
                (&auth.tenant_id, &auth.client_id, proof)
            }
            AzureLogin::ClientCertificate(auth) => {
                let field = "auth.clientCertificate.certificateRef";
                let certificate = named.secret(field, &auth.certificate_ref).await?;
                let field = "auth.clientCertificate.keyRef";
                let key = named.secret(field, &auth.key_ref).await?;
                let proof = (certificate_proof(&certificate, &key)?, key);
                (&auth.tenant_id, &auth.client_id, proof)
            }
            AzureLogin::WorkloadIdentity(auth) => {
                let request = named.token_request(
                    "auth.workloadIdentity.serviceAccount",
                    &auth.service_account,
                )?;
                let shown = SecretValue::from(request.service_account.as_str());
                let proof = (Proof::ServiceAccount(request), shown);
                (&auth.tenant_id, &auth.client_id, proof)
            }
        };
        let tenant = tenant_segment(tenant)?;
        let authorities = ca.as_deref().unwrap_or_default();
        let parts = [
            authorities,
            tenant.as_bytes(),
            client_id.as_bytes(),
            shown.expose(),
        ];
        Ok(Self {
            credential_hash: hash_of(parts),
            expected: Expected {
                authority,
                tenant: Some(tenant),
                resource,
            },
            method: Method::Client {
                client_id: client_id.clone(),
                proof,
            },
            tls: TlsSettings {
                ca,
                server_name: None,
                identity: None,
            },
        })
    }
}

/// The separator of a store.
pub(super) fn separator(provider: &AzureKeyVaultProvider) -> Result<Separator, ReadSettings> {
    Separator::parse(provider.separator.as_deref(), is_letter).ok_or_else(|| {
        ReadSettings::field("separator", "must be one to eight letters, digits and `-`")
    })
}

/// How keys are called in the vault.
pub(super) fn names(provider: &AzureKeyVaultProvider) -> AzureNames {
    provider.names.unwrap_or_default()
}

/// The authority's address and the resource of a cloud. A token for a cloud's vaults opens all of them, so it goes to
/// an address of that cloud only: whoever names another address names the authority and the resource, too.
fn cloud(provider: &AzureKeyVaultProvider) -> Result<(String, String), ReadSettings> {
    let Some(authority) = &provider.authority else {
        let (login, suffix) = match provider.cloud.unwrap_or_default() {
            AzureCloud::Public => ("login.microsoftonline.com", "vault.azure.net"),
            AzureCloud::China => ("login.chinacloudapi.cn", "vault.azure.cn"),
            AzureCloud::UsGovernment => ("login.microsoftonline.us", "vault.usgovcloudapi.net"),
        };
        if !is_vault_of(&provider.vault_url, suffix) {
            return Err(ReadSettings::field(
                "vaultUrl",
                format!(
                    "must be `https://NAME.{suffix}`: set cloud for a vault elsewhere, or authority for another cloud"
                ),
            ));
        }
        return Ok((format!("https://{login}"), format!("https://{suffix}")));
    };
    if provider.cloud.is_some() {
        return Err(ReadSettings::field(
            "cloud",
            "cannot be set beside authority",
        ));
    }
    let resource = authority.resource.trim_end_matches('/');
    Ok((authority.address.clone(), resource.to_owned()))
}

fn is_vault_of(address: &str, suffix: &str) -> bool {
    let Ok(url) = Url::parse(address) else {
        return false;
    };
    let name = url
        .host_str()
        .and_then(|host| host.strip_suffix(suffix)?.strip_suffix('.'));
    url.scheme() == "https"
        && url.port().is_none()
        && matches!(url.path(), "" | "/")
        && name.is_some_and(|name| !name.is_empty() && name.bytes().all(is_letter))
}

/// It is one segment of a path.
fn tenant_segment(text: &str) -> Result<String, ReadSettings> {
    let sound = !text.is_empty()
        && !text.starts_with('.')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
    if sound {
        Ok(text.to_owned())
    } else {
        Err(ReadSettings::field(
            "auth",
            "tenantId must be the id or the domain of a directory",
        ))
    }
}

fn certificate_proof(certificate: &SecretValue, key: &SecretValue) -> Result<Proof, ReadSettings> {
    let der = CertificateDer::from_pem_slice(certificate.expose()).map_err(|_| {
        ReadSettings::field(
            "auth.clientCertificate.certificateRef",
            "holds no certificate in PEM: a PFX file must be converted",
        )
    })?;
    let key = SigningKey::from_pem(key.expose()).map_err(|_| {
        ReadSettings::field(
            "auth.clientCertificate.keyRef",
            "holds no RSA key in PEM that is not encrypted",
        )
    })?;
    Ok(Proof::Certificate {
        key,
        thumbprint: URL_SAFE_NO_PAD.encode(Sha256::digest(&der)),
    })
}

#[cfg(test)]
mod tests {
    use penstock_domain::api::azure_key_vault::AzureAuthority;

    use super::*;

    fn of(vault_url: &str, cloud: Option<AzureCloud>) -> AzureKeyVaultProvider {
        AzureKeyVaultProvider {
            vault_url: vault_url.to_owned(),
            cloud,
            ..AzureKeyVaultProvider::default()
        }
    }

    #[test]
    fn a_token_for_a_cloud_goes_to_that_cloud() {
        for (address, of_cloud, login) in [
            (
                "https://shop.vault.azure.net",
                None,
                "https://login.microsoftonline.com",
            ),
            (
                "https://SHOP.vault.azure.net/",
                None,
                "https://login.microsoftonline.com",
            ),
            (
                "https://shop.vault.azure.cn",
                Some(AzureCloud::China),
                "https://login.chinacloudapi.cn",
            ),
            (
                "https://shop.vault.usgovcloudapi.net",
                Some(AzureCloud::UsGovernment),
                "https://login.microsoftonline.us",
            ),
        ] {
            assert_eq!(cloud(&of(address, of_cloud)).unwrap().0, login, "{address}");
        }
        for address in [
            "http://shop.vault.azure.net",
            "https://vault.azure.net",
            "https://.vault.azure.net",
            "https://shop.evil.vault.azure.net",
            "https://shopvault.azure.net",
            "https://shop.vault.azure.net.evil.example",
            "https://evil.example/shop.vault.azure.net",
            "https://shop.vault.azure.net:444",
            "https://shop.vault.azure.net/x",
            "https://shop.vault.azure.cn",
            "https://10.0.0.1",
        ] {
            assert!(cloud(&of(address, None)).is_err(), "{address}");
        }
    }

    #[test]
    fn another_cloud_names_its_authority_and_its_resource() {
        let mut spec = of("https://shop.vault.stack.example", None);
        spec.authority = Some(AzureAuthority {
            address: "https://login.stack.example".to_owned(),
            resource: "https://vault.stack.example/".to_owned(),
        });
        let (authority, resource) = cloud(&spec).unwrap();
        assert_eq!(authority, "https://login.stack.example");
        assert_eq!(resource, "https://vault.stack.example");
        spec.cloud = Some(AzureCloud::Public);
        assert!(cloud(&spec).is_err());
    }

    #[test]
    fn a_tenant_is_one_segment() {
        for text in [
            "00000000-0000-4000-8000-0000000000aa",
            "example.onmicrosoft.com",
        ] {
            assert!(tenant_segment(text).is_ok(), "{text}");
        }
        for text in ["", "a/b", "..", ".", "a%2fb", "a?b"] {
            assert!(tenant_segment(text).is_err(), "{text}");
        }
    }
}
