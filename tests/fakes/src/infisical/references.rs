//! References in values: `${KEY}`, `${environment.folder.KEY}`, `${@project-slug.environment.folder.KEY}`.
//!
//! `docs/documentation/platform/secret-reference.mdx`.

use super::failures::permission_denied;
use super::model::Model;
use super::reading::{Place, Right, by_slug, right};
use super::tokens::Actor;
use crate::server::Reply;

/// How deep references may lead.
const MAX_DEPTH: usize = 10;

/// The value with what its references lead to. A target that is not there stays as it is written; one that may
/// not be read fails the whole request.
pub(super) fn expand(
    model: &Model,
    actor: &Actor,
    place: &Place,
    value: &str,
) -> Result<String, Reply> {
    expand_to(model, actor, (place, value), MAX_DEPTH)
}

fn expand_to(
    model: &Model,
    actor: &Actor,
    (place, value): (&Place, &str),
    depth: usize,
) -> Result<String, Reply> {
    let mut out = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((reference, after)) = after.split_once('}') else {
            break;
        };
        out.push_str(before);
        match target(model, place, reference) {
            Some((at, found)) if depth > 0 => {
                if right(model, actor, &at) < Right::Read {
                    return Err(permission_denied("readValue", "secrets"));
                }
                out.push_str(&expand_to(model, actor, (&at, &found), depth - 1)?);
            }
            _ => out.extend(["${", reference, "}"]),
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// Where a reference leads, and what lies there.
fn target(model: &Model, place: &Place, reference: &str) -> Option<(Place, String)> {
    let mut parts: Vec<&str> = reference.split('.').collect();
    let name = parts.pop()?;
    let mut at = place.clone();
    if let Some(slug) = parts.first().and_then(|first| first.strip_prefix('@')) {
        at.project = by_slug(model, slug)?;
        parts.remove(0);
    }
    if let Some((environment, folders)) = parts.split_first() {
        (*environment).clone_into(&mut at.environment);
        at.path = format!("/{}", folders.join("/"));
    }
    let project = model.projects.get(&at.project)?;
    let folder = project
        .environments
        .get(&at.environment)?
        .folders
        .get(&at.path)?;
    let value = folder.secrets.get(name)?.versions.last()?.value.clone();
    Some((at, value))
}
