//! Projects, folders, imports, tags, and what a service token is for.

use serde_json::{Value, json};

use super::failures::{bad_request, forbidden, invalid, not_found, permission_denied};
use super::model::{Import, Model, id_of, is_within};
use super::parameters::{folder, loose_flag, object, optional, text};
use super::reading::{Place, Right, by_slug, found, is_member, right};
use super::tokens::{Actor, actor};
use crate::server::{Reply, Request};

fn project_row(model: &Model, id: &str) -> Option<Value> {
    let project = model.projects.get(id)?;
    let environments: Vec<Value> = project
        .environments
        .keys()
        .map(|slug| json!({"id": id_of("environment", slug), "name": slug, "slug": slug}))
        .collect();
    Some(json!({
        "id": id, "_id": id, "name": project.slug, "slug": project.slug, "orgId": id_of("org", ""),
        "type": "secret-manager", "version": 3, "environments": environments,
    }))
}

fn visible(model: &Model, actor: &Actor, id: &str) -> Result<Value, Reply> {
    let row = project_row(model, id)
        .ok_or_else(|| not_found(&format!("Project with ID '{id}' not found")))?;
    if is_member(model, actor, id) {
        Ok(row)
    } else {
        Err(forbidden("You are not a member of this project"))
    }
}

/// A project by its id, under the name that this release has for it.
pub(super) fn project(
    model: &mut Model,
    request: &Request,
    id: &str,
    wrapper: &str,
) -> Result<Reply, Reply> {
    let actor = actor(model, request)?;
    let row = visible(model, &actor, id)?;
    Ok(Reply::json(200, &json!({ wrapper: row })))
}

/// A project by its slug, under no name. Service tokens are refused.
pub(super) fn project_by_slug(
    model: &mut Model,
    request: &Request,
    slug: &str,
) -> Result<Reply, Reply> {
    let actor = actor(model, request)?;
    if matches!(actor, Actor::ServiceToken(_)) {
        return Err(forbidden(
            "You are not allowed to access this resource with this authentication mode",
        ));
    }
    let id = by_slug(model, slug)
        .ok_or_else(|| not_found(&format!("Project with slug '{slug}' not found")))?;
    Ok(Reply::json(200, &visible(model, &actor, &id)?))
}

/// What a service token is for (`v2/service-token-router.ts`).
pub(super) fn service_token(model: &mut Model, request: &Request) -> Result<Reply, Reply> {
    let Actor::ServiceToken(value) = actor(model, request)? else {
        return Err(forbidden(
            "You are not allowed to access this resource with this authentication mode",
        ));
    };
    let Some(token) = model.service_tokens.get(&value) else {
        return Err(not_found("Service token not found"));
    };
    let scopes: Vec<Value> = token
        .scopes
        .iter()
        .map(|scope| json!({"environment": scope.environment, "secretPath": scope.path}))
        .collect();
    let body = json!({
        "id": id_of("service token", &value), "_id": id_of("service token", &value), "name": "token",
        "scopes": scopes, "permissions": ["read"], "projectId": token.project,
        "workspace": token.project, "expiresAt": null, "__v": 0,
        "user": {"_id": id_of("user", ""), "id": id_of("user", ""), "email": "a@example.com", "__v": 0},
    });
    Ok(Reply::json(200, &body))
}

/// Where a request about folders points; `slot` is the name that its path goes by.
fn place(
    model: &Model,
    actor: &Actor,
    field: impl Fn(&str) -> Result<Option<String>, Reply>,
    slots: &[&str],
) -> Result<Place, Reply> {
    let project = match field("projectId")? {
        Some(project) => project,
        None => field("workspaceId")?.ok_or_else(|| invalid("projectId", "Required"))?,
    };
    let mut path = None;
    for slot in slots {
        path = path.or(field(slot)?);
    }
    let place = Place {
        project,
        environment: field("environment")?.ok_or_else(|| invalid("environment", "Required"))?,
        path: folder(path.as_deref()),
    };
    found(model, actor, &place)?;
    Ok(place)
}

fn folder_row(place: &Place, path: &str) -> Value {
    let Place {
        project,
        environment,
        path: top,
    } = place;
    let name = path.rsplit('/').next().unwrap_or_default();
    let relative = if top == "/" {
        path.to_owned()
    } else {
        path.strip_prefix(top.as_str()).unwrap_or(path).to_owned()
    };
    let at = "2026-01-02T03:04:05.678Z";
    json!({
        "id": id_of("folder", &format!("{project} {environment} {path}")), "name": name,
        "relativePath": relative, "path": path, "envId": id_of("environment", environment),
        "version": 1, "createdAt": at, "updatedAt": at, "parentId": null, "isReserved": false,
        "description": null, "lastSecretModified": at,
    })
}

/// Folders, in both versions of their routes.
pub(super) fn folders(
    model: &mut Model,
    request: &Request,
    body: &[u8],
    (version, rest): (&str, &[&str]),
) -> Option<Result<Reply, Reply>> {
    let slots: &[&str] = match version {
        "v1" => &["path", "directory"],
        _ => &["path"],
    };
    match (request.method.as_str(), rest) {
        ("GET", []) => Some(list_folders(model, request, slots)),
        ("POST", []) => Some(make_folder(model, request, body, slots)),
        ("DELETE", [name]) => Some(remove_folder(model, request, body, (slots, name))),
        _ => None,
    }
}

fn list_folders(model: &mut Model, request: &Request, slots: &[&str]) -> Result<Reply, Reply> {
    let actor = actor(model, request)?;
    let recursive = loose_flag(request, "recursive");
    let field = |name: &str| Ok(request.parameter(name).map(str::to_owned));
    let place = place(model, &actor, field, slots)?;
    let environment = model
        .projects
        .get(&place.project)
        .and_then(|project| project.environments.get(&place.environment));
    let rows: Vec<Value> = environment
        .into_iter()
        .flat_map(|environment| environment.folders.keys())
        .filter(|path| **path != place.path && path.as_str() != "/" && is_within(path, &place.path))
        .filter(|path| recursive || parent(path) == place.path)
        .map(|path| folder_row(&place, path))
        .collect();
    Ok(Reply::json(200, &json!({ "folders": rows })))
}

fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}

fn below(path: &str, name: &str) -> String {
    let path = path.trim_end_matches('/');
    format!("{path}/{name}")
}

fn writable(model: &Model, actor: &Actor, place: &Place) -> Result<(), Reply> {
    if right(model, actor, place) < Right::Write {
        return Err(permission_denied("create", "secret-folders"));
    }
    Ok(())
}

fn make_folder(
    model: &mut Model,
    request: &Request,
    body: &[u8],
    slots: &[&str],
) -> Result<Reply, Reply> {
    let actor = actor(model, request)?;
    let body = object(request, body)?;
    let place = place(model, &actor, |name| optional(&body, name), slots)?;
    writable(model, &actor, &place)?;
    let name = text(&body, "name")?;
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if name.is_empty() || !name.bytes().all(sound) {
        return Err(invalid(
            "name",
            "Folder name can only contain alphanumeric characters, dashes, and underscores",
        ));
    }
    let path = below(&place.path, &name);
    model.folder(&place.project, &place.environment, &path);
    let row = folder_row(&place, &path);
    Ok(Reply::json(200, &json!({ "folder": row })))
}

fn remove_folder(
    model: &mut Model,
    request: &Request,
    body: &[u8],
    (slots, name): (&[&str], &str),
) -> Result<Reply, Reply> {
    let actor = actor(model, request)?;
    let body = object(request, body)?;
    let place = place(model, &actor, |name| optional(&body, name), slots)?;
    writable(model, &actor, &place)?;
    let environment = model
        .projects
        .get_mut(&place.project)
        .and_then(|project| project.environments.get_mut(&place.environment));
    let path = environment.as_ref().and_then(|environment| {
        let mut paths = environment.folders.keys();
        let is_meant = |path: &&String| {
            parent(path) == place.path
                && (**path == below(&place.path, name) || folder_row(&place, path)["id"] == name)
        };
        paths.find(is_meant).cloned()
    });
    let (Some(environment), Some(path)) = (environment, path) else {
        return Err(not_found(&format!("Folder '{name}' not found")));
    };
    environment
        .folders
        .retain(|known, _| !is_within(known, &path));
    model.changed(&place.project);
    let row = folder_row(&place, &path);
    Ok(Reply::json(200, &json!({ "folder": row })))
}

/// Imports of a folder (`/api/v2/secret-imports`).
pub(super) fn imports(
    model: &mut Model,
    request: &Request,
    body: &[u8],
) -> Option<Result<Reply, Reply>> {
    match request.method.as_str() {
        "GET" => Some(list_imports(model, request)),
        "POST" => Some(make_import(model, request, body)),
        _ => None,
    }
}

fn import_row(import: &Import, position: usize) -> Value {
    let Import { environment, path } = import;
    json!({
        "id": id_of("import", &format!("{environment} {path}")), "importPath": path,
        "position": position + 1, "isReplication": false,
        "importEnv": {"id": id_of("environment", environment), "name": environment, "slug": environment},
    })
}

fn list_imports(model: &mut Model, request: &Request) -> Result<Reply, Reply> {
    let actor = actor(model, request)?;
    let field = |name: &str| Ok(request.parameter(name).map(str::to_owned));
    let place = place(model, &actor, field, &["path"])?;
    let imports = found(model, &actor, &place)?.imports.iter();
    let rows: Vec<Value> = imports
        .enumerate()
        .map(|(position, import)| import_row(import, position))
        .collect();
    let body = json!({"message": "Successfully fetched secret imports", "secretImports": rows});
    Ok(Reply::json(200, &body))
}

fn make_import(model: &mut Model, request: &Request, body: &[u8]) -> Result<Reply, Reply> {
    let actor = actor(model, request)?;
    let body = object(request, body)?;
    let place = place(model, &actor, |name| optional(&body, name), &["path"])?;
    writable(model, &actor, &place)?;
    let from = body.get("import").cloned().unwrap_or_default();
    let import = Import {
        environment: text(&from, "environment")?,
        path: folder(optional(&from, "path")?.as_deref()),
    };
    let source = Place {
        environment: import.environment.clone(),
        path: import.path.clone(),
        ..place.clone()
    };
    if source == place {
        return Err(bad_request("Cyclic import not allowed"));
    }
    found(model, &actor, &source)?;
    let folder = model.folder(&place.project, &place.environment, &place.path);
    folder.imports.push(import.clone());
    let row = import_row(&import, folder.imports.len() - 1);
    model.changed(&place.project);
    let body = json!({"message": "Successfully created secret import", "secretImport": row});
    Ok(Reply::json(200, &body))
}

/// Tags of a project.
pub(super) fn tags(
    model: &mut Model,
    request: &Request,
    body: &[u8],
    id: &str,
) -> Option<Result<Reply, Reply>> {
    match request.method.as_str() {
        "GET" => Some(list_tags(model, request, id)),
        "POST" => Some(make_tag(model, request, body, id)),
        _ => None,
    }
}

fn list_tags(model: &mut Model, request: &Request, id: &str) -> Result<Reply, Reply> {
    let actor = actor(model, request)?;
    visible(model, &actor, id)?;
    let tags = model.projects.get(id).map(|project| &project.tags);
    let rows: Vec<Value> = tags
        .into_iter()
        .flatten()
        .map(|(id, slug)| json!({"id": id, "slug": slug, "name": slug, "color": "#aabbcc"}))
        .collect();
    Ok(Reply::json(200, &json!({ "tags": rows })))
}

fn make_tag(model: &mut Model, request: &Request, body: &[u8], id: &str) -> Result<Reply, Reply> {
    let actor = actor(model, request)?;
    let body = object(request, body)?;
    visible(model, &actor, id)?;
    let slug = text(&body, "slug")?;
    if slug.is_empty() || slug.len() > 64 {
        return Err(invalid("slug", "String must contain 1 to 64 characters"));
    }
    let tag = id_of("tag", &format!("{id} {slug}"));
    let row = json!({"id": tag, "slug": slug, "name": slug, "color": "#aabbcc"});
    if let Some(project) = model.projects.get_mut(id) {
        project.tags.insert(tag, slug);
    }
    Ok(Reply::json(200, &json!({ "tag": row })))
}
