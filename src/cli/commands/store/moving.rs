//! What moves from a file into a store, and what stays: pure.

use std::collections::{BTreeMap, BTreeSet};

use penstock_domain::formats::Entry;
use penstock_domain::items::Item;
use penstock_domain::secret::SecretValue;

/// Parts of a name that speak of a secret.
const SECRET_WORDS: [&str; 12] = [
    "SECRET",
    "TOKEN",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "PWD",
    "KEY",
    "CREDENTIAL",
    "PRIVATE",
    "DSN",
    "SALT",
    "WEBHOOK",
];
/// Parts of a name that speak against it.
const OPEN_WORDS: [&str; 3] = ["PUBLIC", "PUBLISHABLE", "KEY_ID"];

/// What becomes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It moves into the store.
    Secret,
    /// It stays in the file.
    Configuration,
}

/// What a key most likely is, by its name and the look of its value.
pub(super) fn guess(name: &str, value: &SecretValue) -> Kind {
    let name = name.to_ascii_uppercase();
    let says = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let text = value.expose_text().unwrap_or_default();
    let with_login = text.split_once("://").is_some_and(|(_, rest)| {
        rest.split(['/', '?', '#'])
            .next()
            .is_some_and(|host| host.contains('@'))
    });
    let secret =
        with_login || text.starts_with("-----BEGIN") || says(&SECRET_WORDS) && !says(&OPEN_WORDS);
    if secret && !value.is_empty() {
        Kind::Secret
    } else {
        Kind::Configuration
    }
}

/// The keys of a file; of one that stands there twice, the last value, as readers have it.
pub(super) fn content(entries: Vec<Entry>) -> BTreeMap<String, SecretValue> {
    entries
        .into_iter()
        .map(|entry| (entry.name, entry.value))
        .collect()
}

/// What happens to the keys that move.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Moving {
    /// The store does not have them.
    pub(super) new: BTreeSet<String>,
    /// The store has them with the same value.
    pub(super) equal: BTreeSet<String>,
    /// The store has them with another value.
    pub(super) differing: BTreeSet<String>,
}

impl Moving {
    pub(super) fn of(secrets: &BTreeMap<String, SecretValue>, item: &Item) -> Self {
        let mut moving = Self::default();
        for (name, value) in secrets {
            let list = match item.keys.get(name) {
                None => &mut moving.new,
                Some(there) if there == value => &mut moving.equal,
                Some(_) => &mut moving.differing,
            };
            list.insert(name.clone());
        }
        moving
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_tell_what_a_key_most_likely_is() {
        for (name, value, kind) in [
            ("DB_PASSWORD", "x", Kind::Secret),
            ("jwt_secret", "x", Kind::Secret),
            ("LLM_API_KEY", "x", Kind::Secret),
            ("DATABASE_URL", "postgres://app:pw@db/panbot", Kind::Secret),
            (
                "DEPLOY",
                "-----BEGIN OPENSSH PRIVATE KEY-----",
                Kind::Secret,
            ),
            (
                "API_URL",
                "https://api.example.com/a@b",
                Kind::Configuration,
            ),
            ("STRIPE_PUBLISHABLE_KEY", "pk", Kind::Configuration),
            ("AWS_ACCESS_KEY_ID", "AKIA", Kind::Configuration),
            ("SENTRY_DSN", "", Kind::Configuration),
            ("ENVIRONMENT", "dev", Kind::Configuration),
        ] {
            assert_eq!(guess(name, &SecretValue::from(value)), kind, "{name}");
        }
    }
}
