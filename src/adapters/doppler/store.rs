//! One opened Doppler.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use penstock_domain::api::doppler::DopplerProvider;
use penstock_domain::bundle::{Snapshot, SourceEntry};
use penstock_domain::fault::Fault;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{Capabilities, Capability, Credentials, StoreObject};
use penstock_domain::sync::SourceOptions;

use super::answer;
use super::settings::{Settings, USUAL_ADDRESS, is_slug};
use crate::asking::{AskSystem, Asking, Refusal, Words, wait_of};
use crate::entries::Entries;
use crate::http::client::{ClientSettings, HttpLayer, Request, Response};
use crate::open::{Adapter, OpenedStore, Proposal, StoreFailure, StoreQuery, named};
use crate::providers::Reached;
use crate::remembered::Remembered;

const WORDS: Words = Words {
    provider: "doppler",
    product: "Doppler",
    credential_hint: "The token is unknown, expired or revoked, or bound to other addresses",
    denied_hint: "Give the service account a role that reads this config; secrets of restricted visibility are for service tokens and service accounts",
    missing_hint: "Check the project and the config (its name, such as `prd`), and whether the token reaches them",
    request_hint: "A service token is for one project and config: name those or none; other tokens need both",
};

/// Whatever a tag says, no answer is older than this.
const MAX_AGE: Duration = Duration::from_hours(1);

/// A Doppler that has been opened: settings checked, the token fetched, nobody asked yet.
pub struct DopplerStore {
    asking: Asking,
    authorization: SecretValue,
    remembered: Remembered<Place, String>,
    credential_hash: [u8; 32],
}

/// One config.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    project: Option<String>,
    config: Option<String>,
}

impl Place {
    fn of(query: &StoreQuery) -> Self {
        Self {
            project: query.path.segments().first().cloned(),
            config: query.environment.clone(),
        }
    }

    /// `shop, prd`
    fn name(&self) -> String {
        match (&self.project, &self.config) {
            (Some(project), Some(config)) => format!("project {project}, config {config}"),
            (Some(project), None) => format!("project {project}"),
            (None, _) => "the config of the token".to_owned(),
        }
    }
}

impl DopplerStore {
    /// Opens a store.
    async fn connect(
        store: &StoreObject,
        provider: &DopplerProvider,
        layer: &HttpLayer,
        credentials: &Arc<dyn Credentials>,
    ) -> Result<Self, AskSystem> {
        let settings = Settings::read(store, provider, credentials.as_ref()).await?;
        let credential_hash = settings.credential_hash();
        let address = provider.address.as_deref().unwrap_or(USUAL_ADDRESS);
        let http = layer
            .client(&ClientSettings::of(store, address, &settings.tls))
            .map_err(AskSystem::Open)?;
        Ok(Self {
            asking: Asking { http },
            authorization: SecretValue::new([b"Bearer ", settings.token.expose()].concat()),
            remembered: Remembered::new(MAX_AGE),
            credential_hash,
        })
    }

    /// What a query means: project and config are the store's own unless the source names others.
    fn mean(provider: &DopplerProvider, query: StoreQuery) -> Result<Proposal, AskSystem> {
        if query.options != SourceOptions::None {
            return Err(AskSystem::ask("a store of Doppler has no options"));
        }
        if query.version.is_some() {
            return Err(AskSystem::ask(
                "Doppler cannot read an older version: remove `version`, or roll the config back",
            ));
        }
        let named = query.path.segments();
        if named.len() > 1 {
            return Err(AskSystem::ask(
                "`path` is the project: Doppler has no folders below it",
            ));
        }
        let project = named.first().cloned().or(provider.project.clone());
        let config = query.environment.clone().or(provider.config.clone());
        let slugs = [&project, &config].into_iter().flatten();
        if !slugs.into_iter().all(|slug| is_slug(slug)) {
            return Err(AskSystem::ask(
                "project and config must consist of letters, digits, `-` and `_`",
            ));
        }
        if project.is_some() != config.is_some() {
            return Err(AskSystem::ask(
                "project and config belong together: set `path` and `environment` at the source, or project and config at the store",
            ));
        }
        let folder = |text: &str| {
            penstock_domain::stores::access::RemotePath::parse(text)
                .map(penstock_domain::stores::access::RemotePath::as_folder)
                .map_err(|_| AskSystem::ask("`path` must be a project"))
        };
        let path = folder(project.as_deref().unwrap_or_default())?;
        let reach = match &query.field {
            None => path.clone(),
            Some(name) => path
                .join(name)
                .ok()
                .filter(|path| !name.contains('/') && !path.is_folder())
                .ok_or_else(|| AskSystem::ask("`field` must be the name of one secret"))?,
        };
        Ok(Proposal {
            path: reach,
            environment: config.clone().filter(|_| config != provider.config),
            ..Proposal::of(StoreQuery {
                environment: config,
                path,
                recursive: false,
                ..query
            })
        })
    }

    async fn answer(&self, query: &StoreQuery, insist: bool) -> Result<Snapshot, AskSystem> {
        let place = &Place::of(query);
        let earlier = self.remembered.find(place).filter(|_| !insist);
        let mut request = Request::get(["v3", "configs", "config", "secrets", "download"])
            .query("format", "json")
            .query("include_dynamic_secrets", "false");
        for (name, value) in [("project", &place.project), ("config", &place.config)] {
            if let Some(value) = value {
                request = request.query(name, value);
            }
        }
        if let Some((tag, _)) = &earlier {
            request = request
                .header("if-none-match", tag)
                .map_err(|source| self.asking.failed(source))?;
        }
        let response = self.send(request).await?;
        if let (304, Some((_, snapshot))) = (response.status.as_u16(), earlier) {
            return Ok(Arc::unwrap_or_clone(snapshot));
        }
        let snapshot = understand(place, &response)?;
        self.remembered
            .keep(place, response.etag.clone(), &snapshot);
        Ok(snapshot)
    }

    async fn send(&self, request: Request) -> Result<Response, AskSystem> {
        let request = request
            .header("accept", "application/json")
            .and_then(|request| request.credential("authorization", &self.authorization))
            .map_err(|source| self.asking.failed(source))?;
        self.asking.send(&request).await
    }

    async fn look(&self) -> Result<Capabilities, AskSystem> {
        let response = self.send(Request::get(["v3", "me"])).await?;
        judge(&response)
            .and_then(answer::is_somebody)
            .map_err(|refusal| AskSystem::read("the token's owner", refusal))?;
        Ok(Capabilities::from([
            Capability::Read,
            Capability::List,
            Capability::Probe,
        ]))
    }
}

fn judge(response: &Response) -> Result<&[u8], Refusal> {
    answer::good(response.status.as_u16(), response.body()).map_err(|refusal| match refusal {
        Refusal::Throttled(_) => Refusal::Throttled(Some(wait_of(response))),
        other => other,
    })
}

fn understand(place: &Place, response: &Response) -> Result<Snapshot, AskSystem> {
    let refused = |refusal| AskSystem::read(place.name(), refusal);
    let download = judge(response)
        .and_then(answer::download)
        .map_err(refused)?;
    // A token of one config may be answered for that one, whatever was asked for.
    for (asked, said) in [
        (&place.project, &download.project),
        (&place.config, &download.config),
    ] {
        let is_other = |asked: &String, said: &SecretValue| asked.as_bytes() != said.expose();
        if let (Some(asked), Some(said)) = (asked, said)
            && is_other(asked, said)
        {
            return Err(refused(Refusal::Elsewhere));
        }
    }
    let path = place.project.clone().unwrap_or_default();
    let mut entries = Entries::default();
    for (name, value) in download.secrets {
        let entry = SourceEntry {
            name,
            path: path.clone(),
            tags: BTreeSet::new(),
            version: None,
            value,
        };
        entries
            .add(entry)
            .map_err(|_| AskSystem::too_large(place.name()))?;
    }
    Ok(Snapshot {
        entries: entries.into_list(),
        version: None,
    })
}

#[async_trait]
impl Adapter for DopplerStore {
    type Provider = DopplerProvider;

    fn propose(
        subject: &str,
        provider: &DopplerProvider,
        query: StoreQuery,
    ) -> Result<Vec<Proposal>, Fault> {
        Self::mean(provider, query)
            .map(|proposal| vec![proposal])
            .map_err(|error| error.fault(subject, &WORDS))
    }

    async fn open(
        store: &StoreObject,
        provider: &DopplerProvider,
        reached: &Reached,
    ) -> Result<Arc<dyn OpenedStore>, StoreFailure> {
        let opened = Self::connect(store, provider, &reached.http, &reached.credentials).await;
        opened
            .map(|opened| Arc::new(opened) as _)
            .map_err(|error| error.fault(&store.reference.to_string(), &WORDS).into())
    }
}

#[async_trait]
impl OpenedStore for DopplerStore {
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

    /// All secrets of a config come in one answer.
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
            let refusal = Refusal::NoPart(format!("secret {name}"));
            let error = AskSystem::read(Place::of(query).name(), refusal);
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
