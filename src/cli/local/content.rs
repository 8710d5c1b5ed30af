//! The content of syncs, for verbs that hand it on instead of writing targets.

use std::collections::BTreeMap;

use penstock_domain::audit::{AuditAction, AuditEntry};
use penstock_domain::bundle::Bundle;
use penstock_domain::engine::{Memory, Prepared, Reading};
use penstock_domain::fault::Fault;
use penstock_domain::names::Key;
use penstock_domain::render::target_data;
use penstock_domain::secret::SecretValue;
use penstock_domain::text::key_list;

use super::invocation::ChosenSync;
use super::session::{Session, request};

/// Why there is no content.
#[derive(Debug, thiserror::Error)]
pub enum FindContent {
    /// Sources do not answer or make no bundle, and no earlier content is kept.
    #[error("SecretSync {sync}: {}", .faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Nothing {
        /// Which sync.
        sync: String,
        /// What is wrong.
        faults: Vec<Fault>,
    },
    /// Two syncs, or two targets, have one key with different values.
    #[error(
        "these keys have different values in several of the chosen syncs or targets: {keys}. Choose with --only or --target"
    )]
    Conflict {
        /// The keys.
        keys: String,
    },
}

/// What all chosen syncs hold together.
#[derive(Debug, Default)]
pub struct Contents {
    /// The values.
    pub values: BTreeMap<Key, SecretValue>,
    /// Where each comes from: source and path.
    pub origins: BTreeMap<Key, String>,
    /// Sources that did not answer, while their last good content stays in use.
    pub stale: Vec<Fault>,
}

impl Session {
    /// The content of one sync, without a look at its targets.
    pub async fn content(&self, chosen: &ChosenSync) -> Result<Prepared, FindContent> {
        let mut memory = Memory::default();
        let gathered = self
            .engine
            .read(&chosen.sync, Reading::Now, &mut memory)
            .await;
        let request = request(chosen, None);
        let prepared = self.engine.choose(request, gathered, &mut memory).await;
        if prepared.bundle().is_some() {
            return Ok(prepared);
        }
        let stopped = prepared.stopped().into_iter();
        let notes = prepared.notes();
        let faults = stopped.chain(&notes.blocked).chain(&notes.stale);
        Err(FindContent::Nothing {
            sync: chosen.sync.id.to_string(),
            faults: faults.cloned().collect(),
        })
    }

    /// The contents of all chosen syncs together: what their targets hold where `--target` names some, else all.
    pub async fn contents(&self) -> Result<Contents, FindContent> {
        let mut contents = Contents::default();
        let mut conflicts = Vec::new();
        for chosen in &self.invocation.syncs {
            let prepared = self.content(chosen).await?;
            let Some(bundle) = prepared.bundle() else {
                continue;
            };
            contents
                .stale
                .extend(prepared.notes().stale.iter().cloned());
            for part in parts(chosen, bundle)? {
                for (key, value) in part {
                    let former = contents.values.insert(key.clone(), value.clone());
                    if former.is_some_and(|former| former != value) {
                        conflicts.push(key.clone());
                    }
                    contents.origins.insert(key.clone(), origin(bundle, &key));
                }
            }
        }
        if conflicts.is_empty() {
            Ok(contents)
        } else {
            let keys = key_list(&conflicts);
            Err(FindContent::Conflict { keys })
        }
    }

    /// Notes in the audit trail that values were shown, or handed to a command.
    pub fn note_reveal<'a>(&self, to: &str, keys: impl Iterator<Item = &'a Key>) {
        let keys: Vec<String> = keys.map(Key::to_string).collect();
        for chosen in &self.invocation.syncs {
            self.engine.ports.audit.record(AuditEntry {
                sync: Some(chosen.sync.id.clone()),
                by: None,
                action: AuditAction::Reveal,
                object: to.to_owned(),
                keys: keys.clone(),
                revision: None,
                failure: None,
            });
        }
    }
}

/// What the chosen targets take of a bundle; the bundle as a whole where none is chosen.
fn parts(
    chosen: &ChosenSync,
    bundle: &Bundle,
) -> Result<Vec<BTreeMap<Key, SecretValue>>, FindContent> {
    if chosen.only.is_none() {
        let all = bundle.values();
        return Ok(vec![
            all.map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        ]);
    }
    let parts = chosen.targets().map(|target| target_data(bundle, target));
    parts
        .collect::<Result<_, _>>()
        .map_err(|faults| FindContent::Nothing {
            sync: chosen.sync.id.to_string(),
            faults,
        })
}

fn origin(bundle: &Bundle, key: &Key) -> String {
    let provenance = bundle.0.get(key).map(|entry| &entry.provenance);
    let source = provenance.and_then(|provenance| provenance.source.as_ref());
    match (source, provenance) {
        (Some(source), Some(provenance)) if !provenance.path.is_empty() => {
            format!("{source}, {}", provenance.path)
        }
        (Some(source), _) => source.to_string(),
        (None, _) => "made by transform".to_owned(),
    }
}
