//! Access tokens: `0.<id>.<client secret>:<key>` (sdk-internal, `bitwarden-core/src/auth/access_token.rs`).
//!
//! The first half logs in, the second stays here: it opens the key of the organisation that the login gives.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use penstock_domain::secret::SecretValue;
use zeroize::Zeroizing;

use crate::bitwarden_common::keys::SymmetricKey;

/// Bytes of the key part.
const SEED: usize = 16;
/// Padding may be there or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// An access token, taken apart.
pub(super) struct AccessToken {
    /// Names the token; the client id.
    pub(super) id: String,
    /// The client secret.
    pub(super) secret: SecretValue,
    /// Opens what the login gives.
    pub(super) key: SymmetricKey,
}

/// Why a text is no access token. It holds nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ParseToken {
    #[error("is no access token: one looks like `0.<id>.<secret>:<key>`")]
    Form,
    #[error("is an access token of a version that is not known here")]
    Version,
    #[error("is an access token whose last part, after the colon, is not whole")]
    Key,
}

impl AccessToken {
    /// Takes a token apart.
    pub(super) fn parse(text: &str) -> Result<Self, ParseToken> {
        let (login, key) = text.split_once(':').ok_or(ParseToken::Form)?;
        let mut parts = login.split('.');
        let (Some(version), Some(id), Some(secret), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(ParseToken::Form);
        };
        if version != "0" {
            return Err(ParseToken::Version);
        }
        let is_id = id.len() == 36
            && id
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        if !is_id || secret.is_empty() {
            return Err(ParseToken::Form);
        }
        let seed = Zeroizing::new(BASE64.decode(key).map_err(|_| ParseToken::Key)?);
        if seed.len() != SEED {
            return Err(ParseToken::Key);
        }
        Ok(Self {
            id: id.to_owned(),
            secret: SecretValue::from(secret),
            key: derive(&seed).ok_or(ParseToken::Key)?,
        })
    }
}

/// HKDF with SHA-256, whose first half has a name for a salt.
fn derive(seed: &[u8]) -> Option<SymmetricKey> {
    let salt = hmac::Key::new(hmac::HMAC_SHA256, b"bitwarden-accesstoken");
    let pseudo_random = hmac::sign(&salt, seed);
    SymmetricKey::expand(pseudo_random.as_ref(), b"sm-access-token").ok()
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;

    use super::*;
    use crate::bitwarden_common::enc_string;

    const TOKEN: &str = "0.11111111-2222-4333-8444-555555555555.exampleclientsecretexampleclien:AAECAwQFBgcICQoLDA0ODw==";
    const PAYLOAD: &str = "2.EBESExQVFhcYGRobHB0eHw==|U76Uy37df8x8OMEkKu/rhcpEh17zHoQqy7khrH7I4jqxkPmA+FQVVj83wDBNn0CpGMNSqiAFRp/egOE6GwQuIHR09B064oudAwZNFV7ifPM3jttNWh3IPZ74j8z3McnQ82CIY7+vToi8JtUlYXTrcw==|SWTKyLDw5YNXq4cXfaqOdTCecJ5QYeWMBpvY8TO8FI8=";
    const SECRET: &str = "2.EBESExQVFhcYGRobHB0eHw==|J708mGl4Hmd9Ji/43lVKJg==|XUkFJHNPNCWafgQg7hdR1rCaq+h+vF+9aY+RvRZwC6c=";

    #[test]
    fn the_vectors_are_reproduced_bit_for_bit() {
        let token = AccessToken::parse(TOKEN).ok().unwrap();
        assert_eq!(token.id, "11111111-2222-4333-8444-555555555555");
        assert_eq!(
            token.secret,
            SecretValue::from("exampleclientsecretexampleclien")
        );
        assert_eq!(
            BASE64_STANDARD.encode(token.key.bytes()),
            "VlYhpAfupv4gyis7ZRhjX6G6Mnw/AQ3I5SKinkyT0UuKGOPCxvOzPMjn8rCk7eKF7nZqudu3bTX+ARBCaa0PmQ=="
        );
        let payload = enc_string::decrypt(PAYLOAD, &token.key).unwrap();
        let organization = super::super::document::organization_key(&payload).unwrap();
        assert_eq!(organization.bytes(), (0x64..=0xa3).collect::<Vec<u8>>());
        assert_eq!(
            *enc_string::decrypt(SECRET, &organization).unwrap(),
            b"s3cr3t"
        );
    }

    #[test]
    fn what_is_no_token_is_told_by_what_is_wrong() {
        let error = |text: &str| AccessToken::parse(text).err();
        let id = "11111111-2222-4333-8444-555555555555";
        assert!(AccessToken::parse(TOKEN.trim_end_matches('=')).is_ok());
        for text in ["", "0", "user.1", "0.a.b", "0.a.b:AAECAwQFBgcICQoLDA0ODw=="] {
            assert_eq!(error(text), Some(ParseToken::Form), "{text}");
        }
        for (text, expected) in [
            (
                format!("1.{id}.s:AAECAwQFBgcICQoLDA0ODw=="),
                ParseToken::Version,
            ),
            (
                format!("0.{id}.:AAECAwQFBgcICQoLDA0ODw=="),
                ParseToken::Form,
            ),
            (
                format!("0.{id}.s.t:AAECAwQFBgcICQoLDA0ODw=="),
                ParseToken::Form,
            ),
            (format!("0.{id}.s:"), ParseToken::Key),
            (format!("0.{id}.s:AAEC"), ParseToken::Key),
            (
                format!("0.{id}.s:AAECAwQFBgcICQoLDA0ODxA="),
                ParseToken::Key,
            ),
            (format!("0.{id}.s:*"), ParseToken::Key),
        ] {
            assert_eq!(error(&text), Some(expected), "{text}");
        }
    }
}
