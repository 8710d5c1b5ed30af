//! Which entries a source gives, and which keys a target takes. Every part that is given must agree.

use std::collections::BTreeSet;

use crate::bundle::BundleEntry;
use crate::names::Key;
use crate::sync::{EntrySelection, TargetSelection};

/// Whether an entry with these tags can be taken from its source, whatever its name.
pub(super) fn takes_tags(select: &EntrySelection, tags: &BTreeSet<String>) -> bool {
    tags_agree(&select.tags_any, &select.tags_all, tags)
}

/// Whether an entry of this name can be taken from its source, whatever its tags.
pub(super) fn takes_name(select: &EntrySelection, name: &str) -> bool {
    (select.keys.is_empty() || select.keys.contains(name))
        && select
            .matching
            .as_ref()
            .is_none_or(|pattern| pattern.is_match(name))
        && !select.exclude.contains(name)
}

/// Whether a target takes this key of the bundle.
pub(super) fn takes_key(select: &TargetSelection, key: &Key, entry: &BundleEntry) -> bool {
    let provenance = &entry.provenance;
    tags_agree(&select.tags_any, &select.tags_all, &provenance.tags)
        && (select.sources.is_empty()
            || provenance
                .source
                .as_ref()
                .is_some_and(|source| select.sources.contains(source)))
        && (select.paths.is_empty()
            || (provenance.source.is_some()
                && select
                    .paths
                    .iter()
                    .any(|path| is_at_or_below(&provenance.path, path))))
        && (select.keys.is_empty() || select.keys.contains(key))
        && select
            .matching
            .as_ref()
            .is_none_or(|pattern| pattern.is_match(key.as_str()))
}

fn tags_agree(any: &BTreeSet<String>, all: &BTreeSet<String>, tags: &BTreeSet<String>) -> bool {
    (any.is_empty() || any.iter().any(|tag| tags.contains(tag))) && all.is_subset(tags)
}

/// Whether `path` is `folder` or lies in it, on segment borders: `a/bc` does not lie in `a/b`.
/// Slashes at the ends mean nothing; the empty folder holds everything.
fn is_at_or_below(path: &str, folder: &str) -> bool {
    let (path, folder) = (path.trim_matches('/'), folder.trim_matches('/'));
    folder.is_empty()
        || path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;
    use crate::bundle::Provenance;
    use crate::names::SourceName;
    use crate::secret::SecretValue;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn every_part_of_a_source_selection_must_agree() {
        let full = EntrySelection {
            recursive: false,
            tags_any: set(&["api", "worker"]),
            tags_all: set(&["prod"]),
            keys: set(&["DB_URL", "DB_OLD", "LLM_KEY"]),
            matching: Some(Regex::new("^(DB|LLM)_").unwrap()),
            exclude: set(&["DB_OLD"]),
        };
        let cases: &[(&str, &[&str], bool)] = &[
            ("DB_URL", &["api", "prod"], true),
            ("LLM_KEY", &["worker", "prod", "x"], true),
            ("DB_URL", &["api"], false),
            ("DB_URL", &["prod"], false),
            ("DB_OLD", &["api", "prod"], false),
            ("DB_HOST", &["api", "prod"], false),
        ];
        for (name, tags, expected) in cases {
            let taken = takes_name(&full, name) && takes_tags(&full, &set(tags));
            assert_eq!(taken, *expected, "{name}");
        }
        let all = EntrySelection::default();
        assert!(takes_name(&all, "x") && takes_tags(&all, &set(&[])));
    }

    #[test]
    fn paths_end_at_segment_borders() {
        for (path, folder, expected) in [
            ("a/b", "a", true),
            ("a/b", "a/b", true),
            ("a/bc", "a/b", false),
            ("a", "a/b", false),
            ("", "a", false),
            ("a", "", true),
            ("a/b", "/a/", true),
        ] {
            assert_eq!(is_at_or_below(path, folder), expected, "{path} in {folder}");
        }
    }

    #[test]
    fn a_key_without_a_source_lies_at_no_path() {
        let made = BundleEntry {
            value: SecretValue::from("v"),
            provenance: Provenance::default(),
        };
        let key = Key::new("K").unwrap();
        assert!(takes_key(&TargetSelection::default(), &key, &made));
        for select in [
            TargetSelection {
                paths: vec![String::new()],
                ..TargetSelection::default()
            },
            TargetSelection {
                sources: [SourceName::new("a").unwrap()].into(),
                ..TargetSelection::default()
            },
            TargetSelection {
                tags_any: set(&["api"]),
                ..TargetSelection::default()
            },
        ] {
            assert!(!takes_key(&select, &key, &made), "{select:?}");
        }
    }
}
