//! The variables of the process as a source: how the secrets of GitHub Actions reach a rendered file. The command
//! line's alone.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use penstock_domain::bundle::{Snapshot, SourceEntry};
use penstock_domain::secret::SecretValue;
use penstock_domain::sync::EntrySelection;

/// The variables of one moment.
#[derive(Debug, Clone, Default)]
pub struct ProcessEnvironment {
    variables: BTreeMap<String, SecretValue>,
}

impl ProcessEnvironment {
    /// Takes variables, such as those of [`std::env::vars_os`]. Names that are no text are nobody's.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let variables = variables.into_iter().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, SecretValue::new(value.into_vec())))
        });
        Self {
            variables: variables.collect(),
        }
    }

    /// The names of all variables.
    pub fn names(&self) -> BTreeSet<String> {
        self.variables.keys().cloned().collect()
    }

    /// The variables that `select` names, in the order of their names: a complete answer. Whoever selects nothing
    /// gets nothing, so that the rest of the environment never leaves this place. An empty variable is none: that is
    /// how CI systems hand over a secret that nobody has set, and it must not blank what a target has.
    pub fn read(&self, select: &EntrySelection) -> Snapshot {
        if select.keys.is_empty() && select.matching.is_none() {
            return Snapshot::default();
        }
        let chosen = |name: &str| {
            (select.keys.is_empty() || select.keys.contains(name))
                && select
                    .matching
                    .as_ref()
                    .is_none_or(|pattern| pattern.is_match(name))
                && !select.exclude.contains(name)
        };
        let entries = self
            .variables
            .iter()
            .filter(|(name, value)| chosen(name) && !value.is_empty());
        Snapshot {
            entries: entries
                .map(|(name, value)| SourceEntry {
                    name: name.clone(),
                    path: String::new(),
                    tags: BTreeSet::new(),
                    version: None,
                    value: value.clone(),
                })
                .collect(),
            version: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> ProcessEnvironment {
        let variables = [
            ("APP_A", "1"),
            ("APP_B", "2"),
            ("APP_UNSET", ""),
            ("HOME", "/root"),
            ("BYTES", "b"),
        ];
        ProcessEnvironment::new(variables.map(|(name, value)| (name.into(), value.into())))
    }

    fn names(select: &EntrySelection) -> Vec<String> {
        let snapshot = environment().read(select);
        snapshot
            .entries
            .into_iter()
            .map(|entry| entry.name)
            .collect()
    }

    #[test]
    fn only_what_is_selected_leaves() {
        let all = EntrySelection::default();
        assert!(names(&all).is_empty(), "nothing selected, nothing given");
        let by_name = EntrySelection {
            keys: ["HOME".to_owned(), "ABSENT".to_owned()].into(),
            ..EntrySelection::default()
        };
        assert_eq!(names(&by_name), ["HOME"]);
        let by_pattern = EntrySelection {
            matching: Some(regex::Regex::new("^APP_").unwrap()),
            exclude: ["APP_B".to_owned()].into(),
            ..EntrySelection::default()
        };
        assert_eq!(names(&by_pattern), ["APP_A"]);
    }

    #[test]
    fn values_may_be_any_bytes_and_names_must_be_text() {
        let odd = OsString::from_vec(vec![0xff]);
        let environment = ProcessEnvironment::new([("A".into(), odd.clone()), (odd, "x".into())]);
        assert_eq!(environment.names(), ["A".to_owned()].into());
        let select = EntrySelection {
            keys: ["A".to_owned()].into(),
            ..EntrySelection::default()
        };
        let snapshot = environment.read(&select);
        assert_eq!(snapshot.entries[0].value.expose(), b"\xff");
    }
}
