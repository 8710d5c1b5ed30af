//! Items and folders are taken as they are, as long as what must be encrypted looks like it, is not too long
//! (`src/Api/Vault/Models`), and is based on what is there.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::failures::{failure, invalid, no_cipher};
use super::model::{Folder, Model, StoredCipher};
use super::reading::{reply, whole};
use super::routes::Call;
use crate::sealing::is_sealed;
use crate::server::Reply;

/// Members of a request that are no members of an item.
const NOT_STORED: &[&str] = &[
    "lastKnownRevisionDate",
    "encryptedFor",
    "encryptedByKeyId",
    "organizationId",
    "folderId",
    "collectionIds",
];
/// How far a client's date may be from the stored one, because some cut it.
const TOLERANCE_MILLISECONDS: i64 = 1000;

type Members = Map<String, Value>;

/// `POST /api/ciphers`
pub(super) fn create(model: &mut Model, call: &Call<'_>) -> Result<Reply, Reply> {
    let body = object(call.body)?;
    if body.get("organizationId").is_some_and(|id| !id.is_null()) {
        return Err(invalid(
            "OrganizationId",
            "Use the endpoint for organisations.",
        ));
    }
    let cipher = StoredCipher {
        account: Some(call.account.clone()),
        ..StoredCipher::default()
    };
    store_new(model, call, cipher, &body)
}

/// `POST /api/ciphers/create`
pub(super) fn create_shared(model: &mut Model, call: &Call<'_>) -> Result<Reply, Reply> {
    let body = object(call.body)?;
    let inner = body.get("cipher").and_then(Value::as_object).cloned();
    let inner = inner.ok_or_else(|| invalid("Cipher", "The Cipher field is required."))?;
    let organization = inner.get("organizationId").and_then(Value::as_str);
    let organization = organization.filter(|id| {
        let account = model.accounts.get(&call.account);
        account.is_some_and(|account| account.organizations.contains_key(*id))
    });
    let organization = organization.ok_or_else(|| no_cipher(model.behaviour.flavour))?;
    let collections = body.get("collectionIds").and_then(Value::as_array);
    let collections: std::collections::BTreeSet<String> = collections
        .into_iter()
        .flatten()
        .filter_map(|id| id.as_str().map(str::to_owned))
        .collect();
    let known = |id: &String| {
        let collection = model.collections.get(id);
        collection.is_some_and(|collection| collection.organization == organization)
    };
    if collections.is_empty() || !collections.iter().all(known) {
        return Err(invalid(
            "CollectionIds",
            "You must select at least one collection.",
        ));
    }
    let cipher = StoredCipher {
        organization: Some(organization.to_owned()),
        collections,
        ..StoredCipher::default()
    };
    store_new(model, call, cipher, &inner)
}

fn store_new(
    model: &mut Model,
    call: &Call<'_>,
    mut cipher: StoredCipher,
    body: &Members,
) -> Result<Reply, Reply> {
    check(body)?;
    put_into_folder(model, call, &mut cipher, body)?;
    let (id, date) = (model.id("cipher"), model.date());
    cipher.data = stored(body);
    (cipher.created, cipher.revised) = (date.clone(), date);
    model.ciphers.insert(id.clone(), cipher);
    Ok(written(model, call, &id))
}

/// `PUT /api/ciphers/{id}`: all of it is replaced.
pub(super) fn replace(model: &mut Model, call: &Call<'_>, id: &str) -> Result<Reply, Reply> {
    let body = object(call.body)?;
    let flavour = model.behaviour.flavour;
    let mut cipher = seen(model, call, id)?;
    check(&body)?;
    let organization = body.get("organizationId").and_then(Value::as_str);
    if organization != cipher.organization.as_deref() {
        let message =
            "Organization mismatch. Re-sync if you recently moved this item, then try again.";
        return Err(failure(flavour, 400, message));
    }
    if let Some(known) = body.get("lastKnownRevisionDate").and_then(Value::as_str) {
        let apart = |stored: Timestamp, known: Timestamp| {
            (stored.as_millisecond() - known.as_millisecond()).abs() > TOLERANCE_MILLISECONDS
        };
        let stale = match (cipher.revised.parse(), known.parse()) {
            (Ok(stored), Ok(known)) => apart(stored, known),
            _ => return Err(invalid("LastKnownRevisionDate", "The date is not valid.")),
        };
        if stale {
            let message =
                "The client copy of this cipher is out of date. Resync the client and try again.";
            return Err(failure(flavour, 400, message));
        }
    }
    put_into_folder(model, call, &mut cipher, &body)?;
    cipher.data = stored(&body);
    cipher.revised = model.date();
    model.ciphers.insert(id.to_owned(), cipher);
    Ok(written(model, call, id))
}

/// `PUT /api/ciphers/{id}/partial`: folder and favourite.
pub(super) fn partial(model: &mut Model, call: &Call<'_>, id: &str) -> Result<Reply, Reply> {
    let body = object(call.body)?;
    let mut cipher = seen(model, call, id)?;
    put_into_folder(model, call, &mut cipher, &body)?;
    model.ciphers.insert(id.to_owned(), cipher);
    Ok(written(model, call, id))
}

/// `PUT /api/ciphers/{id}/delete` and `…/restore`
pub(super) fn bin(
    model: &mut Model,
    call: &Call<'_>,
    id: &str,
    into: bool,
) -> Result<Reply, Reply> {
    let mut cipher = seen(model, call, id)?;
    let date = model.date();
    cipher.deleted = into.then(|| date.clone());
    cipher.revised = date;
    model.ciphers.insert(id.to_owned(), cipher);
    Ok(written(model, call, id))
}

/// `DELETE /api/ciphers/{id}`
pub(super) fn delete(model: &mut Model, call: &Call<'_>, id: &str) -> Result<Reply, Reply> {
    let cipher = seen(model, call, id)?;
    model.ciphers.remove(id);
    model.changed(Some(&call.account), cipher.organization.as_deref());
    Ok(Reply::new(200, ""))
}

/// `POST /api/folders`
pub(super) fn create_folder(model: &mut Model, call: &Call<'_>) -> Result<Reply, Reply> {
    let body = object(call.body)?;
    let name = sealed(&body, "name", "Name", 1000)?;
    let name = name.ok_or_else(|| invalid("Name", "The Name field is required."))?;
    let folder = Folder {
        account: call.account.clone(),
        name: name.to_owned(),
    };
    let (id, date) = (model.id("folder"), model.date());
    let answer = serde_json::json!({
        "id": id, "name": folder.name, "revisionDate": date, "object": "folder",
    });
    model.folders.insert(id, folder);
    model.changed(Some(&call.account), None);
    Ok(reply(model, answer))
}

/// `DELETE /api/folders/{id}`: what lies in it stays, in none.
pub(super) fn delete_folder(model: &mut Model, call: &Call<'_>, id: &str) -> Result<Reply, Reply> {
    let folder = model.folders.get(id);
    if folder.is_none_or(|folder| folder.account != call.account) {
        return Err(failure(model.behaviour.flavour, 404, "Resource not found."));
    }
    model.folders.remove(id);
    for cipher in model.ciphers.values_mut() {
        cipher.folders.retain(|_, folder| folder != id);
    }
    model.changed(Some(&call.account), None);
    Ok(Reply::new(200, ""))
}

fn seen(model: &Model, call: &Call<'_>, id: &str) -> Result<StoredCipher, Reply> {
    let account = model.accounts.get(&call.account);
    let cipher = model.ciphers.get(id);
    cipher
        .zip(account)
        .filter(|(cipher, account)| cipher.is_seen_by(&call.account, account))
        .map(|(cipher, _)| cipher.clone())
        .ok_or_else(|| no_cipher(model.behaviour.flavour))
}

fn put_into_folder(
    model: &Model,
    call: &Call<'_>,
    cipher: &mut StoredCipher,
    body: &Members,
) -> Result<(), Reply> {
    match body.get("folderId").and_then(Value::as_str) {
        None => {
            cipher.folders.remove(&call.account);
        }
        Some(id) => {
            let folder = model.folders.get(id);
            if folder.is_none_or(|folder| folder.account != call.account) {
                return Err(invalid("FolderId", "The folder does not exist."));
            }
            cipher.folders.insert(call.account.clone(), id.to_owned());
        }
    }
    Ok(())
}

fn written(model: &mut Model, call: &Call<'_>, id: &str) -> Reply {
    let cipher = model.ciphers.get(id).cloned().unwrap_or_default();
    model.changed(Some(&call.account), cipher.organization.as_deref());
    reply(model, whole(&cipher, id, &call.account))
}

fn stored(body: &Members) -> Members {
    let mut data = body.clone();
    data.retain(|name, value| !NOT_STORED.contains(&name.as_str()) && !value.is_null());
    data
}

/// What must be encrypted is, and is not too long.
fn check(body: &Members) -> Result<(), Reply> {
    let kind = body.get("type").and_then(Value::as_u64);
    if !kind.is_some_and(|kind| (1..=8).contains(&kind)) {
        return Err(invalid("Type", "The value is not valid for Type."));
    }
    if sealed(body, "name", "Name", 1000)?.is_none() {
        return Err(invalid("Name", "The Name field is required."));
    }
    sealed(body, "notes", "Notes", 10_000)?;
    sealed(body, "key", "Key", 1000)?;
    if let Some(login) = body.get("login").and_then(Value::as_object) {
        sealed(login, "username", "Login.Username", 1000)?;
        sealed(login, "password", "Login.Password", 5000)?;
        sealed(login, "totp", "Login.Totp", 1000)?;
    }
    if let Some(key) = body.get("sshKey").and_then(Value::as_object) {
        sealed(key, "privateKey", "SSHKey.PrivateKey", 5000)?;
        sealed(key, "publicKey", "SSHKey.PublicKey", 5000)?;
        sealed(key, "keyFingerprint", "SSHKey.KeyFingerprint", 1000)?;
    }
    let fields = body.get("fields").and_then(Value::as_array);
    for field in fields.into_iter().flatten().filter_map(Value::as_object) {
        sealed(field, "name", "Fields.Name", 1000)?;
        sealed(field, "value", "Fields.Value", 5000)?;
    }
    Ok(())
}

fn sealed<'a>(
    members: &'a Members,
    name: &str,
    path: &str,
    longest: usize,
) -> Result<Option<&'a str>, Reply> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() > longest => Err(invalid(
            path,
            &format!("The field {path} exceeds the maximum encrypted value length of {longest}."),
        )),
        Some(Value::String(text)) if is_sealed(text) => Ok(Some(text)),
        Some(_) => Err(invalid(
            path,
            &format!("{path} is not a valid encrypted string."),
        )),
    }
}

fn object(body: &[u8]) -> Result<Members, Reply> {
    serde_json::from_slice(body).map_err(|_| invalid("", "A non-empty request body is required."))
}
