//! Lists secrets and gets single ones (`v4/secret-router.ts`, `v3/deprecated-secret-router.ts`).

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::failures::{bad_request, not_found, permission_denied};
use super::model::{Folder, Model, Secret, id_of, is_within};
use super::parameters::{flag, folder, number};
use super::references::expand;
use super::tokens::{Actor, actor};
use crate::ids::hex;
use crate::server::{Reply, Request};

/// What stands in the place of a value that may not be read.
const MASK: &str = "<hidden-by-infisical>";
/// How long a tag of a list is remembered.
const TAG_MEMORY: Duration = Duration::from_mins(15);

/// Where something lies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) project: String,
    pub(super) environment: String,
    pub(super) path: String,
}

/// What a request wants of a list or a secret.
#[expect(clippy::struct_excessive_bools, reason = "the flags of the request")]
struct Wanted {
    actor: Actor,
    place: Place,
    version: u8,
    view: bool,
    expand: bool,
    imports: bool,
    recursive: bool,
    tags: BTreeSet<String>,
}

fn wanted(model: &mut Model, request: &Request, version: u8) -> Result<Wanted, Reply> {
    let actor = actor(model, request)?;
    let imports = match version {
        4 if !model.behaviour.old_spelling => flag(request, "includeImports", true)?,
        _ => flag(request, "include_imports", false)?,
    };
    let newest = version == 4 && !model.behaviour.old_spelling;
    let wanted = Wanted {
        view: flag(request, "viewSecretValue", true)?,
        expand: flag(request, "expandSecretReferences", newest)?,
        recursive: flag(request, "recursive", false)?,
        tags: request
            .parameter("tagSlugs")
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|slug| !slug.is_empty())
            .map(str::to_owned)
            .collect(),
        place: place(model, &actor, request, version)?,
        imports,
        version,
        actor,
    };
    Ok(wanted)
}

/// Where a request points. A service token of one scope without a pattern points there, whatever it says.
fn place(model: &Model, actor: &Actor, request: &Request, version: u8) -> Result<Place, Reply> {
    if let Actor::ServiceToken(value) = actor
        && let Some(token) = model.service_tokens.get(value)
        && let [scope] = token.scopes.as_slice()
        && !scope.path.contains('*')
    {
        return Ok(Place {
            project: token.project.clone(),
            environment: scope.environment.clone(),
            path: folder(Some(&scope.path)),
        });
    }
    let project = match version {
        4 => request.parameter("projectId").map(str::to_owned),
        _ => request
            .parameter("workspaceId")
            .map(str::to_owned)
            .or_else(|| by_slug(model, request.parameter("workspaceSlug")?)),
    };
    let environment = request.parameter("environment").map(str::to_owned);
    match (project, environment) {
        (Some(project), Some(environment)) if !environment.is_empty() => Ok(Place {
            project,
            environment,
            path: folder(request.parameter("secretPath")),
        }),
        _ => Err(bad_request("Missing project id or environment")),
    }
}

pub(super) fn by_slug(model: &Model, slug: &str) -> Option<String> {
    let mut projects = model.projects.iter();
    projects
        .find(|(_, project)| project.slug == slug)
        .map(|(id, _)| id.clone())
}

/// What an actor may do at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Right {
    Nothing,
    Describe,
    Read,
    Write,
}

pub(super) fn right(model: &Model, actor: &Actor, place: &Place) -> Right {
    match actor {
        Actor::ServiceToken(value) => {
            let Some(token) = model.service_tokens.get(value) else {
                return Right::Nothing;
            };
            let covers = token.project == place.project
                && token.scopes.iter().any(|scope| {
                    scope.environment == place.environment
                        && match scope.path.strip_suffix("**") {
                            Some(top) => is_within(&place.path, &folder(Some(top))),
                            None => folder(Some(&scope.path)) == place.path,
                        }
                });
            if covers { Right::Read } else { Right::Nothing }
        }
        Actor::Identity(id) => {
            let grants = model.identities.get(id).map(|identity| &identity.grants);
            let rights = grants.into_iter().flatten().filter_map(|grant| {
                grant
                    .covers(&place.project, &place.environment, &place.path)
                    .then_some(match (grant.write, grant.read_value) {
                        (true, _) => Right::Write,
                        (false, true) => Right::Read,
                        (false, false) => Right::Describe,
                    })
            });
            rights.max().unwrap_or(Right::Nothing)
        }
    }
}

/// Whether the actor is a member of the project, so that it hears about what is in it at all.
pub(super) fn is_member(model: &Model, actor: &Actor, project: &str) -> bool {
    match actor {
        Actor::ServiceToken(value) => model
            .service_tokens
            .get(value)
            .is_some_and(|token| token.project == project),
        Actor::Identity(id) => model.identities.get(id).is_some_and(|identity| {
            let mut grants = identity.grants.iter();
            grants.any(|grant| grant.project == project)
        }),
    }
}

/// The folder, when there is one and the actor is a member of the project.
pub(super) fn found<'a>(
    model: &'a Model,
    actor: &Actor,
    place: &Place,
) -> Result<&'a Folder, Reply> {
    let project = model
        .projects
        .get(&place.project)
        .ok_or_else(|| not_found(&format!("Project with ID '{}' not found", place.project)))?;
    if !is_member(model, actor, &place.project) {
        return Err(super::failures::forbidden(
            "You are not a member of this project",
        ));
    }
    project
        .environments
        .get(&place.environment)
        .and_then(|environment| environment.folders.get(&place.path))
        .ok_or_else(|| {
            let Place {
                environment, path, ..
            } = place;
            not_found(&format!(
                "Folder with path '{path}' in environment with slug '{environment}' not found"
            ))
        })
}

pub(super) fn list(model: &mut Model, request: &Request, version: u8) -> Result<Reply, Reply> {
    let wanted = wanted(model, request, version)?;
    found(model, &wanted.actor, &wanted.place)?;
    if right(model, &wanted.actor, &wanted.place) == Right::Nothing {
        return Err(permission_denied("describeSecret", "secrets"));
    }
    let mut secrets = Vec::new();
    for place in places(model, &wanted) {
        let folder = found(model, &wanted.actor, &place)?;
        for (name, secret) in &folder.secrets {
            if wanted.tags.is_empty() || !wanted.tags.is_disjoint(&secret.tags) {
                secrets.extend(rows(model, &wanted, &place, (name, secret))?);
            }
        }
    }
    secrets.truncate(secrets.len().saturating_sub(model.behaviour.forgets));
    let mut body = json!({ "secrets": secrets });
    if wanted.imports {
        body["imports"] = imports(model, &wanted)?;
    }
    Ok(tagged(model, request, &wanted, &body))
}

/// The folder and, where that is asked for, those below it which the actor may see: the others are left out
/// without a word.
fn places(model: &Model, wanted: &Wanted) -> Vec<Place> {
    if !wanted.recursive {
        return vec![wanted.place.clone()];
    }
    let environment = model
        .projects
        .get(&wanted.place.project)
        .and_then(|project| project.environments.get(&wanted.place.environment));
    environment
        .into_iter()
        .flat_map(|environment| environment.folders.keys())
        .filter(|path| is_within(path, &wanted.place.path))
        .map(|path| Place {
            path: path.clone(),
            ..wanted.place.clone()
        })
        .filter(|place| right(model, &wanted.actor, place) > Right::Nothing)
        .collect()
}

fn imports(model: &Model, wanted: &Wanted) -> Result<Value, Reply> {
    let mut answer = Vec::new();
    for place in places(model, wanted) {
        for import in &found(model, &wanted.actor, &place)?.imports {
            let from = Place {
                environment: import.environment.clone(),
                path: import.path.clone(),
                ..place.clone()
            };
            if right(model, &wanted.actor, &from) < Right::Read {
                return Err(permission_denied("readValue", "secrets"));
            }
            let mut rows_of_import = Vec::new();
            for secret in &found(model, &wanted.actor, &from)?.secrets {
                for mut row in rows(model, wanted, &from, secret)? {
                    // The schema of these rows is smaller.
                    if let Some(row) = row.as_object_mut() {
                        for absent in ["createdAt", "updatedAt", "tags", "secretPath"] {
                            row.remove(absent);
                        }
                    }
                    rows_of_import.push(row);
                }
            }
            let Place {
                project,
                environment,
                path,
            } = &from;
            answer.push(json!({
                "secretPath": path, "environment": environment,
                "folderId": id_of("folder", &format!("{project} {environment} {path}")),
                "secrets": rows_of_import,
            }));
        }
    }
    Ok(Value::Array(answer))
}

/// The rows of one secret: the shared one and, in version 3, a user's own beside it.
fn rows(
    model: &Model,
    wanted: &Wanted,
    place: &Place,
    (name, secret): (&String, &Secret),
) -> Result<Vec<Value>, Reply> {
    let mut rows = Vec::new();
    if !secret.versions.is_empty() {
        let version = secret.versions.len();
        rows.push(row(model, wanted, place, (name, secret, version))?);
    }
    if let (3, Some(personal)) = (wanted.version, &secret.personal)
        && let Some(shared) = rows.first().cloned()
    {
        let mut row = shared;
        row["type"] = json!("personal");
        row["secretValue"] = json!(personal);
        rows.push(row);
    }
    Ok(rows)
}

fn row(
    model: &Model,
    wanted: &Wanted,
    place: &Place,
    (name, secret, version): (&String, &Secret, usize),
) -> Result<Value, Reply> {
    let kept = secret.versions.get(version - 1);
    let kept = kept.ok_or_else(|| not_found("Secret version not found"))?;
    let hidden = !wanted.view || right(model, &wanted.actor, place) < Right::Read;
    let value = match (hidden, wanted.expand) {
        (true, _) => MASK.to_owned(),
        (false, true) => expand(model, &wanted.actor, place, &kept.value)?,
        (false, false) => kept.value.clone(),
    };
    let Place {
        project,
        environment,
        path,
    } = place;
    let id = secret_id(place, name);
    let tags: Vec<Value> = secret
        .tags
        .iter()
        .map(|slug| json!({"id": id_of("tag", slug), "slug": slug, "color": "#aabbcc", "name": slug}))
        .collect();
    let at = "2026-01-02T03:04:05.678Z";
    Ok(json!({
        "id": id, "_id": id, "workspace": project, "environment": environment,
        "version": version, "type": "shared", "secretKey": name, "secretValue": value,
        "secretComment": kept.comment, "secretReminderNote": null, "secretReminderRepeatDays": null,
        "skipMultilineEncoding": false, "createdAt": at, "updatedAt": at,
        "secretValueHidden": hidden, "secretPath": path, "isRotatedSecret": false, "rotationId": null,
        "secretMetadata": [], "tags": tags,
        "actor": {"actorId": id_of("actor", ""), "actorType": "identity", "name": "ci",
                  "membershipId": id_of("member", ""), "groupId": null},
    }))
}

pub(super) fn secret_id(place: &Place, name: &str) -> String {
    let Place {
        project,
        environment,
        path,
    } = place;
    id_of("secret", &format!("{project} {environment} {path} {name}"))
}

/// The row of a secret after a write: what the caller has just said, expanded by nobody.
pub(super) fn written(
    model: &Model,
    actor: &Actor,
    place: &Place,
    (name, secret): (&String, &Secret),
) -> Result<Value, Reply> {
    let wanted = Wanted {
        actor: actor.clone(),
        place: place.clone(),
        version: 4,
        view: true,
        expand: false,
        imports: false,
        recursive: false,
        tags: BTreeSet::new(),
    };
    row(model, &wanted, place, (name, secret, secret.versions.len()))
}

pub(super) fn single(
    model: &mut Model,
    request: &Request,
    version: u8,
    name: &str,
) -> Result<Reply, Reply> {
    let wanted = wanted(model, request, version)?;
    let folder = found(model, &wanted.actor, &wanted.place)?;
    if right(model, &wanted.actor, &wanted.place) == Right::Nothing {
        return Err(permission_denied("describeSecret", "secrets"));
    }
    let pinned = number(request, "version")?;
    let missing = || not_found(&format!("Secret with name '{name}' not found"));
    let mut at = vec![(wanted.place.clone(), folder)];
    if wanted.imports {
        for import in folder.imports.iter().rev() {
            let place = Place {
                environment: import.environment.clone(),
                path: import.path.clone(),
                ..wanted.place.clone()
            };
            at.push((place.clone(), found(model, &wanted.actor, &place)?));
        }
    }
    let name = name.trim().to_owned();
    let (place, secret) = at
        .into_iter()
        .find_map(|(place, folder)| Some((place, folder.secrets.get(&name)?)))
        .ok_or_else(missing)?;
    let version = pinned.unwrap_or(secret.versions.len());
    if version == 0 || version > secret.versions.len() {
        return Err(missing());
    }
    let secret = row(model, &wanted, &place, (&name, secret, version))?;
    Ok(Reply::json(200, &json!({ "secret": secret })))
}

pub(super) fn by_id(model: &mut Model, request: &Request, id: &str) -> Result<Reply, Reply> {
    let actor = actor(model, request)?;
    for (project, content) in &model.projects {
        for (environment, content) in &content.environments {
            for (path, folder) in &content.folders {
                let place = Place {
                    project: project.clone(),
                    environment: environment.clone(),
                    path: path.clone(),
                };
                let mut secrets = folder.secrets.iter();
                let Some(secret) = secrets.find(|(name, _)| secret_id(&place, name) == id) else {
                    continue;
                };
                if right(model, &actor, &place) < Right::Read {
                    return Err(permission_denied("readValue", "secrets"));
                }
                let row = written(model, &actor, &place, secret)?;
                return Ok(Reply::json(200, &json!({ "secret": row })));
            }
        }
    }
    Err(not_found("Secret not found"))
}

/// The list with a tag of its own, or 304 when the caller has it already. A tag belongs to one actor and one
/// set of parameters, and is forgotten after a while or a change.
fn tagged(model: &mut Model, request: &Request, wanted: &Wanted, body: &Value) -> Reply {
    if !model.behaviour.etag {
        return Reply::json(200, body);
    }
    let digest = Sha256::digest(body.to_string());
    let tag = format!("\"{}\"", hex(&digest));
    let key = format!(
        "{} {} {:?}",
        wanted.place.project,
        wanted.actor.name(),
        request.query
    );
    let now = Instant::now();
    let known = model
        .etags
        .get(&key)
        .filter(|(_, at)| now - *at < TAG_MEMORY)
        .map(|(tag, _)| tag.clone());
    if known.is_some() && request.header("if-none-match") == known.as_deref() {
        return Reply::new(304, "").header("etag", tag);
    }
    model.etags.insert(key, (tag.clone(), now));
    Reply::json(200, body).header("etag", tag)
}
