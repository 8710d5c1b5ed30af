//! What an account may see.

use serde_json::{Map, Value, json};

use super::failures::no_cipher;
use super::model::{Account, Flavour, Model, StoredCipher};
use super::routes::Call;
use super::tokens::numbers;
use crate::server::Reply;

/// Types of items that need a client that knows them.
const SSH_KEY: u64 = 5;
/// The first client that does.
const KNOWS_SSH_KEYS: (u32, u32) = (2024, 12);

/// `GET /api/config`
pub(super) fn config(model: &Model) -> Reply {
    let server = match model.behaviour.flavour {
        Flavour::Official => Value::Null,
        Flavour::Vaultwarden => {
            json!({"name": "Vaultwarden", "url": "https://github.com/dani-garcia/vaultwarden"})
        }
    };
    let body = json!({
        "object": "config", "version": "2026.8.0", "gitHash": "0000000", "server": server,
        "environment": {}, "featureStates": {}, "settings": {"disableUserRegistration": false},
    });
    Reply::json(200, &body)
}

/// `GET /api/accounts/revision-date`: a bare number.
pub(super) fn revision_date(model: &Model, call: &Call<'_>) -> Result<Reply, Reply> {
    let account = account(model, call)?;
    Ok(Reply::json(200, &json!(account.revision)))
}

/// `GET /api/sync`
pub(super) fn sync(model: &Model, call: &Call<'_>) -> Result<Reply, Reply> {
    let account = account(model, call)?;
    let organizations: Vec<_> = account
        .organizations
        .iter()
        .filter_map(|(id, key)| {
            let organization = model.organizations.get(id)?;
            Some(json!({
                "id": id, "name": organization.name, "key": key, "enabled": organization.enabled,
                "status": 2, "type": 2, "object": "profileOrganization",
            }))
        })
        .collect();
    let (kind, iterations, memory, parallelism) = numbers(account.kdf);
    let domains = match call.request.parameter("excludeDomains") {
        Some("true") => Value::Null,
        _ => json!({"equivalentDomains": [], "globalEquivalentDomains": [], "object": "domains"}),
    };
    let body = json!({
        "object": "sync",
        "profile": {
            "id": call.account, "name": null, "email": account.email, "emailVerified": true,
            "key": account.key, "privateKey": account.private_key,
            "securityStamp": account.security_stamp, "organizations": organizations,
            "providers": [], "providerOrganizations": [], "object": "profile", "premium": true,
            "culture": "en-US", "twoFactorEnabled": false, "forcePasswordReset": false,
            "usesKeyConnector": false, "avatarColor": null,
        },
        "folders": own_folders(model, call),
        "collections": own_collections(model, account),
        "policies": [],
        "ciphers": own_ciphers(model, call, account),
        "domains": domains,
        "sends": [],
        "userDecryption": {"masterPasswordUnlock": {
            "kdf": {
                "kdfType": kind, "iterations": iterations, "memory": memory, "parallelism": parallelism,
            },
            "masterKeyEncryptedUserKey": account.key,
            "salt": account.email.trim().to_lowercase(),
        }},
    });
    Ok(reply(model, body))
}

/// `GET /api/ciphers`
pub(super) fn ciphers(model: &Model, call: &Call<'_>) -> Result<Reply, Reply> {
    let account = account(model, call)?;
    Ok(list(model, &own_ciphers(model, call, account)))
}

/// `GET /api/ciphers/{id}`
pub(super) fn cipher(model: &Model, call: &Call<'_>, id: &str) -> Result<Reply, Reply> {
    let account = account(model, call)?;
    let cipher = model.ciphers.get(id);
    let cipher = cipher.filter(|cipher| cipher.is_seen_by(&call.account, account));
    let cipher = cipher.ok_or_else(|| no_cipher(model.behaviour.flavour))?;
    Ok(reply(model, whole(cipher, id, &call.account)))
}

/// `GET /api/folders`
pub(super) fn folders(model: &Model, call: &Call<'_>) -> Result<Reply, Reply> {
    account(model, call)?;
    Ok(list(model, &own_folders(model, call)))
}

/// `GET /api/collections`
pub(super) fn collections(model: &Model, call: &Call<'_>) -> Result<Reply, Reply> {
    let account = account(model, call)?;
    Ok(list(model, &own_collections(model, account)))
}

fn account<'a>(model: &'a Model, call: &Call<'_>) -> Result<&'a Account, Reply> {
    let account = model.accounts.get(&call.account);
    account.ok_or_else(|| super::failures::unauthorized(model.behaviour.flavour))
}

fn own_folders(model: &Model, call: &Call<'_>) -> Vec<Value> {
    let own = model.folders.iter();
    own.filter(|(_, folder)| folder.account == call.account)
        .map(|(id, folder)| {
            json!({
                "id": id, "name": folder.name, "revisionDate": "2026-01-02T03:04:05.6789012Z",
                "object": "folder",
            })
        })
        .collect()
}

fn own_collections(model: &Model, account: &Account) -> Vec<Value> {
    let seen = model.collections.iter();
    seen.filter(|(_, it)| account.organizations.contains_key(&it.organization))
        .map(|(id, collection)| {
            json!({
                "id": id, "organizationId": collection.organization, "name": collection.name,
                "externalId": null, "readOnly": false, "hidePasswords": false, "manage": false,
                "type": 0, "object": "collectionDetails",
            })
        })
        .collect()
}

fn own_ciphers(model: &Model, call: &Call<'_>, account: &Account) -> Vec<Value> {
    let knows_ssh_keys = model.behaviour.flavour == Flavour::Official
        || call
            .request
            .header("bitwarden-client-version")
            .and_then(version)
            .is_some_and(|version| version >= KNOWS_SSH_KEYS);
    let seen = model.ciphers.iter();
    seen.filter(|(_, cipher)| cipher.is_seen_by(&call.account, account))
        .filter(|(_, cipher)| knows_ssh_keys || cipher.data["type"].as_u64() != Some(SSH_KEY))
        .map(|(id, cipher)| whole(cipher, id, &call.account))
        .collect()
}

fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

/// An item as it is answered: what clients sent, and what the server adds.
pub(super) fn whole(cipher: &StoredCipher, id: &str, account: &str) -> Value {
    let mut all = Map::new();
    for member in [
        "login",
        "secureNote",
        "card",
        "identity",
        "sshKey",
        "bankAccount",
        "driversLicense",
        "passport",
        "notes",
        "key",
        "attachments",
        "data",
    ] {
        all.insert(member.to_owned(), Value::Null);
    }
    for member in ["fields", "passwordHistory"] {
        all.insert(member.to_owned(), json!([]));
    }
    let added = json!({
        "object": "cipherDetails", "id": id, "organizationId": cipher.organization,
        "folderId": cipher.folders.get(account), "collectionIds": cipher.collections,
        "favorite": false, "reprompt": 0, "edit": true, "viewPassword": true,
        "permissions": {"delete": true, "restore": true}, "organizationUseTotp": false,
        "creationDate": cipher.created, "revisionDate": cipher.revised,
        "deletedDate": cipher.deleted, "archivedDate": null,
    });
    if let Value::Object(added) = added {
        all.extend(added);
    }
    all.extend(cipher.data.clone());
    Value::Object(all)
}

fn list(model: &Model, data: &[Value]) -> Reply {
    reply(
        model,
        json!({"object": "list", "data": data, "continuationToken": null}),
    )
}

pub(super) fn reply(model: &Model, body: Value) -> Reply {
    let body = if model.behaviour.capitals {
        with_capitals(body)
    } else {
        body
    };
    Reply::json(200, &body)
}

/// Members as older servers write them.
fn with_capitals(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| {
                let mut letters = name.chars();
                let first = letters.next().map(|letter| letter.to_ascii_uppercase());
                let name: String = first.into_iter().chain(letters).collect();
                (name, with_capitals(value))
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(with_capitals).collect(),
        other => other,
    }
}
