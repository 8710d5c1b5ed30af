//! The values of one item.
//!
//! | type | read by default | fields by name |
//! |---|---|---|
//! | login (1) | `password` | `username`, `password`, `uri` (the first), `totp` (the seed; only by name) |
//! | secure note (2) | `notes` | |
//! | SSH key (5) | `privateKey` | `privateKey`, `publicKey`, `fingerprint` |
//! | any | | `notes`, and whatever fields somebody added, by their names or as `fields.<name>` |

use penstock_domain::secret::SecretValue;

use super::document::{Cipher, CustomField};
use super::error::ItemProblem;
use crate::bitwarden_common::enc_string;
use crate::bitwarden_common::keys::SymmetricKey;

/// Types of items; cards and identities lie between the last two.
const LOGIN: u32 = 1;
const NOTE: u32 = 2;
const SSH_KEY: u32 = 5;

/// Types of fields, and what a linked one leads to.
const BOOLEAN: u32 = 2;
const LINKED: u32 = 3;
const LINKED_USERNAME: u32 = 100;
const LINKED_PASSWORD: u32 = 101;

/// What names a field that somebody added, where a usual one has the same name.
const ADDED: &str = "fields.";

/// An item with the key that opens it.
pub(super) struct Item<'a> {
    pub(super) cipher: &'a Cipher,
    pub(super) key: &'a SymmetricKey,
}

/// Whether an item is of a type that is known: the others are passed over.
pub(super) fn is_known(cipher: &Cipher) -> bool {
    (LOGIN..=SSH_KEY).contains(&cipher.kind)
}

/// Whether an item may have a field, by its type alone.
pub(super) fn may_have(cipher: &Cipher, field: Option<&str>) -> bool {
    is_known(cipher) && (field.is_some() || matches!(cipher.kind, LOGIN | NOTE | SSH_KEY))
}

type Value = Result<Option<SecretValue>, ItemProblem>;

impl Item<'_> {
    /// One field; the usual one where none is named. None: the item has no such field.
    pub(super) fn value(&self, field: Option<&str>) -> Value {
        self.check_form()?;
        match field {
            None => match self.cipher.kind {
                LOGIN => self.password(),
                NOTE => self.decrypt(self.cipher.notes.as_deref()),
                SSH_KEY => self.usual("privateKey"),
                _ => Ok(None),
            },
            Some(name) => match self.usual(name)? {
                Some(value) => Ok(Some(value)),
                None => self.added(name.strip_prefix(ADDED).unwrap_or(name)),
            },
        }
    }

    /// All fields with their names, but for the seed of one-time passwords.
    pub(super) fn values(&self) -> Result<Vec<(String, SecretValue)>, ItemProblem> {
        self.check_form()?;
        let mut values = Vec::new();
        for name in [
            "username",
            "password",
            "uri",
            "privateKey",
            "publicKey",
            "fingerprint",
            "notes",
        ] {
            if let Some(value) = self.usual(name)? {
                values.push((name.to_owned(), value));
            }
        }
        for field in &self.cipher.fields {
            let Some(value) = self.value_of(field)? else {
                continue;
            };
            let name = self.name_of(field)?;
            // The usual one has the name; this one can be asked for.
            if values.iter().all(|(known, _)| *known != name) {
                values.push((name, value));
            } else {
                values.push((format!("{ADDED}{name}"), value));
            }
        }
        Ok(values)
    }

    /// The name.
    pub(super) fn name(&self) -> Result<String, ItemProblem> {
        self.check_form()?;
        let name = self.cipher.name.as_deref().ok_or(ItemProblem::Name)?;
        text(&enc_string::decrypt(name, self.key)?)
    }

    /// Accounts with blob encryption have everything in `data`: there is then no name, or no login in a login.
    fn check_form(&self) -> Result<(), ItemProblem> {
        let lacks_its_part = match self.cipher.kind {
            LOGIN => self.cipher.login.is_none(),
            SSH_KEY => self.cipher.ssh_key.is_none(),
            _ => false,
        };
        if self.cipher.has_data && (self.cipher.name.is_none() || lacks_its_part) {
            return Err(ItemProblem::Blob);
        }
        Ok(())
    }

    fn usual(&self, name: &str) -> Value {
        let (login, ssh) = (self.cipher.login.as_ref(), self.cipher.ssh_key.as_ref());
        let part = match name {
            "password" => return self.password(),
            "username" => login.and_then(|login| login.username.as_deref()),
            "totp" => login.and_then(|login| login.totp.as_deref()),
            "uri" => login
                .and_then(|login| login.uris.first())
                .and_then(|uri| uri.uri.as_deref()),
            "notes" => self.cipher.notes.as_deref(),
            "privateKey" => ssh.and_then(|ssh| ssh.private_key.as_deref()),
            "publicKey" => ssh.and_then(|ssh| ssh.public_key.as_deref()),
            "fingerprint" => ssh.and_then(|ssh| ssh.key_fingerprint.as_deref()),
            _ => None,
        };
        self.decrypt(part)
    }

    fn password(&self) -> Value {
        let Some(login) = &self.cipher.login else {
            return Ok(None);
        };
        if login.password.is_none() && self.cipher.view_password == Some(false) {
            return Err(ItemProblem::Hidden);
        }
        self.decrypt(login.password.as_deref())
    }

    fn added(&self, wanted: &str) -> Value {
        let mut found = None;
        for field in &self.cipher.fields {
            if self.name_of(field)? != wanted {
                continue;
            }
            if found.is_some() {
                return Err(ItemProblem::TwoFields);
            }
            found = Some(field);
        }
        match found {
            Some(field) => self.value_of(field),
            None => Ok(None),
        }
    }

    fn name_of(&self, field: &CustomField) -> Result<String, ItemProblem> {
        match &field.name {
            Some(name) => text(&enc_string::decrypt(name, self.key)?),
            None => Ok(String::new()),
        }
    }

    /// A field that is there and has no value is empty: clients store nothing for it.
    fn value_of(&self, field: &CustomField) -> Value {
        if field.kind == LINKED {
            return match field.linked_id {
                Some(LINKED_USERNAME) => self.usual("username"),
                Some(LINKED_PASSWORD) => self.password(),
                _ => Ok(None),
            };
        }
        let unset = if field.kind == BOOLEAN { "false" } else { "" };
        let value = self.decrypt(field.value.as_deref())?;
        Ok(Some(value.unwrap_or_else(|| SecretValue::from(unset))))
    }

    fn decrypt(&self, part: Option<&str>) -> Value {
        let Some(part) = part else {
            return Ok(None);
        };
        let mut bytes = enc_string::decrypt(part, self.key)?;
        Ok(Some(SecretValue::new(std::mem::take(&mut *bytes))))
    }
}

/// A name, which is text.
pub(super) fn text(bytes: &[u8]) -> Result<String, ItemProblem> {
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| ItemProblem::Name)
}
