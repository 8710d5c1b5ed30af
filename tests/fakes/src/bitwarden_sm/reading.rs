//! What a machine account may see.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::model::{Model, Secret};
use super::routes::{Call, bad_request, invalid, not_found};
use crate::server::Reply;

/// `GET /api/organizations/{org}/secrets` and `GET /api/projects/{id}/secrets`: no values.
pub(super) fn list(model: &Model, call: &Call<'_>, project: Option<&str>) -> Reply {
    let secrets: Vec<_> = seen(model, call)
        .filter(|(_, secret)| project.is_none_or(|id| secret.project.as_deref() == Some(id)))
        .map(|(id, secret)| {
            let mut shown = whole(model, call, id, secret);
            if let Value::Object(members) = &mut shown {
                members.remove("value");
                members.remove("note");
            }
            shown
        })
        .collect();
    let projects: Vec<_> = own_projects(model, call).collect();
    let body = json!({
        "secrets": secrets, "projects": projects, "object": "SecretsWithProjectsList",
    });
    Reply::json(200, &body)
}

/// `GET /api/projects/{id}/secrets`
pub(super) fn by_project(model: &Model, call: &Call<'_>, id: &str) -> Result<Reply, Reply> {
    readable(model, call, id)?;
    Ok(list(model, call, Some(id)))
}

/// `GET /api/organizations/{org}/secrets/sync`: everything or nothing.
pub(super) fn sync(model: &Model, call: &Call<'_>) -> Result<Reply, Reply> {
    let since = match call.request.parameter("lastSyncedDate") {
        None => None,
        Some(text) => {
            let date: Timestamp = text
                .parse()
                .map_err(|_| invalid("lastSyncedDate", "The value is not valid."))?;
            if date > Timestamp::now() {
                return Err(bad_request("Last synced date must be in the past."));
            }
            Some(date)
        }
    };
    let machine = model.machines.get(&call.machine).ok_or_else(not_found)?;
    let has_changes = since.is_none_or(|since| since.as_millisecond() <= machine.revision);
    let secrets = has_changes.then(|| {
        let data: Vec<_> = seen(model, call)
            .map(|(id, secret)| whole(model, call, id, secret))
            .collect();
        json!({"object": "list", "data": data, "continuationToken": null})
    });
    let body = json!({"object": "secretsSync", "hasChanges": has_changes, "secrets": secrets});
    Ok(Reply::json(200, &body))
}

/// `GET /api/organizations/{org}/projects`
pub(super) fn projects(model: &Model, call: &Call<'_>) -> Reply {
    let data: Vec<_> = own_projects(model, call).collect();
    let body = json!({"object": "list", "data": data, "continuationToken": null});
    Reply::json(200, &body)
}

/// `GET /api/projects/{id}`
pub(super) fn project(model: &Model, call: &Call<'_>, id: &str) -> Result<Reply, Reply> {
    readable(model, call, id)?;
    let mut own = own_projects(model, call);
    let project = own.find(|project| project["id"] == id);
    project
        .map(|project| Reply::json(200, &project))
        .ok_or_else(not_found)
}

/// `GET /api/secrets/{id}`
pub(super) fn secret(model: &Model, call: &Call<'_>, id: &str) -> Result<Reply, Reply> {
    let (id, secret) = find(model, call, id)?;
    Ok(Reply::json(200, &whole(model, call, id, secret)))
}

/// `POST /api/secrets/get-by-ids`: all of them or none.
pub(super) fn by_ids(model: &Model, call: &Call<'_>) -> Result<Reply, Reply> {
    let body: Value = serde_json::from_slice(call.body).unwrap_or_default();
    let ids = body["ids"].as_array();
    let ids: Vec<&str> = ids
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let distinct: BTreeSet<_> = ids.iter().collect();
    if ids.is_empty() || distinct.len() != ids.len() {
        return Err(invalid("Ids", "The ids must be distinct."));
    }
    let mut data = Vec::new();
    for id in ids {
        let (id, secret) = find(model, call, id)?;
        data.push(whole(model, call, id, secret));
    }
    let body = json!({"object": "list", "data": data, "continuationToken": null});
    Ok(Reply::json(200, &body))
}

/// `GET /api/secrets/{id}/versions`
pub(super) fn versions(model: &Model, call: &Call<'_>, id: &str) -> Result<Reply, Reply> {
    let (id, secret) = find(model, call, id)?;
    if !model.behaviour.versions {
        return Err(Reply::new(404, ""));
    }
    let data: Vec<_> = secret
        .versions
        .iter()
        .map(|version| {
            json!({
                "object": "secretVersion", "id": version.id, "secretId": id,
                "value": version.value, "versionDate": version.date,
            })
        })
        .collect();
    let body = json!({"object": "list", "data": data, "continuationToken": null});
    Ok(Reply::json(200, &body))
}

pub(super) fn find<'a>(
    model: &'a Model,
    call: &Call<'_>,
    id: &str,
) -> Result<(&'a str, &'a Secret), Reply> {
    let found = model.secrets.get_key_value(id);
    found
        .filter(|(_, secret)| model.grant(&call.machine, secret.project.as_deref()).read)
        .map(|(id, secret)| (id.as_str(), secret))
        .ok_or_else(not_found)
}

fn readable(model: &Model, call: &Call<'_>, project: &str) -> Result<(), Reply> {
    let known = model.projects.contains_key(project);
    if known && model.grant(&call.machine, Some(project)).read {
        Ok(())
    } else {
        Err(not_found())
    }
}

fn seen<'a>(model: &'a Model, call: &Call<'_>) -> impl Iterator<Item = (&'a String, &'a Secret)> {
    let machine = call.machine.clone();
    model
        .secrets
        .iter()
        .filter(move |(_, secret)| model.grant(&machine, secret.project.as_deref()).read)
}

fn own_projects<'a>(model: &'a Model, call: &Call<'_>) -> impl Iterator<Item = Value> + use<'a> {
    let machine = call.machine.clone();
    model.projects.iter().filter_map(move |(id, project)| {
        let grant = model.grant(&machine, Some(id));
        grant.read.then(|| {
            json!({
                "object": "project", "id": id, "organizationId": model.organization,
                "name": project.name, "creationDate": project.revised,
                "revisionDate": project.revised, "read": grant.read, "write": grant.write,
            })
        })
    })
}

pub(super) fn whole(model: &Model, call: &Call<'_>, id: &str, secret: &Secret) -> Value {
    let grant = model.grant(&call.machine, secret.project.as_deref());
    let projects: Vec<_> = secret
        .project
        .iter()
        .filter_map(|id| Some(json!({"id": id, "name": model.projects.get(id)?.name})))
        .collect();
    json!({
        "object": "secret", "id": id, "organizationId": model.organization, "key": secret.key,
        "value": secret.value, "note": secret.note, "creationDate": secret.created,
        "revisionDate": secret.revised, "projects": projects, "read": grant.read,
        "write": grant.write,
    })
}
