//! A request that is made once: nothing is tried again, and no redirect is followed.

use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use zeroize::Zeroizing;

use super::{HttpClient, Response, read};
use crate::http::error::SendRequest;

/// Such a request, to the very address of its client. It has no `Debug`: headers and body may hold credentials.
pub struct Once {
    method: Method,
    query: Option<String>,
    headers: HeaderMap,
    body: Option<Zeroizing<Vec<u8>>>,
}

impl Once {
    /// A request of `method`, with the query of an address as it was written.
    pub fn new(method: Method, query: Option<&str>) -> Self {
        Self {
            method,
            query: query.map(ToOwned::to_owned),
            headers: HeaderMap::new(),
            body: None,
        }
    }

    /// Adds a header, which may hold a credential.
    pub fn header(mut self, name: &str, value: &[u8]) -> Result<Self, SendRequest> {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| SendRequest::Credential)?;
        let mut value = HeaderValue::from_bytes(value).map_err(|_| SendRequest::Credential)?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(self)
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: Zeroizing<Vec<u8>>) -> Self {
        self.body = Some(body);
        self
    }
}

impl HttpClient {
    /// Sends `once` and reads the whole answer. An answer of any status is an `Ok`, a redirect too.
    pub async fn send_once_only(&self, once: Once) -> Result<Response, SendRequest> {
        let _inside = self
            .gate
            .enter()
            .await
            .map_err(|paused| SendRequest::Paused { left: paused.left })?;
        let place = self.share.enter().await;
        let mut url = self.target.url([], &[]);
        url.set_query(once.query.as_deref());
        let mut outgoing = self.inner.request(once.method, url).headers(once.headers);
        if let Some(host) = &self.host_header {
            outgoing = outgoing.header(HOST, host.clone());
        }
        if let Some(body) = &once.body {
            outgoing = outgoing.body(body.to_vec());
        }
        let response = outgoing
            .send()
            .await
            .map_err(|error| SendRequest::of(&error))?;
        read(response, place).await
    }
}
