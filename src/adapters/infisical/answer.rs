//! What an answer means: pure decisions over status and body.
//!
//! Every failure of the server has one shape: `reqId`, `statusCode`, `message` and a word in `error`
//! (`backend/src/server/plugins/error-handler.ts`). A failure in another shape comes from something else and
//! says nothing about secrets. One such shape is the web framework's own 404, for a route that this release
//! does not have.

use std::collections::BTreeSet;
use std::time::Duration;

use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::RemotePath;
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::http::json;

/// What stands in the place of a value that may not be read.
const MASK: &str = "<hidden-by-infisical>";

/// Why an answer holds nothing that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rejection {
    /// 400
    BadRequest,
    /// 401, or 403 with `TokenError`: the access token has expired, or is none.
    DeadToken,
    /// 403: the identity may not do this.
    Denied,
    /// 404 in the server's own shape: no such project, environment, folder or secret.
    Missing,
    /// 404 or 410: this release has no such route, or no longer.
    NoRoute,
    /// 422: a parameter has the wrong form.
    Unprocessable,
    /// 429
    Throttled(Option<Duration>),
    /// 5xx: it may work in a moment.
    Stumbled(u16),
    /// Anything that the server never answers: something stands between.
    Unbelievable(u16),
    /// The secret of this name is masked.
    Masked(String),
    /// What is answered lies in another environment or folder than was asked for.
    Elsewhere,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failure<'a> {
    #[serde(default)]
    req_id: Option<String>,
    status_code: u16,
    error: String,
    /// A text, or a list where parameters are wrong.
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
}

/// The body of a good answer.
pub(super) fn good(status: u16, body: &[u8]) -> Result<&[u8], Rejection> {
    if status == 200 {
        return Ok(body);
    }
    // What guards the cloud throttles in a shape of its own.
    if status == 429 {
        return Err(Rejection::Throttled(failure(status, body).and_then(
            |failure| named_wait(failure.message.map_or("", RawValue::get)),
        )));
    }
    if status >= 500 {
        return Err(if status < 600 {
            Rejection::Stumbled(status)
        } else {
            Rejection::Unbelievable(status)
        });
    }
    let Some(failure) = failure(status, body) else {
        return Err(Rejection::Unbelievable(status));
    };
    Err(match (status, failure.req_id, failure.error.as_str()) {
        // The framework's own, which has no request id.
        (404, None, "Not Found") => Rejection::NoRoute,
        (_, None, _) => Rejection::Unbelievable(status),
        (400, ..) => Rejection::BadRequest,
        (401, ..) | (403, _, "TokenError") => Rejection::DeadToken,
        (403, ..) => Rejection::Denied,
        (404, _, "NotFound") => Rejection::Missing,
        (410, ..) => Rejection::NoRoute,
        (422, ..) => Rejection::Unprocessable,
        _ => Rejection::Unbelievable(status),
    })
}

fn failure(status: u16, body: &[u8]) -> Option<Failure<'_>> {
    let failure: Failure<'_> = object(body)?;
    (failure.status_code == status && failure.message.is_some()).then_some(failure)
}

/// serde would take a list for an object, too.
fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Option<T> {
    body.trim_ascii_start()
        .starts_with(b"{")
        .then(|| json::parse(body).ok())
        .flatten()
}

/// The wait that a message names, such as `Please try again in 12 seconds`: the server's limiter gives it there
/// when a proxy has taken the header away. Nothing but a wait hangs on it.
fn named_wait(message: &str) -> Option<Duration> {
    let (before, _) = message.split_once(" second")?;
    let (_, digits) = before.rsplit_once(' ')?;
    digits.parse().ok().map(Duration::from_secs)
}

/// Reads a good answer as one JSON object.
pub(super) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Rejection> {
    object(body).ok_or(Rejection::Unbelievable(200))
}

/// What is asked for, and therefore what may be answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    /// The environment's slug.
    pub(super) environment: String,
    /// The folder.
    pub(super) folder: RemotePath,
    /// The folders below it, too.
    pub(super) recursive: bool,
    /// What other folders bring in by import.
    pub(super) imports: bool,
    /// Values in the place of references.
    pub(super) references: bool,
}

/// One secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Secret {
    pub(super) name: String,
    /// The folder, without a slash at either end.
    pub(super) folder: String,
    pub(super) tags: BTreeSet<String>,
    pub(super) version: Option<u64>,
    pub(super) value: SecretValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    secret_key: String,
    secret_value: Option<Zeroizing<String>>,
    #[serde(default)]
    secret_value_hidden: Option<bool>,
    #[serde(default)]
    secret_path: Option<String>,
    #[serde(default)]
    environment: Option<String>,
    #[serde(default)]
    version: Option<u64>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    tags: Option<Vec<Tag>>,
}

#[derive(Deserialize)]
struct Tag {
    slug: String,
}

#[derive(Deserialize)]
struct Listing {
    secrets: Vec<Row>,
    #[serde(default)]
    imports: Option<Vec<Import>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Import {
    secret_path: String,
    secrets: Vec<Row>,
}

#[derive(Deserialize)]
struct Single {
    secret: Row,
}

/// Reads a list: the secrets in an order of which nothing depends on the server's, imports first.
///
/// A secret of the folders themselves wins over an import of its name, and of two imports the last one wins
/// (`packages/util/secrets.go` of Infisical's command line). That is Infisical's own rule for one folder, so it
/// is settled here and no conflict.
pub(super) fn list(body: &[u8], asked: &Asked) -> Result<Vec<Secret>, Rejection> {
    let listing: Listing = read(body)?;
    let mut direct = Vec::new();
    for row in listing.secrets.into_iter().filter(is_shared) {
        is_inside(&row, asked)?;
        let folder = row.secret_path.clone();
        direct.push(secret(row, folder.as_deref(), &asked.folder)?);
    }
    direct.sort_by(|one, other| (&one.folder, &one.name).cmp(&(&other.folder, &other.name)));
    if direct.windows(2).any(
        |pair| matches!(pair, [one, next] if one.folder == next.folder && one.name == next.name),
    ) {
        return Err(Rejection::Unbelievable(200));
    }
    let imports = listing.imports.unwrap_or_default();
    if !asked.imports {
        return Ok(direct);
    }
    let mut taken: BTreeSet<String> = direct.iter().map(|secret| secret.name.clone()).collect();
    let mut imported = Vec::new();
    for import in imports.into_iter().rev() {
        for row in import.secrets.into_iter().filter(is_shared) {
            let secret = secret(row, Some(&import.secret_path), &asked.folder)?;
            if taken.insert(secret.name.clone()) {
                imported.push(secret);
            }
        }
    }
    imported.sort_by(|one, other| (&one.folder, &one.name).cmp(&(&other.folder, &other.name)));
    imported.extend(direct);
    Ok(imported)
}

/// Reads one secret.
pub(super) fn single(body: &[u8], asked: &Asked, name: &str) -> Result<Secret, Rejection> {
    let Single { secret: row } = read(body)?;
    if row.secret_key != name {
        return Err(Rejection::Unbelievable(200));
    }
    // An import may give a secret of this name that lies elsewhere.
    if !asked.imports {
        is_inside(&row, asked)?;
    }
    let folder = row.secret_path.clone();
    secret(row, folder.as_deref(), &asked.folder)
}

/// Version 3 lists the personal values of users beside the shared ones.
fn is_shared(row: &Row) -> bool {
    row.kind.as_deref() != Some("personal")
}

/// A service token of one scope is answered for that scope, whatever it asks for; nobody may take that for the
/// folder that was asked for.
fn is_inside(row: &Row, asked: &Asked) -> Result<(), Rejection> {
    let environment = row.environment.as_ref();
    let there = match &row.secret_path {
        // Without a path there is no telling the folders below from this one.
        None => !asked.recursive,
        Some(path) => RemotePath::parse(path).is_ok_and(|path| {
            let (found, wanted) = (path.segments(), asked.folder.segments());
            found == wanted || asked.recursive && found.starts_with(wanted)
        }),
    };
    if there && environment.is_none_or(|environment| *environment == asked.environment) {
        Ok(())
    } else {
        Err(Rejection::Elsewhere)
    }
}

fn secret(row: Row, folder: Option<&str>, asked: &RemotePath) -> Result<Secret, Rejection> {
    let hidden = row.secret_value_hidden.unwrap_or_default();
    let value = row.secret_value.ok_or(Rejection::Unbelievable(200))?;
    if hidden || value.as_str() == MASK {
        return Err(Rejection::Masked(row.secret_key));
    }
    Ok(Secret {
        folder: folder.map_or_else(|| asked.to_text(), |path| path.trim_matches('/').to_owned()),
        tags: row
            .tags
            .unwrap_or_default()
            .into_iter()
            .map(|tag| tag.slug)
            .collect(),
        version: row.version,
        value: SecretValue::new(value.as_bytes()),
        name: row.secret_key,
    })
}

/// What became of a change: done, or waiting for an approval, which is 200 as well
/// (`v4/secret-router.ts`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Pending,
}

/// Reads the answer to a change.
pub(super) fn outcome(body: &[u8]) -> Result<Outcome, Rejection> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow, default)]
        approval: Option<&'a RawValue>,
        #[serde(borrow, default)]
        secret: Option<&'a RawValue>,
        #[serde(borrow, default)]
        secrets: Option<&'a RawValue>,
        #[serde(borrow, default)]
        folder: Option<&'a RawValue>,
    }
    let answer: Answer<'_> = read(body)?;
    match answer {
        Answer {
            approval: Some(_), ..
        } => Ok(Outcome::Pending),
        Answer {
            secret: None,
            secrets: None,
            folder: None,
            ..
        } => Err(Rejection::Unbelievable(200)),
        _ => Ok(Outcome::Done),
    }
}

/// The names of the folders in a folder (`v2/folder-router.ts`, `v1/secret-folder-router.ts`).
pub(super) fn folders(body: &[u8]) -> Result<Vec<String>, Rejection> {
    #[derive(Deserialize)]
    struct Listing {
        folders: Vec<Folder>,
    }
    #[derive(Deserialize)]
    struct Folder {
        name: String,
    }
    let listing: Listing = read(body)?;
    Ok(listing
        .folders
        .into_iter()
        .map(|folder| folder.name)
        .collect())
}

/// The id of the project that a look-up by id or slug found. Both answer with the project; by id it lies one
/// level deeper, under a name that differs by release.
pub(super) fn project(body: &[u8]) -> Result<Project, Rejection> {
    #[derive(Deserialize)]
    struct Wrapped {
        #[serde(alias = "workspace")]
        project: Project,
    }
    read::<Wrapped>(body)
        .map(|wrapped| wrapped.project)
        .or_else(|_| read(body))
}

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Project {
    pub(super) id: String,
    #[serde(default)]
    environments: Vec<Environment>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Environment {
    slug: String,
}

impl Project {
    /// Whether it has this environment, as far as the answer tells.
    pub(super) fn has(&self, environment: &str) -> bool {
        self.environments.is_empty()
            || self
                .environments
                .iter()
                .any(|known| known.slug == environment)
    }
}

/// The project of a service token (`backend/src/server/routes/v2/service-token-router.ts`).
pub(super) fn project_of_token(body: &[u8]) -> Result<String, Rejection> {
    #[derive(Deserialize)]
    struct Token {
        workspace: String,
    }
    read::<Token>(body).map(|token| token.workspace)
}

#[cfg(test)]
mod tests;
