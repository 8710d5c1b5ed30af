//! The variables of the process and of named env files.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use penstock_domain::formats::{FileFormat, ReadDocument, read};
use penstock_domain::secret::SecretValue;

/// Variables by name. Their values cannot be printed.
#[derive(Debug, Clone, Default)]
pub struct Variables {
    process: BTreeMap<String, SecretValue>,
    files: BTreeMap<String, SecretValue>,
}

/// Why an env file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the env file {path}")]
pub struct ReadVariables {
    /// Its path, as it was named.
    pub path: String,
    /// Where it is no env file.
    pub source: ReadDocument,
}

impl Variables {
    /// The variables of the process. Names that are no text mean nothing.
    pub fn of_process(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let named = variables.into_iter().filter_map(|(name, value)| {
            let value = SecretValue::new(value.into_encoded_bytes());
            Some((name.into_string().ok()?, value))
        });
        Self {
            process: named.collect(),
            files: BTreeMap::new(),
        }
    }

    /// Adds those of an env file; what an earlier one has stays.
    pub fn add_file(&mut self, path: &str, content: &[u8]) -> Result<(), ReadVariables> {
        let entries = read(FileFormat::Dotenv, content).map_err(|source| ReadVariables {
            path: path.to_owned(),
            source,
        })?;
        // Within one file the last wins, as shells have it.
        let own: BTreeMap<String, SecretValue> = entries
            .into_iter()
            .map(|entry| (entry.name, entry.value))
            .collect();
        for (name, value) in own {
            self.files.entry(name).or_insert(value);
        }
        Ok(())
    }

    /// One variable: the process wins over files. An empty one is as good as none.
    pub fn get(&self, name: &str) -> Option<&SecretValue> {
        let set = |value: &&SecretValue| !value.is_empty();
        self.process
            .get(name)
            .filter(set)
            .or_else(|| self.files.get(name).filter(set))
    }

    /// The names of the process's own.
    pub fn names(&self) -> BTreeSet<String> {
        self.process.keys().cloned().collect()
    }

    /// The process's own, for a source that reads them.
    pub fn process(&self) -> &BTreeMap<String, SecretValue> {
        &self.process
    }
}
