//! Judges rows, purely.

use std::collections::{BTreeMap, BTreeSet};

use penstock_domain::bundle::{MAX_KEYS, Snapshot, SourceEntry};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::RemotePath;
use serde_json::value::RawValue;

use super::readable::Rows;
use super::statement::Layout;
use crate::entries::Entries;
use crate::http::json;

/// One row, as [`Layout`] has it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) folder: Option<String>,
    pub(super) key: Option<String>,
    pub(super) version: Option<String>,
    pub(super) values: Vec<Option<SecretValue>>,
}

/// Why rows are no answer. Names in it are keys, columns and folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rejection {
    /// More rows or bytes than a bundle may have.
    TooMany,
    /// Two rows are the same key.
    TwoKeys(String),
    /// Two rows where there must be one.
    TwoRows(String),
    /// The value of a folder's column is no path.
    Folder,
    /// A JSON column does not hold an object.
    NoObject(String),
}

/// Collects the rows of one answer.
pub(super) struct Collecting<'a> {
    rows: &'a Rows,
    layout: &'a Layout,
    entries: Entries,
    seen: BTreeSet<(String, String)>,
    count: usize,
}

impl<'a> Collecting<'a> {
    pub(super) fn new(rows: &'a Rows, layout: &'a Layout) -> Self {
        Self {
            rows,
            layout,
            entries: Entries::default(),
            seen: BTreeSet::new(),
            count: 0,
        }
    }

    /// Takes one row. What is NULL is not there: a row without a key or a folder, a value.
    pub(super) fn add(&mut self, row: Row) -> Result<(), Rejection> {
        self.count += 1;
        if self.count > MAX_KEYS {
            return Err(Rejection::TooMany);
        }
        let folder = row.folder.unwrap_or_default();
        if RemotePath::parse(&folder).is_err() || folder.starts_with('/') || folder.ends_with('/') {
            return Err(Rejection::Folder);
        }
        let mut values = row.values.into_iter();
        match self.rows {
            Rows::KeyValue { .. } => {
                let (Some(key), value) = (row.key, values.next().flatten()) else {
                    return Ok(());
                };
                if !self.seen.insert((folder.clone(), key.clone())) {
                    return Err(Rejection::TwoKeys(key));
                }
                match value {
                    Some(value) => self.entry(key, folder, row.version, value),
                    None => Ok(()),
                }
            }
            Rows::Columns(_) => {
                self.only_row(&folder)?;
                let layout = self.layout;
                for (name, value) in layout.values.iter().zip(values) {
                    if let Some(value) = value {
                        let (folder, version) = (folder.clone(), row.version.clone());
                        self.entry(name.clone(), folder, version, value)?;
                    }
                }
                Ok(())
            }
            Rows::Json(column) => {
                self.only_row(&folder)?;
                let Some(value) = values.next().flatten() else {
                    return Ok(());
                };
                let members =
                    members(value.expose()).ok_or_else(|| Rejection::NoObject(column.clone()))?;
                for (name, value) in members {
                    let (folder, version) = (folder.clone(), row.version.clone());
                    self.entry(name, folder, version, value)?;
                }
                Ok(())
            }
        }
    }

    /// How many rows there were.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Everything, in an order of its own: the server has none.
    pub(super) fn snapshot(self, field: Option<&str>) -> Snapshot {
        let mut entries = self.entries.into_list();
        entries.retain(|entry| field.is_none_or(|field| field == entry.name));
        entries.sort_by(|one, other| (&one.path, &one.name).cmp(&(&other.path, &other.name)));
        Snapshot {
            entries,
            version: None,
        }
    }

    fn only_row(&mut self, folder: &str) -> Result<(), Rejection> {
        if self.seen.insert((folder.to_owned(), String::new())) {
            Ok(())
        } else {
            Err(Rejection::TwoRows(folder.to_owned()))
        }
    }

    fn entry(
        &mut self,
        name: String,
        path: String,
        version: Option<String>,
        value: SecretValue,
    ) -> Result<(), Rejection> {
        let entry = SourceEntry {
            name,
            path,
            tags: BTreeSet::new(),
            version,
            value,
        };
        self.entries.add(entry).map_err(|_| Rejection::TooMany)
    }
}

/// The members of a JSON object: strings without their quotes, null left out, anything else as it is written.
fn members(text: &[u8]) -> Option<BTreeMap<String, SecretValue>> {
    let members: BTreeMap<String, &RawValue> = json::parse(text).ok()?;
    let value = |(name, raw): (String, &RawValue)| {
        let text = raw.get();
        if text == "null" {
            return None;
        }
        let value = if text.starts_with('"') {
            serde_json::from_str::<String>(text).map(SecretValue::new)
        } else {
            Ok(SecretValue::from(text))
        };
        Some(value.map(|value| (name, value)))
    };
    members
        .into_iter()
        .filter_map(value)
        .collect::<Result<_, _>>()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(names: &[&str]) -> Layout {
        Layout {
            values: names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn row(folder: &str, key: Option<&str>, values: &[Option<&str>]) -> Row {
        Row {
            folder: Some(folder.to_owned()),
            key: key.map(str::to_owned),
            version: Some("7".to_owned()),
            values: values
                .iter()
                .map(|value| value.map(SecretValue::from))
                .collect(),
        }
    }

    fn collect(rows: &Rows, values: &[&str], all: Vec<Row>) -> Result<Vec<String>, Rejection> {
        let layout = layout(values);
        let mut collecting = Collecting::new(rows, &layout);
        for row in all {
            collecting.add(row)?;
        }
        let line = |entry: &SourceEntry| {
            let value = entry.value.expose_text().unwrap();
            format!("{}/{}={value}", entry.path, entry.name)
        };
        Ok(collecting.snapshot(None).entries.iter().map(line).collect())
    }

    fn key_value() -> Rows {
        Rows::KeyValue {
            key: "key".to_owned(),
            value: "value".to_owned(),
        }
    }

    #[test]
    fn null_is_no_key_and_empty_is_one() {
        let rows = vec![
            row("", Some("B"), &[Some("2")]),
            row("", Some("A"), &[Some("")]),
            row("", Some("C"), &[None]),
            row("", None, &[Some("x")]),
        ];
        let lines = collect(&key_value(), &["value"], rows).unwrap();
        assert_eq!(lines, ["/A=", "/B=2"]);
    }

    #[test]
    fn a_key_twice_is_no_answer_even_when_one_is_null() {
        let rows = vec![
            row("a", Some("K"), &[Some("1")]),
            row("b", Some("K"), &[Some("2")]),
        ];
        assert_eq!(
            collect(&key_value(), &["value"], rows).unwrap(),
            ["a/K=1", "b/K=2"]
        );
        let rows = vec![
            row("a", Some("K"), &[None]),
            row("a", Some("K"), &[Some("2")]),
        ];
        assert_eq!(
            collect(&key_value(), &["value"], rows),
            Err(Rejection::TwoKeys("K".to_owned()))
        );
    }

    #[test]
    fn columns_are_keys_of_the_one_row_of_a_folder() {
        let rows = Rows::Columns(vec!["api_key".to_owned(), "model".to_owned()]);
        let names = ["api_key", "model"];
        let all = vec![
            row("openai", None, &[Some("sk"), None]),
            row("mistral", None, &[Some("mk"), Some("m")]),
        ];
        assert_eq!(
            collect(&rows, &names, all).unwrap(),
            ["mistral/api_key=mk", "mistral/model=m", "openai/api_key=sk"]
        );
        let all = vec![
            row("", None, &[Some("1"), None]),
            row("", None, &[None, None]),
        ];
        assert_eq!(
            collect(&rows, &names, all),
            Err(Rejection::TwoRows(String::new()))
        );
    }

    #[test]
    fn members_of_an_object_are_keys() {
        let rows = Rows::Json("data".to_owned());
        let object = r#"{"A": "x\n\"", "N": 1.10, "O": {"a": [1]}, "T": true, "Z": null}"#;
        let all = vec![row("", None, &[Some(object)])];
        assert_eq!(
            collect(&rows, &["data"], all).unwrap(),
            ["/A=x\n\"", "/N=1.10", "/O={\"a\": [1]}", "/T=true"]
        );
        for text in ["[]", "\"a\"", "1", "", "{", "x"] {
            let all = vec![row("", None, &[Some(text)])];
            assert_eq!(
                collect(&rows, &["data"], all),
                Err(Rejection::NoObject("data".to_owned())),
                "{text}"
            );
        }
    }

    #[test]
    fn a_folder_is_a_path() {
        for folder in ["..", "a//b", "a/../b", "/a", "a/", "a\\b", "a\nb", "%2e%2e"] {
            let all = vec![row(folder, Some("K"), &[Some("1")])];
            assert_eq!(
                collect(&key_value(), &["value"], all),
                Err(Rejection::Folder),
                "{folder}"
            );
        }
    }

    #[test]
    fn one_row_too_many_is_no_answer() {
        let all = (0..=MAX_KEYS)
            .map(|number| row("", Some(&number.to_string()), &[Some("")]))
            .collect();
        assert_eq!(
            collect(&key_value(), &["value"], all),
            Err(Rejection::TooMany)
        );
    }
}
