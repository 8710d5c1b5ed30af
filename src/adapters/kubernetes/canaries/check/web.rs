//! A request of a check, sent once under the egress policy of objects of a namespace.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use http::{Method, StatusCode};
use penstock_domain::api::shared::MaskedText;
use penstock_domain::canary::CheckVerdict;
use penstock_domain::names::SyncId;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::StoreLimits;
use zeroize::Zeroizing;

use super::unknown;
use crate::http::client::{ClientSettings, HttpLayer, Once};
use crate::http::egress::Origin;
use crate::http::tls::TlsSettings;

/// A request. It has no `Debug`: headers and body may hold credentials.
pub(super) struct Question {
    method: Method,
    url: String,
    headers: BTreeMap<String, Zeroizing<Vec<u8>>>,
    body: Option<Zeroizing<Vec<u8>>>,
    pod: Option<IpAddr>,
}

/// An answer, of any status.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) host: String,
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl Question {
    pub(super) fn new(method: Method, url: &str) -> Self {
        Self {
            method,
            url: url.to_owned(),
            headers: BTreeMap::new(),
            body: None,
            pod: None,
        }
    }

    /// The same to a pod at this address, which is that of the URL.
    pub(super) fn at_pod(mut self, address: IpAddr) -> Self {
        self.pod = Some(address);
        self
    }

    pub(super) fn headers(&mut self, headers: &BTreeMap<String, MaskedText>) {
        for (name, value) in headers {
            let value = Zeroizing::new(value.expose().as_bytes().to_vec());
            self.headers.insert(name.clone(), value);
        }
    }

    /// Sets the body; its type unless a header says it.
    pub(super) fn body(&mut self, body: String, content_type: Option<&str>) {
        self.body = Some(Zeroizing::new(body.into_bytes()));
        if let Some(kind) = content_type {
            let header = self.headers.entry("content-type".to_owned());
            header.or_insert_with(|| Zeroizing::new(kind.as_bytes().to_vec()));
        }
    }

    pub(super) fn credential(&mut self, value: &SecretValue) {
        // A Secret is often written with a line break at its end, which no header can carry.
        let value = Zeroizing::new(value.expose().trim_ascii().to_vec());
        self.headers.insert("authorization".to_owned(), value);
    }

    /// Sends it once. What is no answer says nothing, and why.
    pub(super) async fn send(
        self,
        layer: &HttpLayer,
        sync: &SyncId,
        limit: Duration,
    ) -> Result<Answer, CheckVerdict> {
        let (address, query) = match self.url.split_once('?') {
            Some((address, query)) => (address, Some(query)),
            None => (self.url.as_str(), None),
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
        let client = match self.pod {
            Some(pod) => layer.pod_client(pod, &settings),
            None => layer.client(&settings),
        };
        let client = client.map_err(|error| unknown(error.fault("its address").to_string()))?;
        let mut once = Once::new(self.method, query);
        for (name, value) in &self.headers {
            let added = once.header(name, value);
            once = added.map_err(|_| unknown("has a header that cannot be sent"))?;
        }
        if let Some(body) = self.body {
            once = once.body(body);
        }
        let host = client.host().to_owned();
        match client.send_once_only(once).await {
            Ok(response) => Ok(Answer {
                status: response.status,
                body: Zeroizing::new(response.body().to_vec()),
                host,
            }),
            Err(error) => {
                let fault = error.fault("", &host);
                let hint = fault
                    .hint
                    .map(|hint| format!(" ({hint})"))
                    .unwrap_or_default();
                Err(unknown(format!("{}{hint}", fault.message)))
            }
        }
    }
}
