//! The public half of an SSH private key.

use ssh_key::PrivateKey;

use super::pem;
use crate::secret::SecretValue;

/// Why there is no public half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReadSshKey {
    /// Not one PEM block.
    #[error("is not a private key in PEM form")]
    NotPem,
    /// PKCS #1, PKCS #8, SEC1, PuTTY …
    #[error("is a private key, but not in OpenSSH's own form")]
    OtherForm,
    /// A passphrase protects it.
    #[error("is protected by a passphrase")]
    Encrypted,
    /// The algorithm is unknown to us: DSA, for one.
    #[error("is of an algorithm that is not supported")]
    Algorithm,
    /// The block's content is no key, or its two halves do not belong together.
    #[error("is damaged: it is no OpenSSH private key inside")]
    Damaged,
}

impl ReadSshKey {
    /// The way out.
    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::NotPem => {
                "The value must start with `-----BEGIN OPENSSH PRIVATE KEY-----` and keep its line breaks"
            }
            Self::OtherForm => "`ssh-keygen -p -f <file>` writes a key in OpenSSH's form",
            Self::Encrypted => "`ssh-keygen -p -N '' -f <file>` takes the passphrase off",
            Self::Algorithm => "Use Ed25519, ECDSA or RSA",
            Self::Damaged => "Compare it with the original; line breaks and padding count",
        }
    }
}

/// The public half in `authorized_keys` form (`ssh-ed25519 AAAA… comment`), without a line end. The
/// comment is that of the private key.
pub(super) fn public_key(private: &SecretValue) -> Result<SecretValue, ReadSshKey> {
    let text = private.expose_text().ok_or(ReadSshKey::NotPem)?;
    let blocks = pem::read(text).map_err(|_| ReadSshKey::NotPem)?;
    let [block] = blocks.as_slice() else {
        return Err(ReadSshKey::NotPem);
    };
    if block.label != "OPENSSH PRIVATE KEY" {
        return Err(if pem::is_private_key(block.label) {
            ReadSshKey::OtherForm
        } else {
            ReadSshKey::NotPem
        });
    }
    let bytes = block.bytes().map_err(|_| ReadSshKey::NotPem)?;
    let key = PrivateKey::from_bytes(&bytes).map_err(|error| match error {
        ssh_key::Error::AlgorithmUnknown | ssh_key::Error::AlgorithmUnsupported { .. } => {
            ReadSshKey::Algorithm
        }
        _ => ReadSshKey::Damaged,
    })?;
    if key.is_encrypted() {
        return Err(ReadSshKey::Encrypted);
    }
    let line = key
        .public_key()
        .to_openssh()
        .map_err(|_| ReadSshKey::Damaged)?;
    Ok(SecretValue::new(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str = include_str!("testdata/ed25519.key");

    fn public(private: &str) -> Result<String, ReadSshKey> {
        public_key(&SecretValue::from(private)).map(|key| key.expose_text().unwrap().to_owned())
    }

    #[test]
    fn the_public_half_is_what_ssh_keygen_wrote_beside_the_private_one() {
        for (private, expected) in [
            (ED25519, include_str!("testdata/ed25519.pub")),
            (
                include_str!("testdata/ecdsa.key"),
                include_str!("testdata/ecdsa.pub"),
            ),
            (
                include_str!("testdata/rsa.key"),
                include_str!("testdata/rsa.pub"),
            ),
        ] {
            assert_eq!(public(private).unwrap(), expected.trim_end());
            let windows = private.trim_end().replace('\n', "\r\n");
            assert_eq!(public(&windows).unwrap(), expected.trim_end());
        }
    }

    #[test]
    fn what_has_no_readable_public_half_is_refused_with_the_reason() {
        let flattened = ED25519.replace('\n', " ");
        let other = include_str!("testdata/ecdsa.key");
        let damaged = ED25519.replace("QyNTUx", "QyNTUy");
        let cases = [
            (
                include_str!("testdata/encrypted.key"),
                ReadSshKey::Encrypted,
            ),
            (include_str!("testdata/sec1.key"), ReadSshKey::OtherForm),
            (include_str!("testdata/ed25519.pub"), ReadSshKey::NotPem),
            (flattened.as_str(), ReadSshKey::NotPem),
            (&format!("{ED25519}{other}"), ReadSshKey::NotPem),
            (&damaged, ReadSshKey::Damaged),
            (
                "-----BEGIN OPENSSH PRIVATE KEY-----\nAQID\n-----END OPENSSH PRIVATE KEY-----",
                ReadSshKey::Damaged,
            ),
            (
                "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----",
                ReadSshKey::NotPem,
            ),
        ];
        for (private, expected) in cases {
            assert_eq!(public(private), Err(expected));
        }
        assert_eq!(
            public_key(&SecretValue::new([0xff])),
            Err(ReadSshKey::NotPem)
        );
    }
}
