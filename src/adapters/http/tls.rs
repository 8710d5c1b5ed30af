//! TLS of outgoing connections: rustls with aws-lc-rs, always verified, no switch to turn that off.
//!
//! One client alone takes any certificate: that of a canary's own pod, as the kubelet does for a probe. It is reached by
//! the address that its node gives, and no credential of ours goes there.

use std::sync::{Arc, OnceLock};

use penstock_domain::secret::SecretValue;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore,
    SignatureScheme, WantsVerifier,
};

/// The most certificates in one CA bundle.
const MAX_CERTIFICATES: usize = 512;

/// What a store says about TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// The authorities to trust, PEM; nothing else is trusted then. `None`: those of the system.
    pub ca: Option<Vec<u8>>,
    /// The host name to ask for and to verify, when it differs from the address's.
    pub server_name: Option<String>,
    /// Who we are, where the server wants a certificate for it.
    pub identity: Option<ClientIdentity>,
}

/// A client certificate with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The certificate, and those it chains to, PEM.
    pub certificates: Vec<u8>,
    /// The private key, PEM.
    pub key: SecretValue,
}

/// Why TLS cannot be set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConfigureTls {
    /// The CA bundle holds no certificate.
    #[error("the CA bundle holds no PEM certificate")]
    NoCertificate,
    /// The CA bundle holds something that is no certificate.
    #[error("the CA bundle holds a certificate that cannot be read")]
    BadCertificate,
    /// The CA bundle holds too many.
    #[error("the CA bundle holds more than {MAX_CERTIFICATES} certificates")]
    TooMany,
    /// The client certificate or its key cannot be read, or they do not belong together.
    #[error("the client certificate or its key cannot be read, or they do not belong together")]
    Identity,
    /// The system has no trusted authorities.
    #[error("the system has no trusted certificate authorities")]
    NoSystemAuthorities,
    /// The server name is not a host name.
    #[error("the TLS server name is not a host name")]
    ServerName,
    /// The HTTP client could not be built.
    #[error("the HTTP client could not be set up")]
    Client,
}

/// What is wrong with a server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateProblem {
    /// Signed by an authority that is not trusted.
    UnknownAuthority,
    /// For another host.
    WrongName,
    /// No longer, or not yet, valid.
    OutOfDate,
    /// Anything else about TLS.
    Other,
}

impl CertificateProblem {
    /// What rustls says, in our classes.
    pub(crate) fn of(error: &rustls::Error) -> Self {
        let rustls::Error::InvalidCertificate(error) = error else {
            return Self::Other;
        };
        match error {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                Self::UnknownAuthority
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::WrongName
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Self::OutOfDate,
            _ => Self::Other,
        }
    }
}

/// The system's authorities, read once per process and shared by all stores.
#[derive(Debug, Default)]
pub(super) struct SystemAuthorities(OnceLock<Arc<dyn ServerCertVerifier>>);

impl SystemAuthorities {
    fn verifier(&self) -> Result<Arc<dyn ServerCertVerifier>, ConfigureTls> {
        if let Some(verifier) = self.0.get() {
            return Ok(Arc::clone(verifier));
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = rustls_platform_verifier::Verifier::new(provider)
            .map_err(|_| ConfigureTls::NoSystemAuthorities)?;
        Ok(Arc::clone(self.0.get_or_init(|| Arc::new(verifier))))
    }
}

/// The configuration for one store's connections.
pub(super) fn client_config(
    settings: &TlsSettings,
    system: &SystemAuthorities,
) -> Result<ClientConfig, ConfigureTls> {
    let builder = match &settings.ca {
        Some(pem) => builder()?.with_root_certificates(authorities(pem)?),
        None => builder()?
            .dangerous()
            .with_custom_certificate_verifier(system.verifier()?),
    };
    let mut config = match &settings.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (certificates, key) = identify(identity)?;
            builder
                .with_client_auth_cert(certificates, key)
                .map_err(|_| ConfigureTls::Identity)?
        }
    };
    // A store has one host: a few sessions are enough.
    config.resumption = Resumption::in_memory_sessions(4);
    Ok(config)
}

fn identify(
    identity: &ClientIdentity,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), ConfigureTls> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&identity.certificates)
        .take(MAX_CERTIFICATES)
        .collect::<Result<_, _>>()
        .map_err(|_| ConfigureTls::Identity)?;
    let key =
        PrivateKeyDer::from_pem_slice(identity.key.expose()).map_err(|_| ConfigureTls::Identity)?;
    Ok((certificates, key))
}

/// The configuration of a client that speaks plain http only.
pub(super) fn trusts_nobody() -> Result<ClientConfig, ConfigureTls> {
    Ok(builder()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

/// The configuration of a client that speaks to one pod: no name could be verified for it.
pub(super) fn trusts_anybody() -> Result<ClientConfig, ConfigureTls> {
    Ok(builder()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_no_client_auth())
}

/// Takes every certificate whose key signs the handshake.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, ConfigureTls> {
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| ConfigureTls::Client)
}

fn authorities(pem: &[u8]) -> Result<RootCertStore, ConfigureTls> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        if store.len() >= MAX_CERTIFICATES {
            return Err(ConfigureTls::TooMany);
        }
        let certificate = certificate.map_err(|_| ConfigureTls::BadCertificate)?;
        store
            .add(certificate)
            .map_err(|_| ConfigureTls::BadCertificate)?;
    }
    if store.is_empty() {
        return Err(ConfigureTls::NoCertificate);
    }
    Ok(store)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_without_certificates_is_refused() {
        for (pem, error) in [
            ("", ConfigureTls::NoCertificate),
            ("not a certificate", ConfigureTls::NoCertificate),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                ConfigureTls::BadCertificate,
            ),
            (
                "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n",
                ConfigureTls::BadCertificate,
            ),
        ] {
            assert_eq!(authorities(pem.as_bytes()).unwrap_err(), error, "{pem}");
        }
    }

    #[test]
    fn many_certificates_make_one_store() {
        let pem: String = (0..3)
            .map(|_| {
                rcgen::generate_simple_self_signed(["ca.test".to_owned()])
                    .unwrap()
                    .cert
                    .pem()
            })
            .collect();
        assert_eq!(authorities(pem.as_bytes()).unwrap().len(), 3);
    }
}
