//! Secrets and their versions.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::checksum::crc32c;
use super::failures::{denied, exists, invalid, missing, no_route, precondition};
use super::login::bearer;
use super::model::{Grant, Model, Place, Secret, State, Version};
use crate::server::{Reply, Request};

const MAX_PAYLOAD: usize = 65_536;
const MAX_LABELS: usize = 64;
const MADE: &str = "2026-01-01T00:00:00.000000Z";

/// A request about secrets of one place.
struct Asked<'a> {
    place: Place,
    request: &'a Request,
    body: Value,
    grant: Grant,
}

pub(super) fn answer(
    model: &mut Model,
    request: &Request,
    body: &[u8],
    (place, rest): (Place, &[&str]),
) -> Result<Reply, Reply> {
    let caller = bearer(model, request)?;
    if model.behaviour.api_disabled {
        return Err(denied("secretmanager", "SERVICE_DISABLED"));
    }
    let asked = Asked {
        place,
        request,
        body: serde_json::from_slice(body).unwrap_or_default(),
        grant: model.grants.get(&caller).cloned().unwrap_or_default(),
    };
    let method = request.method.as_str();
    match (method, rest) {
        ("GET", []) => list(model, &asked),
        ("POST", []) => create(model, &asked),
        ("GET", [id]) => look(model, &asked, id),
        ("PATCH", [id]) => patch(model, &asked, id),
        ("DELETE", [id]) => delete(model, &asked, id),
        ("POST", [verb]) => match verb.split_once(':') {
            Some((id, "addVersion")) => add(model, &asked, id),
            _ => Err(no_route()),
        },
        ("GET", [id, "versions"]) => versions(model, &asked, id),
        ("GET", [id, "versions", version]) => match version.split_once(':') {
            None => version_of(model, &asked, id, version),
            Some((version, "access")) => access(model, &asked, id, version),
            Some(_) => Err(no_route()),
        },
        ("POST", [id, "versions", verb]) => match verb.split_once(':') {
            Some((version, verb)) => change(model, &asked, (id, version), verb),
            None => Err(no_route()),
        },
        _ => Err(no_route()),
    }
}

impl Asked<'_> {
    fn may_view(&self, permission: &str) -> Result<(), Reply> {
        let may = self.grant.view || self.grant.admin;
        may.then_some(())
            .ok_or_else(|| denied(permission, "IAM_PERMISSION_DENIED"))
    }

    fn may_change(&self, permission: &str) -> Result<(), Reply> {
        let may = self.grant.admin;
        may.then_some(())
            .ok_or_else(|| denied(permission, "IAM_PERMISSION_DENIED"))
    }

    fn name(&self, id: &str) -> String {
        format!("{}/secrets/{id}", self.place.name())
    }

    fn secret<'a>(&self, model: &'a mut Model, id: &str) -> Result<&'a mut Secret, Reply> {
        let secrets = model.secrets.get_mut(&self.place);
        secrets
            .and_then(|secrets| secrets.get_mut(id))
            .ok_or_else(|| missing(&self.name(id)))
    }

    fn shown(&self, id: &str, secret: &Secret) -> Value {
        let mut shown = json!({
            "name": self.name(id), "createTime": MADE, "etag": etag(secret.generation),
        });
        if self.place.location.is_none() {
            shown["replication"] = json!({"automatic": {}});
        }
        for (name, map) in [
            ("labels", &secret.labels),
            ("annotations", &secret.annotations),
        ] {
            if !map.is_empty() {
                shown[name] = json!(map);
            }
        }
        if !secret.aliases.is_empty() {
            let aliases: BTreeMap<_, _> = secret
                .aliases
                .iter()
                .map(|(alias, number)| (alias, number.to_string()))
                .collect();
            shown["versionAliases"] = json!(aliases);
        }
        shown
    }

    fn shown_version(&self, id: &str, number: usize, version: &Version) -> Value {
        let state = match version.state {
            State::Enabled => "ENABLED",
            State::Disabled => "DISABLED",
            State::Destroyed => "DESTROYED",
        };
        json!({
            "name": format!("{}/versions/{number}", self.name(id)), "createTime": MADE, "state": state,
            "etag": etag(u64::try_from(number).unwrap_or_default()), "clientSpecifiedPayloadChecksum": true,
        })
    }
}

fn etag(number: u64) -> String {
    format!("\"{number:012x}\"")
}

fn is_id(id: &str) -> bool {
    (1..=255).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn list(model: &mut Model, asked: &Asked<'_>) -> Result<Reply, Reply> {
    asked.may_view("secretmanager.secrets.list")?;
    let size = match asked.request.parameter("pageSize") {
        None | Some("0") => 25_000,
        Some(text) => text
            .parse::<usize>()
            .map_err(|_| invalid("Invalid page size."))?,
    };
    let size = size.min(model.behaviour.page);
    let filter = labels_of(asked.request.parameter("filter").unwrap_or_default())?;
    let start = match asked.request.parameter("pageToken") {
        None | Some("") => 0,
        Some(token) => token
            .strip_prefix("after-")
            .and_then(|number| number.parse::<usize>().ok())
            .ok_or_else(|| invalid("Invalid page token."))?,
    };
    let empty = BTreeMap::new();
    let secrets = model.secrets.get(&asked.place).unwrap_or(&empty);
    let all: Vec<_> = secrets
        .iter()
        .filter(|(_, secret)| {
            let mut filter = filter.iter();
            filter.all(|(key, value)| secret.labels.get(key) == Some(value))
        })
        .collect();
    let page: Vec<Value> = all
        .iter()
        .skip(start)
        .take(size)
        .map(|(id, secret)| asked.shown(id, secret))
        .collect();
    let mut body = json!({});
    if !page.is_empty() {
        body["secrets"] = json!(page);
        body["totalSize"] = json!(all.len());
    }
    if model.behaviour.endless {
        body["nextPageToken"] = json!("after-0");
    } else if start + size < all.len() {
        body["nextPageToken"] = json!(format!("after-{}", start + size));
    }
    Ok(Reply::json(200, &body))
}

/// `labels.env=prod AND labels.app=shop`; nothing else of the language.
fn labels_of(filter: &str) -> Result<BTreeMap<String, String>, Reply> {
    if filter.is_empty() {
        return Ok(BTreeMap::new());
    }
    filter
        .split(" AND ")
        .map(|part| {
            let (key, value) = part.strip_prefix("labels.")?.split_once('=')?;
            Some((key.to_owned(), value.to_owned()))
        })
        .collect::<Option<_>>()
        .ok_or_else(|| invalid("Invalid filter."))
}

fn texts(value: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(value.clone()).unwrap_or_default()
}

fn checked_labels(value: &Value) -> Result<BTreeMap<String, String>, Reply> {
    let labels = texts(value);
    let sound = |text: &str| {
        text.len() <= 63
            && text.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
            })
    };
    if labels.len() > MAX_LABELS || !labels.iter().all(|(key, value)| sound(key) && sound(value)) {
        return Err(invalid("Invalid labels."));
    }
    Ok(labels)
}

fn create(model: &mut Model, asked: &Asked<'_>) -> Result<Reply, Reply> {
    asked.may_change("secretmanager.secrets.create")?;
    let id = asked.request.parameter("secretId").unwrap_or_default();
    if !is_id(id) {
        return Err(invalid(
            "The provided Secret ID does not match the expected format.",
        ));
    }
    let replicated = asked.body.get("replication").is_some();
    if replicated == asked.place.location.is_some() {
        return Err(invalid(
            "The replication of the secret is wrong for its location.",
        ));
    }
    let secrets = model.secrets.entry(asked.place.clone()).or_default();
    if secrets.contains_key(id) {
        return Err(exists(&asked.name(id)));
    }
    let secret = Secret {
        labels: checked_labels(&asked.body["labels"])?,
        annotations: texts(&asked.body["annotations"]),
        generation: 1,
        ..Secret::default()
    };
    let shown = asked.shown(id, &secret);
    secrets.insert(id.to_owned(), secret);
    Ok(Reply::json(200, &shown))
}

fn look(model: &mut Model, asked: &Asked<'_>, id: &str) -> Result<Reply, Reply> {
    asked.may_view("secretmanager.secrets.get")?;
    let secret = asked.secret(model, id)?;
    Ok(Reply::json(200, &asked.shown(id, secret)))
}

fn patch(model: &mut Model, asked: &Asked<'_>, id: &str) -> Result<Reply, Reply> {
    asked.may_change("secretmanager.secrets.update")?;
    let secret = asked.secret(model, id)?;
    must_match(asked.body["etag"].as_str(), secret.generation)?;
    let mask = asked.request.parameter("updateMask").unwrap_or_default();
    for field in mask.split(',') {
        match field {
            "labels" => secret.labels = checked_labels(&asked.body["labels"])?,
            "annotations" => secret.annotations = texts(&asked.body["annotations"]),
            "versionAliases" | "version_aliases" => {
                let aliases = asked.body["versionAliases"].as_object().cloned();
                let number = |value: &Value| match value {
                    Value::String(text) => text.parse().ok(),
                    other => other
                        .as_u64()
                        .and_then(|number| usize::try_from(number).ok()),
                };
                secret.aliases = aliases
                    .unwrap_or_default()
                    .iter()
                    .filter_map(|(alias, value)| Some((alias.clone(), number(value)?)))
                    .collect();
            }
            _ => return Err(invalid("Invalid update mask.")),
        }
    }
    secret.generation += 1;
    Ok(Reply::json(200, &asked.shown(id, secret)))
}

fn must_match(etag_of_caller: Option<&str>, generation: u64) -> Result<(), Reply> {
    match etag_of_caller {
        Some(known) if !known.is_empty() && known != etag(generation) => {
            Err(precondition("The etag does not match."))
        }
        _ => Ok(()),
    }
}

fn delete(model: &mut Model, asked: &Asked<'_>, id: &str) -> Result<Reply, Reply> {
    asked.may_change("secretmanager.secrets.delete")?;
    let secret = asked.secret(model, id)?;
    must_match(asked.request.parameter("etag"), secret.generation)?;
    if let Some(secrets) = model.secrets.get_mut(&asked.place) {
        secrets.remove(id);
    }
    Ok(Reply::json(200, &json!({})))
}

fn add(model: &mut Model, asked: &Asked<'_>, id: &str) -> Result<Reply, Reply> {
    asked.may_change("secretmanager.versions.add")?;
    let secret = asked.secret(model, id)?;
    let payload = &asked.body["payload"];
    let data = STANDARD
        .decode(payload["data"].as_str().unwrap_or_default())
        .map_err(|_| invalid("Invalid payload."))?;
    if data.is_empty() || data.len() > MAX_PAYLOAD {
        return Err(invalid("The payload has the wrong size."));
    }
    let checksum = match &payload["dataCrc32c"] {
        Value::Null => None,
        Value::String(text) => Some(text.parse::<i64>().unwrap_or(-1)),
        other => Some(other.as_i64().unwrap_or(-1)),
    };
    if checksum.is_some_and(|checksum| checksum != i64::from(crc32c(&data))) {
        return Err(invalid("The payload's checksum does not match."));
    }
    secret.generation += 1;
    secret.versions.push(Version {
        data,
        state: State::Enabled,
    });
    let number = secret.versions.len();
    let shown = secret
        .versions
        .last()
        .map(|version| asked.shown_version(id, number, version));
    Ok(Reply::json(200, &shown.unwrap_or_default()))
}

/// The number of a version, by number, alias or `latest`.
fn number_of(secret: &Secret, version: &str) -> Option<usize> {
    let number = match version {
        "latest" => secret.versions.len(),
        _ => match version.parse() {
            Ok(number) => number,
            Err(_) => *secret.aliases.get(version)?,
        },
    };
    (1..=secret.versions.len())
        .contains(&number)
        .then_some(number)
}

fn find<'a>(
    asked: &Asked<'_>,
    model: &'a mut Model,
    id: &str,
    version: &str,
) -> Result<(usize, &'a mut Version), Reply> {
    let name = format!("{}/versions/{version}", asked.name(id));
    let secret = asked.secret(model, id)?;
    let number = number_of(secret, version).ok_or_else(|| missing(&name))?;
    let found = secret.versions.get_mut(number - 1);
    found
        .map(|version| (number, version))
        .ok_or_else(|| missing(&name))
}

fn access(model: &mut Model, asked: &Asked<'_>, id: &str, version: &str) -> Result<Reply, Reply> {
    let access = &asked.grant.access;
    if !asked.grant.admin && !access.contains("*") && !access.contains(id) {
        let permission = "secretmanager.versions.access";
        return Err(denied(permission, "IAM_PERMISSION_DENIED"));
    }
    let (damage, checksums) = (model.behaviour.damage, !model.behaviour.no_checksums);
    let (number, version) = find(asked, model, id, version)?;
    if version.state != State::Enabled {
        return Err(precondition(
            "Secret Version is in a state that cannot be accessed.",
        ));
    }
    let sent = if damage {
        let whole = version.data.len();
        version
            .data
            .get(..whole.saturating_sub(1))
            .unwrap_or_default()
    } else {
        &version.data
    };
    let mut payload = json!({});
    // Empty members are left out.
    if !sent.is_empty() {
        payload["data"] = json!(STANDARD.encode(sent));
    }
    if checksums {
        payload["dataCrc32c"] = json!(crc32c(&version.data).to_string());
    }
    let name = format!("{}/versions/{number}", asked.name(id));
    Ok(Reply::json(200, &json!({"name": name, "payload": payload})))
}

fn versions(model: &mut Model, asked: &Asked<'_>, id: &str) -> Result<Reply, Reply> {
    asked.may_view("secretmanager.versions.list")?;
    let secret = asked.secret(model, id)?;
    let newest_first: Vec<Value> = secret
        .versions
        .iter()
        .enumerate()
        .rev()
        .map(|(index, version)| asked.shown_version(id, index + 1, version))
        .collect();
    let total = newest_first.len();
    let mut body = json!({});
    if total > 0 {
        body = json!({"versions": newest_first, "totalSize": total});
    }
    Ok(Reply::json(200, &body))
}

fn version_of(
    model: &mut Model,
    asked: &Asked<'_>,
    id: &str,
    version: &str,
) -> Result<Reply, Reply> {
    asked.may_view("secretmanager.versions.get")?;
    let (number, version) = find(asked, model, id, version)?;
    let shown = asked.shown_version(id, number, version);
    Ok(Reply::json(200, &shown))
}

fn change(
    model: &mut Model,
    asked: &Asked<'_>,
    (id, version): (&str, &str),
    verb: &str,
) -> Result<Reply, Reply> {
    asked.may_change("secretmanager.versions.update")?;
    let (number, version) = find(asked, model, id, version)?;
    if version.state == State::Destroyed {
        return Err(precondition("Secret Version is destroyed."));
    }
    version.state = match verb {
        "enable" => State::Enabled,
        "disable" => State::Disabled,
        "destroy" => {
            version.data.clear();
            State::Destroyed
        }
        _ => return Err(no_route()),
    };
    let shown = asked.shown_version(id, number, version);
    Ok(Reply::json(200, &shown))
}
