//! JSON Web Tokens that we sign ourselves (RFC 7515, 7519), with RSA keys and the cryptography that TLS uses.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use penstock_domain::secret::SecretValue;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Serialize;

/// How a token is signed (RFC 7518 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
}

/// A private key that signs.
pub(crate) struct SigningKey(RsaKeyPair);

/// The text holds no RSA key of 2,048 to 8,192 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoKey;

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    #[serde(rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    thumbprint: Option<&'a str>,
}

/// How the verifier finds the public key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum KeyName<'a> {
    /// By its id, where it has one.
    Id(Option<&'a str>),
    /// By the SHA-256 of its certificate, in base64url.
    Thumbprint(&'a str),
}

impl SigningKey {
    /// Reads the first private key of a PEM text, PKCS#8 or PKCS#1.
    pub(crate) fn from_pem(text: &[u8]) -> Result<Self, NoKey> {
        let pair = match PrivateKeyDer::from_pem_slice(text) {
            Ok(PrivateKeyDer::Pkcs8(der)) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            Ok(PrivateKeyDer::Pkcs1(der)) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(NoKey),
        };
        pair.map(Self).map_err(|_| NoKey)
    }

    /// A token with these claims. `None` only where the system has no randomness.
    pub(crate) fn sign(
        &self,
        algorithm: Algorithm,
        key: KeyName<'_>,
        claims: &impl Serialize,
    ) -> Option<SecretValue> {
        let (alg, padding): (_, &'static dyn RsaEncoding) = match algorithm {
            Algorithm::Rs256 => ("RS256", &RSA_PKCS1_SHA256),
            Algorithm::Ps256 => ("PS256", &RSA_PSS_SHA256),
        };
        let (kid, thumbprint) = match key {
            KeyName::Id(id) => (id, None),
            KeyName::Thumbprint(thumbprint) => (None, Some(thumbprint)),
        };
        let header = Header {
            alg,
            typ: "JWT",
            kid,
            thumbprint,
        };
        let part = |json: Vec<u8>| URL_SAFE_NO_PAD.encode(json);
        let mut token = format!(
            "{}.{}",
            part(serde_json::to_vec(&header).ok()?),
            part(serde_json::to_vec(claims).ok()?)
        );
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(
                padding,
                &SystemRandom::new(),
                token.as_bytes(),
                &mut signature,
            )
            .ok()?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(&signature, &mut token);
        Some(SecretValue::new(token))
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{
        KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey,
    };

    use super::*;

    /// A key as PEM, and its public half.
    fn key() -> (String, Vec<u8>) {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = pair.as_der().unwrap();
        let body = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        (pem, pair.public_key().as_ref().to_vec())
    }

    #[test]
    fn what_is_signed_can_be_verified_and_says_what_it_says() {
        let (pem, public) = key();
        let signing = SigningKey::from_pem(pem.as_bytes()).unwrap();
        let claims = serde_json::json!({"iss": "me", "exp": 1});
        for (algorithm, verify, name, header) in [
            (
                Algorithm::Rs256,
                &RSA_PKCS1_2048_8192_SHA256,
                KeyName::Id(Some("k-1")),
                r#"{"alg":"RS256","typ":"JWT","kid":"k-1"}"#,
            ),
            (
                Algorithm::Ps256,
                &RSA_PSS_2048_8192_SHA256,
                KeyName::Thumbprint("dGh1bWI"),
                r#"{"alg":"PS256","typ":"JWT","x5t#S256":"dGh1bWI"}"#,
            ),
        ] {
            let token = signing.sign(algorithm, name, &claims).unwrap();
            let text = token.expose_text().unwrap();
            let (signed, signature) = text.rsplit_once('.').unwrap();
            let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
            let (head, body) = signed.split_once('.').unwrap();
            assert_eq!(decode(head), header.as_bytes());
            assert_eq!(decode(body), claims.to_string().as_bytes());
            UnparsedPublicKey::new(verify, &public)
                .verify(signed.as_bytes(), &decode(signature))
                .unwrap();
        }
    }

    #[test]
    fn what_is_no_rsa_key_is_refused() {
        let elliptic = rcgen::KeyPair::generate().unwrap().serialize_pem();
        for text in [
            "",
            "x",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            &elliptic,
        ] {
            assert!(SigningKey::from_pem(text.as_bytes()).is_err());
        }
    }
}
