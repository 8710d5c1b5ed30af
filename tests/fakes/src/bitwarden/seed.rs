//! What a Bitwarden holds when it starts, from a JSON document.
//!
//! ```json
//! {
//!   "account": {"email": "…", "password": "…", "clientSecret": "…", "id": "…"},
//!   "items": [
//!     {"folder": "Infra Vault", "name": "goblin-prod-db", "username": "app", "password": "…"},
//!     {"folder": "Infra Vault", "name": "goblin-prod-ssh", "note": "-----BEGIN …"}
//!   ]
//! }
//! ```

use std::collections::BTreeMap;

use serde::Deserialize;

use super::model::Model;
use super::owner::{Owner, Plain};
use crate::sealing::{Kdf, Seal};

/// One account, and what it holds.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Seed {
    /// The account.
    pub account: SeedAccount,
    /// Its items.
    #[serde(default)]
    pub items: Vec<SeedItem>,
}

/// An account.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedAccount {
    /// Its address.
    pub email: String,
    /// Its master password.
    pub password: String,
    /// The secret of its API key.
    pub client_secret: String,
    /// Its id: the API key's is `user.` and this.
    pub id: String,
}

/// An item: a login where it has a password, else a note.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedItem {
    /// Its folder.
    #[serde(default)]
    pub folder: Option<String>,
    /// Its name.
    pub name: String,
    /// A login's user name.
    #[serde(default)]
    pub username: Option<String>,
    /// A login's password.
    #[serde(default)]
    pub password: Option<String>,
    /// The text of a note.
    #[serde(default)]
    pub note: Option<String>,
}

impl TryFrom<Seed> for Model {
    type Error = Seal;

    fn try_from(seed: Seed) -> Result<Self, Seal> {
        let mut model = Self::default();
        let known = (seed.account.email.as_str(), seed.account.password.as_str());
        let kdf = Kdf::Pbkdf2(600_000);
        let mut owner = Owner::sign_up(&mut model, known, kdf, &seed.account.client_secret)?;
        if let Some(account) = model.accounts.remove(&owner.id) {
            model.accounts.insert(seed.account.id.clone(), account);
        }
        owner.id = seed.account.id;
        let mut folders = BTreeMap::new();
        for item in seed.items {
            let folder = match item.folder {
                None => None,
                Some(name) => Some(if let Some(id) = folders.get(&name) {
                    String::clone(id)
                } else {
                    let id = owner.folder(&mut model, &name)?;
                    folders.insert(name, id.clone());
                    id
                }),
            };
            let plain = match (&item.password, &item.note) {
                (Some(password), _) => Plain::Login(item.username.as_deref(), password),
                (None, note) => Plain::Note(note.as_deref().unwrap_or_default()),
            };
            owner.put(&mut model, folder.as_deref(), &item.name, plain)?;
        }
        Ok(model)
    }
}
