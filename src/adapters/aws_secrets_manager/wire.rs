//! Requests and answers (API reference of AWS Secrets Manager, version 2017-10-17).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use penstock_domain::secret::SecretValue;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::aws::client::Action;

/// What the newest version is labelled with.
pub(super) const CURRENT: &str = "AWSCURRENT";
/// The most secrets of one batch.
pub(super) const MAX_BATCH: usize = 20;
/// The most secrets of one page of a list.
pub(super) const MAX_PAGE: u32 = 100;

pub(super) const GET: Action = Action {
    name: "GetSecretValue",
    permission: "secretsmanager:GetSecretValue",
};
pub(super) const BATCH: Action = Action {
    name: "BatchGetSecretValue",
    permission: "secretsmanager:BatchGetSecretValue",
};
pub(super) const LIST: Action = Action {
    name: "ListSecrets",
    permission: "secretsmanager:ListSecrets",
};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Get<'a> {
    pub(super) secret_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version_stage: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Batch<'a> {
    pub(super) secret_id_list: &'a [&'a str],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List<'a> {
    pub(super) max_results: u32,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) filters: &'a [Filter],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<&'a str>,
}

/// Any of the values will do; of several filters, each must.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Filter {
    pub(super) key: &'static str,
    pub(super) values: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Value {
    #[serde(rename = "ARN")]
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) version_id: Option<String>,
    pub(super) secret_string: Option<Zeroizing<String>>,
    pub(super) secret_binary: Option<Zeroizing<String>>,
}

impl Value {
    /// The bytes; none where the answer has none that can be read.
    pub(super) fn bytes(&self) -> Option<SecretValue> {
        match (&self.secret_string, &self.secret_binary) {
            (Some(text), None) => Some(SecretValue::from(text.as_str())),
            (None, Some(encoded)) => STANDARD
                .decode(encoded.as_bytes())
                .ok()
                .map(SecretValue::new),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Values {
    pub(super) secret_values: Vec<Value>,
    #[serde(default)]
    pub(super) errors: Vec<ItemError>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ItemError {
    pub(super) secret_id: String,
    pub(super) error_code: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Page {
    pub(super) secret_list: Vec<Listed>,
    #[serde(default)]
    pub(super) next_token: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listed {
    #[serde(rename = "ARN")]
    pub(super) arn: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) tags: Option<Vec<Tag>>,
    /// Labels by the id of a version.
    #[serde(default)]
    pub(super) secret_versions_to_stages: Option<BTreeMap<String, Vec<String>>>,
    #[serde(default)]
    pub(super) deleted_date: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: String,
}

impl Tag {
    /// As an entry has it.
    pub(super) fn text(&self) -> String {
        if self.value.is_empty() {
            self.key.clone()
        } else {
            format!("{}={}", self.key, self.value)
        }
    }
}

impl Listed {
    /// The id of the newest version; none where there is no value yet.
    pub(super) fn current(&self) -> Option<&str> {
        let versions = self.secret_versions_to_stages.as_ref()?;
        let current = versions
            .iter()
            .find(|(_, stages)| stages.iter().any(|stage| stage == CURRENT));
        current.map(|(id, _)| id.as_str())
    }

    /// Whether it has this tag.
    pub(super) fn has(&self, key: &str, value: &str) -> bool {
        let mut tags = self.tags.iter().flatten();
        tags.any(|tag| tag.key == key && tag.value == value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_text_or_bytes_and_never_both() {
        let read = |rest: &str| {
            let text = format!(r#"{{"ARN":"a","Name":"n","VersionId":"v"{rest}}}"#);
            serde_json::from_str::<Value>(&text).unwrap().bytes()
        };
        assert_eq!(
            read(r#","SecretString":"a\n""#),
            Some(SecretValue::from("a\n"))
        );
        assert_eq!(read(r#","SecretString":"""#), Some(SecretValue::from("")));
        assert_eq!(
            read(r#","SecretBinary":"AP8A""#),
            Some(SecretValue::new(vec![0, 0xff, 0]))
        );
        assert_eq!(read(r#","SecretBinary":"%""#), None);
        assert_eq!(read(r#","SecretString":"a","SecretBinary":"AA==""#), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn only_a_version_with_the_label_is_the_newest() {
        let read = |rest: &str| {
            let text = format!(r#"{{"ARN":"a","Name":"n"{rest}}}"#);
            let listed: Listed = serde_json::from_str(&text).unwrap();
            listed.current().map(str::to_owned)
        };
        let both = r#","SecretVersionsToStages":{"1":["AWSPREVIOUS"],"2":["x","AWSCURRENT"]}"#;
        assert_eq!(read(both).as_deref(), Some("2"));
        assert_eq!(
            read(r#","SecretVersionsToStages":{"1":["AWSPENDING"]}"#),
            None
        );
        assert_eq!(read(""), None);
    }
}
