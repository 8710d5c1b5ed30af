//! Passing one request on, past the traps.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, HOST, HeaderMap, TRANSFER_ENCODING};
use hyper::{Request, Response, StatusCode};
use serde_json::json;

use super::request::{ApiRequest, Count};
use super::trap::{Snare, Traps};

/// The API server takes 3 MiB at most.
const LARGEST_REQUEST: usize = 8 << 20;

pub(super) type Body = BoxBody<Bytes, reqwest::Error>;

/// Why a connection is cut without an answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cut {
    #[error("a trap cut the connection")]
    Trapped,
    #[error("cannot read the request")]
    Read(#[source] hyper::Error),
    #[error("the request is too large")]
    TooLarge,
    #[error("no answer from the API server")]
    Ask(#[source] reqwest::Error),
}

/// What all connections of a proxy share.
pub(super) struct Passage {
    pub(super) target: String,
    pub(super) http: reqwest::Client,
    pub(super) traps: Traps,
    pub(super) counts: Mutex<BTreeMap<Count, u64>>,
    pub(super) log: Mutex<Vec<ApiRequest>>,
}

impl Passage {
    pub(super) async fn pass(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Cut> {
        let about = ApiRequest::read(request.method(), request.uri());
        let caught = about.as_ref().and_then(|about| self.traps.pass(about));
        let Some(caught) = caught else {
            self.note(about);
            return self.forward(request).await;
        };
        let tell = |about: Option<ApiRequest>| caught.caught.send_replace(about);
        match caught.snare {
            Snare::Answer(status) => {
                tell(about);
                Ok(refusal(status))
            }
            Snare::Hold => {
                tell(about.clone());
                caught.released.await.map_err(|_dropped| Cut::Trapped)?;
                self.note(about);
                self.forward(request).await
            }
            Snare::HoldAnswer => {
                self.note(about.clone());
                let answer = self.forward(request).await?;
                tell(about);
                caught.released.await.map_err(|_dropped| Cut::Trapped)?;
                Ok(answer)
            }
            Snare::DropAnswer => {
                self.note(about.clone());
                let answer = self.forward(request).await?;
                // Its end means that the API server has done all of it.
                answer.into_body().collect().await.map_err(Cut::Ask)?;
                tell(about);
                Err(Cut::Trapped)
            }
        }
    }

    /// Counts what reaches the API server.
    fn note(&self, about: Option<ApiRequest>) {
        if let Some(about) = about {
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            *counts.entry(about.count()).or_default() += 1;
            drop(counts);
            self.log
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(about);
        }
    }

    async fn forward(&self, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let body = Limited::new(body, LARGEST_REQUEST).collect().await;
        let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
            Ok(error) => Cut::Read(*error),
            Err(error) if error.is::<LengthLimitError>() => Cut::TooLarge,
            Err(_) => Cut::Trapped,
        })?;
        let answer = self
            .http
            .request(parts.method, format!("{}{path}", self.target))
            .headers(end_to_end(parts.headers))
            .body(body.to_bytes())
            .send()
            .await
            .map_err(Cut::Ask)?;
        let (mut parts, body) = Response::from(answer).into_parts();
        parts.headers = end_to_end(parts.headers);
        Ok(Response::from_parts(parts, body.boxed()))
    }
}

/// Headers that speak about one connection only are not passed on.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in [HOST, CONNECTION, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers
}

/// An answer in the API server's own form.
fn refusal(status: StatusCode) -> Response<Body> {
    let reason = match status {
        StatusCode::CONFLICT => "Conflict",
        StatusCode::TOO_MANY_REQUESTS => "TooManyRequests",
        StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailable",
        StatusCode::FORBIDDEN => "Forbidden",
        StatusCode::NOT_FOUND => "NotFound",
        StatusCode::INTERNAL_SERVER_ERROR => "InternalError",
        _ => "",
    };
    let document = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "refused by a trap of the test",
        "reason": reason,
        "code": status.as_u16(),
    });
    let body = Full::new(Bytes::from(document.to_string()));
    let mut response = Response::new(body.map_err(|never| match never {}).boxed());
    *response.status_mut() = status;
    let json = hyper::header::HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, json);
    response
}
