//! Which Secrets there are, as documents and flags describe them. Nothing has been fetched.

use std::collections::BTreeMap;

use penstock_domain::names::NamespaceName;
use penstock_domain::reserved::ACCEPT_FROM_ANNOTATION;
use penstock_domain::secret::SecretValue;

use super::origin::{CredentialFlag, CredentialOrigin};
use crate::documents::{Documents, ObjectId};

/// The annotations of a Secret document that say where a key comes from.
const FROM_PREFIX: &str = "penstock.dev/from.";

/// What is known of one key.
#[derive(Debug, Clone)]
pub(super) enum Known {
    Value(SecretValue),
    From(CredentialOrigin),
}

/// One Secret, as documents and flags describe it.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownSecret {
    pub(super) keys: BTreeMap<String, Known>,
    pub(super) accept_from: Option<String>,
}

/// Which Secrets there are, and where their keys come from. Nothing has been fetched.
#[derive(Debug, Clone, Default)]
pub struct SecretMap {
    pub(super) secrets: BTreeMap<ObjectId, KnownSecret>,
}

/// A Secret document says of a key that it comes from nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::local) struct BadOrigin {
    pub(in crate::local) secret: ObjectId,
    pub(in crate::local) annotation: String,
    pub(in crate::local) message: String,
}

impl SecretMap {
    /// From documents and flags; flags win. Secrets without a namespace in a flag lie in `default`.
    pub(in crate::local) fn new(
        documents: &Documents,
        flags: &[&CredentialFlag],
        default: &NamespaceName,
    ) -> Result<Self, Vec<BadOrigin>> {
        let (mut secrets, mut bad) = (BTreeMap::<ObjectId, KnownSecret>::new(), Vec::new());
        for (id, document) in &documents.secrets {
            let values = document.data.iter();
            let mut known = KnownSecret {
                keys: values
                    .map(|(key, value)| (key.clone(), Known::Value(value.clone())))
                    .collect(),
                accept_from: document.annotations.get(ACCEPT_FROM_ANNOTATION).cloned(),
            };
            for (annotation, text) in &document.annotations {
                let Some(key) = annotation.strip_prefix(FROM_PREFIX) else {
                    continue;
                };
                match text.parse() {
                    Ok(origin) => {
                        known.keys.insert(key.to_owned(), Known::From(origin));
                    }
                    Err(message) => bad.push(BadOrigin {
                        secret: id.clone(),
                        annotation: annotation.clone(),
                        message,
                    }),
                }
            }
            secrets.insert(id.clone(), known);
        }
        for flag in flags {
            let id = ObjectId {
                namespace: flag.namespace.clone().unwrap_or_else(|| default.clone()),
                name: flag.secret.clone(),
            };
            let origin = Known::From(flag.origin.clone());
            let secret = secrets.entry(id).or_default();
            secret.keys.insert(flag.key.clone(), origin);
        }
        if bad.is_empty() {
            Ok(Self { secrets })
        } else {
            Err(bad)
        }
    }

    /// Where a key comes from, when that is not the document itself.
    pub(in crate::local) fn origin(&self, id: &ObjectId, key: &str) -> Option<&CredentialOrigin> {
        match self.secrets.get(id)?.keys.get(key)? {
            Known::Value(_) => None,
            Known::From(origin) => Some(origin),
        }
    }

    /// Where the keys of a Secret come from, those of the document itself left out.
    pub(in crate::local) fn origins(
        &self,
        id: &ObjectId,
    ) -> impl Iterator<Item = &CredentialOrigin> {
        let keys = self.secrets.get(id).map(|secret| secret.keys.values());
        keys.into_iter().flatten().filter_map(|known| match known {
            Known::Value(_) => None,
            Known::From(origin) => Some(origin),
        })
    }
}
