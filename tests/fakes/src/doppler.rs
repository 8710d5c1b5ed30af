//! Doppler, as its API answers: `docs.doppler.com/reference/api`, and what the official clients send and expect.
//!
//! It holds configs of projects and gives them to tokens: a service token is for one config and is answered for that
//! one, whatever else it names; the token of a service account names both, and reaches what it may. An error is a
//! document of `messages` and `success`. A download has an `ETag`.
//!
//! What it does not do: writing, logs, dynamic secrets, restricted visibility beyond a value that is withheld.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use crate::outage::Outage;
use crate::server::{Handler, Listen, Reply, Request, Server, StartServer};

/// What it holds and how it behaves.
#[derive(Debug, Default)]
pub struct Model {
    /// Secrets by project and config; a value may be withheld.
    pub configs: BTreeMap<(String, String), BTreeMap<String, Option<String>>>,
    /// Who may read what, by token.
    pub tokens: BTreeMap<String, Token>,
    /// Answers 429, with this many seconds in `Retry-After`; 0: without the header.
    pub throttle: Option<u64>,
    /// Something stands in its place.
    pub outage: Option<Outage>,
}

/// Whose token it is.
#[derive(Debug, Clone)]
pub enum Token {
    /// Of one config.
    Service {
        /// The project.
        project: String,
        /// The config.
        config: String,
    },
    /// Of a service account that reads these projects.
    Account(BTreeSet<String>),
}

impl Model {
    /// Puts a secret.
    pub fn put(&mut self, (project, config): (&str, &str), name: &str, value: &str) {
        self.config(project, config)
            .insert(name.to_owned(), Some(value.to_owned()));
    }

    /// A config, which is made where there is none.
    pub fn config(&mut self, project: &str, config: &str) -> &mut BTreeMap<String, Option<String>> {
        let place = (project.to_owned(), config.to_owned());
        self.configs.entry(place).or_default()
    }
}

/// A running Doppler.
pub struct FakeDoppler {
    server: Server,
    state: Arc<State>,
}

struct State(Mutex<Model>);

impl FakeDoppler {
    /// Starts an empty one on a free port.
    pub async fn start(listen: Listen) -> Result<Self, StartServer> {
        let state = Arc::new(State(Mutex::default()));
        let handler: Arc<dyn Handler> = Arc::clone(&state) as _;
        let server = Server::start(listen, 0, handler).await?;
        Ok(Self { server, state })
    }

    /// What it holds, to look at and to change.
    pub fn model(&self) -> MutexGuard<'_, Model> {
        self.state.lock()
    }

    /// The server.
    pub fn server(&self) -> &Server {
        &self.server
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Model> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handler for State {
    fn answer(&self, request: &Request, _: &[u8]) -> Reply {
        let model = self.lock();
        if let Some(seconds) = model.throttle {
            let reply = failed(429, "Rate limit exceeded");
            return match seconds {
                0 => reply,
                seconds => reply.header("retry-after", seconds.to_string()),
            };
        }
        let answer = || route(&model, request).unwrap_or_else(|refusal| refusal);
        match &model.outage {
            None => answer(),
            Some(outage) => outage.reply(answer, |status| failed(status, "Something went wrong")),
        }
    }
}

fn failed(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({"messages": [message], "success": false}))
}

fn route(model: &Model, request: &Request) -> Result<Reply, Reply> {
    let token = token(model, request)?;
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/v3/me") => Ok(me(token)),
        ("GET", "/v3/configs/config/secrets/download") => download(model, token, request),
        ("GET", "/v3/configs/config/secrets") => list(model, token, request),
        ("GET", "/v3/configs/config/secrets/names") => {
            let (_, secrets) = config(model, token, request)?;
            let names: Vec<&String> = secrets.keys().collect();
            Ok(Reply::json(200, &json!({"names": names, "success": true})))
        }
        ("GET", "/v3/configs/config/secret") => one(model, token, request),
        _ => Err(failed(404, "Unknown route")),
    }
}

/// `Authorization: Bearer <token>`, or the token as the user of basic authentication.
fn token<'a>(model: &'a Model, request: &Request) -> Result<&'a Token, Reply> {
    let header = request.header("authorization").unwrap_or_default();
    let token = header.strip_prefix("Bearer ").unwrap_or_default();
    model
        .tokens
        .get(token)
        .ok_or_else(|| failed(401, "Invalid Auth token"))
}

fn me(token: &Token) -> Reply {
    let kind = match token {
        Token::Service { .. } => "service_token",
        Token::Account(_) => "service_account_api_token",
    };
    let body = json!({
        "workplace": {"name": "Demo", "slug": "w-1"},
        "type": kind,
        "token_preview": "dp.xx…abcd",
        "slug": "t-1",
        "created_at": "2026-01-02T03:04:05.678Z",
        "name": "penstock",
        "last_seen_at": "2026-01-02T03:04:05.678Z",
    });
    Reply::json(200, &body)
}

type Config<'a> = (&'a (String, String), &'a BTreeMap<String, Option<String>>);

/// The config that a token is answered for.
fn config<'a>(model: &'a Model, token: &Token, request: &Request) -> Result<Config<'a>, Reply> {
    let asked = |name: &str| request.parameter(name).filter(|value| !value.is_empty());
    let place = match token {
        Token::Service { project, config } => (project.clone(), config.clone()),
        Token::Account(projects) => {
            let project = asked("project").ok_or_else(|| failed(400, "Missing project"))?;
            let config = asked("config").ok_or_else(|| failed(400, "Missing config"))?;
            if !projects.contains(project) {
                return Err(failed(404, "Could not find requested project"));
            }
            (project.to_owned(), config.to_owned())
        }
    };
    model.configs.get_key_value(&place).ok_or_else(|| {
        let message = format!("Could not find requested config '{}'", place.1);
        failed(404, &message)
    })
}

/// What every config says of itself.
fn managed((project, config): &(String, String)) -> [(&'static str, &str); 3] {
    let environment = config.split('_').next().unwrap_or_default();
    [
        ("DOPPLER_PROJECT", project),
        ("DOPPLER_ENVIRONMENT", environment),
        ("DOPPLER_CONFIG", config),
    ]
}

fn download(model: &Model, token: &Token, request: &Request) -> Result<Reply, Reply> {
    let format = request.parameter("format").unwrap_or("json");
    if format != "json" {
        return Err(failed(400, "The stand-in has the format json only"));
    }
    let (place, secrets) = config(model, token, request)?;
    let mut body: Map<String, Value> = secrets
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    for (name, value) in managed(place) {
        body.insert(name.to_owned(), json!(value));
    }
    let mut hash = DefaultHasher::new();
    (place, secrets).hash(&mut hash);
    let tag = format!("W/\"{:016x}\"", hash.finish());
    if request.header("if-none-match") == Some(tag.as_str()) {
        return Ok(Reply::new(304, "").header("etag", tag));
    }
    Ok(Reply::json(200, &Value::Object(body)).header("etag", tag))
}

fn value(value: Option<&String>) -> Value {
    json!({
        "raw": value, "computed": value, "note": "",
        "rawVisibility": if value.is_some() { "masked" } else { "restricted" },
        "computedVisibility": if value.is_some() { "masked" } else { "restricted" },
    })
}

fn list(model: &Model, token: &Token, request: &Request) -> Result<Reply, Reply> {
    let (place, secrets) = config(model, token, request)?;
    let mut body: Map<String, Value> = secrets
        .iter()
        .map(|(name, text)| (name.clone(), value(text.as_ref())))
        .collect();
    for (name, text) in managed(place) {
        body.insert(name.to_owned(), value(Some(&text.to_owned())));
    }
    Ok(Reply::json(200, &json!({"secrets": body, "success": true})))
}

fn one(model: &Model, token: &Token, request: &Request) -> Result<Reply, Reply> {
    let name = request
        .parameter("name")
        .ok_or_else(|| failed(400, "Missing name"))?;
    let (_, secrets) = config(model, token, request)?;
    let text = secrets
        .get(name)
        .ok_or_else(|| failed(404, &format!("Could not find requested secret: {name}")))?;
    let body = json!({"name": name, "value": value(text.as_ref()), "success": true});
    Ok(Reply::json(200, &body))
}
