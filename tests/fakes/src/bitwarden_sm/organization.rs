//! Whoever owns an organisation: has its key, and fills the server with ciphertext.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::model::{AccessToken, Grant, Model, Project, Secret};
use crate::sealing::{Seal, SealKey};

/// The owner of an organisation.
pub struct Organization {
    key: SealKey,
}

impl fmt::Debug for Organization {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Organization(***)")
    }
}

impl Organization {
    /// Makes the organisation of a server.
    pub fn found(model: &mut Model) -> Result<Self, Seal> {
        model.organization = model.id("organization");
        Ok(Self {
            key: SealKey::generate()?,
        })
    }

    /// Its key.
    pub fn key(&self) -> &SealKey {
        &self.key
    }

    /// Makes a machine account with one access token; gives the account's id and the token.
    pub fn machine(
        &self,
        model: &mut Model,
        grants: &[(&str, Grant)],
    ) -> Result<(String, String), Seal> {
        let id = model.id("machine");
        let machine = model.machines.entry(id.clone()).or_default();
        for (project, grant) in grants {
            machine.grants.insert((*project).to_owned(), *grant);
        }
        let now = model.now();
        if let Some(machine) = model.machines.get_mut(&id) {
            machine.revision = now;
        }
        let token = self.token(model, &id, *b"0123456789abcdef")?;
        Ok((id, token))
    }

    /// Makes another access token.
    pub fn token(&self, model: &mut Model, machine: &str, seed: [u8; 16]) -> Result<String, Seal> {
        let (id, secret) = (model.id("token"), model.id("secret").replace('-', ""));
        let payload = json!({"encryptionKey": BASE64_STANDARD.encode(self.key.bytes())});
        let token = AccessToken {
            machine: machine.to_owned(),
            client_secret: secret.clone(),
            encrypted_payload: token_key(&seed).seal(payload.to_string())?,
            revoked: false,
        };
        model.access_tokens.insert(id.clone(), token);
        Ok(format!("0.{id}.{secret}:{}", BASE64_STANDARD.encode(seed)))
    }

    /// Makes a project; gives its id.
    pub fn project(&self, model: &mut Model, name: &str) -> Result<String, Seal> {
        let (id, revised) = (model.id("project"), model.date());
        let project = Project {
            name: self.key.seal(name)?,
            revised,
        };
        model.projects.insert(id.clone(), project);
        Ok(id)
    }

    /// Makes a secret, also where there is one of the name; gives its id.
    pub fn secret(
        &self,
        model: &mut Model,
        project: Option<&str>,
        (key, value, note): (&str, &str, &str),
    ) -> Result<String, Seal> {
        let (id, date) = (model.id("secret"), model.date());
        let secret = Secret {
            key: self.key.seal(key)?,
            value: self.key.seal(value)?,
            note: self.key.seal(note)?,
            project: project.map(str::to_owned),
            created: date.clone(),
            revised: date,
            versions: Vec::new(),
        };
        model.secrets.insert(id.clone(), secret);
        model.changed(project);
        Ok(id)
    }
}

/// The key that the last part of an access token stands for: two blocks of HKDF.
fn token_key(seed: &[u8]) -> SealKey {
    let sign = |key: &[u8], message: &[u8]| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        hmac::sign(&key, message).as_ref().to_vec()
    };
    let pseudo_random = sign(b"bitwarden-accesstoken", seed);
    let first = sign(&pseudo_random, b"sm-access-token\x01");
    let second = sign(
        &pseudo_random,
        &[first.as_slice(), b"sm-access-token\x02"].concat(),
    );
    SealKey::of(&[first, second].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_token_is_that_of_the_vector() {
        let seed: Vec<u8> = (0..16).collect();
        assert_eq!(
            BASE64_STANDARD.encode(token_key(&seed).bytes()),
            "VlYhpAfupv4gyis7ZRhjX6G6Mnw/AQ3I5SKinkyT0UuKGOPCxvOzPMjn8rCk7eKF7nZqudu3bTX+ARBCaa0PmQ=="
        );
    }
}
