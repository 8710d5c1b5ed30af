//! What a vault says to a token that it does not take: whom it wants one from, and for what.
//!
//! `WWW-Authenticate: Bearer authorization="https://login.microsoftonline.com/TENANT", resource="https://vault.azure.net"`.
//! It is only looked at, to say what is wrong; credentials go to the authority that the store names and nowhere else.

use url::Url;

/// What is wrong, as far as the challenge tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WrongToken {
    /// The vault trusts another authority than the store's.
    Authority,
    /// The vault belongs to another tenant.
    Tenant,
    /// The vault wants tokens for another resource.
    Resource,
    /// None of these: the vault refuses the token all the same.
    Unknown,
    /// There is no challenge, or none that can be read: this is no vault.
    NoChallenge,
}

/// Whom tokens are got from, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expected {
    /// The authority's address.
    pub(super) authority: String,
    /// The tenant; none where a metadata service knows.
    pub(super) tenant: Option<String>,
    pub(super) resource: String,
}

/// What a challenge says about a token that was got as expected.
pub(super) fn judge(challenge: Option<&str>, expected: &Expected) -> WrongToken {
    let Some(rest) = challenge.and_then(bearer) else {
        return WrongToken::NoChallenge;
    };
    let authorization = parameter(rest, "authorization").or(parameter(rest, "authorization_uri"));
    let Some(authorization) = authorization.and_then(|text| Url::parse(text).ok()) else {
        return WrongToken::NoChallenge;
    };
    let authority = Url::parse(&expected.authority).ok();
    if authority.is_none_or(|known| known.origin() != authorization.origin()) {
        return WrongToken::Authority;
    }
    let resource = parameter(rest, "resource").or(parameter(rest, "scope"));
    let resource = resource.map(|text| text.trim_end_matches("/.default"));
    if resource.is_some_and(|text| text.trim_end_matches('/') != expected.resource) {
        return WrongToken::Resource;
    }
    let tenant = authorization.path().trim_matches('/');
    match &expected.tenant {
        // A tenant may be named by its id or by its domain: only two ids can be told apart.
        Some(known) if is_id(known) && is_id(tenant) && !known.eq_ignore_ascii_case(tenant) => {
            WrongToken::Tenant
        }
        _ => WrongToken::Unknown,
    }
}

fn bearer(challenge: &str) -> Option<&str> {
    let (scheme, rest) = challenge.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(rest)
}

fn parameter<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split(',').find_map(|part| {
        let (key, value) = part.trim().split_once('=')?;
        key.trim()
            .eq_ignore_ascii_case(name)
            .then(|| value.trim().trim_matches('"'))
    })
}

fn is_id(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "00000000-0000-4000-8000-0000000000aa";

    #[test]
    fn a_challenge_tells_what_is_wrong() {
        let expected = Expected {
            authority: "https://login.microsoftonline.com".to_owned(),
            tenant: Some(TENANT.to_owned()),
            resource: "https://vault.azure.net".to_owned(),
        };
        let says = |authorization: &str, resource: &str| {
            let challenge =
                format!("Bearer authorization=\"{authorization}\", resource=\"{resource}\"");
            judge(Some(&challenge), &expected)
        };
        let own = format!("https://login.microsoftonline.com/{TENANT}");
        let vault = "https://vault.azure.net";
        assert_eq!(says(&own, vault), WrongToken::Unknown);
        assert_eq!(
            says(&own.to_uppercase().replace("HTTPS", "https"), vault),
            WrongToken::Unknown
        );
        assert_eq!(
            says(
                "https://login.microsoftonline.com/00000000-0000-4000-8000-0000000000bb",
                vault
            ),
            WrongToken::Tenant
        );
        assert_eq!(
            says("https://login.evil.example/x", vault),
            WrongToken::Authority
        );
        assert_eq!(
            says("https://login.microsoftonline.com.evil.example/x", vault),
            WrongToken::Authority
        );
        assert_eq!(
            says(&own, "https://managedhsm.azure.net"),
            WrongToken::Resource
        );
        for challenge in [
            None,
            Some(""),
            Some("Basic x"),
            Some("Bearer x"),
            Some("Bearer authorization=\"/\""),
        ] {
            assert_eq!(
                judge(challenge, &expected),
                WrongToken::NoChallenge,
                "{challenge:?}"
            );
        }
    }
}
