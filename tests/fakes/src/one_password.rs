//! A Connect server of 1Password, as its API reference and its OpenAPI document (version 1.8) describe it.
//!
//! Ids are checked by their form, filters by their grammar; a token sees the vaults it was given. A list of items has
//! no fields; an error is a document of `status` and `message`.
//!
//! What it does not do: writing, files, activity.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::outage::Outage;
use crate::server::{Handler, Listen, Reply, Request, Server, StartServer};

/// What it holds and how it behaves.
#[derive(Debug, Default)]
pub struct Model {
    /// Vaults by id.
    pub vaults: BTreeMap<String, Vault>,
    /// The vaults that each token has.
    pub tokens: BTreeMap<String, BTreeSet<String>>,
    /// Answers 429, with this many seconds in `Retry-After`; 0: without the header.
    pub throttle: Option<u64>,
    /// Something stands in its place.
    pub outage: Option<Outage>,
    made: u64,
}

/// A vault.
#[derive(Debug, Clone, Default)]
pub struct Vault {
    /// Its name.
    pub name: String,
    /// Its items, by id.
    pub items: BTreeMap<String, Item>,
}

/// An item.
#[derive(Debug, Clone, Default)]
pub struct Item {
    /// Its title.
    pub title: String,
    /// Grows with every change.
    pub version: u64,
    /// Its tags.
    pub tags: Vec<String>,
    /// `ARCHIVED` or `DELETED`; none while it is in use.
    pub state: Option<String>,
    /// Its fields.
    pub fields: Vec<Field>,
}

/// A field of an item.
#[derive(Debug, Clone, Default)]
pub struct Field {
    /// Its label.
    pub label: String,
    /// The label of its section; empty for none.
    pub section: String,
    /// Its value; the real server leaves out one that is empty.
    pub value: Option<String>,
    /// `STRING`, `CONCEALED`, `OTP` …
    pub kind: String,
}

impl Field {
    /// A concealed field.
    pub fn new(label: &str, value: &str) -> Self {
        Self {
            label: label.to_owned(),
            section: String::new(),
            value: Some(value.to_owned()),
            kind: "CONCEALED".to_owned(),
        }
    }
}

impl Model {
    /// A new id: 26 lower case letters and digits.
    pub fn id(&mut self) -> String {
        self.made += 1;
        format!("{:0>26}", format!("z{}", self.made))
    }

    /// Makes a vault and gives its id.
    pub fn vault(&mut self, name: &str) -> String {
        let id = self.id();
        let vault = Vault {
            name: name.to_owned(),
            ..Vault::default()
        };
        self.vaults.insert(id.clone(), vault);
        id
    }

    /// Puts fields into the item of a title, which is made where there is none; gives its id.
    pub fn put(&mut self, vault: &str, title: &str, fields: Vec<Field>) -> String {
        let made = self.id();
        let items = &mut self.vaults.entry(vault.to_owned()).or_default().items;
        let known = items
            .iter()
            .find(|(_, item)| item.title == title)
            .map(|(id, _)| id.clone());
        let id = known.unwrap_or(made);
        let item = items.entry(id.clone()).or_default();
        title.clone_into(&mut item.title);
        item.fields = fields;
        item.version += 1;
        id
    }
}

/// A running Connect server.
pub struct FakeOnePassword {
    server: Server,
    state: Arc<State>,
}

struct State(Mutex<Model>);

impl FakeOnePassword {
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
            let reply = failed(429, "Too many requests");
            return match seconds {
                0 => reply,
                seconds => reply.header("retry-after", seconds.to_string()),
            };
        }
        let answer = || route(&model, request).unwrap_or_else(|refusal| refusal);
        match &model.outage {
            None => answer(),
            Some(outage) => outage.reply(answer, |status| failed(status, "Internal server error")),
        }
    }
}

fn failed(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({"status": status, "message": message}))
}

fn route(model: &Model, request: &Request) -> Result<Reply, Reply> {
    let header = request.header("authorization").unwrap_or_default();
    let token = header.strip_prefix("Bearer ").unwrap_or_default();
    let reach = model
        .tokens
        .get(token)
        .ok_or_else(|| failed(401, "Invalid token signature"))?;
    if request.method != "GET" {
        return Err(failed(405, "The stand-in only reads"));
    }
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["v1", "vaults"] => vaults(model, reach, request),
        ["v1", "vaults", id] => Ok(Reply::json(200, &head(id, vault(model, reach, id)?))),
        ["v1", "vaults", id, "items"] => items((id, vault(model, reach, id)?), request),
        ["v1", "vaults", id, "items", item] => whole((id, vault(model, reach, id)?), item),
        _ => Err(failed(404, "Not found")),
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 26
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn vault<'a>(model: &'a Model, reach: &BTreeSet<String>, id: &str) -> Result<&'a Vault, Reply> {
    if !is_id(id) {
        return Err(failed(400, "Invalid Vault UUID"));
    }
    let vault = model
        .vaults
        .get(id)
        .ok_or_else(|| failed(404, "Vault not found"))?;
    if reach.contains(id) {
        Ok(vault)
    } else {
        Err(failed(
            403,
            "Authorization: token does not have access to requested vault",
        ))
    }
}

fn head(id: &str, vault: &Vault) -> Value {
    json!({
        "id": id, "name": vault.name, "description": "", "attributeVersion": 1,
        "contentVersion": 1, "items": vault.items.len(), "type": "USER_CREATED",
        "createdAt": "2026-01-02T03:04:05Z", "updatedAt": "2026-01-02T03:04:05Z",
    })
}

/// `<attribute> eq "<text>"`, of which the text is given.
fn filter<'a>(request: &'a Request, attribute: &str) -> Result<Option<&'a str>, Reply> {
    let Some(filter) = request.parameter("filter") else {
        return Ok(None);
    };
    let text = filter
        .strip_prefix(attribute)
        .and_then(|rest| rest.strip_prefix(" eq \""))
        .and_then(|rest| rest.strip_suffix('"'))
        .filter(|text| !text.contains('"'));
    text.map(Some).ok_or_else(|| failed(400, "Invalid filter"))
}

fn vaults(model: &Model, reach: &BTreeSet<String>, request: &Request) -> Result<Reply, Reply> {
    let wanted = filter(request, "name")?;
    let found: Vec<Value> = model
        .vaults
        .iter()
        .filter(|(id, _)| reach.contains(*id))
        .filter(|(_, vault)| wanted.is_none_or(|name| vault.name.eq_ignore_ascii_case(name)))
        .map(|(id, vault)| head(id, vault))
        .collect();
    Ok(Reply::json(200, &json!(found)))
}

fn summary(vault: &str, id: &str, item: &Item) -> Value {
    let mut summary = json!({
        "id": id, "title": item.title, "tags": item.tags, "version": item.version,
        "vault": {"id": vault}, "category": "LOGIN", "lastEditedBy": "user",
        "createdAt": "2026-01-02T03:04:05Z", "updatedAt": "2026-01-02T03:04:05Z",
    });
    if let (Some(state), Some(members)) = (&item.state, summary.as_object_mut()) {
        members.insert("state".to_owned(), json!(state));
    }
    summary
}

fn items((vault_id, vault): (&str, &Vault), request: &Request) -> Result<Reply, Reply> {
    let wanted = filter(request, "title")?;
    let found: Vec<Value> = vault
        .items
        .iter()
        .filter(|(_, item)| wanted.is_none_or(|title| item.title.eq_ignore_ascii_case(title)))
        .map(|(id, item)| summary(vault_id, id, item))
        .collect();
    Ok(Reply::json(200, &json!(found)))
}

fn whole((vault_id, vault): (&str, &Vault), id: &str) -> Result<Reply, Reply> {
    if !is_id(id) {
        return Err(failed(400, "Invalid Item UUID"));
    }
    let item = vault
        .items
        .get(id)
        .ok_or_else(|| failed(404, "Item not found"))?;
    let mut body = summary(vault_id, id, item);
    let mut sections: Vec<&str> = Vec::new();
    for field in &item.fields {
        if !field.section.is_empty() && !sections.contains(&field.section.as_str()) {
            sections.push(&field.section);
        }
    }
    let section_id = |label: &str| {
        let at = sections.iter().position(|known| *known == label);
        at.map(|at| format!("section-{at}"))
    };
    let fields: Vec<Value> = item
        .fields
        .iter()
        .enumerate()
        .map(|(at, field)| {
            let mut one = json!({"id": format!("f{at}"), "type": field.kind, "label": field.label});
            if let Some(members) = one.as_object_mut() {
                if let Some(value) = &field.value {
                    members.insert("value".to_owned(), json!(value));
                }
                if let Some(id) = section_id(&field.section) {
                    members.insert("section".to_owned(), json!({"id": id}));
                }
                if field.kind == "OTP" {
                    members.insert("totp".to_owned(), json!("134253"));
                }
            }
            one
        })
        .collect();
    let listed: Vec<Value> = sections
        .iter()
        .enumerate()
        .map(|(at, label)| json!({"id": format!("section-{at}"), "label": label}))
        .collect();
    if let Some(members) = body.as_object_mut() {
        members.insert("sections".to_owned(), json!(listed));
        members.insert("fields".to_owned(), json!(fields));
    }
    Ok(Reply::json(200, &body))
}
