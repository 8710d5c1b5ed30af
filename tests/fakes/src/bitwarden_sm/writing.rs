//! Secrets are taken as they are, as long as they are encrypted and not too long.

use serde_json::{Value, json};

use super::model::{Model, Secret, Version};
use super::reading::{find, whole};
use super::routes::{Call, invalid, not_found};
use crate::sealing::is_sealed;
use crate::server::Reply;

struct Texts {
    key: String,
    value: String,
    note: String,
    project: Option<String>,
    changed: bool,
}

/// `POST /api/organizations/{org}/secrets`
pub(super) fn create(model: &mut Model, call: &Call<'_>) -> Result<Reply, Reply> {
    let texts = texts(call)?;
    // A machine account makes secrets only where it may write.
    if !model.grant(&call.machine, texts.project.as_deref()).write {
        return Err(not_found());
    }
    let (id, date) = (model.id("secret"), model.date());
    let secret = Secret {
        key: texts.key,
        value: texts.value,
        note: texts.note,
        project: texts.project,
        created: date.clone(),
        revised: date,
        versions: Vec::new(),
    };
    Ok(store(model, call, &id, secret))
}

/// `PUT /api/secrets/{id}`: all of it is replaced.
pub(super) fn replace(model: &mut Model, call: &Call<'_>, id: &str) -> Result<Reply, Reply> {
    let texts = texts(call)?;
    let (_, earlier) = find(model, call, id)?;
    let mut secret = earlier.clone();
    if !model.grant(&call.machine, secret.project.as_deref()).write {
        return Err(not_found());
    }
    let date = model.date();
    if texts.changed && model.behaviour.versions {
        let version = Version {
            id: model.id("version"),
            value: secret.value.clone(),
            date: date.clone(),
        };
        secret.versions.push(version);
    }
    (secret.key, secret.value, secret.note) = (texts.key, texts.value, texts.note);
    secret.project = texts.project.or(secret.project);
    secret.revised = date;
    Ok(store(model, call, id, secret))
}

fn store(model: &mut Model, call: &Call<'_>, id: &str, secret: Secret) -> Reply {
    let answer = whole(model, call, id, &secret);
    let project = secret.project.clone();
    model.secrets.insert(id.to_owned(), secret);
    model.changed(project.as_deref());
    Reply::json(200, &answer)
}

/// `POST /api/secrets/delete`: what goes wrong is told for each.
pub(super) fn delete(model: &mut Model, call: &Call<'_>) -> Result<Reply, Reply> {
    let ids: Vec<String> = serde_json::from_slice(call.body)
        .map_err(|_| invalid("", "A non-empty request body is required."))?;
    let mut data = Vec::new();
    for id in ids {
        let project = find(model, call, &id)?.1.project.clone();
        let may = model.grant(&call.machine, project.as_deref()).write;
        let error = (!may).then_some("access denied");
        if may {
            model.secrets.remove(&id);
            model.changed(project.as_deref());
        }
        data.push(json!({"id": id, "error": error}));
    }
    let body = json!({"object": "list", "data": data, "continuationToken": null});
    Ok(Reply::json(200, &body))
}

/// Encrypted lengths: key 1,000, value 35,000, note 10,000.
fn texts(call: &Call<'_>) -> Result<Texts, Reply> {
    let body: Value = serde_json::from_slice(call.body).unwrap_or_default();
    let text = |member: &str, longest: usize| match body[member].as_str() {
        Some(text) if text.len() > longest => Err(invalid(
            member,
            &format!("The field exceeds the maximum encrypted value length of {longest}."),
        )),
        Some(text) if is_sealed(text) => Ok(text.to_owned()),
        _ => Err(invalid(
            member,
            "The field is not a valid encrypted string.",
        )),
    };
    let projects = body["projectIds"].as_array().cloned().unwrap_or_default();
    if projects.len() > 1 {
        return Err(invalid(
            "ProjectIds",
            "Only one project assignment is supported.",
        ));
    }
    Ok(Texts {
        key: text("key", 1000)?,
        value: text("value", 35_000)?,
        note: text("note", 10_000)?,
        project: projects.first().and_then(Value::as_str).map(str::to_owned),
        changed: body["valueChanged"] == true,
    })
}
