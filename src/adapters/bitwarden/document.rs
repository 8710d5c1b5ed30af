//! The answer of `GET /sync`: everything that an account may see, as ciphertext.
//!
//! Members begin with a small letter on newer servers and a capital one on older ones; both are read. Members that
//! nobody needs here are skipped, and so are types of items that are not known.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::kdf::Numbers;
use crate::bitwarden_common::answer::{self, Rejection};

/// The answer.
#[derive(Debug, Deserialize)]
pub(super) struct Document {
    #[serde(alias = "Profile")]
    pub(super) profile: Profile,
    #[serde(alias = "Folders")]
    pub(super) folders: Vec<Folder>,
    #[serde(alias = "Collections")]
    pub(super) collections: Vec<Collection>,
    #[serde(alias = "Ciphers")]
    pub(super) ciphers: Vec<Cipher>,
    #[serde(default, rename = "userDecryption", alias = "UserDecryption")]
    pub(super) user_decryption: Option<UserDecryption>,
    #[serde(alias = "Object")]
    object: String,
}

/// Reads it; what is not a whole answer is none.
pub(super) fn document(body: &[u8]) -> Result<Document, Rejection> {
    let document: Document = answer::read(body)?;
    if document.object == "sync" {
        Ok(document)
    } else {
        Err(Rejection::Unbelievable(200))
    }
}

/// The account.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Profile {
    #[serde(alias = "Email")]
    pub(super) email: String,
    #[serde(default, alias = "Key")]
    pub(super) key: Option<String>,
    #[serde(default, alias = "PrivateKey")]
    pub(super) private_key: Option<String>,
    #[serde(default, alias = "SecurityStamp")]
    pub(super) security_stamp: Option<String>,
    #[serde(default, alias = "Organizations", deserialize_with = "null_is_none")]
    pub(super) organizations: Vec<Organization>,
}

/// An organisation of the account.
#[derive(Debug, Deserialize)]
pub(super) struct Organization {
    #[serde(alias = "Id")]
    pub(super) id: String,
    /// In the clear.
    #[serde(default, alias = "Name")]
    pub(super) name: Option<String>,
    #[serde(default, alias = "Key")]
    pub(super) key: Option<String>,
    #[serde(default = "yes", alias = "Enabled")]
    pub(super) enabled: bool,
}

fn yes() -> bool {
    true
}

/// A folder of the account; its name is under the user key.
#[derive(Debug, Deserialize)]
pub(super) struct Folder {
    #[serde(alias = "Id")]
    pub(super) id: String,
    #[serde(alias = "Name")]
    pub(super) name: String,
}

/// A collection; its name is under the key of its organisation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Collection {
    #[serde(alias = "Id")]
    pub(super) id: String,
    #[serde(alias = "OrganizationId")]
    pub(super) organization_id: String,
    #[serde(alias = "Name")]
    pub(super) name: String,
}

/// An item.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cipher {
    #[serde(alias = "Id")]
    pub(super) id: String,
    #[serde(rename = "type", alias = "Type")]
    pub(super) kind: u32,
    #[serde(default, alias = "OrganizationId")]
    pub(super) organization_id: Option<String>,
    #[serde(default, alias = "FolderId")]
    pub(super) folder_id: Option<String>,
    #[serde(default, alias = "CollectionIds", deserialize_with = "null_is_none")]
    pub(super) collection_ids: Vec<String>,
    #[serde(default, alias = "RevisionDate")]
    pub(super) revision_date: Option<String>,
    #[serde(default, alias = "DeletedDate")]
    pub(super) deleted_date: Option<String>,
    #[serde(default, alias = "ViewPassword")]
    pub(super) view_password: Option<bool>,
    /// The item's own key, under that of the account or organisation.
    #[serde(default, alias = "Key")]
    pub(super) key: Option<String>,
    #[serde(default, alias = "Name")]
    pub(super) name: Option<String>,
    #[serde(default, alias = "Notes")]
    pub(super) notes: Option<String>,
    #[serde(default, alias = "Login")]
    pub(super) login: Option<Login>,
    #[serde(default, alias = "SshKey")]
    pub(super) ssh_key: Option<SshKey>,
    #[serde(default, alias = "Fields", deserialize_with = "null_is_none")]
    pub(super) fields: Vec<CustomField>,
    /// Whether there is a `data`: the item as one blob, which some accounts have in place of all the others.
    #[serde(
        default,
        rename = "data",
        alias = "Data",
        deserialize_with = "is_there"
    )]
    pub(super) has_data: bool,
}

/// A login.
#[derive(Debug, Deserialize)]
pub(super) struct Login {
    #[serde(default, alias = "Username")]
    pub(super) username: Option<String>,
    #[serde(default, alias = "Password")]
    pub(super) password: Option<String>,
    #[serde(default, alias = "Totp")]
    pub(super) totp: Option<String>,
    #[serde(default, alias = "Uris", deserialize_with = "null_is_none")]
    pub(super) uris: Vec<LoginUri>,
}

/// An address of a login.
#[derive(Debug, Deserialize)]
pub(super) struct LoginUri {
    #[serde(default, alias = "Uri")]
    pub(super) uri: Option<String>,
}

/// An SSH key.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SshKey {
    #[serde(default, alias = "PrivateKey")]
    pub(super) private_key: Option<String>,
    #[serde(default, alias = "PublicKey")]
    pub(super) public_key: Option<String>,
    #[serde(default, alias = "KeyFingerprint")]
    pub(super) key_fingerprint: Option<String>,
}

/// A field that somebody added.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CustomField {
    /// 0 text, 1 hidden, 2 boolean, 3 linked.
    #[serde(default, rename = "type", alias = "Type")]
    pub(super) kind: u32,
    #[serde(default, alias = "Name")]
    pub(super) name: Option<String>,
    #[serde(default, alias = "Value")]
    pub(super) value: Option<String>,
    /// 100 the user name, 101 the password.
    #[serde(default, alias = "LinkedId")]
    pub(super) linked_id: Option<u32>,
}

/// How the account's key is wrapped, as newer servers tell it.
#[derive(Debug, Deserialize)]
pub(super) struct UserDecryption {
    #[serde(
        default,
        rename = "masterPasswordUnlock",
        alias = "MasterPasswordUnlock"
    )]
    pub(super) unlock: Option<Unlock>,
}

/// The same for the master password.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Unlock {
    #[serde(alias = "Kdf")]
    pub(super) kdf: KdfNumbers,
    #[serde(default, alias = "MasterKeyEncryptedUserKey")]
    pub(super) master_key_encrypted_user_key: Option<String>,
    #[serde(default, alias = "Salt")]
    pub(super) salt: Option<String>,
}

/// The numbers of a derivation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KdfNumbers {
    #[serde(alias = "KdfType")]
    kdf_type: u64,
    #[serde(default, alias = "Iterations")]
    iterations: Option<u64>,
    #[serde(default, alias = "Memory")]
    memory: Option<u64>,
    #[serde(default, alias = "Parallelism")]
    parallelism: Option<u64>,
}

impl KdfNumbers {
    pub(super) fn numbers(&self) -> Numbers {
        (
            self.kdf_type,
            self.iterations,
            self.memory,
            self.parallelism,
        )
    }
}

fn null_is_none<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}

fn is_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(raw.get() != "null")
}

/// `GET /accounts/revision-date`: a bare number, milliseconds of the epoch. It grows with whatever the account may
/// see.
pub(super) fn revision_date(body: &[u8]) -> Result<i64, Rejection> {
    std::str::from_utf8(body.trim_ascii())
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(Rejection::Unbelievable(200))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASCAL: &str = r#"{"Object":"sync","Profile":{"Email":"a@b.test","Organizations":null},
        "Folders":[],"Collections":[],"Ciphers":[{"Id":"c","Type":9,"Key":null,"Name":"2.x","Surprise":{"a":[1]},
        "Data":null,"CollectionIds":null,"Fields":null}]}"#;

    #[test]
    fn capitals_unknown_types_and_nulls_are_taken() {
        let document = document(PASCAL.as_bytes()).unwrap();
        assert_eq!(document.profile.email, "a@b.test");
        assert_eq!(document.ciphers[0].kind, 9);
        assert!(!document.ciphers[0].has_data);
        let small = r#"{"object":"sync","profile":{"email":"a","organizations":[{"id":"o"}]},"folders":[],
            "collections":[],"ciphers":[{"id":"c","type":1,"name":null,"data":"{}"}]}"#;
        let document = super::document(small.as_bytes()).unwrap();
        assert!(document.ciphers[0].has_data);
        assert!(document.profile.organizations[0].enabled);
    }

    #[test]
    fn half_an_answer_is_none() {
        for text in [
            "",
            "{}",
            "[]",
            r#"{"object":"list","data":[]}"#,
            r#"{"object":"sync","profile":{"email":"a"},"folders":[],"collections":[]}"#,
            r#"{"object":"sync","profile":{"email":"a"},"collections":[],"ciphers":[]}"#,
            r#"{"object":"sync","profile":{"email":"a"},"folders":[],"collections":[],"ciphers":null}"#,
            r#"{"object":"sync","profile":{"email":"a"},"folders":[],"collections":[],"ciphers":[{"id":"c"}]}"#,
            r#"{"object":"other","profile":{"email":"a"},"folders":[],"collections":[],"ciphers":[]}"#,
            PASCAL.get(..PASCAL.len() / 2).unwrap(),
        ] {
            let rejection = document(text.as_bytes()).map(|_| ()).unwrap_err();
            assert_eq!(rejection, Rejection::Unbelievable(200), "{text}");
        }
    }

    #[test]
    fn a_revision_date_is_a_bare_number() {
        assert_eq!(revision_date(b"1767323045678"), Ok(1_767_323_045_678));
        for text in ["", "\"1\"", "{}", "1.5", "<html>", "99999999999999999999"] {
            assert!(revision_date(text.as_bytes()).is_err(), "{text}");
        }
    }
}
