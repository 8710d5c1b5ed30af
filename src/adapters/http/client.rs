//! The client of one store, and the layer that makes such clients.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{
    CONTENT_ENCODING, CONTENT_TYPE, DATE, ETAG, HOST, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{Quota, StoreLimits, StoreObject};
use rustls::ClientConfig;
use url::Url;
use zeroize::Zeroizing;

use super::MAX_BODY_BYTES;
use super::ambient::Ambient;
use super::budget::{BudgetShare, ByteBudget, Place, SMALL_BODY_BYTES};
use super::egress::{EgressPolicy, Origin, Transport};
use super::endpoint::{Endpoint, ParseAddress};
use super::error::{OpenClient, SendRequest};
use super::limits::Gate;
use super::resolve::{GuardedResolver, Lookup, ResolveHost, SystemLookup};
use super::retry;
use super::tls::{self, ConfigureTls, SystemAuthorities, TlsSettings};
use crate::open::HostAccess;

mod dial;
mod once;

pub use self::once::Once;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
const MAX_REDIRECTS: usize = 3;
/// A longer tag is none: no server needs it.
const MAX_ETAG_LENGTH: usize = 256;
/// A longer challenge says nothing that we understand.
const MAX_CHALLENGE_LENGTH: usize = 2048;
const USER_AGENT: &str = concat!("penstock/", env!("CARGO_PKG_VERSION"));

/// What all clients of the process share: the administrator's list, the budget, the system's authorities.
pub struct HttpLayer {
    pub(super) allowed: Arc<[IpNet]>,
    pub(super) budget: ByteBudget,
    pub(super) system: SystemAuthorities,
    pub(super) lookup: Arc<dyn Lookup>,
    ambient: Ambient,
    hosts: Option<HostAccess>,
}

/// What one store's client is made of.
#[derive(Debug, Clone)]
pub struct ClientSettings<'a> {
    /// The store's address.
    pub address: &'a str,
    /// Who chose it.
    pub origin: Origin,
    /// The namespace whose part of the budget is used; empty for cluster-wide stores.
    pub namespace: &'a str,
    /// TLS.
    pub tls: &'a TlsSettings,
    /// Limits.
    pub limits: &'a StoreLimits,
}

impl<'a> ClientSettings<'a> {
    /// What `store` says about itself, with the address and the TLS settings of its provider.
    pub fn of(store: &'a StoreObject, address: &'a str, tls: &'a TlsSettings) -> Self {
        Self {
            address,
            origin: Origin::of(store),
            namespace: if store.is_cluster() {
                ""
            } else {
                store.home.as_str()
            },
            tls,
            limits: &store.limits,
        }
    }
}

impl HttpLayer {
    /// A layer with the administrator's list of otherwise refused ranges (`--egress-allow`).
    pub fn new(allowed: impl Into<Arc<[IpNet]>>) -> Self {
        Self::with_lookup(allowed, Arc::new(SystemLookup))
    }

    /// As [`Self::new`], with a resolver of one's own.
    pub fn with_lookup(allowed: impl Into<Arc<[IpNet]>>, lookup: Arc<dyn Lookup>) -> Self {
        Self {
            allowed: allowed.into(),
            budget: ByteBudget::default(),
            system: SystemAuthorities::default(),
            lookup,
            ambient: Ambient::default(),
            hosts: None,
        }
    }

    /// The same with an identity of the process itself; without one there is none.
    #[must_use]
    pub fn with_ambient(mut self, ambient: Ambient) -> Self {
        self.ambient = ambient;
        self
    }

    /// The identity of the process itself, which serves only those to whom it is granted.
    pub fn ambient(&self) -> &Ambient {
        &self.ambient
    }

    /// The same, through which files on hosts are reached, too: the command line's alone.
    #[must_use]
    pub fn reaching_hosts(mut self, access: HostAccess) -> Self {
        self.hosts = Some(access);
        self
    }

    /// What may be done on hosts; none where they are not reached at all.
    pub fn hosts(&self) -> Option<HostAccess> {
        self.hosts
    }

    /// The addresses of a host that a store names, as far as the policy permits them, for what speaks another
    /// protocol over an encrypted connection.
    pub async fn addresses(
        &self,
        store: &StoreObject,
        host: &str,
    ) -> Result<Vec<IpAddr>, ResolveHost> {
        let policy = EgressPolicy::new(Origin::of(store), Arc::clone(&self.allowed));
        let lookup = Arc::clone(&self.lookup);
        GuardedResolver::addresses(host.into(), Transport::Tls, policy, lookup).await
    }

    /// A client for one store. Nothing is sent yet.
    pub fn client(&self, settings: &ClientSettings<'_>) -> Result<HttpClient, OpenClient> {
        let policy = EgressPolicy::new(settings.origin, Arc::clone(&self.allowed));
        self.client_under(policy, settings)
    }

    /// A client for one pod of a canary, at the address that its node says it has; `settings.address` is a URL of that
    /// address. Its certificate is not verified.
    pub fn pod_client(
        &self,
        pod: IpAddr,
        settings: &ClientSettings<'_>,
    ) -> Result<HttpClient, OpenClient> {
        let policy = EgressPolicy::pod(pod, &self.allowed)
            .map_err(|refusal| OpenClient::Address(ParseAddress::Refused(refusal)))?;
        let config = tls::trusts_anybody().map_err(OpenClient::Tls)?;
        self.client_with((policy, Some(config)), settings)
    }

    pub(super) fn client_under(
        &self,
        policy: EgressPolicy,
        settings: &ClientSettings<'_>,
    ) -> Result<HttpClient, OpenClient> {
        self.client_with((policy, None), settings)
    }

    fn client_with(
        &self,
        (policy, tls): (EgressPolicy, Option<ClientConfig>),
        settings: &ClientSettings<'_>,
    ) -> Result<HttpClient, OpenClient> {
        let endpoint = Endpoint::parse(settings.address, &policy).map_err(OpenClient::Address)?;
        let server_name = settings.tls.server_name.as_deref();
        let target = match server_name {
            Some(name) => named(&endpoint, name).map_err(OpenClient::Tls)?,
            None => endpoint.clone(),
        };
        let resolver = GuardedResolver {
            host: endpoint.host().into(),
            transport: endpoint.transport(),
            policy,
            lookup: Arc::clone(&self.lookup),
        };
        let builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .dns_resolver(Arc::new(resolver))
            .connect_timeout(CONNECT_TIMEOUT.min(settings.limits.timeout))
            .timeout(settings.limits.timeout)
            .pool_idle_timeout(IDLE_TIMEOUT);
        let mut config = match (endpoint.transport(), tls) {
            (Transport::Tls, Some(config)) => Ok(config),
            (Transport::Tls, None) => tls::client_config(settings.tls, &self.system),
            (Transport::Plain, _) => tls::trusts_nobody(),
        }
        .map_err(OpenClient::Tls)?;
        // Under HTTP/2 the host of the URL is all the server sees; under HTTP/1.1 the `Host` header can
        // still name the address while TLS names the certificate.
        config.alpn_protocols = match server_name {
            Some(_) => vec![b"http/1.1".to_vec()],
            None => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        };
        let inner = builder
            .https_only(endpoint.transport() == Transport::Tls)
            .tls_backend_preconfigured(config)
            .build()
            .map_err(|_| OpenClient::Tls(ConfigureTls::Client))?;
        Ok(HttpClient {
            inner,
            host_header: server_name.and_then(|_| HeaderValue::try_from(endpoint.authority()).ok()),
            endpoint,
            target,
            gate: Gate::new(settings.limits),
            ahead: Mutex::default(),
            quota: Mutex::default(),
            share: self.budget.share(settings.namespace),
        })
    }
}

impl fmt::Debug for HttpLayer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "HttpLayer(allowed: {:?})", self.allowed)
    }
}

/// An address would make the connector go there without asking the resolver.
fn named(endpoint: &Endpoint, name: &str) -> Result<Endpoint, ConfigureTls> {
    let target = endpoint
        .with_host(name)
        .map_err(|_| ConfigureTls::ServerName)?;
    if target.is_literal() {
        return Err(ConfigureTls::ServerName);
    }
    Ok(target)
}

/// One request. It has no `Debug`: headers and body may hold credentials.
pub struct Request {
    method: Method,
    segments: Vec<String>,
    query: Vec<(Cow<'static, str>, String)>,
    headers: HeaderMap,
    body: Option<Zeroizing<Vec<u8>>>,
    only_reads: bool,
    /// A query as a server wrote it, in the place of the pairs.
    raw_query: Option<String>,
}

impl Request {
    /// A request that reads `segments` below the address; it may be sent more than once.
    pub fn get<S: Into<String>>(segments: impl IntoIterator<Item = S>) -> Self {
        Self {
            method: Method::GET,
            segments: segments.into_iter().map(Into::into).collect(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: None,
            only_reads: true,
            raw_query: None,
        }
    }

    /// A PUT without a body that changes nothing, such as the one that opens a session with a metadata service.
    pub fn put_nothing<S: Into<String>>(segments: impl IntoIterator<Item = S>) -> Self {
        Self {
            method: Method::PUT,
            body: Some(Zeroizing::default()),
            ..Self::get(segments)
        }
    }

    /// A request that changes something: it is sent again only when it certainly did not arrive.
    pub fn post<S: Into<String>>(
        segments: impl IntoIterator<Item = S>,
        json: Zeroizing<Vec<u8>>,
    ) -> Self {
        Self::post_as(segments, "application/json", json)
    }

    /// The same with the method PATCH.
    pub fn patch<S: Into<String>>(
        segments: impl IntoIterator<Item = S>,
        json: Zeroizing<Vec<u8>>,
    ) -> Self {
        let mut request = Self::post(segments, json);
        request.method = Method::PATCH;
        request
    }

    /// As [`Self::post`], of another type of content.
    pub fn post_as<S: Into<String>>(
        segments: impl IntoIterator<Item = S>,
        content_type: &'static str,
        body: Zeroizing<Vec<u8>>,
    ) -> Self {
        let mut request = Self::get(segments);
        request.method = Method::POST;
        request.body = Some(body);
        request.only_reads = false;
        request
            .headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        request
    }

    /// The same, known to read only: it may be sent more than once.
    #[must_use]
    pub fn that_only_reads(mut self) -> Self {
        self.only_reads = true;
        self
    }

    /// Adds a query parameter. Never a credential: URLs end up in logs.
    #[must_use]
    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Adds a query parameter whose name somebody else has chosen.
    #[must_use]
    pub(crate) fn query_as(mut self, (name, value): (String, String)) -> Self {
        self.query.push((name.into(), value));
        self
    }

    /// Sets the query to what a server wrote, in the place of every parameter: the link to a next page.
    #[must_use]
    pub fn raw_query(mut self, query: &str) -> Self {
        self.raw_query = Some(query.to_owned());
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: &'static str, value: &str) -> Result<Self, SendRequest> {
        let value = HeaderValue::from_str(value).map_err(|_| SendRequest::Credential)?;
        self.headers.insert(HeaderName::from_static(name), value);
        Ok(self)
    }

    /// Adds a header that holds a credential.
    pub fn credential(self, name: &'static str, value: &SecretValue) -> Result<Self, SendRequest> {
        self.credential_named(&HeaderName::from_static(name), value)
    }

    /// As [`Self::credential`], under a name that is known only now.
    pub fn credential_named(
        mut self,
        name: &HeaderName,
        value: &SecretValue,
    ) -> Result<Self, SendRequest> {
        let mut value =
            HeaderValue::from_bytes(value.expose()).map_err(|_| SendRequest::Credential)?;
        value.set_sensitive(true);
        self.headers.insert(name.clone(), value);
        Ok(self)
    }

    fn changes_nothing(&self) -> bool {
        self.only_reads
    }

    /// Whether it survives a redirect that turns every method into a GET.
    fn is_get(&self) -> bool {
        self.method == Method::GET
    }
}

/// One answer, whatever its status.
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// What `Retry-After` says, bounded.
    pub retry_after: Option<Duration>,
    /// The tag of this answer (RFC 9110 §8.8.3), where it has one that can be sent back.
    pub etag: Option<String>,
    /// Whom a token is wanted from (RFC 9110 §11.6.1), where the answer says so.
    pub challenge: Option<String>,
    body: Zeroizing<Vec<u8>>,
    /// The place in the budget, kept until the answer has been read.
    _place: Place,
}

impl Response {
    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

/// The client of one store.
pub struct HttpClient {
    inner: reqwest::Client,
    /// The address as it was given.
    endpoint: Endpoint,
    /// The same, under the name that TLS verifies.
    target: Endpoint,
    host_header: Option<HeaderValue>,
    gate: Gate,
    /// How far the server's clock is ahead of ours, by its last answer.
    ahead: Mutex<Option<SignedDuration>>,
    /// What its last answer said about how much more it may be asked.
    quota: Mutex<Option<Quota>>,
    share: BudgetShare,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "HttpClient({:?})", self.endpoint)
    }
}

impl HttpClient {
    /// The host, for messages.
    pub fn host(&self) -> &str {
        self.endpoint.host()
    }

    /// What the `Host` header of its requests says, for those who sign it.
    pub fn authority(&self) -> String {
        self.endpoint.authority()
    }

    /// Leaves the store alone for `wait`, which it asks for elsewhere than in the header.
    pub fn pause(&self, wait: Duration) {
        self.gate.pause(wait);
    }

    /// Sends `request` and reads the whole answer. An answer of any status is an `Ok`.
    pub async fn send(&self, request: &Request) -> Result<Response, SendRequest> {
        let mut tried = 0;
        loop {
            let outcome = self.attempt(request).await;
            let Some(wait) = wait_before_retry(request, &outcome, tried) else {
                return outcome;
            };
            // The answer of a failed attempt gives back its place before the wait.
            drop(outcome);
            tokio::time::sleep(wait).await;
            tried += 1;
        }
    }

    /// How far the server's clock is ahead of ours, by the `Date` of its last answer (RFC 9110 §6.6.1), which has
    /// whole seconds; none before the first, or where it sends none.
    pub fn clock_ahead(&self) -> Option<SignedDuration> {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the server said last about how much more it may be asked, where it says so in the headers that most
    /// servers have for it (`x-ratelimit-limit` and `x-ratelimit-remaining`).
    pub fn quota(&self) -> Option<Quota> {
        *self.quota.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_quota(&self, headers: &HeaderMap) {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse().ok();
        let said = || {
            Some(Quota {
                limit: number("x-ratelimit-limit")?,
                remaining: number("x-ratelimit-remaining")?,
            })
        };
        if let Some(said) = said() {
            *self.quota.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
        }
    }

    fn note_date(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
        let ahead = date.map(|date| date.timestamp().duration_since(Timestamp::now()));
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = ahead;
    }

    async fn attempt(&self, request: &Request) -> Result<Response, SendRequest> {
        let _inside = self
            .gate
            .enter()
            .await
            .map_err(|paused| SendRequest::Paused { left: paused.left })?;
        let place = self.share.enter().await;
        let response = self.exchange(request).await?;
        self.note_date(response.headers());
        self.note_quota(response.headers());
        let response = read(response, place).await?;
        if let Some(wait) = asked_pause(&response) {
            self.gate.pause(wait);
        }
        Ok(response)
    }

    /// Sends, and follows redirects on the same origin.
    async fn exchange(&self, request: &Request) -> Result<reqwest::Response, SendRequest> {
        let query: Vec<_> = request
            .query
            .iter()
            .map(|(name, value)| (&**name, value.as_str()))
            .collect();
        let mut url = self
            .target
            .url(request.segments.iter().map(String::as_str), &query);
        if let Some(query) = &request.raw_query {
            url.set_query(Some(query));
        }
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send_once(request, url.clone()).await?;
            let Some(location) = location(request, &response)? else {
                return Ok(response);
            };
            url = self.same_place(&url, &location)?;
        }
        Err(SendRequest::Redirect)
    }

    async fn send_once(
        &self,
        request: &Request,
        url: Url,
    ) -> Result<reqwest::Response, SendRequest> {
        let mut outgoing = self
            .inner
            .request(request.method.clone(), url)
            .headers(request.headers.clone());
        if let Some(host) = &self.host_header {
            outgoing = outgoing.header(HOST, host.clone());
        }
        if let Some(body) = &request.body {
            outgoing = outgoing.body(body.to_vec());
        }
        outgoing
            .send()
            .await
            .map_err(|error| SendRequest::of(&error))
    }

    /// Where `location` leads, if that is the same origin: only path and query are taken from it.
    fn same_place(&self, current: &Url, location: &str) -> Result<Url, SendRequest> {
        let next = current.join(location).map_err(|_| SendRequest::Redirect)?;
        if !self.endpoint.same_origin(&next) && !self.target.same_origin(&next) {
            return Err(SendRequest::Redirect);
        }
        let mut url = current.clone();
        url.set_path(next.path());
        url.set_query(next.query());
        Ok(url)
    }
}

/// What a redirect says, if the answer is one. 307 and 308 repeat the request; the older ones turn
/// into a GET, which only a GET survives.
fn location(
    request: &Request,
    response: &reqwest::Response,
) -> Result<Option<String>, SendRequest> {
    let repeats = match response.status().as_u16() {
        307 | 308 => true,
        301..=303 => request.is_get(),
        _ => return Ok(None),
    };
    let location = response
        .headers()
        .get(LOCATION)
        .and_then(|value| value.to_str().ok());
    match location {
        Some(location) if repeats => Ok(Some(location.to_owned())),
        _ => Err(SendRequest::Redirect),
    }
}

async fn read(mut response: reqwest::Response, mut place: Place) -> Result<Response, SendRequest> {
    let compressed = response
        .headers()
        .get(CONTENT_ENCODING)
        .is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if compressed {
        return Err(SendRequest::Compressed);
    }
    let announced = response.content_length().unwrap_or(0);
    let announced = usize::try_from(announced).map_err(|_| SendRequest::TooLarge)?;
    if announced > MAX_BODY_BYTES {
        return Err(SendRequest::TooLarge);
    }
    if announced > SMALL_BODY_BYTES {
        place.grow().await;
    }
    let mut body = Zeroizing::new(Vec::with_capacity(announced));
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| SendRequest::of(&error))?
    {
        let length = body.len() + chunk.len();
        if length > MAX_BODY_BYTES {
            return Err(SendRequest::TooLarge);
        }
        if length > SMALL_BODY_BYTES {
            place.grow().await;
        }
        append(&mut body, &chunk);
    }
    Ok(Response {
        status: response.status(),
        retry_after: retry_after(response.headers()),
        etag: etag(response.headers()),
        challenge: challenge(response.headers()),
        body,
        _place: place,
    })
}

/// Appends; when the buffer must move, the old one is zeroed, which `Vec` alone would not do.
fn append(body: &mut Zeroizing<Vec<u8>>, chunk: &[u8]) {
    let needed = body.len() + chunk.len();
    if needed > body.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(body.capacity() * 2)));
        larger.extend_from_slice(body);
        *body = larger;
    }
    body.extend_from_slice(chunk);
}

fn etag(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(ETAG)?.to_str().ok()?;
    (value.len() <= MAX_ETAG_LENGTH).then(|| value.to_owned())
}

fn challenge(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(WWW_AUTHENTICATE)?.to_str().ok()?;
    (value.len() <= MAX_CHALLENGE_LENGTH).then(|| value.to_owned())
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
    retry::parse_retry_after(value, Timestamp::now())
}

/// A store that names a time is left alone until then.
fn asked_pause(response: &Response) -> Option<Duration> {
    let busy = matches!(
        response.status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    );
    response.retry_after.filter(|_| busy)
}

fn wait_before_retry(
    request: &Request,
    outcome: &Result<Response, SendRequest>,
    tried: u32,
) -> Option<Duration> {
    if tried >= retry::MAX_RETRIES {
        return None;
    }
    let again = match outcome {
        Ok(response) => {
            request.changes_nothing()
                && response.retry_after.is_none()
                && retry::is_passing(response.status.as_u16())
        }
        Err(SendRequest::Interrupted) => request.changes_nothing(),
        Err(error) => error.never_sent(),
    };
    again.then(|| retry::wait(tried, retry::random_unit()))
}

#[cfg(test)]
mod tests;
