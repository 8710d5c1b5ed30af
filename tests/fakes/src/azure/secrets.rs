//! Secrets, their versions, and those that were deleted.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::failures::{bad_parameter, conflict, forbidden, missing, no_route};
use super::login::bearer;
use super::model::{Deleted, Model, Secret, Version};
use crate::jwt::seconds;
use crate::server::{Reply, Request};

const MAX_VALUE: usize = 25 * 1024;
const MAX_TAGS: usize = 15;
const DAYS: i64 = 90;

pub(super) fn answer(
    model: &mut Model,
    request: &Request,
    body: &[u8],
    segments: &[&str],
) -> Result<Reply, Reply> {
    let client = bearer(model, request)?;
    let known = ["7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01"];
    let version = request.parameter("api-version").unwrap_or_default();
    if !known.contains(&version) {
        return Err(bad_parameter("api-version must be specified"));
    }
    let rights = model.rights.get(&client).copied().unwrap_or_default();
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let may = |right: bool| {
        right
            .then_some(())
            .ok_or_else(|| forbidden("ForbiddenByRbac"))
    };
    match (request.method.as_str(), segments) {
        ("GET", ["secrets"]) => may(rights.list).and_then(|()| list(model, request)),
        ("GET", ["secrets", name, "versions"]) => {
            may(rights.list).and_then(|()| versions(model, name))
        }
        ("GET", ["secrets", name] | ["secrets", name, ""]) => {
            may(rights.get).and_then(|()| get(model, name, None))
        }
        ("GET", ["secrets", name, version]) => {
            may(rights.get).and_then(|()| get(model, name, Some(version)))
        }
        ("PUT", ["secrets", name]) => may(rights.set).and_then(|()| set(model, name, &body)),
        ("PATCH", ["secrets", name, version]) => {
            may(rights.set).and_then(|()| update(model, (name, version), &body))
        }
        ("DELETE", ["secrets", name]) => may(rights.set).and_then(|()| delete(model, name)),
        ("GET", ["deletedsecrets", name]) => may(rights.list).and_then(|()| deleted(model, name)),
        ("POST", ["deletedsecrets", name, "recover"]) => {
            may(rights.set).and_then(|()| recover(model, name))
        }
        ("DELETE", ["deletedsecrets", name]) => may(rights.set).and_then(|()| purge(model, name)),
        _ => Err(no_route()),
    }
}

fn is_name(name: &str) -> bool {
    (1..=127).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn known<'a>(model: &'a Model, name: &str) -> Result<&'a Secret, Reply> {
    if !is_name(name) {
        return Err(bad_parameter("The request URI contains an invalid name"));
    }
    let secret = model.secrets.get(&name.to_ascii_lowercase());
    secret.ok_or_else(|| missing(name))
}

fn attributes(version: &Version) -> Value {
    let mut attributes = json!({
        "enabled": version.enabled, "created": version.created, "updated": version.updated,
        "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": DAYS,
    });
    for (name, time) in [("nbf", version.not_before), ("exp", version.expires)] {
        if let Some(time) = time {
            attributes[name] = json!(time);
        }
    }
    attributes
}

/// A secret without its value, under this id.
fn shown(model: &Model, secret: &Secret, version: &Version, with_version: bool) -> Value {
    let end = if with_version {
        format!("/{}", version.id)
    } else {
        String::new()
    };
    let mut shown = json!({
        "id": format!("{}/secrets/{}{end}", model.address, secret.name), "attributes": attributes(version),
    });
    if !version.tags.is_empty() {
        shown["tags"] = json!(version.tags);
    }
    if let Some(content_type) = &version.content_type {
        shown["contentType"] = json!(content_type);
    }
    if secret.managed {
        shown["managed"] = json!(true);
    }
    shown
}

fn bundle(model: &Model, secret: &Secret, version: &Version) -> Value {
    let mut bundle = shown(model, secret, version, true);
    bundle["value"] = json!(version.value);
    bundle
}

fn list(model: &Model, request: &Request) -> Result<Reply, Reply> {
    let size = match request.parameter("maxresults") {
        None => 25,
        Some(text) => text
            .parse::<usize>()
            .ok()
            .filter(|size| (1..=25).contains(size))
            .ok_or_else(|| bad_parameter("maxresults must be between 1 and 25"))?,
    };
    let size = size.min(model.behaviour.page);
    let start = match request.parameter("$skiptoken") {
        None => String::new(),
        Some(token) => token
            .strip_prefix("eyJ+")
            .map(str::to_owned)
            .ok_or_else(|| bad_parameter("invalid skip token"))?,
    };
    let mut rest = model
        .secrets
        .range(start.clone()..)
        .filter(|(key, _)| start.is_empty() || **key > start);
    let page: Vec<_> = rest.by_ref().take(size).collect();
    let value: Vec<Value> = page
        .iter()
        .filter_map(|(_, secret)| {
            let version = secret.versions.last()?;
            Some(shown(model, secret, version, false))
        })
        .collect();
    let more = rest.next().is_some();
    let next = page.last().filter(|_| more).map(|(key, _)| {
        let place = model.behaviour.link.clone();
        let place = place.unwrap_or_else(|| format!("{}/secrets", model.address));
        // The real one's holds characters that must come back as they are.
        format!("{place}?api-version=7.4&$skiptoken=eyJ%2B{key}&maxresults={size}")
    });
    Ok(Reply::json(200, &json!({"value": value, "nextLink": next})))
}

fn versions(model: &Model, name: &str) -> Result<Reply, Reply> {
    let secret = known(model, name)?;
    let value: Vec<Value> = secret
        .versions
        .iter()
        .map(|version| shown(model, secret, version, true))
        .collect();
    Ok(Reply::json(200, &json!({"value": value, "nextLink": null})))
}

fn get(model: &Model, name: &str, version: Option<&str>) -> Result<Reply, Reply> {
    let secret = known(model, name)?;
    let version = match version {
        None => secret.versions.last(),
        Some(id) => secret.versions.iter().find(|version| version.id == id),
    };
    let version = version.ok_or_else(|| missing(name))?;
    if !version.enabled {
        return Err(forbidden("SecretDisabled"));
    }
    Ok(Reply::json(200, &bundle(model, secret, version)))
}

fn checked_tags(body: &Value) -> Result<BTreeMap<String, String>, Reply> {
    let tags: BTreeMap<String, String> = match &body["tags"] {
        Value::Null => BTreeMap::new(),
        tags => serde_json::from_value(tags.clone()).map_err(|_| bad_parameter("tags"))?,
    };
    let sound = |text: &str| text.len() <= 256;
    let fits = tags.len() <= MAX_TAGS && tags.iter().all(|(key, value)| sound(key) && sound(value));
    fits.then_some(tags).ok_or_else(|| bad_parameter("tags"))
}

fn set(model: &mut Model, name: &str, body: &Value) -> Result<Reply, Reply> {
    if !is_name(name) {
        return Err(bad_parameter("The request URI contains an invalid name"));
    }
    if let Some(deleted) = model.deleted.get(&name.to_ascii_lowercase()) {
        return Err(conflict(if deleted.being > 0 {
            "ObjectIsBeingDeleted"
        } else {
            "ObjectIsDeletedButRecoverable"
        }));
    }
    let value = body["value"]
        .as_str()
        .filter(|value| value.len() <= MAX_VALUE)
        .ok_or_else(|| bad_parameter("value"))?;
    let now = seconds();
    let version = Version {
        id: model.new_id(),
        value: value.to_owned(),
        content_type: body["contentType"].as_str().map(str::to_owned),
        enabled: body["attributes"]["enabled"].as_bool().unwrap_or(true),
        not_before: body["attributes"]["nbf"].as_i64(),
        expires: body["attributes"]["exp"].as_i64(),
        created: now,
        updated: now,
        tags: checked_tags(body)?,
    };
    model.add(name, version.clone());
    let secret = known(model, name)?;
    Ok(Reply::json(200, &bundle(model, secret, &version)))
}

fn update(model: &mut Model, (name, id): (&str, &str), body: &Value) -> Result<Reply, Reply> {
    known(model, name)?;
    let tags = checked_tags(body)?;
    let found = model
        .secrets
        .get_mut(&name.to_ascii_lowercase())
        .and_then(|secret| {
            let mut versions = secret.versions.iter_mut();
            if id.is_empty() {
                versions.next_back()
            } else {
                versions.find(|version| version.id == id)
            }
        });
    let version = found.ok_or_else(|| missing(name))?;
    if let Some(enabled) = body["attributes"]["enabled"].as_bool() {
        version.enabled = enabled;
    }
    if let Some(expires) = body["attributes"]["exp"].as_i64() {
        version.expires = Some(expires);
    }
    if let Some(content_type) = body["contentType"].as_str() {
        version.content_type = Some(content_type.to_owned());
    }
    if body["tags"].is_object() {
        version.tags = tags;
    }
    version.updated = seconds();
    let version = version.clone();
    let secret = known(model, name)?;
    Ok(Reply::json(200, &shown(model, secret, &version, true)))
}

fn deleted_bundle(model: &Model, secret: &Secret) -> Value {
    let mut body = secret
        .versions
        .last()
        .map_or(json!({}), |version| shown(model, secret, version, true));
    body["recoveryId"] = json!(format!("{}/deletedsecrets/{}", model.address, secret.name));
    body["deletedDate"] = json!(seconds());
    body["scheduledPurgeDate"] = json!(seconds() + DAYS * 86_400);
    body
}

fn delete(model: &mut Model, name: &str) -> Result<Reply, Reply> {
    known(model, name)?;
    let key = name.to_ascii_lowercase();
    let Some(secret) = model.secrets.remove(&key) else {
        return Err(missing(name));
    };
    let body = deleted_bundle(model, &secret);
    let being = model.behaviour.slow_delete;
    model.deleted.insert(key, Deleted { secret, being });
    Ok(Reply::json(200, &body))
}

fn deleted(model: &mut Model, name: &str) -> Result<Reply, Reply> {
    let key = name.to_ascii_lowercase();
    let found = model.deleted.get_mut(&key).ok_or_else(|| missing(name))?;
    if found.being > 0 {
        found.being -= 1;
        return Err(missing(name));
    }
    let secret = found.secret.clone();
    Ok(Reply::json(200, &deleted_bundle(model, &secret)))
}

fn recover(model: &mut Model, name: &str) -> Result<Reply, Reply> {
    let key = name.to_ascii_lowercase();
    let deleted = model.deleted.remove(&key).ok_or_else(|| missing(name))?;
    let body = deleted.secret.versions.last().map_or(json!({}), |version| {
        shown(model, &deleted.secret, version, true)
    });
    model.secrets.insert(key, deleted.secret);
    Ok(Reply::json(200, &body))
}

fn purge(model: &mut Model, name: &str) -> Result<Reply, Reply> {
    let gone = model.deleted.remove(&name.to_ascii_lowercase());
    gone.map(|_| Reply::new(204, ""))
        .ok_or_else(|| missing(name))
}
