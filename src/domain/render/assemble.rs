//! The way from answers to a bundle, as a table of contents.

use std::collections::BTreeMap;

use super::faults::{Faults, invalid, shown, source_path};
use super::merge::{check_size, merge};
use super::template::names_hash;
use super::transform::transform;
use crate::bundle::{Bundle, Snapshot};
use crate::conditions::Reason;
use crate::fault::Fault;
use crate::keys::InstallationKey;
use crate::names::{Key, ObjectName, SourceName};
use crate::sync::{Making, ValidatedSync};

/// What one source answered.
#[derive(Debug, Clone, Copy)]
pub struct SourceAnswer<'a> {
    /// The source's name in the sync.
    pub source: &'a SourceName,
    /// Its complete answer.
    pub snapshot: &'a Snapshot,
}

/// Template documents that were read for [`Making::TemplateFrom`], by ConfigMap and key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateTexts(BTreeMap<(ObjectName, Key), String>);

impl TemplateTexts {
    /// Adds the document at `key` of `config_map`.
    pub fn insert(&mut self, config_map: ObjectName, key: Key, text: String) {
        self.0.insert((config_map, key), text);
    }

    /// The document at `key` of `config_map`, if it was read.
    pub fn get(&self, config_map: &ObjectName, key: &Key) -> Option<&str> {
        self.0
            .get(&(config_map.clone(), key.clone()))
            .map(String::as_str)
    }
}

/// The template documents that a sync names: what to read into [`TemplateTexts`] before rendering.
pub fn template_references(sync: &ValidatedSync) -> impl Iterator<Item = (&ObjectName, &Key)> {
    sync.transform
        .data
        .values()
        .filter_map(|making| match making {
            Making::TemplateFrom { config_map, key } => Some((config_map, key)),
            _ => None,
        })
}

/// Whether rendering may hash passwords, which takes seconds of processor time. May say so too often, never too
/// seldom.
pub fn hashes_passwords(sync: &ValidatedSync, templates: &TemplateTexts) -> bool {
    sync.transform.data.values().any(|making| match making {
        Making::Template(text) => names_hash(text.expose()),
        Making::TemplateFrom { config_map, key } => {
            templates.get(config_map, key).is_some_and(names_hash)
        }
        Making::Derive(_) | Making::SshPublicKey { .. } => false,
    })
}

/// Makes the bundle of a sync from what its sources answered.
///
/// `answers` holds the sources that answered, in any order (the spec's order counts); one that is missing
/// gives nothing, and its `require` may be met by another source (`onUnavailable: useOthers`).
/// The result holds at most [`crate::bundle::MAX_KEYS`] keys and [`crate::bundle::MAX_BYTES`] bytes.
/// Every problem is reported, each with its field path, a reason and, where there is one, the way out.
///
/// May take seconds of processor time when templates hash passwords ([`hashes_passwords`]): call it where that
/// hurts nobody.
pub fn render(
    sync: &ValidatedSync,
    answers: &[SourceAnswer<'_>],
    templates: &TemplateTexts,
    key: &InstallationKey,
) -> Result<Bundle, Vec<Fault>> {
    let mut faults = Faults::default();
    let answers = in_order(sync, answers, &mut faults);
    let merged = merge(sync, &answers, &mut faults);
    // Templates over half a bundle would only add sentences about keys whose real problem is above.
    let merged = faults.or(merged)?;
    let mut faults = Faults::default();
    let bundle = transform(sync, merged, templates, key, &mut faults);
    check_size(&bundle, "spec.transform", &mut faults);
    faults.or(bundle)
}

/// One place per source of the spec. Two answers for one source are a bug of the caller; so that it cannot
/// hide, the sync stops.
fn in_order<'a>(
    sync: &ValidatedSync,
    answers: &[SourceAnswer<'a>],
    faults: &mut Faults,
) -> Vec<Option<&'a Snapshot>> {
    let mut by_name = BTreeMap::new();
    for answer in answers {
        by_name
            .entry(answer.source)
            .or_insert_with(Vec::new)
            .push(answer.snapshot);
    }
    let named = sync.sources.iter().enumerate();
    named
        .map(|(index, source)| {
            let found = by_name.remove(&source.name).unwrap_or_default();
            if found.len() > 1 {
                let message = format!("source {} answered twice", shown(source.name.as_str()));
                faults.push(invalid(
                    source_path(index, ""),
                    message,
                    Reason::InternalError,
                ));
            }
            found.first().copied()
        })
        .collect()
}
