//! Creates, updates and deletes secrets (`v4/secret-router.ts`, `v3/deprecated-secret-router.ts`).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::failures::{bad_request, invalid, not_found, permission_denied};
use super::model::{Model, Secret, Version};
use super::parameters::{folder, kept, object, optional, secret_name, text};
use super::reading::{Place, Right, by_slug, found, right, written};
use super::tokens::{Actor, actor};
use crate::server::{Reply, Request};

/// A write that has been read and may be done.
struct Write {
    actor: Actor,
    place: Place,
    body: Value,
}

impl Write {
    fn of(model: &mut Model, request: &Request, body: &[u8]) -> Result<Self, Reply> {
        let actor = actor(model, request)?;
        let body = object(request, body)?;
        let project = match (
            optional(&body, "projectId")?.or(optional(&body, "workspaceId")?),
            optional(&body, "projectSlug")?,
        ) {
            (Some(id), _) => id,
            (None, Some(slug)) => by_slug(model, &slug)
                .ok_or_else(|| not_found(&format!("Project with slug '{slug}' not found")))?,
            (None, None) => return Err(invalid("projectId", "Required")),
        };
        let place = Place {
            project,
            environment: text(&body, "environment")?,
            path: folder(optional(&body, "secretPath")?.as_deref()),
        };
        let write = Self { actor, place, body };
        write.check(model, &write.place)?;
        Ok(write)
    }

    fn check(&self, model: &Model, place: &Place) -> Result<(), Reply> {
        found(model, &self.actor, place)?;
        if right(model, &self.actor, place) < Right::Write {
            return Err(permission_denied("edit", "secrets"));
        }
        Ok(())
    }
}

/// What a policy answers in the place of a write.
fn approval() -> Reply {
    let approval = json!({"id": "a-1", "status": "open", "hasMerged": false, "slug": "change-1"});
    Reply::json(200, &json!({ "approval": approval }))
}

pub(super) fn create(
    model: &mut Model,
    request: &Request,
    body: &[u8],
    name: &str,
) -> Result<Reply, Reply> {
    let write = Write::of(model, request, body)?;
    let name = secret_name(name)?;
    if found(model, &write.actor, &write.place)?
        .secrets
        .contains_key(&name)
    {
        return Err(bad_request("Secret already exists"));
    }
    let value = text(&write.body, "secretValue")?;
    if model.behaviour.approval {
        return Ok(approval());
    }
    put(model, &write.place, &name, Some(&value), &write.body)?;
    answer(model, &write, &write.place, &name)
}

pub(super) fn update(
    model: &mut Model,
    request: &Request,
    body: &[u8],
    name: &str,
) -> Result<Reply, Reply> {
    let write = Write::of(model, request, body)?;
    let name = secret_name(name)?;
    let renamed = optional(&write.body, "newSecretName")?;
    let value = optional(&write.body, "secretValue")?;
    if model.behaviour.approval {
        return Ok(approval());
    }
    let name = rename(model, &write.place, name, renamed.as_deref())?;
    put(model, &write.place, &name, value.as_deref(), &write.body)?;
    answer(model, &write, &write.place, &name)
}

pub(super) fn delete(
    model: &mut Model,
    request: &Request,
    body: &[u8],
    name: &str,
) -> Result<Reply, Reply> {
    let write = Write::of(model, request, body)?;
    let name = secret_name(name)?;
    let reply = answer(model, &write, &write.place, &name)?;
    if model.behaviour.approval {
        return Ok(approval());
    }
    remove(model, &write.place, &name);
    Ok(reply)
}

/// Several secrets in one step: all of them or none.
pub(super) fn batch(model: &mut Model, request: &Request, body: &[u8]) -> Result<Reply, Reply> {
    let write = Write::of(model, request, body)?;
    let mode = optional(&write.body, "mode")?.unwrap_or_else(|| "failOnNotFound".to_owned());
    if !["failOnNotFound", "upsert", "ignore"].contains(&mode.as_str()) {
        return Err(invalid("mode", "Invalid enum value"));
    }
    let items = write.body.get("secrets").and_then(Value::as_array);
    let items = items.filter(|items| !items.is_empty()).cloned();
    let items =
        items.ok_or_else(|| invalid("secrets", "Array must contain at least 1 element(s)"))?;
    let before = model.projects.clone();
    let mut rows = Vec::new();
    for item in &items {
        match one(model, &write, (&request.method, &mode), item) {
            Ok(row) => rows.extend(row),
            Err(refusal) => {
                model.projects = before;
                return Err(refusal);
            }
        }
    }
    if model.behaviour.approval {
        model.projects = before;
        return Ok(approval());
    }
    Ok(Reply::json(200, &json!({ "secrets": rows })))
}

fn one(
    model: &mut Model,
    write: &Write,
    (method, mode): (&str, &str),
    item: &Value,
) -> Result<Option<Value>, Reply> {
    let name = secret_name(&text(item, "secretKey")?)?;
    let mut place = write.place.clone();
    if let Some(path) = optional(item, "secretPath")? {
        place.path = folder(Some(&path));
        write.check(model, &place)?;
    }
    let exists = found(model, &write.actor, &place)?
        .secrets
        .contains_key(&name);
    let missing = || not_found(&format!("Secret with name '{name}' not found"));
    match (method, exists) {
        ("POST", true) => return Err(bad_request("Secret already exists")),
        ("POST", false) => {
            let value = text(item, "secretValue")?;
            put(model, &place, &name, Some(&value), item)?;
        }
        ("PATCH", false) if mode == "ignore" => return Ok(None),
        ("PATCH", false) if mode != "upsert" => return Err(missing()),
        ("PATCH", _) => {
            let value = optional(item, "secretValue")?;
            put(model, &place, &name, value.as_deref(), item)?;
        }
        ("DELETE", true) => {
            let row = row(model, write, &place, &name)?;
            remove(model, &place, &name);
            return Ok(Some(row));
        }
        _ => return Err(missing()),
    }
    row(model, write, &place, &name).map(Some)
}

fn rename(
    model: &mut Model,
    place: &Place,
    name: String,
    to: Option<&str>,
) -> Result<String, Reply> {
    let missing = || not_found(&format!("Secret with name '{name}' not found"));
    let folder = model.folder(&place.project, &place.environment, &place.path);
    if !folder.secrets.contains_key(&name) {
        return Err(missing());
    }
    let Some(to) = to else { return Ok(name) };
    let to = secret_name(to)?;
    if folder.secrets.contains_key(&to) {
        return Err(bad_request("Secret with the new name already exists"));
    }
    let secret = folder.secrets.remove(&name).unwrap_or_default();
    folder.secrets.insert(to.clone(), secret);
    Ok(to)
}

/// A new version of a secret, with what the body says about it.
fn put(
    model: &mut Model,
    place: &Place,
    name: &str,
    value: Option<&str>,
    body: &Value,
) -> Result<(), Reply> {
    let comment = optional(body, "secretComment")?;
    let tags = tags_of(model, place, body)?;
    let folder = model.folder(&place.project, &place.environment, &place.path);
    let secret: &mut Secret = folder.secrets.entry(name.to_owned()).or_default();
    let last = secret.versions.last().cloned().unwrap_or_default();
    secret.versions.push(Version {
        value: value.map_or(last.value, kept),
        comment: comment.unwrap_or(last.comment),
    });
    if let Some(tags) = tags {
        secret.tags = tags;
    }
    model.changed(&place.project);
    Ok(())
}

fn tags_of(model: &Model, place: &Place, body: &Value) -> Result<Option<BTreeSet<String>>, Reply> {
    let Some(ids) = body.get("tagIds").and_then(Value::as_array) else {
        return Ok(None);
    };
    let known = model
        .projects
        .get(&place.project)
        .map(|project| &project.tags);
    let slug = |id: &Value| {
        let slug = known.and_then(|known| known.get(id.as_str()?));
        slug.cloned().ok_or_else(|| not_found("Tag not found"))
    };
    ids.iter().map(slug).collect::<Result<_, _>>().map(Some)
}

fn remove(model: &mut Model, place: &Place, name: &str) {
    let folder = model.folder(&place.project, &place.environment, &place.path);
    folder.secrets.remove(name);
    model.changed(&place.project);
}

fn row(model: &Model, write: &Write, place: &Place, name: &str) -> Result<Value, Reply> {
    let folder = found(model, &write.actor, place)?;
    let secret = folder
        .secrets
        .get_key_value(name)
        .ok_or_else(|| not_found(&format!("Secret with name '{name}' not found")))?;
    written(model, &write.actor, place, secret)
}

fn answer(model: &Model, write: &Write, place: &Place, name: &str) -> Result<Reply, Reply> {
    let row = row(model, write, place, name)?;
    Ok(Reply::json(200, &json!({ "secret": row })))
}
