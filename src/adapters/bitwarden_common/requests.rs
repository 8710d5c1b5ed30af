//! Requests that both products make.

use std::time::Duration;

use http::StatusCode;
use penstock_domain::secret::SecretValue;
use zeroize::Zeroizing;

use crate::http::client::{HttpClient, Request, Response};
use crate::http::error::SendRequest;

/// A throttled server that names no time is left alone for so long: its window.
const UNNAMED_WAIT: Duration = Duration::from_mins(1);

/// A form for the token endpoint; its values are credentials.
pub(crate) fn token_request(fields: &[(&str, &str)]) -> Result<Request, SendRequest> {
    let mut body = Zeroizing::new(Vec::with_capacity(capacity(fields)));
    for (index, (name, value)) in fields.iter().enumerate() {
        if index > 0 {
            body.push(b'&');
        }
        body.extend_from_slice(name.as_bytes());
        body.push(b'=');
        for part in url::form_urlencoded::byte_serialize(value.as_bytes()) {
            body.extend_from_slice(part.as_bytes());
        }
    }
    Request::post(["connect", "token"], body)
        .header("content-type", "application/x-www-form-urlencoded")
}

/// Enough for every byte to be encoded, so that the buffer never moves.
fn capacity(fields: &[(&str, &str)]) -> usize {
    let lengths = fields.iter();
    lengths
        .map(|(name, value)| name.len() + 3 * value.len() + 2)
        .sum()
}

/// Sends a request. A server that throttles is left alone, also when it names no time.
pub(crate) async fn send(
    http: &HttpClient,
    request: Request,
    token: Option<&SecretValue>,
) -> Result<Response, SendRequest> {
    let mut request = request.header("accept", "application/json")?;
    if let Some(token) = token {
        let bearer = SecretValue::new([b"Bearer ", token.expose()].concat());
        request = request.credential("authorization", &bearer)?;
    }
    let response = http.send(&request).await?;
    if response.status == StatusCode::TOO_MANY_REQUESTS && response.retry_after.is_none() {
        http.pause(UNNAMED_WAIT);
    }
    Ok(response)
}

/// How long a throttled server asks for.
pub(crate) fn wait_of(response: &Response) -> Duration {
    response.retry_after.unwrap_or(UNNAMED_WAIT)
}
