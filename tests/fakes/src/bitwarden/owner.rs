//! Whoever owns an account: has its password and its keys, and fills the server with ciphertext.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value, json};

use super::model::{Account, Collection, Folder, Model, Organization, StoredCipher};
use crate::sealing::{Kdf, RsaKey, Seal, SealKey};

/// The owner of one account.
pub struct Owner {
    /// The account's id; its API key is `user.<id>`.
    pub id: String,
    /// The user key.
    pub key: SealKey,
    rsa: RsaKey,
    organizations: BTreeMap<String, SealKey>,
}

impl fmt::Debug for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Owner({})", self.id)
    }
}

/// What an item is made of, in the clear.
#[derive(Debug, Clone, Copy)]
pub enum Plain<'a> {
    /// A login's user name and password.
    Login(Option<&'a str>, &'a str),
    /// The text of a note.
    Note(&'a str),
    /// Private key, public key and fingerprint.
    SshKey(&'a str, &'a str, &'a str),
}

impl Owner {
    /// Makes an account, and its owner.
    pub fn sign_up(
        model: &mut Model,
        (email, password): (&str, &str),
        kdf: Kdf,
        client_secret: &str,
    ) -> Result<Self, Seal> {
        let id = model.id("account");
        let key = SealKey::generate()?;
        let owner = Self {
            id: id.clone(),
            key,
            rsa: RsaKey::generate()?,
            organizations: BTreeMap::new(),
        };
        let master = kdf.master_key(password, &email.trim().to_lowercase())?;
        let account = Account {
            email: email.to_owned(),
            client_secret: client_secret.to_owned(),
            kdf,
            key: SealKey::stretched(&master).seal(owner.key.bytes())?,
            private_key: owner.key.seal(&owner.rsa.private)?,
            public_key: owner.rsa.public.clone(),
            security_stamp: model.id("stamp"),
            revision: model.now(),
            organizations: BTreeMap::new(),
        };
        model.accounts.insert(id, account);
        Ok(owner)
    }

    /// Changes the password, and with it the API key's tokens and the stamp.
    pub fn change_password(&self, model: &mut Model, password: &str) -> Result<(), Seal> {
        let stamp = model.id("stamp");
        if let Some(account) = model.accounts.get_mut(&self.id) {
            let salt = account.email.trim().to_lowercase();
            let master = account.kdf.master_key(password, &salt)?;
            account.key = SealKey::stretched(&master).seal(self.key.bytes())?;
            account.security_stamp = stamp;
        }
        model.revoke_all();
        Ok(())
    }

    /// Makes an organisation with the account as a member; gives its id.
    pub fn found(&mut self, model: &mut Model, name: &str) -> Result<String, Seal> {
        let id = model.id("organization");
        let key = SealKey::generate()?;
        let organization = Organization {
            name: name.to_owned(),
            enabled: true,
        };
        model.organizations.insert(id.clone(), organization);
        let wrapped = self.rsa.wrap(&key)?;
        if let Some(account) = model.accounts.get_mut(&self.id) {
            account.organizations.insert(id.clone(), wrapped);
        }
        self.organizations.insert(id.clone(), key);
        model.changed(Some(&self.id), None);
        Ok(id)
    }

    /// Makes a folder; gives its id.
    pub fn folder(&self, model: &mut Model, name: &str) -> Result<String, Seal> {
        let id = model.id("folder");
        let folder = Folder {
            account: self.id.clone(),
            name: self.key.seal(name)?,
        };
        model.folders.insert(id.clone(), folder);
        model.changed(Some(&self.id), None);
        Ok(id)
    }

    /// Makes a collection; gives its id.
    pub fn collection(
        &self,
        model: &mut Model,
        organization: &str,
        name: &str,
    ) -> Result<String, Seal> {
        let id = model.id("collection");
        let collection = Collection {
            organization: organization.to_owned(),
            name: self.key_of(Some(organization))?.seal(name)?,
        };
        model.collections.insert(id.clone(), collection);
        model.changed(None, Some(organization));
        Ok(id)
    }

    /// Puts an item of one's own into a folder, or into none; gives its id.
    pub fn put(
        &self,
        model: &mut Model,
        folder: Option<&str>,
        name: &str,
        plain: Plain<'_>,
    ) -> Result<String, Seal> {
        let mut cipher = StoredCipher {
            account: Some(self.id.clone()),
            data: members(&self.key, name, plain)?,
            ..StoredCipher::default()
        };
        let folder = folder.map(|folder| (self.id.clone(), folder.to_owned()));
        cipher.folders.extend(folder);
        Ok(add(model, cipher))
    }

    /// Puts an item of an organisation into collections; gives its id.
    pub fn share(
        &self,
        model: &mut Model,
        (organization, collections): (&str, &[&str]),
        name: &str,
        plain: Plain<'_>,
    ) -> Result<String, Seal> {
        let key = self.key_of(Some(organization))?;
        let cipher = StoredCipher {
            organization: Some(organization.to_owned()),
            collections: collections.iter().map(|id| (*id).to_owned()).collect(),
            data: members(key, name, plain)?,
            ..StoredCipher::default()
        };
        Ok(add(model, cipher))
    }

    /// Gives an item a key of its own, under which everything is encrypted anew.
    pub fn put_with_own_key(
        &self,
        model: &mut Model,
        folder: Option<&str>,
        name: &str,
        plain: Plain<'_>,
    ) -> Result<String, Seal> {
        let id = self.put(model, folder, name, plain)?;
        let own = SealKey::generate()?;
        let mut data = members(&own, name, plain)?;
        data.insert("key".to_owned(), json!(self.key.seal(own.bytes())?));
        if let Some(cipher) = model.ciphers.get_mut(&id) {
            cipher.data = data;
        }
        Ok(id)
    }

    /// Adds a field to an item that is under the user key; types: 0 text, 1 hidden, 2 boolean.
    pub fn add_field(
        &self,
        model: &mut Model,
        id: &str,
        (kind, name, value): (u8, &str, &str),
    ) -> Result<(), Seal> {
        let field = json!({
            "type": kind, "name": self.key.seal(name)?, "value": self.key.seal(value)?,
            "linkedId": null,
        });
        if let Some(cipher) = model.ciphers.get_mut(id) {
            let fields = cipher.data.entry("fields").or_insert_with(|| json!([]));
            if let Some(fields) = fields.as_array_mut() {
                fields.push(field);
            }
        }
        model.changed(Some(&self.id), None);
        Ok(())
    }

    /// The key of the account, or of an organisation.
    pub fn key_of(&self, organization: Option<&str>) -> Result<&SealKey, Seal> {
        match organization {
            None => Ok(&self.key),
            Some(id) => self.organizations.get(id).ok_or(Seal),
        }
    }
}

fn add(model: &mut Model, mut cipher: StoredCipher) -> String {
    let (id, date) = (model.id("cipher"), model.date());
    (cipher.created, cipher.revised) = (date.clone(), date);
    let (account, organization) = (cipher.account.clone(), cipher.organization.clone());
    model.ciphers.insert(id.clone(), cipher);
    model.changed(account.as_deref(), organization.as_deref());
    id
}

/// An item as clients send it.
pub fn members(key: &SealKey, name: &str, plain: Plain<'_>) -> Result<Map<String, Value>, Seal> {
    let mut body = match plain {
        Plain::Login(username, password) => json!({
            "type": 1,
            "login": {
                "username": username.map(|text| key.seal(text)).transpose()?,
                "password": key.seal(password)?, "totp": null, "uris": [], "uri": null,
                "passwordRevisionDate": null, "autofillOnPageLoad": null, "fido2Credentials": null,
            },
        }),
        Plain::Note(text) => json!({
            "type": 2, "notes": key.seal(text)?, "secureNote": {"type": 0},
        }),
        Plain::SshKey(private, public, fingerprint) => json!({
            "type": 5,
            "sshKey": {
                "privateKey": key.seal(private)?, "publicKey": key.seal(public)?,
                "keyFingerprint": key.seal(fingerprint)?,
            },
        }),
    };
    body["name"] = json!(key.seal(name)?);
    match body {
        Value::Object(members) => Ok(members),
        _ => Err(Seal),
    }
}
