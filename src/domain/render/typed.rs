//! What Secrets of the built-in types must hold.
//!
//! The required keys are those of `ValidateSecret` in Kubernetes (pkg/apis/core/validation). The API server
//! does not look into values; we do, because a certificate that is none would only show when the pods that
//! mount it crash.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::faults::{Faults, invalid, member_path};
use super::pem;
use crate::conditions::Reason;
use crate::names::Key;
use crate::secret::SecretValue;
use crate::sync::SecretType;

/// Adds a fault for each key that a Secret of `secret_type` must have and has not, or not in the right shape.
/// `path` is the field path of the target.
pub(super) fn check_type(
    secret_type: &SecretType,
    data: &BTreeMap<Key, SecretValue>,
    path: &str,
    faults: &mut Faults,
) {
    let mut check = Check {
        secret_type,
        data,
        path,
        faults,
    };
    match secret_type {
        SecretType::Opaque | SecretType::Custom(_) => {}
        SecretType::DockerConfigJson => check.key(
            ".dockerconfigjson",
            "a JSON object with `auths`",
            is_docker_config,
        ),
        SecretType::Tls => {
            check.key("tls.crt", "a PEM certificate", |value| {
                has_block(value, pem::is_certificate)
            });
            check.key("tls.key", "a PEM private key", |value| {
                has_block(value, pem::is_private_key)
            });
        }
        SecretType::SshAuth => check.key("ssh-privatekey", "a PEM private key", |value| {
            has_block(value, pem::is_private_key)
        }),
        SecretType::BasicAuth => check.one_of(["username", "password"]),
    }
}

struct Check<'a> {
    secret_type: &'a SecretType,
    data: &'a BTreeMap<Key, SecretValue>,
    path: &'a str,
    faults: &'a mut Faults,
}

impl Check<'_> {
    fn key(&mut self, name: &str, shape: &str, fits: fn(&SecretValue) -> bool) {
        match self.data.get(name) {
            None => self.missing(&format!("`{name}`")),
            Some(value) if fits(value) => {}
            Some(_) => {
                let path = member_path(self.path, name);
                let message = format!("`{name}` is not {shape}");
                self.faults
                    .push(invalid(path, message, Reason::RenderFailed));
            }
        }
    }

    fn one_of(&mut self, names: [&str; 2]) {
        if !names.iter().any(|name| self.data.contains_key(*name)) {
            self.missing(&format!("`{}` or `{}`", names[0], names[1]));
        }
    }

    fn missing(&mut self, what: &str) {
        let secret_type = self.secret_type.as_str();
        let message = format!("a Secret of type {secret_type} needs {what}");
        self.faults.push(
            invalid(self.path, message, Reason::RequiredKeyMissing)
                .hint("Make it in `spec.transform.data`, or rename a key to it"),
        );
    }
}

fn is_docker_config(value: &SecretValue) -> bool {
    #[derive(Deserialize)]
    struct DockerConfig {
        #[expect(dead_code, reason = "only its shape counts")]
        #[expect(
            clippy::zero_sized_map_values,
            reason = "the values are skipped while reading"
        )]
        auths: BTreeMap<String, IgnoredAny>,
    }
    serde_json::from_slice::<DockerConfig>(value.expose()).is_ok()
}

fn has_block(value: &SecretValue, wanted: fn(&str) -> bool) -> bool {
    value
        .expose_text()
        .and_then(|text| pem::read(text).ok())
        .is_some_and(|blocks| blocks.iter().any(|block| wanted(block.label)))
}
