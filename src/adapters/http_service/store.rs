//! One opened service.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use penstock_domain::api::http::HttpProvider;
use penstock_domain::bundle::Snapshot;
use penstock_domain::fault::Fault;
use penstock_domain::render::DocumentPart;
use penstock_domain::stores::{Capabilities, Capability, Credentials, StoreObject};
use penstock_domain::sync::SourceOptions;
use zeroize::Zeroizing;

use super::answer::{self, Wanted};
use super::settings::Settings;
use crate::asking::{AskSystem, Asking, Refusal, Words, wait_of};
use crate::entries::Entries;
use crate::http::client::{ClientSettings, HttpLayer, Request, Response};
use crate::open::{Adapter, OpenedStore, Proposal, StoreFailure, StoreQuery, named};
use crate::providers::Reached;
use crate::remembered::Remembered;

const WORDS: Words = Words {
    provider: "http",
    product: "the service",
    credential_hint: "Check what `secrets` name, and where `headers` and `body` put it",
    denied_hint: "Give the credential the right to read this path",
    missing_hint: "Check `path`: it follows the store's address",
    request_hint: "Check method, query, headers and body of the store, and the source's `path`",
};

/// Whatever a tag says, no answer is older than this.
const MAX_AGE: Duration = Duration::from_hours(1);

/// A service that has been opened: settings checked, credentials fetched, nobody asked yet.
pub struct HttpService {
    asking: Asking,
    settings: Settings,
    remembered: Remembered<StoreQuery, String>,
    credential_hash: [u8; 32],
}

impl HttpService {
    async fn connect(
        store: &StoreObject,
        provider: &HttpProvider,
        layer: &HttpLayer,
        credentials: &Arc<dyn Credentials>,
    ) -> Result<Self, AskSystem> {
        let settings = Settings::read(store, provider, credentials.as_ref()).await?;
        let http = layer
            .client(&ClientSettings::of(store, &provider.address, &settings.tls))
            .map_err(AskSystem::Open)?;
        Ok(Self {
            asking: Asking { http },
            credential_hash: settings.credential_hash(),
            remembered: Remembered::new(MAX_AGE),
            settings,
        })
    }

    /// What a query means.
    fn mean(query: StoreQuery) -> Result<Proposal, AskSystem> {
        let options = match &query.options {
            SourceOptions::None => SourceOptions::Http {
                result: String::new(),
                raw: false,
            },
            options @ SourceOptions::Http { raw, result } => {
                DocumentPart::parse(result).map_err(|problem| {
                    AskSystem::ask(format!("`options.http.result` {problem}"))
                })?;
                if *raw && query.field.is_some() {
                    return Err(AskSystem::ask(
                        "an answer that is taken as it is has no members: remove `field`",
                    ));
                }
                options.clone()
            }
            _ => {
                return Err(AskSystem::ask(
                    "the only options of such a store are `options.http`",
                ));
            }
        };
        if query.environment.is_some() || query.version.is_some() || query.recursive {
            return Err(AskSystem::ask(
                "such a store knows no environments, versions and folders: remove `environment`, `version` and `select.recursive`",
            ));
        }
        Ok(Proposal::of(StoreQuery { options, ..query }))
    }

    async fn answer(&self, query: &StoreQuery, insist: bool) -> Result<Snapshot, AskSystem> {
        let (result, raw) = match &query.options {
            SourceOptions::Http { result, raw } => (result.as_str(), *raw),
            _ => ("", false),
        };
        let what = format!("/{}", query.path.to_text());
        let earlier = self.remembered.find(query).filter(|_| !insist);
        let mut request = self.request(query)?;
        if let Some((tag, _)) = &earlier {
            request = request
                .header("if-none-match", tag)
                .map_err(|source| self.asking.failed(source))?;
        }
        let response = self.asking.send(&request).await?;
        if let (304, Some((_, snapshot))) = (response.status.as_u16(), earlier) {
            return Ok(Arc::unwrap_or_clone(snapshot));
        }
        let wanted = Wanted {
            path: &query.path,
            result,
            raw,
        };
        let found = self
            .judge(&response)
            .and_then(|body| wanted.entries(body))
            .map_err(|refusal| AskSystem::read(&what, refusal))?;
        let mut entries = Entries::default();
        for entry in found {
            entries
                .add(entry)
                .map_err(|_| AskSystem::too_large(&what))?;
        }
        let snapshot = Snapshot {
            entries: entries.into_list(),
            version: None,
        };
        // A tag belongs to a GET (RFC 9110 §13.1.2).
        let tag = response.etag.clone().filter(|_| !self.settings.post);
        self.remembered.keep(query, tag, &snapshot);
        Ok(snapshot)
    }

    fn request(&self, query: &StoreQuery) -> Result<Request, AskSystem> {
        let mut segments: Vec<&str> = query.path.segments().iter().map(String::as_str).collect();
        if query.path.is_folder() && !segments.is_empty() {
            // A trailing slash is part of an address.
            segments.push("");
        }
        let request = match (&self.settings.body, self.settings.post) {
            (Some(body), true) => {
                Request::post(segments, Zeroizing::new(body.expose().to_vec())).that_only_reads()
            }
            (None, true) => {
                Request::post(segments, Zeroizing::new(b"{}".to_vec())).that_only_reads()
            }
            (_, false) => Request::get(segments),
        };
        self.dressed(request)
    }

    fn dressed(&self, request: Request) -> Result<Request, AskSystem> {
        let mut request = request;
        for (name, value) in &self.settings.query {
            request = request.query_as((name.clone(), value.clone()));
        }
        request = request
            .header("accept", "application/json, */*;q=0.5")
            .map_err(|source| self.asking.failed(source))?;
        for (name, value) in &self.settings.headers {
            request = request
                .credential_named(name, value)
                .map_err(|source| self.asking.failed(source))?;
        }
        Ok(request)
    }

    fn judge<'a>(&self, response: &'a Response) -> Result<&'a [u8], Refusal> {
        let status = response.status.as_u16();
        answer::good(status, response.body(), self.settings.not_found.as_ref()).map_err(|refusal| {
            match refusal {
                Refusal::Throttled(_) => Refusal::Throttled(Some(wait_of(response))),
                other => other,
            }
        })
    }

    /// Nothing is known of what lies at the address itself, so any answer of it will do that is no failure and does
    /// not refuse the credential.
    async fn look(&self) -> Result<Capabilities, AskSystem> {
        let request = self.dressed(Request::get(Vec::<String>::new()))?;
        let response = self.asking.send(&request).await?;
        match self.judge(&response) {
            Err(refusal @ (Refusal::Credential | Refusal::Throttled(_) | Refusal::Stumbled(_))) => {
                Err(AskSystem::read("the address", refusal))
            }
            _ if self.settings.post => Ok(Capabilities::from([Capability::Read])),
            _ => Ok(Capabilities::from([Capability::Read, Capability::Probe])),
        }
    }
}

#[async_trait]
impl Adapter for HttpService {
    type Provider = HttpProvider;

    fn propose(subject: &str, _: &HttpProvider, query: StoreQuery) -> Result<Vec<Proposal>, Fault> {
        Self::mean(query)
            .map(|proposal| vec![proposal])
            .map_err(|error| error.fault(subject, &WORDS))
    }

    async fn open(
        store: &StoreObject,
        provider: &HttpProvider,
        reached: &Reached,
    ) -> Result<Arc<dyn OpenedStore>, StoreFailure> {
        let opened = Self::connect(store, provider, &reached.http, &reached.credentials).await;
        opened
            .map(|opened| Arc::new(opened) as _)
            .map_err(|error| error.fault(&store.reference.to_string(), &WORDS).into())
    }
}

#[async_trait]
impl OpenedStore for HttpService {
    fn credential_hash(&self) -> [u8; 32] {
        self.credential_hash
    }

    async fn read(&self, subject: &str, query: &StoreQuery) -> Result<Snapshot, StoreFailure> {
        let answer = self.answer(query, true).await;
        answer.map_err(|error| error.failure(subject, &WORDS))
    }

    async fn refresh(&self, subject: &str, query: &StoreQuery) -> Result<Snapshot, StoreFailure> {
        let answer = self.answer(query, false).await;
        answer.map_err(|error| error.failure(subject, &WORDS))
    }

    /// All members of a document come in one answer.
    fn whole(&self, query: &StoreQuery) -> StoreQuery {
        StoreQuery {
            field: None,
            ..query.clone()
        }
    }

    fn part(
        &self,
        subject: &str,
        query: &StoreQuery,
        answer: Arc<Snapshot>,
    ) -> Result<Snapshot, StoreFailure> {
        let Some(name) = &query.field else {
            return Ok(Arc::unwrap_or_clone(answer));
        };
        let part = named(&answer, name);
        if part.entries.is_empty() {
            let refusal = Refusal::NoPart(format!("member {name}"));
            let error = AskSystem::read(format!("/{}", query.path.to_text()), refusal);
            return Err(error.failure(subject, &WORDS));
        }
        Ok(part)
    }

    async fn probe(&self, subject: &str) -> Result<Capabilities, StoreFailure> {
        let looked = self.look().await;
        looked.map_err(|error| error.failure(subject, &WORDS))
    }

    fn clock_ahead(&self) -> Option<SignedDuration> {
        self.asking.http.clock_ahead()
    }

    async fn close(&self) {}
}
