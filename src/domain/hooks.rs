//! Requests by which an outside system tells that something has changed: is one believed?
//!
//! Such a request is a hint and nothing more: whoever is believed causes a read. Still it must be signed with the
//! key that the store names, over its exact bytes, a short while ago.

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use sha2::Sha256;

use crate::api::store::WebhookSignature;
use crate::secret::SecretValue;

/// The largest body that is looked at.
pub const MAX_BODY_BYTES: usize = 256 * 1024;
/// The longest signature that is looked at.
const MAX_HEADER_BYTES: usize = 256;
/// How far the sender's clock may be off, and how long a request may be repeated.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// Why a request is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefuseHook {
    /// The store names no key, or an empty one.
    #[error("check a signature without a key")]
    NoKey,
    /// There is no signature, or none of the expected form.
    #[error("read the signature")]
    Malformed,
    /// The signature is not that of the body under this key.
    #[error("verify the signature")]
    Wrong,
    /// The request was signed too long ago, or ahead of time, or says two times.
    #[error("accept a request of another time")]
    Outdated,
}

impl WebhookSignature {
    /// The header that holds the signature.
    pub fn header(self) -> &'static str {
        match self {
            Self::HmacSha256 => "x-penstock-signature",
            Self::Infisical => "x-infisical-signature",
        }
    }

    /// Whether `body` was signed with `key` a short while before `now`.
    ///
    /// - `hmacSha256`: `t=<seconds>,v1=<hex>` over `<seconds>.<body>`.
    /// - `infisical`: `t=<milliseconds>;<hex>` over the body, which holds the same time in `timestamp`
    ///   (`services/webhook/webhook-fns.ts` of the server). The time in the header is no part of what is signed.
    pub fn verify(
        self,
        key: &SecretValue,
        header: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), RefuseHook> {
        let key = key.expose().trim_ascii();
        if key.is_empty() {
            return Err(RefuseHook::NoKey);
        }
        if header.len() > MAX_HEADER_BYTES {
            return Err(RefuseHook::Malformed);
        }
        let header = header.strip_prefix("t=").ok_or(RefuseHook::Malformed)?;
        let (time, signature) = match self {
            Self::HmacSha256 => header.split_once(",v1="),
            Self::Infisical => header.split_once(';'),
        }
        .ok_or(RefuseHook::Malformed)?;
        let signature = unhex(signature).ok_or(RefuseHook::Malformed)?;
        let number: i64 = digits(time).ok_or(RefuseHook::Malformed)?;
        let signed: &[&[u8]] = match self {
            Self::HmacSha256 => &[time.as_bytes(), b".", body],
            Self::Infisical => &[body],
        };
        is_signed(key, signed, &signature)?;
        let time = match self {
            Self::HmacSha256 => Timestamp::from_second(number),
            Self::Infisical if timestamp(body) != Some(number) => {
                return Err(RefuseHook::Outdated);
            }
            Self::Infisical => Timestamp::from_millisecond(number),
        }
        .map_err(|_| RefuseHook::Outdated)?;
        if now.duration_since(time).abs() > WINDOW {
            return Err(RefuseHook::Outdated);
        }
        Ok(())
    }
}

/// Compares in constant time.
fn is_signed(key: &[u8], parts: &[&[u8]], signature: &[u8; 32]) -> Result<(), RefuseHook> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| RefuseHook::NoKey)?;
    for part in parts {
        mac.update(part);
    }
    mac.verify_slice(signature).map_err(|_| RefuseHook::Wrong)
}

fn timestamp(body: &[u8]) -> Option<i64> {
    #[derive(Deserialize)]
    struct Body {
        timestamp: i64,
    }
    serde_json::from_slice::<Body>(body)
        .ok()
        .map(|body| body.timestamp)
}

/// A number without sign, blanks or more digits than any time has.
fn digits(text: &str) -> Option<i64> {
    let sound = (1..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    sound.then(|| text.parse().ok()).flatten()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (place, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *place = u8::try_from(digit(high)? * 16 + digit(low)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector that Infisical's own way of signing gives.
    const BODY: &str = r#"{"event":"secrets.modified","project":{"workspaceId":"p-1","projectId":"p-1","projectName":"demo","environment":"prod","environmentName":"Production","secretPath":"/","changedBy":"ci","changedByActorType":"identity"},"timestamp":1767225600000}"#;
    const HEADER: &str =
        "t=1767225600000;86587cc569f96653e7f8cd2293c8ab61821712d1bc2e01f0b20eb4d396b50f38";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + seconds).unwrap()
    }

    fn infisical(key: &str, header: &str, body: &str, now: Timestamp) -> Result<(), RefuseHook> {
        let key = SecretValue::from(key);
        WebhookSignature::Infisical.verify(&key, header, body.as_bytes(), now)
    }

    fn own(key: &str, seconds: i64, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(format!("{seconds}.").as_bytes());
        mac.update(body);
        let bytes = mac.finalize().into_bytes();
        let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("t={seconds},v1={}", hex.concat())
    }

    #[test]
    fn what_infisical_signs_is_believed_for_five_minutes() {
        for seconds in [-300, 0, 1, 300] {
            assert_eq!(
                infisical("whsec-example", HEADER, BODY, at(seconds)),
                Ok(())
            );
        }
        assert_eq!(infisical("whsec-example\n", HEADER, BODY, at(0)), Ok(()));
        for seconds in [-301, 301, 86_400] {
            let refusal = infisical("whsec-example", HEADER, BODY, at(seconds));
            assert_eq!(refusal, Err(RefuseHook::Outdated), "{seconds}");
        }
    }

    #[test]
    fn another_key_or_body_is_refused() {
        for (key, body) in [
            ("whsec-other", BODY.to_owned()),
            ("whsec-example", format!("{BODY} ")),
            ("whsec-example", BODY.replace("prod", "dev_")),
            ("whsec-example", String::new()),
        ] {
            assert_eq!(infisical(key, HEADER, &body, at(0)), Err(RefuseHook::Wrong));
        }
        for key in ["", " \n"] {
            assert_eq!(infisical(key, HEADER, BODY, at(0)), Err(RefuseHook::NoKey));
        }
    }

    #[test]
    fn the_time_in_the_header_is_that_in_the_body() {
        // It is not signed by itself: without this, an old request would be young for ever.
        let later = HEADER.replace("1767225600000", "1767225900000");
        let refusal = infisical("whsec-example", &later, BODY, at(300));
        assert_eq!(refusal, Err(RefuseHook::Outdated));
    }

    #[test]
    fn odd_signatures_are_malformed() {
        let hex = "8".repeat(64);
        let long = format!("t=1;{}", "a".repeat(300));
        for header in [
            "",
            "t=",
            "t=1767225600000",
            "1767225600000;00",
            "t=1767225600000;",
            "t=1767225600000;zz",
            &format!("t=-1;{hex}"),
            &format!("t=+1;{hex}"),
            &format!("t= 1;{hex}"),
            &format!("t=9999999999999999;{hex}"),
            &format!("t=1;{hex}0"),
            &format!("t=1;{}é", "8".repeat(62)),
            &format!("t=1,v1={hex}"),
            &long,
        ] {
            let refusal = infisical("whsec-example", header, BODY, at(0));
            assert_eq!(refusal, Err(RefuseHook::Malformed), "{header}");
        }
    }

    #[test]
    fn our_own_signature_covers_the_time() {
        let key = SecretValue::from("k");
        let now = at(0);
        let verify = |header: &str, body: &[u8], now| {
            WebhookSignature::HmacSha256.verify(&key, header, body, now)
        };
        let header = own("k", now.as_second(), b"\xff any body");
        assert_eq!(verify(&header, b"\xff any body", now), Ok(()));
        assert_eq!(
            verify(&header, b"\xff any body", at(301)),
            Err(RefuseHook::Outdated)
        );
        let later = header.replace(
            &now.as_second().to_string(),
            &at(299).as_second().to_string(),
        );
        assert_eq!(
            verify(&later, b"\xff any body", at(301)),
            Err(RefuseHook::Wrong)
        );
        assert_eq!(
            verify(HEADER, BODY.as_bytes(), now),
            Err(RefuseHook::Malformed)
        );
    }
}
