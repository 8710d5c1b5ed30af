//! What an answer means: pure decisions over status and body.
//!
//! Texts of errors differ by product, version and plug-in, so nothing here depends on one; what counts is
//! the status and the shape of the body.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use penstock_domain::secret::SecretValue;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::http::json;

/// Why an answer holds nothing that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rejection {
    /// 404 with `{"errors":[]}`: there is no such thing.
    Missing,
    /// The version was deleted, and can be brought back.
    Deleted,
    /// The version was destroyed for good.
    Destroyed,
    /// 404 with errors in it: no engine answers at this path.
    NoRoute,
    /// A full envelope without data: the path is not one of this version of the engine.
    WrongEngine,
    /// 403: the token is dead, or its policies do not allow this.
    Denied,
    /// 400
    BadRequest,
    /// 429
    Throttled(Option<Duration>),
    /// 503: sealed, in maintenance, or the namespace is locked.
    Sealed,
    /// 501
    NotInitialised,
    /// 412, 472 and other 5xx: it may work in a moment or elsewhere.
    Stumbled(u16),
    /// Anything that neither product answers: something stands between.
    Unbelievable(u16),
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    auth: Option<&'a RawValue>,
    #[serde(default)]
    lease_id: Option<String>,
    #[serde(default)]
    errors: Option<Vec<IgnoredAny>>,
    #[serde(default)]
    request_id: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Versioned<'a> {
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    version: Option<u64>,
    #[serde(default)]
    created_time: String,
    #[serde(default)]
    deletion_time: String,
    #[serde(default)]
    destroyed: bool,
    #[serde(default, rename = "custom_metadata")]
    custom: Option<BTreeMap<String, String>>,
}

/// One secret: its fields by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Secret {
    pub(super) fields: BTreeMap<String, SecretValue>,
    pub(super) version: Option<u64>,
    pub(super) tags: BTreeSet<String>,
    /// When the version was made, in the server's words; empty where it does not say.
    pub(super) created: String,
    /// It will be deleted by itself some day.
    pub(super) ends: bool,
}

/// How the newest version of a secret stands, by its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// It can be read.
    Live {
        version: u64,
        created: String,
        tags: BTreeSet<String>,
    },
    /// There is none, or it is deleted, or will be.
    Gone,
}

/// The `data` of a good answer.
pub(super) fn data(status: u16, body: &[u8]) -> Result<&RawValue, Rejection> {
    let envelope = good(status, body)?;
    // A lease means that reading made a new credential, which a schedule must never do.
    if envelope.lease_id.is_some_and(|lease| !lease.is_empty()) {
        return Err(Rejection::WrongEngine);
    }
    envelope.data.ok_or(Rejection::WrongEngine)
}

/// The `auth` of a good answer to a login or renewal.
pub(super) fn auth(status: u16, body: &[u8]) -> Result<&RawValue, Rejection> {
    good(status, body)?.auth.ok_or(Rejection::WrongEngine)
}

fn good(status: u16, body: &[u8]) -> Result<Envelope<'_>, Rejection> {
    match status {
        200 => envelope(body)
            .filter(|envelope| envelope.request_id.is_some())
            .ok_or(Rejection::Unbelievable(status)),
        400 => Err(Rejection::BadRequest),
        403 => Err(Rejection::Denied),
        404 => Err(not_found(body)),
        405 => Err(Rejection::WrongEngine),
        429 => Err(Rejection::Throttled(None)),
        501 => Err(Rejection::NotInitialised),
        503 => Err(Rejection::Sealed),
        412 | 472 | 500..=599 => Err(Rejection::Stumbled(status)),
        _ => Err(Rejection::Unbelievable(status)),
    }
}

/// serde would take a list for an envelope, too.
fn envelope(body: &[u8]) -> Option<Envelope<'_>> {
    body.trim_ascii_start()
        .starts_with(b"{")
        .then(|| json::parse(body).ok())
        .flatten()
}

/// A 404 that is not in the server's own shape comes from something else, and says nothing about secrets.
fn not_found(body: &[u8]) -> Rejection {
    let Some(envelope) = envelope(body) else {
        return Rejection::Unbelievable(404);
    };
    match (envelope.errors, envelope.request_id) {
        (Some(errors), _) if errors.is_empty() => Rejection::Missing,
        (Some(_), _) => Rejection::NoRoute,
        (None, Some(_)) => envelope.data.map_or(Rejection::WrongEngine, gone),
        (None, None) => Rejection::Unbelievable(404),
    }
}

/// A 404 with data: a version that is no more.
fn gone(data: &RawValue) -> Rejection {
    let versioned: Option<Versioned<'_>> = serde_json::from_str(data.get()).ok();
    match versioned.and_then(|versioned| versioned.metadata) {
        Some(metadata) if metadata.destroyed => Rejection::Destroyed,
        Some(metadata) if !metadata.deletion_time.is_empty() => Rejection::Deleted,
        _ => Rejection::WrongEngine,
    }
}

/// A secret of KV version 1: `data` is the map itself.
pub(super) fn secret_v1(data: &RawValue) -> Result<Secret, Rejection> {
    Ok(Secret {
        fields: fields(data)?,
        version: None,
        tags: BTreeSet::new(),
        created: String::new(),
        ends: false,
    })
}

/// A secret of KV version 2: the map lies one level deeper, beside its metadata.
pub(super) fn secret_v2(data: &RawValue) -> Result<Secret, Rejection> {
    let versioned: Versioned<'_> =
        serde_json::from_str(data.get()).map_err(|_| Rejection::WrongEngine)?;
    let (Some(data), Some(metadata)) = (versioned.data, versioned.metadata) else {
        return Err(Rejection::WrongEngine);
    };
    Ok(Secret {
        fields: fields(data)?,
        version: metadata.version,
        tags: tags(metadata.custom.unwrap_or_default()),
        created: metadata.created_time,
        ends: !metadata.deletion_time.is_empty(),
    })
}

/// A secret whose values are JSON as they came, to be written back as they are.
pub(super) fn raw_secret(version: KvVersion, data: &RawValue) -> Result<Secret, Rejection> {
    let (fields, version, tags) = match version {
        KvVersion::One => (raw_fields(data)?, None, BTreeSet::new()),
        KvVersion::Two => {
            let parsed: Result<Versioned<'_>, _> = serde_json::from_str(data.get());
            let versioned = parsed.map_err(|_| Rejection::WrongEngine)?;
            let (Some(data), Some(metadata)) = (versioned.data, versioned.metadata) else {
                return Err(Rejection::WrongEngine);
            };
            let tags = tags(metadata.custom.unwrap_or_default());
            (raw_fields(data)?, metadata.version, tags)
        }
    };
    Ok(Secret {
        fields,
        version,
        tags,
        created: String::new(),
        ends: false,
    })
}

fn raw_fields(data: &RawValue) -> Result<BTreeMap<String, SecretValue>, Rejection> {
    let fields: BTreeMap<String, &RawValue> =
        serde_json::from_str(data.get()).map_err(|_| Rejection::WrongEngine)?;
    let raw = |(name, value): (String, &RawValue)| (name, SecretValue::from(value.get()));
    Ok(fields.into_iter().map(raw).collect())
}

/// What a value that came as JSON says.
pub(super) fn plain_value(raw: &SecretValue) -> Result<SecretValue, Rejection> {
    let parsed: Result<&RawValue, _> = serde_json::from_slice(raw.expose());
    value_of(parsed.map_err(|_| Rejection::WrongEngine)?)
}

fn tags(custom: BTreeMap<String, String>) -> BTreeSet<String> {
    custom
        .into_iter()
        .flat_map(|(key, value)| [format!("{key}={value}"), key])
        .collect()
}

fn fields(data: &RawValue) -> Result<BTreeMap<String, SecretValue>, Rejection> {
    let fields: BTreeMap<String, &RawValue> =
        serde_json::from_str(data.get()).map_err(|_| Rejection::WrongEngine)?;
    fields
        .into_iter()
        .map(|(name, value)| Ok((name, value_of(value)?)))
        .collect()
}

/// A string is its text; anything else is JSON text, numbers digit by digit as they came.
fn value_of(value: &RawValue) -> Result<SecretValue, Rejection> {
    let text = value.get();
    let text = if text.starts_with('"') {
        serde_json::from_str(text).map_err(|_| Rejection::WrongEngine)?
    } else {
        json::compact(text).map_err(|_| Rejection::WrongEngine)?
    };
    Ok(SecretValue::new(text))
}

/// The names in a folder; those of folders end in a slash.
pub(super) fn names(data: &RawValue) -> Result<Vec<String>, Rejection> {
    #[derive(Deserialize)]
    struct Listing {
        keys: Vec<String>,
    }
    let listing: Listing = serde_json::from_str(data.get()).map_err(|_| Rejection::WrongEngine)?;
    Ok(listing.keys)
}

#[derive(Deserialize)]
struct History {
    current_version: u64,
    #[serde(default)]
    custom_metadata: Option<BTreeMap<String, String>>,
    #[serde(default)]
    versions: BTreeMap<String, OneVersion>,
}

#[derive(Deserialize)]
struct OneVersion {
    created_time: String,
    #[serde(default)]
    deletion_time: String,
    #[serde(default)]
    destroyed: bool,
}

/// How a secret stands, by the metadata of one.
pub(super) fn standing(data: &RawValue) -> Result<Standing, Rejection> {
    let history: History = serde_json::from_str(data.get()).map_err(|_| Rejection::WrongEngine)?;
    let newest = history.versions.get(&history.current_version.to_string());
    match newest {
        None if history.current_version > 0 => Err(Rejection::WrongEngine),
        Some(newest) if newest.deletion_time.is_empty() && !newest.destroyed => {
            Ok(Standing::Live {
                version: history.current_version,
                created: newest.created_time.clone(),
                tags: tags(history.custom_metadata.unwrap_or_default()),
            })
        }
        _ => Ok(Standing::Gone),
    }
}

/// The names in a folder, with how each secret stands; those of folders end in a slash.
pub(super) fn standings(data: &RawValue) -> Result<Vec<(String, Option<Standing>)>, Rejection> {
    #[derive(Deserialize)]
    struct Listing<'a> {
        keys: Vec<String>,
        #[serde(borrow)]
        key_info: BTreeMap<String, &'a RawValue>,
    }
    let listing: Listing<'_> =
        serde_json::from_str(data.get()).map_err(|_| Rejection::WrongEngine)?;
    let stands = |name: String| {
        if name.ends_with('/') {
            return Ok((name, None));
        }
        let metadata = listing.key_info.get(&name).ok_or(Rejection::WrongEngine)?;
        Ok((name, Some(standing(metadata)?)))
    };
    listing.keys.into_iter().map(stands).collect()
}

/// Whether metadata, which exist, tell of a secret that has no version yet.
pub(super) fn never_written(data: &RawValue) -> Result<bool, Rejection> {
    Ok(newest_version(data)? == 0)
}

/// The number of the newest version, 0 before the first, whether it is deleted or not.
pub(super) fn newest_version(data: &RawValue) -> Result<u64, Rejection> {
    #[derive(Deserialize)]
    struct History {
        current_version: u64,
    }
    let history: History = serde_json::from_str(data.get()).map_err(|_| Rejection::WrongEngine)?;
    Ok(history.current_version)
}

/// Versions of the KV engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum KvVersion {
    One,
    Two,
}

/// What is mounted somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mount {
    /// A KV engine, mounted exactly there.
    Kv(KvVersion),
    /// A KV engine, mounted further up.
    Above,
    /// Another engine, which may make a new credential for each read.
    Other,
}

/// Reads `sys/internal/ui/mounts/<mount>`. `mount` has no slash at either end.
pub(super) fn mount(data: &RawValue, mount: &str) -> Result<Mount, Rejection> {
    #[derive(Deserialize)]
    struct Mounted {
        path: String,
        #[serde(rename = "type")]
        engine: String,
        #[serde(default)]
        options: Option<BTreeMap<String, String>>,
    }
    let mounted: Mounted =
        serde_json::from_str(data.get()).map_err(|_| Rejection::Unbelievable(200))?;
    // `generic` is what KV was called before it had a name.
    if mounted.engine != "kv" && mounted.engine != "generic" {
        return Ok(Mount::Other);
    }
    if mounted.path.trim_matches('/') != mount {
        return Ok(Mount::Above);
    }
    let version = mounted.options.unwrap_or_default().remove("version");
    match version.as_deref() {
        None | Some("" | "1") => Ok(Mount::Kv(KvVersion::One)),
        Some("2") => Ok(Mount::Kv(KvVersion::Two)),
        Some(_) => Ok(Mount::Other),
    }
}

#[cfg(test)]
mod tests;
