//! What an answer means: pure decisions over status and body.

use std::collections::BTreeMap;

use penstock_domain::secret::SecretValue;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::asking::Refusal;
use crate::http::json;

/// What a config says of itself, in secrets of Doppler's own making.
const PROJECT: &str = "DOPPLER_PROJECT";
const ENVIRONMENT: &str = "DOPPLER_ENVIRONMENT";
const CONFIG: &str = "DOPPLER_CONFIG";

/// Every error is such a document.
#[derive(Deserialize)]
struct Failed {
    #[serde(rename = "messages")]
    _messages: Vec<IgnoredAny>,
    success: bool,
}

/// A config as it was downloaded.
#[derive(Debug)]
pub(super) struct Download {
    pub(super) project: Option<SecretValue>,
    pub(super) config: Option<SecretValue>,
    pub(super) secrets: BTreeMap<String, SecretValue>,
}

/// The body of a good answer.
pub(super) fn good(status: u16, body: &[u8]) -> Result<&[u8], Refusal> {
    if status == 200 {
        return Ok(body);
    }
    if status == 429 {
        return Err(Refusal::Throttled(None));
    }
    if (500..=599).contains(&status) {
        return Err(Refusal::Stumbled(status));
    }
    let own = json::parse::<Failed>(body).is_ok_and(|failed| !failed.success);
    Err(match status {
        _ if !own => Refusal::Unbelievable(status),
        400 | 422 => Refusal::Request,
        401 => Refusal::Credential,
        403 => Refusal::Denied,
        404 => Refusal::Missing,
        _ => Refusal::Unbelievable(status),
    })
}

/// Reads a download in the format `json`: one object of names and values.
pub(super) fn download(body: &[u8]) -> Result<Download, Refusal> {
    let members: BTreeMap<String, &RawValue> =
        json::parse(body).map_err(|_| Refusal::Unbelievable(200))?;
    let mut secrets = BTreeMap::new();
    for (name, raw) in members {
        let value = value_of(&name, raw)?;
        secrets.insert(name, value);
    }
    secrets.remove(ENVIRONMENT);
    Ok(Download {
        project: secrets.remove(PROJECT),
        config: secrets.remove(CONFIG),
        secrets,
    })
}

/// A value that is not given is one that the token may not read: it must never become a blank.
fn value_of(name: &str, raw: &RawValue) -> Result<SecretValue, Refusal> {
    match raw.get() {
        "null" => Err(Refusal::Hidden(name.to_owned())),
        text if text.starts_with('"') => serde_json::from_str::<String>(text)
            .map(SecretValue::new)
            .map_err(|_| Refusal::Unbelievable(200)),
        text => json::compact(text)
            .map(SecretValue::new)
            .map_err(|_| Refusal::Unbelievable(200)),
    }
}

/// Whether an answer to "who am I" is one.
pub(super) fn is_somebody(body: &[u8]) -> Result<(), Refusal> {
    #[derive(Deserialize)]
    struct Myself {
        #[serde(rename = "type")]
        _kind: String,
        #[serde(rename = "workplace")]
        _workplace: IgnoredAny,
    }
    json::parse::<Myself>(body)
        .map(drop)
        .map_err(|_| Refusal::Unbelievable(200))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: &[u8] = br#"{"messages":["No."],"success":false}"#;

    #[test]
    fn a_status_means_something_in_the_servers_own_shape_only() {
        for (status, own, foreign) in [
            (400, Refusal::Request, Refusal::Unbelievable(400)),
            (401, Refusal::Credential, Refusal::Unbelievable(401)),
            (403, Refusal::Denied, Refusal::Unbelievable(403)),
            (404, Refusal::Missing, Refusal::Unbelievable(404)),
            (429, Refusal::Throttled(None), Refusal::Throttled(None)),
            (502, Refusal::Stumbled(502), Refusal::Stumbled(502)),
            (204, Refusal::Unbelievable(204), Refusal::Unbelievable(204)),
            (304, Refusal::Unbelievable(304), Refusal::Unbelievable(304)),
        ] {
            assert_eq!(good(status, FAILED), Err(own), "{status}");
            for body in [
                &b""[..],
                b"{}",
                b"<html>",
                br#"{"messages":[],"success":true}"#,
            ] {
                assert_eq!(good(status, body), Err(foreign.clone()), "{status}");
            }
        }
        assert_eq!(good(200, b"x"), Ok(&b"x"[..]));
    }

    #[test]
    fn what_a_config_says_of_itself_is_no_entry() {
        let body = br#"{"DOPPLER_PROJECT":"shop","DOPPLER_ENVIRONMENT":"prd","DOPPLER_CONFIG":"prd","B":"","A":"1\n"}"#;
        let download = download(body).unwrap();
        assert_eq!(download.project, Some(SecretValue::from("shop")));
        assert_eq!(download.config, Some(SecretValue::from("prd")));
        let names: Vec<_> = download.secrets.keys().collect();
        assert_eq!(names, ["A", "B"]);
    }

    #[test]
    fn a_value_that_is_withheld_is_no_blank() {
        let refusal = download(br#"{"A":"1","B":null}"#).unwrap_err();
        assert_eq!(refusal, Refusal::Hidden("B".to_owned()));
        for body in ["[]", "\"x\"", "{\"A\":", ""] {
            let refusal = download(body.as_bytes()).unwrap_err();
            assert_eq!(refusal, Refusal::Unbelievable(200), "{body}");
        }
    }
}
