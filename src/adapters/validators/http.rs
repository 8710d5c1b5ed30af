//! A request made with the value.

use std::time::Duration;

use ::http::Method;
use penstock_domain::api::then::HttpMethod;
use penstock_domain::names::SyncId;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::StoreLimits;
use penstock_domain::validate::{ExpectedJson, HttpRequest, Verdict};
use serde_json::Value;
use zeroize::Zeroizing;

use super::inconclusive;
use crate::http::client::{ClientSettings, HttpClient, HttpLayer, Once, Response};
use crate::http::egress::Origin;
use crate::http::error::SendRequest;
use crate::http::tls::TlsSettings;

/// Error codes that say that an account is exhausted, and not that one must wait: the value works for nobody until
/// somebody pays (OpenAI's guide to error codes).
const EXHAUSTED: [&str; 3] = [
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
];

/// Makes the request and judges the answer.
pub(super) async fn ask(
    layer: &HttpLayer,
    sync: &SyncId,
    (request, limit): (&HttpRequest, Duration),
    value: &SecretValue,
) -> Verdict {
    let (address, query) = match request.url.split_once('?') {
        Some((address, query)) => (address, Some(query)),
        None => (request.url.as_str(), None),
    };
    let tls = TlsSettings::default();
    let limits = StoreLimits {
        timeout: limit,
        ..StoreLimits::default()
    };
    let settings = ClientSettings {
        address,
        origin: Origin::Namespace,
        namespace: sync.namespace.as_str(),
        tls: &tls,
        limits: &limits,
    };
    let client = match layer.client(&settings) {
        Ok(client) => client,
        Err(error) => return inconclusive(format!("could not be tried: {}", error.fault("url"))),
    };
    let Ok(once) = fill(request, query, value) else {
        return Verdict::Failed("holds characters that no header can carry".to_owned());
    };
    match client.send_once_only(once).await {
        Ok(response) => judge(request, &client, &response),
        Err(error) => unanswered(&client, &error),
    }
}

fn fill(
    request: &HttpRequest,
    query: Option<&str>,
    value: &SecretValue,
) -> Result<Once, SendRequest> {
    let method = match request.method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Patch => Method::PATCH,
    };
    let mut once = Once::new(method, query);
    for (name, text) in &request.headers {
        once = once.header(name, &filled(text.expose(), value))?;
    }
    if let Some(body) = &request.body {
        once = once.body(filled(body.expose(), value));
    }
    Ok(once)
}

/// `text` with the value in the place of each `{{ value }}`; nothing else stands between braces.
fn filled(text: &str, value: &SecretValue) -> Zeroizing<Vec<u8>> {
    let places = text.matches("{{").count();
    let room = text.len() + places * value.len();
    let mut filled = Zeroizing::new(Vec::with_capacity(room));
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.extend_from_slice(before.as_bytes());
        filled.extend_from_slice(value.expose());
        rest = after.split_once("}}").map_or("", |(_, behind)| behind);
    }
    filled.extend_from_slice(rest.as_bytes());
    filled
}

/// Only what is about the value refuses it: 401 and 403, a request that it makes senseless (400, 422), an account that
/// is exhausted. All else, a bare 404 too, may come from a wrong address or from what stands before the provider.
fn judge(request: &HttpRequest, client: &HttpClient, response: &Response) -> Verdict {
    let (status, host) = (response.status.as_u16(), client.host());
    let expected = if request.expect_status.is_empty() {
        (200..300).contains(&status)
    } else {
        request.expect_status.contains(&status)
    };
    if expected {
        return expectations(&request.expect_json, host, response.body());
    }
    match status {
        402 => Verdict::Failed(format!(
            "works for an account at {host} that is exhausted (402)"
        )),
        429 if is_exhausted(response.body()) => Verdict::Failed(format!(
            "works for an account at {host} that is exhausted (429)"
        )),
        300..=399 => inconclusive(format!(
            "could not be tried: {host} redirects ({status}); name the address that answers itself"
        )),
        400 | 401 | 403 | 422 => Verdict::Failed(format!("is refused by {host} ({status})")),
        _ => Verdict::Inconclusive {
            why: format!("could not be tried: {host} answered {status}"),
            retry_after: response.retry_after,
        },
    }
}

/// A provider's word for an empty account, in the places where error codes stand.
fn is_exhausted(body: &[u8]) -> bool {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let places = ["/error/code", "/error/type", "/code", "/type"];
    let words = places
        .iter()
        .filter_map(|place| answer.pointer(place)?.as_str());
    words.into_iter().any(|word| EXHAUSTED.contains(&word))
}

fn expectations(expected: &[ExpectedJson], host: &str, body: &[u8]) -> Verdict {
    if expected.is_empty() {
        return Verdict::Passed;
    }
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return inconclusive(format!("could not be judged: {host} answered no JSON"));
    };
    for one in expected {
        let text = match answer.pointer(&one.pointer) {
            None => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
        };
        let holds = match (&text, &one.matching) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(text), Some(pattern)) => pattern.is_match(text),
        };
        if !holds {
            let place = &one.pointer;
            return Verdict::Failed(format!(
                "gets an answer of {host} that differs at `{place}`"
            ));
        }
    }
    Verdict::Passed
}

fn unanswered(client: &HttpClient, error: &SendRequest) -> Verdict {
    match error {
        SendRequest::Credential => {
            Verdict::Failed("holds characters that no header can carry".to_owned())
        }
        error => {
            let fault = error.fault("", client.host());
            let hint = fault
                .hint
                .map(|hint| format!(" ({hint})"))
                .unwrap_or_default();
            inconclusive(format!("could not be tried: {}{hint}", fault.message))
        }
    }
}
