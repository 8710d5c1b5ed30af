//! Certificates and keys for servers on the loopback interface.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};

/// A key could not be made or a certificate not be signed.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a certificate for {subject}")]
pub struct CertificateError {
    subject: String,
    #[source]
    source: rcgen::Error,
}

/// A certificate authority that lives as long as the test does.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// A certificate and its private key, both in PEM.
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its private key, PKCS #8.
    pub key: String,
}

impl Authority {
    /// Makes one; `name` appears as issuer.
    pub fn new(name: &str) -> Result<Self, CertificateError> {
        let failed = failed(name);
        let key = key().map_err(&failed)?;
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = parameters.self_signed(&key).map_err(&failed)?.pem();
        let issuer = Issuer::new(parameters, key);
        Ok(Self {
            issuer,
            certificate,
        })
    }

    /// Its certificate in PEM: what clients trust.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A server's certificate for `names` (host names and addresses), valid on 127.0.0.1 and
    /// `localhost` in any case.
    pub fn server(&self, name: &str, names: &[&str]) -> Result<Identity, CertificateError> {
        let failed = failed(name);
        let mut all = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        all.extend(names.iter().map(|&name| name.to_owned()));
        let mut parameters = CertificateParams::new(all).map_err(&failed)?;
        parameters.distinguished_name.push(DnType::CommonName, name);
        let key = key().map_err(&failed)?;
        let certificate = parameters.signed_by(&key, &self.issuer).map_err(&failed)?;
        Ok(Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

/// A key pair for signing tokens, both halves in PEM.
pub(crate) struct SigningKey {
    pub(crate) private: String,
    pub(crate) public: String,
}

impl SigningKey {
    pub(crate) fn new() -> Result<Self, CertificateError> {
        let key = key().map_err(failed("the service account key"))?;
        Ok(Self {
            private: key.serialize_pem(),
            public: key.public_key_pem(),
        })
    }
}

fn key() -> Result<KeyPair, rcgen::Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
}

fn failed(subject: &str) -> impl Fn(rcgen::Error) -> CertificateError {
    let subject = subject.to_owned();
    move |source| CertificateError {
        subject: subject.clone(),
        source,
    }
}
