//! The head of a record: the Secret that holds it, or names its parts.

use penstock_domain::keys::hex;
use penstock_domain::ports::RecordVersion;
use penstock_domain::reserved::{RECORD_LABEL, TRUE};
use penstock_domain::secret::SecretValue;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::kubernetes::object::{Binary, Secret};

/// The type of every record object.
pub(super) const RECORD_TYPE: &str = "penstock.dev/record";
/// The key under which sealed bytes lie, in a head or a part.
pub(super) const SEALED: &str = "sealed";
/// The key under which a head names its parts.
const PARTS: &str = "parts";

/// A head as it stands.
pub(super) struct Head {
    pub(super) uid: String,
    resource_version: String,
    pub(super) content: Content,
}

/// What a head holds.
pub(super) enum Content {
    /// The record itself.
    Inline(Vec<u8>),
    /// The names of its parts.
    Parts(PartIndex),
}

/// Which parts make the record, in their order, and what they must come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PartIndex {
    pub(super) parts: Vec<Part>,
    pub(super) bytes: usize,
    pub(super) sha256: String,
}

/// Exactly one part object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) number: u32,
    pub(super) uid: String,
}

impl PartIndex {
    pub(super) fn new(parts: Vec<Part>, sealed: &[u8]) -> Self {
        Self {
            parts,
            bytes: sealed.len(),
            sha256: hex(&Sha256::digest(sealed)),
        }
    }

    /// Whether `sealed` is the record that this names.
    pub(super) fn fits(&self, sealed: &[u8]) -> bool {
        self.bytes == sealed.len() && self.sha256 == hex(&Sha256::digest(sealed))
    }
}

/// The version of a head, with the parts that go when it is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HeadVersion {
    uid: String,
    resource_version: String,
    pub(super) parts: Vec<Part>,
}

impl HeadVersion {
    pub(super) fn encode(&self) -> RecordVersion {
        RecordVersion(json!(self).to_string())
    }

    /// None for a version that another kind of store gave out.
    pub(super) fn decode(version: &RecordVersion) -> Option<Self> {
        serde_json::from_str(&version.0).ok()
    }
}

impl Head {
    /// None when the Secret is not a record's head, or not one that makes sense.
    pub(super) fn read(secret: Secret) -> Option<Self> {
        if secret.type_name != RECORD_TYPE {
            return None;
        }
        let content = match (secret.data.get(SEALED), secret.data.get(PARTS)) {
            (Some(sealed), None) => Content::Inline(sealed.0.expose().to_vec()),
            (None, Some(index)) => Content::Parts(serde_json::from_slice(index.0.expose()).ok()?),
            _ => return None,
        };
        Some(Self {
            uid: secret.metadata.uid,
            resource_version: secret.metadata.resource_version,
            content,
        })
    }

    pub(super) fn version(&self) -> HeadVersion {
        HeadVersion {
            uid: self.uid.clone(),
            resource_version: self.resource_version.clone(),
            parts: match &self.content {
                Content::Inline(_) => Vec::new(),
                Content::Parts(index) => index.parts.clone(),
            },
        }
    }
}

impl Content {
    /// A new head.
    pub(super) fn object(&self, name: &str) -> Value {
        let mut object = record_object(name);
        object["data"] = match self {
            Self::Inline(sealed) => json!({SEALED: encode(sealed)}),
            Self::Parts(index) => json!({PARTS: encode(json!(index).to_string().as_bytes())}),
        };
        object
    }

    /// What turns the head of `version` into this one, and no other head.
    pub(super) fn patch(&self, version: &HeadVersion) -> Value {
        let (sealed, parts) = match self {
            Self::Inline(sealed) => (Some(encode(sealed)), None),
            Self::Parts(index) => (None, Some(encode(json!(index).to_string().as_bytes()))),
        };
        json!({
            "metadata": {"uid": version.uid, "resourceVersion": version.resource_version},
            "data": {SEALED: sealed, PARTS: parts},
        })
    }
}

/// A part. It never changes again.
pub(super) fn part_object(name: &str, sealed: &[u8]) -> Value {
    let mut object = record_object(name);
    object["data"] = json!({SEALED: encode(sealed)});
    object["immutable"] = Value::Bool(true);
    object
}

fn record_object(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": {RECORD_LABEL: TRUE}},
        "type": RECORD_TYPE,
    })
}

fn encode(bytes: &[u8]) -> Binary {
    Binary(SecretValue::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(number: u32) -> Part {
        Part {
            number,
            uid: format!("uid-{number}"),
        }
    }

    #[test]
    fn a_version_survives_its_text() {
        for parts in [vec![], vec![part(1)], vec![part(3), part(12)]] {
            let version = HeadVersion {
                uid: "6f7c-1".to_owned(),
                resource_version: "42".to_owned(),
                parts,
            };
            assert_eq!(HeadVersion::decode(&version.encode()), Some(version));
        }
        for text in ["", "7", "{}"] {
            assert_eq!(HeadVersion::decode(&RecordVersion(text.to_owned())), None);
        }
    }

    #[test]
    fn an_index_fits_only_the_bytes_that_it_names() {
        let index = PartIndex::new(vec![part(1), part(2)], b"sealed");
        assert!(index.fits(b"sealed"));
        for other in [&b"sealee"[..], b"seale", b"sealed-", b""] {
            assert!(!index.fits(other));
        }
    }
}
