//! What an answer means: pure decisions over status and body.

use std::collections::{BTreeMap, BTreeSet};

use penstock_domain::bundle::SourceEntry;
use penstock_domain::secret::SecretValue;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::asking::Refusal;
use crate::http::json;

/// Every error is such a document.
#[derive(Deserialize)]
struct Failed {
    status: u16,
    #[serde(rename = "message")]
    _message: IgnoredAny,
}

/// A vault of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Vault {
    pub(super) id: String,
    #[serde(default)]
    pub(super) name: String,
}

/// An item of a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    pub(super) id: String,
    #[serde(default)]
    pub(super) title: String,
    #[serde(default)]
    pub(super) version: u64,
    #[serde(default)]
    pub(super) updated_at: String,
    #[serde(default)]
    pub(super) tags: Vec<String>,
    /// `ARCHIVED` and `DELETED` ones are not in use.
    #[serde(default)]
    pub(super) state: Option<String>,
}

/// A whole item.
#[derive(Debug, Deserialize)]
pub(super) struct Item {
    pub(super) id: String,
    #[serde(default)]
    pub(super) title: String,
    #[serde(default)]
    pub(super) version: u64,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    sections: Vec<Section>,
    #[serde(default)]
    fields: Vec<Field>,
}

#[derive(Debug, Deserialize)]
struct Section {
    #[serde(default)]
    id: String,
    #[serde(default)]
    label: String,
}

#[derive(Debug, Deserialize)]
struct Field {
    id: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    section: Option<Section>,
    #[serde(default)]
    value: Option<SecretText>,
}

/// Text that does not print.
#[derive(Deserialize)]
struct SecretText(String);

impl std::fmt::Debug for SecretText {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SecretText")
    }
}

impl Drop for SecretText {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

impl Summary {
    /// Whether it is in use.
    pub(super) fn is_active(&self) -> bool {
        self.state
            .as_deref()
            .is_none_or(|state| state != "ARCHIVED" && state != "DELETED")
    }
}

/// The body of a good answer.
pub(super) fn good(status: u16, body: &[u8]) -> Result<&[u8], Refusal> {
    if status == 200 {
        return Ok(body);
    }
    if status == 429 {
        return Err(Refusal::Throttled(None));
    }
    if (500..=599).contains(&status) {
        return Err(Refusal::Stumbled(status));
    }
    let own = json::parse::<Failed>(body).is_ok_and(|failed| failed.status == status);
    Err(match status {
        _ if !own => Refusal::Unbelievable(status),
        400 => Refusal::Request,
        401 => Refusal::Credential,
        403 => Refusal::Denied,
        404 => Refusal::Missing,
        _ => Refusal::Unbelievable(status),
    })
}

/// Reads the document of a good answer.
pub(super) fn document<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    json::parse(body).map_err(|_| Refusal::Unbelievable(200))
}

/// The one in use among items of a list that has exactly this title. The server's comparison may be laxer.
pub(super) fn only(items: Vec<Summary>, title: &str) -> Result<Summary, Refusal> {
    let mut found = items
        .into_iter()
        .filter(|item| item.title == title && item.is_active());
    let first = found.next().ok_or(Refusal::Missing)?;
    match found.next() {
        None => Ok(first),
        Some(_) => Err(Refusal::Ambiguous),
    }
}

/// The vault of a list that has exactly this name.
pub(super) fn only_vault(vaults: Vec<Vault>, name: &str) -> Result<String, Refusal> {
    let mut found = vaults.into_iter().filter(|vault| vault.name == name);
    let first = found.next().ok_or(Refusal::Missing)?;
    match found.next() {
        None => Ok(first.id),
        Some(_) => Err(Refusal::Ambiguous),
    }
}

impl Item {
    /// An entry for each field that has a value; `field` chooses by label, or by section and label.
    pub(super) fn entries(self, field: Option<&str>) -> Vec<SourceEntry> {
        let tags: BTreeSet<String> = self.tags.iter().cloned().collect();
        let version = (self.version > 0).then(|| self.version.to_string());
        let sections: BTreeMap<&str, &str> = self
            .sections
            .iter()
            .map(|section| (section.id.as_str(), section.label.as_str()))
            .collect();
        let entry = |one: &Field| {
            let value = one.value.as_ref()?;
            let name = if one.label.is_empty() {
                &one.id
            } else {
                &one.label
            };
            // A field names its section by id; the label stands in the item's list.
            let section = one.section.as_ref().map_or("", |section| {
                let listed = sections.get(section.id.as_str()).copied();
                listed.unwrap_or(section.label.as_str())
            });
            let chosen = field.is_none_or(|field| {
                field == name
                    || field
                        .strip_prefix(section)
                        .and_then(|rest| rest.strip_prefix('.'))
                        == Some(name)
            });
            chosen.then(|| SourceEntry {
                name: name.clone(),
                path: match section {
                    "" => self.title.clone(),
                    section => format!("{}/{section}", self.title),
                },
                tags: tags.clone(),
                version: version.clone(),
                value: SecretValue::from(value.0.as_str()),
            })
        };
        self.fields.iter().filter_map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: &str = r#"{"status":S,"message":"No."}"#;

    #[test]
    fn a_status_means_something_in_the_servers_own_shape_only() {
        for (status, own) in [
            (400, Refusal::Request),
            (401, Refusal::Credential),
            (403, Refusal::Denied),
            (404, Refusal::Missing),
        ] {
            let body = FAILED.replace('S', &status.to_string());
            assert_eq!(good(status, body.as_bytes()), Err(own), "{status}");
            for body in ["", "{}", "<html>", r#"{"status":200,"message":""}"#] {
                let refusal = Refusal::Unbelievable(status);
                assert_eq!(good(status, body.as_bytes()), Err(refusal), "{status}");
            }
        }
        assert_eq!(good(429, b""), Err(Refusal::Throttled(None)));
        assert_eq!(good(503, b""), Err(Refusal::Stumbled(503)));
        assert_eq!(good(204, b""), Err(Refusal::Unbelievable(204)));
    }

    fn item(text: &str) -> Item {
        document(text.as_bytes()).unwrap()
    }

    const LOGIN: &str = r#"{"id":"i","title":"db","version":3,"tags":["api"],"vault":{"id":"v"},"category":"LOGIN",
        "sections":[{"id":"s1","label":"prod"}],
        "fields":[
            {"id":"username","type":"STRING","purpose":"USERNAME","label":"username","value":"shop"},
            {"id":"notesPlain","type":"STRING","purpose":"NOTES","label":"notesPlain"},
            {"id":"f1","type":"CONCEALED","label":"password","value":"p\n","section":{"id":"s1"}},
            {"id":"f2","type":"CONCEALED","value":""}
        ]}"#;

    fn lines(field: Option<&str>) -> Vec<String> {
        let entries = item(LOGIN).entries(field);
        let line = |entry: &SourceEntry| {
            let value = entry.value.expose_text().unwrap();
            format!("{} {}={value}", entry.path, entry.name)
        };
        entries.iter().map(line).collect()
    }

    #[test]
    fn fields_with_a_value_are_entries_under_their_sections() {
        assert_eq!(
            lines(None),
            ["db username=shop", "db/prod password=p\n", "db f2="]
        );
        assert_eq!(lines(Some("password")), ["db/prod password=p\n"]);
        assert_eq!(lines(Some("prod.password")), ["db/prod password=p\n"]);
        assert!(lines(Some("test.password")).is_empty());
        assert!(lines(Some("notesPlain")).is_empty());
        let entry = &item(LOGIN).entries(None)[0];
        assert_eq!(entry.version.as_deref(), Some("3"));
        assert!(entry.tags.contains("api"));
    }

    #[test]
    fn an_item_does_not_print_its_values() {
        let printed = format!("{:?}", item(&LOGIN.replace("shop", "hunter2")));
        assert!(!printed.contains("hunter2"), "{printed}");
    }

    #[test]
    fn a_title_must_be_exact_and_in_use_and_alone() {
        let list = |text: &str| document::<Vec<Summary>>(text.as_bytes()).unwrap();
        let found = |text: &str| only(list(text), "db").map(|item| item.id);
        assert_eq!(found(r#"[{"id":"1","title":"db"}]"#), Ok("1".to_owned()));
        assert_eq!(
            found(r#"[{"id":"1","title":"DB"},{"id":"2","title":"db","state":"ARCHIVED"}]"#),
            Err(Refusal::Missing)
        );
        assert_eq!(
            found(r#"[{"id":"1","title":"db"},{"id":"2","title":"db"}]"#),
            Err(Refusal::Ambiguous)
        );
    }
}
